//! Random sources and random sets of them for a random site, from a seed: valid, invalid and duplicate rows.
//! It must not know the outcome of a row.

use crate::random_site::{COURSES, Dice, USERS, course, user};
use crate::site::{NOW, Site};

/// Seconds of a day, the unit between two nights.
pub const DAY: i64 = 86_400;

/// A source of enrolments under test; each text is the value of a configuration key.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: &'static str,
    pub action: &'static str,
    /// `removal_grace` in days.
    pub grace: i64,
    pub ignore_hidden: bool,
    pub create_groups: bool,
    pub default_role: &'static str,
    pub protected: &'static str,
    pub user_key: &'static str,
    pub course_key: &'static str,
    pub role_key: &'static str,
    pub group_key: &'static str,
    /// Columns of its sets besides user and course.
    pub columns: Vec<&'static str>,
}

/// A row as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub user: String,
    pub course: String,
    pub role: String,
    pub group: String,
    pub other: String,
    pub timestart: String,
    pub timeend: String,
    pub status: String,
}

/// Times as written, with their values as a start and as an end; `None` is unreadable.
pub const TIMES: [(&str, Option<(i64, i64)>); 6] = [
    ("", Some((0, 0))),
    ("0", Some((0, 0))),
    ("2026-09-01", Some((1_788_220_800, 1_788_307_199))),
    ("31/12/2026", Some((1_798_675_200, 1_798_761_599))),
    ("1799999999", Some((1_799_999_999, 1_799_999_999))),
    ("soon", None),
];

const OPTIONAL: [&str; 6] = ["role", "group", "other", "timestart", "timeend", "status"];

impl Source {
    /// A random source with this name.
    pub fn random(name: &'static str, dice: &mut Dice) -> Self {
        let action = dice.pick(&["unenrol", "unenrol", "keep", "suspend", "suspendnoroles"]);
        Self {
            name,
            action,
            grace: if action == "unenrol" && dice.chance(40) { 2 } else { 0 },
            ignore_hidden: dice.chance(50),
            create_groups: dice.chance(60),
            default_role: dice.pick(&["student", "student", ""]),
            protected: dice.pick(&["", "u3"]),
            user_key: dice.pick(&["idnumber", "idnumber", "username", "email", "id"]),
            course_key: dice.pick(&["idnumber", "idnumber", "shortname", "id"]),
            role_key: dice.pick(&["shortname", "shortname", "id"]),
            group_key: dice.pick(&["name", "idnumber"]),
            columns: OPTIONAL.into_iter().filter(|_| dice.chance(60)).collect(),
        }
    }

    /// Sets the source in the configuration.
    pub fn configure(&self, site: &mut Site) {
        let text = |flag: bool| if flag { "true" } else { "false" };
        let grace = format!("{}d", self.grace);
        for (key, value) in [
            ("files", "x*.csv"),
            ("unenrolaction", self.action),
            ("removal_grace", grace.as_str()),
            ("ignore_hidden_courses", text(self.ignore_hidden)),
            ("create_groups", text(self.create_groups)),
            ("default_role", self.default_role),
            ("protected", self.protected),
            ("user_key", self.user_key),
            ("course_key", self.course_key),
            ("role_key", self.role_key),
            ("group_key", self.group_key),
            // Sets are held for the changes they cause, not for their size.
            ("guard.unknown_percent", "0"),
            ("guard.rows_fewer_percent", "0"),
            ("guard.rows_more_percent", "0"),
            ("guard.creations_max", "1"),
            ("guard.removals_max", "1"),
            ("guard.suspensions_max", "1"),
            ("guard.at_least", "0"),
        ] {
            site.set(&format!("sources.{}.{key}", self.name), value);
        }
    }

    /// A random set that repeats most rows of the previous one.
    pub fn random_set(&self, dice: &mut Dice, before: &[Row]) -> Vec<Row> {
        let mut rows: Vec<Row> = before.iter().filter(|_| dice.chance(70)).cloned().collect();
        for _ in 0..3 + dice.below(10) {
            rows.push(self.random_row(dice));
        }
        for row in rows.clone() {
            if dice.chance(10) {
                rows.push(row);
            }
        }
        rows
    }

    fn random_row(&self, dice: &mut Dice) -> Row {
        let roles: &[&str] = match self.role_key {
            "id" => &["5", "4", "3", "", "0", "99"],
            _ => &["student", "teacher", "editingteacher", "", "0", "Student"],
        };
        // Most times are readable.
        let time = |dice: &mut Dice| if dice.chance(60) { "" } else { TIMES[dice.below(6) as usize].0 };
        let course = 1 + dice.below(COURSES);
        let group = dice.pick(&["", "own", "TD 1", "TD 2", "td 1"]);
        let row = Row {
            user: self.random_user(dice),
            course: self.random_course(dice, course),
            role: dice.pick(roles).to_owned(),
            group: if group == "own" { format!("c{course}") } else { group.to_owned() },
            other: dice.pick(&["", "", "", "0", "1", "yes"]).to_owned(),
            timestart: time(dice).to_owned(),
            timeend: time(dice).to_owned(),
            status: dice.pick(&["", "0", "1", "active", "Suspended", "actif", "away"]).to_owned(),
        };
        self.only_columns(row)
    }

    fn random_user(&self, dice: &mut Dice) -> String {
        let number = 1 + dice.below(USERS);
        let key = match self.user_key {
            "id" => user(number).to_string(),
            "email" => format!("u{number}@example.com"),
            _ => format!("u{number}"),
        };
        match dice.below(20) {
            0 => key.to_uppercase(),
            1 => format!(" {key} "),
            2 => "nobody".to_owned(),
            3 => dice.pick(&["", "0", "guest", "1", "admin", "2"]).to_owned(),
            _ => key,
        }
    }

    fn random_course(&self, dice: &mut Dice, number: i64) -> String {
        let key = if self.course_key == "id" { course(number).to_string() } else { format!("c{number}") };
        match dice.below(25) {
            0 => key.to_uppercase(),
            1 => format!("{key} "),
            2 => "nowhere".to_owned(),
            3 => dice.pick(&["", "0"]).to_owned(),
            _ => key,
        }
    }

    fn only_columns(&self, row: Row) -> Row {
        let kept = |name: &str, value: String| if self.columns.contains(&name) { value } else { String::new() };
        Row {
            role: kept("role", row.role),
            group: kept("group", row.group),
            other: kept("other", row.other),
            timestart: kept("timestart", row.timestart),
            timeend: kept("timeend", row.timeend),
            status: kept("status", row.status),
            ..row
        }
    }

    /// A set as CSV.
    pub fn csv(&self, rows: &[Row]) -> String {
        let header: Vec<&str> = ["user", "course"].into_iter().chain(self.columns.iter().copied()).collect();
        let mut text = header.join(",") + "\n";
        for row in rows {
            let cell = |name: &&str| match *name {
                "user" => &row.user,
                "course" => &row.course,
                "role" => &row.role,
                "group" => &row.group,
                "other" => &row.other,
                "timestart" => &row.timestart,
                "timeend" => &row.timeend,
                _ => &row.status,
            };
            let cells: Vec<&str> = header.iter().map(|name| cell(name).as_str()).collect();
            text += &(cells.join(",") + "\n");
        }
        text
    }
}

impl Site {
    /// Random edits of the site between two nights: of the source's enrolments, and of the rows that its keys find.
    pub async fn a_day_passes(&mut self, dice: &mut Dice) {
        for _ in 0..dice.below(4) {
            let (who, place) = (dice.user(), dice.course());
            let of_sets = "enrolid IN (SELECT e.id FROM {enrol} e WHERE e.enrol = 'database')";
            let statement = match dice.below(8) {
                0 => format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {who} AND {of_sets}"),
                1 => format!(
                    "UPDATE {{user_enrolments}} SET timeend = {} WHERE userid = {who} AND {of_sets}",
                    NOW + dice.below(900)
                ),
                2 => {
                    format!("DELETE FROM {{role_assignments}} WHERE userid = {who} AND component = 'enrol_database'")
                }
                3 => format!("UPDATE {{course}} SET visible = 1 - visible WHERE id = {place}"),
                4 => format!("UPDATE {{user}} SET idnumber = 'u2' WHERE id = {who}"),
                5 => format!("UPDATE {{user}} SET idnumber = username WHERE id = {who}"),
                6 => format!("UPDATE {{course}} SET idnumber = 'c{}' WHERE id = {place}", 1 + dice.below(COURSES)),
                _ => "UPDATE {course} SET idnumber = shortname WHERE id > 1".to_owned(),
            };
            self.sql(&statement).await;
        }
    }
}
