//! `enrold tasks`: the scheduled tasks, when each last ran, how that ended, and when it is next.
//! It must not run a task or change anything.

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use serde_json::json;

use crate::cli::{Exit, Setting, output};
use crate::config::Locale;
use crate::moodle::site::Site;
use crate::moodle::site::zone;
use crate::outcome::Stale;
use crate::outcome::State;
use crate::report::feed;
use crate::report::words::pick;
use crate::run;
use crate::schedule::store::{self, Last};
use crate::schedule::{Planned, When, tasks};
use crate::sets::{Feed, feeds};

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Exit> {
    let mut conn = setting.database()?.connect().await?;
    run::require_ready(&mut conn).await?;
    let site = Site::read(&mut conn).await?;
    let zone = zone(&setting.settings, Some(&site));
    let kept = store::list(&mut conn).await?;
    let feeds = feeds(&mut conn, &setting.settings).await?;
    conn.close().await;
    let known = tasks(&setting.settings);
    let now = setting.clock.now();
    let rows = known.iter().map(|task| Row {
        task,
        last: kept.iter().find(|last| last.name == task.name),
        zone: task.zone(zone),
        next: task.next(zone, now).filter(|_| task.enabled),
        feed: feeds.iter().find(|feed| feed.source == task.name),
        stale: feeds.iter().find(|feed| feed.source == task.name).and_then(|feed| {
            let source = setting.settings.sources.get(&feed.source)?;
            feed.stale(source, zone, now, None)
        }),
    });
    if setting.json {
        output::json(&rows.map(|row| row.json()).collect::<Vec<_>>());
    } else {
        table(rows, setting.locale());
    }
    Ok(Exit::Done)
}

struct Row<'a> {
    task: &'a Planned,
    last: Option<&'a Last>,
    zone: Tz,
    next: Option<i64>,
    /// The last good sets, of an enabled source.
    feed: Option<&'a Feed>,
    stale: Option<Stale>,
}

impl Row<'_> {
    fn json(&self) -> serde_json::Value {
        let (schedule, catch_up, every) = match &self.task.when {
            When::Cron { schedule, catch_up } => (Some(schedule.as_str()), Some(catch_up.as_str()), None),
            When::Every(interval) => (None, None, Some(interval.as_secs())),
            When::Files => (None, None, None),
        };
        json!({
            "name": self.task.name,
            "enabled": self.task.enabled,
            "schedule": schedule,
            "catch_up": catch_up,
            "every": every,
            "zone": self.zone.name(),
            "started": self.last.map(|last| last.started),
            "ended": self.last.map(|last| last.ended).filter(|ended| *ended != 0),
            "result": self.last.map(|last| last.result.as_str()),
            "run": self.last.and_then(|last| last.run),
            "succeeded": self.last.map(|last| last.succeeded).filter(|succeeded| *succeeded != 0),
            "message": self.last.map(|last| last.message.as_str()).filter(|message| !message.is_empty()),
            "next": self.next,
            "last_set": self.feed.and_then(|feed| feed.last),
            "same_since": self.feed.and_then(|feed| feed.same_since),
            "stale": self.stale.map(Stale::as_str),
        })
    }

    /// What stands below its row: why it failed, or what is wrong with its feed.
    fn notes(&self, locale: Locale) -> Vec<String> {
        let message = self.last.filter(|last| !last.message.is_empty()).map(|last| {
            let mark = if last.result == State::Failed.as_str() { "!" } else { "-" };
            format!("{mark} {}", last.message)
        });
        let stale = self.stale.map(|stale| format!("! {}", feed::stale(stale, self.zone, locale)));
        message.into_iter().chain(stale).collect()
    }

    /// The cells of the table, in the order of [`headings`].
    fn cells(&self, locale: Locale) -> [String; 8] {
        let (schedule, zone) = match &self.task.when {
            When::Cron { schedule, .. } => (schedule.to_string(), self.zone.name().to_owned()),
            When::Every(interval) => {
                let seconds = interval.as_secs();
                (pick(locale, &format!("every {seconds} s"), &format!("toutes les {seconds} s")), "-".to_owned())
            }
            When::Files => (pick(locale, "its files", "ses fichiers"), self.zone.name().to_owned()),
        };
        let none = || "-".to_owned();
        let yes = if self.task.enabled { pick(locale, "yes", "oui") } else { pick(locale, "no", "non") };
        let never = || pick(locale, "never", "jamais");
        let disabled = || if self.task.enabled { none() } else { pick(locale, "disabled", "désactivée") };
        [
            self.task.name.clone(),
            yes,
            schedule,
            zone,
            self.last.map_or_else(never, |last| moment(self.zone, last.started)),
            self.last.map_or_else(none, |last| last.result.clone()),
            self.last.and_then(|last| last.run).map_or_else(none, |run| run.to_string()),
            self.next.map_or_else(disabled, |next| moment(self.zone, next)),
        ]
    }
}

fn headings(locale: Locale) -> [String; 8] {
    [
        ("task", "tâche"),
        ("enabled", "active"),
        ("schedule", "horaire"),
        ("time zone", "fuseau"),
        ("last start", "dernier début"),
        ("result", "résultat"),
        ("run", "passage"),
        ("next", "prochain début"),
    ]
    .map(|(english, french)| pick(locale, english, french))
}

fn table<'a>(rows: impl Iterator<Item = Row<'a>>, locale: Locale) {
    let rows: Vec<Row> = rows.collect();
    let cells: Vec<[String; 8]> =
        std::iter::once(headings(locale)).chain(rows.iter().map(|row| row.cells(locale))).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let notes = std::iter::once(Vec::new()).chain(rows.iter().map(|row| row.notes(locale)));
    for (row, notes) in cells.iter().zip(notes) {
        let padded: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
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
