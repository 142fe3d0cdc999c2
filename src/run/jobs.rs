//! Runs the jobs of a run without a file, and after any run the rules that follow its changes.
//! It must not know what a job does: the modules of the flat file, the expirations and the rules do.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts;
use crate::change::context::RunContext;
use crate::change::kinds;
use crate::clock::StopWatch;
use crate::config::{CourseKey, Settings, WhenOff};
use crate::db::{Conn, DbError, Params};
use crate::expiry::{self, EXPIRATIONS, Methods, Policy};
use crate::flatfile::job;
use crate::flatfile::waiting;
use crate::mail;
use crate::moodle::site::{RemovalAction, Site};
use crate::moodle::{method, named};
use crate::outcome::{Note, RuleReport, RunResult, Skipped};
use crate::reconcile::{self, Filter, Rule};
use crate::run::order::SyncOrder;
use crate::run::parts::Part;
use crate::sets;
pub use crate::staging::waiting::WAITING;

/// The job for due lines of the flat file's buffer and for its expired enrolments.
pub const FLATFILE: &str = "flatfile";

/// Rules that do not follow expirations: autoenrol would at once enrol the users again that were just unenrolled. Its
/// own task does so at its time, as Moodle's does (spec autoenrol 7).
const NOT_AFTER_EXPIRATIONS: [&str; 1] = ["autoenrol"];

/// Rules that read cohort memberships, in their order.
const OF_COHORTS: [&str; 2] = ["cohort", "autoenrol"];

/// All jobs in the order in which they run: those that end enrolments come before the rules that follow them.
pub fn all() -> impl Iterator<Item = &'static str> {
    [WAITING, FLATFILE, EXPIRATIONS].into_iter().chain(crate::rules::RULES.iter().map(|rule| rule.name))
}

/// True if `jobs` are exactly all rules: `sync all`.
pub(super) fn of_all(jobs: &[String]) -> bool {
    crate::rules::RULES.iter().all(|rule| jobs.iter().any(|job| job == rule.name))
        && jobs.len() == crate::rules::RULES.len()
}

/// Moodle's tasks that do the work of these jobs. Tasks of disabled methods are left out, as they do nothing in Moodle;
/// the flat file's is included, because enrold's own may work without the method.
pub fn twins(rules: &[Rule], site: &Site, jobs: &[String]) -> Vec<&'static str> {
    let asked = |name: &str| jobs.iter().any(|job| job == name);
    let flatfile = (asked(WAITING) || asked(FLATFILE)).then_some(method::FLATFILE_TWIN);
    let works = |rule: &&Rule| asked(rule.name) && site.is_enabled(rule.method);
    let expires = |policy: &&Policy| asked(EXPIRATIONS) && site.is_enabled(policy.method);
    let expirations = expiry::POLICIES.iter().filter(expires).filter_map(|policy| policy.twin);
    let of_rules = rules.iter().filter(works).flat_map(|rule| rule.twins.iter().copied());
    flatfile.into_iter().chain(expirations).chain(of_rules).collect()
}

/// The reports of an order of rules whose methods are all disabled; `None` if the order has something to do.
pub(super) fn all_skipped(
    rules: &[Rule],
    site: &Site,
    settings: &Settings,
    order: &SyncOrder,
) -> Option<Vec<RuleReport>> {
    let asked = |name: &&String| rules.iter().find(|rule| rule.name == **name);
    let skips = |rule: &&Rule| !site.is_enabled(rule.method) && when_off(settings, rule) == WhenOff::Skip;
    let skipped: Vec<&Rule> = order.jobs.iter().filter_map(|name| asked(&name)).filter(skips).collect();
    let all = !skipped.is_empty() && skipped.len() == order.jobs.len();
    all.then(|| skipped.into_iter().map(|rule| skipped_by(rule.name, Skipped::MethodDisabled)).collect())
}

fn when_off(settings: &Settings, rule: &Rule) -> WhenOff {
    settings.tasks.get(rule.name).map(|task| task.when_disabled).unwrap_or_default()
}

fn skipped_by(name: &str, why: Skipped) -> RuleReport {
    RuleReport { rule: name.to_owned(), skipped: Some(why), ..RuleReport::default() }
}

/// A job of an order, or a rule that follows it.
pub(super) struct Step {
    /// The name of the job or rule.
    pub job: String,
    /// True for a rule that follows and was not ordered.
    pub follows: bool,
    /// True if it can run over some courses at a time.
    pub by_course: bool,
}

/// The steps of an order, in the order in which they run.
pub(super) fn steps(rules: &[Rule], site: &Site, settings: &Settings, order: &SyncOrder) -> Vec<Step> {
    let asked = |name: &str| order.jobs.iter().any(|job| job == name);
    let step = |rule: &Rule, follows| Step {
        job: rule.name.to_owned(),
        follows,
        by_course: site.is_enabled(rule.method) && (rule.policy)(site, settings).by_course,
    };
    let jobs = [(WAITING, false), (FLATFILE, false), (EXPIRATIONS, true)];
    let jobs = jobs.into_iter().filter(|(name, _)| asked(name));
    let jobs = jobs.map(|(name, by_course)| Step { job: name.to_owned(), follows: false, by_course });
    let chosen = rules.iter().filter(|rule| asked(rule.name)).map(|rule| step(rule, false));
    let done = done(order);
    let after = rules.iter().filter(|rule| !of_all(&order.jobs) && follows(site, settings, rule, &done));
    jobs.chain(chosen).chain(after.map(|rule| step(rule, true))).collect()
}

/// Runs the jobs of an order, in the fixed order.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub(super) async fn run(
    ctx: &mut RunContext<'_>,
    rules: &[Rule],
    settings: &Settings,
    order: &SyncOrder,
) -> RunResult<()> {
    let only = only(ctx, order).await?;
    if order.jobs.iter().any(|name| name == WAITING) {
        waiting_lines(ctx, rules, settings).await?;
    }
    if order.jobs.iter().any(|name| name == FLATFILE) {
        flatfile(ctx, settings).await?;
    }
    reconcile::prepare(ctx);
    if order.jobs.iter().any(|name| name == EXPIRATIONS) {
        expirations(ctx, settings, only.clone(), order.course.is_none()).await?;
    }
    ctx.backfill = order.backfill;
    for rule in rules.iter().filter(|rule| order.jobs.iter().any(|name| name == rule.name)) {
        asked(ctx, rule, settings, only.clone()).await?;
    }
    if of_all(&order.jobs) {
        return Ok(());
    }
    follow(ctx, rules, settings, &done(order)).await
}

/// Runs one part of an order that is cut: one of its [`steps`], over the courses of the part.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub(super) async fn run_part(
    ctx: &mut RunContext<'_>,
    rules: &[Rule],
    settings: &Settings,
    order: &SyncOrder,
    part: &Part,
) -> RunResult<()> {
    if part.job == WAITING {
        return waiting_lines(ctx, rules, settings).await;
    }
    if part.job == FLATFILE {
        return flatfile(ctx, settings).await;
    }
    reconcile::prepare(ctx);
    let courses = part.courses(ctx.conn).await?;
    if part.follows {
        let rule = rules.iter().find(|rule| rule.name == part.job);
        return match rule.filter(|rule| follows(ctx.site, settings, rule, &[])) {
            Some(rule) if has_instances(ctx, rule).await? => follow_by(ctx, rule, settings, courses).await,
            _ => Ok(()),
        };
    }
    let only = within(courses, only(ctx, order).await?);
    if part.job == EXPIRATIONS {
        return expirations(ctx, settings, only, part.is_last() && order.course.is_none()).await;
    }
    ctx.backfill = order.backfill;
    match rules.iter().find(|rule| rule.name == part.job) {
        Some(rule) => asked(ctx, rule, settings, only).await,
        None => Ok(()),
    }
}

/// The id of the course that an order is limited to; `None` for all.
async fn only(ctx: &mut RunContext<'_>, order: &SyncOrder) -> RunResult<Option<Vec<i64>>> {
    match &order.course {
        Some(shortname) => Ok(Some(vec![course(ctx.conn, shortname).await?])),
        None => Ok(None),
    }
}

/// Applies the lines that wait and whose account and course or cohort exist now, and the rules that read cohorts.
async fn waiting_lines(ctx: &mut RunContext<'_>, rules: &[Rule], settings: &Settings) -> RunResult<()> {
    let watch = StopWatch::start();
    apply_waiting(ctx, settings).await?;
    sets::waiting::apply(ctx, settings).await?;
    let report = reconcile::of_cause(ctx, WAITING).await?;
    ctx.rules.push(RuleReport { millis: watch.millis(), ..report });
    if ctx.booked(&kinds::COHORT_MEMBER_ADD) > 0 { follow_cohorts(ctx, rules, settings).await } else { Ok(()) }
}

async fn apply_waiting(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    waiting::apply(ctx, settings).await?;
    accounts::apply_waiting(ctx, settings).await
}

/// Applies lines that wait in the run that has made or changed an account or a course.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub(super) async fn follow_waiting(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    let accounts = ctx.booked(&kinds::USER_ADD) + ctx.booked(&kinds::USER_UPDATE) > 0;
    if accounts || ctx.booked(&kinds::COURSE_ADD) > 0 {
        apply_waiting(ctx, settings).await?;
    }
    // Rows of sets wait for accounts only; so a set that makes courses does not begin another one within itself.
    if accounts { sets::waiting::apply(ctx, settings).await } else { Ok(()) }
}

async fn flatfile(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    let watch = StopWatch::start();
    ctx.cause = FLATFILE;
    job::apply_sync(ctx, settings).await?;
    expiry::apply(ctx, settings, Methods::Only(&[method::FLATFILE]), None).await?;
    let report = reconcile::of_cause(ctx, FLATFILE).await?;
    ctx.rules.push(RuleReport { millis: watch.millis(), ..report });
    Ok(())
}

/// Applies expirations in those of the courses `only` that the task covers; with `notifies`, queues the notifications.
async fn expirations(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    only: Option<Vec<i64>>,
    notifies: bool,
) -> RunResult<()> {
    let limited_to = limited_to(ctx, EXPIRATIONS, settings).await?;
    match within(limited_to.clone(), only) {
        Some(courses) if courses.is_empty() => ctx.rules.push(skipped_by(EXPIRATIONS, Skipped::OtherCourses)),
        courses => expiry::run(ctx, settings, courses.as_deref()).await?,
    }
    if notifies {
        // Mails are sent once a day for all courses: a run over one course must not use up the day.
        mail::notify(ctx, settings, limited_to.as_deref()).await?;
    }
    Ok(())
}

/// The jobs and rules that do not follow an order: those that it names, and rules that must not follow.
fn done(order: &SyncOrder) -> Vec<String> {
    let mut done = order.jobs.clone();
    if done.iter().any(|name| name == EXPIRATIONS) {
        done.extend(NOT_AFTER_EXPIRATIONS.map(str::to_owned));
    }
    done
}

/// Runs one ordered rule over the courses that its task covers, limited to those of the run or part.
async fn asked(ctx: &mut RunContext<'_>, rule: &Rule, settings: &Settings, only: Option<Vec<i64>>) -> RunResult<()> {
    if !ctx.site.is_enabled(rule.method) {
        match when_off(settings, rule) {
            WhenOff::Skip => ctx.rules.push(skipped_by(rule.name, Skipped::MethodDisabled)),
            WhenOff::DropRoles => reconcile::drop_roles(ctx, rule, settings).await?,
        }
        return Ok(());
    }
    let courses = within(limited_to(ctx, rule.name, settings).await?, only);
    if courses.as_ref().is_some_and(Vec::is_empty) {
        ctx.rules.push(skipped_by(rule.name, Skipped::OtherCourses));
        return Ok(());
    }
    let filter = match courses {
        Some(courses) => reconcile::of_courses(ctx.conn, rule.method, &courses).await?,
        None => Filter::ALL,
    };
    reconcile::run(ctx, rule, settings, filter, false).await
}

/// The courses that are in both lists; `None` stands for all courses.
fn within(limited_to: Option<Vec<i64>>, only: Option<Vec<i64>>) -> Option<Vec<i64>> {
    match (limited_to, only) {
        (Some(limited_to), Some(only)) => {
            let only: BTreeSet<i64> = only.into_iter().collect();
            Some(limited_to.into_iter().filter(|course| only.contains(course)).collect())
        }
        (limited_to, only) => limited_to.or(only),
    }
}

/// The courses that `tasks.NAME.courses` limits a task to; `None` for all. Unknown names are reported as a note.
async fn limited_to(ctx: &mut RunContext<'_>, task: &str, settings: &Settings) -> Result<Option<Vec<i64>>, DbError> {
    let names = settings.tasks.get(task).map(|task| task.courses.as_slice()).unwrap_or_default();
    if names.is_empty() {
        return Ok(None);
    }
    let known = courses_by_name(ctx.conn).await?;
    let unknown: Vec<&str> = names.iter().filter(|name| !known.contains_key(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let note = Note::CoursesUnknown { rule: task.to_owned(), names: unknown.join(", ") };
        if !ctx.notes.contains(&note) {
            ctx.notes.push(note);
        }
    }
    Ok(Some(names.iter().filter_map(|name| known.get(name)).copied().collect()))
}

/// The courses by short name, without the front page.
async fn courses_by_name(conn: &mut Conn) -> Result<BTreeMap<String, i64>, DbError> {
    let mut courses = BTreeMap::new();
    conn.each(
        "SELECT c.shortname, c.id FROM {course} c WHERE c.category <> 0 ORDER BY c.id DESC",
        &Params::new(),
        |row| {
            courses.insert(row.text(0), row.int(1));
            Ok(())
        },
    )
    .await?;
    Ok(courses)
}

/// The id of the one course with exactly this short name.
///
/// # Errors
/// As [`named::course`].
pub(super) async fn course(conn: &mut Conn, shortname: &str) -> RunResult<i64> {
    Ok(named::course(conn, CourseKey::Shortname, shortname).await?.id)
}

/// Runs, in their order, the rules that the changes of this run concern, each over the users and courses touched; those
/// in `done` ran over everything and are left out, until another rule has changed something after them. If no rule is
/// concerned, a method with instances costs one query.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub(super) async fn follow(
    ctx: &mut RunContext<'_>,
    rules: &[Rule],
    settings: &Settings,
    done: &[String],
) -> RunResult<()> {
    if ctx.planned == 0 {
        return Ok(());
    }
    let (mut prepared, before) = (!done.is_empty(), ctx.planned);
    for rule in rules {
        let done = if ctx.planned == before { done } else { &[] };
        if !follows(ctx.site, settings, rule, done) || !has_instances(ctx, rule).await? {
            continue;
        }
        if !prepared {
            reconcile::prepare(ctx);
            prepared = true;
        }
        follow_by(ctx, rule, settings, None).await?;
    }
    Ok(())
}

/// Runs the rules that read cohorts, over the users and cohorts whose memberships this run has changed.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub(super) async fn follow_cohorts(ctx: &mut RunContext<'_>, rules: &[Rule], settings: &Settings) -> RunResult<()> {
    reconcile::prepare(ctx);
    for rule in rules.iter().filter(|rule| OF_COHORTS.contains(&rule.name)) {
        if !follows(ctx.site, settings, rule, &[]) || !has_instances(ctx, rule).await? {
            continue;
        }
        if let Some(filter) = reconcile::of_cohorts(ctx, rule).await? {
            reconcile::run(ctx, rule, settings, filter, true).await?;
        }
        if rule.method == method::COHORT {
            let keeps = (rule.policy)(ctx.site, settings).on_extra != RemovalAction::Unenrol;
            reconcile::of_removed_cohorts(ctx, rule, keeps).await?;
        }
    }
    Ok(())
}

/// Runs the rules whose methods this run has added or changed itself, over these instances and all their users.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub(super) async fn follow_methods(ctx: &mut RunContext<'_>, rules: &[Rule], settings: &Settings) -> RunResult<()> {
    if ctx.planned == 0 {
        return Ok(());
    }
    reconcile::prepare(ctx);
    for rule in rules.iter().filter(|rule| [method::COHORT, method::META].contains(&rule.method)) {
        if follows(ctx.site, settings, rule, &[])
            && let Some(filter) = reconcile::of_changed_instances(ctx, rule).await?
        {
            reconcile::run(ctx, rule, settings, filter, true).await?;
        }
    }
    Ok(())
}

/// Runs one rule over what this run has changed so far, in the courses `only` or in all.
async fn follow_by(
    ctx: &mut RunContext<'_>,
    rule: &Rule,
    settings: &Settings,
    only: Option<Vec<i64>>,
) -> RunResult<()> {
    let courses = within(limited_to(ctx, rule.name, settings).await?, only);
    match reconcile::of_touched(ctx, rule, courses.as_deref()).await? {
        Some(filter) => reconcile::run(ctx, rule, settings, filter, true).await,
        None => Ok(()),
    }
}

/// A rule follows others if its method is enabled in Moodle and its task in enrold, and it is not `done`: where an
/// operator leaves a method to Moodle, enrold does not write its enrolments.
fn follows(site: &Site, settings: &Settings, rule: &Rule, done: &[String]) -> bool {
    site.is_enabled(rule.method)
        && settings.tasks.get(rule.name).is_none_or(|task| task.enabled)
        && !done.iter().any(|name| name == rule.name)
}

async fn has_instances(ctx: &mut RunContext<'_>, rule: &Rule) -> Result<bool, DbError> {
    let params = Params::new().with("method", rule.method);
    let sql = "SELECT COUNT(*) FROM (SELECT e.id FROM {enrol} e WHERE e.enrol = :method LIMIT 1) t";
    Ok(ctx.conn.number(sql, &params).await? > 0)
}
