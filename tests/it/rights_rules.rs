//! The least rights for rules: an account with exactly these runs every rule, on rows that make each statement work.
//! It must not test what the rules do.

use std::collections::BTreeSet;

use enrold::db::{Dialect, Params};
use enrold::outcome::{RunError, State};
use enrold::run::{Engine, SyncOrder};

use crate::doctor_rights::{Account, assert_applied, give, revoke};
use crate::servers::run_on;
use crate::site::Site;
use crate::traces::site_with_traces;

#[test]
fn rules_need_no_more_postgresql() {
    run_on(Dialect::Postgres, rules_need_no_more);
}

#[test]
fn rules_need_no_more_mariadb() {
    run_on(Dialect::Maria, rules_need_no_more);
}

#[test]
fn moodles_running_task_is_seen_postgresql() {
    run_on(Dialect::Postgres, moodles_running_task_is_seen);
}

#[test]
fn moodles_running_task_is_seen_mariadb() {
    run_on(Dialect::Maria, moodles_running_task_is_seen);
}

/// The least rights show that Moodle's own task runs; without them the run fails, and writes nothing beside it.
async fn moodles_running_task_is_seen(mut site: Site) {
    site_with_traces(&mut site).await;
    links(&mut site).await;
    site.sql("UPDATE {task_scheduled} SET disabled = 0, timestarted = 1 WHERE classname LIKE '%enrol_cohort_sync'")
        .await;
    let account = Account::make(&mut site).await;
    let rights = account.rights();
    give(&mut site, &rights).await;
    let before = site.dump().await;
    let order = SyncOrder { defers: true, ..SyncOrder::of("cohort") };
    for simulate in [true, false] {
        let beside = account.engine.sync(&order, simulate).await.unwrap_err();
        assert!(matches!(beside, RunError::TwinRunning { .. }), "{beside}");
    }
    let right = rights.iter().find(|grant| grant.table == Some("task_scheduled")).unwrap();
    site.conn.command(&revoke(&right.sql)).await.unwrap();
    for simulate in [true, false] {
        let unseen = account.engine.sync(&order, simulate).await.unwrap_err().to_string();
        assert!(unseen.contains("task_scheduled") && unseen.contains("denied"), "{unseen}");
    }
    site.nothing_changed(&before, "a run beside Moodle's task").await;
    site.conn.command(&right.sql).await.unwrap();
    site.sql("UPDATE {task_scheduled} SET timestarted = NULL").await;
    assert_applied(&account.engine.sync(&order, false).await.unwrap(), State::Done);
    account.remove(&mut site).await;
}

async fn rules_need_no_more(mut site: Site) {
    site_with_traces(&mut site).await;
    let methods = "manual,self,flatfile,database,cohort,category,coursecompleted,autoenrol,meta";
    site.sql(&format!("UPDATE {{config}} SET value = '{methods}' WHERE name = 'enrol_plugins_enabled'")).await;
    site.sql("UPDATE {config_plugins} SET value = '0' WHERE plugin LIKE 'enrol%' AND name = 'unenrolaction'").await;
    links(&mut site).await;
    conditions(&mut site).await;
    completions(&mut site).await;
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let mut kinds = BTreeSet::new();
    everything(&account.engine, &mut kinds).await;
    undo_links(&mut site).await;
    everything(&account.engine, &mut kinds).await;
    for kind in [
        "instance.add",
        "instance.remove",
        "enrolment.add",
        "enrolment.update",
        "enrolment.remove",
        "role.add",
        "role.remove",
        "group.add",
        "group-member.add",
        "group-member.remove",
        "conversation-member.add",
        "conversation-member.remove",
        "group.touch",
    ] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
    account.remove(&mut site).await;
}

/// Each job by itself, like in the daemon: simulated, then run.
async fn everything(engine: &Engine, kinds: &mut BTreeSet<String>) {
    for job in enrold::run::jobs::all() {
        let order = SyncOrder::of(job);
        let rehearsal = engine.sync(&order, true).await.unwrap_or_else(|error| panic!("{job}, simulated: {error}"));
        assert_eq!(rehearsal.state, State::Simulated, "{job}");
        let report = engine.sync(&order, false).await.unwrap_or_else(|error| panic!("{job}: {error}"));
        assert_applied(&report, State::Done);
        kinds.extend(report.counts.into_keys());
    }
}

/// A cohort with a group, a link to its course with a group and a conversation, a role in a category.
pub async fn links(site: &mut Site) {
    let at = |name: &'static str, value: i64| (name, value.into());
    let text = |name: &'static str, value: &str| (name, value.into());
    for (id, course) in [(9100, 9), (9101, 3)] {
        site.insert("groups", &[at("id", id), at("courseid", course), text("name", "G")]).await;
        let context = format!("SELECT id FROM {{context}} WHERE contextlevel = 50 AND instanceid = {course}");
        let context = site.conn.number(&context, &Params::new()).await.unwrap();
        let talk = [
            at("id", id),
            text("component", "core_group"),
            text("itemtype", "groups"),
            at("itemid", id),
            at("contextid", context),
        ];
        site.insert("message_conversations", &talk).await;
    }
    site.sql("UPDATE {enrol} SET customint2 = 9100 WHERE id = 49").await;
    site.sql("DELETE FROM {cohort_members} WHERE cohortid = 2 AND userid = 23").await;
    site.insert("cohort_members", &[at("id", 731), at("cohortid", 2), at("userid", 31)]).await;
    site.sql("UPDATE {user_enrolments} SET status = 1 WHERE enrolid = 49 AND userid = 24").await;
    let link = [
        at("id", 9200),
        text("enrol", "meta"),
        at("courseid", 3),
        at("customint1", 9),
        at("customint2", 9101),
        at("timecreated", 1),
    ];
    site.insert("enrol", &link).await;
    site.insert("capabilities", &[at("id", 9300), text("name", "enrol/category:synchronised")]).await;
    let follows = [
        at("contextid", site_context(site).await),
        at("roleid", 5),
        text("capability", "enrol/category:synchronised"),
        at("permission", 1),
    ];
    site.insert("role_capabilities", &follows).await;
    let category = "SELECT MIN(id) FROM {context} WHERE contextlevel = 40";
    let category = site.conn.number(category, &Params::new()).await.unwrap();
    site.insert("role_assignments", &[at("id", 9400), at("roleid", 5), at("contextid", category), at("userid", 40)])
        .await;
    site.reset_sequences().await;
}

/// An autoenrol instance whose rule uses all supported conditions, with groups by a field and a welcome mail.
pub async fn conditions(site: &mut Site) {
    let any = [
        r#"{"type":"cohort","id":3}"#,
        r#"{"type":"cohort"}"#,
        r#"{"type":"profile","sf":"department","op":"isequalto","v":"D"}"#,
        r#"{"type":"profile","cf":"faculty","op":"contains","v":"x"}"#,
        r#"{"type":"group","id":9002}"#,
        r#"{"type":"group"}"#,
        r#"{"type":"grouping","id":1}"#,
        r#"{"type":"badge","id":1}"#,
        r#"{"type":"completion","cm":1,"e":1}"#,
        r#"{"type":"grade","id":9001,"min":50}"#,
        r#"{"type":"coursecompleted","id":"1"}"#,
        r#"{"type":"othercompleted","cm":4}"#,
        r#"{"type":"language","id":"de"}"#,
    ]
    .join(",");
    let tree = format!(r#"{{"op":"|","c":[{any}],"show":true}}"#);
    let rule = [
        ("id", 9210.into()),
        ("enrol", "autoenrol".into()),
        ("courseid", 2.into()),
        ("roleid", 5.into()),
        ("customint1", 1.into()),
        ("customint3", 86_400.into()),
        ("customint4", 1.into()),
        ("customint7", 2.into()),
        ("customint8", 1.into()),
        ("customchar1", "F {profile_field_department}".into()),
        ("customchar3", "department".into()),
        ("customtext2", tree.into()),
    ];
    site.insert("enrol", &rule).await;
    site.insert("user_info_field", &[("id", 9.into()), ("shortname", "faculty".into()), ("datatype", "text".into())])
        .await;
    site.sql("UPDATE {user} SET department = 'D' WHERE id > 30").await;
    site.reset_sequences().await;
}

/// A course that follows another, with the groups of the first and a welcome mail.
pub async fn completions(site: &mut Site) {
    let chain = [
        ("id", 9220.into()),
        ("enrol", "coursecompleted".into()),
        ("courseid", 5.into()),
        ("roleid", 5.into()),
        ("customint1", 4.into()),
        ("customint2", 1.into()),
        ("customint3", 1.into()),
        ("customint5", 1.into()),
        ("timecreated", 1.into()),
    ];
    site.insert("enrol", &chain).await;
    let done = [("id", 9.into()), ("userid", 34.into()), ("course", 4.into()), ("timecompleted", 10.into())];
    site.insert("course_completions", &done).await;
    site.reset_sequences().await;
}

/// The reverse: members leave, the link has no group, no user has a role in a category.
pub async fn undo_links(site: &mut Site) {
    site.sql("UPDATE {enrol} SET customint2 = 0 WHERE id = 9200").await;
    site.sql("DELETE FROM {cohort_members} WHERE userid = 31").await;
    site.sql("DELETE FROM {role_assignments} WHERE id = 9400").await;
}

async fn site_context(site: &mut Site) -> i64 {
    site.conn.number("SELECT MIN(id) FROM {context} WHERE contextlevel = 10", &Params::new()).await.unwrap()
}
