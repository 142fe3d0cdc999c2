//! What the worker looks at each minute beside its jobs: feeds that have gone stale, files of sets that were superseded.
//! It must not know when a feed is stale; `sets` says so.

use std::collections::HashSet;

use chrono_tz::Tz;

use super::{Worker, text};
use crate::clock::StopWatch;
use crate::config::Locale;
use crate::db::Conn;
use crate::outcome::Stale;
use crate::sets::{Feed, feeds};
use crate::{inbox, mail, report};

/// Milliseconds between two looks.
const MINUTE: u64 = 60_000;

/// What was said of feeds.
pub(super) struct Feeds {
    looked: Option<StopWatch>,
    /// A set came to a run since the last look.
    pub changed: bool,
    stale: HashSet<String>,
    /// The times of staleness of which the operators have their mail.
    mailed: HashSet<(String, String)>,
    /// Since when somebody looks, Unix seconds.
    since: i64,
}

impl Feeds {
    /// Nothing is known yet at `since`.
    pub fn new(since: i64) -> Self {
        Self { looked: None, changed: false, stale: HashSet::new(), mailed: HashSet::new(), since }
    }

    /// Other settings may want other mails.
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
            let zone = source.timezone.unwrap_or(self.tasks.zone());
            let stale = feed.stale(source, zone, now, Some(self.feeds.since));
            self.shared.status.metrics().source(&feed.source, feed.last, stale.is_some());
            self.tell_feed(&feed.source, stale, zone);
            if let Some(stale) = stale {
                self.mail_feed(&mut conn, &feed, stale, zone, now).await?;
            }
        }
        conn.close().await;
        Ok(())
    }

    fn tell_feed(&mut self, source: &str, stale: Option<Stale>, zone: Tz) {
        match stale {
            Some(stale) if self.feeds.stale.insert(source.to_owned()) => {
                let why = report::feed::stale(stale, zone, Locale::En);
                tracing::warn!(source.name = source, "the source {source} is stale: {why}");
            }
            None if self.feeds.stale.remove(source) => {
                tracing::info!(source.name = source, "the source {source} is fresh again");
            }
            _ => {}
        }
    }

    /// The outbox knows what was queued before this daemon began; what cannot be queued now is at the next look.
    async fn mail_feed(
        &mut self,
        conn: &mut Conn,
        feed: &Feed,
        stale: Stale,
        zone: Tz,
        now: i64,
    ) -> Result<(), String> {
        let spell = (feed.source.clone(), feed.spell(stale));
        if self.feeds.mailed.contains(&spell) || !self.settings.smtp.enabled {
            return Ok(());
        }
        if mail::tell_stale(conn, &self.settings, feed, stale, zone, now).await.map_err(text)? {
            self.feeds.mailed.insert(spell);
            self.shared.mail.notify_one();
        }
        Ok(())
    }
}
