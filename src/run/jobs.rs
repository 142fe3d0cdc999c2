//! The jobs of a run without a file, and after any run the rules that follow what it changed.
//! It must not know what a job does: the flat file, the expirations and each rule do.

use crate::config::{Settings, WhenOff};
use crate::db::{DbError, Params};
use crate::expiry;
use crate::flatfile::job;
use crate::moodle::site::Site;
use crate::rules::Rule;
use crate::run::error::{RunError, RunResult};
use crate::run::order::SyncOrder;
use crate::run::outcome::{RuleReport, Skipped};
use crate::run::reconcile::{self, View};
use crate::run::work::Work;

/// Due lines of the flat file's buffer, and its expired enrolments.
pub const FLATFILE: &str = "flatfile";
/// Enrolments of every method whose end has passed.
pub const EXPIRATIONS: &str = "expirations";

/// Rules that do not follow expirations: autoenrol would enrol at once whom they have just unenrolled. Its own task does
/// so at its time, as Moodle's does (spec autoenrol 7).
const NOT_AFTER_EXPIRATIONS: [&str; 1] = ["autoenrol"];

/// All jobs in the order in which they run: what ends comes before the rules that follow it.
pub fn all() -> impl Iterator<Item = &'static str> {
    [FLATFILE, EXPIRATIONS].into_iter().chain(crate::rules::RULES.iter().map(|rule| rule.name))
}

/// True if `jobs` are all rules: `sync all`.
pub(super) fn of_all(jobs: &[String]) -> bool {
    crate::rules::RULES.iter().all(|rule| jobs.iter().any(|job| job == rule.name))
        && jobs.len() == crate::rules::RULES.len()
}

/// Moodle's tasks that do what these jobs do.
pub(super) fn twins(rules: &[Rule], jobs: &[String]) -> Vec<&'static str> {
    let asked = |name: &str| jobs.iter().any(|job| job == name);
    let flatfile = asked(FLATFILE).then_some(crate::flatfile::TWIN);
    let expirations = expiry::POLICIES.iter().filter(|_| asked(EXPIRATIONS)).filter_map(|policy| policy.twin);
    flatfile
        .into_iter()
        .chain(expirations)
        .chain(rules.iter().filter(|rule| asked(rule.name)).flat_map(|rule| rule.twins.iter().copied()))
        .collect()
}

/// Runs the jobs of an order, in the fixed order.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub(super) async fn run(work: &mut Work<'_>, rules: &[Rule], settings: &Settings, order: &SyncOrder) -> RunResult<()> {
    let named: Vec<String> = order.course.iter().cloned().collect();
    let asked = courses(work, &named).await?;
    if order.jobs.iter().any(|name| name == FLATFILE) {
        work.cause = FLATFILE;
        job::apply_sync(work, settings).await?;
    }
    reconcile::prepare(work).await?;
    if order.jobs.iter().any(|name| name == EXPIRATIONS) {
        let minded = minded(work, settings, EXPIRATIONS).await?;
        expiry::run(work, settings, within(&asked, minded).as_deref()).await?;
    }
    work.backfill = order.backfill;
    for rule in rules.iter().filter(|rule| order.jobs.iter().any(|name| name == rule.name)) {
        if !work.site.is_enabled(rule.method) {
            switched_off(work, rule, settings).await?;
            continue;
        }
        let minded = minded(work, settings, rule.name).await?;
        let view = match within(&asked, minded) {
            Some(courses) => reconcile::of_courses(work.conn, rule.method, &courses).await?,
            None => View::ALL,
        };
        reconcile::run(work, rule, settings, view, false).await?;
    }
    if of_all(&order.jobs) {
        return Ok(());
    }
    let mut done = order.jobs.clone();
    if done.iter().any(|name| name == EXPIRATIONS) {
        done.extend(NOT_AFTER_EXPIRATIONS.map(str::to_owned));
    }
    follow(work, rules, settings, &done).await
}

/// The courses that an order asks for, as far as its task minds them; `None` for all.
fn within(asked: &Option<Vec<i64>>, minded: Option<Vec<i64>>) -> Option<Vec<i64>> {
    match (asked, minded) {
        (Some(asked), Some(minded)) => Some(asked.iter().copied().filter(|course| minded.contains(course)).collect()),
        (Some(courses), None) => Some(courses.clone()),
        (None, minded) => minded,
    }
}

/// The courses that a task is limited to; `None` for all.
async fn minded(work: &mut Work<'_>, settings: &Settings, task: &str) -> RunResult<Option<Vec<i64>>> {
    let names = settings.tasks.get(task).map(|task| task.courses.as_slice()).unwrap_or_default();
    courses(work, names).await
}

/// The ids of courses by short name, `None` for no name; a name that is not one course's is an error, since to leave it
/// out could mean to look at everything.
async fn courses(work: &mut Work<'_>, names: &[String]) -> RunResult<Option<Vec<i64>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let sql = "SELECT c.id, c.shortname FROM {course} c WHERE c.category <> 0";
    let mut found = Vec::new();
    for row in work.conn.rows(sql, &Params::new()).await? {
        if names.contains(&row.text(1)) {
            found.push((row.text(1), row.int(0)));
        }
    }
    if let Some(name) = names.iter().find(|name| found.iter().filter(|(known, _)| known == *name).count() != 1) {
        return Err(RunError::NoSuchCourse(name.clone()));
    }
    Ok(Some(found.into_iter().map(|(_, id)| id).collect()))
}

/// A rule whose method is not enabled in Moodle is skipped and says so; where the task says `drop_roles`, the roles that
/// the method gave go on the whole site, as in Moodle (spec cohort 5).
async fn switched_off(work: &mut Work<'_>, rule: &Rule, settings: &Settings) -> RunResult<()> {
    let when = settings.tasks.get(rule.name).map(|task| task.when_disabled).unwrap_or_default();
    if when == WhenOff::DropRoles {
        reconcile::drop_roles(work, rule, settings).await?;
    }
    match work.rules.last_mut().filter(|report| report.rule == rule.name) {
        Some(report) => report.skipped = Some(Skipped::MethodDisabled),
        None => work.rules.push(RuleReport {
            rule: rule.name.to_owned(),
            skipped: Some(Skipped::MethodDisabled),
            ..RuleReport::default()
        }),
    }
    Ok(())
}

/// Runs the rules that what this run changed concerns, each over the users and courses touched, in their order; those of
/// `done` ran over everything and are not asked again. Costs one look per method that has instances, while nothing is
/// concerned.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub(super) async fn follow(work: &mut Work<'_>, rules: &[Rule], settings: &Settings, done: &[String]) -> RunResult<()> {
    if work.planned == 0 {
        return Ok(());
    }
    let mut prepared = !done.is_empty();
    for rule in rules {
        if done.iter().any(|name| name == rule.name)
            || !followed(work.site, settings, rule)
            || !has_instances(work, rule).await?
        {
            continue;
        }
        if !prepared {
            reconcile::prepare(work).await?;
            prepared = true;
        }
        let minded = minded(work, settings, rule.name).await?;
        if let Some(view) = reconcile::of_touched(work, rule, minded.as_deref()).await? {
            reconcile::run(work, rule, settings, view, true).await?;
        }
    }
    Ok(())
}

/// A rule follows others if its method is enabled in Moodle and its task in enrold: where an operator leaves a method to
/// Moodle, enrold does not write its enrolments.
fn followed(site: &Site, settings: &Settings, rule: &Rule) -> bool {
    site.is_enabled(rule.method) && settings.tasks.get(rule.name).is_none_or(|task| task.enabled)
}

async fn has_instances(work: &mut Work<'_>, rule: &Rule) -> Result<bool, DbError> {
    let params = Params::new().with("method", rule.method);
    let sql = "SELECT COUNT(*) FROM (SELECT e.id FROM {enrol} e WHERE e.enrol = :method LIMIT 1) t";
    Ok(work.conn.number(sql, &params).await? > 0)
}
