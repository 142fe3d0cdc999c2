//! The daemon's surroundings: what it says to the service manager, whether its worker gets on, who asks it to stop.
//! It must not know the command line or the form of the log.

pub mod notify;
pub mod progress;
pub mod signals;
