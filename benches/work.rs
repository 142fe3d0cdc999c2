//! The workloads that `rules` measures: a site of users u1… and courses c1…, its setup, and the floor.
//! It must not measure anything.

use crate::site::{Bench, Outcome};

/// A workload for one rule.
pub struct Work {
    pub name: &'static str,
    pub rule: &'static str,
    /// Users of the small and of the large site.
    pub few: i64,
    pub many: i64,
    pub courses: i64,
    /// Statements that set it up.
    pub before: fn(i64) -> Vec<String>,
    /// Whether the rule has run before the measured run.
    pub synced: bool,
    /// Statements after that run.
    pub then: fn(i64) -> Vec<String>,
    /// The bare SQL, for PostgreSQL.
    pub floors: &'static [&'static str],
}

const FLAGS: &str = include_str!("floor-flags.sql");

/// The workloads with a floor; memory is measured for the first.
pub const WORKS: [Work; 7] = [
    Work {
        name: "cohort-new",
        rule: "cohort",
        few: 200,
        many: 10_000,
        courses: 5,
        before: cohort,
        synced: false,
        then: nothing,
        floors: &[include_str!("floor-cohort.sql"), FLAGS],
    },
    Work {
        name: "cohort-same",
        rule: "cohort",
        few: 200,
        many: 10_000,
        courses: 5,
        before: cohort,
        synced: true,
        then: nothing,
        floors: &[include_str!("floor-cohort-same.sql")],
    },
    Work {
        name: "cohort-gone",
        rule: "cohort",
        few: 400,
        many: 10_000,
        courses: 5,
        before: cohort,
        synced: true,
        then: half_leave,
        floors: &[include_str!("floor-cohort-gone.sql"), FLAGS],
    },
    Work {
        name: "meta-2000",
        rule: "meta",
        few: 200,
        many: 2_000,
        courses: 2,
        before: link,
        synced: false,
        then: nothing,
        floors: &[include_str!("floor-meta.sql"), FLAGS],
    },
    Work {
        name: "meta-50000",
        rule: "meta",
        few: 200,
        many: 10_000,
        courses: 6,
        before: link,
        synced: false,
        then: nothing,
        floors: &[include_str!("floor-meta.sql"), FLAGS],
    },
    Work {
        name: "autoenrol-new",
        rule: "autoenrol",
        few: 200,
        many: 10_000,
        courses: 20,
        before: three_leaves,
        synced: false,
        then: nothing,
        floors: &[include_str!("floor-autoenrol.sql"), FLAGS],
    },
    Work {
        name: "autoenrol-same",
        rule: "autoenrol",
        few: 200,
        many: 10_000,
        courses: 20,
        before: three_leaves,
        synced: true,
        then: nothing,
        floors: &[include_str!("floor-autoenrol-same.sql")],
    },
];

/// 500 instances of 40 distinct rules on 300,000 users; SQL creates its enrolments, because this takes less time.
pub const LARGE: Work = Work {
    name: "large",
    rule: "autoenrol",
    few: 300_000,
    many: 300_000,
    courses: 500,
    before: forty_rules,
    synced: false,
    then: nothing,
    floors: &[],
};

/// Enables only the methods that a workload needs, so that no other rule follows.
pub async fn enable(bench: &Bench, rule: &str) -> Outcome<()> {
    let mut conn = bench.engine.database.connect().await?;
    let methods = format!("UPDATE {{config}} SET value = 'manual,{rule}' WHERE name = 'enrol_plugins_enabled'");
    conn.literal(&methods).await?;
    conn.close().await;
    Ok(())
}

fn nothing(_users: i64) -> Vec<String> {
    Vec::new()
}

/// A cohort of all users, linked to every course.
fn cohort(_users: i64) -> Vec<String> {
    [
        "INSERT INTO {cohort} (id, contextid, name, idnumber, descriptionformat, visible, component, timecreated, timemodified)
         VALUES (1, 1, 'Big', 'big', 0, 1, '', 0, 0)",
        "INSERT INTO {cohort_members} (cohortid, userid, timeadded) SELECT 1, u.id, 0 FROM {user} u WHERE u.id > 2",
        "INSERT INTO {enrol} (enrol, status, courseid, sortorder, roleid, customint1, customint2, timecreated, timemodified)
         SELECT 'cohort', 0, c.id, 1, 5, 1, 0, 0, 0 FROM {course} c",
        "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('enrol_cohort', 'unenrolaction', '0')",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn half_leave(users: i64) -> Vec<String> {
    vec![format!("DELETE FROM {{cohort_members}} WHERE userid <= {}", users / 2 + 2)]
}

/// All users manually enrolled in the first course, to which every other course links.
fn link(_users: i64) -> Vec<String> {
    [
        "INSERT INTO {enrol} (enrol, status, courseid, sortorder, roleid, timecreated, timemodified) VALUES ('manual', 0, 2, 1, 5, 0, 0)",
        "INSERT INTO {user_enrolments} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
         SELECT 1, u.id, 0, 0, 0, 2, 0, 0 FROM {user} u WHERE u.id > 2",
        "INSERT INTO {role_assignments} (roleid, contextid, userid, component, itemid, timemodified, modifierid, sortorder)
         SELECT 5, k.id, u.id, '', 0, 0, 2, 0 FROM {user} u JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = 2 WHERE u.id > 2",
        "INSERT INTO {enrol} (enrol, status, courseid, sortorder, roleid, customint1, customint2, timecreated, timemodified)
         SELECT 'meta', 0, c.id, 1, 0, 2, 0, 0, 0 FROM {course} c WHERE c.id > 2",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// An instance in each course whose rule has three leaves; about every fourth user matches.
fn three_leaves(_users: i64) -> Vec<String> {
    let mut statements = vec![people(13, 10)];
    statements.extend((1..=20).map(|n| {
        let leaves = [
            leaf("department", "isequalto", &format!("Dept{}", n % 13)),
            leaf("department", "isequalto", &format!("Dept{}", (n + 4) % 13)),
            leaf("city", "isequalto", &format!("City{}", n % 10)),
        ];
        instance(n, &format!(r#"{{"op":"|","c":[{}],"show":true}}"#, leaves.join(",")))
    }));
    statements
}

/// Each of the forty rules has its own department: some 750 users match each of the 500 instances.
fn forty_rules(_users: i64) -> Vec<String> {
    let mut statements = vec![people(400, 10)];
    statements.extend((1..=500).map(|n| {
        let leaves = [
            leaf("department", "isequalto", &format!("Dept{}", n % 40)),
            r#"{"type":"profile","sf":"city","op":"isnotempty"}"#.to_owned(),
            leaf("department", "startswith", "Dept"),
        ];
        instance(n, &format!(r#"{{"op":"&","c":[{}],"showc":[true,true,true]}}"#, leaves.join(",")))
    }));
    statements.push(
        "INSERT INTO {user_enrolments} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
         SELECT e.id, u.id, 0, 1, 0, 2, 1, 1 FROM {enrol} e JOIN {user} u ON u.id > 2 AND u.department = 'Dept' || (e.sortorder % 40)"
            .to_owned(),
    );
    statements.push(
        "INSERT INTO {role_assignments} (roleid, contextid, userid, component, itemid, timemodified, modifierid, sortorder)
         SELECT 5, k.id, x.userid, '', 0, 1, 2, 0 FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid
           JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid"
            .to_owned(),
    );
    statements
}

/// The user fields that the rules use.
fn people(departments: i64, cities: i64) -> String {
    format!("UPDATE {{user}} SET department = 'Dept' || (id % {departments}), city = 'City' || (id % {cities})")
}

fn leaf(field: &str, op: &str, value: &str) -> String {
    format!(r#"{{"type":"profile","sf":"{field}","op":"{op}","v":"{value}"}}"#)
}

/// The n-th course's instance of autoenrol; its sort order encodes its rule.
fn instance(n: i64, rule: &str) -> String {
    format!(
        "INSERT INTO {{enrol}} (enrol, status, courseid, sortorder, roleid, customint1, customint3, customint4, customint5, customint6,
                customint7, customint8, customchar3, customtext2, timecreated, timemodified)
         VALUES ('autoenrol', 0, {}, {n}, 5, 0, 0, 1, 0, 0, 0, 0, '-', '{rule}', 0, 0)",
        n + 1
    )
}
