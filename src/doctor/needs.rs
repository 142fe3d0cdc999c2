//! Lists what enrold's statements need of each table: the columns to read, insert and update, and whether they delete.
//! It must not know databases or accounts; a test runs enrold with exactly these rights, so that the list stays true.

mod accounts;
mod groups;

pub use accounts::ACCOUNTS;
pub use groups::GROUPS;

/// What enrold needs of one table.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The name, without the site's prefix; enrold's own tables have none.
    pub table: &'static str,
    /// The columns that are read.
    pub read: &'static [&'static str],
    /// The journal keeps complete old rows of this table: every column is read, whatever the site's version.
    pub whole_rows: bool,
    /// The columns of inserted rows.
    pub insert: &'static [&'static str],
    /// The columns that are updated.
    pub update: &'static [&'static str],
    /// Rows are deleted.
    pub delete: bool,
    /// enrold also works without this table.
    pub optional: bool,
}

impl Need {
    const fn reads(table: &'static str, read: &'static [&'static str]) -> Self {
        Self { table, read, whole_rows: false, insert: &[], update: &[], delete: false, optional: false }
    }

    const fn rows(table: &'static str, read: &'static [&'static str]) -> Self {
        Self { whole_rows: true, ..Self::reads(table, read) }
    }

    const fn inserts(self, insert: &'static [&'static str]) -> Self {
        Self { insert, ..self }
    }

    const fn updates(self, update: &'static [&'static str]) -> Self {
        Self { update, ..self }
    }

    const fn deletes(self) -> Self {
        Self { delete: true, ..self }
    }

    const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// True for one of enrold's own tables.
    pub fn is_own(&self) -> bool {
        self.table.starts_with("enrold_")
    }

    /// The name in the database.
    pub fn full_name(&self, prefix: &str) -> String {
        if self.is_own() { self.table.to_owned() } else { format!("{prefix}{}", self.table) }
    }

    /// Every column that must exist.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.read.iter().chain(self.insert).chain(self.update).copied()
    }
}

/// Moodle's columns of an instance, without its enrolment key: the journal keeps the row of a removed instance.
const INSTANCE: &[&str] = &[
    "id",
    "enrol",
    "status",
    "courseid",
    "sortorder",
    "name",
    "enrolperiod",
    "enrolstartdate",
    "enrolenddate",
    "expirynotify",
    "expirythreshold",
    "notifyall",
    "cost",
    "currency",
    "roleid",
    "customint1",
    "customint2",
    "customint3",
    "customint4",
    "customint5",
    "customint6",
    "customint7",
    "customint8",
    "customchar1",
    "customchar2",
    "customchar3",
    "customdec1",
    "customdec2",
    "customtext1",
    "customtext2",
    "customtext3",
    "customtext4",
    "timecreated",
    "timemodified",
];

/// The columns of a problem.
const PROBLEM: &[&str] = &["run", "n", "place", "number", "code", "value", "hint", "file", "fileline"];

/// The columns of a line that waits.
const WAITING: &[&str] = &[
    "id",
    "kind",
    "run",
    "source",
    "line",
    "dropped",
    "lacks",
    "userkey",
    "ukey",
    "written",
    "placekey",
    "pkey",
    "roleid",
    "timestart",
    "timeend",
    "created",
    "expires",
    "state",
    "changed",
    "byrun",
    "note",
    "gkey",
    "status",
    "other",
    "file",
];

/// Moodle's tables, then enrold's own.
pub const NEEDS: &[Need] = &[
    Need::reads("config", &["name", "value"]),
    Need::reads("config_plugins", &["plugin", "name", "value"]),
    Need::reads("role", &["id", "name", "shortname", "sortorder", "archetype"]),
    Need::reads("capabilities", &["name"]),
    Need::reads("role_capabilities", &["roleid", "contextid", "capability", "permission"]),
    Need::reads("context", &["id", "contextlevel", "instanceid", "path"]),
    Need::reads(
        "user",
        &[
            "id",
            "username",
            "idnumber",
            "email",
            "deleted",
            "mnethostid",
            "firstname",
            "lastname",
            "lang",
            "maildisplay",
            "emailstop",
            "suspended",
            "auth",
            "lastaccess",
            "department",
            "institution",
            "city",
            "country",
            "address",
            "phone1",
            "phone2",
            "timezone",
            "picture",
            "policyagreed",
        ],
    ),
    Need::reads("role_names", &["roleid", "contextid", "name"]),
    Need::reads(
        "course",
        &["id", "shortname", "idnumber", "category", "fullname", "lang", "visible", "startdate", "enddate"],
    ),
    Need::reads("course_categories", &["id", "parent", "name", "idnumber"]),
    Need::reads("task_scheduled", &["classname", "disabled", "timestarted"]),
    Need::reads("enrol", INSTANCE)
        .inserts(&[
            "enrol",
            "status",
            "courseid",
            "sortorder",
            "enrolstartdate",
            "enrolenddate",
            "roleid",
            "timecreated",
            "timemodified",
        ])
        .updates(&["status", "timemodified"])
        .deletes(),
    Need::rows(
        "user_enrolments",
        &["id", "enrolid", "userid", "status", "timestart", "timeend", "timecreated", "timemodified", "modifierid"],
    )
    .inserts(&["enrolid", "status", "userid", "timestart", "timeend", "modifierid", "timecreated", "timemodified"])
    .updates(&["status", "timestart", "timeend", "modifierid", "timemodified"])
    .deletes(),
    Need::rows(
        "role_assignments",
        &["id", "roleid", "contextid", "userid", "component", "itemid", "timemodified", "modifierid"],
    )
    .inserts(&["roleid", "contextid", "userid", "timemodified", "modifierid", "component", "itemid", "sortorder"])
    .updates(&["component", "itemid"])
    .deletes(),
    Need::rows("enrol_flatfile", &["id", "action", "roleid", "userid", "courseid", "timestart", "timeend"])
        .inserts(&["action", "roleid", "userid", "courseid", "timestart", "timeend", "timemodified"])
        .deletes(),
    Need::reads("cohort", &["id", "contextid", "name", "idnumber", "component", "timecreated"]).inserts(&[
        "contextid",
        "name",
        "idnumber",
        "description",
        "descriptionformat",
        "visible",
        "component",
        "theme",
        "timecreated",
        "timemodified",
    ]),
    Need::rows("cohort_members", &["id", "cohortid", "userid", "timeadded"])
        .inserts(&["cohortid", "userid", "timeadded"])
        .deletes(),
    Need::reads("groupings_groups", &["groupingid", "groupid"]),
    Need::reads("user_info_field", &["id", "shortname", "datatype", "defaultdata"]),
    Need::reads("user_info_data", &["userid", "fieldid", "data"]),
    Need::reads("badge", &["id", "type"]),
    Need::reads("badge_issued", &["badgeid", "userid"]),
    Need::reads("course_modules_completion", &["coursemoduleid", "userid", "completionstate"]),
    Need::rows("groups", &["id", "courseid", "name", "idnumber", "timecreated", "timemodified"])
        .inserts(&["courseid", "idnumber", "name", "description", "descriptionformat", "timecreated", "timemodified"])
        .updates(&["timemodified"]),
    Need::rows("groups_members", &["id", "groupid", "userid", "timeadded", "component", "itemid"])
        .inserts(&["groupid", "userid", "timeadded", "component", "itemid"])
        .updates(&["component", "itemid"])
        .deletes(),
    Need::reads("message_conversations", &["id", "component", "itemtype", "itemid", "contextid"]).optional(),
    Need::rows("message_conversation_members", &["id", "conversationid", "userid"])
        .inserts(&["conversationid", "userid", "timecreated"])
        .deletes()
        .optional(),
    Need::reads("course_completions", &["userid", "course", "timecompleted"]),
    Need::reads("grade_items", &["id", "courseid"]),
    Need::rows("grade_grades", &["id", "itemid", "userid"]).deletes(),
    Need::reads("grade_grades_history", &[]).inserts(&[
        "action",
        "oldid",
        "source",
        "timemodified",
        "loggeduser",
        "itemid",
        "userid",
    ]),
    Need::rows("user_lastaccess", &["id", "userid", "courseid", "timeaccess"]).deletes(),
    Need::reads("modules", &["id", "name"]).optional(),
    Need::reads("course_modules", &["id", "course", "module", "instance", "deletioninprogress"]).optional(),
    Need::reads("forum", &["id", "course", "forcesubscribe"]).optional(),
    Need::rows("forum_subscriptions", &["id", "userid", "forum"]).inserts(&["userid", "forum"]).deletes().optional(),
    Need::rows("forum_digests", &["id", "userid", "forum"]).deletes().optional(),
    Need::rows("forum_track_prefs", &["id", "userid", "forumid"]).deletes().optional(),
    Need::rows("forum_read", &["id", "userid", "forumid"]).deletes().optional(),
    Need::reads("cache_flags", &["flagtype", "name"])
        .inserts(&["flagtype", "name", "timemodified", "value", "expiry"])
        .updates(&["value", "timemodified", "expiry"]),
    Need::reads("logstore_standard_log", &[])
        .inserts(&[
            "eventname",
            "component",
            "action",
            "target",
            "objecttable",
            "objectid",
            "crud",
            "edulevel",
            "contextid",
            "contextlevel",
            "contextinstanceid",
            "userid",
            "courseid",
            "relateduserid",
            "anonymous",
            "other",
            "timecreated",
            "origin",
        ])
        .optional(),
    Need::rows("enrold_schema", &["version", "prefix"]),
    Need::rows("enrold_lease", &["name", "holder", "fence", "heartbeat", "since"]).updates(&[
        "holder",
        "fence",
        "heartbeat",
        "since",
    ]),
    Need::rows("enrold_run", &["id", "state", "effects", "effectseq"])
        .inserts(&[
            "id",
            "kind",
            "source",
            "state",
            "clock",
            "started",
            "parent",
            "version",
            "sha256",
            "device",
            "inode",
            "size",
            "mtime",
            "effects",
            "effectseq",
            "token",
        ])
        .updates(&[
            "state",
            "ended",
            "counts",
            "message",
            "effects",
            "effectseq",
            "decision",
            "decided",
            "parts",
            "partsdone",
        ])
        .deletes(),
    Need::rows("enrold_task", &["name"])
        .inserts(&["name", "started", "ended", "result", "run", "succeeded", "message"])
        .updates(&["started", "ended", "result", "run", "succeeded", "message"]),
    // The journal is never deleted or rewritten: updates only mark overtaken changes and fill in ids and `lastenrol`.
    Need::rows("enrold_change", &["run", "seq", "kind", "state", "oldrow"])
        .inserts(&["run", "seq", "kind", "cause", "line", "userid", "courseid", "oldrow"])
        .updates(&["state", "lastenrol", "groupid", "itemid", "targetid"]),
    Need::rows("enrold_completion", &["enrolid", "courseid", "userid", "timecompleted", "state", "seen"])
        .inserts(&["enrolid", "courseid", "userid", "timecompleted", "state", "seen", "changed", "run"])
        .updates(&["timecompleted", "state", "seen", "changed", "run"]),
    Need::rows("enrold_error", PROBLEM).inserts(PROBLEM).updates(&["value", "hint", "file", "fileline"]),
    Need::rows("enrold_outbox", &["id", "run", "kind", "dedupe", "state"])
        .inserts(&["id", "run", "kind", "dedupe", "state", "userid", "courseid", "enrolid", "timeend"])
        .updates(&["state", "expires", "attempts", "due", "sent", "messageid", "message"])
        .deletes(),
    Need::rows("enrold_set_member", &["source", "cohortid", "userid"])
        .inserts(&["source", "cohortid", "userid", "since"])
        .deletes(),
    Need::rows("enrold_set_absent", &["source", "enrolid", "userid", "since", "approved"])
        .inserts(&["source", "enrolid", "userid", "since", "approved"])
        .deletes(),
    Need::rows("enrold_letter", &["run", "enrolid", "kind", "data"])
        .inserts(&["run", "enrolid", "kind", "data"])
        .deletes(),
    Need::rows("enrold_notice", &["method", "queued"]).inserts(&["method", "queued"]).updates(&["queued"]),
    Need::rows("enrold_waiting", WAITING)
        .inserts(WAITING)
        .updates(&["expires", "state", "changed", "byrun", "note", "line", "file"])
        .deletes(),
];

/// What creating courses needs beside [`NEEDS`]: only where a source names a table of courses.
pub const COURSES: &[Need] = &[
    Need::rows("course", &["id", "category", "sortorder", "shortname", "idnumber", "format"])
        .inserts(&[
            "category",
            "sortorder",
            "fullname",
            "shortname",
            "idnumber",
            "summary",
            "summaryformat",
            "format",
            "startdate",
            "enddate",
            "visible",
            "visibleold",
            "timecreated",
            "timemodified",
            "cacherev",
        ])
        .updates(&["sortorder"]),
    Need::reads("course_categories", &["id", "idnumber", "sortorder", "coursecount"]).updates(&["coursecount"]),
    Need::reads("context", &["id", "contextlevel", "instanceid", "path", "depth"])
        .inserts(&["contextlevel", "instanceid", "depth"])
        .updates(&["path"]),
    Need::rows("course_sections", &["id", "course", "section"]).inserts(&[
        "course",
        "section",
        "summary",
        "summaryformat",
        "sequence",
        "visible",
        "timemodified",
    ]),
    Need::rows("course_format_options", &["courseid", "format", "sectionid", "name", "value"]).inserts(&[
        "courseid",
        "format",
        "sectionid",
        "name",
        "value",
    ]),
    Need::reads("enrold_change", &["run", "seq", "courseid"]).updates(&["courseid", "contextid", "targetid"]),
];

/// What the configuration demands beside the needs of all runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Further {
    /// A source creates courses.
    pub courses: bool,
    /// A profile of users files or cohort files is enabled.
    pub accounts: bool,
    /// A profile of files of groups is enabled.
    pub groups: bool,
}

/// The needs of all runs, and the further ones.
pub fn of_runs(further: Further) -> impl Iterator<Item = &'static Need> {
    let courses = COURSES.iter().filter(move |_| further.courses);
    let accounts = ACCOUNTS.iter().filter(move |_| further.accounts);
    NEEDS.iter().chain(courses).chain(accounts).chain(GROUPS.iter().filter(move |_| further.groups))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moodle::tables::table;

    #[test]
    fn every_need_is_in_the_catalogue_of_moodles_tables() {
        for need in of_runs(Further { courses: true, accounts: true, groups: true }).filter(|need| !need.is_own()) {
            let known = table(need.table).unwrap_or_else(|| panic!("{} is not in the catalogue", need.table));
            for column in need.columns() {
                assert!(known.column(column).is_some(), "{}.{column} is not in the catalogue", need.table);
            }
        }
    }

    #[test]
    fn secrets_of_people_and_courses_are_not_read() {
        for need in NEEDS.iter().filter(|need| ["user", "enrol"].contains(&need.table)) {
            assert!(!need.whole_rows);
            assert!(need.read.iter().all(|column| !["password", "secret"].contains(column)));
        }
    }
}
