//! The scheduled tasks of the daemon: their list, what is due, the records of their last runs, and the ticker.
//! It must not know what a task does, or run one.

pub mod due;
#[cfg(test)]
mod due_tests;
pub mod store;
pub mod ticker;

use std::time::Duration;

use chrono_tz::Tz;

use crate::config::{CatchUp, Schedule, Settings};

/// The removal of old archives and reports.
pub const RETENTION: &str = "retention";
/// The report of the lines that wait.
pub const WAITING_REPORT: &str = "waiting_report";
/// The scan of the whole drop directory.
pub const RESCAN: &str = "rescan";

/// A task and when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name, as in the configuration and in `enrold_task`.
    pub name: String,
    /// When it runs.
    pub when: When,
    /// The zone of its calendar; `None` for the site's.
    pub zone: Option<Tz>,
    /// Whether the daemon runs it.
    pub enabled: bool,
}

/// When a task runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A calendar.
    Cron {
        /// The times.
        schedule: Schedule,
        /// What happens to times that passed while no daemon worked.
        catch_up: CatchUp,
    },
    /// A fixed time after the last start, without a calendar.
    Every(Duration),
    /// Whenever its files are dropped: nothing is planned.
    Files,
}

/// All tasks, enabled or not, in the order in which they run when several are due: the sources, the `jobs` of a run in
/// their order, then the daemon's own.
pub fn tasks(settings: &Settings, jobs: impl Iterator<Item = &'static str>) -> Vec<Planned> {
    let by_calendar = jobs.chain([WAITING_REPORT, RETENTION]).filter_map(|name| {
        let task = settings.tasks.get(name)?;
        let when = When::Cron { schedule: task.schedule.clone(), catch_up: task.catch_up };
        Some(Planned { name: name.to_owned(), when, zone: task.timezone, enabled: task.enabled })
    });
    let rescan =
        Planned { name: RESCAN.to_owned(), when: When::Every(settings.inbox.rescan), zone: None, enabled: true };
    sources(settings).chain(by_calendar).chain([rescan]).collect()
}

/// The sources, each a task of its name: they come before the rules that follow their changes.
fn sources(settings: &Settings) -> impl Iterator<Item = Planned> {
    settings.sources.iter().map(|(name, source)| Planned {
        name: name.clone(),
        when: match source.files.is_empty() {
            true => When::Cron { schedule: source.schedule.clone(), catch_up: source.catch_up },
            false => When::Files,
        },
        zone: source.timezone,
        enabled: source.enabled,
    })
}

impl Planned {
    /// The zone of its calendar, where `site` is the site's.
    pub fn zone(&self, site: Tz) -> Tz {
        self.zone.unwrap_or(site)
    }

    /// The planned moment for which the task is to run now, if there is one and the task is enabled; see [`due::due`].
    /// `site` is the site's zone.
    ///
    /// A task by interval is due when its interval has passed since `last`, or when the clock was set back before that.
    pub fn due(&self, site: Tz, last: Option<i64>, since: i64, now: i64) -> Option<i64> {
        match &self.when {
            _ if !self.enabled => None,
            When::Cron { schedule, catch_up } => due::due(schedule, self.zone(site), *catch_up, last, since, now),
            When::Every(interval) => {
                let waits = |last: i64| (0..interval.as_secs() as i64).contains(&now.saturating_sub(last));
                (!last.is_some_and(waits)).then_some(now)
            }
            When::Files => None,
        }
    }

    /// The first moment of the calendar after `after`, in Unix seconds; `None` for a task without one.
    pub fn next(&self, site: Tz, after: i64) -> Option<i64> {
        match &self.when {
            When::Cron { schedule, .. } => due::next(schedule, self.zone(site), after),
            When::Every(_) | When::Files => None,
        }
    }

    /// Whether its times may lie between two full minutes, where the ticker does not tick.
    fn names_seconds(&self) -> bool {
        matches!(&self.when, When::Cron { schedule, .. } if schedule.names_seconds())
    }
}

/// The seconds from `now` until a task that names seconds may be due between two ticks; `None` while no enabled task
/// names seconds. Times before `now` were checked when they passed.
pub fn sooner(planned: &[Planned], site: Tz, now: i64) -> Option<u64> {
    let next = planned.iter().filter(|task| task.enabled && task.names_seconds());
    next.filter_map(|task| task.next(site, now)).min().map(|next| next.saturating_sub(now).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(seconds: u64) -> Planned {
        Planned { name: RESCAN.to_owned(), when: When::Every(Duration::from_secs(seconds)), zone: None, enabled: true }
    }

    fn planned(schedule: &str, zone: Option<Tz>) -> Planned {
        let when = When::Cron { schedule: schedule.parse().unwrap(), catch_up: CatchUp::Once };
        Planned { name: RETENTION.to_owned(), when, zone, enabled: true }
    }

    /// Checks between two full minutes are needed only for schedules that name seconds.
    #[test]
    fn a_look_between_two_minutes() {
        let now = 1_000_000_020;
        let minute = planned("* * * * *", None);
        let third = planned("*/20 * * * * *", None);
        let off = Planned { enabled: false, ..planned("* * * * * *", None) };
        assert_eq!(sooner(&[minute.clone(), every(30), off], Tz::UTC, now), None);
        assert_eq!(sooner(&[minute, third.clone()], Tz::UTC, now), Some(20));
        assert_eq!(sooner(&[third, planned("7 * * * * *", None)], Tz::UTC, now + 1), Some(6));
    }

    #[test]
    fn a_zone_of_its_own() {
        let task = planned("0 3 * * *", Some(Tz::Asia__Tokyo));
        assert_eq!(task.next(Tz::UTC, 0), Some(18 * 3600));
        assert_eq!(planned("0 3 * * *", None).next(Tz::UTC, 0), Some(3 * 3600));
        assert_eq!(task.due(Tz::UTC, Some(0), 0, 18 * 3600 - 1), None);
        assert_eq!(task.due(Tz::UTC, Some(0), 0, 18 * 3600), Some(18 * 3600));
    }

    #[test]
    fn an_interval() {
        let rescan = every(30);
        let due = |last, now| rescan.due(Tz::UTC, last, 0, now).is_some();
        for (last, now, expected) in [
            (None, 1000, true),
            (Some(1000), 1000, false),
            (Some(1000), 1029, false),
            (Some(1000), 1030, true),
            (Some(1000), 999, true),
        ] {
            assert_eq!(due(last, now), expected, "{last:?} {now}");
        }
        assert_eq!(rescan.next(Tz::UTC, 1000), None);
    }

    #[test]
    fn a_disabled_task_is_never_due_but_has_a_next_time() {
        let task = Planned { enabled: false, ..tasks(&Settings::default(), ["flatfile"].into_iter()).swap_remove(0) };
        assert_eq!(task.due(Tz::UTC, None, 0, 1_000_000), None);
        assert_eq!(task.next(Tz::UTC, 0), Some(15 * 60));
    }
}
