//! Checks every minute, beside the jobs, for feeds that became stale and for files of superseded sets.
//! It must not decide when a feed is stale; the front does.

use std::collections::HashSet;

use super::{Worker, text};
use crate::clock::StopWatch;
use crate::config::Locale;
use crate::front::{FeedState, Front};
use crate::report;

/// Milliseconds between two checks.
const MINUTE: u64 = 60_000;

/// The reported feeds and the time of the last check.
pub(super) struct Feeds {
    looked: Option<StopWatch>,
    /// True if a set had a run since the last check.
    pub changed: bool,
    stale: HashSet<String>,
    /// The periods of staleness whose mail is queued.
    mailed: HashSet<(String, String)>,
    /// The start of the checks, in Unix seconds.
    since: i64,
}

impl Feeds {
    /// No feed is known yet; the checks start at `since`.
    pub fn new(since: i64) -> Self {
        Self { looked: None, changed: false, stale: HashSet::new(), mailed: HashSet::new(), since }
    }

    /// Forgets the queued mails, because new settings may require others.
    pub fn adopt(&mut self) {
        self.mailed.clear();
    }

    fn is_due(&mut self) -> bool {
        let due = std::mem::take(&mut self.changed) || self.looked.is_none_or(|looked| looked.millis() >= MINUTE);
        if due {
            self.looked = Some(StopWatch::start());
        }
        due
    }
}

impl Worker {
    /// Reports each feed that becomes stale, once until it is fresh again, and renames the files of superseded sets.
    pub(super) async fn check_feeds(&mut self) -> Result<(), String> {
        if self.settings.sources.is_empty() || !self.feeds.is_due() {
            return Ok(());
        }
        let front = self.shared.front();
        front.settle().await.map_err(text)?;
        for state in front.feeds(self.tasks.zone(), Some(self.feeds.since)).await.map_err(text)? {
            self.shared.status.metrics().source(&state.feed.source, state.feed.last, state.stale.is_some());
            self.report_feed(&state);
            self.mail_feed(&front, &state).await?;
        }
        Ok(())
    }

    fn report_feed(&mut self, state: &FeedState) {
        let source = state.feed.source.as_str();
        match state.stale {
            Some(stale) if self.feeds.stale.insert(source.to_owned()) => {
                let why = report::feed::stale(stale, state.zone, Locale::En);
                tracing::warn!(source.name = source, "the source {source} is stale: {why}");
            }
            None if self.feeds.stale.remove(source) => {
                tracing::info!(source.name = source, "the source {source} is fresh again");
            }
            _ => {}
        }
    }

    /// Queues the mail about a stale feed; the outbox prevents duplicates after a restart. A failure is tried again.
    async fn mail_feed(&mut self, front: &Front, state: &FeedState) -> Result<(), String> {
        let Some(spell) = state.spell() else { return Ok(()) };
        if self.feeds.mailed.contains(&spell) || !self.settings.smtp.enabled {
            return Ok(());
        }
        if front.mail_stale(state).await.map_err(text)? {
            self.feeds.mailed.insert(spell);
            self.shared.mail.notify_one();
        }
        Ok(())
    }
}
