//! Each condition in SQL, with Moodle's special cases under NOT (spec availability 5).
//! It must not join conditions.

use super::condition::{Completion, Condition};
use super::predicate::Compiler;
use super::profile;
use super::refused::Refused;
use super::truth::Truth;
use crate::moodle::site::id_list;

/// The truth of a condition about the user `u`, in the course `v.courseid` with the context `v.contextid`.
///
/// # Errors
/// A field that the site does not have, or a condition that it has switched off.
pub(super) fn truth(compiler: &mut Compiler<'_>, condition: &Condition, not: bool) -> Result<Truth, Refused> {
    if compiler.facts.disabled.contains(condition.name()) {
        return Err(Refused::DisabledCondition(condition.name().to_owned()));
    }
    Ok(match condition {
        Condition::Profile { field, test } => profile::truth(compiler, field, test)?.unless(not),
        Condition::Date { from, time } => Truth::known((compiler.now >= *time) == *from).unless(not),
        Condition::Group(id) => Truth::some([sees_all_groups(compiler), group(compiler, *id).unless(not)]),
        Condition::Grouping(id) => Truth::some([sees_all_groups(compiler), grouping(compiler, *id).unless(not)]),
        Condition::Cohort(id) => cohort(compiler, *id).unless(not),
        Condition::Badge(id) => Truth::some([sees_all_badges(compiler), badge(compiler, *id).unless(not)]),
        // An activity that is gone fails with and without NOT.
        Condition::Activity { module, state } => {
            Truth::every([activity_is_there(compiler, *module), activity(*module, *state).unless(not)])
        }
        Condition::Grade { item, min, max } => grade(*item, min.as_deref(), max.as_deref()).unless(not),
        Condition::CourseCompleted(done) => {
            compiler.by_course = true;
            completed("v.courseid").unless(*done == not)
        }
        // Moodle's condition ignores NOT.
        Condition::OtherCompleted(course) => completed(&number(*course)),
        Condition::Language(language) => speaks(compiler, language).unless(not),
    })
}

/// A number for SQL, in parentheses if it is negative.
fn number(number: i64) -> String {
    if number < 0 { format!("({number})") } else { number.to_string() }
}

fn group(compiler: &mut Compiler<'_>, id: Option<i64>) -> Truth {
    compiler.by_course = true;
    let which = id.map(|id| format!(" AND g.id = {}", number(id))).unwrap_or_default();
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{groups_members}} m JOIN {{groups}} g ON g.id = m.groupid
           WHERE m.userid = u.id AND g.courseid = v.courseid{which})"
    ))
}

fn grouping(compiler: &mut Compiler<'_>, id: i64) -> Truth {
    compiler.by_course = true;
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{groups_members}} m JOIN {{groups}} g ON g.id = m.groupid
           JOIN {{groupings_groups}} gg ON gg.groupid = g.id
          WHERE m.userid = u.id AND g.courseid = v.courseid AND gg.groupingid = {})",
        number(id)
    ))
}

/// The user has a role, in the course or above, that may see all groups.
fn sees_all_groups(compiler: &mut Compiler<'_>) -> Truth {
    if compiler.facts.see_all_groups.is_empty() {
        return Truth::Never;
    }
    compiler.by_course = true;
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{role_assignments}} r JOIN {{context}} k ON k.id = r.contextid
           JOIN {{context}} home ON home.id = v.contextid AND (home.id = k.id OR home.path LIKE k.path || '/%')
          WHERE r.userid = u.id AND r.roleid IN ({}))",
        id_list(&compiler.facts.see_all_groups)
    ))
}

/// Without an id: member of any cohort in the system context, as in Moodle's task (spec availability 5).
fn cohort(compiler: &Compiler<'_>, id: Option<i64>) -> Truth {
    let which = match id {
        Some(id) => format!("m.cohortid = {}", number(id)),
        None => format!(
            "EXISTS (SELECT 1 FROM {{cohort}} c WHERE c.id = m.cohortid AND c.contextid = {})",
            compiler.facts.system_context
        ),
    };
    Truth::When(format!("EXISTS (SELECT 1 FROM {{cohort_members}} m WHERE m.userid = u.id AND {which})"))
}

fn badge(compiler: &Compiler<'_>, id: i64) -> Truth {
    let site_badge = " AND EXISTS (SELECT 1 FROM {badge} b WHERE b.id = i.badgeid AND b.type = 1)";
    let site_badge = if compiler.facts.course_badges { "" } else { site_badge };
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{badge_issued}} i WHERE i.userid = u.id AND i.badgeid = {}{site_badge})",
        number(id)
    ))
}

fn sees_all_badges(compiler: &Compiler<'_>) -> Truth {
    if compiler.facts.see_all_badges.is_empty() {
        return Truth::Never;
    }
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{role_assignments}} r WHERE r.userid = u.id AND r.contextid = {} AND r.roleid IN ({}))",
        compiler.facts.system_context,
        id_list(&compiler.facts.see_all_badges)
    ))
}

fn activity_is_there(compiler: &mut Compiler<'_>, module: i64) -> Truth {
    compiler.by_course = true;
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{course_modules}} k \
         WHERE k.id = {module} AND k.course = v.courseid AND k.deletioninprogress = 0)"
    ))
}

/// Without a row the state is 0, not complete.
fn activity(module: i64, state: Completion) -> Truth {
    let (there, states) = match state {
        Completion::Incomplete => (false, "1, 2"),
        Completion::Complete => (true, "1, 2"),
        Completion::Passed => (true, "2"),
        Completion::Failed => (true, "3"),
    };
    let row = format!(
        "EXISTS (SELECT 1 FROM {{course_modules_completion}} c
           WHERE c.userid = u.id AND c.coursemoduleid = {module} AND c.completionstate IN ({states}))"
    );
    Truth::When(row).unless(!there)
}

/// Compares the grade in percent of its range without a division: both sides are multiplied by the range, twice, which
/// keeps the comparison valid for either sign. Without a grade or a range the condition does not hold.
fn grade(item: i64, min: Option<&str>, max: Option<&str>) -> Truth {
    let range = "(g.rawgrademax - g.rawgrademin)";
    let side = |sign: &str, bound: &str| {
        format!(" AND (g.finalgrade - g.rawgrademin) * 100 * {range} {sign} ({bound}) * {range} * {range}")
    };
    let min = min.map(|bound| side(">=", bound)).unwrap_or_default();
    let max = max.map(|bound| side("<", bound)).unwrap_or_default();
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{grade_grades}} g WHERE g.userid = u.id AND g.itemid = {}
            AND g.finalgrade IS NOT NULL AND g.rawgrademax <> g.rawgrademin{min}{max})",
        number(item)
    ))
}

fn completed(course: &str) -> Truth {
    Truth::When(format!(
        "EXISTS (SELECT 1 FROM {{course_completions}} c \
         WHERE c.userid = u.id AND c.course = {course} AND c.timecompleted > 0)"
    ))
}

fn speaks(compiler: &mut Compiler<'_>, language: &str) -> Truth {
    compiler.by_course = true;
    let key = compiler.bound(language);
    let dialect = compiler.dialect;
    let of_course = dialect.same_bytes("k.lang", &key);
    let of_user = dialect.same_bytes("COALESCE(u.lang, '')", &key);
    Truth::some([
        Truth::When(format!("EXISTS (SELECT 1 FROM {{course}} k WHERE k.id = v.courseid AND {of_course})")),
        Truth::When(of_user),
    ])
}
