//! `enrold runs [RUN]`: the history, or one run whole: counts, errors, changes.
//! It must not decide or change anything.

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::{Exit, Setting, output};
use crate::config::Locale;
use crate::db::{Conn, Params};
use crate::report::{Code, Problem};
use crate::report::{set, words};
use crate::run::history::{self, Past};
use crate::run::hold::Shelf;
use crate::sets::SetReport;

/// The words of `runs`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The number of a run; without it the latest runs are listed
    run: Option<i64>,
    /// How many runs are listed
    #[arg(long, default_value_t = 20)]
    limit: i64,
    /// Also those of tasks that changed nothing
    #[arg(long)]
    all: bool,
    /// The courses or cohorts of a full set as CSV, nothing else
    #[arg(long, requires = "run", conflicts_with = "json")]
    csv: bool,
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let mut conn = setting.database()?.connect().await?;
    match options.run {
        None => list(setting, &mut conn, options).await?,
        Some(run) => {
            let past = history::find(&mut conn, run).await?.ok_or_else(|| anyhow!("there is no run {run}"))?;
            if options.csv {
                places(&past)?;
            } else {
                whole(setting, &mut conn, &past).await?;
            }
        }
    }
    conn.close().await;
    Ok(Exit::Done)
}

async fn list(setting: &Setting, conn: &mut Conn, options: &Options) -> anyhow::Result<()> {
    let runs = history::list(conn, options.limit, options.all).await?;
    if setting.json {
        output::json(&runs);
        return Ok(());
    }
    output::line(&format!(
        "{:>6}  {:<19}  {:<16} {:<15} {:>7} {:>7}  {}",
        "run", "UTC", "state", "kind", "lines", "failed", "source"
    ));
    for past in runs {
        output::line(&format!(
            "{:>6}  {:<19}  {:<16} {:<15} {:>7} {:>7}  {}",
            past.run,
            moment(past.clock),
            past.state,
            past.kind,
            past.counts["lines"]["records"].as_u64().unwrap_or(0),
            past.counts["errors"].as_u64().unwrap_or(0),
            past.source
        ));
    }
    Ok(())
}

fn moment(unix: i64) -> String {
    chrono::DateTime::from_timestamp(unix, 0).map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

async fn whole(setting: &Setting, conn: &mut Conn, past: &Past) -> anyhow::Result<()> {
    if !setting.json {
        headline(setting.locale(), past);
    }
    let mut told = Told { json: setting.json, locale: setting.locale(), errors: Vec::new(), changes: Vec::new() };
    if past.state == "held" || past.state == "rejected" || past.state == "approved" {
        let shelf = Shelf::of(&setting.settings.state.path, past.run);
        match (shelf.lines(&shelf.errors()), shelf.lines(&shelf.plan())) {
            (Ok(errors), Ok(plan)) => {
                errors.iter().for_each(|error| told.error(error));
                plan.into_iter().for_each(|change| told.change(change));
            }
            (Err(error), _) | (_, Err(error)) => eprintln!("enrold: the kept plan cannot be shown: {error}"),
        }
    } else {
        journal(conn, past.run, &mut told).await?;
    }
    if setting.json {
        let mut document = serde_json::to_value(past)?;
        document["errors"] = told.errors.into();
        document["changes"] = told.changes.into();
        output::json(&document);
    }
    Ok(())
}

/// The places of a full set as CSV.
fn places(past: &Past) -> anyhow::Result<()> {
    let account = account(past).ok_or_else(|| anyhow!("run {} is not one of a full set", past.run))?;
    output::line(set::csv(&account).trim_end());
    if account.more_places > 0 {
        eprintln!("enrold: the history has not kept {} more courses or cohorts", account.more_places);
    }
    Ok(())
}

/// What a full set came to, as the history has it.
fn account(past: &Past) -> Option<SetReport> {
    serde_json::from_value(past.counts["set"].clone()).ok()
}

fn headline(locale: Locale, past: &Past) {
    output::line(&format!("run {}  {}  {}  {}  {}", past.run, moment(past.clock), past.kind, past.source, past.state));
    if !past.message.is_empty() {
        output::line(&format!("  {}", past.message));
    }
    if let Some(account) = account(past) {
        set::lines(&account, locale).iter().for_each(|row| output::line(&format!("  {row}")));
    }
    let counts = past.counts["counts"].as_object().cloned().unwrap_or_default();
    for (kind, count) in counts {
        output::line(&format!("  {:<24} {count}", words::change(&kind, locale)));
    }
    for breach in past.counts["breaches"].as_array().cloned().unwrap_or_default() {
        if let Ok(breach) = serde_json::from_value(breach) {
            output::line(&format!("  ! {}", words::breach(&breach, locale)));
        }
    }
}

/// The errors and changes of a run, printed as they come or collected for JSON.
struct Told {
    json: bool,
    locale: Locale,
    errors: Vec<Value>,
    changes: Vec<Value>,
}

impl Told {
    fn error(&mut self, error: &Value) {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        let line = error["line"].as_u64().unwrap_or(0);
        let message = Code::parse(&text("code"))
            .map_or_else(String::new, |code| Problem::new(line, code, text("value"), text("hint")).text(self.locale));
        if self.json {
            let mut error = error.clone();
            error["message"] = message.into();
            self.errors.push(error);
        } else {
            output::line(&format!("  {:<18} {message}", text("code")));
        }
    }

    fn change(&mut self, change: Value) {
        if self.json {
            self.changes.push(change);
            return;
        }
        let number = |name: &str| change[name].as_i64().unwrap_or(0);
        let text = |name: &str| change[name].as_str().unwrap_or_default();
        let overtaken = if number("state") == 1 { "  (overtaken)" } else { "" };
        output::line(&format!(
            "  line {:<7} {:<26} {:<20} {:<20} {}{overtaken}",
            number("line"),
            words::change(change["kind"].as_str().unwrap_or_default(), self.locale),
            text("username"),
            text("course"),
            text("role"),
        ));
    }
}

async fn journal(conn: &mut Conn, run: i64, told: &mut Told) -> anyhow::Result<()> {
    let params = Params::new().with("run", run);
    let errors =
        "SELECT line, code, COALESCE(value, ''), COALESCE(hint, '') FROM {enrold_error} WHERE run = :run ORDER BY line";
    conn.each(errors, &params, |row| {
        told.error(&json!({ "line": row.int(0), "code": row.text(1), "value": row.text(2), "hint": row.text(3) }));
        Ok(())
    })
    .await?;
    let changes = "SELECT c.seq, c.kind, c.state, c.line, c.userid, u.username, c.courseid, s.shortname, c.roleid, r.shortname, c.enrolid, c.contextid,
            c.component, c.itemid, c.groupid, c.targetid, c.status, c.timestart, c.timeend, c.oldstatus, c.oldtimestart, c.oldtimeend, c.lastenrol, c.oldrow
        FROM {enrold_change} c LEFT JOIN {user} u ON u.id = c.userid LEFT JOIN {course} s ON s.id = c.courseid LEFT JOIN {role} r ON r.id = c.roleid
       WHERE c.run = :run ORDER BY c.seq";
    let names = [
        "seq",
        "kind",
        "state",
        "line",
        "userid",
        "username",
        "courseid",
        "course",
        "roleid",
        "role",
        "enrolid",
        "contextid",
        "component",
        "itemid",
        "groupid",
        "targetid",
        "status",
        "timestart",
        "timeend",
        "oldstatus",
        "oldtimestart",
        "oldtimeend",
        "lastenrol",
        "oldrow",
    ];
    conn.each(changes, &params, |row| {
        let mut change = serde_json::Map::new();
        for (at, name) in names.iter().enumerate().filter(|(at, _)| !row.is_null(*at)) {
            let value = match *name {
                "kind" | "component" | "username" | "course" | "role" => row.text(at).into(),
                "oldrow" => serde_json::from_str(&row.text(at)).unwrap_or_default(),
                _ => row.int(at).into(),
            };
            change.insert((*name).to_owned(), value);
        }
        told.change(Value::Object(change));
        Ok(())
    })
    .await?;
    Ok(())
}
