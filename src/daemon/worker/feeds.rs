//! What the worker looks at each minute beside its jobs: feeds that have gone stale, files of sets that were superseded.
//! It must not know when a feed is stale; `sets` says so.

use std::collections::HashSet;

use super::{Worker, text};
use crate::clock::StopWatch;
use crate::inbox;
use crate::sets::{Stale, feeds};

/// Milliseconds between two looks.
const MINUTE: u64 = 60_000;

/// What was said of feeds.
pub(super) struct Feeds {
    looked: Option<StopWatch>,
    /// A set came to a run since the last look.
    pub changed: bool,
    stale: HashSet<String>,
    /// Since when somebody looks, Unix seconds.
    since: i64,
}

impl Feeds {
    /// Nothing is known yet at `since`.
    pub fn new(since: i64) -> Self {
        Self { looked: None, changed: false, stale: HashSet::new(), since }
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
    /// Tells of each feed that goes stale, once until it is fresh again, and gives superseded files their names.
    pub(super) async fn look_at_feeds(&mut self) -> Result<(), String> {
        if self.settings.sources.is_empty() || !self.feeds.is_due() {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let mut conn = self.shared.database.connect().await.map_err(text)?;
        if let Err(error) = inbox::settle_all(&mut conn, &self.shared.engine()).await {
            tracing::warn!("a decided file keeps its name for now: {error}");
        }
        for feed in feeds(&mut conn, &self.settings).await.map_err(text)? {
            let Some(source) = self.settings.sources.get(&feed.source) else { continue };
            let stale = feed.stale(source, now, self.feeds.since);
            self.shared.status.metrics().source(&feed.source, feed.last, stale.is_some());
            self.tell_feed(&feed.source, stale);
        }
        conn.close().await;
        Ok(())
    }

    fn tell_feed(&mut self, source: &str, stale: Option<Stale>) {
        match stale {
            Some(stale) if self.feeds.stale.insert(source.to_owned()) => {
                tracing::warn!(source.name = source, "the source {source} is stale: {stale}");
            }
            None if self.feeds.stale.remove(source) => {
                tracing::info!(source.name = source, "the source {source} is fresh again");
            }
            _ => {}
        }
    }
}
