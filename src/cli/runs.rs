//! `enrold runs [RUN]`: the history, or one run in full: counts, errors, changes.
//! It must not decide or change anything.

use anyhow::anyhow;
use serde_json::Value;

use crate::cli::terminal::Tone;
use crate::cli::{Exit, Setting, operator, output};
use crate::config::Locale;
use crate::front::runs::words_of_change;
use crate::front::{Detail, Front};
use crate::outcome::{Breach, Observer, Past, People, RunError, SetReport, State};
use crate::problem::Problem;
use crate::report::{inert, people, set, words};

/// The arguments of `runs`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The number of a run; without it the latest runs are listed
    run: Option<i64>,
    /// How many runs are listed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
    /// Also those of tasks that changed nothing
    #[arg(long)]
    all: bool,
    /// One table as CSV, nothing else: the courses or cohorts of a full set, the users whom a held run concerns, what
    /// is wrong with lines or rows, or role values that the site does not know
    #[arg(
        long,
        value_name = "TABLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "places",
        requires = "run",
        conflicts_with = "json"
    )]
    csv: Option<Csv>,
}

/// The tables of `--csv`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Csv {
    /// The courses or cohorts of a full set
    Places,
    /// The users whom a held run concerns, by course or cohort
    People,
    /// What is wrong, with file and line
    Problems,
    /// Role values of a full set that the site does not know
    Roles,
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let (front, who) = (setting.front_observed(Observer::none())?, operator());
    let Some(run) = options.run else {
        list(setting, &front.runs(&who, options.limit, options.all).await?);
        return Ok(Exit::Done);
    };
    let past = front.run(&who, run).await?.ok_or_else(|| no_run(run))?;
    match options.csv {
        Some(Csv::Places) => places(&past)?,
        Some(Csv::People) => concerned(&front, &past)?,
        Some(Csv::Problems) => wrong(setting, &front, &past).await?,
        Some(Csv::Roles) => output::list(&set::roles_csv(&of_set(&past)?)),
        None => whole(setting, &front, &past).await?,
    }
    Ok(Exit::Done)
}

fn no_run(run: i64) -> anyhow::Error {
    match run {
        0 => anyhow!("run 0 is a simulation, and no simulation is kept: give the number of a run, see 'enrold runs'"),
        run => anyhow!("there is no run {run}: see 'enrold runs'"),
    }
}

fn list(setting: &Setting, runs: &[Past]) {
    if setting.json {
        output::json(&runs);
        return;
    }
    output::line(&format!(
        "{:>6}  {:<19}  {:<16} {:<15} {:>7} {:>7}  {}",
        "run", "UTC", "state", "kind", "lines", "failed", "source"
    ));
    for past in runs {
        let row = format!(
            "{:>6}  {:<19}  {:<16} {:<15} {:>7} {:>7}  {}",
            past.run,
            moment(past.clock),
            past.state,
            past.kind,
            past.counts["lines"]["records"].as_u64().unwrap_or(0),
            past.counts["errors"].as_u64().unwrap_or(0),
            past.source
        );
        output::told(&row, 8, State::parse(&past.state).map_or(Tone::Plain, output::tone));
    }
}

fn moment(unix: i64) -> String {
    chrono::DateTime::from_timestamp(unix, 0).map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

async fn whole(setting: &Setting, front: &Front, past: &Past) -> anyhow::Result<()> {
    let locale = setting.locale();
    let mut people = People::default();
    // Another system account may not read the held store; the rest is still shown.
    if let Err(error) = front.people(past, |user| people.add(user)) {
        output::error(&format!("the users whom the run concerns cannot be shown: {error}"));
    }
    if !setting.json {
        headline(locale, past)?;
        people::lines(&people, locale).iter().for_each(|row| output::line(&format!("  {row}")));
    }
    let mut told = Announced { most: shown_of(&people), ..Announced::new(setting.json, locale) };
    match front.details(past, true, |detail| told.add(detail)).await {
        Err(error @ RunError::State { .. }) => output::error(&format!("the kept plan cannot be shown: {error}")),
        read => read?,
    }
    if setting.json {
        let mut document = serde_json::to_value(past)?;
        document["errors"] = told.errors.into();
        document["changes"] = told.changes.into();
        if !people.is_empty() {
            document["people"] = serde_json::to_value(&people)?;
        }
        output::json(&document);
    } else if told.hidden > 0 {
        output::line(&words::more_details(told.hidden, past.run, locale));
    }
    Ok(())
}

/// How many problems and how many changes are printed of a run that lists its users; of others all.
fn shown_of(people: &People) -> u64 {
    if people.is_empty() { u64::MAX } else { output::PRINTED as u64 }
}

/// Prints the users whom a held run concerns as CSV.
fn concerned(front: &Front, past: &Past) -> anyhow::Result<()> {
    output::list(people::HEADER);
    Ok(front.people(past, |user| output::list(&people::csv_row(&user)))?)
}

/// Prints the places of a full set as CSV.
fn places(past: &Past) -> anyhow::Result<()> {
    let account = of_set(past)?;
    output::list(&set::csv(&account));
    if account.more_places > 0 {
        output::error(&format!("the history has not kept {} more courses or cohorts", account.more_places));
    }
    Ok(())
}

/// Prints what is wrong with the lines or rows of a run as CSV.
async fn wrong(setting: &Setting, front: &Front, past: &Past) -> anyhow::Result<()> {
    let mut told = Announced::new(true, setting.locale());
    front.details(past, false, |detail| told.add(detail)).await?;
    let text = |error: &Value, name: &str| match &error[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let names = ["file", "line", "code", "value", "hint", "message"];
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(names)?;
    for error in &told.errors {
        out.write_record(names.map(|name| inert(&text(error, name)).into_owned()))?;
    }
    output::list(&String::from_utf8_lossy(&out.into_inner()?));
    Ok(())
}

/// The report of a full set, or an error if the run has none.
fn of_set(past: &Past) -> anyhow::Result<SetReport> {
    account(past).ok_or_else(|| anyhow!("run {} is not one of a full set", past.run))
}

/// The report of a full set, from the history.
fn account(past: &Past) -> Option<SetReport> {
    serde_json::from_value(past.counts["set"].clone()).ok()
}

fn headline(locale: Locale, past: &Past) -> anyhow::Result<()> {
    let headline = format!("run {}  {}  {}  {}  {}", past.run, moment(past.clock), past.kind, past.source, past.state);
    let tone = State::parse(&past.state).map_or(Tone::Plain, output::tone);
    output::told(&headline, 4, tone);
    if !past.message.is_empty() {
        past.message.lines().for_each(|row| output::told(&format!("  {row}"), 4, tone));
    }
    if let Some(account) = account(past) {
        output::account_of_set(&account, locale);
    }
    let counts = past.counts["counts"].as_object().cloned().unwrap_or_default();
    for (kind, count) in counts {
        output::line(&format!("  {:<24} {count}", words::change(&kind, locale, words_of_change)));
    }
    if !past.counts["breaches"].is_null() {
        let breaches: Vec<Breach> = serde_json::from_value(past.counts["breaches"].clone())?;
        output::breaches(&breaches, locale);
    }
    Ok(())
}

/// The errors and changes of a run, printed as they come or collected for JSON.
struct Announced {
    json: bool,
    locale: Locale,
    errors: Vec<Value>,
    changes: Vec<Value>,
    /// The most problems and the most changes that are printed.
    most: u64,
    printed: (u64, u64),
    /// How many are not printed.
    hidden: u64,
}

impl Announced {
    fn new(json: bool, locale: Locale) -> Self {
        Self { json, locale, errors: Vec::new(), changes: Vec::new(), most: u64::MAX, printed: (0, 0), hidden: 0 }
    }

    fn add(&mut self, detail: Detail) {
        match detail {
            Detail::Error(error) => self.error(error),
            Detail::Change(change) => self.change(change),
        }
    }

    fn error(&mut self, mut error: Value) {
        let problem: Option<Problem> = serde_json::from_value(error.clone()).ok();
        let message = problem.map_or_else(String::new, |problem| problem.text(self.locale));
        if self.json {
            error["message"] = message.into();
            self.errors.push(error);
        } else if self.printed.0 >= self.most {
            self.hidden += 1;
        } else {
            self.printed.0 += 1;
            output::problem(error["code"].as_str().unwrap_or_default(), &message);
        }
    }

    fn change(&mut self, change: Value) {
        if self.json {
            self.changes.push(change);
            return;
        }
        if self.printed.1 >= self.most {
            self.hidden += 1;
            return;
        }
        self.printed.1 += 1;
        let number = |name: &str| change[name].as_i64().unwrap_or(0);
        let text = |name: &str| change[name].as_str().unwrap_or_default();
        let overtaken = if number("state") == 1 { "  (overtaken)" } else { "" };
        output::line(&format!(
            "  line {:<7} {:<26} {:<20} {:<20} {}{overtaken}",
            number("line"),
            words::change(change["kind"].as_str().unwrap_or_default(), self.locale, words_of_change),
            text("username"),
            text("course"),
            text("role"),
        ));
    }
}
