//! Runs of tasks without changes are removed from the history by age; every other row of it stays.
//! It must not test when the task of retention is due.

use enrold::db::Params;
use enrold::run::{SyncOrder, history};

use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(only_old_quiet_runs_go, the_task_reads_the_setting);

const DAY: i64 = 86_400;
const BEFORE: i64 = NOW - 7 * DAY;

async fn runs(site: &mut Site) -> Vec<i64> {
    let rows = site.conn.rows("SELECT id FROM {enrold_run} ORDER BY id", &Params::new()).await.unwrap();
    rows.iter().map(|row| row.int(0)).collect()
}

/// A run equal to the quiet run 1, except for its number, its kind and `differs` (assignments in SQL).
async fn alike(site: &mut Site, id: i64, kind: &str, differs: &str) {
    site.sql(&format!(
        "INSERT INTO {{enrold_run}} (id, kind, source, state, clock, started, ended, version, counts, effects, effectseq)
         SELECT {id}, '{kind}', source, state, clock, started, ended, version, counts, effects, effectseq FROM {{enrold_run}} WHERE id = 1"
    ))
    .await;
    if !differs.is_empty() {
        site.conn.literal(&format!("UPDATE {{enrold_run}} SET {differs} WHERE id = {id}")).await.unwrap();
    }
}

async fn only_old_quiet_runs_go(mut site: Site) {
    site.campus().await;
    site.link(2, 1).await;
    site.at(BEFORE - DAY);
    let order = SyncOrder::of("meta");
    site.engine().sync(&order, false).await.unwrap();
    site.engine().sync(&order, false).await.unwrap();
    site.enrolled(1, 1, "manual").await;
    let busy = site.engine().sync(&order, false).await.unwrap();
    assert_eq!((busy.run, busy.counts.contains_key("enrolment.add")), (3, true));
    let differences = [
        (4, "sync meta", ""),
        (5, "sync cohort", ""),
        (6, "sync meta", r#"counts = REPLACE(counts, '"breaches":[]', '"breaches":["limit"]')"#),
        (7, "sync meta", "state = 'done-with-errors'"),
        (8, "sync meta", "state = 'held'"),
        (9, "sync meta", "state = 'failed', counts = NULL"),
        (10, "sync meta", "effects = 1"),
        (11, "sync meta", "parent = 8"),
        (12, "sync meta", "clock = clock + 86400"),
        (13, "import", ""),
        (14, "import", ""),
        (15, "sync meta", ""),
        (16, "sync meta", ""),
        (17, "sync meta", ""),
        (18, "sync meta", ""),
        (19, "sync cohort", ""),
        (20, "sync meta", ""),
    ];
    for (id, kind, differs) in differences {
        alike(&mut site, id, kind, differs).await;
    }
    for named in [
        "INSERT INTO {enrold_change} (run, seq, kind, state) VALUES (15, 1, 'enrolment.add', 1)",
        "INSERT INTO {enrold_error} (run, n, place, number, code) VALUES (16, 1, 'line', 1, 'source-gone')",
        "INSERT INTO {enrold_task} (name, started, ended, result, run, succeeded) VALUES ('meta', 1, 1, 'done', 17, 1)",
        "INSERT INTO {enrold_outbox} (id, run, kind, dedupe, state, userid, courseid, enrolid, timeend, name, address, lang,
             queued, expires, attempts, due, sent) VALUES (1, 18, 'expiry', 'x', 'sent', 1, 1, 1, 1, '', '', '', 1, 1, 1, 1, 1)",
    ] {
        site.sql(named).await;
    }
    assert_eq!(history::forget_quiet(&mut site.conn, BEFORE).await.unwrap(), 4);
    assert_eq!(runs(&mut site).await, [3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    assert_eq!(history::forget_quiet(&mut site.conn, BEFORE).await.unwrap(), 0);
    assert_eq!(history::forget_quiet(&mut site.conn, BEFORE + 1).await.unwrap(), 1, "one was as old as it may be");
    site.at(NOW);
    assert_eq!(site.engine().sync(&order, false).await.unwrap().run, 21);
}

/// Kept for ever, or for a week.
async fn the_task_reads_the_setting(mut site: Site) {
    let program = site.sampled().await.set("inbox.settle=0");
    let program = program.clone().set(&format!("inbox.path={}", program.inbox().display()));
    for (now, days, kept) in [
        (NOW, 7, vec![1]),
        (NOW + 3_600, 7, vec![1, 2]),
        (NOW + 8 * DAY, 0, vec![1, 2, 3]),
        (NOW + 9 * DAY, 7, vec![3, 4]),
    ] {
        let program = program.at(now).set(&format!("retention.quiet_runs_days={days}"));
        program.run(&["run", "--once"]).ends(0);
        assert_eq!(runs(&mut site).await, kept, "{days} days, at {}", now - NOW);
    }
}
