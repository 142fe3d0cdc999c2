//! The jobs of a run without a file, and after any run the rules that follow what it changed.
//! It must not know what a job does: the flat file, the expirations and each rule do.

use crate::config::Settings;
use crate::db::{DbError, Params};
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

/// All jobs in the order in which they run: what ends comes before the rules that follow it.
pub fn all() -> impl Iterator<Item = &'static str> {
    [FLATFILE].into_iter().chain(crate::rules::RULES.iter().map(|rule| rule.name))
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
    flatfile
        .into_iter()
        .chain(rules.iter().filter(|rule| asked(rule.name)).flat_map(|rule| rule.twins.iter().copied()))
        .collect()
}

/// Runs the jobs of an order, in the fixed order.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub(super) async fn run(work: &mut Work<'_>, rules: &[Rule], settings: &Settings, order: &SyncOrder) -> RunResult<()> {
    let courses = match &order.course {
        Some(shortname) => Some(course(work, shortname).await?),
        None => None,
    };
    if order.jobs.iter().any(|name| name == FLATFILE) {
        work.cause = FLATFILE;
        job::apply_sync(work, settings).await?;
    }
    reconcile::prepare(work).await?;
    work.backfill = order.backfill;
    for rule in rules.iter().filter(|rule| order.jobs.iter().any(|name| name == rule.name)) {
        if !work.site.is_enabled(rule.method) {
            let skipped = RuleReport {
                rule: rule.name.to_owned(),
                skipped: Some(Skipped::MethodDisabled),
                ..RuleReport::default()
            };
            work.rules.push(skipped);
            continue;
        }
        let view = match courses {
            Some(course) => reconcile::of_courses(work.conn, rule.method, &[course]).await?,
            None => View::ALL,
        };
        reconcile::run(work, rule, settings, view, false).await?;
    }
    if of_all(&order.jobs) { Ok(()) } else { follow(work, rules, settings, &order.jobs).await }
}

async fn course(work: &mut Work<'_>, shortname: &str) -> RunResult<i64> {
    let same = work.conn.exact("c.shortname", ":shortname");
    let params = Params::new().with("shortname", shortname).fragment("same", same);
    let found = work.conn.rows("SELECT c.id FROM {course} c WHERE :same AND c.category <> 0", &params).await?;
    match found.as_slice() {
        [course] => Ok(course.int(0)),
        _ => Err(RunError::NoSuchCourse(shortname.to_owned())),
    }
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
        if let Some(view) = reconcile::of_touched(work, rule).await? {
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
