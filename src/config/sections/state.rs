//! Section `state`: enrold's own directory.
//! It must not know what is stored there.

use std::path::PathBuf;

use serde::Deserialize;

/// enrold's own directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Holds copies of held files, the hook spool, and the embedded database unless `database.url` names another.
    pub path: PathBuf,
}
