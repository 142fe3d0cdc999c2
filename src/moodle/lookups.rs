//! Decides how the rows that a run has inserted are looked up: by their whole key where its index is sure to be used.
//! It must not know what the rows are looked up for.

use crate::db::{Conn, DbError, Dialect, Params};

/// Below this number of changes PostgreSQL's plan is not checked.
const MANY: i64 = 1_000;

/// Which rows can be looked up by their whole key. With statistics from before a run, PostgreSQL may choose an index on
/// the course's part of the key, and read the rows of a whole course, thousands, for each lookup. Where this is not
/// excluded, rows are looked up by the user, with the rest of the key hidden from the planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookups {
    enrolments: bool,
    assignments: bool,
}

impl Lookups {
    /// The lookups without a check: MariaDB and SQLite always prefer a unique key, which enrolments have. For
    /// assignments the fragments of every template decide.
    pub fn sure(dialect: Dialect) -> Self {
        Self { enrolments: dialect.prefers_unique_keys(), assignments: false }
    }

    /// The lookups of a run with this many changes, by PostgreSQL's plans after [`Conn::prefer_indexes`]; two
    /// statements.
    ///
    /// # Errors
    /// The database's error.
    pub async fn of(conn: &mut Conn, run: i64, changes: i64) -> Result<Self, DbError> {
        if conn.dialect().prefers_unique_keys() || changes < MANY {
            return Ok(Self::sure(conn.dialect()));
        }
        let enrolments = "SELECT x.id FROM {enrold_change} c
            LEFT JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid WHERE c.run = :run";
        let assignments = "SELECT (SELECT MIN({#r.id}) FROM {role_assignments} r
                     WHERE r.userid = c.userid AND r.contextid = c.contextid AND r.roleid = c.roleid
                       AND {~r.component} = c.component AND {#r.itemid} = c.itemid)
              FROM {enrold_change} c WHERE c.run = :run";
        Ok(Self {
            enrolments: uses(conn, run, enrolments, &["enrolid", "userid"]).await?,
            assignments: uses(conn, run, assignments, &["userid", "contextid", "roleid"]).await?,
        })
    }

    /// The fragments `:by_enrolment` and `:by_assignment`, which follow every column of a key but the user's.
    pub fn fragments(self, params: Params) -> Params {
        let hidden = |sure: bool, else_: &'static str| if sure { "" } else { else_ };
        params
            .fragment("by_enrolment", hidden(self.enrolments, "+ 0"))
            .fragment("by_assignment", hidden(self.assignments, ":whole"))
    }
}

/// Whether the plan of a query has an index condition on all these columns of the change.
async fn uses(conn: &mut Conn, run: i64, query: &str, columns: &[&str]) -> Result<bool, DbError> {
    let plan = conn.rows(&format!("EXPLAIN {query}"), &Params::new().with("run", run)).await?;
    let whole = |line: &str| columns.iter().all(|column| line.contains(&format!("{column} = c.{column})")));
    Ok(plan.iter().map(|row| row.text(0)).any(|line| line.contains("Index Cond:") && whole(&line)))
}
