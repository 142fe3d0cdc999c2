//! What follows a commit, written from the journal in small chunks that a crash cannot lose or double:
//! dirty flags, events of the standard log store, forum subscriptions, the file of the hook. It must not fail the run:
//! it is committed.

use std::path::Path;

use crate::db::{Conn, DbError, Params};
use crate::moodle::events::{self, Chunk};
use crate::moodle::forum;
use crate::moodle::lookups::Lookups;
use crate::moodle::site::Site;
use crate::run::history;
use crate::run::observe::{Moment, Observer};
use crate::run::spool::Spooled;

/// Changes after which Moodle must load the user's rights anew (spec enrol-core 11).
const DIRTY: &str = "'role.add', 'role.remove', 'enrolment.update', 'enrolment.suspend', 'enrolment.remove'";

/// Why effects could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EffectsError {
    /// The database's word.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The spool of the hook is missing, full or not writable.
    #[error(
        "cannot write run {run} into the hook's spool {spool}: {error}. Make the directory and let enrold write there, or empty hook.spool"
    )]
    Spool {
        /// The run.
        run: i64,
        /// The directory.
        spool: String,
        /// The system's word.
        error: std::io::Error,
    },
}

/// Writes the effects of a run that are not written yet.
pub struct Effects<'a> {
    /// A connection outside any transaction.
    pub conn: &'a mut Conn,
    /// The site's settings.
    pub site: &'a Site,
    /// The real clock in Unix seconds, or the frozen one: a session that was loaded before it sees the flag.
    pub clock: i64,
    /// Changes per chunk.
    pub rows: i64,
    /// The directory that gets one file per run for the site's hook, if there is one.
    pub spool: Option<&'a Path>,
    /// Who watches.
    pub observer: Observer,
}

impl Effects<'_> {
    /// Finishes the effects of every run that a crash left without. A run with parts left has its own when they are done.
    ///
    /// # Errors
    /// The engine's or the spool's; what is written stays written, the next call goes on there.
    pub async fn finish_all(&mut self) -> Result<u64, EffectsError> {
        let sql = "SELECT id FROM {enrold_run} WHERE effects = 1 AND state <> 'running' ORDER BY id";
        let pending = self.conn.rows(sql, &Params::new()).await?;
        for run in &pending {
            self.finish(run.int(0)).await?;
        }
        Ok(pending.len() as u64)
    }

    /// Finishes the effects of one run. Grows with the run's changes: four statements per chunk, and three for the spool.
    ///
    /// # Errors
    /// As [`Effects::finish_all`].
    pub async fn finish(&mut self, run: i64) -> Result<(), EffectsError> {
        let params = Params::new().with("run", run);
        let state = self
            .conn
            .row("SELECT effects, effectseq, clock, counts FROM {enrold_run} WHERE id = :run", &params)
            .await?;
        let Some(state) = state.filter(|row| row.int(0) == 1) else { return Ok(()) };
        let (mut done, now) = (state.int(1), state.int(2));
        // What the run did stands in its row; if that cannot be read, it may be anything.
        let kinds = history::kinds(&state.text(3));
        let has =
            |of: &str| kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| of.contains(&format!("'{kind}'"))));
        if has(DIRTY) {
            // By statistics from before there were flags, each user's would be looked for among all: 25 million pairs for
            // 5,000 users.
            self.conn.prefer_hashes(true).await?;
            self.flags(run).await?;
            self.conn.prefer_hashes(false).await?;
        }
        self.conn.prefer_indexes(true).await?;
        if has("'instance.remove'") {
            self.context_flags(run).await?;
        }
        let forums = forum::prepare(self.conn, self.site, run).await?;
        let mut written = 0;
        let mut lookups = None;
        loop {
            let next = Params::new().with("run", run).with("done", done).with("rows", self.rows);
            let parts = self
                .conn
                .rows(
                    "SELECT t.kind, t.state, COUNT(*), MAX(t.seq) FROM
                        (SELECT c.kind, c.state, c.seq FROM {enrold_change} c WHERE c.run = :run AND c.seq > :done AND c.seq < :effects
                          ORDER BY c.seq LIMIT :rows) t GROUP BY t.kind, t.state",
                    &next.with("effects", forum::FIRST_SEQ),
                )
                .await?;
            let Some(to) = parts.iter().map(|part| part.int(3)).max() else { break };
            let kinds = parts.iter().filter(|part| part.int(1) == 0).map(|part| part.text(0)).collect();
            let changes = parts.iter().map(|part| part.int(2)).sum::<i64>();
            let lookups = match lookups {
                Some(known) => known,
                None => *lookups.insert(Lookups::of(self.conn, run, changes).await?),
            };
            self.chunk(&Chunk { run, now, from: done, to, kinds, lookups }, forums).await?;
            done = to;
            written += changes;
            self.observer.reached(Moment::Effects { done: written }).await;
            if changes < self.rows {
                break;
            }
        }
        let told = match self.spool {
            Some(spool) => self.tell_hook(run, spool).await,
            None => Ok(()),
        };
        self.conn.prefer_indexes(false).await?;
        told?;
        self.observer.reached(Moment::Spooled).await;
        self.conn.exec("UPDATE {enrold_run} SET effects = 0 WHERE id = :run", &params).await?;
        Ok(())
    }

    /// Leaves the run's file in the spool, unless it changed nothing. Without a mark: after a crash it is written again.
    async fn tell_hook(&mut self, run: i64, spool: &Path) -> Result<(), EffectsError> {
        let params = Params::new().with("run", run);
        let Some(past) = self.conn.row("SELECT kind, source, clock FROM {enrold_run} WHERE id = :run", &params).await?
        else {
            return Ok(());
        };
        let spooled = Spooled::of(self.conn, run, past.text(0), past.text(1), past.int(2)).await?;
        if spooled.is_empty() {
            return Ok(());
        }
        spooled.write(spool).map_err(|error| {
            let spool = spool.display().to_string();
            EffectsError::Spool { run, spool, error }
        })
    }

    /// One chunk and the mark that it is written, in one transaction.
    async fn chunk(&mut self, chunk: &Chunk, forums: bool) -> Result<(), DbError> {
        self.conn.begin().await?;
        let outcome = self.write_chunk(chunk, forums).await;
        match outcome {
            Ok(()) => self.conn.commit().await,
            Err(error) => {
                // The error that brought us here says more than one of the rollback.
                drop(self.conn.rollback().await);
                Err(error)
            }
        }
    }

    async fn write_chunk(&mut self, chunk: &Chunk, forums: bool) -> Result<(), DbError> {
        let Chunk { run, now, from, to, .. } = *chunk;
        if self.site.logs_events() {
            events::write(self.conn, self.site, chunk).await?;
        }
        if forums {
            forum::subscribe(self.conn, self.site, run, now, from, to).await?;
        }
        let params = Params::new().with("run", run).with("to", to);
        self.conn.exec("UPDATE {enrold_run} SET effectseq = :to WHERE id = :run", &params).await.map(|_| ())
    }

    /// One flag per user of the run, in chunks; writing it twice does no harm, so no mark is kept.
    async fn flags(&mut self, run: i64) -> Result<(), DbError> {
        self.conn.temporary_for_session("dirty", "n BIGINT NOT NULL PRIMARY KEY, name VARCHAR(32) NOT NULL").await?;
        let name = self.conn.dialect().to_text("t.userid");
        let params = Params::new().with("run", run).fragment("name", name).fragment("kinds", DIRTY);
        let users = self
            .conn
            .exec(
                "INSERT INTO dirty (n, name) SELECT ROW_NUMBER() OVER (ORDER BY t.userid), :name
                   FROM (SELECT DISTINCT c.userid FROM {enrold_change} c WHERE c.run = :run AND c.state = 0 AND c.kind IN (:kinds)) t",
                &params,
            )
            .await? as i64;
        self.conn.analyse("dirty").await?;
        let mut from = 0;
        while from < users {
            self.flag_users(from, from + self.rows).await?;
            from += self.rows;
        }
        Ok(())
    }

    /// One flag per course that lost an instance (spec enrol-core 11): whoever looks at it gets its rights anew.
    async fn context_flags(&mut self, run: i64) -> Result<(), DbError> {
        let gone = "SELECT k.path AS name FROM {context} k WHERE k.id IN
            (SELECT c.contextid FROM {enrold_change} c WHERE c.run = :run AND c.state = 0 AND c.kind = 'instance.remove')";
        let params = Params::new()
            .with("run", run)
            .with("clock", self.clock)
            .with("expiry", self.clock + self.site.session_timeout())
            .fragment("gone", gone)
            .fragment("same", self.conn.exact("f.name", "d.name"));
        let set = [("value", "'1'"), ("timemodified", ":clock"), ("expiry", ":expiry")];
        let condition = "f.flagtype || '' = 'accesslib/dirtycontexts' AND :same";
        let update = self.conn.dialect().update_joined("{cache_flags}", "f", &set, "(:gone) d", condition);
        self.conn.exec(&update, &params).await?;
        self.conn
            .exec(
                "INSERT INTO {cache_flags} (flagtype, name, timemodified, value, expiry)
                 SELECT 'accesslib/dirtycontexts', d.name, :clock, '1', :expiry FROM (:gone) d
                  WHERE NOT EXISTS (SELECT 1 FROM {cache_flags} f WHERE f.flagtype || '' = 'accesslib/dirtycontexts' AND :same)",
                &params,
            )
            .await
            .map(|_| ())
    }

    /// `flagtype || ''` keeps the planner from the index on the type, under which all flags lie.
    async fn flag_users(&mut self, from: i64, to: i64) -> Result<(), DbError> {
        let params = Params::new()
            .with("from", from)
            .with("to", to)
            .with("clock", self.clock)
            .with("expiry", self.clock + self.site.session_timeout())
            .fragment("same", self.conn.exact("f.name", "d.name"));
        let update = self.conn.dialect().update_joined(
            "{cache_flags}",
            "f",
            &[("value", "'1'"), ("timemodified", ":clock"), ("expiry", ":expiry")],
            "dirty d",
            "d.n > :from AND d.n <= :to AND f.flagtype || '' = 'accesslib/dirtyusers' AND :same",
        );
        self.conn.exec(&update, &params).await?;
        self.conn
            .exec(
                "INSERT INTO {cache_flags} (flagtype, name, timemodified, value, expiry)
                 SELECT 'accesslib/dirtyusers', d.name, :clock, '1', :expiry FROM dirty d
                  WHERE d.n > :from AND d.n <= :to AND NOT EXISTS
                        (SELECT 1 FROM {cache_flags} f WHERE f.flagtype || '' = 'accesslib/dirtyusers' AND :same)
                  ORDER BY d.n",
                &params,
            )
            .await
            .map(|_| ())
    }
}
