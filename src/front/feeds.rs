//! Reads how recent the sets of the sources are.
//! It must not decide what is too old: the source's settings do.

use chrono_tz::Tz;

use crate::db::Conn;
use crate::front::Front;
use crate::outcome::{RunResult, Stale};
use crate::sets::{self, Feed};

/// The state of the feed of one enabled source.
#[derive(Clone, Debug)]
pub struct FeedState {
    /// When the last good set was applied, and since when it has been the same.
    pub feed: Feed,
    /// Why the feed is stale; `None` while it is fresh.
    pub stale: Option<Stale>,
    /// The zone of the source.
    pub zone: Tz,
}

impl FeedState {
    /// Identifies this period of staleness by the source and its last sets; `None` while the feed is fresh.
    pub fn spell(&self) -> Option<(String, String)> {
        self.stale.map(|stale| (self.feed.source.clone(), self.feed.spell(stale)))
    }
}

impl Front {
    /// The feeds of the enabled sources, by name; `site` is the site's zone. A source without any set counts from
    /// `since` (Unix seconds); without `since` it is stale at once.
    pub async fn feeds(&self, site: Tz, since: Option<i64>) -> RunResult<Vec<FeedState>> {
        let mut conn = self.engine.database.connect().await?;
        let feeds = self.feeds_of(&mut conn, site, since).await?;
        conn.close().await;
        Ok(feeds)
    }

    pub(super) async fn feeds_of(&self, conn: &mut Conn, site: Tz, since: Option<i64>) -> RunResult<Vec<FeedState>> {
        let settings = &self.engine.settings;
        let feeds = sets::feeds(conn, settings).await?;
        let now = self.engine.clock.now();
        let state = |feed: Feed| {
            let source = settings.sources.get(&feed.source)?;
            let zone = source.timezone.unwrap_or(site);
            Some(FeedState { stale: feed.stale(source, zone, now, since), zone, feed })
        };
        Ok(feeds.into_iter().filter_map(state).collect())
    }
}
