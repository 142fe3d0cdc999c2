//! The sentence why a source's feed is stale, in English and French.
//! It must not decide whether it is stale.

use chrono::DateTime;
use chrono_tz::Tz;

use crate::config::Locale;
use crate::outcome::Stale;

/// The sentence without its full stop; moments are shown in `zone`.
pub fn stale(stale: Stale, zone: Tz, locale: Locale) -> String {
    match (stale, locale) {
        (Stale::Never, Locale::En) => "no good set has ever come".to_owned(),
        (Stale::Never, Locale::Fr) => "aucun lot valable n'est jamais arrivé".to_owned(),
        (Stale::Silent(seconds), Locale::En) => format!("no new good set for {} h", seconds / 3_600),
        (Stale::Silent(seconds), Locale::Fr) => format!("aucun nouveau lot valable depuis {} h", seconds / 3_600),
        (Stale::Late(by), Locale::En) => format!("no new good set by {}", moment(by, zone)),
        (Stale::Late(by), Locale::Fr) => {
            format!("aucun nouveau lot valable n'est arrivé avant le {}", moment(by, zone))
        }
        (Stale::Same(days), Locale::En) => format!("its sets have been the same, byte for byte, for {days} days"),
        (Stale::Same(days), Locale::Fr) => format!("ses lots sont les mêmes, octet pour octet, depuis {days} jours"),
    }
}

/// A moment by the wall clock of a zone, with its offset from UTC.
pub fn moment(unix: i64, zone: Tz) -> String {
    let at = DateTime::from_timestamp(unix, 0).unwrap_or_default().with_timezone(&zone);
    at.format("%Y-%m-%d %H:%M %:z").to_string()
}
