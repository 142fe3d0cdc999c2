//! Writes what follows a commit from the journal, in small chunks that a crash neither loses nor repeats: dirty flags,
//! events of the standard log store, forum subscriptions, the file of the hook. It must not fail the run, which is
//! committed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::change::kind::{self, Dirty, Kind};
use crate::change::kinds;
use crate::db::table::{int, text};
use crate::db::{Conn, DbError, Params, Row, Table};
use crate::moodle::events::{self, Announced, Chunk};
use crate::moodle::forum;
use crate::moodle::lookups::Lookups;
use crate::moodle::site::Site;
use crate::outcome::{Moment, Observer};
use crate::run::history;
use crate::run::spool::Spooled;

/// The users whose permissions have changed, numbered.
const DIRTY: Table = Table::new("dirty", &[int("n"), text("name", 32)]).primary("n");

/// The flags that are set for users, with what Moodle reloads by each.
const USER_FLAGS: [(Dirty, &str); 2] =
    [(Dirty::User, "accesslib/dirtyusers"), (Dirty::Preferences, "userpreferenceschanged")];

/// The kind of change after which forums subscribe users, and the kind that the journal gets for it.
const SUBSCRIBING: forum::Kinds =
    forum::Kinds { assigned: kinds::ROLE_ADD.name, subscribed: kinds::FORUM_SUBSCRIPTION_ADD.name };

/// Why effects could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EffectsError {
    /// The database's error.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The spool of the hook is missing, full or not writable.
    #[error(
        "cannot write run {run} into the hook's spool {spool}: {error}. Make the directory and let enrold write there, \
         or empty hook.spool"
    )]
    Spool {
        /// The run.
        run: i64,
        /// The directory.
        spool: String,
        /// The system's error.
        error: std::io::Error,
    },
}

/// Writes the pending effects of runs.
pub struct Effects<'a> {
    /// A connection outside any transaction.
    pub conn: &'a mut Conn,
    /// The site's settings.
    pub site: &'a Site,
    /// The real time in Unix seconds, or the frozen one; a session that was loaded before it sees the flag.
    pub clock: i64,
    /// Changes per chunk.
    pub rows: i64,
    /// The directory that gets one file per run for the site's hook, if there is one.
    pub spool: Option<&'a Path>,
    /// Receives the moments that are reached.
    pub observer: Observer,
}

/// Changes of a run whose effects are written together.
struct Part {
    /// In ascending order: an upper bound of the sequence numbers, and the kinds of the changes up to it.
    stretches: Vec<(i64, Vec<&'static Kind>)>,
    /// How many changes there are.
    changes: i64,
}

impl Part {
    /// Groups the changes of a chunk by kind. Kinds that do not overlap in the journal are written one by one, which
    /// needs no sorting.
    fn of(mut kinds: Vec<Stretch>) -> Option<Self> {
        let to = kinds.iter().map(|kind| kind.last).max()?;
        let changes = kinds.iter().map(|kind| kind.changes).sum();
        kinds.retain(|kind| kind.done);
        kinds.sort_by_key(|kind| kind.first);
        let follow = kinds.iter().zip(kinds.iter().skip(1)).all(|(one, next)| one.last < next.first);
        let mut stretches: Vec<(i64, Vec<&'static Kind>)> = if follow {
            kinds.into_iter().map(|kind| (kind.last, kind.kind.into_iter().collect())).collect()
        } else {
            vec![(to, kinds.into_iter().filter_map(|kind| kind.kind).collect())]
        };
        match stretches.last_mut() {
            Some(last) => last.0 = to,
            None => stretches.push((to, Vec::new())),
        }
        Some(Self { stretches, changes })
    }

    fn to(&self) -> i64 {
        self.stretches.last().map_or(0, |(to, _)| *to)
    }
}

/// Selects the kinds of changes after which Moodle reloads the permissions of a user or in a course.
fn makes_dirty(whose: Dirty) -> impl Fn(&Kind) -> bool {
    move |kind| kind.dirty == Some(whose)
}

/// The events for changes of these kinds.
fn events_of(kinds: &[&'static Kind]) -> Vec<Announced> {
    let mut all: Vec<Announced> = Vec::new();
    for kind in kinds {
        let Some(event) = kind.event else { continue };
        match all.iter_mut().find(|known| std::ptr::eq(known.event, event)) {
            Some(known) => known.kinds.push(kind.name),
            None => {
                let gone_by = kind.remover().map_or("", |remover| remover.name);
                all.push(Announced { event, kinds: vec![kind.name], gone_by });
            }
        }
    }
    all
}

/// The changes of one kind in a part of the journal.
struct Stretch {
    /// `None` for a kind of another version of enrold, which has no known effects.
    kind: Option<&'static Kind>,
    /// True if they were applied, not overtaken.
    done: bool,
    changes: i64,
    first: i64,
    last: i64,
}

impl Effects<'_> {
    /// Finishes the effects of every run that a crash interrupted. A run with remaining parts gets its effects after
    /// the last part.
    ///
    /// # Errors
    /// The database's or the spool's error; what is written stays, and the next call continues there.
    pub async fn finish_all(&mut self) -> Result<u64, EffectsError> {
        let sql = "SELECT id FROM {enrold_run} WHERE effects = 1 AND state <> 'running' ORDER BY id";
        let pending = self.conn.rows(sql, &Params::new()).await?;
        for run in &pending {
            self.finish(run.int(0)).await?;
        }
        Ok(pending.len() as u64)
    }

    /// Finishes the effects of one run. The cost grows with its changes: per chunk at most three statements and one for
    /// each kind of change, and three for the spool.
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
        // The row of the run lists the kinds of its changes; if it cannot be read, every kind is assumed.
        let changes = history::changes(&state.text(3));
        let has = |of: &dyn Fn(&Kind) -> bool| {
            changes.as_ref().is_none_or(|changes| changes.keys().filter_map(|name| Kind::of(name)).any(of))
        };
        for (whose, flag) in USER_FLAGS {
            if has(&makes_dirty(whose)) {
                // With statistics from before there were flags, the planner compares every user with every flag: 25
                // million pairs for 5,000 users.
                self.conn.prefer_hashes(true).await?;
                self.flags(run, whose, flag).await?;
                self.conn.prefer_hashes(false).await?;
            }
        }
        self.conn.prefer_indexes(true).await?;
        if has(&makes_dirty(Dirty::Course)) {
            self.context_flags(run).await?;
        }
        let forums =
            has(&|kind| *kind == kinds::ROLE_ADD) && forum::prepare(self.conn, self.site, SUBSCRIBING, run).await?;
        let all: i64 = changes.iter().flat_map(BTreeMap::values).sum();
        let mut written = 0;
        let mut lookups = None;
        let mut whole = changes.as_ref().filter(|_| done == 0).and_then(|changes| self.as_one(changes));
        loop {
            let next = match whole.take() {
                Some(part) => Some(part),
                None => self.next_part(run, done).await?,
            };
            let Some(part) = next else { break };
            let lookups = match lookups {
                Some(known) => known,
                None => *lookups.insert(Lookups::of(self.conn, run, part.changes).await?),
            };
            let mut from = done;
            let chunk = |(to, kinds): &(i64, Vec<&'static Kind>)| {
                let from = std::mem::replace(&mut from, *to);
                Chunk { run, now, from, to: *to, announced: events_of(kinds), lookups }
            };
            self.chunks(&part.stretches.iter().map(chunk).collect::<Vec<_>>(), forums).await?;
            done = part.to();
            written += part.changes;
            self.observer.reached(Moment::Effects { done: written as u64, of: all as u64 }).await;
            if part.changes < self.rows {
                break;
            }
        }
        let notified = match self.spool {
            Some(spool) => self.notify_hook(run, spool).await,
            None => Ok(()),
        };
        self.conn.prefer_indexes(false).await?;
        notified?;
        self.observer.reached(Moment::Spooled).await;
        self.conn.exec("UPDATE {enrold_run} SET effects = 0 WHERE id = :run", &params).await?;
        Ok(())
    }

    /// All changes of a run as one part, if they fit into one chunk.
    fn as_one(&self, changes: &BTreeMap<String, i64>) -> Option<Part> {
        let count = changes.values().sum();
        let kinds = changes.keys().filter_map(|name| Kind::of(name)).collect();
        (0 < count && count < self.rows)
            .then(|| Part { stretches: vec![(forum::FIRST_SEQ - 1, kinds)], changes: count })
    }

    /// The next changes of the journal, at most one chunk.
    async fn next_part(&mut self, run: i64, done: i64) -> Result<Option<Part>, DbError> {
        let params = Params::new().with("run", run).with("done", done).with("rows", self.rows);
        let kinds = self
            .conn
            .rows(
                "SELECT t.kind, t.state, COUNT(*), MIN(t.seq), MAX(t.seq)
                   FROM (SELECT c.kind, c.state, c.seq FROM {enrold_change} c
                          WHERE c.run = :run AND c.seq > :done AND c.seq < :effects ORDER BY c.seq LIMIT :rows) t
                  GROUP BY t.kind, t.state",
                &params.with("effects", forum::FIRST_SEQ),
            )
            .await?;
        let stretch = |row: &Row| Stretch {
            kind: Kind::of(&row.text(0)),
            done: row.int(1) == 0,
            changes: row.int(2),
            first: row.int(3),
            last: row.int(4),
        };
        Ok(Part::of(kinds.iter().map(stretch).collect()))
    }

    /// Writes the run's file into the spool, unless the run changed nothing. It keeps no mark: after a crash the file
    /// is written again.
    async fn notify_hook(&mut self, run: i64, spool: &Path) -> Result<(), EffectsError> {
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

    /// Writes the chunks of one part and the mark that they are written, in one transaction.
    async fn chunks(&mut self, chunks: &[Chunk], forums: bool) -> Result<(), DbError> {
        self.conn.begin().await?;
        let outcome = self.write_chunks(chunks, forums).await;
        match outcome {
            Ok(()) => self.conn.commit().await,
            Err(error) => {
                // The first error is more useful than one of the rollback.
                drop(self.conn.rollback().await);
                Err(error)
            }
        }
    }

    async fn write_chunks(&mut self, chunks: &[Chunk], forums: bool) -> Result<(), DbError> {
        for chunk in chunks {
            if self.site.logs_events() {
                events::write(self.conn, self.site, chunk).await?;
            }
            if forums {
                forum::subscribe(self.conn, self.site, SUBSCRIBING, chunk).await?;
            }
        }
        let Some(last) = chunks.last() else { return Ok(()) };
        let params = Params::new().with("run", last.run).with("to", last.to);
        self.conn.exec("UPDATE {enrold_run} SET effectseq = :to WHERE id = :run", &params).await.map(|_| ())
    }

    /// Writes one flag per user of the run, in chunks; a repetition does no harm, so no mark is kept.
    async fn flags(&mut self, run: i64, whose: Dirty, flag: &str) -> Result<(), DbError> {
        let name = self.conn.dialect().to_text("t.userid");
        let params =
            Params::new().with("run", run).fragment("name", name).with("kinds", kind::names(makes_dirty(whose)));
        let select = "SELECT ROW_NUMBER() OVER (ORDER BY t.userid) AS n, :name AS name
             FROM (SELECT DISTINCT c.userid FROM {enrold_change} c
                    WHERE c.run = :run AND c.state = 0 AND c.kind IN (:kinds)) t";
        let users = self.conn.fill_for_session(&DIRTY, select, &params).await? as i64;
        if users > self.rows {
            self.conn.index_joined(&DIRTY, "n").await?;
        }
        self.conn.analyse("dirty").await?;
        let mut from = 0;
        while from < users {
            self.flag_users(from, from + self.rows, flag).await?;
            from += self.rows;
        }
        Ok(())
    }

    /// Writes one flag per course that lost an instance (spec enrol-core 11): its visitors get their permissions anew.
    async fn context_flags(&mut self, run: i64) -> Result<(), DbError> {
        let gone = "SELECT {=k.path} AS name FROM {context} k WHERE k.id IN
            (SELECT c.contextid FROM {enrold_change} c WHERE c.run = :run AND c.state = 0 AND c.kind IN (:kinds))";
        let params = Params::new()
            .with("run", run)
            .with("kinds", kind::names(makes_dirty(Dirty::Course)))
            .with("clock", self.clock)
            .with("expiry", self.clock + self.site.session_timeout())
            .fragment("gone", gone)
            .fragment("same", self.conn.exact("cache_flags", "f.name", "d.name"));
        let set = [("value", "'1'"), ("timemodified", ":clock"), ("expiry", ":expiry")];
        let condition = "{~f.flagtype} = 'accesslib/dirtycontexts' AND :same";
        let update = self.conn.dialect().update_joined("{cache_flags}", "f", &set, "(:gone) d", condition);
        self.conn.exec(&update, &params).await?;
        self.conn
            .exec(
                "INSERT INTO {cache_flags} (flagtype, name, timemodified, value, expiry)
                 SELECT 'accesslib/dirtycontexts', d.name, :clock, '1', :expiry FROM (:gone) d
                  WHERE NOT EXISTS
                        (SELECT 1 FROM {cache_flags} f WHERE {~f.flagtype} = 'accesslib/dirtycontexts' AND :same)",
                &params,
            )
            .await
            .map(|_| ())
    }

    /// Writes the flags in chunks. `{~f.flagtype}` keeps the planner off the index on the type, which all flags share.
    async fn flag_users(&mut self, from: i64, to: i64, flag: &str) -> Result<(), DbError> {
        let params = Params::new()
            .with("from", from)
            .with("to", to)
            .with("flag", flag)
            .with("clock", self.clock)
            .with("expiry", self.clock + self.site.session_timeout())
            .fragment("same", self.conn.exact("cache_flags", "f.name", "d.name"));
        let update = self.conn.dialect().update_joined(
            "{cache_flags}",
            "f",
            &[("value", "'1'"), ("timemodified", ":clock"), ("expiry", ":expiry")],
            "[dirty] d",
            "d.n > :from AND d.n <= :to AND {~f.flagtype} = :flag AND :same",
        );
        self.conn.exec(&update, &params).await?;
        self.conn
            .exec(
                "INSERT INTO {cache_flags} (flagtype, name, timemodified, value, expiry)
                 SELECT :flag, d.name, :clock, '1', :expiry FROM [dirty] d
                  WHERE d.n > :from AND d.n <= :to AND NOT EXISTS
                        (SELECT 1 FROM {cache_flags} f WHERE {~f.flagtype} = :flag AND :same)
                  ORDER BY d.n",
                &params,
            )
            .await
            .map(|_| ())
    }
}
