//! All access to files: a directory with untrusted feeders is opened once, and all below it by that descriptor;
//! enrold's own files are private to its account. It must not know what a file holds, nor what the names mean.

#![allow(clippy::disallowed_methods, reason = "the room through which all others go")]

mod dir;
mod file;
pub mod own;
mod sealed;

pub use dir::Dir;
pub use file::{Changed, Cursor, Pass, RegularFile, Status, Stopped, TooLarge, digest_of, is_changed, is_stopped};
pub use sealed::{Sealer, StateKey};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs work that waits for the disk, so that the runtime's other tasks go on meanwhile (heartbeats, the watchdog,
/// signals).
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
