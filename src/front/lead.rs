//! The leader lease: one daemon per database works, the others stand by.
//! It must not run anything: a daemon that lost the lease is stopped by the fence of its run, not here.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::StopWatch;
use crate::db::{Conn, Database, DbError, Params};
use crate::lease::{Heart, LEADER, Lease, RUN};
use crate::mail::MAIL;
use crate::outcome::RunResult;
use crate::run::{decision, history, require_ready};

/// Takes the lease for one pass, waiting at most `wait`; it is renewed until the [`Heart`] is dropped. The inner `Err`
/// names the process that leads.
pub async fn take_once(database: &Arc<Database>, ttl: u64, wait: Duration) -> RunResult<Result<Heart, String>> {
    let mut conn = database.connect().await?;
    require_ready(&mut conn).await?;
    let waiting = StopWatch::start();
    loop {
        Lease::bury(&mut conn, LEADER).await?;
        if let Some(lease) = Lease::take(&mut conn, LEADER, ttl).await? {
            conn.close().await;
            return Ok(Ok(lease.beat(Arc::clone(database), ttl)));
        }
        if u128::from(waiting.millis()) >= wait.as_millis() {
            return Ok(Err(holder(&mut conn).await?));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Releases the leader lease, and the leases of runs and mails that this process still holds, on a separate connection,
/// so that another daemon takes over at once.
pub async fn give_back(database: &Database) {
    if let Ok(mut conn) = database.connect_with(Duration::from_secs(1)).await {
        for name in [RUN, MAIL, LEADER] {
            // A lease that cannot be released expires.
            drop(Lease::release_own(&mut conn, name).await);
        }
        conn.close().await;
    }
}

async fn holder(conn: &mut Conn) -> Result<String, DbError> {
    Ok(Lease::holder(conn, LEADER).await?.map(|(holder, _)| holder).unwrap_or_default())
}

/// The result of a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// This process leads.
    Leads {
        /// True if it has just taken the lead.
        anew: bool,
    },
    /// Another process leads: the holder's name in the lease.
    Follows(String),
}

/// The work that waits for the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Runs that are held.
    pub held: usize,
    /// Runs with parts or effects that are not written.
    pub effects: usize,
    /// True if a decision is recorded.
    pub decisions: bool,
    /// Lines that wait for an account or a course.
    pub lines: usize,
    /// Since when the oldest of them waits, Unix seconds.
    pub oldest_line: Option<i64>,
}

/// The leader lease in this process, taken and renewed by heartbeats.
pub struct Lead {
    database: Arc<Database>,
    conn: Option<Conn>,
    lease: Option<Lease>,
    renewed: StopWatch,
}

impl Lead {
    /// A process that does not hold the lease yet.
    pub fn new(database: Arc<Database>) -> Self {
        Self { database, conn: None, lease: None, renewed: StopWatch::start() }
    }

    /// True if this process held the lease at the last heartbeat.
    pub fn is_held(&self) -> bool {
        self.lease.is_some()
    }

    /// True if the last heartbeat is older than `ttl`, so that another process may lead.
    pub fn has_run_out(&self, ttl: Duration) -> bool {
        u128::from(self.renewed.millis()) > ttl.as_millis()
    }

    /// Renews the lease or tries to take it; calls `lost` at once if another process has taken it.
    pub async fn beat(&mut self, ttl: Duration, lost: impl Fn()) -> Result<Beat, DbError> {
        let mut conn = self.connection().await?;
        let outcome = self.stand(&mut conn, ttl, lost).await;
        self.keep(conn, outcome)
    }

    async fn stand(&mut self, conn: &mut Conn, ttl: Duration, lost: impl Fn()) -> Result<Beat, DbError> {
        if let Some(lease) = &self.lease {
            if lease.renew(conn).await? {
                self.renewed = StopWatch::start();
                return Ok(Beat::Leads { anew: false });
            }
            self.lease = None;
            lost();
        }
        Lease::bury(conn, LEADER).await?;
        self.lease = Lease::take(conn, LEADER, ttl.as_secs()).await?;
        self.renewed = StopWatch::start();
        match &self.lease {
            Some(_) => Ok(Beat::Leads { anew: true }),
            None => Ok(Beat::Follows(holder(conn).await?)),
        }
    }

    /// Reads the work that waits for the leader.
    pub async fn waiting(&mut self) -> Result<Waiting, DbError> {
        let mut conn = self.connection().await?;
        let outcome = waiting(&mut conn).await;
        self.keep(conn, outcome)
    }

    /// Whether a decision is recorded that is not carried out yet: one statement, over the held runs by their index.
    pub async fn is_decided(&mut self) -> Result<bool, DbError> {
        let mut conn = self.connection().await?;
        let outcome = decision::recorded(&mut conn).await;
        Ok(!self.keep(conn, outcome)?.is_empty())
    }

    /// The connection of the last heartbeat, or a new one. A cancelled heartbeat loses it.
    async fn connection(&mut self) -> Result<Conn, DbError> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => self.database.connect_uncounted(Duration::from_secs(2)).await,
        }
    }

    fn keep<T>(&mut self, conn: Conn, outcome: Result<T, DbError>) -> Result<T, DbError> {
        if matches!(outcome, Ok(_) | Err(DbError::Transient { .. })) {
            self.conn = Some(conn);
        }
        outcome
    }
}

async fn waiting(conn: &mut Conn) -> Result<Waiting, DbError> {
    let (held, effects) = history::pending(conn).await?;
    let decisions = held > 0 && !decision::recorded(conn).await?.is_empty();
    let (lines, oldest_line) = lines_that_wait(conn).await?;
    Ok(Waiting { held: held.max(0) as usize, effects: effects.max(0) as usize, decisions, lines, oldest_line })
}

async fn lines_that_wait(conn: &mut Conn) -> Result<(usize, Option<i64>), DbError> {
    let sql = "SELECT COUNT(*), COALESCE(MIN(w.created), 0) FROM {enrold_waiting} w WHERE w.state = 'waiting'";
    let (lines, oldest) = conn.row(sql, &Params::new()).await?.map_or((0, 0), |row| (row.int(0), row.int(1)));
    Ok((lines.max(0) as usize, (lines > 0).then_some(oldest)))
}
