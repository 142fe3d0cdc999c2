//! The proof of the journal: rebuilds the state before some runs with `change::inverse` from the state after them.
//! It must not know a kind of change, and it leaves the database unchanged.

use std::collections::BTreeSet;

use enrold::change::inverse::take_back;
use enrold::db::Params;

use crate::dump::{Dump, dump_tables};
use crate::site::Site;

/// Reverts the changes of all runs after `since`, the last run first, dumps the tables, and rolls back.
pub async fn rebuild(site: &mut Site, since: i64, after: &Dump) -> Dump {
    let Site { conn, columns, .. } = site;
    let sql = "SELECT DISTINCT c.run FROM {enrold_change} c WHERE c.state = 0 AND c.run > :since ORDER BY c.run DESC";
    let runs = conn.rows(sql, &Params::new().with("since", since)).await.unwrap();
    conn.begin().await.unwrap();
    let mut touched = BTreeSet::new();
    for run in &runs {
        for step in take_back(conn, columns, run.int(0)).await.unwrap() {
            assert_eq!(
                step.rows,
                step.changes,
                "run {}: rows of {} that stand as journaled",
                run.int(0),
                step.kind.name
            );
            touched.insert(step.kind.table);
        }
    }
    let mut before = after.clone();
    before.extend(dump_tables(conn, columns, |table| touched.contains(table)).await);
    conn.rollback().await.unwrap();
    before
}
