//! A model of availability rules: random users, random trees, and the users who meet a tree, evaluated one by one.
//! It must not share code with the program: it walks the tree as Moodle's classes do (spec availability 2, 4, 5).

use std::collections::{BTreeMap, BTreeSet};

use enrold::db::Value;
use serde_json::{Value as Json, json};

use crate::campus::{course, role, user};
use crate::site::NOW;

/// Number of users of a campus.
pub const MEMBERS: i64 = 9;
/// The course of the rules.
pub const COURSE: i64 = course(1);

/// Values that a collation, a wildcard or a trim could treat as equal.
const VALUES: [&str; 18] = [
    "", "0", "00", " ", "Arts", "arts", "ARTS", "Arts ", " Arts", "Ärts", "Art", "A%", "A_ts", "%", "_", "it's", "\\",
    "é",
];
const COLUMNS: [&str; 3] = ["department", "city", "institution"];
/// Custom fields with their defaults.
const FIELDS: [(&str, Option<&str>); 4] =
    [("faculty", Some("Arts")), ("level", Some("")), ("box", Some("0")), ("note", None)];
const TESTS: [&str; 7] = ["isequalto", "contains", "doesnotcontain", "startswith", "endswith", "isempty", "isnotempty"];

/// A rule with one condition or tree at its root.
pub fn rule(child: &str) -> String {
    format!(r#"{{"op":"&","c":[{child}],"showc":[true]}}"#)
}

/// A generator of pseudo-random numbers, equal for equal seeds.
pub struct Random(u64);

impl Random {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // The multiplier and increment of Knuth's MMIX generator; its low bits are weak.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }

    /// A random element.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// True with probability 1 in `in_so_many`.
    pub fn chance(&mut self, in_so_many: usize) -> bool {
        self.below(in_so_many) == 0
    }
}

/// A tree, and a leaf as its JSON.
#[derive(Clone, Debug)]
pub enum Part {
    Tree(&'static str, Vec<Part>),
    Leaf(Json),
}

impl Part {
    fn json(&self) -> Json {
        match self {
            Self::Tree(op, parts) => json!({ "op": op, "c": parts.iter().map(Part::json).collect::<Vec<_>>() }),
            Self::Leaf(json) => json.clone(),
        }
    }

    /// The text of a rule with this tree as its root.
    pub fn root(&self) -> String {
        let mut json = self.json();
        let children = json["c"].as_array().unwrap().len();
        if ["&", "!|"].contains(&json["op"].as_str().unwrap()) {
            json["showc"] = vec![true; children].into();
        } else {
            json["show"] = true.into();
        }
        json.to_string()
    }
}

/// The site in memory.
#[derive(Default)]
pub struct Model {
    columns: BTreeMap<(i64, &'static str), String>,
    fields: BTreeMap<(i64, &'static str), String>,
    cohorts: BTreeSet<(i64, i64)>,
    groups: BTreeSet<(i64, i64)>,
    badges: BTreeSet<(i64, i64)>,
    states: BTreeMap<(i64, i64), i64>,
    completed: BTreeMap<(i64, i64), Option<i64>>,
    grades: BTreeMap<i64, Option<i64>>,
    see_all: BTreeSet<i64>,
}

/// Groups 1 and 2 belong to the course, 3 to another; 2 and 3 are in grouping 5.
fn is_of_course(group: i64) -> bool {
    group != 3
}

impl Model {
    pub fn random(random: &mut Random) -> Self {
        let mut model = Self::default();
        for who in 1..=MEMBERS {
            for column in COLUMNS {
                model.columns.insert((who, column), (*random.one(&VALUES)).to_owned());
            }
            model.columns.insert((who, "lang"), (*random.one(&["en", "de", "DE"])).to_owned());
            for (field, _) in FIELDS {
                if random.chance(2) {
                    model.fields.insert((who, field), (*random.one(&VALUES)).to_owned());
                }
            }
            for number in 1..=3 {
                let mut some = |set: &mut BTreeSet<(i64, i64)>| {
                    if random.chance(3) {
                        set.insert((who, number));
                    }
                };
                some(&mut model.cohorts);
                some(&mut model.groups);
                some(&mut model.badges);
                if random.chance(2) {
                    model.states.insert((who, number), random.below(4) as i64);
                }
                if random.chance(2) {
                    let time = *random.one(&[None, Some(0), Some(5)]);
                    model.completed.insert((who, course(number)), time);
                }
            }
            if random.chance(2) {
                let grade = if random.chance(4) { None } else { Some(random.below(11) as i64 * 10) };
                model.grades.insert(who, grade);
            }
            if random.chance(5) {
                model.see_all.insert(who);
            }
        }
        model
    }

    /// The standard fields, by user.
    pub fn profiles(&self) -> Vec<(i64, &'static str, String)> {
        self.columns.iter().map(|((who, column), value)| (*who, *column, value.clone())).collect()
    }

    /// All other data, as rows.
    pub fn rows(&self) -> Vec<(&'static str, Vec<(&'static str, Value)>)> {
        let mut rows: Vec<(&'static str, Vec<(&'static str, Value)>)> = Vec::new();
        for (id, (shortname, default)) in (1i64..).zip(FIELDS) {
            let mut row = vec![("id", id.into()), ("shortname", shortname.into()), ("datatype", "text".into())];
            row.extend(default.map(|text| ("defaultdata", Value::from(text))));
            rows.push(("user_info_field", row));
        }
        for ((who, name), value) in &self.fields {
            let field = 1 + FIELDS.iter().position(|(field, _)| field == name).unwrap() as i64;
            let row = vec![("userid", user(*who).into()), ("fieldid", field.into()), ("data", value.as_str().into())];
            rows.push(("user_info_data", row));
        }
        for number in 1..=3i64 {
            // Cohorts 1 and 2 belong to the system, 3 to a category.
            let home = if number == 3 { 3 } else { 1 };
            rows.push(("cohort", vec![("id", number.into()), ("contextid", home.into())]));
            let of = if is_of_course(number) { COURSE } else { course(2) };
            rows.push(("groups", vec![("id", number.into()), ("courseid", of.into())]));
            rows.push(("badge", vec![("id", number.into()), ("type", 1.into())]));
            // Activity 3 belongs to another course.
            let of = if number == 3 { course(2) } else { COURSE };
            rows.push(("course_modules", vec![("id", number.into()), ("course", of.into())]));
        }
        for group in [2i64, 3] {
            rows.push(("groupings_groups", vec![("groupingid", 5.into()), ("groupid", group.into())]));
        }
        let mut linked = |table, column, set: &BTreeSet<(i64, i64)>| {
            for (who, number) in set {
                rows.push((table, vec![(column, (*number).into()), ("userid", user(*who).into())]));
            }
        };
        linked("cohort_members", "cohortid", &self.cohorts);
        linked("groups_members", "groupid", &self.groups);
        linked("badge_issued", "badgeid", &self.badges);
        for ((who, module), state) in &self.states {
            let row = vec![
                ("coursemoduleid", (*module).into()),
                ("userid", user(*who).into()),
                ("completionstate", (*state).into()),
            ];
            rows.push(("course_modules_completion", row));
        }
        for ((who, of), time) in &self.completed {
            let mut row = vec![("userid", user(*who).into()), ("course", (*of).into())];
            row.extend(time.map(|time| ("timecompleted", Value::Int(time))));
            rows.push(("course_completions", row));
        }
        for (who, grade) in &self.grades {
            let mut row = vec![("itemid", 40.into()), ("userid", user(*who).into())];
            row.extend(grade.map(|grade| ("finalgrade", Value::Int(grade))));
            rows.push(("grade_grades", row));
        }
        let allowed = vec![
            ("contextid", 1.into()),
            ("roleid", role("teacher").into()),
            ("capability", "moodle/site:accessallgroups".into()),
            ("permission", 1.into()),
        ];
        rows.push(("role_capabilities", allowed));
        for who in &self.see_all {
            // A role in the category above the course.
            let row = vec![("roleid", role("teacher").into()), ("contextid", 3.into()), ("userid", user(*who).into())];
            rows.push(("role_assignments", row));
        }
        rows
    }

    pub fn random_tree(&self, random: &mut Random, depth: usize) -> Part {
        let op = *random.one(&["&", "|", "!&", "!|"]);
        let size = if random.chance(12) { 0 } else { 1 + random.below(3) };
        let part = |_| {
            if depth < 3 && random.chance(3) { self.random_tree(random, depth + 1) } else { Part::Leaf(leaf(random)) }
        };
        Part::Tree(op, (0..size).map(part).collect())
    }

    /// The users who meet a tree in the course.
    pub fn let_in(&self, tree: &Part) -> BTreeSet<i64> {
        (1..=MEMBERS).filter(|who| self.holds(tree, *who, false)).collect()
    }

    fn holds(&self, part: &Part, who: i64, not: bool) -> bool {
        let (op, parts) = match part {
            Part::Leaf(json) => return self.leaf(json, who, not),
            Part::Tree(op, parts) => (op, parts),
        };
        let inner = if op.starts_with('!') { !not } else { not };
        let mut every = op.ends_with('&');
        if inner {
            every = !every;
        }
        if parts.is_empty() {
            return true;
        }
        if every {
            parts.iter().all(|part| self.holds(part, who, inner))
        } else {
            parts.iter().any(|part| self.holds(part, who, inner))
        }
    }

    fn leaf(&self, json: &Json, who: i64, not: bool) -> bool {
        let id = json["id"].as_i64();
        let positive = match json["type"].as_str().unwrap() {
            "profile" => self.profile(json, who),
            "date" => (NOW >= json["t"].as_i64().unwrap()) == (json["d"] == ">="),
            "cohort" => match id {
                Some(id) => self.cohorts.contains(&(who, id)),
                None => self.cohorts.contains(&(who, 1)) || self.cohorts.contains(&(who, 2)),
            },
            "badge" => self.badges.contains(&(who, id.unwrap())),
            "group" | "grouping" if self.see_all.contains(&who) => return true,
            "group" => (1..=3).any(|group| {
                is_of_course(group) && id.is_none_or(|id| id == group) && self.groups.contains(&(who, group))
            }),
            "grouping" => id == Some(5) && self.groups.contains(&(who, 2)),
            "completion" => {
                let module = json["cm"].as_i64().unwrap();
                if module > 2 {
                    return false;
                }
                let state = self.states.get(&(who, module)).copied().unwrap_or(0);
                match json["e"].as_i64().unwrap() {
                    0 => state == 0 || state == 3,
                    1 => state == 1 || state == 2,
                    exact => state == exact,
                }
            }
            "grade" => self.grades.get(&who).copied().flatten().is_some_and(|grade| {
                json["min"].as_i64().is_none_or(|min| grade >= min)
                    && json["max"].as_i64().is_none_or(|max| grade < max)
            }),
            "coursecompleted" => self.completed(who, COURSE) == (json["id"] == "1"),
            "othercompleted" => return self.completed(who, json["cm"].as_i64().unwrap()),
            // The language of the course is German.
            "language" => json["id"] == "de" || json["id"] == self.columns[&(who, "lang")].as_str(),
            other => panic!("{other}"),
        };
        positive != not
    }

    fn completed(&self, who: i64, of: i64) -> bool {
        self.completed.get(&(who, of)).copied().flatten().is_some_and(|time| time > 0)
    }

    fn profile(&self, json: &Json, who: i64) -> bool {
        let value = match json["sf"].as_str() {
            Some(column) => {
                self.columns.iter().find(|((of, name), _)| *of == who && *name == column).unwrap().1.as_str()
            }
            None => {
                let (name, default) = FIELDS.iter().find(|(name, _)| json["cf"] == *name).unwrap();
                self.fields.get(&(who, *name)).map_or(default.unwrap_or(""), String::as_str)
            }
        };
        let (value, text) = (value.as_bytes(), json["v"].as_str().unwrap_or("").as_bytes());
        let empty = value.is_empty() || value == b"0";
        let inside = text.is_empty() || value.windows(text.len()).any(|window| window == text);
        match json["op"].as_str().unwrap() {
            "isequalto" => value == text,
            "contains" => inside,
            "doesnotcontain" => empty || !inside,
            "startswith" => value.starts_with(text),
            "endswith" if text.is_empty() => value.is_empty(),
            "endswith" => value.ends_with(text),
            "isempty" => empty,
            _ => !empty,
        }
    }
}

fn leaf(random: &mut Random) -> Json {
    let number = 1 + random.below(3);
    match random.below(16) {
        0 => json!({ "type": "date", "d": *random.one(&[">=", "<"]), "t": NOW + random.below(3) as i64 - 1 }),
        1 => json!({ "type": "cohort", "id": number }),
        2 => json!({ "type": "cohort" }),
        3 => json!({ "type": "badge", "id": number }),
        4 => json!({ "type": "group", "id": number }),
        5 => json!({ "type": "group" }),
        6 => json!({ "type": "grouping", "id": 4 + random.below(2) }),
        7 => json!({ "type": "completion", "cm": 1 + random.below(4), "e": random.below(4) }),
        8 => json!({ "type": "coursecompleted", "id": *random.one(&["", "0", "1"]) }),
        9 => json!({ "type": "othercompleted", "cm": course(number as i64), "e": random.below(2) }),
        10 => json!({ "type": "language", "id": *random.one(&["en", "de", "DE", "fr"]) }),
        11 => {
            let mut grade = json!({ "type": "grade", "id": 40 });
            if random.chance(2) {
                grade["min"] = (random.below(10) * 10).into();
            }
            if random.chance(2) {
                grade["max"] = (random.below(10) * 10).into();
            }
            grade
        }
        _ => profile(random),
    }
}

fn profile(random: &mut Random) -> Json {
    let op = *random.one(&TESTS);
    let mut json = json!({ "type": "profile", "op": op });
    if !op.ends_with("empty") {
        json["v"] = (*random.one(&VALUES)).into();
    }
    if random.chance(2) {
        json["sf"] = (*random.one(&COLUMNS)).into();
    } else {
        json["cf"] = random.one(&FIELDS).0.into();
    }
    json
}
