//! Section `site`: facts about the Moodle site that an operator may override.
//! It must not know Moodle's tables; a missing value means that Moodle's own setting decides.

use chrono_tz::Tz;
use serde::de::{Deserialize, Deserializer, Error};

/// Overrides of Moodle's facts about the site.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Time zone of dates without a zone; `None`: Moodle's `timezone`.
    #[serde(default, deserialize_with = "zone")]
    pub timezone: Option<Tz>,
    /// The site's URL without a trailing slash (`$CFG->wwwroot`), for links in mails; empty for none.
    #[serde(default, deserialize_with = "address")]
    pub wwwroot: String,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.trim_end_matches('/').to_owned())
}

/// The IANA name of a time zone.
pub(super) fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tz>, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map(Some).map_err(D::Error::custom)
}
