//! Additions to the campus for the rules: more courses, cohorts, links between courses, groups, categories, and edits.
//! It must not expect anything; an edit writes what Moodle's pages or manual SQL would leave, without any event.

use enrold::db::{Params, Value};
use enrold::outcome::Report;
use enrold::run::SyncOrder;

use crate::campus::{self, below, context, course, role, since_now, user};
use crate::site::Site;

/// `cohort.id` of the cohort `hN`.
pub const fn cohort(number: i64) -> i64 {
    60 + number
}

/// `groups.id` of the group `gN`.
pub const fn group(number: i64) -> i64 {
    80 + number
}

/// `context.id` of the category `N`; category 1 holds the courses of the campus.
pub const fn category_context(number: i64) -> i64 {
    if number == 1 { 3 } else { 50 + number }
}

/// `enrol.id` of the meta link in the course `target` to the course `source`.
pub const fn link(target: i64, source: i64) -> i64 {
    1000 + 10 * target + source
}

/// `enrol.id` of the cohort instance in the course `target` for the cohort `number`.
pub const fn cohort_instance(target: i64, number: i64) -> i64 {
    2000 + 10 * target + number
}

/// An enrolment instance with the columns that its method uses.
#[derive(Clone, Copy)]
pub struct Instance {
    pub id: i64,
    pub method: &'static str,
    pub course: i64,
    pub status: i64,
    pub role: i64,
    pub customint1: Option<i64>,
    pub customint2: Option<i64>,
}

impl Instance {
    /// An enabled instance in the course `cN` without further settings.
    pub fn new(id: i64, method: &'static str, number: i64) -> Self {
        Self { id, method, course: course(number), status: 0, role: 0, customint1: None, customint2: None }
    }
}

impl Site {
    /// The courses `c4` to `cN`, in addition to the three of the campus.
    pub async fn courses_up_to(&mut self, last: i64) {
        for number in 4..=last {
            self.course(course(number), 1, &format!("c{number}"), &format!("c{number}")).await;
            self.context(context(number), 50, course(number), &format!("/1/3/{}", context(number))).await;
            self.context(below(number), 70, number, &format!("/1/3/{}/{}", context(number), below(number))).await;
            self.instance("manual", number, 0, "student").await;
        }
    }

    /// Replaces `enrol_plugins_enabled`.
    pub async fn methods(&mut self, enabled: &str) {
        let params = Params::new().with("enabled", enabled);
        self.edit("UPDATE {config} SET value = :enabled WHERE name = 'enrol_plugins_enabled'", params).await;
    }

    /// Replaces a setting of a plugin; `None` removes it.
    pub async fn plugin_setting(&mut self, plugin: &'static str, name: &'static str, value: Option<&str>) {
        let params = Params::new().with("plugin", plugin).with("name", name);
        self.edit("DELETE FROM {config_plugins} WHERE plugin = :plugin AND name = :name", params).await;
        if let Some(value) = value {
            self.insert("config_plugins", &campus::set(plugin, name, value)).await;
        }
    }

    /// An instance of any method.
    pub async fn instance_of(&mut self, of: Instance) {
        let number = |value: Option<i64>| value.map_or_else(|| Value::Sql("NULL".to_owned()), Value::Int);
        let row = [
            ("id", of.id.into()),
            ("enrol", of.method.into()),
            ("courseid", of.course.into()),
            ("status", of.status.into()),
            ("roleid", of.role.into()),
            ("customint1", number(of.customint1)),
            ("customint2", number(of.customint2)),
            ("timecreated", 1.into()),
            ("timemodified", 1.into()),
        ];
        self.insert("enrol", &row).await;
        self.reset_sequences_of(&["enrol"]).await;
    }

    /// A meta link in the course `target` to the course `source`, without a group.
    pub async fn link(&mut self, target: i64, source: i64) {
        let customint1 = Some(course(source));
        self.instance_of(Instance { customint1, ..Instance::new(link(target, source), "meta", target) }).await;
    }

    /// A cohort instance in the course `target` for the cohort `number`, with a role and without a group.
    pub async fn cohort_link(&mut self, target: i64, number: i64, shortname: &str) {
        let of = Instance::new(cohort_instance(target, number), "cohort", target);
        self.instance_of(Instance { role: role(shortname), customint1: Some(cohort(number)), ..of }).await;
    }

    /// Enables (0) or disables (1) an instance.
    pub async fn status(&mut self, enrolid: i64, status: i64) {
        let params = Params::new().with("id", enrolid).with("status", status);
        self.edit("UPDATE {enrol} SET status = :status WHERE id = :id", params).await;
    }

    /// Makes an instance use the group `gN`, or none (0).
    pub async fn uses_group(&mut self, enrolid: i64, number: i64) {
        let groupid = if number == 0 { 0 } else { group(number) };
        let params = Params::new().with("id", enrolid).with("groupid", groupid);
        self.edit("UPDATE {enrol} SET customint2 = :groupid WHERE id = :id", params).await;
    }

    /// Enrols `uN` by an instance, with a status and a window.
    pub async fn enrolled_by(&mut self, who: i64, enrolid: i64, status: i64, window: (i64, i64)) {
        let row = [
            ("enrolid", enrolid.into()),
            ("userid", user(who).into()),
            ("status", status.into()),
            ("timestart", window.0.into()),
            ("timeend", window.1.into()),
            ("modifierid", 2.into()),
            ("timecreated", 1.into()),
            ("timemodified", 1.into()),
        ];
        self.insert("user_enrolments", &row).await;
    }

    /// Changes status and window of an enrolment.
    pub async fn changes(&mut self, who: i64, enrolid: i64, status: i64, window: (i64, i64)) {
        let params = Params::new()
            .with("enrolid", enrolid)
            .with("userid", user(who))
            .with("status", status)
            .with("timestart", window.0)
            .with("timeend", window.1);
        let sql = "UPDATE {user_enrolments} SET status = :status, timestart = :timestart, timeend = :timeend
            WHERE enrolid = :enrolid AND userid = :userid";
        self.edit(sql, params).await;
    }

    /// Removes the enrolment of `uN` by an instance; roles and groups stay.
    pub async fn unenrolled(&mut self, who: i64, enrolid: i64) {
        let params = Params::new().with("enrolid", enrolid).with("userid", user(who));
        self.edit("DELETE FROM {user_enrolments} WHERE enrolid = :enrolid AND userid = :userid", params).await;
    }

    /// Assigns `uN` a role in a context: owned by a component and an instance, or by hand (`""`, 0).
    pub async fn assigned(&mut self, who: i64, contextid: i64, shortname: &str, of: (&str, i64), at: i64) {
        let row = [
            ("roleid", role(shortname).into()),
            ("contextid", contextid.into()),
            ("userid", user(who).into()),
            ("component", of.0.into()),
            ("itemid", of.1.into()),
            ("timemodified", at.into()),
            ("modifierid", 2.into()),
        ];
        self.insert("role_assignments", &row).await;
    }

    /// Removes all assignments of a role to `uN` in a context.
    pub async fn unassigned(&mut self, who: i64, contextid: i64, shortname: &str) {
        let params =
            Params::new().with("userid", user(who)).with("contextid", contextid).with("roleid", role(shortname));
        let sql =
            "DELETE FROM {role_assignments} WHERE userid = :userid AND contextid = :contextid AND roleid = :roleid";
        self.edit(sql, params).await;
    }

    /// Marks the account of `uN` as deleted and changes nothing else.
    pub async fn deleted(&mut self, who: i64) {
        self.edit("UPDATE {user} SET deleted = 1 WHERE id = :id", Params::new().with("id", user(who))).await;
    }

    /// Removes the course `cN`, its context, instances, enrolments and roles; rows of other courses stay, as in Moodle.
    pub async fn course_deleted(&mut self, number: i64) {
        let params = || Params::new().with("courseid", course(number)).with("contextid", context(number));
        let enrolments =
            "DELETE FROM {user_enrolments} WHERE enrolid IN (SELECT id FROM {enrol} WHERE courseid = :courseid)";
        self.edit(enrolments, params()).await;
        self.edit("DELETE FROM {enrol} WHERE courseid = :courseid", params()).await;
        self.edit("DELETE FROM {role_assignments} WHERE contextid = :contextid", params()).await;
        self.edit("DELETE FROM {context} WHERE id = :contextid", params()).await;
        self.edit("DELETE FROM {course} WHERE id = :courseid", params()).await;
    }

    /// Creates the system cohort `hN` with these members.
    pub async fn cohort(&mut self, number: i64, members: &[i64]) {
        let name = format!("h{number}");
        let row = [
            ("id", cohort(number).into()),
            ("contextid", 1.into()),
            ("name", name.as_str().into()),
            ("idnumber", name.as_str().into()),
        ];
        self.insert("cohort", &row).await;
        for who in members {
            self.joins(*who, number).await;
        }
    }

    /// `uN` joins a cohort.
    pub async fn joins(&mut self, who: i64, number: i64) {
        let row = [("cohortid", cohort(number).into()), ("userid", user(who).into()), ("timeadded", 1.into())];
        self.insert("cohort_members", &row).await;
    }

    /// `uN` leaves a cohort.
    pub async fn leaves(&mut self, who: i64, number: i64) {
        let params = Params::new().with("cohortid", cohort(number)).with("userid", user(who));
        self.edit("DELETE FROM {cohort_members} WHERE cohortid = :cohortid AND userid = :userid", params).await;
    }

    /// Creates the group `gN` in the course `cM`.
    pub async fn group(&mut self, number: i64, whither: i64) {
        let name = format!("g{number}");
        let row = [
            ("id", group(number).into()),
            ("courseid", course(whither).into()),
            ("name", name.as_str().into()),
            ("timecreated", 1.into()),
            ("timemodified", 1.into()),
        ];
        self.insert("groups", &row).await;
        self.reset_sequences_of(&["groups"]).await;
    }

    /// Makes `uN` a member of the group `gM`: owned by a component and an instance, or by hand (`""`, 0).
    pub async fn in_group(&mut self, who: i64, number: i64, of: (&str, i64)) {
        let row = [
            ("groupid", group(number).into()),
            ("userid", user(who).into()),
            ("timeadded", 1.into()),
            ("component", of.0.into()),
            ("itemid", of.1.into()),
        ];
        self.insert("groups_members", &row).await;
    }

    /// Removes `uN` from the group `gM`.
    pub async fn out_of_group(&mut self, who: i64, number: i64) {
        let params = Params::new().with("groupid", group(number)).with("userid", user(who));
        self.edit("DELETE FROM {groups_members} WHERE groupid = :groupid AND userid = :userid", params).await;
    }

    /// Creates the category `N` (from 2) under another one, or under the system (0).
    pub async fn category(&mut self, number: i64, parent: i64) {
        let row = [
            ("id", number.into()),
            ("name", format!("cat{number}").into()),
            ("parent", parent.into()),
            ("path", "".into()),
        ];
        self.insert("course_categories", &row).await;
        let above = match parent {
            0 => "/1".to_owned(),
            parent => self.path(category_context(parent)).await,
        };
        let id = category_context(number);
        self.context(id, 40, number, &format!("{above}/{id}")).await;
    }

    /// Moves the course `cN` into a category.
    pub async fn moved(&mut self, number: i64, category: i64) {
        let params = Params::new().with("id", course(number)).with("category", category);
        self.edit("UPDATE {course} SET category = :category WHERE id = :id", params).await;
        let above = self.path(category_context(category)).await;
        for id in [context(number), below(number)] {
            let tail = if id == context(number) { format!("/{id}") } else { format!("/{}/{id}", context(number)) };
            let depth = format!("{above}{tail}").matches('/').count() as i64;
            let params = Params::new().with("id", id).with("path", format!("{above}{tail}")).with("depth", depth);
            self.edit("UPDATE {context} SET path = :path, depth = :depth WHERE id = :id", params).await;
        }
    }

    async fn path(&mut self, contextid: i64) -> String {
        let params = Params::new().with("id", contextid);
        self.conn.row("SELECT path FROM {context} WHERE id = :id", &params).await.unwrap().unwrap().text(0)
    }

    /// Sets a permission of a role at a context, and creates the capability if needed.
    pub async fn permits(&mut self, shortname: &str, capability: &'static str, permission: i64, contextid: i64) {
        let params = Params::new().with("name", capability);
        let known = self.conn.number("SELECT COUNT(*) FROM {capabilities} WHERE name = :name", &params).await.unwrap();
        if known == 0 {
            self.insert("capabilities", &[("name", capability.into()), ("captype", "write".into())]).await;
        }
        let params = params.with("roleid", role(shortname)).with("contextid", contextid);
        let sql =
            "DELETE FROM {role_capabilities} WHERE roleid = :roleid AND contextid = :contextid AND capability = :name";
        self.edit(sql, params).await;
        if permission != 0 {
            let row = [
                ("roleid", role(shortname).into()),
                ("contextid", contextid.into()),
                ("capability", capability.into()),
                ("permission", permission.into()),
            ];
            self.insert("role_capabilities", &row).await;
        }
    }

    /// Runs a rule on the site: simulated first, reverted by the journal alone, and a second time without effect.
    pub async fn rule(&mut self, name: &str) -> Report {
        self.rule_over(SyncOrder::of(name)).await
    }

    /// The same on one course.
    pub async fn rule_in(&mut self, name: &str, shortname: &str) -> Report {
        self.rule_over(SyncOrder { course: Some(shortname.to_owned()), ..SyncOrder::of(name) }).await
    }

    async fn rule_over(&mut self, order: SyncOrder) -> Report {
        let before = self.dump().await;
        let rehearsal = self.engine().sync(&order, true).await.unwrap();
        self.nothing_changed(&before, "a simulated sync").await;
        let since = self.last_run().await;
        let report = self.engine().sync(&order, false).await.unwrap();
        let after = self.proved(&before, since, &rehearsal, &report).await;
        self.engine().sync(&order, false).await.unwrap();
        self.nothing_changed(&after, "a second sync").await;
        report
    }

    /// Runs a rule without proofs.
    pub async fn rule_once(&mut self, name: &str) -> Report {
        self.engine().sync(&SyncOrder::of(name), false).await.unwrap()
    }

    /// Group members as `u1 g1 meta`, or by hand as `u1 g1 manual`.
    pub async fn group_members(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, g.name, m.component FROM {groups_members} m
            JOIN {groups} g ON g.id = m.groupid JOIN {user} u ON u.id = m.userid";
        self.lines(sql, |row| {
            let component = row.text(2);
            format!("{} {} {}", row.text(0), row.text(1), component.strip_prefix("enrol_").unwrap_or("manual"))
        })
        .await
    }

    /// Enrolments through meta links as `u1 c2<c1`, with ` suspended` and ` from..to` where they apply.
    pub async fn linked(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, t.shortname, COALESCE(s.shortname, '-'), x.status, x.timestart, x.timeend
            FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'meta' JOIN {user} u ON u.id = x.userid
            JOIN {course} t ON t.id = e.courseid LEFT JOIN {course} s ON s.id = e.customint1";
        self.lines(sql, |row| {
            let suspended = if row.int(3) == 1 { " suspended" } else { "" };
            let window = match (row.int(4), row.int(5)) {
                (0, 0) => String::new(),
                (start, end) => format!(" {}..{}", since_now(start), since_now(end)),
            };
            format!("{} {}<{}{suspended}{window}", row.text(0), row.text(1), row.text(2))
        })
        .await
    }

    /// Instances of a method as the short name of the course, with ` disabled` where it applies.
    pub async fn instances(&mut self, method: &'static str) -> Vec<String> {
        let sql = format!(
            "SELECT s.shortname, e.status FROM {{enrol}} e JOIN {{course}} s ON s.id = e.courseid WHERE e.enrol = '{method}'"
        );
        self.lines(&sql, |row| format!("{}{}", row.text(0), if row.int(1) == 1 { " disabled" } else { "" })).await
    }

    async fn edit(&mut self, sql: &str, params: Params) {
        self.conn.exec(sql, &params).await.unwrap();
    }
}
