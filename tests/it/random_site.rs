//! A small random site with rows for every rule, from a seed, and random edits of it as Moodle makes them.
//! It must not run anything, nor know the results of rules.

use enrold::db::Value;

use crate::site::{NOW, Site};

/// How many users and courses there are.
pub const USERS: i64 = 8;
pub const COURSES: i64 = 6;
const CATEGORIES: i64 = 3;
const COHORTS: i64 = 2;
const ROLES: [i64; 3] = [3, 4, 5];

/// The role that categories synchronise.
pub const SYNCHRONISED: i64 = 5;

/// Random numbers from a seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// 0 to `sides` - 1.
    pub fn below(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % sides
    }

    pub fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as i64) as usize]
    }

    /// A user who is not deleted: Moodle does not change others.
    pub fn user(&mut self) -> i64 {
        user(1 + self.below(USERS - 1))
    }

    pub fn course(&mut self) -> i64 {
        course(1 + self.below(COURSES))
    }

    /// No window, or one that is past, open or future.
    fn window(&mut self) -> (i64, i64) {
        self.pick(&[(0, 0), (0, 0), (NOW - 900, NOW - 50), (NOW - 900, NOW + 900), (NOW + 50, 0), (0, NOW + 700)])
    }
}

/// `user.id` of `uN`, from 1; the last one is deleted.
pub fn user(number: i64) -> i64 {
    10 + number
}

/// `course.id` of `cN`, from 1.
pub fn course(number: i64) -> i64 {
    20 + number
}

/// `context.id` of a course.
pub fn context_of(courseid: i64) -> i64 {
    courseid + 100
}

/// `groups.id` of the group of a course.
pub fn group_of(courseid: i64) -> i64 {
    courseid + 200
}

/// `enrol.id` of the manual instance of a course.
pub fn manual_of(courseid: i64) -> i64 {
    courseid + 300
}

/// The kind of autoenrol instances on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autoenrol {
    /// Instances enrol all matching users, whatever other enrolments exist: the order of rules is irrelevant.
    Always,
    /// Some have limits, some skip users who are already in the course.
    Choosy,
}

/// A condition of `customtext2`, and whether a user with this department and these cohorts meets it.
pub const CONDITIONS: [&str; 5] = [
    r#"{"op":"&","c":[{"type":"profile","sf":"department","op":"isequalto","v":"A"}],"showc":[true]}"#,
    r#"{"op":"|","c":[{"type":"profile","sf":"department","op":"isequalto","v":"B"},{"type":"cohort","id":1}],"show":true}"#,
    r#"{"op":"!|","c":[{"type":"profile","sf":"department","op":"isequalto","v":"A"},{"type":"cohort","id":2}],"showc":[true,true]}"#,
    r#"{"op":"!&","c":[{"type":"profile","sf":"department","op":"contains","v":"B"},{"type":"cohort","id":1}],"show":true}"#,
    "",
];

type Cells = Vec<(&'static str, Value)>;

/// A table row from numbers and texts.
macro_rules! row {
    ($($column:ident: $value:expr),* $(,)?) => { vec![$((stringify!($column), Value::from($value))),*] as Cells };
}

impl Site {
    /// Fills an empty site; equal seeds give equal sites.
    pub async fn random(&mut self, seed: u64, autoenrol: Autoenrol) {
        let dice = &mut Dice::new(seed);
        self.gather();
        self.random_ground(dice).await;
        self.random_enrolments(dice).await;
        self.random_cohorts(dice).await;
        self.random_links(dice).await;
        self.random_category_roles(dice).await;
        self.random_autoenrols(dice, autoenrol).await;
        self.random_completions(dice).await;
        self.send().await;
        self.reset_sequences().await;
    }

    /// Settings, roles, categories, accounts, and courses, each with a group, a manual and a flat-file instance.
    async fn random_ground(&mut self, dice: &mut Dice) {
        let methods = "manual,flatfile,cohort,category,coursecompleted,autoenrol,meta";
        let with_self = if dice.chance(50) { format!("{methods},self") } else { methods.to_owned() };
        for (name, value) in [("siteadmins", "2"), ("siteguest", "1"), ("enrol_plugins_enabled", with_self.as_str())] {
            self.insert("config", &row! { name: name, value: value }).await;
        }
        let actions = ["0", "2", "3"];
        for (plugin, name, value) in [
            ("tool_log", "enabled_stores", "logstore_standard"),
            ("enrol_flatfile", "unenrolaction", "0"),
            ("enrol_flatfile", "expiredaction", "1"),
            ("enrol_cohort", "unenrolaction", dice.pick(&actions)),
            ("enrol_meta", "unenrolaction", dice.pick(&actions)),
            ("enrol_meta", "syncall", dice.pick(&["0", "1", "1"])),
            ("enrol_meta", "nosyncroleids", dice.pick(&["", "4", "3,4"])),
            ("enrol_autoenrol", "autounenrolaction", dice.pick(&actions)),
            ("enrol_autoenrol", "allowunsuspend", dice.pick(&["0", "1"])),
        ] {
            self.insert("config_plugins", &row! { plugin: plugin, name: name, value: value }).await;
        }
        for (id, shortname) in [(3, "editingteacher"), (4, "teacher"), (5, "student")] {
            self.insert("role", &row! { id: id, shortname: shortname, sortorder: id, archetype: shortname }).await;
        }
        self.context(1, 10, 0, "/1").await;
        let mut paths = vec!["/1".to_owned()];
        for id in 1..=CATEGORIES {
            let above = dice.below(paths.len() as i64) as usize;
            let path = format!("{}/{}", paths[above], 100 + id);
            let row = row! { id: id, name: "category", parent: above as i64, path: "" };
            self.insert("course_categories", &row).await;
            self.context(100 + id, 40, id, &path).await;
            paths.push(path);
        }
        for id in (1..=COURSES).map(course) {
            let category = 1 + dice.below(CATEGORIES);
            let name = format!("c{}", id - 20);
            let row = row! { id: id, category: category, fullname: name.as_str(), shortname: name.as_str(), idnumber: name.as_str() };
            self.insert("course", &row).await;
            self.context(context_of(id), 50, id, &format!("{}/{}", paths[category as usize], context_of(id))).await;
            self.insert("groups", &row! { id: group_of(id), courseid: id, name: name.as_str() }).await;
            self.instance_row(row! { id: manual_of(id), enrol: "manual", courseid: id, roleid: 5 }).await;
            self.instance_row(row! { id: id + 400, enrol: "self", courseid: id, roleid: 5, status: dice.below(2) })
                .await;
            self.instance_row(row! { id: id + 500, enrol: "flatfile", courseid: id, roleid: 5 }).await;
        }
        for (id, name) in [(1, "guest".to_owned()), (2, "admin".to_owned())]
            .into_iter()
            .chain((1..=USERS).map(|number| (user(number), format!("u{number}"))))
        {
            let row = row! {
                id: id, username: name.as_str(), idnumber: name.as_str(), mnethostid: 1, confirmed: 1,
                email: format!("{name}@example.com"), department: dice.pick(&["A", "B", ""]), deleted: i64::from(id == user(USERS)),
            };
            self.insert("user", &row).await;
        }
    }

    async fn instance_row(&mut self, mut row: Cells) {
        row.extend(row! { timecreated: 1, timemodified: 1 });
        self.insert("enrol", &row).await;
    }

    /// Enrolments and roles that no rule owns; the deleted user has none.
    async fn random_enrolments(&mut self, dice: &mut Dice) {
        for userid in (1..USERS).map(user) {
            for courseid in (1..=COURSES).map(course) {
                let mut is_in_group = false;
                for instance in [manual_of(courseid), courseid + 400] {
                    if !dice.chance(15) {
                        continue;
                    }
                    let (start, end) = dice.window();
                    let row = row! {
                        enrolid: instance, userid: userid, status: i64::from(dice.chance(20)), timestart: start, timeend: end,
                        modifierid: 2, timecreated: 1, timemodified: 1,
                    };
                    self.insert("user_enrolments", &row).await;
                    let roleid = dice.pick(&ROLES);
                    if instance == manual_of(courseid) && dice.chance(80) {
                        self.role_row(userid, context_of(courseid), roleid, 1).await;
                    }
                    if dice.chance(30) && !is_in_group {
                        is_in_group = true;
                        let row = row! { groupid: group_of(courseid), userid: userid, timeadded: 1 };
                        self.insert("groups_members", &row).await;
                    }
                }
            }
        }
    }

    async fn role_row(&mut self, userid: i64, contextid: i64, roleid: i64, at: i64) {
        let row = row! { roleid: roleid, contextid: contextid, userid: userid, component: "", itemid: 0, timemodified: at, modifierid: 2 };
        self.insert("role_assignments", &row).await;
    }

    async fn random_cohorts(&mut self, dice: &mut Dice) {
        for id in 1..=COHORTS {
            self.insert("cohort", &row! { id: id, contextid: 1, name: "cohort", idnumber: format!("h{id}") }).await;
            for userid in (1..=USERS).map(user) {
                if dice.chance(40) {
                    self.insert("cohort_members", &row! { cohortid: id, userid: userid, timeadded: 1 }).await;
                }
            }
        }
        for number in 1..=4 {
            let courseid = dice.course();
            let row = row! {
                id: 600 + number, enrol: "cohort", courseid: courseid, roleid: dice.pick(&[0, 4, 5, 99]), status: i64::from(dice.chance(20)),
                customint1: dice.pick(&[1, 2, 77]), customint2: dice.pick(&[0, group_of(courseid)]),
            };
            self.instance_row(row).await;
        }
    }

    async fn random_links(&mut self, dice: &mut Dice) {
        for number in 1..=5 {
            let courseid = dice.course();
            let source = if dice.chance(5) { 99 } else { dice.course() };
            let row = row! {
                id: 700 + number, enrol: "meta", courseid: courseid, roleid: 0, status: i64::from(dice.chance(20)),
                customint1: source, customint2: dice.pick(&[0, group_of(courseid)]),
            };
            if source != courseid {
                self.instance_row(row).await;
            }
        }
    }

    async fn random_category_roles(&mut self, dice: &mut Dice) {
        self.insert("capabilities", &row! { name: "enrol/category:synchronised", captype: "write" }).await;
        let row = row! { contextid: 1, roleid: SYNCHRONISED, capability: "enrol/category:synchronised", permission: 1 };
        self.insert("role_capabilities", &row).await;
        for userid in (1..USERS).map(user) {
            for category in 1..=CATEGORIES {
                if dice.chance(15) {
                    let (roleid, at) = (dice.pick(&ROLES), 1_000 + dice.below(1_000));
                    self.role_row(userid, 100 + category, roleid, at).await;
                }
            }
        }
    }

    async fn random_autoenrols(&mut self, dice: &mut Dice, autoenrol: Autoenrol) {
        for number in 1..=3 {
            let choosy = autoenrol == Autoenrol::Choosy;
            let limit = if choosy { dice.pick(&[0, 1, 2, 3]) } else { 0 };
            let always = if choosy { dice.below(2) } else { 1 };
            let row = row! {
                id: 800 + number, enrol: "autoenrol", courseid: dice.course(), roleid: dice.pick(&[4, 5]), status: i64::from(dice.chance(15)),
                customint1: dice.pick(&[0, 1, 2]), customint3: 0, customint4: i64::from(dice.chance(85)), customint5: limit, customint7: 0,
                customint8: always, customchar3: "-", customtext2: dice.pick(&CONDITIONS), enrolperiod: dice.pick(&[0, 500]),
            };
            self.instance_row(row).await;
        }
    }

    /// Instances for completed courses, and completions from before them.
    async fn random_completions(&mut self, dice: &mut Dice) {
        for number in 1..=3 {
            let (courseid, source) = (dice.course(), dice.course());
            let row = row! {
                id: 900 + number, enrol: "coursecompleted", courseid: courseid, roleid: 5, status: i64::from(dice.chance(10)),
                customint1: source, customint2: 0, customint3: dice.below(2), customint4: 0, customint5: i64::from(dice.chance(30)),
                enrolperiod: dice.pick(&[0, 500]),
            };
            self.instance_row(row).await;
        }
        for userid in (1..USERS).map(user) {
            if dice.chance(20) {
                self.completion_row(userid, dice.course(), NOW - 500).await;
            }
        }
    }

    /// Moodle's cron records that some users have completed a course, for the first time or again.
    pub async fn random_news(&mut self, dice: &mut Dice) {
        for _ in 0..1 + dice.below(6) {
            let (userid, courseid) = (dice.user(), dice.course());
            self.sql(&format!("DELETE FROM {{course_completions}} WHERE userid = {userid} AND course = {courseid}"))
                .await;
            self.completion_row(userid, courseid, NOW - dice.below(400)).await;
        }
    }

    async fn completion_row(&mut self, userid: i64, courseid: i64, at: i64) {
        let row = row! { userid: userid, course: courseid, timecompleted: at };
        self.insert("course_completions", &row).await;
    }
}
