//! Words that go into the texts of mails, in English and French: months, counts, groups; and the test mail.
//! It must not know where the facts come from.

use crate::config::Locale;
use crate::mail::template::is_one;

const MONTHS: [(&str, &str); 12] = [
    ("January", "janvier"),
    ("February", "février"),
    ("March", "mars"),
    ("April", "avril"),
    ("May", "mai"),
    ("June", "juin"),
    ("July", "juillet"),
    ("August", "août"),
    ("September", "septembre"),
    ("October", "octobre"),
    ("November", "novembre"),
    ("December", "décembre"),
];

/// The name of a month, 0 for January.
pub(super) fn month(month0: usize, locale: Locale) -> &'static str {
    let (english, french) = MONTHS[month0 % 12];
    match locale {
        Locale::En => english,
        Locale::Fr => french,
    }
}

/// The day of the month, as a date begins with it: in French the first is `1er`.
pub(super) fn day(day: u32, locale: Locale) -> String {
    match (day, locale) {
        (1, Locale::Fr) => "1er".to_owned(),
        (day, _) => day.to_string(),
    }
}

/// `3 new, 1 left, 2 changed groups`, without what did not happen.
pub(super) fn changes(new: usize, left: usize, regrouped: usize, locale: Locale) -> String {
    let count = |count: usize, one: &str, many: &str| {
        let word = if is_one(count as i64, locale) { one } else { many };
        (count > 0).then(|| format!("{count} {word}"))
    };
    let parts = match locale {
        Locale::En => [
            count(new, "new", "new"),
            count(left, "left", "left"),
            count(regrouped, "changed groups", "changed groups"),
        ],
        Locale::Fr => [
            count(new, "nouveau", "nouveaux"),
            count(left, "parti", "partis"),
            count(regrouped, "changement de groupe", "changements de groupe"),
        ],
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What somebody who stays did with groups: `now in A, B; no longer in C`.
pub(super) fn regrouped(joined: &[&str], gone: &[&str], locale: Locale) -> String {
    let told = |groups: &[&str], words: &str| (!groups.is_empty()).then(|| format!("{words} {}", groups.join(", ")));
    let parts = match locale {
        Locale::En => [told(joined, "now in"), told(gone, "no longer in")],
        Locale::Fr => [told(joined, "maintenant dans"), told(gone, "plus dans")],
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(if locale == Locale::Fr { " ; " } else { "; " })
}

/// The last line of a list that is too long for a mail.
pub(super) fn more(count: usize, locale: Locale) -> String {
    match locale {
        Locale::En => format!("and {count} more"),
        Locale::Fr if count == 1 => "et 1 autre".to_owned(),
        Locale::Fr => format!("et {count} autres"),
    }
}

/// Subject and text of the mail of `enrold mails test`.
pub(super) fn test(locale: Locale) -> (String, String) {
    match locale {
        Locale::En => ("enrold: a test".to_owned(), "This mail shows that enrold can send mails.".to_owned()),
        Locale::Fr => {
            ("enrold : un essai".to_owned(), "Ce courriel montre qu'enrold peut envoyer des courriels.".to_owned())
        }
    }
}
