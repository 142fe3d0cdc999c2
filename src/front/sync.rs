//! Runs rules, tasks and sources on demand: translates the arguments of a request into runs, and executes these.
//! It must not know what a rule does.

use crate::config::Settings;
use crate::front::{Front, Misuse, Who};
use crate::outcome::{Report, RuleReport, RunResult, Skipped};
use crate::rules::RULES;
use crate::run::SyncOrder;
use crate::run::jobs::WAITING;

/// The rule that supports `--backfill`.
const COURSECOMPLETED: &str = "coursecompleted";
/// The argument for all rules.
const ALL: &str = "all";

/// All jobs of a run without a file, in the order in which they run: `flatfile`, `expirations`, then the rules.
pub fn jobs() -> impl Iterator<Item = &'static str> {
    crate::run::jobs::all()
}

/// A request for runs.
#[derive(Clone, Debug, Default)]
pub struct SyncRequest {
    /// Names of [`jobs`], `all` for each rule whose task is enabled, or names of sources only.
    pub words: Vec<String>,
    /// The short name of the only course to process.
    pub course: Option<String>,
    /// True if completions from before their enrolment instance was created count too.
    pub backfill: bool,
}

/// One of the runs of a request.
#[derive(Clone, Debug)]
pub struct Asked(What);

#[derive(Clone, Debug)]
enum What {
    /// Jobs in their order without duplicates, and the rules that `all` leaves out because their task is disabled.
    Jobs(SyncOrder, Vec<&'static str>),
    Source(String),
}

/// The runs of a request: one for all its jobs, or one for each of its sources.
///
/// # Errors
/// Arguments that are unknown or contradict each other.
pub fn asked(settings: &Settings, request: SyncRequest) -> Result<Vec<Asked>, Misuse> {
    let SyncRequest { words, course, backfill } = request;
    let sources = &settings.sources;
    if words.iter().all(|word| sources.contains_key(word)) {
        if course.is_some() || backfill {
            return Err(Misuse("a source is compared as a whole: it knows neither --course nor --backfill".to_owned()));
        }
        return Ok(words.into_iter().map(|name| Asked(What::Source(name))).collect());
    }
    if let Some(word) = words.iter().find(|word| !jobs().chain([ALL]).any(|name| name == word.as_str())) {
        if sources.contains_key(word) {
            return Err(Misuse(format!("'{word}' is a source, it has runs of its own: name sources alone")));
        }
        let mut names: Vec<&str> = jobs().chain([ALL]).collect();
        names.extend(sources.keys().map(String::as_str));
        let names = names.join(", ");
        return Err(Misuse(format!("there is no rule or source '{word}'; possible values: {names}")));
    }
    let (jobs, left_out) = chosen(settings, &words);
    if jobs.is_empty() {
        return Err(Misuse("the task of every rule is off: name the rules that are to run".to_owned()));
    }
    let chosen = |name: &str| jobs.iter().any(|job| job == name);
    if course.is_some() && chosen(crate::run::jobs::FLATFILE) {
        return Err(Misuse("'flatfile' knows no --course: leave out the one or the other".to_owned()));
    }
    if backfill && !chosen(COURSECOMPLETED) {
        return Err(Misuse(format!("--backfill is of '{COURSECOMPLETED}': name that rule, too")));
    }
    Ok(vec![Asked(What::Jobs(SyncOrder { jobs, course, backfill, defers: false }, left_out))])
}

/// The jobs in their order without duplicates, and the rules that `all` leaves out.
fn chosen(settings: &Settings, words: &[String]) -> (Vec<String>, Vec<&'static str>) {
    let named = |name: &str| words.iter().any(|word| word == name);
    let enabled = |name: &str| settings.tasks.get(name).is_none_or(|task| task.enabled);
    let by_all = |name: &str| named(ALL) && RULES.iter().any(|rule| rule.name == name);
    let (chosen, left_out) =
        jobs().filter(|name| named(name) || by_all(name)).partition::<Vec<_>, _>(|name| named(name) || enabled(name));
    (chosen.into_iter().map(str::to_owned).collect(), left_out)
}

impl Front {
    /// Executes one run of a request; with `simulate` it is rolled back.
    pub async fn sync(&self, who: &Who, asked: &Asked, simulate: bool) -> RunResult<Report> {
        match &asked.0 {
            What::Source(name) => {
                who.asks(format_args!("sync {name}, simulate: {simulate}"));
                self.engine.sync_source(name, simulate).await
            }
            What::Jobs(order, left_out) => {
                who.asks(format_args!("sync {}, simulate: {simulate}", order.jobs.join(" ")));
                let mut report = self.engine.sync(order, simulate).await?;
                report.rules.extend(left_out.iter().map(|rule| {
                    let skipped = Some(Skipped::TaskDisabled);
                    RuleReport { rule: (*rule).to_owned(), skipped, ..RuleReport::default() }
                }));
                // Rules that followed come after the requested ones.
                report.rules.sort_by_key(|rule| (rule.consequence, jobs().position(|job| job == rule.rule)));
                Ok(report)
            }
        }
    }

    /// Executes the run of a scheduled task: of a job or a source. It does not wait for a running task of Moodle that
    /// does the same work. `None` if there is no such task.
    pub async fn sync_task(&self, who: &Who, name: &str) -> RunResult<Option<Report>> {
        who.asks(format_args!("the task {name}"));
        if self.engine.settings.sources.contains_key(name) {
            return self.engine.sync_source(name, false).await.map(Some);
        }
        if !jobs().any(|job| job == name) {
            return Ok(None);
        }
        if name == WAITING && !self.engine.finds_waiting().await? {
            return Ok(Some(self.engine.nothing_found()));
        }
        let order = SyncOrder { defers: true, ..SyncOrder::of(name) };
        self.engine.sync(&order, false).await.map(Some)
    }
}
