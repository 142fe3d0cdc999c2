//! Traps of a shared database (DESIGN, decisions): rows that Moodle writes between plan and apply, duplicates, locks,
//! isolation, implicit commits. It must not test what the steps of a run mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use enrold::db::table::int;
use enrold::db::{DbError, Dialect, Params, Table};
use enrold::outcome::{Moment, Note, Observer, Report, RunError, State};
use enrold::run::Engine;
use serde_json::json;
use tokio::sync::Mutex;

use crate::campus::role;
use crate::dump::text;
use crate::flatfile_last::{OF_A_COURSE, deleted, owned, participants};
use crate::meanwhile::When;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    moodle_enrols_first,
    moodle_assigns_the_role_first,
    moodle_changes_what_is_updated,
    moodle_changes_what_is_suspended,
    moodle_changes_what_is_removed,
    moodle_enrols_before_the_clean_up,
    moodle_takes_a_role_first,
    a_double_role_is_pruned,
    a_double_role_at_the_last_moment_is_told_once,
    a_row_that_moodle_touched_stops_nobody,
    a_statement_that_commits_is_refused,
    a_run_that_breaks_leaves_nothing,
    a_lock_that_goes_makes_a_second_attempt,
    a_lock_that_stays_fails_the_run,
    a_deadlock_makes_a_second_attempt,
);

/// Moodle enrols `uN` in `c1` by hand or by the flat file's instance, suspended, with another window.
fn enrols(enrolid: i64, userid: i64) -> String {
    format!(
        "INSERT INTO {{user_enrolments}} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
         VALUES ({enrolid}, {userid}, 1, 0, {NOW} + 5, 9, 7, 7)"
    )
}

/// Moodle assigns `u1` the student role in `c1`, with the flat file's instance as owner.
fn assigns() -> String {
    format!(
        "INSERT INTO {{role_assignments}} (roleid, contextid, userid, component, itemid, timemodified, modifierid, sortorder)
         VALUES ({}, 101, 11, 'enrol_flatfile', 501, 7, 9, 0)",
        role("student")
    )
}

/// `u1` and `u2` in `c1` by the flat file, with their roles.
async fn two_students(site: &mut Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    for who in [1, 2] {
        site.enrolled(who, 1, "flatfile").await;
        site.has_role(who, 1, "student", "flatfile").await;
    }
}

/// The first line was overtaken and reported, and the rest was applied.
async fn first_line_overtaken(site: &mut Site, report: &Report) {
    assert_eq!((report.state, report.overtaken), (State::DoneWithErrors, 1));
    assert_eq!(site.errors(report).await, ["1 overtaken"]);
}

async fn moodle_enrols_first(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    let file = "add,student,u1,c1\nadd,student,u2,c1\n";
    let Some(report) = site.import_while(When::Planned(1), &[&enrols(501, 11)], file).await else {
        assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c1 flatfile"]);
        return;
    };
    first_line_overtaken(&mut site, &report).await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended 0..now+5", "u2 c1 flatfile"]);
    assert_eq!(site.roles().await, ["u2 c1 student flatfile"], "nothing more for the first line");
    assert_eq!(site.journal(report.run).await, ["enrolment.add 1 overtaken", "enrolment.add 2", "role.add 2"]);
    assert_eq!(site.events().await, ["u2 user_enrolment created", "u2 role assigned"]);
}

async fn moodle_assigns_the_role_first(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    let file = "add,student,u1,c1\nadd,student,u2,c1\n";
    let report = site.import_while(When::Planned(2), &[&assigns()], file).await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c1 flatfile"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u2 c1 student flatfile"], "one role each");
    let Some(report) = report else { return };
    first_line_overtaken(&mut site, &report).await;
    assert_eq!(
        site.journal(report.run).await,
        ["enrolment.add 1", "enrolment.add 2", "role.add 1 overtaken", "role.add 2"]
    );
    let assigned = site.events().await.iter().filter(|event| event.ends_with("role assigned")).count();
    assert_eq!(assigned, 1, "Moodle tells of its own role");
}

async fn moodle_changes_what_is_updated(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    for who in [1, 2] {
        site.enrolled_until(who, 1, "flatfile", NOW + 9).await;
    }
    let change = "UPDATE {user_enrolments} SET status = 1 WHERE userid = 11";
    let report = site.import_while(When::Planned(1), &[change], "add,student,u1,c1\nadd,student,u2,c1\n").await;
    let Some(report) = report else {
        assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c1 flatfile"]);
        return;
    };
    first_line_overtaken(&mut site, &report).await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended 0..now+9", "u2 c1 flatfile"]);
    assert_eq!(site.roles().await, ["u2 c1 student flatfile"]);
    assert_eq!(site.journal(report.run).await, ["enrolment.update 1 overtaken", "enrolment.update 2", "role.add 2"]);
    assert_eq!(site.events().await, ["u2 user_enrolment updated", "u2 role assigned"]);
}

async fn moodle_changes_what_is_suspended(mut site: Site) {
    two_students(&mut site).await;
    let change = format!("UPDATE {{user_enrolments}} SET timeend = {NOW} + 5 WHERE userid = 11");
    let report = site.import_while(When::Planned(1), &[&change], "del,student,u1,c1\ndel,student,u2,c1\n").await;
    let Some(report) = report else {
        assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended", "u2 c1 flatfile suspended"]);
        return;
    };
    first_line_overtaken(&mut site, &report).await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 0..now+5", "u2 c1 flatfile suspended"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile"]);
    assert_eq!(
        site.journal(report.run).await,
        ["enrolment.suspend 1 overtaken", "enrolment.suspend 2", "role.remove 2"]
    );
}

async fn moodle_changes_what_is_removed(mut site: Site) {
    two_students(&mut site).await;
    site.setting("unenrolaction", Some("0")).await;
    site.enrolled(3, 1, "flatfile").await;
    site.has_role(3, 1, "student", "flatfile").await;
    let change = format!("UPDATE {{user_enrolments}} SET timeend = {NOW} + 5 WHERE userid = 11");
    let changes = [change.as_str(), "DELETE FROM {user_enrolments} WHERE userid = 12"];
    let file = "del,student,u1,c1\ndel,student,u2,c1\ndel,student,u3,c1\n";
    let Some(report) = site.import_while(When::Planned(1), &changes, file).await else {
        assert_eq!(site.enrolments().await, [""; 0]);
        return;
    };
    assert_eq!(site.errors(&report).await, ["1 overtaken", "2 overtaken"]);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 0..now+5"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u2 c1 student flatfile"], "Moodle takes those of u2");
    assert_eq!(
        site.journal(report.run).await,
        ["role.remove 3", "enrolment.remove 1 overtaken", "enrolment.remove 2 overtaken", "enrolment.remove 3"]
    );
}

/// The user has another enrolment at purge time: only the flat file's own rows are removed, and `lastenrol` is false.
async fn moodle_enrols_before_the_clean_up(mut site: Site) {
    participants(&mut site).await;
    let report = site.import_while(When::Applied(1), &[&enrols(301, 11)], "del,student,u1,c1\n").await;
    let after = site.dump().await;
    let (counts, last) = if report.is_some() { ([2, 1, 1, 1, 1, 1, 1, 1, 1], false) } else { ([0; 9], true) };
    assert_eq!(owned(&after, 1, 1), OF_A_COURSE.into_iter().zip(counts).collect::<Vec<_>>());
    assert_eq!(deleted(&after)[0]["userenrolment"]["lastenrol"], json!(last));
    if let Some(report) = report {
        assert_eq!((report.state, report.overtaken), (State::Done, 0));
        assert_eq!(site.enrolments().await[0], "u1 c1 manual suspended 0..now+5");
    }
}

async fn moodle_takes_a_role_first(mut site: Site) {
    two_students(&mut site).await;
    site.setting("unenrolaction", Some("0")).await;
    let take = "DELETE FROM {role_assignments} WHERE userid = 11";
    let report = site.import_while(When::Planned(2), &[take], "del,student,u1,c1\ndel,student,u2,c1\n").await;
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.roles().await, [""; 0]);
    let Some(report) = report else { return };
    first_line_overtaken(&mut site, &report).await;
    let told = site.events().await.iter().filter(|event| event.ends_with("role unassigned")).count();
    assert_eq!(told, 1, "Moodle tells of the other");
}

/// Two equal rows from before, and one that Moodle writes after ours: the lowest id stays, without an event.
async fn a_double_role_is_pruned(mut site: Site) {
    two_students(&mut site).await;
    site.sql("DELETE FROM {role_assignments} WHERE userid = 11").await;
    site.has_role(2, 1, "student", "flatfile").await;
    let lowest = site.dump().await["role_assignments"][0]["id"].clone();
    site.enrolled(3, 1, "flatfile").await;
    site.has_role(3, 1, "student", "flatfile").await;
    // Planned: the role of u1, then the end of u3.
    let report = site.import_while(When::Planned(2), &[&assigns()], "add,student,u1,c1\ndel,student,u3,c1\n").await;
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u2 c1 student flatfile"]);
    let dump = site.dump().await;
    let of = |userid: &str| dump["role_assignments"].iter().find(|row| text(row, "userid") == userid).unwrap();
    assert_eq!(of("12")["id"], lowest);
    assert_eq!(text(of("11"), "timemodified"), NOW.to_string(), "ours came first");
    let events = site.events().await;
    assert_eq!(events, ["u1 role assigned", "u3 user_enrolment updated", "u3 role unassigned"]);
    let Some(report) = report else { return };
    assert_eq!((report.state, report.overtaken, report.counts["role.prune"]), (State::Done, 0, 2));
}

/// Moodle adds a duplicate of our role after the pruning: there is one event for ours, and the next run prunes.
async fn a_double_role_at_the_last_moment_is_told_once(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    site.import_while(When::Committing, &[&assigns()], "add,student,u1,c1\n").await;
    assert_eq!(site.events().await, ["u1 user_enrolment created", "u1 role assigned"]);
    site.import("add,student,u1,c1\n").await;
    assert_eq!(site.roles().await, ["u1 c1 student flatfile"]);
    assert_eq!(site.events().await.len(), 2);
}

/// Moodle commits a change of a row that the run writes later: under REPEATABLE READ, PostgreSQL would abort the run,
/// and on MariaDB the plan would lock Moodle out.
async fn a_row_that_moodle_touched_stops_nobody(mut site: Site) {
    two_students(&mut site).await;
    let touch = "UPDATE {user_enrolments} SET timemodified = 8 WHERE userid = 11";
    let line = format!("add,student,u1,c1,0,{}\n", NOW + 5);
    if let Some(report) = site.import_while(When::Planned(1), &[touch], &line).await {
        assert_eq!((report.state, report.overtaken), (State::Done, 0));
    }
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 0..now+5", "u2 c1 flatfile"]);
}

/// On MariaDB these statements would commit the current run; on the others a rollback reverts them.
async fn a_statement_that_commits_is_refused(mut site: Site) {
    two_students(&mut site).await;
    let before = site.dump().await;
    let mut conn = site.database(Duration::from_secs(1)).connect().await.unwrap();
    let engine = conn.dialect();
    conn.begin().await.unwrap();
    conn.exec("DELETE FROM {user_enrolments}", &Params::new()).await.unwrap();
    let analyze =
        if engine == Dialect::Maria { "ANALYZE TABLE {user_enrolments}" } else { "ANALYZE {user_enrolments}" };
    let create = "CREATE TABLE intruder (id BIGINT)";
    if engine == Dialect::Maria {
        for sql in [analyze, create, "TRUNCATE TABLE {user_enrolments}", "  alter table {user_enrolments} FORCE"] {
            let by_command = conn.command(sql).await;
            assert!(matches!(by_command, Err(DbError::ImplicitCommit(_))), "{sql}: {by_command:?}");
            let by_exec = conn.exec(sql, &Params::new()).await;
            assert!(matches!(by_exec, Err(DbError::ImplicitCommit(_))), "{sql}: {by_exec:?}");
        }
    } else {
        conn.command(analyze).await.unwrap();
        conn.command(create).await.unwrap();
    }
    const SCRATCH: Table = Table::new("scratch", &[int("id")]).primary("id");
    for _ in 0..2 {
        conn.declare(&SCRATCH);
        conn.exec("INSERT INTO [scratch] VALUES (1)", &Params::new()).await.unwrap();
    }
    conn.rollback().await.unwrap();
    conn.close().await;
    site.nothing_changed(&before, "a run with statements that commit, rolled back").await;
    site.sql("CREATE TABLE intruder (id BIGINT)").await;
}

/// The roles fail after the enrolments were written: all is rolled back, and the history has the reason.
async fn a_run_that_breaks_leaves_nothing(mut site: Site) {
    site.campus().await;
    let before = site.dump().await;
    site.sql("ALTER TABLE {role_assignments} RENAME COLUMN sortorder TO elsewhere").await;
    let file = site.write("add,student,u1,c1\nadd,student,u2,c2\n");
    let broken = site.engine().import(&file, false).await;
    assert!(matches!(broken, Err(RunError::Db(DbError::Other { .. }))), "{broken:?}");
    site.sql("ALTER TABLE {role_assignments} RENAME COLUMN elsewhere TO sortorder").await;
    site.nothing_changed(&before, "a run that broke").await;
    assert_eq!(site.last_state().await, "failed");
    let run = site.last_run().await;
    assert_eq!(site.journal(run).await, [""; 0]);
    site.import("add,student,u1,c1\nadd,student,u2,c2\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c2 flatfile"]);
}

/// A session locks a row until the run stages its lines for the second time.
async fn a_lock_that_goes_makes_a_second_attempt(mut site: Site) {
    two_students(&mut site).await;
    if site.conn.dialect() == Dialect::Lite {
        return a_busy_file_is_waited_for(site).await;
    }
    let mut holder = site.database(Duration::from_secs(1)).connect().await.unwrap();
    holder.begin().await.unwrap();
    holder.exec("UPDATE {user_enrolments} SET status = 0 WHERE userid = 11", &Params::new()).await.unwrap();
    let holder = Arc::new(Mutex::new(Some(holder)));
    let staged = Arc::new(AtomicU32::new(0));
    let observer = Observer::new(move |moment| {
        let (holder, staged) = (Arc::clone(&holder), Arc::clone(&staged));
        async move {
            let again = moment == Moment::Staged && staged.fetch_add(1, Ordering::Relaxed) == 1;
            if again && let Some(mut conn) = holder.lock().await.take() {
                conn.rollback().await.unwrap();
            }
        }
    });
    let file = site.write("add,student,u3,c1\ndel,student,u1,c1\n");
    let engine = Engine { observer, database: site.database(Duration::from_secs(1)), ..site.engine() };
    let report = engine.import(&file, false).await.unwrap();
    assert_eq!((report.state, report.notes), (State::Done, vec![Note::Retried(1)]));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended", "u2 c1 flatfile", "u3 c1 flatfile"]);
    assert_eq!(
        site.journal(report.run).await,
        ["enrolment.add 1", "role.add 1", "enrolment.suspend 2", "role.remove 2"],
        "the first attempt left nothing"
    );
}

/// SQLite has one lock only; the run requests it again until the waiting time is over.
async fn a_busy_file_is_waited_for(mut site: Site) {
    let mut holder = site.database(Duration::from_secs(1)).connect().await.unwrap();
    holder.begin().await.unwrap();
    let database = site.database(Duration::from_secs(1));
    let file = site.write("del,student,u1,c1\n");
    let engine = Engine { database: Arc::clone(&database), ..site.engine() };
    let impatient = Engine { wait: Duration::ZERO, ..engine.clone() };
    impatient.import(&file, false).await.unwrap_err();
    // The number of statements until the lease was refused; one more means that it was requested again.
    let again = 2 * database.statements() + 1;
    let run = tokio::spawn(async move { engine.import(&file, false).await });
    while database.statements() < again {
        assert!(!run.is_finished(), "{:?}", run.await);
        tokio::task::yield_now().await;
    }
    holder.rollback().await.unwrap();
    assert_eq!(run.await.unwrap().unwrap().state, State::Done);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended", "u2 c1 flatfile"]);
}

async fn a_lock_that_stays_fails_the_run(mut site: Site) {
    two_students(&mut site).await;
    let before = site.dump().await;
    site.set("run.retries", "0");
    let mut holder = site.database(Duration::from_secs(1)).connect().await.unwrap();
    holder.begin().await.unwrap();
    holder.exec("UPDATE {user_enrolments} SET status = 0 WHERE userid = 11", &Params::new()).await.unwrap();
    let file = site.write("add,student,u3,c1\ndel,student,u1,c1\n");
    let database = site.database(Duration::from_secs(1));
    let engine = Engine { database, wait: Duration::ZERO, ..site.engine() };
    let failed = engine.import(&file, false).await;
    assert!(matches!(failed, Err(RunError::Db(DbError::Transient { .. }))), "{failed:?}");
    holder.rollback().await.unwrap();
    site.nothing_changed(&before, "a run that met a lock").await;
    if site.conn.dialect() != Dialect::Lite {
        assert_eq!(site.last_state().await, "failed");
    }
    assert_eq!(engine.import(&file, false).await.unwrap().state, State::Done);
}

/// The run and another session wait for each other's row locks: the database must abort the run.
async fn a_deadlock_makes_a_second_attempt(mut site: Site) {
    two_students(&mut site).await;
    let give_way = match site.conn.dialect() {
        // There are no two locks.
        Dialect::Lite => return,
        // The session with the longest deadlock timeout is spared.
        Dialect::Postgres => "SET deadlock_timeout = '60s'",
        // The session with the most written rows is spared.
        Dialect::Maria => {
            "INSERT INTO {config_plugins} (plugin, name, value) SELECT 'x', CONCAT('n', seq), '' FROM seq_1_to_3000"
        }
    };
    let mut other = site.database(Duration::from_secs(60)).connect().await.unwrap();
    other.begin().await.unwrap();
    other.exec(give_way, &Params::new()).await.unwrap();
    other.exec("UPDATE {user_enrolments} SET timemodified = 8 WHERE userid = 12", &Params::new()).await.unwrap();
    let other = Arc::new(Mutex::new(Some(other)));
    // The first deletion is that of u1's role: the run has locked it and u1's enrolment.
    let observer = When::Applied(1).watch(move || {
        let other = Arc::clone(&other);
        async move {
            if let Some(mut conn) = other.lock().await.take() {
                tokio::spawn(async move {
                    conn.exec("UPDATE {user_enrolments} SET timemodified = 8 WHERE userid = 11", &Params::new())
                        .await?;
                    conn.commit().await
                });
            }
        }
    });
    let file = site.write("del,student,u1,c1\nadd,student,u1,c1\nadd,student,u2,c1,0,0\ndel,student,u2,c1\n");
    let report = Engine { observer, ..site.engine() }.import(&file, false).await.unwrap();
    assert_eq!((report.state, report.notes), (State::Done, vec![Note::Retried(1)]));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c1 flatfile suspended"]);
}
