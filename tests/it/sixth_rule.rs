//! A rule that enrold does not have, with only its value and its SQL: the reconciliation does the rest.
//! It must not change the reconciliation; the test needs exactly what a sixth method would need.

use enrold::config::Settings;
use enrold::moodle::site::{RemovalAction, Site as Moodle};
use enrold::outcome::Report;
use enrold::reconcile::{Policy, Rule};
use enrold::run::{Engine, SyncOrder};

use crate::dump::{EFFECTS, assert_same, without};
use crate::rebuild::rebuild;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a_sixth_rule_is_a_value_and_its_sql, a_sixth_rule_follows_a_file);

/// Every user who is enrolled in any course becomes a student of the courses with an instance of `everybody`.
const EVERYBODY: Rule =
    Rule { name: "everybody", method: "everybody", twins: &[], sql: SQL, policy, prepare: None, follow_up: None };

const SQL: &str = "
-- section scope
SELECT e.id AS enrolid, e.courseid, k.id AS contextid
  FROM {enrol} e
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = :method AND e.id :among_instances

-- section enrolments
SELECT DISTINCT s.enrolid, x.userid, s.courseid, s.contextid, 2 AS presence, 0 AS status, 0 AS timestart, 0 AS timeend
  FROM [scope] s
  JOIN {enrol} e ON e.enrol <> :method AND e.status = 0
  JOIN {user_enrolments} x ON x.enrolid = e.id AND x.status = 0
 WHERE x.userid :among_users

-- section roles
SELECT s.enrolid, x.userid, s.courseid, s.contextid, e.roleid, 2 AS presence
  FROM [scope] s
  JOIN {enrol} e ON e.id = s.enrolid
  JOIN {user_enrolments} x ON x.enrolid = s.enrolid AND x.status = 0
 WHERE x.userid :among_users

-- section concerned
SELECT e.id AS enrolid FROM {enrol} e WHERE e.enrol = :method AND EXISTS (SELECT 1 FROM [touched] t)
";

fn policy(_site: &Moodle, _settings: &Settings) -> Policy {
    Policy::new(RemovalAction::Unenrol)
}

/// The campus with an instance of the rule in `c3`.
async fn campus(site: &mut Site) {
    site.campus().await;
    site.sql("UPDATE {config} SET value = 'manual,flatfile,everybody' WHERE name = 'enrol_plugins_enabled'").await;
    site.setting("unenrolaction", Some("0")).await;
    site.instance("everybody", 3, 0, "student").await;
}

fn engine(site: &Site) -> Engine {
    Engine { rules: &[EVERYBODY], ..site.engine() }
}

async fn sync(site: &mut Site) -> Report {
    let before = site.dump().await;
    engine(site).sync(&SyncOrder::of("everybody"), true).await.unwrap();
    site.nothing_changed(&before, "simulated").await;
    let since = site.last_run().await;
    let report = engine(site).sync(&SyncOrder::of("everybody"), false).await.unwrap();
    let after = site.dump().await;
    let rebuilt = rebuild(site, since, &after).await;
    assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");
    engine(site).sync(&SyncOrder::of("everybody"), false).await.unwrap();
    site.nothing_changed(&after, "a second sync").await;
    report
}

async fn a_sixth_rule_is_a_value_and_its_sql(mut site: Site) {
    campus(&mut site).await;
    site.enrolled(1, 1, "manual").await;
    site.enrolled(2, 2, "manual").await;
    let report = sync(&mut site).await;
    assert_eq!((report.rules[0].added, report.rules[0].roles_added), (2, 2));
    assert_eq!(site.enrolments().await, ["u1 c1 manual", "u1 c3 everybody", "u2 c2 manual", "u2 c3 everybody"]);
    assert_eq!(site.roles().await, ["u1 c3 student everybody", "u2 c3 student everybody"]);

    site.sql("DELETE FROM {user_enrolments} WHERE userid = 12 AND enrolid = 302").await;
    let report = sync(&mut site).await;
    assert_eq!((report.rules[0].checked, report.rules[0].removed), (1, 1));
    assert_eq!(site.enrolments().await, ["u1 c1 manual", "u1 c3 everybody"]);
    assert_eq!(site.roles().await, ["u1 c3 student everybody"]);
}

async fn a_sixth_rule_follows_a_file(mut site: Site) {
    campus(&mut site).await;
    let file = site.write("add,student,u1,c1\n");
    let report = engine(&site).import(&file, false).await.unwrap();
    assert!(report.rules[0].consequence);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u1 c3 everybody"]);
    let file = site.write("del,student,u1,c1\n");
    engine(&site).import(&file, false).await.unwrap();
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.roles().await, [""; 0]);
}
