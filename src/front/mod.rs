//! The only interface to the engine for commands and the daemon: one function per request, each with its requester.
//! It must not know terminals or HTTP: the callers parse requests and show results.

mod cohorts;
mod courses;
mod decide;
mod doctor;
mod drops;
mod feeds;
mod import;
mod mails;
mod participants;
mod retention;
pub mod runs;
mod stale;
mod sync;
pub mod tasks;
mod verbs;
mod waiting;
mod waiting_report;
mod who;

pub mod check;
pub mod database;
pub mod demo;
pub mod hook;
pub mod lead;

pub use cohorts::{CohortMember, CohortRow};
pub use courses::{CourseMethod, CourseRow};
pub use decide::Decided;
pub use doctor::Examined;
pub use feeds::FeedState;
pub use import::{Given, GivenFile, Said, SaidKind};
pub use mails::{Outbox, check_texts, log_round};
pub use participants::{ParticipantFilter, Participants};
pub use retention::Forgotten;
pub use runs::Detail;
pub use sync::{Asked, SyncRequest, asked, jobs};
pub use tasks::Scheduled;
pub use verbs::{AskedVerb, VerbRequest, VerbWhat};
pub use waiting::{WaitingLines, WaitingRow};
pub use waiting_report::WaitingReport;
pub use who::Who;

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Settings;
use crate::db::{Conn, Database, Params};
use crate::outcome::{Observer, RunResult};
use crate::rules::RULES;
use crate::run::{Engine, require_ready};

/// The arguments of a request are invalid or contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misuse(pub String);

/// The interface to one site under fixed settings. A request fails with a [`crate::outcome::RunError`] if the database
/// does not answer or is not ready, or if its run cannot finish.
pub struct Front {
    engine: Engine,
}

impl Front {
    /// The interface to a site's database. `wait` is how long a run waits for another one; `stop` ends the reading of
    /// files.
    pub fn new(
        database: Arc<Database>,
        settings: Arc<Settings>,
        clock: Clock,
        wait: Duration,
        observer: Observer,
        stop: CancellationToken,
    ) -> Self {
        Self { engine: Engine { database, settings, clock, wait, observer, rules: &RULES, stop } }
    }

    /// Refuses a database that is not ready for enrold, and texts of mails that are none, with what to do
    /// ([`crate::outcome::RunError::NotReady`]).
    pub async fn ready(&self) -> RunResult<()> {
        self.check_texts()?;
        self.connect().await?.close().await;
        Ok(())
    }

    /// Whether the database answers now, on a new connection.
    pub async fn answers(&self) -> bool {
        let Ok(mut conn) = self.engine.database.connect().await else { return false };
        let one = conn.number("SELECT 1", &Params::new()).await;
        conn.close().await;
        one.is_ok_and(|one| one == 1)
    }

    /// A connection to a database that is ready.
    async fn connect(&self) -> RunResult<Conn> {
        let mut conn = self.engine.database.connect().await?;
        require_ready(&mut conn).await?;
        Ok(conn)
    }
}

/// Adds to an I/O error what was tried: `cannot open a.csv: No such file or directory`.
fn failed(what: impl Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}
