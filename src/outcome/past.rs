//! A run as it is stored in the history. It must not read the history.

use crate::outcome::Claim;

/// A row of the history.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Past {
    /// The run's number.
    pub run: i64,
    /// `import`, `sync flatfile`, `approve`.
    pub kind: String,
    /// The file, or the task.
    pub source: String,
    /// How it ended.
    pub state: String,
    /// The run's clock in Unix seconds.
    pub clock: i64,
    /// When it began and ended by the real clock, Unix seconds.
    pub started: i64,
    /// See `started`; 0 while it runs.
    pub ended: i64,
    /// The held run that this one decided, or 0.
    pub parent: i64,
    /// The digest of the bytes.
    pub sha256: String,
    /// The report's numbers as JSON.
    pub counts: serde_json::Value,
    /// Why it failed, if it did.
    pub message: String,
    /// The decision on a held run that is recorded and not carried out yet: `approve`, `reject`, or nothing.
    pub decision: String,
    /// The identity of its file.
    #[serde(skip)]
    pub claim: Claim,
}

impl Past {
    /// The digest of the bytes that were dropped: of a set, those of its manifest or archive, not those of the
    /// snapshot. `None` for a set of a version that did not store it.
    pub fn dropped_sha256(&self) -> Option<&str> {
        let flat = self.kind == "import";
        self.counts["dropped"].as_str().or_else(|| flat.then_some(self.sha256.as_str()))
    }

    /// True if the run read this very file, with the same attributes and digest.
    pub fn is_of(&self, claim: &Claim) -> bool {
        self.claim.stands_as(claim) && self.dropped_sha256() == Some(claim.sha256.as_str())
    }
}
