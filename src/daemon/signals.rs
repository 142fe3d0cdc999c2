//! The signals that the daemon obeys: SIGTERM and SIGINT stop it, SIGHUP reloads its configuration.
//! It must not know how the daemon stops or reloads.

use std::future::pending;
use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What the daemon is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Finish or roll back what is under way, then end.
    Stop,
    /// Read the configuration anew.
    Reload,
}

/// The signals that come in. Once this exists they do not end the process by themselves any more, for as long as the
/// process lives.
#[derive(Debug)]
pub struct Signals {
    term: unix::Signal,
    int: unix::Signal,
    hup: unix::Signal,
}

impl Signals {
    /// Begins to listen; what comes from now on is kept for [`Signals::next`].
    ///
    /// # Errors
    /// The system's, when it lets no handler be set.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            term: unix::signal(SignalKind::terminate())?,
            int: unix::signal(SignalKind::interrupt())?,
            hup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal; a stop goes before a reload. May be dropped while it waits: nothing is lost. The same
    /// signal several times before this is asked counts once.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            Some(()) = self.term.recv() => Signal::Stop,
            Some(()) = self.int.recv() => Signal::Stop,
            Some(()) = self.hup.recv() => Signal::Reload,
            // The run time is going down: no signal will come any more.
            else => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Number, getpid, kill_process};

    use super::{Signal, Signals};

    // One test: signals belong to the process, and tests of one process run side by side.
    #[tokio::test]
    async fn signals_say_stop_and_reload() {
        let mut signals = Signals::listen().unwrap();
        for (number, meaning) in
            [(Number::HUP, Signal::Reload), (Number::TERM, Signal::Stop), (Number::INT, Signal::Stop)]
        {
            kill_process(getpid(), number).unwrap();
            assert_eq!(signals.next().await, meaning);
        }
    }
}
