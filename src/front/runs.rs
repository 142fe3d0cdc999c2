//! Reads the history: the latest runs, or one run with its errors and changes.
//! It must not decide or change anything.

use serde_json::{Map, Value};

use crate::change::kind;
use crate::db::{Conn, DbError, Params};
use crate::front::{Front, Who};
use crate::outcome::{AffectedUser, Past, RunResult};
use crate::problem;
use crate::report::words::ChangeWords;
use crate::run::history;
use crate::run::hold::HeldStore;

/// The states of runs whose plan and errors are in the state directory.
const KEPT: [&str; 3] = ["held", "rejected", "approved"];

/// An error or a change of a run.
pub enum Detail {
    /// The problem of a line or row: a stored [`crate::problem::Problem`] as JSON.
    Error(Value),
    /// A change as JSON: its columns in the journal that are not NULL, with names beside the ids; for a run that was
    /// held, the change in its stored plan.
    Change(Value),
}

impl Front {
    /// The latest runs, the newest first, at most `limit`; those of tasks that changed nothing only with `all`.
    pub async fn runs(&self, who: &Who, limit: i64, all: bool) -> RunResult<Vec<Past>> {
        who.asks("runs");
        let mut conn = self.connect().await?;
        let runs = history::list(&mut conn, limit, all).await?;
        conn.close().await;
        Ok(runs)
    }

    /// The run with this number, if there is one.
    pub async fn run(&self, who: &Who, run: i64) -> RunResult<Option<Past>> {
        who.asks(format_args!("run {run}"));
        let mut conn = self.connect().await?;
        let past = history::find(&mut conn, run).await?;
        conn.close().await;
        Ok(past)
    }

    /// Passes the users whom a run that was held concerns to `tell`, those of places that lose most first; none for
    /// other runs.
    pub fn people(&self, past: &Past, tell: impl FnMut(AffectedUser)) -> RunResult<()> {
        if !KEPT.contains(&past.state.as_str()) {
            return Ok(());
        }
        HeldStore::of(&self.engine.settings.state.path, past.run).each_user(tell)
    }

    /// Passes the errors of a run to `tell` one by one as they are read, and with `changes` its changes too.
    pub async fn details(&self, past: &Past, changes: bool, mut tell: impl FnMut(Detail) + Send) -> RunResult<()> {
        if KEPT.contains(&past.state.as_str()) {
            let store = HeldStore::of(&self.engine.settings.state.path, past.run);
            let errors = store.lines(&store.errors())?;
            let plan = if changes { store.lines(&store.plan())? } else { Vec::new() };
            errors.into_iter().map(Detail::Error).chain(plan.into_iter().map(Detail::Change)).for_each(tell);
            return Ok(());
        }
        let mut conn = self.connect().await?;
        errors(&mut conn, past.run, &mut tell).await?;
        if changes {
            journal(&mut conn, past.run, &mut tell).await?;
        }
        conn.close().await;
        Ok(())
    }
}

async fn errors(conn: &mut Conn, run: i64, tell: &mut (impl FnMut(Detail) + Send)) -> Result<(), DbError> {
    problem::each(conn, run, |problem| {
        tell(Detail::Error(serde_json::to_value(problem).unwrap_or_default()));
        Ok(())
    })
    .await
}

/// The JSON names of the columns of a change, in the order of the statement.
const JOURNAL: &str = "seq kind state line userid username courseid course roleid role enrolid contextid component \
    itemid groupid targetid status timestart timeend oldstatus oldtimestart oldtimeend lastenrol oldrow";

async fn journal(conn: &mut Conn, run: i64, tell: &mut (impl FnMut(Detail) + Send)) -> Result<(), DbError> {
    let sql =
        "SELECT c.seq, c.kind, c.state, c.line, c.userid, u.username, c.courseid, s.shortname, c.roleid, r.shortname,
            c.enrolid, c.contextid, c.component, c.itemid, c.groupid, c.targetid, c.status, c.timestart, c.timeend,
            c.oldstatus, c.oldtimestart, c.oldtimeend, c.lastenrol, c.oldrow
        FROM {enrold_change} c LEFT JOIN {user} u ON u.id = c.userid LEFT JOIN {course} s ON s.id = c.courseid
        LEFT JOIN {role} r ON r.id = c.roleid WHERE c.run = :run ORDER BY c.seq";
    conn.each(sql, &Params::new().with("run", run), |row| {
        let mut change = Map::new();
        for (at, name) in JOURNAL.split_whitespace().enumerate().filter(|(at, _)| !row.is_null(*at)) {
            let value = match name {
                "kind" | "component" | "username" | "course" | "role" => row.text(at).into(),
                "oldrow" => serde_json::from_str(&row.text(at)).unwrap_or_default(),
                _ => row.int(at).into(),
            };
            change.insert(name.to_owned(), value);
        }
        tell(Detail::Change(Value::Object(change)));
        Ok(())
    })
    .await
    .map(|_| ())
}

/// The words of reports for a kind of change; `None` for a name that the catalogue does not have.
pub fn words_of_change(name: &str) -> Option<ChangeWords> {
    kind::words(name)
}
