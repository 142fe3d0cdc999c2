//! A writer that acts like Moodle all the time while runs happen: afterwards every row is accounted for.
//! It must not expect a conflict at any particular moment; `traps` causes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use enrold::db::{Database, DbError, Params, Row};
use enrold::outcome::{Report, State};

use crate::campus::role;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(every_row_is_accounted_for);

const USERS: i64 = 200;
const COURSES: i64 = 10;

/// The number of rows of one kind with one natural key, added (positive) and removed (negative).
type Balance = BTreeMap<Vec<String>, i64>;

/// The possible actions of Moodle, in rotation.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Enrol,
    Change,
    Unenrol,
    Assign,
    Unassign,
}

const DEEDS: [Deed; 5] = [Deed::Enrol, Deed::Change, Deed::Unenrol, Deed::Assign, Deed::Unassign];

impl Deed {
    fn sql(self) -> &'static str {
        match self {
            Self::Enrol => {
                "INSERT INTO {user_enrolments} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
                 SELECT :enrolid, :userid, 0, 0, :turn, 9, 7, 7 FROM {enrol} e WHERE e.id = :enrolid
                    AND NOT EXISTS (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = :enrolid AND x.userid = :userid)"
            }
            Self::Change => {
                "UPDATE {user_enrolments} SET timeend = :turn, timemodified = 7 WHERE enrolid = :enrolid AND userid = :userid"
            }
            Self::Unenrol => "DELETE FROM {user_enrolments} WHERE enrolid = :enrolid AND userid = :userid",
            Self::Assign => {
                "INSERT INTO {role_assignments} (roleid, contextid, userid, component, itemid, timemodified, modifierid, sortorder)
                 SELECT :roleid, :contextid, :userid, 'enrol_flatfile', :enrolid, 7, 9, 0 FROM {enrol} e WHERE e.id = :enrolid
                    AND NOT EXISTS (SELECT 1 FROM {role_assignments} r WHERE r.userid = :userid AND r.contextid = :contextid
                        AND r.roleid = :roleid AND r.component = 'enrol_flatfile' AND r.itemid = :enrolid)"
            }
            Self::Unassign => {
                "DELETE FROM {role_assignments} WHERE userid = :userid AND contextid = :contextid AND roleid = :roleid
                    AND component = 'enrol_flatfile' AND itemid = :enrolid"
            }
        }
    }
}

/// `user.id`, `course.id`, `context.id` and `enrol.id` of the generated rows.
fn user(number: i64) -> i64 {
    1_000 + number
}
fn course(number: i64) -> i64 {
    2_000 + number
}
fn context(number: i64) -> i64 {
    3_000 + number
}
fn instance(number: i64) -> i64 {
    4_000 + number
}

/// The writer's actions, in the form of the journal.
#[derive(Default)]
struct Deeds {
    enrolments: Balance,
    roles: Balance,
    done: u64,
}

/// Moodle, on its own connection, statement after statement until it is stopped.
async fn play_moodle(database: Arc<Database>, stop: Arc<AtomicBool>) -> Deeds {
    let mut conn = database.connect().await.unwrap();
    let mut deeds = Deeds::default();
    let mut dice: u64 = 42;
    while !stop.load(Ordering::Relaxed) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let throw = (dice >> 33) as i64;
        let deed = DEEDS[(throw % 5) as usize];
        let (who, whither) = ((throw / 5) % USERS, (throw / 5 / USERS) % COURSES);
        let params = Params::new()
            .with("enrolid", instance(whither))
            .with("userid", user(who))
            .with("contextid", context(whither))
            .with("roleid", role("student"))
            .with("turn", NOW + 1 + throw % 1_000);
        let rows = match conn.exec(deed.sql(), &params).await {
            Ok(rows) => rows as i64,
            Err(DbError::Taken(_)) => 0,
            Err(error) if error.is_transient() => 0,
            Err(error) => panic!("{deed:?}: {error}"),
        };
        let enrolment = vec![instance(whither).to_string(), user(who).to_string()];
        let assignment = vec![instance(whither).to_string(), user(who).to_string(), role("student").to_string()];
        match deed {
            Deed::Enrol => *deeds.enrolments.entry(enrolment).or_default() += rows,
            Deed::Unenrol => *deeds.enrolments.entry(enrolment).or_default() -= rows,
            Deed::Assign => *deeds.roles.entry(assignment).or_default() += rows,
            Deed::Unassign => *deeds.roles.entry(assignment).or_default() -= rows,
            Deed::Change => {}
        }
        deeds.done += rows as u64;
        tokio::task::yield_now().await;
    }
    conn.close().await;
    deeds
}

/// 200 users and 10 courses, each with an instance of the flat file.
async fn many(site: &mut Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    site.conn.begin().await.unwrap();
    for number in 0..USERS {
        let name = format!("many{number}");
        let row = [
            ("id", user(number).into()),
            ("username", name.as_str().into()),
            ("idnumber", name.as_str().into()),
            ("mnethostid", 1.into()),
            ("confirmed", 1.into()),
        ];
        site.insert("user", &row).await;
    }
    for number in 0..COURSES {
        let name = format!("course{number}");
        let row = [
            ("id", course(number).into()),
            ("category", 1.into()),
            ("fullname", name.as_str().into()),
            ("shortname", name.as_str().into()),
            ("idnumber", name.as_str().into()),
        ];
        site.insert("course", &row).await;
        let row = [
            ("id", context(number).into()),
            ("contextlevel", 50.into()),
            ("instanceid", course(number).into()),
            ("path", format!("/1/3/{}", context(number)).into()),
            ("depth", 3.into()),
        ];
        site.insert("context", &row).await;
        let row = [("id", instance(number).into()), ("enrol", "flatfile".into()), ("courseid", course(number).into())];
        site.insert("enrol", &row).await;
    }
    site.conn.commit().await.unwrap();
    site.reset_sequences().await;
}

/// A line for every user in every course, with the result of `operation` for the two.
fn file(operation: impl Fn(i64, i64) -> &'static str) -> String {
    let pairs = (0..USERS).flat_map(|who| (0..COURSES).map(move |whither| (who, whither)));
    pairs.map(|(who, whither)| format!("{},student,many{who},course{whither}\n", operation(who, whither))).collect()
}

impl Site {
    /// The values of a query's columns except the last, whose values are summed.
    async fn balance(&mut self, sql: &str) -> Balance {
        let key = |row: &Row| (0..row.0.len() - 1).map(|at| row.text(at)).collect::<Vec<_>>();
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let mut balance = Balance::new();
        for row in &rows {
            *balance.entry(key(row)).or_default() += row.int(row.0.len() - 1);
        }
        balance
    }

    /// The rows of a table equal those that the journal and the writer added, less those that they removed.
    async fn accounted(&mut self, table: &str, key: &str, journaled: &str, kinds: [&str; 3], deeds: &Balance) {
        let [add, remove, prune] = kinds;
        let sql = format!(
            "SELECT {journaled}, CASE WHEN c.kind = '{add}' THEN 1 ELSE -1 END FROM {{enrold_change}} c
              WHERE c.state = 0 AND c.kind IN ('{add}', '{remove}', '{prune}')"
        );
        let mut expected = self.balance(&sql).await;
        for (key, count) in deeds {
            *expected.entry(key.clone()).or_default() += count;
        }
        expected.retain(|_, count| *count != 0);
        let found = self.balance(&format!("SELECT {key}, 1 FROM {{{table}}} c")).await;
        let wrong: Vec<_> = found
            .keys()
            .chain(expected.keys())
            .filter(|key| found.get(*key) != expected.get(*key))
            .map(|key| (key, expected.get(key), found.get(key)))
            .collect();
        assert!(wrong.is_empty(), "{table}: by journal and writer, and found: {wrong:?}");
    }
}

async fn every_row_is_accounted_for(mut site: Site) {
    many(&mut site).await;
    let stop = Arc::new(AtomicBool::new(false));
    let moodle = tokio::spawn(play_moodle(site.database(Duration::from_secs(1)), Arc::clone(&stop)));
    let files = [
        file(|_, _| "add"),
        file(|who, whither| if (who + whither) % 3 == 0 { "del" } else { "add" }),
        file(|who, whither| if (who + whither) % 2 == 0 { "del" } else { "add" }),
        file(|_, _| "del"),
        file(|_, _| "add"),
    ];
    let mut overtaken = 0;
    for text in &files {
        let report = meanwhile(&mut site, text).await;
        overtaken += report.overtaken;
    }
    stop.store(true, Ordering::Relaxed);
    let deeds = moodle.await.unwrap();
    assert!(deeds.done > 0, "Moodle was at work");
    let quiet = site.import_once(&files[0]).await;
    assert_eq!((quiet.state, quiet.overtaken), (State::Done, 0));
    assert_eq!(site.count("user_enrolments").await, USERS * COURSES);
    assert_eq!(site.count("role_assignments").await, USERS * COURSES, "no doubles are left");
    let enrolment = ["enrolment.add", "enrolment.remove", ""];
    site.accounted("user_enrolments", "c.enrolid, c.userid", "c.enrolid, c.userid", enrolment, &deeds.enrolments).await;
    let assignment = ["role.add", "role.remove", "role.prune"];
    let key = "c.itemid, c.userid, c.roleid";
    site.accounted("role_assignments", key, key, assignment, &deeds.roles).await;
    let marked = "SELECT COUNT(*) FROM {enrold_change} WHERE state = 1";
    assert_eq!(site.conn.number(marked, &Params::new()).await.unwrap(), overtaken);
    every_change_is_told_once(&mut site).await;
}

/// One import while Moodle writes; refused attempts are repeated.
async fn meanwhile(site: &mut Site, text: &str) -> Report {
    site.set("run.retries", "1000");
    let file = site.write(text);
    let report = site.engine().import(&file, false).await.unwrap();
    assert!(matches!(report.state, State::Done | State::DoneWithErrors));
    report
}

async fn every_change_is_told_once(site: &mut Site) {
    for (kind, target, action) in [
        ("'enrolment.add'", "user_enrolment", "created"),
        ("'enrolment.update', 'enrolment.suspend'", "user_enrolment", "updated"),
        ("'enrolment.remove'", "user_enrolment", "deleted"),
        ("'role.add'", "role", "assigned"),
        ("'role.remove'", "role", "unassigned"),
    ] {
        let journal = format!(
            "SELECT c.userid, c.contextid, 1 FROM {{enrold_change}} c WHERE c.state = 0 AND c.kind IN ({kind})"
        );
        let log = format!(
            "SELECT l.relateduserid, l.contextid, 1 FROM {{logstore_standard_log}} l WHERE l.target = '{target}' AND l.action = '{action}'"
        );
        let (journal, log) = (site.balance(&journal).await, site.balance(&log).await);
        assert!(journal == log, "{target} {action}: each change has one event");
    }
}
