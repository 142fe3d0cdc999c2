//! Who is told of a run: editing teachers of what it has changed, operators and the administrator of how it ended.
//! It must not know what a mail says.

use crate::change::context::RunContext;
use crate::config::{Settings, TellTeachers};
use crate::db::{Conn, DbError};
use crate::mail::{self, summary};
use crate::outcome::{Report, RunResult, State};
use crate::run::order::{Import, Order, Task};
use crate::run::{Engine, jobs};

/// Queues the summaries for editing teachers about a file, or about lines of files that were due or have waited.
///
/// # Errors
/// The database's error.
pub(super) async fn teachers(ctx: &mut RunContext<'_>, settings: &Settings, order: &Order) -> RunResult<()> {
    let only = |jobs: &[String], of: &[&str]| jobs.iter().all(|job| of.contains(&job.as_str()));
    let how = match &order.task {
        Task::File { import: Import { profile: Some(profile), .. }, .. } => profile.tell_teachers,
        Task::File { .. } => settings.flatfile.tell_teachers,
        Task::Sync(order) if only(&order.jobs, &[jobs::WAITING]) => settings.waiting.tell_teachers,
        Task::Sync(order) if only(&order.jobs, &[jobs::FLATFILE, jobs::WAITING]) => settings.flatfile.tell_teachers,
        Task::Sync(_) | Task::Set(_) | Task::Verb(_) => TellTeachers::No,
    };
    mail::summarize(ctx, settings, how).await?;
    Ok(())
}

impl Engine {
    /// Queues the mails about a full set or a file, as its source, its profile or Moodle's settings want them.
    pub(super) async fn mail(
        &self,
        conn: &mut Conn,
        order: &Order,
        report: &Report,
        message: &str,
    ) -> Result<(), DbError> {
        let settings = &self.settings;
        if let Some(set) = order.set_order() {
            summary::of_set(conn, settings, &set.source, report, message).await?;
        }
        if let Some(profile) = order.profile().filter(|_| order.dropped) {
            summary::of_file(conn, settings, profile, report, message).await?;
        }
        if matches!(order.task, Task::File { .. }) {
            summary::of_trouble(conn, settings, order.profile().filter(|_| order.dropped), report, message).await?;
        }
        if is_flatfile(order, report) {
            summary::of_flatfile(conn, settings, report, message).await?;
        }
        Ok(())
    }
}

/// True for a run of the flat file that had something to do: a file, or rows of the buffer or expirations.
fn is_flatfile(order: &Order, report: &Report) -> bool {
    match &order.task {
        Task::File { import, .. } => import.profile.is_none(),
        Task::Sync(sync) => {
            let asked = sync.jobs.iter().any(|job| job == jobs::FLATFILE);
            asked && (!report.counts.is_empty() || report.errors > 0 || report.state == State::Failed)
        }
        Task::Set(_) | Task::Verb(_) => false,
    }
}
