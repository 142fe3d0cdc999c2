//! Section `database`: where Moodle's tables are.
//! It must not know how to connect.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// Moodle's database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH`, `sqlite://PATH`, `postgres://…`, `postgresql://…`, `mysql://…` or `mariadb://…`; already resolved
    /// from `url`, from the content of `url_file`, or to `enrold.sqlite` under `state.path`.
    pub url: SecretString,
    /// What Moodle puts before each of its table names (`$CFG->prefix`).
    pub prefix: String,
    /// How long one attempt to connect may take.
    #[serde(deserialize_with = "super::seconds")]
    pub connect_timeout: Duration,
}
