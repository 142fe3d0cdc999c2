//! How the rows that a run has made are found again: by their whole key, where that is sure to be done by its index.
//! It must not know what is written about them.

use crate::db::{Conn, DbError, Dialect, Params};

/// Fewer changes are not worth the question.
const MANY: i64 = 1_000;

/// Which rows may be looked up by their whole key. Where statistics are from before a run, PostgreSQL may take an index
/// on the course's side of the key instead, under which the rows of a whole course lie together: thousands for each one
/// that is sought. What is not sure is looked up by the user, with the rest of the key hidden from the planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookups {
    enrolments: bool,
    assignments: bool,
}

impl Lookups {
    /// What holds without a question: MariaDB and SQLite always prefer a unique key, and enrolments have one. For
    /// assignments the fragments of every template say it.
    pub fn sure(dialect: Dialect) -> Self {
        Self { enrolments: dialect.prefers_unique_keys(), assignments: false }
    }

    /// What holds for a run of so many changes; asks PostgreSQL how it would go about it, after
    /// [`Conn::prefer_indexes`]. Two statements, whatever the number of rows.
    ///
    /// # Errors
    /// The database's.
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

    /// The fragments `:by_enrolment` and `:by_assignment`, which follow the columns of a key but the user's.
    pub fn fragments(self, params: Params) -> Params {
        let hidden = |sure: bool, else_: &'static str| if sure { "" } else { else_ };
        params
            .fragment("by_enrolment", hidden(self.enrolments, "+ 0"))
            .fragment("by_assignment", hidden(self.assignments, ":whole"))
    }
}

/// Whether the plan of a query looks rows up by an index with all these columns of the change.
async fn uses(conn: &mut Conn, run: i64, query: &str, columns: &[&str]) -> Result<bool, DbError> {
    let plan = conn.rows(&format!("EXPLAIN {query}"), &Params::new().with("run", run)).await?;
    let whole = |line: &str| columns.iter().all(|column| line.contains(&format!("{column} = c.{column})")));
    Ok(plan.iter().map(|row| row.text(0)).any(|line| line.contains("Index Cond:") && whole(&line)))
}
