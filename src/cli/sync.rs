//! `enrold sync [RULE…|all]`: does the work of rules and tasks now, as one run, and shows what each came to.
//! It must not know what a rule does.

use crate::cli::{Exit, Misuse, Setting, mails, progress};
use crate::outcome::RuleReport;
use crate::outcome::Skipped;
use crate::rules::RULES;
use crate::run::{SyncOrder, jobs};

/// The rule that knows `--backfill`.
const COURSECOMPLETED: &str = "coursecompleted";
/// The word for all rules.
const ALL: &str = "all";

/// The words of `sync`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Rules, `flatfile`, `expirations`; `all` is each rule whose task is enabled; or sources of full sets, which are
    /// fetched first, each in a run of its own
    #[arg(required = true, value_name = "RULE")]
    jobs: Vec<String>,
    /// Look at one course only, by its short name
    #[arg(long, value_name = "SHORTNAME")]
    course: Option<String>,
    /// Completions that were there before their method was count too; of `coursecompleted` only
    #[arg(long)]
    backfill: bool,
    /// Walk the whole way and roll back: nothing is changed
    #[arg(long)]
    simulate: bool,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<Exit> {
    let sources = &setting.settings.sources;
    let known = |word: &&String| jobs::all().chain([ALL]).any(|name| name == word.as_str());
    if options.jobs.iter().all(|word| sources.contains_key(word)) {
        return of_sources(setting, &options).await;
    }
    if let Some(word) = options.jobs.iter().find(|word| !known(word)) {
        if sources.contains_key(word) {
            return Err(Misuse(format!("'{word}' is a source, it has runs of its own: name sources alone")).into());
        }
        let mut names: Vec<&str> = jobs::all().chain([ALL]).collect();
        names.extend(sources.keys().map(String::as_str));
        let names = names.join(", ");
        return Err(Misuse(format!("there is no rule or source '{word}'; possible values: {names}")).into());
    }
    let Asked { jobs, left_out } = asked(setting, &options.jobs);
    if jobs.is_empty() {
        return Err(Misuse("the task of every rule is off: name the rules that are to run".to_owned()).into());
    }
    let asked = |name: &str| jobs.iter().any(|job| job == name);
    if options.course.is_some() && asked(jobs::FLATFILE) {
        return Err(Misuse("'flatfile' knows no --course: leave out the one or the other".to_owned()).into());
    }
    if options.backfill && !asked(COURSECOMPLETED) {
        return Err(Misuse(format!("--backfill is of '{COURSECOMPLETED}': name that rule, too")).into());
    }
    let engine = setting.engine(progress::watch(setting.quiet || setting.json))?;
    let order = SyncOrder { jobs, course: options.course, backfill: options.backfill, ..SyncOrder::default() };
    let mut report = engine.sync(&order, options.simulate).await?;
    for rule in left_out {
        let skipped =
            RuleReport { rule: rule.to_owned(), skipped: Some(Skipped::TaskDisabled), ..RuleReport::default() };
        report.rules.push(skipped);
    }
    // What followed stays behind what was asked for.
    report.rules.sort_by_key(|rule| (rule.consequence, jobs::all().position(|job| job == rule.rule)));
    progress::clear(setting.quiet || setting.json);
    setting.show(&report);
    mails::after(setting).await;
    Ok(Exit::of_report(&report))
}

/// Fetches each source and makes its set true; one that fails does not keep the next from running.
async fn of_sources(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    if options.course.is_some() || options.backfill {
        return Err(
            Misuse("a source is compared as a whole: it knows neither --course nor --backfill".to_owned()).into()
        );
    }
    let mut exit = Exit::Done;
    for name in &options.jobs {
        let engine = setting.engine(progress::watch(setting.quiet || setting.json))?;
        let report = engine.sync_source(name, options.simulate).await?;
        progress::clear(setting.quiet || setting.json);
        setting.show(&report);
        exit = exit.worse(Exit::of_report(&report));
    }
    mails::after(setting).await;
    Ok(exit)
}

/// What is run, and which rules `all` leaves out because their task is off.
struct Asked {
    jobs: Vec<String>,
    left_out: Vec<&'static str>,
}

/// The jobs in their order, each once.
fn asked(setting: &Setting, words: &[String]) -> Asked {
    let named = |name: &str| words.iter().any(|word| word == name);
    let enabled = |name: &str| setting.settings.tasks.get(name).is_none_or(|task| task.enabled);
    let by_all = |name: &str| named(ALL) && RULES.iter().any(|rule| rule.name == name);
    let (jobs, left_out) = jobs::all()
        .filter(|name| named(name) || by_all(name))
        .partition::<Vec<_>, _>(|name| named(name) || enabled(name));
    Asked { jobs: jobs.into_iter().map(str::to_owned).collect(), left_out }
}
