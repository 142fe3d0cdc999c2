//! The command line: the arguments, the operator, and the exit code.
//! It must not know SQL or bytes: every command calls the library's front and shows the result.

mod check;
mod cohorts;
mod config;
mod courses;
mod database;
mod decide;
mod demo;
mod diff;
mod doctor;
mod hook;
mod import;
mod lists;
pub mod log;
mod mails;
mod output;
mod participants;
mod progress;
mod run;
mod runs;
mod sync;
mod tasks;
mod terminal;
mod verbs;
mod waiting;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{ConfigProblems, Loaded, Locale, LogLevel, Origin, Settings, Sources};
use crate::db::Database;
use crate::front::{Front, Misuse, Who};
use crate::outcome::{Note, Observer, Report, RunError, State};

/// How a command ended; other programs rely on these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed, nothing was applied.
    Failed,
    /// 2: the arguments or the configuration are wrong.
    Usage,
    /// 3: held by the guard, an operator must decide.
    Held,
    /// 4: done, but lines failed.
    RowErrors,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Held => 3,
            Self::RowErrors => 4,
        }
    }

    /// The code of a run that ended in this state.
    fn of(state: State, errors: u64) -> Self {
        match state {
            State::Held => Self::Held,
            State::Failed | State::Interrupted | State::Running => Self::Failed,
            _ if errors > 0 => Self::RowErrors,
            _ => Self::Done,
        }
    }

    /// The more severe of two codes: a failure, then a run that is held, then lines that failed.
    fn worse(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Done => 0,
            Self::RowErrors => 1,
            Self::Held => 2,
            Self::Failed => 3,
            Self::Usage => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }

    /// The code of a run: a file that waits for its method was not applied, a task without work is done.
    fn of_report(report: &Report) -> Self {
        let waits = report.notes.contains(&Note::MethodDisabled) && report.kind != "sync flatfile";
        if waits || report.notes.contains(&Note::SetsDisabled) {
            return Self::Failed;
        }
        if report.would_hold {
            return Self::Held;
        }
        Self::of(report.state, report.errors)
    }
}

/// The enrolment sync daemon for Moodle.
#[derive(Debug, Parser)]
#[command(name = "enrold", version, about, propagate_version = true)]
pub struct Cli {
    /// A configuration file, above /etc/enrold/enrold.toml; several are read in turn
    #[arg(long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// One setting, above everything else: --set guard.mode=warn
    #[arg(long, global = true, value_name = "KEY.PATH=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Freeze the clock of the whole process (Unix seconds)
    #[arg(long, global = true, value_name = "UNIXTIME")]
    now: Option<i64>,
    /// How long to wait while another run is under way
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// One JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Say more on standard error (twice: everything)
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Say only errors on standard error, and nothing of a run that is done
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the drop directory and run the scheduled tasks, until SIGTERM
    Run(run::Options),
    /// Apply one file now; the file is left as it is
    Import(import::Options),
    /// Do the work of rules and tasks now
    Sync(sync::Options),
    /// What the set of a source would do now; nothing is written
    Diff(diff::Options),
    /// Look through a file without a database: for whoever makes the file
    Check(check::Options),
    /// The history of runs, or one run whole
    Runs(runs::Options),
    /// The scheduled tasks: when each last ran, how it ended, when it is next
    Tasks,
    /// The courses of the site, with their methods and counts
    Courses(courses::Options),
    /// The cohorts of the site, or one with its members
    Cohorts(cohorts::Options),
    /// The participants of a course: roles, groups, last access, methods, dates
    Participants(participants::Options),
    /// Active enrolments of a course that have an end get a later one
    Renew(verbs::Renew),
    /// Automatic enrolments become manual ones: dates, roles and groups stay
    Convert(verbs::Convert),
    /// The active participants of a course become manual participants of another
    CopyParticipants(verbs::Copy),
    /// Groups of a course pass to another, with their members as manual participants
    MoveGroups(verbs::MoveGroups),
    /// Lines that wait for an account or a course; drop them, let them wait longer, or again
    Waiting(waiting::Options),
    /// Mails that wait or were refused; try again, send now, test
    Mails(mails::Options),
    /// Apply a held run
    Approve(decide::Approval),
    /// Put a held run aside for good
    Reject(decide::Options),
    /// The settings in force, and where each comes from
    Config,
    /// Create or change tables
    #[command(subcommand)]
    Db(database::Command),
    /// Show the main job on an embedded database with a sample site
    Demo(demo::Options),
    /// Can it work here? What is missing, and what to do
    Doctor(doctor::Options),
    /// Give what each run changed to a command of the site, as the web user: no configuration, no database
    Hook(hook::Options),
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY.PATH=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// The context of every command.
pub(crate) struct Setting {
    settings: Arc<Settings>,
    loaded: Loaded,
    /// The language of what is printed.
    locale: Locale,
    clock: Clock,
    wait: Duration,
    json: bool,
    quiet: bool,
}

impl Setting {
    /// The site's database, not yet connected.
    fn database(&self) -> anyhow::Result<Database> {
        use secrecy::ExposeSecret;
        let settings = &self.settings;
        let url = settings.database.url.expose_secret();
        let lock = settings.run.lock_timeout;
        Ok(Database::new(url, &settings.database.prefix, lock, settings.database.connect_timeout)?)
    }

    /// The front, with the progress of its runs on a terminal.
    fn front(&self) -> anyhow::Result<Front> {
        self.front_observed(progress::watch(self.quiet || self.json, self.locale))
    }

    /// The front; `observer` receives each moment of a run.
    fn front_observed(&self, observer: Observer) -> anyhow::Result<Front> {
        let (database, settings) = (Arc::new(self.database()?), Arc::clone(&self.settings));
        Ok(Front::new(database, settings, self.clock, self.wait, observer, CancellationToken::new()))
    }

    /// Shows the report of a run as JSON or text.
    fn show(&self, report: &Report) {
        if self.json {
            output::json(&crate::report::document(report, self.locale()));
        } else if !(self.quiet && report.state == State::Done && report.notes.is_empty() && report.breaches.is_empty())
        {
            output::report(report, self.locale());
        }
    }

    fn locale(&self) -> Locale {
        self.locale
    }
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    // The hook runs a program of the site, which may want dumps.
    if !matches!(cli.command, Command::Hook(_)) {
        forbid_dumps();
    }
    let exit = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(run(cli));
            // A running statement of SQLite, on a thread of its own, is not waited for: it is rolled back.
            runtime.shutdown_timeout(Duration::from_millis(100));
            exit
        }
        Err(error) => Err(error.into()),
    };
    ExitCode::from(exit.unwrap_or_else(|error| failed(&error, json)).code())
}

fn failed(error: &anyhow::Error, json: bool) -> Exit {
    if json {
        output::json(&serde_json::json!({ "state": "failed", "message": format!("{error:#}") }));
    }
    output::error(&format!("{error:#}"));
    match (error.downcast_ref::<ConfigProblems>(), error.downcast_ref::<RunError>()) {
        (Some(_), _) => Exit::Usage,
        (_, Some(RunError::NoSuchCourse { .. } | RunError::NoSuchSource { .. } | RunError::Refused(_))) => Exit::Usage,
        _ if error.is::<Misuse>() => Exit::Usage,
        _ => Exit::Failed,
    }
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let sources = sources(&cli);
    let loaded = crate::config::load(&sources)?;
    let settings = Arc::new(loaded.settings.clone());
    let log = log::start(asked_level(&cli), settings.log.level, settings.log.format);
    let setting = Setting {
        locale: printed(&loaded, cli.json),
        settings,
        loaded,
        clock: Clock::frozen_at(cli.now),
        wait: Duration::from_secs(cli.wait),
        json: cli.json,
        quiet: cli.quiet,
    };
    match cli.command {
        Command::Run(options) => run::run(&setting, &options, sources, log).await,
        Command::Import(options) => import::run(&setting, options).await,
        Command::Sync(options) => sync::run(&setting, options).await,
        Command::Diff(options) => diff::run(&setting, options).await,
        Command::Check(options) => check::run(&setting, &options),
        Command::Runs(options) => runs::run(&setting, &options).await,
        Command::Tasks => tasks::run(&setting).await,
        Command::Courses(options) => courses::run(&setting, &options).await,
        Command::Cohorts(options) => cohorts::run(&setting, &options).await,
        Command::Participants(options) => participants::run(&setting, &options).await,
        Command::Renew(options) => verbs::renew(&setting, options).await,
        Command::Convert(options) => verbs::convert(&setting, options).await,
        Command::CopyParticipants(options) => verbs::copy(&setting, options).await,
        Command::MoveGroups(options) => verbs::move_groups(&setting, options).await,
        Command::Waiting(options) => waiting::run(&setting, &options).await,
        Command::Mails(options) => mails::run(&setting, &options).await,
        Command::Approve(options) => decide::approve(&setting, &options).await,
        Command::Reject(options) => decide::reject(&setting, &options).await,
        Command::Config => Ok(config::run(&setting)),
        Command::Db(command) => database::run(&setting, &command).await,
        Command::Demo(options) => demo::run(&setting, &options, sources, log).await,
        Command::Doctor(options) => doctor::run(&setting, &options, &sources.files).await,
        Command::Hook(options) => hook::run(options).await,
    }
}

/// The language of what is printed: that of the key `locale`; if no layer sets it, on a terminal that of the operator's
/// environment. What others read (documents, lists, mails) never depends on who started the program.
fn printed(loaded: &Loaded, json: bool) -> Locale {
    let is_set = loaded.origins.iter().any(|key| key.key == "locale" && key.origin != Origin::Default);
    let asked = if is_set || json || !terminal::is_output() { None } else { terminal::language() };
    asked.unwrap_or(loaded.settings.locale)
}

fn sources(cli: &Cli) -> Sources {
    if let Command::Hook(_) = &cli.command {
        // The web user runs it and may not read the site's configuration, which holds the database's password.
        return Sources { files: cli.config.clone(), sets: cli.set.clone(), ..Sources::default() };
    }
    let env = std::env::vars_os()
        .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(key, _)| key.starts_with("ENROLD__"))
        .collect();
    let mut sets = Vec::new();
    if let Command::Demo(options) = &cli.command {
        sets = options.sets();
    }
    sets.extend(cli.set.iter().cloned());
    Sources {
        system_file: Some(PathBuf::from("/etc/enrold/enrold.toml")),
        files: cli.config.clone(),
        env,
        sets,
        credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
    }
}

/// The level that `-q`, `-v` or `-vv` asks for.
fn asked_level(cli: &Cli) -> Option<LogLevel> {
    match (cli.quiet, cli.verbose) {
        (true, _) => Some(LogLevel::Error),
        (_, 0) => None,
        (_, 1) => Some(LogLevel::Debug),
        _ => Some(LogLevel::Trace),
    }
}

/// Keeps passwords out of core dumps, and out of the reach of other processes of the same account: a unit may allow
/// dumps, and some systems pipe them to a program whatever the limit says.
fn forbid_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = limited {
        output::error(&format!("core dumps cannot be switched off: {error}"));
    }
}

/// The operator: the name of the account, or its number if `/etc/passwd` does not have it.
#[allow(clippy::disallowed_methods, reason = "the accounts of the host")]
fn operator() -> Who {
    let uid = rustix::process::getuid().as_raw().to_string();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    });
    Who::Operator { account: name.unwrap_or(uid) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
