//! Facts about Moodle's accounts: user names, authentication methods, the values of new accounts, what columns accept.
//! It must not know files, nor why an account is made or changed.

use chrono_tz::Tz;

use crate::db::Value;
use crate::moodle::site::Site;

/// Authentication methods that every Moodle has.
const CORE_AUTHS: &[&str] =
    &["manual", "nologin", "email", "ldap", "cas", "db", "lti", "mnet", "none", "oauth2", "shibboleth", "webservice"];

/// Methods whose passwords Moodle keeps itself, of those that files may name.
pub const INTERNAL_AUTHS: &[&str] = &["manual", "nologin", "email"];

/// Whether a method keeps passwords in Moodle.
pub fn is_internal(auth: &str) -> bool {
    INTERNAL_AUTHS.contains(&auth)
}

/// Whether the site knows a method: a part of Moodle, or a plugin that was installed.
pub fn knows_auth(site: &Site, auth: &str) -> bool {
    CORE_AUTHS.contains(&auth)
        || site.of_plugins("auth_", "version").any(|(plugin, _)| plugin == auth)
        || site.config("auth").unwrap_or_default().split(',').any(|known| known.trim() == auth)
}

/// Methods that are enabled on every site.
const ALWAYS_ENABLED: [&str; 2] = ["manual", "nologin"];

/// Whether accounts with a method that the site knows can log in: the method is enabled.
pub fn is_enabled_auth(site: &Site, auth: &str) -> bool {
    ALWAYS_ENABLED.contains(&auth)
        || site.config("auth").unwrap_or_default().split(',').any(|enabled| enabled.trim() == auth)
}

/// Whether a text has the form of an address to which Moodle sends mails. (Quoted names and numeric hosts, which Moodle
/// knows too, are none here.)
pub fn is_address(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else { return false };
    let in_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 254
        && name.len() <= 64
        && name.split('.').all(|part| !part.is_empty() && part.chars().all(in_name))
        && host.contains('.')
        && host.split('.').all(label)
}

/// A user name as Moodle allows it: in small letters, without what is not allowed; possibly empty.
pub fn standardised(site: &Site, name: &str) -> String {
    let name = name.trim().to_lowercase();
    if site.number("extendedusernamechars", 0) == 1 {
        return name;
    }
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._@".contains(*c);
    name.chars().filter(allowed).collect()
}

/// Whether two accounts may have one address.
pub fn shares_addresses(site: &Site) -> bool {
    site.number("allowaccountssameemail", 0) == 1
}

/// What a column of an account accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Any text that fits.
    Text,
    /// Any text, however long.
    Long,
    /// A text without control characters.
    Key,
    /// A text that Moodle shows as it is: without markup, and without control characters except for line ends and tabs.
    Plain,
    /// A whole number.
    Number,
    /// A code of two letters.
    Country,
    /// The name of a language pack.
    Language,
    /// A time zone, or 99 for the site's.
    Zone,
}

/// The columns that a file may set, with what they accept: all but the user name, the password and the state.
pub const VALUES: [(&str, Accepts); 27] = [
    ("auth", Accepts::Text),
    ("idnumber", Accepts::Key),
    ("firstname", Accepts::Plain),
    ("lastname", Accepts::Plain),
    ("email", Accepts::Key),
    ("emailstop", Accepts::Number),
    ("phone1", Accepts::Plain),
    ("phone2", Accepts::Plain),
    ("institution", Accepts::Plain),
    ("department", Accepts::Plain),
    ("address", Accepts::Plain),
    ("city", Accepts::Plain),
    ("country", Accepts::Country),
    ("lang", Accepts::Language),
    ("theme", Accepts::Text),
    ("timezone", Accepts::Zone),
    ("description", Accepts::Long),
    ("descriptionformat", Accepts::Number),
    ("mailformat", Accepts::Number),
    ("maildigest", Accepts::Number),
    ("maildisplay", Accepts::Number),
    ("autosubscribe", Accepts::Number),
    ("trackforums", Accepts::Number),
    ("middlename", Accepts::Plain),
    ("alternatename", Accepts::Plain),
    ("firstnamephonetic", Accepts::Plain),
    ("lastnamephonetic", Accepts::Plain),
];

/// The names of [`VALUES`].
pub const NAMES: [&str; VALUES.len()] = {
    let mut names = [""; VALUES.len()];
    let mut at = 0;
    while at < VALUES.len() {
        names[at] = VALUES[at].0;
        at += 1;
    }
    names
};

/// Whether an empty cell gives this column no value, even where it erases others: a number, a method or a language is
/// never empty.
pub fn is_never_empty(column: &str) -> bool {
    let accepts = VALUES.iter().find(|(name, _)| *name == column).map(|(_, accepts)| *accepts);
    accepts == Some(Accepts::Number) || ["auth", "lang", "timezone"].contains(&column)
}

impl Accepts {
    /// A value as it is stored.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn read(self, text: &str) -> Result<String, &'static str> {
        match self {
            Self::Text | Self::Long => Ok(text.to_owned()),
            Self::Key if text.chars().any(char::is_control) => Err("a text without control characters"),
            Self::Plain if text.contains(['<', '>']) || text.chars().any(is_unprintable) => {
                Err("a text without < and >, and without control characters")
            }
            Self::Key | Self::Plain => Ok(text.to_owned()),
            Self::Number => match text.len() {
                1..=2 if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(text.to_owned()),
                _ => Err("0-99"),
            },
            Self::Country => match text.len() {
                2 if text.bytes().all(|byte| byte.is_ascii_alphabetic()) => Ok(text.to_ascii_uppercase()),
                _ => Err("FR, DE, …"),
            },
            Self::Language => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if text.bytes().all(plain) { Ok(text.to_ascii_lowercase()) } else { Err("fr, en, en_us, …") }
            }
            Self::Zone => {
                let offset = text.parse::<f64>().is_ok_and(|hours| hours == 99.0 || hours.abs() <= 14.0);
                if offset || text.parse::<Tz>().is_ok() { Ok(text.to_owned()) } else { Err("Europe/Paris, 99, …") }
            }
        }
    }
}

fn is_unprintable(letter: char) -> bool {
    letter.is_control() && !['\n', '\r', '\t'].contains(&letter)
}

/// The value of a column of a new account for which nobody gives one; `None` leaves it to the database.
pub fn default_value(site: &Site, column: &str) -> Option<Value> {
    let text = |name: &str, documented: &str| {
        let set = site.config(name).filter(|text| !text.is_empty() && *text != "0");
        Some(Value::from(set.unwrap_or(documented)))
    };
    let number =
        |name: &str, documented| Some(Value::Int(site.number(&format!("defaultpreference_{name}"), documented)));
    match column {
        "auth" => Some("manual".into()),
        "country" => text("country", ""),
        "city" => text("defaultcity", ""),
        "lang" => text("lang", "en"),
        "timezone" => text("timezone", "99"),
        "calendartype" => text("calendartype", "gregorian"),
        "mailformat" | "autosubscribe" => number(column, 1),
        "maildigest" | "trackforums" => number(column, 0),
        "maildisplay" => number(column, 2),
        "descriptionformat" => Some(Value::Int(1)),
        "emailstop" => Some(Value::Int(0)),
        "middlename" | "alternatename" | "firstnamephonetic" | "lastnamephonetic" => None,
        _ => Some("".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileKind, Profile};

    #[test]
    fn a_profile_may_have_a_default_for_each_column() {
        for (column, _) in VALUES {
            let option = (format!("default.{column}"), "1".to_owned());
            assert!(Profile::of(FileKind::Users).with(&[option]).is_ok(), "{column}");
        }
    }

    #[test]
    fn what_moodle_shows_as_it_is_has_no_markup() {
        let plain = |text: &str| Accepts::Plain.read(text).is_ok();
        assert!(plain("Zoé O'Neil & Co") && plain("1 rue\r\nCaen"));
        assert!(!plain("<b>") && !plain("a > b") && !plain("\u{7}") && Accepts::Key.read("a\nb").is_err());
        assert!(Accepts::Long.read("<p>\n</p>").is_ok());
    }

    #[test]
    fn addresses_have_a_form() {
        for good in ["a@example.org", "a.b+c@x-y.example.org", "O'Neil@b.c", "9@9.de"] {
            assert!(is_address(good), "{good}");
        }
        let bad = ["a", "a@b", "@b.c", "a@", "a@b.c@d.e", "é@b.c", "a@é.c", "a b@c.d", ".a@b.c", "a..b@c.d", "a@-b.c"];
        for bad in bad.into_iter().chain(["a@b..c", "a@b.c.", "a@b,c.d", "a@b.c;d@e.f"]) {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn words_are_no_numbers_and_no_zones() {
        assert_eq!(Accepts::Number.read("7"), Ok("7".to_owned()));
        assert!(Accepts::Number.read("abc").is_err() && Accepts::Number.read("-1").is_err());
        assert_eq!(Accepts::Country.read("fr"), Ok("FR".to_owned()));
        assert!(Accepts::Country.read("France").is_err());
        assert_eq!(Accepts::Zone.read("Europe/Paris"), Ok("Europe/Paris".to_owned()));
        assert_eq!(Accepts::Zone.read("99"), Ok("99".to_owned()));
        assert!(Accepts::Zone.read("Mars/Phobos").is_err());
        assert!(Accepts::Language.read("fr fr").is_err());
    }
}
