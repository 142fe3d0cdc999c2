//! The desired state of the specs of the rules, written as loops over a dump of a random site: it lists violations.
//! It must not know how enrold reaches that state; it reads the result.

use std::collections::{BTreeMap, BTreeSet};

use crate::dump::{Dump, Row, text};
use crate::random_site::{CONDITIONS, SYNCHRONISED, context_of};

/// The rows of a site that the rules are about.
pub struct Facts {
    methods: BTreeSet<String>,
    settings: BTreeMap<(String, String), String>,
    instances: Vec<Instance>,
    enrolments: BTreeMap<(i64, i64), Enrolment>,
    roles: BTreeSet<(i64, i64, i64, String, i64)>,
    members: BTreeSet<(i64, i64)>,
    groups: BTreeMap<(i64, i64), (String, i64)>,
    departments: BTreeMap<i64, String>,
    /// Role assignments in categories that a course inherits: course, user, role, time.
    above: Vec<(i64, i64, i64, i64)>,
}

struct Instance {
    id: i64,
    method: String,
    course: i64,
    is_enabled: bool,
    role: i64,
    /// The columns `customint1`, `customint2`, `customint4`, `customint5` and `customint8`.
    custom: [i64; 5],
    rule: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Enrolment {
    is_active: bool,
    window: (i64, i64),
}

fn int(row: &Row, column: &str) -> i64 {
    text(row, column).parse().unwrap_or(0)
}

impl Facts {
    /// Reads the facts from a dump.
    pub fn of(dump: &Dump) -> Self {
        let set = |row: &Row, first: &str, second: &str| (int(row, first), int(row, second));
        let settings = dump["config_plugins"]
            .iter()
            .map(|row| ((text(row, "plugin").to_owned(), text(row, "name").to_owned()), text(row, "value").to_owned()));
        let methods = dump["config"].iter().find(|row| text(row, "name") == "enrol_plugins_enabled");
        let enrolments = dump["user_enrolments"].iter().map(|row| {
            let enrolment = Enrolment { is_active: int(row, "status") == 0, window: set(row, "timestart", "timeend") };
            (set(row, "enrolid", "userid"), enrolment)
        });
        let roles = dump["role_assignments"].iter().map(|row| {
            let component = text(row, "component").to_owned();
            (int(row, "roleid"), int(row, "contextid"), int(row, "userid"), component, int(row, "itemid"))
        });
        let live = dump["user"].iter().filter(|row| int(row, "deleted") == 0 && int(row, "id") > 2);
        let groups = dump["groups_members"]
            .iter()
            .map(|row| (set(row, "groupid", "userid"), (text(row, "component").to_owned(), int(row, "itemid"))));
        Self {
            methods: methods.map(|row| text(row, "value").split(',').map(str::to_owned).collect()).unwrap_or_default(),
            settings: settings.collect(),
            instances: dump["enrol"].iter().map(instance).collect(),
            enrolments: enrolments.collect(),
            roles: roles.collect(),
            members: dump["cohort_members"].iter().map(|row| set(row, "cohortid", "userid")).collect(),
            groups: groups.collect(),
            departments: live.map(|row| (int(row, "id"), text(row, "department").to_owned())).collect(),
            above: above(dump),
        }
    }

    /// The differences from the desired state of a rule, one line each.
    pub fn broken(&self, rule: &str) -> Vec<String> {
        let mut broken = Vec::new();
        for instance in self.instances.iter().filter(|instance| instance.method == rule) {
            match rule {
                "cohort" => self.cohort(instance, &mut broken),
                "meta" => self.meta(instance, &mut broken),
                "category" => self.category(instance, &mut broken),
                "autoenrol" => self.autoenrol(instance, &mut broken),
                other => panic!("nobody said what {other} asks for"),
            }
        }
        if rule == "category" {
            self.category_instances(&mut broken);
        }
        broken
    }

    fn setting(&self, method: &str, name: &str) -> &str {
        let key = (format!("enrol_{method}"), name.to_owned());
        self.settings.get(&key).map(String::as_str).unwrap_or_default()
    }

    fn of_instance(&self, id: i64) -> impl Iterator<Item = (i64, Enrolment)> + '_ {
        self.enrolments
            .iter()
            .filter(move |((instance, _), _)| *instance == id)
            .map(|((_, user), found)| (*user, *found))
    }

    fn found(&self, instance: &Instance, user: i64) -> Option<Enrolment> {
        self.enrolments.get(&(instance.id, user)).copied()
    }

    fn is_live(&self, user: i64) -> bool {
        self.departments.contains_key(&user)
    }

    /// An extra enrolment is removed if the action is 0, otherwise suspended.
    fn extra(&self, instance: &Instance, user: i64, action: &str, broken: &mut Vec<String>) {
        let found = self.found(instance, user);
        if (action == "0" && found.is_some()) || found.is_some_and(|found| found.is_active) {
            broken.push(format!("{} {}: {user} is extra and there", instance.method, instance.id));
        }
    }

    /// The roles that an instance owns are exactly the desired ones; those in `left` are optional, and with `keeps` the
    /// suspended may keep further roles.
    fn roles(
        &self,
        instance: &Instance,
        desired: &BTreeSet<(i64, i64)>,
        left: &BTreeSet<(i64, i64)>,
        keeps: bool,
        broken: &mut Vec<String>,
    ) {
        let component = format!("enrol_{}", instance.method);
        let owned = |(_, context, _, of, item): &&(i64, i64, i64, String, i64)| {
            *context == context_of(instance.course) && *of == component && *item == instance.id
        };
        let found: BTreeSet<(i64, i64)> =
            self.roles.iter().filter(owned).map(|(role, _, user, ..)| (*user, *role)).collect();
        for missing in desired.difference(&found) {
            broken.push(format!("{component} {}: role of {missing:?} is missing", instance.id));
        }
        for extra in found.difference(desired).filter(|role| !keeps && !left.contains(role)) {
            broken.push(format!("{component} {}: role of {extra:?} is extra", instance.id));
        }
    }

    /// Enrolled users are in the group of the instance; memberships that it owns in other groups are removed.
    fn grouped(&self, instance: &Instance, broken: &mut Vec<String>) {
        let group = instance.custom[1];
        for (user, _) in self.of_instance(instance.id).filter(|(user, _)| group > 0 && self.is_live(*user)) {
            if !self.groups.contains_key(&(group, user)) {
                broken.push(format!("{} {}: {user} is not in group {group}", instance.method, instance.id));
            }
        }
        let component = format!("enrol_{}", instance.method);
        for ((of, user), owner) in &self.groups {
            let is_own = *owner == (component.clone(), instance.id) && self.found(instance, *user).is_some();
            if is_own && *of != group {
                broken.push(format!("{component} {}: {user} is still in group {of}", instance.id));
            }
        }
    }

    /// Spec cohort 4.
    fn cohort(&self, instance: &Instance, broken: &mut Vec<String>) {
        let action = self.setting("cohort", "unenrolaction");
        let mut desired = BTreeSet::new();
        let role = Some(instance.role).filter(|role| [3, 4, 5].contains(role));
        for user in self.departments.keys().copied() {
            let is_member = self.members.contains(&(instance.custom[0], user));
            let found = self.found(instance, user);
            if !is_member {
                self.extra(instance, user, action, broken);
            } else if instance.is_enabled && !found.is_some_and(|found| found.is_active) {
                broken.push(format!("cohort {}: {user} is a member and not enrolled", instance.id));
            }
            if instance.is_enabled && found.is_some_and(|found| found.is_active) {
                desired.extend(role.map(|role| (user, role)));
            }
        }
        self.roles(instance, &desired, &BTreeSet::new(), action == "2", broken);
        self.grouped(instance, broken);
    }

    /// Roles that no link copies.
    fn hidden(&self) -> Vec<i64> {
        self.setting("meta", "nosyncroleids").split(',').filter_map(|role| role.parse().ok()).collect()
    }

    /// Roles that the source has from a component that is not copied: an existing copy stays (docs/meta.md).
    fn not_copied(&self, instance: &Instance) -> BTreeSet<(i64, i64)> {
        let hidden = self.hidden();
        let of_source = |(role, context, _, component, _): &&(i64, i64, i64, String, i64)| {
            *context == context_of(instance.custom[0]) && component != "enrol_meta" && !hidden.contains(role)
        };
        self.roles.iter().filter(of_source).map(|(role, _, user, ..)| (*user, *role)).collect()
    }

    /// Spec meta 3: status, window and roles that the source gives a user; `None` without an enrolment in the source.
    fn evidence(&self, instance: &Instance, user: i64) -> Option<(Enrolment, BTreeSet<i64>)> {
        let source = instance.custom[0];
        let of_source = |other: &&Instance| {
            other.course == source && other.method != "meta" && self.methods.contains(&other.method)
        };
        let given: Vec<(bool, Enrolment)> = self
            .instances
            .iter()
            .filter(of_source)
            .filter_map(|other| self.found(other, user).map(|found| (other.is_enabled, found)))
            .collect();
        let active: Vec<(i64, i64)> = given
            .iter()
            .filter(|(enabled, found)| *enabled && found.is_active)
            .map(|(_, found)| found.window)
            .collect();
        let ends = || active.iter().map(|(_, end)| *end);
        let start = active.iter().map(|(start, _)| *start).min().unwrap_or(0);
        let end = if ends().any(|end| end == 0) { 0 } else { ends().max().unwrap_or(0) };
        let hidden = self.hidden();
        let copied = |(role, context, of, component, _): &&(i64, i64, i64, String, i64)| {
            let method = component.strip_prefix("enrol_").unwrap_or_default();
            *context == context_of(source)
                && *of == user
                && (component.is_empty() || (method != "meta" && self.methods.contains(method)))
                && !hidden.contains(role)
        };
        let roles: BTreeSet<i64> = self.roles.iter().filter(copied).map(|(role, ..)| *role).collect();
        let is_let_in = !given.is_empty() && (self.setting("meta", "syncall") == "1" || !roles.is_empty());
        is_let_in.then_some((Enrolment { is_active: !active.is_empty(), window: (start, end) }, roles))
    }

    fn meta(&self, instance: &Instance, broken: &mut Vec<String>) {
        if !self.instances.iter().any(|other| other.course == instance.custom[0]) {
            // The source course was deleted: the link is not processed (docs/meta.md).
            return;
        }
        let action = self.setting("meta", "unenrolaction");
        let mut desired = BTreeSet::new();
        for user in self.departments.keys().copied() {
            let found = self.found(instance, user);
            let Some((enrolment, roles)) = self.evidence(instance, user) else {
                self.extra(instance, user, action, broken);
                continue;
            };
            if found.map_or(instance.is_enabled, |found| found != enrolment) {
                broken.push(format!("meta {}: {user} is not as in the source", instance.id));
            }
            if instance.is_enabled && enrolment.is_active {
                desired.extend(roles.into_iter().map(|role| (user, role)));
            }
        }
        // A copy may stay only for a user with an active enrolment in an enabled link.
        let mut left = self.not_copied(instance);
        left.retain(|(user, _)| {
            instance.is_enabled && self.found(instance, *user).is_some_and(|found| found.is_active)
        });
        self.roles(instance, &desired, &left, action == "2", broken);
        self.grouped(instance, broken);
    }

    /// Spec category 3.
    fn category(&self, instance: &Instance, broken: &mut Vec<String>) {
        for user in self.departments.keys().copied() {
            let times = self
                .above
                .iter()
                .filter(|(course, of, role, _)| *course == instance.course && *of == user && *role == SYNCHRONISED);
            let desired = times.map(|(.., at)| *at).min();
            let found = self.found(instance, user);
            if desired.is_some() != found.is_some() {
                broken.push(format!(
                    "category {}: {user} is {}",
                    instance.id,
                    if found.is_some() { "extra" } else { "missing" }
                ));
            }
        }
    }

    fn category_instances(&self, broken: &mut Vec<String>) {
        let desired: BTreeSet<i64> =
            self.above.iter().filter(|(_, _, role, _)| *role == SYNCHRONISED).map(|(course, ..)| *course).collect();
        let found: Vec<i64> = self
            .instances
            .iter()
            .filter(|instance| instance.method == "category")
            .map(|instance| instance.course)
            .collect();
        let distinct: BTreeSet<i64> = found.iter().copied().collect();
        if distinct != desired || found.len() != distinct.len() {
            broken.push(format!("category: instances in {found:?}, desired in {desired:?}"));
        }
    }

    /// Whether a user meets the rule of an instance (one of the five rules of a random site).
    fn matches(&self, instance: &Instance, user: i64) -> bool {
        let department = self.departments[&user].as_str();
        let in_cohort = |cohort| self.members.contains(&(cohort, user));
        match CONDITIONS.iter().position(|rule| *rule == instance.rule) {
            Some(0) => department == "A",
            Some(1) => department == "B" || in_cohort(1),
            Some(2) => !(department == "A" || in_cohort(2)),
            Some(3) => !(department.contains('B') && in_cohort(1)),
            _ => true,
        }
    }

    /// Spec autoenrol 5, with limits and other enrolments.
    fn autoenrol(&self, instance: &Instance, broken: &mut Vec<String>) {
        if !instance.is_enabled {
            return;
        }
        let [when, _, open, limit, always] = instance.custom;
        let is_full = limit > 0 && self.of_instance(instance.id).count() as i64 >= limit;
        let elsewhere = |user| {
            let here = |other: &&Instance| other.course == instance.course && other.id != instance.id;
            self.instances.iter().filter(here).any(|other| self.found(other, user).is_some())
        };
        for user in self.departments.keys().copied() {
            let found = self.found(instance, user);
            if !self.matches(instance, user) {
                self.extra(instance, user, self.setting("autoenrol", "autounenrolaction"), broken);
            } else if let Some(found) = found {
                if !found.is_active && self.setting("autoenrol", "allowunsuspend") == "1" {
                    broken.push(format!("autoenrol {}: {user} matches and is suspended", instance.id));
                }
            } else if when != 2 && open != 0 && !is_full && (always == 1 || !elsewhere(user)) {
                broken.push(format!("autoenrol {}: {user} matches and is not enrolled", instance.id));
            }
        }
    }
}

fn instance(row: &Row) -> Instance {
    Instance {
        id: int(row, "id"),
        method: text(row, "enrol").to_owned(),
        course: int(row, "courseid"),
        is_enabled: int(row, "status") == 0,
        role: int(row, "roleid"),
        custom: ["customint1", "customint2", "customint4", "customint5", "customint8"].map(|column| int(row, column)),
        rule: text(row, "customtext2").to_owned(),
    }
}

/// Role assignments in the categories above each course.
fn above(dump: &Dump) -> Vec<(i64, i64, i64, i64)> {
    let of_level = |level: i64| dump["context"].iter().filter(move |row| int(row, "contextlevel") == level);
    let mut above = Vec::new();
    for course in of_level(50) {
        for category in of_level(40) {
            if !text(course, "path").starts_with(&format!("{}/", text(category, "path"))) {
                continue;
            }
            let here = dump["role_assignments"].iter().filter(|row| text(row, "contextid") == text(category, "id"));
            above.extend(here.map(|row| {
                (int(course, "instanceid"), int(row, "userid"), int(row, "roleid"), int(row, "timemodified"))
            }));
        }
    }
    above
}
