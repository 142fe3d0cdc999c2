//! Checks the syntax of text settings: a URL, a prefix, a cron expression, a time zone, a path.
//! It must not know keys or layers, and the check of the URL never repeats the URL.

use std::collections::BTreeSet;

use config::ValueKind;

use super::sections::{CourseDelay, ExpectedBy, Listen, RoleList, Schedule, Season, SourceRoles};

/// The forms of a database URL that enrold accepts.
const URL_FORMS: &str = "sqlite:PATH, sqlite://PATH, postgres://…, postgresql://…, mysql://… or mariadb://…";

/// A database URL of a known form that names a database; the driver checks the rest when it connects.
pub(super) fn database_url(text: &str) -> Result<(), String> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(format!("not a database URL; write {URL_FORMS}"));
    };
    let named = match scheme {
        "sqlite" => Some(rest.strip_prefix("//").unwrap_or(rest)),
        "postgres" | "postgresql" | "mysql" | "mariadb" => rest.strip_prefix("//"),
        _ => None,
    };
    match named {
        None => Err(format!("not a database URL; write {URL_FORMS}")),
        Some(name) if name.is_empty() || name.starts_with('?') => Err("the database URL names no database".to_owned()),
        Some(_) if text.contains(char::is_control) => {
            Err("the database URL holds a control character, such as a line end".to_owned())
        }
        Some(_) => Ok(()),
    }
}

/// The SQLite URL of a file; `%`, `?` and `#` in its name are escaped, because a URL gives them a meaning.
pub(super) fn sqlite_url(path: &str) -> String {
    let escaped = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{escaped}")
}

/// Moodle's table prefix: it becomes part of every statement, so only `[a-z0-9_]{0,16}` is accepted.
pub(super) fn prefix(text: &str) -> Result<(), String> {
    let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.len() <= 16 && text.chars().all(safe) {
        Ok(())
    } else {
        Err(format!("found {}, expected at most 16 of a-z, 0-9 and _", shown(text)))
    }
}

/// A local path, absolute or relative to the current directory.
pub(super) fn path(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("expected a path, found nothing".to_owned())
    } else if text.contains("://") {
        Err("expected a path, found a URL".to_owned())
    } else if text.contains('\0') {
        Err("a path cannot hold a NUL character".to_owned())
    } else {
        Ok(())
    }
}

/// A path, or nothing.
pub(super) fn optional_path(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { path(text) }
}

/// The address on which the daemon listens, or nothing.
pub(super) fn listen(text: &str) -> Result<(), String> {
    Listen::parse(text).map(|_| ()).map_err(|reason| format!("found {}, {reason}", shown(text)))
}

/// The URL of a site, or nothing.
pub(super) fn site_url(text: &str) -> Result<(), String> {
    let named = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic() && !"<>\"?#@".contains(c));
    if text.is_empty() || named.is_some_and(plain) {
        Ok(())
    } else {
        Err("expected the site's address as in Moodle's config.php, for example https://moodle.example.org".to_owned())
    }
}

/// A host name or IP address.
pub(super) fn host(text: &str) -> Result<(), String> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c)) {
        Ok(())
    } else {
        Err(format!("found {}, expected the name of a machine, for example smtp.example.org", shown(text)))
    }
}

/// One line of text, or nothing.
pub(super) fn line(text: &str) -> Result<(), String> {
    if text.contains(char::is_control) {
        Err("it holds a control character, such as a line end".to_owned())
    } else {
        Ok(())
    }
}

/// A bare mail address, or nothing.
pub(super) fn optional_mail_address(text: &str) -> Result<(), String> {
    if text.is_empty() || text.parse::<lettre::Address>().is_ok() {
        Ok(())
    } else {
        Err("expected a mail address alone, for example noreply@example.org".to_owned())
    }
}

/// Bare mail addresses without duplicates.
pub(super) fn mail_addresses(texts: &[&str]) -> Result<(), String> {
    for (at, text) in texts.iter().enumerate() {
        if text.parse::<lettre::Address>().is_err() {
            return Err(format!("found {}, expected mail addresses alone, for example it@example.org", shown(text)));
        }
        if texts[..at].contains(text) {
            return Err(format!("{} stands there twice", shown(text)));
        }
    }
    Ok(())
}

/// A time zone by its IANA name.
pub(super) fn timezone(text: &str) -> Result<(), String> {
    match text.parse::<chrono_tz::Tz>() {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(format!("found {}, expected the IANA name of a time zone, for example Europe/Paris", shown(text)))
        }
    }
}

/// A cron expression of five or six fields; the scheduler's own type is the check.
pub(super) fn schedule(text: &str) -> Result<(), String> {
    text.parse::<Schedule>().map(|_| ()).map_err(|reason| format!("found {}, {reason}", shown(text)))
}

/// A time of day with its days, or nothing.
pub(super) fn expected_by(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Ok(());
    }
    text.parse::<ExpectedBy>().map(|_| ()).map_err(|reason| format!("found {}, {reason}", shown(text)))
}

/// The accepted forms of a duration, for messages.
pub(super) const SPAN: &str = "seconds, or a number with s, m, h, d or w, as in \"30d\"; at most 100 years";

/// A duration in seconds.
pub(super) fn span(text: &str) -> Result<i64, String> {
    seconds_in(text).ok_or_else(|| format!("found {}, expected {SPAN}", shown(text)))
}

/// The seconds of `30d`, `12h`, `90`; `None` if the text has another form or means more than a century.
pub(super) fn seconds_in(text: &str) -> Option<i64> {
    const CENTURY: i64 = 36_525 * 86_400;
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[end..].trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    text[..end].parse::<i64>().ok()?.checked_mul(unit).filter(|seconds| (0..=CENTURY).contains(seconds))
}

/// The texts of a list, or the lines of one text; `None` if the value is neither.
pub(super) fn lines(found: &ValueKind) -> Option<Vec<String>> {
    let text = |value: &config::Value| match &value.kind {
        ValueKind::String(text) => Some(text.trim().to_owned()),
        _ => None,
    };
    match found {
        ValueKind::Array(values) => values.iter().map(text).collect(),
        ValueKind::String(text) => {
            Some(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
        }
        _ => None,
    }
}

/// The texts of a list, or of one text split at lines and commas; `None` if the value is neither.
pub(super) fn words(found: &ValueKind) -> Option<Vec<String>> {
    match found {
        ValueKind::String(text) => {
            let words = text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty());
            Some(words.map(str::to_owned).collect())
        }
        found => lines(found),
    }
}

/// Delays for pairs of courses, without duplicate pairs.
pub(super) fn delays(texts: &[&str]) -> Result<(), String> {
    let mut pairs = std::collections::HashSet::new();
    for text in texts {
        let delay = CourseDelay::parse(text).map_err(|reason| format!("found {}, {reason}", shown(text)))?;
        if !pairs.insert((delay.source, delay.target)) {
            return Err(format!("found {}, but this pair of courses has a delay already", shown(text)));
        }
    }
    Ok(())
}

/// A table or view of another database as written in SQL, or nothing; refuses what could begin another statement.
pub(super) fn remote_table(text: &str) -> Result<(), String> {
    let foreign = |c: char| c.is_control() || ";'()".contains(c);
    if text.contains(foreign) || text.contains("--") || text.contains("/*") {
        return Err(format!("found {}, expected the name of a table or view; a SELECT goes into query", shown(text)));
    }
    Ok(())
}

/// A SELECT, or nothing.
pub(super) fn query(text: &str) -> Result<(), String> {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    match first.as_str() {
        "" | "select" | "with" if !text.contains('\0') => Ok(()),
        _ => Err("expected a SELECT statement".to_owned()),
    }
}

/// SQL statements, none of them empty.
pub(super) fn statements(texts: &[&str]) -> Result<(), String> {
    match texts.iter().any(|text| text.is_empty() || text.contains('\0')) {
        true => Err("expected a list of SQL statements, none of them empty".to_owned()),
        false => Ok(()),
    }
}

/// A component of Moodle (`local_apogee`), or nothing.
pub(super) fn optional_component(text: &str) -> Result<(), String> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.len() <= 100 && text.chars().all(known) {
        Ok(())
    } else {
        Err(format!("found {}, expected the name of a component of Moodle, for example local_records", shown(text)))
    }
}

/// Periods with limits of their own.
pub(super) fn seasons(texts: &[&str]) -> Result<(), String> {
    texts.iter().try_for_each(|text| {
        Season::parse(text).map(|_| ()).map_err(|reason| format!("found {}, {reason}", shown(text)))
    })
}

/// Authentication methods: names as Moodle's plugins have them.
pub(super) fn methods(texts: &[&str]) -> Result<(), String> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match texts.iter().find(|text| text.is_empty() || !text.bytes().all(is_letter)) {
        Some(text) => {
            Err(format!("found {}, expected the name of an authentication method, for example email", shown(text)))
        }
        None => Ok(()),
    }
}

/// Roles that may be assigned.
pub(super) fn role_list(texts: &[&str]) -> Result<(), String> {
    texts.iter().try_for_each(|text| {
        RoleList::parse([*text]).map(|_| ()).map_err(|reason| format!("found {}, {reason}", shown_role(text)))
    })
}

/// Roles that may be assigned, and mappings of export roles to Moodle roles; each export role is mapped once.
pub(super) fn source_roles(texts: &[&str]) -> Result<(), String> {
    let mut named = BTreeSet::new();
    for text in texts {
        let roles = SourceRoles::parse(&[text]);
        let roles = roles.map_err(|reason| format!("found {}, {reason}", shown_role(text)))?;
        let role = roles.of_export.into_iter().find(|_| text.contains('='));
        if let Some(role) = role.filter(|role| !named.insert(role.from.clone())) {
            return Err(format!("{} stands there twice", shown(&role.from)));
        }
    }
    Ok(())
}

/// Like [`shown`], but does not hide a text with `@`: an archetype is not an address.
fn shown_role(text: &str) -> String {
    if text.contains("://") { shown(text) } else { quoted(text) }
}

/// A found text for a message: quoted, escaped, cut at 60 characters; hidden if it may be a URL with a password.
pub(super) fn shown(text: &str) -> String {
    if text.contains("://") || text.contains('@') {
        "a URL (not shown, it may hold a password)".to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() > LONGEST {
        let start: String = text.chars().take(LONGEST).collect();
        format!("{start:?}…")
    } else {
        format!("{text:?}")
    }
}
