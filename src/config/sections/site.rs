//! Section `site`: facts about the Moodle site that an operator may override.
//! It must not know Moodle's tables; a missing value means that Moodle's own setting decides.

use chrono_tz::Tz;
use serde::de::{Deserialize, Deserializer, Error};

/// Overrides of what Moodle knows about the site.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Zone in which dates without a zone are read; without it Moodle's `timezone` decides.
    #[serde(default, deserialize_with = "zone")]
    pub timezone: Option<Tz>,
    /// The site's address without a slash at its end (`$CFG->wwwroot`), for links in mails; empty for none.
    #[serde(default, deserialize_with = "address")]
    pub wwwroot: String,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.trim_end_matches('/').to_owned())
}

/// The IANA name of a zone.
pub(super) fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tz>, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map(Some).map_err(D::Error::custom)
}
