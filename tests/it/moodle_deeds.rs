//! Writes of Moodle's pages and events on a random site, one small action after the other, each with its balance of
//! rows. It must not know rules, nor other writers.

use crate::dump::{Dump, text};
use crate::random_site::{Dice, SYNCHRONISED, context_of, group_of, manual_of};
use crate::site::NOW;

/// A statement, and the change of the balance of a table for each row that it affects.
pub struct Statement {
    pub sql: String,
    /// The table and the natural key of the row, added (1) or removed (-1).
    pub balance: Option<(&'static str, String, i64)>,
}

/// An instance of a rule.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: i64,
    pub method: String,
    pub course: i64,
}

/// The instances of rules in a dump.
pub fn known(dump: &Dump) -> Vec<Known> {
    let by_hand = ["manual", "self", "flatfile"];
    let int = |text: &str| text.parse().unwrap();
    let rows = dump["enrol"].iter().filter(|row| !by_hand.contains(&text(row, "enrol")));
    rows.map(|row| Known {
        id: int(text(row, "id")),
        method: text(row, "enrol").to_owned(),
        course: int(text(row, "courseid")),
    })
    .collect()
}

/// One action of Moodle, as statements of one transaction.
pub fn deed(dice: &mut Dice, known: &[Known]) -> Vec<Statement> {
    let (user, course) = (dice.user(), dice.course());
    let cohort = 1 + dice.below(2);
    match dice.below(14) {
        0 | 1 => vec![enrols(manual_of(course), user), assigns(5, context_of(course), user, "", 0)],
        2 => vec![unenrols(manual_of(course), user), unassigns(5, context_of(course), user, "", 0)],
        3 => vec![plain(format!(
            "UPDATE {{user_enrolments}} SET status = {}, timemodified = 7 WHERE enrolid = {} AND userid = {user}",
            dice.below(2),
            manual_of(course)
        ))],
        4 => vec![plain(format!(
            "UPDATE {{user_enrolments}} SET timestart = {}, timeend = {}, timemodified = 7 WHERE enrolid = {} AND userid = {user}",
            NOW - dice.below(500),
            NOW + dice.below(500),
            manual_of(course)
        ))],
        5 => vec![plain(format!(
            "INSERT INTO {{cohort_members}} (cohortid, userid, timeadded) SELECT {cohort}, {user}, 7 FROM {{cohort}} h WHERE h.id = {cohort}
                AND NOT EXISTS (SELECT 1 FROM {{cohort_members}} m WHERE m.cohortid = {cohort} AND m.userid = {user})"
        ))],
        6 => vec![plain(format!("DELETE FROM {{cohort_members}} WHERE cohortid = {cohort} AND userid = {user}"))],
        7 | 8 => by_rule(dice, known, user),
        9 => vec![joins(group_of(course), user)],
        10 => vec![leaves(group_of(course), user)],
        11 => vec![assigns(SYNCHRONISED, 101 + dice.below(3), user, "", 0)],
        12 => vec![unassigns(SYNCHRONISED, 101 + dice.below(3), user, "", 0)],
        _ => vec![plain(format!("UPDATE {{user}} SET department = '{}' WHERE id = {user}", dice.pick(&["A", "B", ""])))],
    }
}

/// The action of Moodle's own event or task in an instance of a rule: a complete enrolment, or its end.
fn by_rule(dice: &mut Dice, known: &[Known], user: i64) -> Vec<Statement> {
    if known.is_empty() {
        return Vec::new();
    }
    let instance = &known[dice.below(known.len() as i64) as usize];
    let (component, item) = match instance.method.as_str() {
        "autoenrol" => (String::new(), 0),
        method => (format!("enrol_{method}"), instance.id),
    };
    let context = context_of(instance.course);
    let has_roles = instance.method != "category";
    let mut statements = Vec::new();
    if dice.chance(50) {
        statements.push(enrols(instance.id, user));
        statements.extend(has_roles.then(|| assigns(5, context, user, &component, item)));
    } else {
        statements.push(unenrols(instance.id, user));
        statements.extend(has_roles.then(|| unassigns(5, context, user, &component, item)));
    }
    statements
}

fn plain(sql: String) -> Statement {
    Statement { sql, balance: None }
}

fn enrols(instance: i64, user: i64) -> Statement {
    let sql = format!(
        "INSERT INTO {{user_enrolments}} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
         SELECT {instance}, {user}, 0, 0, 0, 9, 7, 7 FROM {{enrol}} e WHERE e.id = {instance}
            AND NOT EXISTS (SELECT 1 FROM {{user_enrolments}} x WHERE x.enrolid = {instance} AND x.userid = {user})"
    );
    Statement { sql, balance: Some(("user_enrolments", format!("{instance},{user}"), 1)) }
}

fn unenrols(instance: i64, user: i64) -> Statement {
    let sql = format!("DELETE FROM {{user_enrolments}} WHERE enrolid = {instance} AND userid = {user}");
    Statement { sql, balance: Some(("user_enrolments", format!("{instance},{user}"), -1)) }
}

fn assigns(role: i64, context: i64, user: i64, component: &str, item: i64) -> Statement {
    let same = same_role(role, context, user, component, item);
    let sql = format!(
        "INSERT INTO {{role_assignments}} (roleid, contextid, userid, component, itemid, timemodified, modifierid, sortorder)
         SELECT {role}, {context}, {user}, '{component}', {item}, 7, 9, 0 FROM {{context}} k WHERE k.id = {context}
            AND NOT EXISTS (SELECT 1 FROM {{role_assignments}} r WHERE {same})"
    );
    Statement { sql, balance: Some(("role_assignments", format!("{role},{context},{user},{component},{item}"), 1)) }
}

fn unassigns(role: i64, context: i64, user: i64, component: &str, item: i64) -> Statement {
    let same = same_role(role, context, user, component, item).replace("r.", "");
    let sql = format!("DELETE FROM {{role_assignments}} WHERE {same}");
    Statement { sql, balance: Some(("role_assignments", format!("{role},{context},{user},{component},{item}"), -1)) }
}

fn same_role(role: i64, context: i64, user: i64, component: &str, item: i64) -> String {
    format!(
        "r.roleid = {role} AND r.contextid = {context} AND r.userid = {user} AND r.component = '{component}' AND r.itemid = {item}"
    )
}

fn joins(group: i64, user: i64) -> Statement {
    let sql = format!(
        "INSERT INTO {{groups_members}} (groupid, userid, timeadded, component, itemid)
         SELECT {group}, {user}, 7, '', 0 FROM {{groups}} g WHERE g.id = {group}
            AND NOT EXISTS (SELECT 1 FROM {{groups_members}} m WHERE m.groupid = {group} AND m.userid = {user})"
    );
    Statement { sql, balance: Some(("groups_members", format!("{group},{user}"), 1)) }
}

fn leaves(group: i64, user: i64) -> Statement {
    let sql = format!("DELETE FROM {{groups_members}} WHERE groupid = {group} AND userid = {user}");
    Statement { sql, balance: Some(("groups_members", format!("{group},{user}"), -1)) }
}
