//! The signals that the daemon handles: SIGTERM and SIGINT stop it, SIGHUP reloads its configuration.
//! It must not know how the daemon stops or reloads.

use std::future::pending;
use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Finish or roll back the current work, then end.
    Stop,
    /// Read the configuration again.
    Reload,
}

/// Receives the signals. Once it exists, they no longer end the process by themselves, for the rest of its life.
#[derive(Debug)]
pub struct Signals {
    term: unix::Signal,
    int: unix::Signal,
    hup: unix::Signal,
}

impl Signals {
    /// Starts to listen; signals are kept for [`Signals::next`].
    ///
    /// # Errors
    /// The system's error if a handler cannot be set.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            term: unix::signal(SignalKind::terminate())?,
            int: unix::signal(SignalKind::interrupt())?,
            hup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal; a stop has priority over a reload. It is cancellation safe. The same signal several
    /// times before the call counts once.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            Some(()) = self.term.recv() => Signal::Stop,
            Some(()) = self.int.recv() => Signal::Stop,
            Some(()) = self.hup.recv() => Signal::Reload,
            // The runtime is shutting down: no more signals arrive.
            else => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Number, getpid, kill_process};

    use super::{Signal, Signals};

    // One test: signals belong to the process, and tests of one process run in parallel.
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
