//! The keys of section `sources`.
//! It must not know what a source is.

use super::named::Named;
use super::{
    CENTURY, Key, Kind, MANY, Unset, choice, count, defaulted, flag, general, growth, percent, seconds, text, whole,
};
use crate::config::forms;
use crate::config::sections::{
    AbsentAction, CatchUp, CategoryKey, CohortKey, CourseKey, DisabledUsers, GroupKey, MailWhen, RoleKey, SetFormat,
    Target, UnknownProtects, UserKey,
};

/// The section of all sources.
pub(in crate::config) static SECTION: Named =
    Named { prefix: "sources.", example: "#[sources.NAME]", first: "url", keys: OF_SOURCE, open: &[], check_name };

const fn moodle(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, unset: Unset::Moodle }
}

/// The keys of each source, without `sources.NAME.`, in the order of the reference.
pub(in crate::config) const OF_SOURCE: &[Key] = &[
    flag("enabled"),
    choice("target", Target::WORDS),
    general("url", Kind::Secret(forms::database_url)),
    general("url_file", Kind::Text(forms::path)),
    text("table", forms::remote_table),
    text("query", forms::query),
    defaulted("setup", Kind::List(forms::statements)),
    seconds("connect_timeout", 1),
    seconds("statement_timeout", 1),
    defaulted("files", Kind::Names),
    choice("format", SetFormat::WORDS),
    defaulted("roles", Kind::Words(forms::source_roles)),
    choice("disabled_users", DisabledUsers::WORDS),
    choice("user_key", UserKey::WORDS),
    choice("course_key", CourseKey::WORDS),
    choice("role_key", RoleKey::WORDS),
    choice("group_key", GroupKey::WORDS),
    choice("cohort_key", CohortKey::WORDS),
    text("default_role", forms::line),
    moodle("unenrolaction", Kind::Choice(AbsentAction::WORDS)),
    moodle("ignore_hidden_courses", Kind::Flag),
    flag("create_groups"),
    flag("create_cohorts"),
    text("cohort_component", forms::optional_component),
    defaulted("removal_grace", Kind::Span),
    defaulted("protected", Kind::Names),
    choice("unknown_protects", UnknownProtects::WORDS),
    general("waiting_days", Kind::Whole(0, CENTURY, "days")),
    general("waiting_expected", Kind::Flag),
    text("schedule", forms::schedule),
    general("timezone", Kind::Text(forms::timezone)),
    choice("catch_up", CatchUp::WORDS),
    defaulted("seasons", Kind::List(forms::seasons)),
    defaulted("stale_after", Kind::Span),
    whole("same_bytes_days", 0, CENTURY, "days"),
    text("expected_by", forms::expected_by),
    defaulted("mail_to", Kind::List(forms::mail_addresses)),
    choice("mail_when", MailWhen::WORDS),
    text("columns.user", forms::line),
    text("columns.course", forms::line),
    text("columns.role", forms::line),
    text("columns.group", forms::line),
    text("columns.other", forms::line),
    text("columns.timestart", forms::line),
    text("columns.timeend", forms::line),
    text("columns.status", forms::line),
    text("columns.cohort", forms::line),
    text("columns.name", forms::line),
    text("courses.table", forms::remote_table),
    text("courses.fullname", forms::line),
    text("courses.shortname", forms::line),
    text("courses.idnumber", forms::line),
    text("courses.category", forms::line),
    text("courses.startdate", forms::line),
    text("courses.enddate", forms::line),
    whole("courses.default_category", 1, MANY, "course_categories.id"),
    choice("courses.category_key", CategoryKey::WORDS),
    text("courses.template", forms::line),
    percent("guard.rows_fewer_percent"),
    growth("guard.rows_more_percent"),
    percent("guard.unknown_percent"),
    count("guard.courses_max"),
    general("guard.removals_max", count("").kind),
    general("guard.removals_percent", percent("").kind),
    general("guard.suspensions_max", count("").kind),
    general("guard.suspensions_percent", percent("").kind),
    general("guard.creations_max", count("").kind),
    general("guard.creations_percent", growth("").kind),
    general("guard.at_least", count("").kind),
];

/// The keys of the source `database` for which Moodle's settings of `enrol_database` apply where no layer sets them.
const OF_MOODLE: &[&str] = &[
    "url",
    "table",
    "setup",
    "user_key",
    "course_key",
    "role_key",
    "default_role",
    "columns.user",
    "columns.course",
    "columns.role",
    "columns.other",
    "courses.table",
    "courses.fullname",
    "courses.shortname",
    "courses.idnumber",
    "courses.category",
    "courses.startdate",
    "courses.enddate",
    "courses.default_category",
    "courses.category_key",
    "courses.template",
];

/// The source that falls back to Moodle's own settings of `enrol_database`.
pub(in crate::config) const OF_MOODLES_SETTINGS: &str = "database";

/// True if Moodle's settings apply to this key of this source where no layer sets it.
pub(in crate::config) fn moodle_decides(source: &str, rest: &str) -> bool {
    source == OF_MOODLES_SETTINGS && OF_MOODLE.contains(&rest)
}

/// Checks a source name: it is used beside the names of tasks.
fn check_name(text: &str) -> Result<(), String> {
    let task = super::KEYS.iter().filter_map(|key| key.name.strip_prefix("tasks.")?.split('.').next());
    if text == "all" || task.into_iter().any(|task| task == text) {
        return Err(format!("{text} is the name of a task; give the source another"));
    }
    Ok(())
}
