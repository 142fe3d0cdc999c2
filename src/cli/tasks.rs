//! `enrold tasks`: the scheduled tasks, when each last ran, how that ended, and when it runs next.
//! It must not find anything out itself.

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use serde_json::json;

use crate::cli::{Exit, Setting, operator, output};
use crate::config::Locale;
use crate::front::Scheduled;
use crate::outcome::{Observer, Stale, State};
use crate::report::feed;
use crate::report::words::pick;
use crate::schedule::When;

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Exit> {
    let tasks = setting.front_observed(Observer::none())?.tasks(&operator()).await?;
    if setting.json {
        output::json(&tasks.iter().map(json).collect::<Vec<_>>());
    } else {
        table(&tasks, setting.locale());
    }
    Ok(Exit::Done)
}

fn json(row: &Scheduled) -> serde_json::Value {
    let (schedule, catch_up, every) = match &row.task.when {
        When::Cron { schedule, catch_up } => (Some(schedule.as_str()), Some(catch_up.as_str()), None),
        When::Every(interval) => (None, None, Some(interval.as_secs())),
        When::Files => (None, None, None),
    };
    let last = row.last.as_ref();
    let feed = row.feed.as_ref();
    json!({
        "name": row.task.name,
        "enabled": row.task.enabled,
        "schedule": schedule,
        "catch_up": catch_up,
        "every": every,
        "zone": row.zone.name(),
        "started": last.map(|last| last.started),
        "ended": last.map(|last| last.ended).filter(|ended| *ended != 0),
        "result": last.map(|last| last.result.as_str()),
        "run": last.and_then(|last| last.run),
        "succeeded": last.map(|last| last.succeeded).filter(|succeeded| *succeeded != 0),
        "message": last.map(|last| last.message.as_str()).filter(|message| !message.is_empty()),
        "next": row.next,
        "last_set": feed.and_then(|state| state.feed.last),
        "same_since": feed.and_then(|state| state.feed.same_since),
        "stale": feed.and_then(|state| state.stale).map(Stale::as_str),
    })
}

/// The lines below the row of a task: why it failed, or what is wrong with its feed.
fn notes(row: &Scheduled, locale: Locale) -> Vec<String> {
    let message = row.last.as_ref().filter(|last| !last.message.is_empty()).map(|last| {
        let mark = if last.result == State::Failed.as_str() { "!" } else { "-" };
        format!("{mark} {}", last.message)
    });
    let stale = row.feed.as_ref().and_then(|state| state.stale);
    let stale = stale.map(|stale| format!("! {}", feed::stale(stale, row.zone, locale)));
    message.into_iter().chain(stale).collect()
}

/// The cells of the table, in the order of [`headings`].
fn cells(row: &Scheduled, locale: Locale) -> [String; 8] {
    let (schedule, zone) = match &row.task.when {
        When::Cron { schedule, .. } => (schedule.to_string(), row.zone.name().to_owned()),
        When::Every(interval) => {
            let seconds = interval.as_secs();
            (pick(locale, &format!("every {seconds} s"), &format!("toutes les {seconds} s")), "-".to_owned())
        }
        When::Files => (pick(locale, "its files", "ses fichiers"), row.zone.name().to_owned()),
    };
    let none = || "-".to_owned();
    let yes = if row.task.enabled { pick(locale, "yes", "oui") } else { pick(locale, "no", "non") };
    let never = || pick(locale, "never", "jamais");
    let disabled = || if row.task.enabled { none() } else { pick(locale, "disabled", "désactivée") };
    let last = row.last.as_ref();
    [
        row.task.name.clone(),
        yes,
        schedule,
        zone,
        last.map_or_else(never, |last| moment(row.zone, last.started)),
        last.map_or_else(none, |last| last.result.clone()),
        last.and_then(|last| last.run).map_or_else(none, |run| run.to_string()),
        row.next.map_or_else(disabled, |next| moment(row.zone, next)),
    ]
}

fn headings(locale: Locale) -> [String; 8] {
    [
        ("task", "tâche"),
        ("enabled", "active"),
        ("schedule", "horaire"),
        ("time zone", "fuseau"),
        ("last start", "dernier début"),
        ("result", "résultat"),
        ("run", "exécution"),
        ("next", "prochain début"),
    ]
    .map(|(english, french)| pick(locale, english, french))
}

fn table(rows: &[Scheduled], locale: Locale) {
    let lines: Vec<[String; 8]> =
        std::iter::once(headings(locale)).chain(rows.iter().map(|row| cells(row, locale))).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let notes = std::iter::once(Vec::new()).chain(rows.iter().map(|row| notes(row, locale)));
    for (line, notes) in lines.iter().zip(notes) {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        output::line(padded.join("  ").trim_end());
        notes.iter().for_each(|note| output::line(&format!("  {note}")));
    }
}

/// A moment by the wall clock of a zone, with its offset from UTC.
fn moment(zone: Tz, unix: i64) -> String {
    DateTime::from_timestamp(unix, 0)
        .map(|at| at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default()
}
