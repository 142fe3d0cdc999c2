//! The mails to new participants that a run queues: the deciding setting, the recipients, the data, once each.
//! It must not send anything.

use std::collections::BTreeMap;

use enrold::change::context::{Position, RunContext};
use enrold::change::guard::Guard;
use enrold::change::kinds;
use enrold::db::{Conn, Params};
use enrold::mail;
use enrold::moodle::site::Site as Settings;
use enrold::outcome::{DefaultRoles, Lines, Observer};

use crate::campus::{context, course, instance, role, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    an_instance_of_autoenrol_welcomes_whom_the_run_added,
    a_completed_course_is_named,
    the_flat_file_follows_moodles_setting,
    a_simulated_or_held_file_queues_nothing,
    nothing_is_queued_while_mails_are_off,
);

/// A run context on the test's own connection.
pub async fn at_work<'a>(conn: &'a mut Conn, settings: &'a Settings, guard: enrold::config::Guard) -> RunContext<'a> {
    conn.begin().await.unwrap();
    RunContext {
        conn,
        site: settings,
        run: 1,
        now: NOW,
        guard: Guard::new(guard, &BTreeMap::new(), None),
        approves: 0,
        observer: Observer::none(),
        counts: BTreeMap::new(),
        overtaken: 0,
        lines: Lines::default(),
        notes: Vec::new(),
        cause: "import",
        planned: 0,
        committed: 0,
        passes: 0,
        backfill: false,
        rules: Vec::new(),
        set: None,
        default_roles: DefaultRoles::default(),
        problems: enrold::problem::Kept::new(1, 0, 10_000),
    }
}

/// Enrols users in a method of a course as a pass of run 1 does, and queues its welcome mails.
pub async fn welcomed(site: &mut Site, method: &'static str, whither: i64, whom: &[i64]) -> i64 {
    for who in whom {
        site.enrolled(*who, whither, method).await;
    }
    let engine = site.engine();
    let settings = Settings::read(&mut site.conn).await.unwrap();
    let mut ctx = at_work(&mut site.conn, &settings, engine.settings.guard.clone()).await;
    let params = ctx.params().with("enrolid", instance(method, whither)).with("courseid", course(whither));
    let select = "SELECT x.userid, :courseid AS courseid, x.enrolid, 0 AS status
        FROM {user_enrolments} x WHERE x.enrolid = :enrolid";
    let columns = "userid, courseid, enrolid, status";
    ctx.journal(Position { pass_no: 1, rank: kinds::ENROL }, columns, "planned.userid", select, params).await.unwrap();
    let queued = mail::welcome(&mut ctx, &engine.settings, 1..=1, method).await.unwrap();
    let again = mail::welcome(&mut ctx, &engine.settings, 1..=1, method).await.unwrap();
    assert_eq!(again, 0, "a mail is queued once");
    ctx.conn.commit().await.unwrap();
    queued
}

/// The rows of the outbox, as `kind state userid address`.
pub async fn queued(site: &mut Site) -> Vec<String> {
    let sql = "SELECT kind, state, userid, address FROM {enrold_outbox} ORDER BY id";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    rows.iter().map(|row| format!("{} {} {} {}", row.text(0), row.text(1), row.int(2), row.text(3))).collect()
}

async fn letter(site: &mut Site) -> serde_json::Value {
    let rows = site.conn.rows("SELECT data FROM {enrold_letter}", &Params::new()).await.unwrap();
    assert_eq!(rows.len(), 1, "one letter for all");
    serde_json::from_str(&rows[0].text(0)).unwrap()
}

/// The campus with mails enabled, and names for some of its users.
pub async fn with_mails(site: &mut Site) {
    site.campus().await;
    site.set("smtp.enabled", "true");
    for number in 1..=9 {
        let sql =
            format!("UPDATE {{user}} SET firstname = 'Prénom{number}', lastname = 'Nom' WHERE id = {}", user(number));
        site.sql(&sql).await;
    }
}

async fn an_instance_of_autoenrol_welcomes_whom_the_run_added(mut site: Site) {
    with_mails(&mut site).await;
    let contacts = [("name", "coursecontact".into()), ("value", "3,4".into())];
    site.insert("config", &contacts).await;
    site.has_role(8, 1, "teacher", "manual").await;
    site.has_role(9, 1, "editingteacher", "manual").await;
    site.instance("autoenrol", 1, 0, "student").await;
    site.instance("autoenrol", 2, 0, "student").await;
    let text = "UPDATE {enrol} SET customint7 = 1, customtext1 = 'Hello \"{$a->fullname}\"' WHERE id = ";
    site.sql(&format!("{text}{}", instance("autoenrol", 1))).await;
    assert_eq!(welcomed(&mut site, "autoenrol", 1, &[1, 2]).await, 2);
    assert_eq!(
        queued(&mut site).await,
        [format!("welcome queued {} u1@example.com", user(1)), format!("welcome queued {} u2@example.com", user(2))]
    );
    let letter = letter(&mut site).await;
    assert_eq!(letter["course"], "c1");
    assert_eq!(letter["text"], "Hello \"{$a->fullname}\"");
    assert_eq!(letter["contact"], "Prénom9 Nom", "the first role of the setting that somebody has");
    assert_eq!(letter["contactaddress"], "u9@example.com");
    assert_eq!(letter["site"], "front");
}

async fn a_completed_course_is_named(mut site: Site) {
    with_mails(&mut site).await;
    site.instance("coursecompleted", 2, 0, "student").await;
    let id = instance("coursecompleted", 2);
    site.sql(&format!("UPDATE {{enrol}} SET customint2 = 3, customint1 = {} WHERE id = {id}", course(1))).await;
    assert_eq!(welcomed(&mut site, "coursecompleted", 2, &[4]).await, 1);
    let letter = letter(&mut site).await;
    assert_eq!((letter["completed"].as_str(), letter["course"].as_str()), (Some("c1"), Some("c2")));
    assert!(letter["contact"].is_null() && letter["text"].is_null());
}

async fn the_flat_file_follows_moodles_setting(mut site: Site) {
    with_mails(&mut site).await;
    site.import_once("add,student,u1,c1\n").await;
    assert!(queued(&mut site).await.is_empty(), "mailstudents is off");
    site.setting("mailstudents", Some("1")).await;
    site.enrolled(7, 1, "manual").await;
    site.has_role(7, 1, "editingteacher", "manual").await;
    let may = [
        ("contextid", 1.into()),
        ("roleid", role("editingteacher").into()),
        ("capability", "enrol/flatfile:manage".into()),
        ("permission", 1.into()),
    ];
    site.insert("role_capabilities", &may).await;
    site.import_once("add,student,u1,c1\nadd,student,u2,c1\nadd,student,u3,c1\ndel,student,u3,c1\n").await;
    let told = [format!("flatfile-student queued {} u2@example.com", user(2))];
    assert_eq!(queued(&mut site).await, told, "new and still there");
    assert_eq!(letter(&mut site).await["contact"], "Prénom7 Nom");
    let forbidden = [
        ("contextid", context(1).into()),
        ("roleid", role("editingteacher").into()),
        ("capability", "enrol/flatfile:manage".into()),
        ("permission", (-1).into()),
    ];
    site.insert("role_capabilities", &forbidden).await;
    site.sql("DELETE FROM {enrold_letter}").await;
    site.import_once("add,student,u4,c1\n").await;
    assert_ne!(letter(&mut site).await["contact"], "Prénom7 Nom", "forbidden in this course");
}

async fn a_simulated_or_held_file_queues_nothing(mut site: Site) {
    with_mails(&mut site).await;
    site.setting("mailstudents", Some("1")).await;
    let file = site.write("add,student,u1,c1\nadd,student,u2,c1\n");
    site.engine().import(&file, true).await.unwrap();
    assert!(queued(&mut site).await.is_empty(), "a rehearsal");
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "1");
    let held = site.engine().import(&file, false).await.unwrap();
    assert_eq!(held.state, enrold::outcome::State::Held);
    assert!(queued(&mut site).await.is_empty(), "a held run");
    site.engine().approve(held.run).await.unwrap();
    assert_eq!(queued(&mut site).await.len(), 2, "what was approved is told");
}

async fn nothing_is_queued_while_mails_are_off(mut site: Site) {
    with_mails(&mut site).await;
    site.setting("mailstudents", Some("1")).await;
    site.set("smtp.enabled", "false");
    site.import_once("add,student,u1,c1\n").await;
    assert!(queued(&mut site).await.is_empty());
}
