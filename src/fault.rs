//! Named steps at which a test can kill the process, to see that nothing is lost or applied twice.
//! It must not do anything in a release build.

/// Every step, in the order of a daemon's life.
pub const STEPS: &[&str] = &[
    "leading",
    "task-begun",
    "task-ended",
    "decided",
    "lock-written",
    "claimed-not-synced",
    "claimed",
    "lease-taken",
    "run-opened",
    "staged",
    "planned",
    "applied",
    "committing",
    "held-kept",
    "parts-written",
    "part-committed",
    "committed",
    "effects",
    "spooled",
    "releasing",
    "run-ended",
    "draft-written",
    "report-written",
    "errors-written",
    "retry-written",
    "marker-renamed",
    "renamed-not-synced",
    "renamed",
    "leaving",
];

/// The steps of an archive on another file system.
pub const OF_THE_ARCHIVE: &[&str] = &["archive-copied", "archived-not-removed"];

/// The steps of a file with passwords, which is replaced by a masked copy.
pub const OF_A_MASKED_FILE: &[&str] = &["masked-written", "masked-noted", "masked-not-removed", "masked-removed"];

/// The steps of the report of waiting lines.
pub const OF_THE_WAITING_REPORT: &[&str] = &["waiting-expired", "waiting-written", "waiting-told"];

/// Kills the process with SIGKILL if the environment has `ENROLD_KILL_AT=STEP` (the first time) or `STEP:N` (the N-th
/// time); only in a build with debug assertions.
pub fn step(name: &'static str) {
    let named = [STEPS, OF_THE_ARCHIVE, OF_A_MASKED_FILE, OF_THE_WAITING_REPORT].concat().contains(&name);
    debug_assert!(named, "{name} is not a named step");
    #[cfg(debug_assertions)]
    armed::step(name);
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Trap {
        name: String,
        left: AtomicU64,
    }

    static TRAP: OnceLock<Option<Trap>> = OnceLock::new();

    fn trap() -> Option<Trap> {
        let text = std::env::var("ENROLD_KILL_AT").ok()?;
        let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Trap { name: name.to_owned(), left: AtomicU64::new(times.parse().unwrap_or(1)) })
    }

    pub fn step(name: &str) {
        if let Some(trap) = TRAP.get_or_init(trap)
            && trap.name == name
            && trap.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            // A process can always kill itself; if not, the test would see it live on.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
