//! Concurrent writers during a run: Moodle, another holder of the lease, a lock that stays too long.
//! It must not know how the run reacts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enrold::db::{DbError, Dialect, Params};
use enrold::outcome::{Moment, Observer, Report, State};
use enrold::run::Engine;

use crate::site::Site;

/// A moment of a run, without its numbers.
#[derive(Clone, Copy)]
pub enum When {
    /// The lines are staged.
    Staged,
    /// Passwords are hashed next.
    Hashing,
    /// The first, second… step of the plan is in the journal.
    Planned(u32),
    /// The first, second… deletion was applied.
    Applied(u32),
    /// Just before the commit.
    Committing,
    /// The first, second… part of a run that is cut by course is committed.
    PartCommitted(u32),
    /// The commit is done.
    Committed,
    /// The first, second… chunk of the effects is written.
    Effects(u32),
    /// All effects are written, but not yet the mark that they are.
    Spooled,
}

impl When {
    /// The occurrence of this kind of moment to wait for; `None` for another kind.
    fn turn(self, moment: Moment) -> Option<u32> {
        match (self, moment) {
            (Self::Staged, Moment::Staged)
            | (Self::Hashing, Moment::Hashing)
            | (Self::Committing, Moment::Committing)
            | (Self::Committed, Moment::Committed)
            | (Self::Spooled, Moment::Spooled) => Some(1),
            (Self::Planned(turn), Moment::Planned { .. })
            | (Self::Applied(turn), Moment::Applied)
            | (Self::PartCommitted(turn), Moment::PartCommitted { .. })
            | (Self::Effects(turn), Moment::Effects { .. }) => Some(turn),
            _ => None,
        }
    }

    /// An observer that runs `deed` once, when this moment comes.
    pub fn watch<F, T>(self, deed: F) -> Observer
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let seen = AtomicU32::new(0);
        Observer::new(move |moment| {
            let due = self.turn(moment).is_some_and(|turn| seen.fetch_add(1, Ordering::Relaxed) + 1 == turn);
            let deed = due.then(&deed);
            async move {
                if let Some(deed) = deed {
                    deed.await;
                }
            }
        })
    }
}

/// The result of the statements that another connection sent during a run.
#[derive(Clone, Default)]
pub struct Outcome(Arc<Mutex<Option<Result<(), DbError>>>>);

impl Outcome {
    /// Asserts that they were executed, on every database.
    #[track_caller]
    pub fn written(&self) {
        self.0.lock().unwrap().take().expect("the moment came").expect("nothing is locked");
    }

    /// True if they were executed, as on the servers. On SQLite no other connection can write during a run: the
    /// database was busy.
    #[track_caller]
    pub fn settled(&self, engine: Dialect) -> bool {
        match self.0.lock().unwrap().take().expect("the moment came") {
            Ok(()) => true,
            Err(error) => {
                assert!(engine == Dialect::Lite && error.is_transient(), "{error}");
                false
            }
        }
    }
}

impl Site {
    /// An observer that sends statements on its own connection, when the moment comes.
    pub fn writer(&self, when: When, statements: &[&str]) -> (Observer, Outcome) {
        let outcome = Outcome::default();
        let told = outcome.clone();
        let database = self.database(Duration::from_secs(1));
        let statements: Vec<String> = statements.iter().map(|sql| (*sql).to_owned()).collect();
        let observer = when.watch(move || {
            let (told, database, statements) = (told.clone(), Arc::clone(&database), statements.clone());
            async move {
                let mut conn = database.connect().await.unwrap();
                let mut result = Ok(());
                for sql in &statements {
                    if result.is_ok() {
                        result = conn.exec(sql, &Params::new()).await.map(|_| ());
                    }
                }
                conn.close().await;
                *told.0.lock().unwrap() = Some(result);
            }
        });
        (observer, outcome)
    }

    /// Imports a file while Moodle sends statements at a moment. `None` if Moodle could not write (SQLite): then the
    /// run was undisturbed.
    pub async fn import_while(&mut self, when: When, statements: &[&str], text: &str) -> Option<Report> {
        let (observer, outcome) = self.writer(when, statements);
        let file = self.write(text);
        let engine = Engine { observer, ..self.engine() };
        let report = engine.import(&file, false).await.unwrap();
        assert_eq!(report.notes, [], "no second attempt");
        if outcome.settled(self.conn.dialect()) {
            return Some(report);
        }
        assert_eq!((report.state, report.overtaken), (State::Done, 0));
        None
    }

    /// The journal of a run in order, as `enrolment.add 1` (kind and line), with ` overtaken` where it applies.
    pub async fn journal(&mut self, run: i64) -> Vec<String> {
        let sql = "SELECT kind, COALESCE(line, 0), state FROM {enrold_change} WHERE run = :run ORDER BY seq";
        let rows = self.conn.rows(sql, &Params::new().with("run", run)).await.unwrap();
        let overtaken = |state: i64| if state == 1 { " overtaken" } else { "" };
        rows.iter().map(|row| format!("{} {}{}", row.text(0), row.int(1), overtaken(row.int(2)))).collect()
    }

    /// The state of a run in the history.
    pub async fn state_of(&mut self, run: i64) -> String {
        let sql = "SELECT state FROM {enrold_run} WHERE id = :run";
        self.conn.row(sql, &Params::new().with("run", run)).await.unwrap().map(|row| row.text(0)).unwrap_or_default()
    }

    /// The state of the last run in the history.
    pub async fn last_state(&mut self) -> String {
        let run = self.last_run().await;
        self.state_of(run).await
    }
}
