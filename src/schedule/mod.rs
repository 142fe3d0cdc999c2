//! The scheduled tasks of the daemon: which there are, what is due, what is kept of their last run, and the ticker.
//! It must not know what a task does, and runs nothing.

pub mod due;
#[cfg(test)]
mod due_tests;
pub mod store;
pub mod ticker;

use std::time::Duration;

use chrono_tz::Tz;

use crate::config::{CatchUp, Schedule, Settings};

/// Due rows of the buffer of future lines, and expirations of the flat-file method.
pub const FLATFILE: &str = "flatfile";
/// The removal of old archives and reports.
pub const RETENTION: &str = "retention";
/// A look through the whole drop directory.
pub const RESCAN: &str = "rescan";

/// The tasks that have a table of their own in the configuration, in the order in which they run.
const BY_CALENDAR: [&str; 2] = [FLATFILE, RETENTION];

/// A task and when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name, as in the configuration and in `enrold_task`.
    pub name: &'static str,
    /// When it runs.
    pub when: When,
    /// Whether the daemon runs it.
    pub enabled: bool,
}

/// What says when a task runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The calendar of the site's zone.
    Cron {
        /// The times.
        schedule: Schedule,
        /// What happens to those that passed while no daemon was there.
        catch_up: CatchUp,
    },
    /// So much time since the last start, whatever the calendar says.
    Every(Duration),
}

/// All tasks, enabled or not.
pub fn tasks(settings: &Settings) -> Vec<Planned> {
    let by_calendar = BY_CALENDAR.into_iter().filter_map(|name| {
        let task = settings.tasks.get(name)?;
        let when = When::Cron { schedule: task.schedule.clone(), catch_up: task.catch_up };
        Some(Planned { name, when, enabled: task.enabled })
    });
    let rescan = Planned { name: RESCAN, when: When::Every(settings.inbox.rescan), enabled: true };
    by_calendar.chain([rescan]).collect()
}

impl Planned {
    /// The planned moment for which the task is to run now, if there is one and the task is enabled; see [`due::due`].
    ///
    /// A task by interval is due when its interval has passed since `last`, or when the clock was set back before it.
    pub fn due(&self, zone: Tz, last: Option<i64>, since: i64, now: i64) -> Option<i64> {
        match &self.when {
            _ if !self.enabled => None,
            When::Cron { schedule, catch_up } => due::due(schedule, zone, *catch_up, last, since, now),
            When::Every(interval) => {
                let waits = |last: i64| (0..interval.as_secs() as i64).contains(&now.saturating_sub(last));
                (!last.is_some_and(waits)).then_some(now)
            }
        }
    }

    /// The first moment of the calendar after `after`, in Unix seconds; `None` for a task by interval.
    pub fn next(&self, zone: Tz, after: i64) -> Option<i64> {
        match &self.when {
            When::Cron { schedule, .. } => due::next(schedule, zone, after),
            When::Every(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_configuration_is_a_task() {
        let settings = Settings::default();
        let planned = tasks(&settings);
        let names: Vec<&str> = planned.iter().map(|task| task.name).collect();
        assert_eq!(names, ["flatfile", "retention", "rescan"]);
        assert!(settings.tasks.keys().all(|name| names.contains(&name.as_str())));
        assert!(planned.iter().all(|task| task.enabled));
    }

    #[test]
    fn an_interval() {
        let rescan = Planned { name: RESCAN, when: When::Every(Duration::from_secs(30)), enabled: true };
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
        let task = Planned { enabled: false, ..tasks(&Settings::default()).swap_remove(0) };
        assert_eq!(task.due(Tz::UTC, None, 0, 1_000_000), None);
        assert_eq!(task.next(Tz::UTC, 0), Some(15 * 60));
    }
}
