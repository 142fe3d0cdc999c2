//! A small campus for the given/when/then of the specs: nine users, three courses, and what a test adds to them.
//! It must not run anything; it writes Moodle's tables as Moodle does and reads them back as short lines.

use enrold::db::{Params, Row, Value};

use crate::site::{NOW, Site};

/// Roles by their shortname, ids 1 to 8.
const ROLES: [&str; 8] =
    ["manager", "coursecreator", "editingteacher", "teacher", "student", "guest", "user", "frontpage"];

/// `user.id` of `uN`; the main administrator is user 2.
pub const fn user(number: i64) -> i64 {
    10 + number
}

/// `course.id` of `cN`; the front page is course 1.
pub const fn course(number: i64) -> i64 {
    20 + number
}

/// `context.id` of the course `cN`.
pub const fn context(number: i64) -> i64 {
    100 + number
}

/// `context.id` of an activity in the course `cN`.
pub const fn below(number: i64) -> i64 {
    200 + number
}

/// `enrol.id` of a method's instance in the course `cN`, as [`Site::instance`] creates it.
pub fn instance(method: &str, number: i64) -> i64 {
    let of_method = match method {
        "manual" => 300,
        "self" => 400,
        "flatfile" => 500,
        "cohort" => 600,
        "meta" => 700,
        "autoenrol" => 1100,
        "coursecompleted" => 1200,
        "database" => 1300,
        _ => 800,
    };
    of_method + number
}

/// `role.id` of a shortname.
pub fn role(shortname: &str) -> i64 {
    1 + ROLES.iter().position(|known| *known == shortname).unwrap() as i64
}

/// A row of `config_plugins`.
pub fn set(plugin: &str, name: &str, value: &str) -> [(&'static str, Value); 3] {
    [("plugin", plugin.into()), ("name", name.into()), ("value", value.into())]
}

impl Site {
    /// Users `u1…u9` and courses `c1…c3`, identified by idnumber, each course with a manual instance and an activity.
    /// The flat file is enabled; its `del` lines and expirations suspend and remove roles, which is Moodle's default.
    pub async fn campus(&mut self) {
        self.gather();
        let methods = "manual,guest,self,cohort,meta,category,flatfile";
        for (name, value) in [("siteadmins", "2"), ("siteguest", "1"), ("enrol_plugins_enabled", methods)] {
            self.insert("config", &[("name", name.into()), ("value", value.into())]).await;
        }
        for (name, value) in [("unenrolaction", "3"), ("expiredaction", "3")] {
            self.insert("config_plugins", &set("enrol_flatfile", name, value)).await;
        }
        self.insert("config_plugins", &set("tool_log", "enabled_stores", "logstore_standard")).await;
        for (at, shortname) in (1..).zip(ROLES) {
            let row = [
                ("id", at.into()),
                ("shortname", shortname.into()),
                ("sortorder", at.into()),
                ("archetype", shortname.into()),
            ];
            self.insert("role", &row).await;
        }
        self.context(1, 10, 0, "/1").await;
        self.context(3, 40, 1, "/1/3").await;
        self.account(1, "guest", "").await;
        self.account(2, "admin", "").await;
        for number in 1..=9 {
            self.account(user(number), &format!("u{number}"), &format!("u{number}")).await;
        }
        self.course(1, 0, "front", "").await;
        self.context(2, 50, 1, "/1/2").await;
        for number in 1..=3 {
            self.course(course(number), 1, &format!("c{number}"), &format!("c{number}")).await;
            self.context(context(number), 50, course(number), &format!("/1/3/{}", context(number))).await;
            self.context(below(number), 70, number, &format!("/1/3/{}/{}", context(number), below(number))).await;
            self.method_row("manual", number, 0, "student").await;
        }
        self.send().await;
        self.reset_sequences_of(&["enrol"]).await;
    }

    /// A row of `context`.
    pub async fn context(&mut self, id: i64, level: i64, of: i64, path: &str) {
        let depth = path.matches('/').count() as i64;
        let row = [
            ("id", id.into()),
            ("contextlevel", level.into()),
            ("instanceid", of.into()),
            ("path", path.into()),
            ("depth", depth.into()),
        ];
        self.insert("context", &row).await;
    }

    async fn account(&mut self, id: i64, username: &str, idnumber: &str) {
        let row = [
            ("id", id.into()),
            ("username", username.into()),
            ("idnumber", idnumber.into()),
            ("mnethostid", 1.into()),
            ("confirmed", 1.into()),
            ("email", format!("{username}@example.com").into()),
        ];
        self.insert("user", &row).await;
    }

    /// A row of `course`.
    pub async fn course(&mut self, id: i64, category: i64, shortname: &str, idnumber: &str) {
        let row = [
            ("id", id.into()),
            ("category", category.into()),
            ("fullname", shortname.into()),
            ("shortname", shortname.into()),
            ("idnumber", idnumber.into()),
        ];
        self.insert("course", &row).await;
    }

    /// Replaces a setting of `enrol_flatfile`; `None` removes it.
    pub async fn setting(&mut self, name: &'static str, value: Option<&str>) {
        let params = Params::new().with("name", name);
        let sql = "DELETE FROM {config_plugins} WHERE plugin = 'enrol_flatfile' AND name = :name";
        self.conn.exec(sql, &params).await.unwrap();
        if let Some(value) = value {
            self.insert("config_plugins", &set("enrol_flatfile", name, value)).await;
        }
    }

    /// An instance of a method in a course.
    pub async fn instance(&mut self, method: &str, number: i64, status: i64, default_role: &str) {
        self.method_row(method, number, status, default_role).await;
        self.reset_sequences_of(&["enrol"]).await;
    }

    async fn method_row(&mut self, method: &str, number: i64, status: i64, default_role: &str) {
        let row = [
            ("id", instance(method, number).into()),
            ("enrol", method.into()),
            ("courseid", course(number).into()),
            ("status", status.into()),
            ("roleid", role(default_role).into()),
            ("timecreated", 1.into()),
            ("timemodified", 1.into()),
        ];
        self.insert("enrol", &row).await;
    }

    /// Enrols `uN` in `cM` by a method, as Moodle did in the past.
    pub async fn enrolled(&mut self, who: i64, whither: i64, method: &str) {
        self.enrolled_until(who, whither, method, 0).await;
    }

    /// The same with an end.
    pub async fn enrolled_until(&mut self, who: i64, whither: i64, method: &str, timeend: i64) {
        let row = [
            ("enrolid", instance(method, whither).into()),
            ("userid", user(who).into()),
            ("timeend", timeend.into()),
            ("modifierid", 2.into()),
            ("timecreated", 1.into()),
            ("timemodified", 1.into()),
        ];
        self.insert("user_enrolments", &row).await;
    }

    /// Assigns `uN` a role in `cM`: owned by a method, or by hand (`manual`).
    pub async fn has_role(&mut self, who: i64, whither: i64, shortname: &str, of: &str) {
        self.has_role_in(who, context(whither), shortname, of, whither).await;
    }

    /// Assigns `uN` a role by hand in an activity of `cM`.
    pub async fn has_role_below(&mut self, who: i64, whither: i64, shortname: &str) {
        self.has_role_in(who, below(whither), shortname, "manual", whither).await;
    }

    async fn has_role_in(&mut self, who: i64, context: i64, shortname: &str, of: &str, whither: i64) {
        let (component, itemid) = match of {
            "manual" => (String::new(), 0),
            method => (format!("enrol_{method}"), instance(method, whither)),
        };
        let row = [
            ("roleid", role(shortname).into()),
            ("contextid", context.into()),
            ("userid", user(who).into()),
            ("component", component.into()),
            ("itemid", itemid.into()),
            ("timemodified", 1.into()),
            ("modifierid", 2.into()),
        ];
        self.insert("role_assignments", &row).await;
    }

    /// Enrolments as `u1 c1 manual`, with ` suspended` and ` from..to` where they apply.
    pub async fn enrolments(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, s.shortname, e.enrol, x.status, x.timestart, x.timeend FROM {user_enrolments} x
            JOIN {enrol} e ON e.id = x.enrolid JOIN {course} s ON s.id = e.courseid JOIN {user} u ON u.id = x.userid";
        self.lines(sql, |row| {
            let suspended = if row.int(3) == 1 { " suspended" } else { "" };
            let window = match (row.int(4), row.int(5)) {
                (0, 0) => String::new(),
                (start, end) => format!(" {}..{}", since_now(start), since_now(end)),
            };
            format!("{} {} {}{suspended}{window}", row.text(0), row.text(1), row.text(2))
        })
        .await
    }

    /// Roles as `u1 c1 student manual`, in an activity as `u1 c1/below student manual`.
    pub async fn roles(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, s.shortname, k.id, r.shortname, a.component FROM {role_assignments} a
            JOIN {user} u ON u.id = a.userid JOIN {role} r ON r.id = a.roleid JOIN {context} k ON k.id = a.contextid
            JOIN {context} h ON h.contextlevel = 50 AND (h.id = k.id OR k.path LIKE h.path || '/%')
            JOIN {course} s ON s.id = h.instanceid";
        self.lines(sql, |row| {
            let below = if row.int(2) > below(0) { "/below" } else { "" };
            let component = row.text(4);
            let of = component.strip_prefix("enrol_").unwrap_or("manual");
            format!("{} {}{below} {} {of}", row.text(0), row.text(1), row.text(3))
        })
        .await
    }

    /// The buffer of future lines, as `add u1 c1 student from..to`.
    pub async fn buffer(&mut self) -> Vec<String> {
        let sql =
            "SELECT b.action, u.username, s.shortname, r.shortname, b.timestart, b.timeend FROM {enrol_flatfile} b
            JOIN {user} u ON u.id = b.userid JOIN {course} s ON s.id = b.courseid JOIN {role} r ON r.id = b.roleid";
        self.lines(sql, |row| {
            let window = format!("{}..{}", since_now(row.int(4)), since_now(row.int(5)));
            format!("{} {} {} {} {window}", row.text(0), row.text(1), row.text(2), row.text(3))
        })
        .await
    }

    /// Log events as `u1 user_enrolment created`, in order.
    pub async fn events(&mut self) -> Vec<String> {
        let sql = "SELECT COALESCE(u.username, '-'), l.target, l.action FROM {logstore_standard_log} l
            LEFT JOIN {user} u ON u.id = l.relateduserid ORDER BY l.id";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        rows.iter().map(|row| format!("{} {} {}", row.text(0), row.text(1), row.text(2))).collect()
    }

    /// The number of rows of a table.
    pub async fn count(&mut self, table: &str) -> i64 {
        self.conn.number(&format!("SELECT COUNT(*) FROM {{{table}}}"), &Params::new()).await.unwrap()
    }

    /// The rows of a query as sorted lines.
    pub async fn lines(&mut self, sql: &str, line: impl Fn(&Row) -> String) -> Vec<String> {
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let mut lines: Vec<String> = rows.iter().map(line).collect();
        lines.sort();
        lines
    }
}

/// Times near the clock of the tests as their distance from it, all others unchanged.
pub fn since_now(time: i64) -> String {
    let distance = time - NOW;
    if distance.abs() < 1_000_000 { format!("now{distance:+}") } else { time.to_string() }
}
