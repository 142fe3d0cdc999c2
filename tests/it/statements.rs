//! How the number of statements grows with a file: with bulk chunks and chunks of effects, never with lines.
//! It must not measure time or memory.

use enrold::db::Dialect;

use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(twenty_thousand_lines_need_hardly_more_than_a_thousand);

/// Users beside those of the campus.
const PEOPLE: i64 = 7_100;

async fn twenty_thousand_lines_need_hardly_more_than_a_thousand(mut site: Site) {
    site.campus().await;
    // The heartbeat of the lease sends statements at intervals: here it never does.
    site.set("run.lease_ttl", "3600");
    crowd(&mut site).await;
    // The instances exist before both files.
    site.import_once("add,student,u1,c1\nadd,student,u1,c2\nadd,student,u1,c3\n").await;
    let few = statements(&mut site, 0, 334).await;
    let many = statements(&mut site, 400, 400 + 6_667).await;
    // 19,000 more lines are staged in chunks; their 38,000 more changes take effect in 8 more chunks of 5,000, each a
    // handful of statements.
    let chunks = if site.conn.dialect() == Dialect::Postgres { 2 } else { 40 };
    let effects = 8 * 8;
    assert!(many <= few + chunks + effects, "{many} statements for 20,001 lines, {few} for 1,002");
}

/// Imports a line for each of these users in each of the three courses; returns the number of statements.
async fn statements(site: &mut Site, from: i64, to: i64) -> u64 {
    let lines = (from..to).flat_map(|who| (1..=3).map(move |whither| format!("add,student,p{who},c{whither}\n")));
    let text: String = lines.collect();
    let report = site.import_once(&text).await;
    assert_eq!(report.errors, 0);
    assert_eq!(report.counts["enrolment.add"], 3 * (to - from));
    report.statements
}

/// Accounts `p0`, `p1`, …, identified by these idnumbers.
async fn crowd(site: &mut Site) {
    let all: Vec<i64> = (0..PEOPLE).collect();
    for some in all.chunks(500) {
        let rows: Vec<String> = some
            .iter()
            .map(|who| format!("({}, 'p{who}', 'p{who}', 1, 1, 'p{who}@example.com')", 1000 + who))
            .collect();
        site.sql(&format!(
            "INSERT INTO {{user}} (id, username, idnumber, mnethostid, confirmed, email) VALUES {}",
            rows.join(", ")
        ))
        .await;
    }
}
