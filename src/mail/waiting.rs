//! The daily mail about the lines that wait: its words, in English and French.
//! It must not count or queue anything.

use std::path::Path;

use chrono::DateTime;
use chrono_tz::Tz;

use crate::config::Locale;
use crate::report::visible;
use crate::report::words::pick;

/// The kind of the mail.
pub const WAITING_REPORT: &str = "waiting-report";

/// How many lines that wait the mail lists.
pub const LISTED: usize = 20;

/// What the mail tells. Moments are Unix seconds.
pub struct Summary {
    /// Lines that wait now.
    pub waiting: i64,
    /// Lines that were applied since the last mail.
    pub applied: i64,
    /// Lines of which a later line took the place since then.
    pub superseded: i64,
    /// Lines that were cancelled since then.
    pub cancelled: i64,
    /// Lines whose time is over and that no mail has told of.
    pub expired: i64,
    /// The files in which these are, in `directory`.
    pub files: Vec<String>,
    /// The drop directory.
    pub directory: String,
    /// The lines that wait and end first, at most [`LISTED`].
    pub next: Vec<Waits>,
    /// The zone of the moments.
    pub zone: Tz,
}

/// A line that waits.
pub struct Waits {
    /// What names the user, and the name.
    pub user: (String, String),
    /// What names the place, and the name.
    pub place: (String, String),
    /// The role; empty for a member of a cohort.
    pub role: String,
    /// Until when it waits.
    pub until: i64,
    /// The file and the line that it comes from.
    pub from: (String, i64),
}

impl Summary {
    /// The subject.
    pub fn subject(&self, locale: Locale) -> String {
        let Self { waiting, expired, .. } = self;
        match locale {
            Locale::En => format!("enrold, waiting lines: {waiting} waiting, {expired} expired"),
            Locale::Fr => format!("enrold, lignes en attente : {waiting} en attente, {expired} expirées"),
        }
    }

    /// The text.
    pub fn body(&self, locale: Locale) -> String {
        let counts = [
            (self.waiting, "waiting for an account or a course", "en attente d'un compte ou d'un cours"),
            (
                self.expired,
                "expired: their account or course did not come in time",
                "expirées : compte ou cours jamais arrivé",
            ),
            (self.applied, "applied since the last mail", "appliquées depuis le dernier courriel"),
            (self.superseded, "replaced by a later line", "remplacées par une ligne plus récente"),
            (self.cancelled, "cancelled", "annulées"),
        ];
        let mut lines = vec![pick(locale, "Lines of files:", "Lignes de fichiers :")];
        let counted = counts.iter().filter(|(count, ..)| *count > 0);
        lines.extend(counted.map(|(count, english, french)| format!("{count:>8}  {}", pick(locale, english, french))));
        if !self.files.is_empty() {
            lines.push(String::new());
            lines.push(match locale {
                Locale::En => format!("The expired lines are in {}:", self.directory),
                Locale::Fr => format!("Les lignes expirées sont dans {} :", self.directory),
            });
            lines.extend(self.files.iter().map(|file| format!("  {file}")));
            lines.push(pick(
                locale,
                "To try them again, rename the file so that its name ends in .csv alone. A file with keys in its name\n\
                 (such as -idnumber-shortname) is not to be renamed: import it with --user-key and --course-key.",
                "Pour les redonner, renommez le fichier pour que son nom finisse par .csv seul. Ne renommez pas un\n\
                 fichier qui a des clés dans son nom (-idnumber-shortname) : importez-le avec --user-key et\n\
                 --course-key.",
            ));
        }
        if !self.next.is_empty() {
            lines.push(String::new());
            lines.push(pick(locale, "Waiting, the first to end first:", "En attente, dans l'ordre de leur fin :"));
            lines.extend(self.next.iter().map(|waits| format!("  {}", waits.sentence(self.zone, locale))));
            let more = self.waiting - self.next.len() as i64;
            if more > 0 {
                lines.push(match locale {
                    Locale::En => format!("  and {more} more: 'enrold waiting'"),
                    Locale::Fr => format!("  et {more} autres : « enrold waiting »"),
                });
            }
        }
        lines.join("\n") + "\n"
    }
}

impl Waits {
    fn sentence(&self, zone: Tz, locale: Locale) -> String {
        let Self { user: (user_key, user), place: (place_key, place), role, until, from: (source, line) } = self;
        let day = DateTime::from_timestamp(*until, 0).unwrap_or_default().with_timezone(&zone).format("%Y-%m-%d");
        let file = Path::new(source).file_name().unwrap_or_default().to_string_lossy();
        // They come from a file: none adds lines to the mail.
        let [user, place, file] = [user, place, &*file].map(|text| visible(text));
        let role = if role.is_empty() { pick(locale, "cohort", "cohorte") } else { role.clone() };
        let from = pick(locale, "line", "ligne");
        let until = pick(locale, "until", "jusqu'au");
        format!("{until} {day}: {user_key}={user} {place_key}={place} {role} ({file}, {from} {line})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_file_adds_no_line_to_the_mail() {
        let waits = Waits {
            user: ("username".to_owned(), "a\nExpired lines: http://x".to_owned()),
            place: ("shortname".to_owned(), "c1\r".to_owned()),
            role: "student".to_owned(),
            until: 0,
            from: ("/srv/in/x\ny.csv".to_owned(), 2),
        };
        let told = waits.sentence(Tz::UTC, Locale::En);
        assert!(!told.contains(char::is_control) && told.contains("a\u{fffd}Expired"), "{told}");
    }
}
