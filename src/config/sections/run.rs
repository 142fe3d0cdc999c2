//! Section `run`: timeouts, retries and chunk sizes of a run.
//! It must not know what a run does.

use std::time::Duration;

use serde::Deserialize;

/// Timeouts, retries and chunk sizes of a run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// How often a command repeats a run after a transient database error (deadlock, serialisation, lost connection).
    pub retries: u32,
    /// How long a statement of a run waits for a row lock.
    #[serde(deserialize_with = "super::seconds")]
    pub lock_timeout: Duration,
    /// The same for a simulated run; short, so that a live site never waits for a simulation.
    #[serde(deserialize_with = "super::seconds")]
    pub simulate_lock_timeout: Duration,
    /// How long a lease stays valid after its last heartbeat.
    #[serde(deserialize_with = "super::seconds")]
    pub lease_ttl: Duration,
    /// Changes per chunk of the effects that run after the commit (`cache_flags`, log store).
    pub effect_rows: u32,
    /// Number of changes from which a task run is split by course into consecutive transactions; 0: never.
    pub part_rows: u32,
}
