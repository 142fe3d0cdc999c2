//! The one way to files: a directory whose feeders are not trusted is opened once, and all below it by that descriptor;
//! what is enrold's own is made for nobody else. It must not know what a file holds, nor which names mean what.

#![allow(clippy::disallowed_methods, reason = "the room through which all others go")]

mod dir;
mod file;
pub mod own;

pub use dir::Dir;
pub use file::{Changed, Cursor, Pass, RegularFile, Status, Stopped, TooLarge, digest_of, is_changed, is_stopped};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does work that waits for the disk, so that the runtime's other tasks go on meanwhile (heartbeats, the watchdog,
/// signals).
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
