//! Leases as rows, which decide which process may run now: with a heartbeat and a fencing number, also safe on a Galera
//! cluster. It must not depend on what a run does, nor use a server-side named lock, which is local to one node.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::clock;
use crate::db::{Conn, Database, DbError, Params};

/// The lease of the process that runs now.
pub const RUN: &str = "run";

/// The lease of the daemon that leads.
pub const LEADER: &str = "leader";

/// A lease that this process holds.
#[derive(Clone, Debug)]
pub struct Lease {
    name: &'static str,
    holder: String,
    fence: i64,
}

impl Lease {
    /// The fencing number: it grows with every change of holder.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Takes a lease that is free, or whose holder has given no heartbeat for `ttl` seconds of the database's clock.
    /// `None` means that another process holds it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn take(conn: &mut Conn, name: &'static str, ttl: u64) -> Result<Option<Self>, DbError> {
        let holder = format!("{}:{}:{}:{}", host(), std::process::id(), mark(), clock::nanos());
        let params = Params::new()
            .with("name", name)
            .with("holder", holder.clone())
            .with("ttl", ttl as i64)
            .fragment("clock", conn.dialect().clock());
        let taken = conn
            .exec(
                "UPDATE {enrold_lease} SET holder = :holder, fence = fence + 1, heartbeat = :clock, since = :clock
                  WHERE name = :name AND (holder = '' OR heartbeat < :clock - :ttl)",
                &params,
            )
            .await?;
        if taken != 1 {
            return Ok(None);
        }
        let fence =
            conn.number("SELECT fence FROM {enrold_lease} WHERE name = :name AND holder = :holder", &params).await?;
        Ok(Some(Self { name, holder, fence }))
    }

    /// Frees a lease whose holder is a dead process of this host: after a kill no process waits for the heartbeat to
    /// expire. If the process is alive after all (another container with the same host name), its fence keeps it from
    /// committing.
    ///
    /// # Errors
    /// The database's error.
    pub async fn bury(conn: &mut Conn, name: &'static str) -> Result<bool, DbError> {
        let Some((holder, _)) = Self::holder(conn, name).await? else { return Ok(false) };
        let mut parts = holder.splitn(4, ':');
        let (Some(host_name), Some(pid)) = (parts.next(), parts.next()) else { return Ok(false) };
        if host_name != host() || is_alive(pid, parts.next().unwrap_or_default()) {
            return Ok(false);
        }
        let params = Params::new().with("name", name).with("holder", holder.clone());
        conn.exec("UPDATE {enrold_lease} SET holder = '' WHERE name = :name AND holder = :holder", &params)
            .await
            .map(|_| true)
    }

    /// The holder of a lease, and for how many seconds it has held it: for messages to a waiting operator.
    ///
    /// # Errors
    /// The database's error.
    pub async fn holder(conn: &mut Conn, name: &'static str) -> Result<Option<(String, i64)>, DbError> {
        let params = Params::new().with("name", name).fragment("clock", conn.dialect().clock());
        let row = conn
            .row("SELECT holder, :clock - since FROM {enrold_lease} WHERE name = :name AND holder <> ''", &params)
            .await?;
        Ok(row.map(|row| (row.text(0), row.int(1))))
    }

    /// True if a lease has a holder with a heartbeat within `ttl` seconds; a dead process of this host does not count.
    ///
    /// # Errors
    /// The database's error.
    pub async fn is_held(conn: &mut Conn, name: &'static str, ttl: u64) -> Result<bool, DbError> {
        if Self::bury(conn, name).await? {
            return Ok(false);
        }
        let params = Params::new().with("name", name).with("ttl", ttl as i64).fragment("clock", conn.dialect().clock());
        let sql =
            "SELECT COUNT(*) FROM {enrold_lease} WHERE name = :name AND holder <> '' AND heartbeat >= :clock - :ttl";
        Ok(conn.number(sql, &params).await? > 0)
    }

    /// Releases a lease that this process holds, whichever of its tasks took it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn release_own(conn: &mut Conn, name: &'static str) -> Result<(), DbError> {
        let begin = format!("{}:{}:", host(), std::process::id());
        let Some((holder, _)) = Self::holder(conn, name).await?.filter(|(holder, _)| holder.starts_with(&begin)) else {
            return Ok(());
        };
        let params = Params::new().with("name", name).with("holder", holder);
        conn.exec("UPDATE {enrold_lease} SET holder = '' WHERE name = :name AND holder = :holder", &params)
            .await
            .map(|_| ())
    }

    /// Renews the heartbeat; false if another process has taken the lease. Inside a run's transaction this is the
    /// fence: a run that lost its lease must not commit.
    ///
    /// # Errors
    /// The database's error.
    pub async fn renew(&self, conn: &mut Conn) -> Result<bool, DbError> {
        let params = self.params().fragment("clock", conn.dialect().clock());
        let renewed = conn
            .exec(
                "UPDATE {enrold_lease} SET heartbeat = :clock
                  WHERE name = :name AND holder = :holder AND fence = :fence",
                &params,
            )
            .await?;
        Ok(renewed == 1)
    }

    /// Releases the lease.
    ///
    /// # Errors
    /// The database's error.
    pub async fn release(&self, conn: &mut Conn) -> Result<(), DbError> {
        conn.exec(
            "UPDATE {enrold_lease} SET holder = '' WHERE name = :name AND holder = :holder AND fence = :fence",
            &self.params(),
        )
        .await
        .map(|_| ())
    }

    fn params(&self) -> Params {
        Params::new().with("name", self.name).with("holder", self.holder.clone()).with("fence", self.fence)
    }

    /// Keeps the lease alive from a connection of its own until the handle is dropped or aborted. A heartbeat that
    /// fails is tried again at the next beat: the fence decides, not the heartbeat.
    pub fn beat(&self, database: Arc<Database>, ttl: u64) -> Heart {
        let lease = self.clone();
        let pause = Duration::from_secs((ttl / 4).max(1));
        Heart(tokio::spawn(async move {
            let mut conn = None;
            loop {
                tokio::time::sleep(pause).await;
                if conn.is_none() {
                    conn = database.connect_uncounted(pause).await.ok();
                }
                if let Some(open) = conn.as_mut()
                    && lease.renew(open).await.is_err()
                {
                    conn = None;
                }
            }
        }))
    }
}

/// A running heartbeat; it stops when this is dropped.
pub struct Heart(JoinHandle<()>);

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A process that may not be signalled is alive too; `/proc` would hide it under systemd's `ProtectProc`. In a
/// restarted container the dead process may have had our own number: then the mark decides.
fn is_alive(pid: &str, marked: &str) -> bool {
    if pid == std::process::id().to_string() {
        return marked == mark();
    }
    let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
    pid.is_none_or(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// A mark that distinguishes this process from an earlier one of the same number.
fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| format!("{:x}", clock::nanos()))
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
