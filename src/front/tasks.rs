//! Reads the scheduled tasks and their last runs, and records when a task begins and ends.
//! It must not decide that a task is due.

use chrono_tz::Tz;

use crate::config::Settings;
use crate::db::Conn;
use crate::front::{FeedState, Front, Who};
use crate::moodle::site::{Site, zone};
use crate::outcome::RunResult;
use crate::run::jobs;
use crate::schedule::store::{self, Last};
use crate::schedule::{self, Planned};

/// A scheduled task.
pub struct Scheduled {
    /// The task and when it runs.
    pub task: Planned,
    /// Its last run.
    pub last: Option<Last>,
    /// The zone of its calendar.
    pub zone: Tz,
    /// The time of its next run in Unix seconds; `None` if it is disabled or has no calendar.
    pub next: Option<i64>,
    /// The state of its feed, if it is an enabled source.
    pub feed: Option<FeedState>,
}

impl Front {
    /// All tasks, enabled or not.
    pub async fn tasks(&self, who: &Who) -> RunResult<Vec<Scheduled>> {
        who.asks("tasks");
        let mut conn = self.connect().await?;
        let zone = self.zone_of(&mut conn).await?;
        let kept = store::list(&mut conn).await?;
        let feeds = self.feeds_of(&mut conn, zone, None).await?;
        conn.close().await;
        let now = self.engine.clock.now();
        let scheduled = |task: Planned| Scheduled {
            last: kept.iter().find(|last| last.name == task.name).cloned(),
            zone: task.zone(zone),
            next: task.next(zone, now).filter(|_| task.enabled),
            feed: feeds.iter().find(|state| state.feed.source == task.name).cloned(),
            task,
        };
        Ok(planned(&self.engine.settings).into_iter().map(scheduled).collect())
    }

    /// The site's time zone: enrold's setting, Moodle's, else UTC.
    pub async fn zone(&self) -> RunResult<Tz> {
        let mut conn = self.engine.database.connect().await?;
        let zone = self.zone_of(&mut conn).await?;
        conn.close().await;
        Ok(zone)
    }

    pub(super) async fn zone_of(&self, conn: &mut Conn) -> RunResult<Tz> {
        Ok(zone(&self.engine.settings, Some(&Site::read(conn).await?)))
    }

    /// The last run of every task that ever ran, by name.
    pub async fn last_of_tasks(&self) -> RunResult<Vec<Last>> {
        let mut conn = self.engine.database.connect().await?;
        let kept = store::list(&mut conn).await?;
        conn.close().await;
        Ok(kept)
    }

    /// Records that a task begins at `at` (Unix seconds).
    pub async fn task_begins(&self, name: &str, at: i64) -> RunResult<()> {
        let mut conn = self.engine.database.connect().await?;
        store::begin(&mut conn, name, at).await?;
        conn.close().await;
        Ok(())
    }

    /// Records that a running task ends now, with a word of [`crate::outcome::State`] or [`store::DEFERRED`].
    pub async fn task_ends(&self, name: &str, result: &str, run: Option<i64>, message: &str) -> RunResult<()> {
        let mut conn = self.engine.database.connect().await?;
        store::end(&mut conn, name, self.engine.clock.now(), result, run, message).await?;
        conn.close().await;
        Ok(())
    }
}

/// The tasks of the settings, with every job of a run among them.
pub fn planned(settings: &Settings) -> Vec<Planned> {
    schedule::tasks(settings, jobs::all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{RESCAN, RETENTION, WAITING_REPORT};

    #[test]
    fn every_table_of_the_configuration_is_a_task() {
        let settings = Settings::default();
        let tasks = planned(&settings);
        let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, jobs::all().chain([WAITING_REPORT, RETENTION, RESCAN]).collect::<Vec<_>>());
        assert!(settings.tasks.keys().all(|name| names.contains(&name.as_str())));
        let off: Vec<&str> = tasks.iter().filter(|task| !task.enabled).map(|task| task.name.as_str()).collect();
        assert_eq!(off, ["autoenrol"], "as in Moodle");
    }
}
