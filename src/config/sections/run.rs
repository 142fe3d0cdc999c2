//! Section `run`: how a run meets the database.
//! It must not know what a run does.

use std::time::Duration;

use serde::Deserialize;

/// Patience and chunk sizes of a run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// How often a command starts a run anew after a transient database error (deadlock, serialisation, lost
    /// connection).
    pub retries: u32,
    /// How long a statement of a run waits for a row lock.
    #[serde(deserialize_with = "super::seconds")]
    pub lock_timeout: Duration,
    /// The same for a simulated run, short so that a live site never waits for a rehearsal.
    #[serde(deserialize_with = "super::seconds")]
    pub simulate_lock_timeout: Duration,
    /// How long a lease is believed after its last heartbeat.
    #[serde(deserialize_with = "super::seconds")]
    pub lease_ttl: Duration,
    /// Changes per chunk of the effects that follow the commit (`cache_flags`, log store).
    pub effect_rows: u32,
    /// Changes from which on a run of tasks is cut by course into consecutive transactions; 0 for never.
    pub part_rows: u32,
}
