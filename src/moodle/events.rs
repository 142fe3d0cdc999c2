//! Writes events of the standard log store in Moodle's form, from the journal (spec enrol-core 13).
//! It must not know runs beyond their rows in the journal; the actor and the clock are given.

use crate::db::{Conn, DbError, Dialect, Literal, Params, statement};
use crate::moodle::lookups::Lookups;
use crate::moodle::site::Site;
use crate::moodle::tables::{self, Kind};

/// One kind of event, with the SQL of its columns. `c` is the change that it reports, `k` its context; `:gone_by` is
/// the kind of change that removes the inserted row again.
#[derive(Debug)]
pub struct Event {
    name: &'static str,
    action: &'static str,
    target: &'static str,
    object: &'static str,
    crud: &'static str,
    edulevel: i64,
    objectid: &'static str,
    other: &'static str,
    joins: &'static str,
    related: &'static str,
}

/// A course is created.
pub static COURSE_CREATED: Event = Event {
    name: r"\core\event\course_created",
    action: "created",
    target: "course",
    object: "course",
    crud: "c",
    edulevel: 1,
    objectid: "c.targetid",
    // The change's `oldrow` contains just the two names that Moodle logs.
    other: "c.oldrow",
    joins: "",
    related: "NULL",
};

/// A section of a course is created.
pub static SECTION_CREATED: Event = Event {
    name: r"\core\event\course_section_created",
    action: "created",
    target: "course_section",
    object: "course_sections",
    crud: "c",
    edulevel: 1,
    objectid: "(SELECT MIN(s.id) FROM {course_sections} s WHERE s.course = c.courseid AND s.section = c.itemid)",
    other: r#"'{"sectionnum":' || :itemid || '}'"#,
    joins: "",
    related: "NULL",
};

/// An instance of a method is created.
pub static INSTANCE_CREATED: Event = Event {
    name: r"\core\event\enrol_instance_created",
    action: "created",
    target: "enrol_instance",
    object: "enrol",
    crud: "c",
    edulevel: 0,
    objectid: "COALESCE(c.enrolid,
        (SELECT MIN(e.id) FROM {enrol} e WHERE e.courseid = c.courseid AND e.enrol = c.component))",
    other: r#"'{"enrol":"' || c.component || '"}'"#,
    joins: "",
    related: "NULL",
};

/// A user is enrolled.
pub static ENROLMENT_CREATED: Event = Event {
    name: r"\core\event\user_enrolment_created",
    action: "created",
    target: "user_enrolment",
    object: "user_enrolments",
    crud: "c",
    edulevel: 0,
    objectid: "COALESCE(x.id, (SELECT MIN(d.targetid) FROM {enrold_change} d WHERE d.run = c.run AND d.seq > c.seq
        AND d.kind = :gone_by AND d.enrolid = c.enrolid AND d.userid = c.userid), 0)",
    other: r#"'{"enrol":"' || e.enrol || '"}'"#,
    joins: "JOIN {enrol} e ON e.id = c.enrolid
        LEFT JOIN {user_enrolments} x ON x.enrolid :by_enrolment = c.enrolid AND x.userid = c.userid",
    related: "c.userid",
};

/// An enrolment is changed.
pub static ENROLMENT_UPDATED: Event = Event {
    name: r"\core\event\user_enrolment_updated",
    action: "updated",
    target: "user_enrolment",
    object: "user_enrolments",
    crud: "u",
    edulevel: 0,
    objectid: "c.targetid",
    other: r#"'{"enrol":"' || e.enrol || '"}'"#,
    joins: "JOIN {enrol} e ON e.id = c.enrolid",
    related: "c.userid",
};

/// A user is unenrolled.
pub static ENROLMENT_DELETED: Event = Event {
    name: r"\core\event\user_enrolment_deleted",
    action: "deleted",
    target: "user_enrolment",
    object: "user_enrolments",
    crud: "d",
    edulevel: 0,
    objectid: "c.targetid",
    other: r#"'{"userenrolment":' || :gone_row || ',"courseid":"' || :courseid || '","enrol":"' || :gone_method
        || '","lastenrol":' || CASE WHEN c.lastenrol = 1 THEN 'true' ELSE 'false' END
        || '},"enrol":"' || :gone_method || '"}'"#,
    joins: "LEFT JOIN {enrol} e ON e.id = c.enrolid :old_row",
    related: "c.userid",
};

/// A role is assigned.
pub static ROLE_ASSIGNED: Event = Event {
    name: r"\core\event\role_assigned",
    action: "assigned",
    target: "role",
    object: "role",
    crud: "c",
    edulevel: 0,
    objectid: "c.roleid",
    other: r#"'{"id":' || :assignment || ',"component":"' || c.component
        || '","itemid":' || CASE WHEN c.component = '' THEN '0' ELSE '"' || :itemid || '"' END || '}'"#,
    joins: "",
    related: "c.userid",
};

/// A role is unassigned.
pub static ROLE_UNASSIGNED: Event = Event {
    name: r"\core\event\role_unassigned",
    action: "unassigned",
    target: "role",
    object: "role",
    crud: "d",
    edulevel: 0,
    objectid: "c.roleid",
    other: r#"'{"id":"' || :id || '","component":"' || c.component || '","itemid":"' || :itemid || '"}'"#,
    joins: "",
    related: "c.userid",
};

/// An instance of a method is removed.
pub static INSTANCE_DELETED: Event = Event {
    name: r"\core\event\enrol_instance_deleted",
    action: "deleted",
    target: "enrol_instance",
    object: "enrol",
    crud: "d",
    edulevel: 0,
    objectid: "c.targetid",
    other: r#"'{"enrol":"' || c.component || '"}'"#,
    joins: "",
    related: "NULL",
};

/// An instance of a method is changed.
pub static INSTANCE_UPDATED: Event =
    Event { name: r"\core\event\enrol_instance_updated", action: "updated", crud: "u", ..INSTANCE_DELETED };

/// A group is created.
pub static GROUP_CREATED: Event = Event {
    name: r"\core\event\group_created",
    action: "created",
    target: "group",
    object: "groups",
    crud: "c",
    edulevel: 0,
    objectid: "c.groupid",
    other: "'null'",
    joins: "",
    related: "NULL",
};

/// A group is changed.
pub static GROUP_UPDATED: Event =
    Event { name: r"\core\event\group_updated", action: "updated", crud: "u", ..GROUP_CREATED };

/// A group is removed.
pub static GROUP_DELETED: Event =
    Event { name: r"\core\event\group_deleted", action: "deleted", crud: "d", ..GROUP_CREATED };

/// A grouping is created.
pub static GROUPING_CREATED: Event = Event {
    name: r"\core\event\grouping_created",
    target: "grouping",
    object: "groupings",
    objectid: "c.itemid",
    ..GROUP_CREATED
};

/// A grouping is changed.
pub static GROUPING_UPDATED: Event =
    Event { name: r"\core\event\grouping_updated", action: "updated", crud: "u", ..GROUPING_CREATED };

/// A grouping is removed.
pub static GROUPING_DELETED: Event =
    Event { name: r"\core\event\grouping_deleted", action: "deleted", crud: "d", ..GROUPING_CREATED };

/// A group is put into a grouping.
pub static GROUPING_GROUP_ASSIGNED: Event = Event {
    name: r"\core\event\grouping_group_assigned",
    action: "assigned",
    target: "grouping_group",
    other: r#"'{"groupid":"' || :groupid || '"}'"#,
    ..GROUPING_CREATED
};

/// A group is taken out of a grouping.
pub static GROUPING_GROUP_UNASSIGNED: Event = Event {
    name: r"\core\event\grouping_group_unassigned",
    action: "unassigned",
    crud: "d",
    ..GROUPING_GROUP_ASSIGNED
};

/// A user joins a group.
pub static GROUP_MEMBER_ADDED: Event = Event {
    name: r"\core\event\group_member_added",
    action: "added",
    target: "group_member",
    object: "groups",
    crud: "c",
    edulevel: 0,
    objectid: "c.groupid",
    other: r#"'{"component":"' || c.component
        || '","itemid":' || CASE WHEN c.component = '' THEN '0' ELSE '"' || :itemid || '"' END || '}'"#,
    joins: "",
    related: "c.userid",
};

/// A user leaves a group.
pub static GROUP_MEMBER_REMOVED: Event = Event {
    name: r"\core\event\group_member_removed",
    action: "removed",
    target: "group_member",
    object: "groups",
    crud: "d",
    edulevel: 0,
    objectid: "c.groupid",
    other: "'null'",
    joins: "",
    related: "c.userid",
};

/// A cohort is created.
pub static COHORT_CREATED: Event = Event {
    name: r"\core\event\cohort_created",
    action: "created",
    target: "cohort",
    object: "cohort",
    crud: "c",
    edulevel: 0,
    objectid: "c.itemid",
    other: "'null'",
    joins: "",
    related: "NULL",
};

/// A cohort is changed.
pub static COHORT_UPDATED: Event =
    Event { name: r"\core\event\cohort_updated", action: "updated", crud: "u", ..COHORT_CREATED };

/// A cohort is removed.
pub static COHORT_DELETED: Event =
    Event { name: r"\core\event\cohort_deleted", action: "deleted", crud: "d", ..COHORT_CREATED };

/// A user joins a cohort.
pub static COHORT_MEMBER_ADDED: Event = Event {
    name: r"\core\event\cohort_member_added",
    action: "added",
    target: "cohort_member",
    object: "cohort",
    crud: "c",
    edulevel: 0,
    objectid: "c.itemid",
    other: "'null'",
    joins: "",
    related: "c.userid",
};

/// A user leaves a cohort.
pub static COHORT_MEMBER_REMOVED: Event = Event {
    name: r"\core\event\cohort_member_removed",
    action: "removed",
    target: "cohort_member",
    object: "cohort",
    crud: "d",
    edulevel: 0,
    objectid: "c.itemid",
    other: "'null'",
    joins: "",
    related: "c.userid",
};

/// An account is created.
pub static USER_CREATED: Event = Event {
    name: r"\core\event\user_created",
    action: "created",
    target: "user",
    object: "user",
    crud: "c",
    edulevel: 0,
    objectid: "c.userid",
    other: "'null'",
    joins: "",
    related: "c.userid",
};

/// An account is changed.
pub static USER_UPDATED: Event =
    Event { name: r"\core\event\user_updated", action: "updated", crud: "u", ..USER_CREATED };

/// An account is deleted: `oldrow` has what it was.
pub static USER_DELETED: Event =
    Event { name: r"\core\event\user_deleted", action: "deleted", crud: "d", other: ":gone_account", ..USER_CREATED };

/// A tag is made: `oldrow` contains just the two names that Moodle logs.
pub static TAG_CREATED: Event = Event {
    name: r"\core\event\tag_created",
    action: "created",
    target: "tag",
    object: "tag",
    crud: "c",
    edulevel: 0,
    objectid: "c.targetid",
    other: "c.oldrow",
    joins: "",
    related: ":actor",
};

/// A user gets an interest.
pub static TAG_ADDED: Event = Event {
    name: r"\core\event\tag_added",
    action: "added",
    target: "tag",
    object: "tag_instance",
    crud: "c",
    edulevel: 0,
    objectid: "c.targetid",
    other: r#"'{"tagid":' || :itemid || :interest"#,
    joins: "LEFT JOIN {tag} g ON g.id = c.itemid",
    related: "c.userid",
};

/// A user loses an interest.
pub static TAG_REMOVED: Event = Event {
    name: r"\core\event\tag_removed",
    action: "removed",
    crud: "d",
    other: r#"'{"tagid":"' || :itemid || '"' || :interest"#,
    ..TAG_ADDED
};

/// A grade is removed.
pub static GRADE_DELETED: Event = Event {
    name: r"\core\event\grade_deleted",
    action: "deleted",
    target: "grade",
    object: "grade_grades",
    crud: "d",
    edulevel: 1,
    objectid: "c.targetid",
    other: r#"'{"itemid":"' || :itemid || '","overridden":' || CASE WHEN :overridden = '0' THEN 'false' ELSE 'true' END
        || ',"finalgrade":' || CASE WHEN :finalgrade IS NULL THEN 'null' ELSE '"' || :finalgrade || '"' END || '}'"#,
    joins: "",
    related: "c.userid",
};

/// An event, and the changes that it reports.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The event.
    pub event: &'static Event,
    /// The kinds of change.
    pub kinds: Vec<&'static str>,
    /// The kind that removes the inserted rows again; empty if none does.
    pub gone_by: &'static str,
}

/// A chunk of a run's journal.
pub struct Chunk {
    /// The run.
    pub run: i64,
    /// Its clock in Unix seconds.
    pub now: i64,
    /// The sequence number before the first change.
    pub from: i64,
    /// The sequence number of the last change.
    pub to: i64,
    /// The events of its changes: usually one; each costs a scan of the chunk.
    pub announced: Vec<Announced>,
    /// How the inserted rows are looked up.
    pub lookups: Lookups,
}

/// The join, and the beginning of the JSON object, of a deleted enrolment in Moodle's event: numbers as texts, in the
/// table's order. Where all columns are numbers PostgreSQL converts the old row's text, in a third of the time.
fn gone_row(site: &Site, dialect: Dialect) -> (String, String) {
    let known = tables::table("user_enrolments");
    let is_int = |name: &String| {
        known.and_then(|table| table.column(name)).is_some_and(|column| matches!(column.kind, Kind::Int(_)))
    };
    if let Some(row) = dialect.numbers_as_texts("c.oldrow")
        && site.columns.of("user_enrolments").iter().all(is_int)
    {
        return (String::new(), row);
    }
    let of_row = ["modifierid", "timecreated", "timemodified"];
    let (join, of_row) = dialect.json_texts("c.oldrow", "o", &of_row);
    let columns = ["targetid", "oldstatus", "enrolid", "userid", "oldtimestart", "oldtimeend"];
    let values = columns.iter().map(|column| dialect.to_text(&format!("c.{column}"))).chain(of_row);
    let names =
        ["id", "status", "enrolid", "userid", "timestart", "timeend", "modifierid", "timecreated", "timemodified"];
    let members: Vec<String> =
        names.iter().zip(values).map(|(name, value)| format!("'\"{name}\":\"' || {value} || '\"'")).collect();
    (join, format!("'{{' || {}", members.join(" || ',' || ")))
}

/// The JSON object of a deleted account in Moodle's event: all values are texts.
fn gone_account(dialect: Dialect) -> String {
    let names = ["username", "email", "idnumber", "picture", "mnethostid"];
    let member = |name: &str| {
        // What did not change is not in the old row.
        let same = if name == "picture" { "'0'" } else { "''" };
        let old = format!("COALESCE({}, {same})", dialect.json_text("c.oldrow", name));
        format!("'\"{name}\":' || {}", dialect.json_quoted(&old))
    };
    format!("'{{' || {} || '}}'", names.map(member).join(" || ',' || "))
}

/// The end of the JSON object of an interest in Moodle's events, with the names of its tag `g`.
fn interest(dialect: Dialect) -> String {
    let quoted = |column: &str| dialect.json_quoted(&format!("COALESCE({}, '')", dialect.neutral(column)));
    format!(
        r#"',"tagname":' || {} || ',"tagrawname":' || {} || ',"itemid":"' || {} || '","itemtype":"user"}}'"#,
        quoted("g.name"),
        quoted("g.rawname"),
        dialect.to_text("c.userid")
    )
}

const ASSIGNMENT: &str = statement(include_str!("events.sql"), "assignment");
const WRITTEN: &str = statement(include_str!("events.sql"), "written");

/// Writes the events of a chunk's changes, in the journal's order.
///
/// # Errors
/// The database's error.
pub async fn write(conn: &mut Conn, site: &Site, chunk: &Chunk) -> Result<(), DbError> {
    let dialect = conn.dialect();
    let text = |expression: &str| dialect.to_text(expression);
    let old = |column: &str| dialect.json_text("c.oldrow", column);
    let (old_row, gone_row) = gone_row(site, dialect);
    let params = Params::new()
        .with("run", chunk.run)
        .with("now", chunk.now)
        .with("from", chunk.from)
        .with("to", chunk.to)
        .with("actor", site.actor)
        .fragment("id", text("c.targetid"))
        .fragment("itemid", text("c.itemid"))
        .fragment("groupid", text("c.groupid"))
        .fragment("courseid", text("c.courseid"))
        .fragment("old_row", old_row)
        .fragment("gone_row", gone_row)
        // The instance may be deleted too.
        .fragment("gone_method", "COALESCE(e.enrol, SUBSTR(c.component, 7))")
        .fragment("gone_account", gone_account(dialect))
        .fragment("interest", interest(dialect))
        .fragment("overridden", old("overridden"))
        .fragment("finalgrade", old("finalgrade"));
    let assignment = text(ASSIGNMENT);
    let params =
        chunk.lookups.fragments(params).fragment("other", conn.fitting("logstore_standard_log", "other", "t.other"));
    // Moodle logs deleted grades only where completion is enabled for the site (spec enrol-core 10).
    let completion = site.number("enablecompletion", 1) == 1;
    let branches = chunk
        .announced
        .iter()
        .filter(|announced| completion || announced.event.object != "grade_grades")
        .map(|announced| branch(announced, dialect, &assignment))
        .collect::<Vec<_>>();
    if branches.is_empty() {
        return Ok(());
    }
    conn.exec(WRITTEN, &params.fragment("announced", branches.join(" UNION ALL "))).await.map(|_| ())
}

fn branch(announced: &Announced, dialect: Dialect, assignment: &str) -> String {
    let Announced { event, kinds, gone_by } = announced;
    let kinds = kinds.iter().map(|kind| dialect.text(kind).to_string()).collect::<Vec<_>>().join(", ");
    // It is built from columns, casts and JSON: a UNION on MariaDB requires one collation.
    let other = dialect.neutral(&format!("({})", event.other));
    // It contains backslashes.
    let name = dialect.text(event.name);
    let sql = format!(
        "SELECT c.seq, {name} AS eventname, {} AS action, {} AS target, {} AS objecttable, {} AS objectid, {} AS crud,
                {} AS edulevel, k.id AS contextid, k.contextlevel, k.instanceid AS contextinstanceid, c.courseid,
                {} AS relateduserid, {other} AS other
           FROM {{enrold_change}} c JOIN {{context}} k ON k.id = c.contextid {}
          WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.state = 0 AND c.kind IN ({})",
        Literal::word(event.action),
        Literal::word(event.target),
        Literal::word(event.object),
        event.objectid,
        Literal::word(event.crud),
        event.edulevel,
        if event.related == "NULL" { "CAST(NULL AS DECIMAL(20))".to_owned() } else { event.related.to_owned() },
        event.joins,
        kinds
    );
    sql.replace(":assignment", assignment).replace(":gone_by", &dialect.text(gone_by).to_string())
}
