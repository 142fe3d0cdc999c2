//! How fresh the sets of each source are: when the last good one was applied, and since when it has been the same.
//! It must not tell anybody; what is too old is said by the source's settings.

use std::fmt;
use std::time::Duration;

use crate::config::{Settings, Source};
use crate::db::{Conn, DbError, Params};

/// The last good sets of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The source.
    pub source: String,
    /// When the last good set was applied, Unix seconds; `None` if none ever was.
    pub last: Option<i64>,
    /// When the bytes of that one were first applied without others in between.
    pub same_since: Option<i64>,
}

/// Why a feed is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// No good set for so many seconds.
    Silent(i64),
    /// The same bytes for so many days.
    Same(i64),
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(seconds) => write!(f, "no new good set for {} h", seconds / 3_600),
            Self::Same(days) => write!(f, "its sets have been the same, byte for byte, for {days} days"),
        }
    }
}

impl Feed {
    /// Whether the operator should know, at `now`; a source of which nothing ever came counts from `since` (both in Unix
    /// seconds).
    pub fn stale(&self, source: &Source, now: i64, since: i64) -> Option<Stale> {
        self.stale_by(source.stale_after, source.same_bytes_days, now, since)
    }

    fn stale_by(&self, after: Duration, days: u32, now: i64, since: i64) -> Option<Stale> {
        let (after, days) = (after.as_secs() as i64, i64::from(days));
        let silent = now - self.last.unwrap_or(since);
        if after > 0 && silent >= after {
            return Some(Stale::Silent(silent));
        }
        let same = self.last.zip(self.same_since).map_or(0, |(last, since)| (last - since) / 86_400);
        (days > 0 && same >= days).then_some(Stale::Same(same))
    }
}

/// The good runs `r` over sets of `:kind`, approved ones among them.
pub(super) const GOOD: &str = "{enrold_run} r LEFT JOIN {enrold_run} h ON h.id = r.parent
    WHERE r.state IN ('done', 'done-with-errors') AND (r.kind = :kind OR (r.kind = 'approve' AND h.kind = :kind))";

/// The feeds of the enabled sources, by name. Two statements for each source.
///
/// # Errors
/// The engine's.
pub async fn feeds(conn: &mut Conn, settings: &Settings) -> Result<Vec<Feed>, DbError> {
    let mut feeds = Vec::new();
    for (name, _) in settings.sources.iter().filter(|(_, source)| source.enabled) {
        let params = Params::new().with("kind", format!("sync {name}")).fragment("good", GOOD);
        let last = "SELECT r.clock, COALESCE(r.sha256, '') FROM :good ORDER BY r.id DESC LIMIT 1";
        let Some(row) = conn.row(last, &params).await? else {
            feeds.push(Feed { source: name.clone(), last: None, same_since: None });
            continue;
        };
        let params = params.with("sha256", row.text(1));
        let since = "SELECT COALESCE(MIN(r.clock), 0) FROM :good AND r.sha256 = :sha256
            AND r.id > (SELECT COALESCE(MAX(r.id), 0) FROM :good AND r.sha256 <> :sha256)";
        let since = conn.number(since, &params).await?;
        feeds.push(Feed { source: name.clone(), last: Some(row.int(0)), same_since: Some(since) });
    }
    Ok(feeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn a_feed_is_stale_when_it_is_silent_or_always_the_same() {
        let feed = |last: Option<i64>, same_since: Option<i64>| Feed { source: "x".to_owned(), last, same_since };
        let stale = |feed: Feed, now: i64, after: i64, days: u32| {
            feed.stale_by(Duration::from_secs(after as u64), days, now, 0)
        };
        for (feed, now, after, days, expected) in [
            (feed(None, None), DAY - 1, DAY, 0, None),
            (feed(None, None), DAY, DAY, 0, Some(Stale::Silent(DAY))),
            (feed(Some(5), Some(5)), DAY, DAY, 0, None),
            (feed(Some(5), Some(5)), DAY + 5, DAY, 0, Some(Stale::Silent(DAY))),
            (feed(Some(5), Some(5)), 9 * DAY, 0, 3, None),
            (feed(Some(3 * DAY), Some(0)), 3 * DAY, 0, 3, Some(Stale::Same(3))),
            (feed(Some(3 * DAY - 1), Some(0)), 3 * DAY, 0, 3, None),
            (feed(Some(3 * DAY), Some(0)), 9 * DAY, 0, 0, None),
        ] {
            assert_eq!(stale(feed.clone(), now, after, days), expected, "{feed:?} {now} {after} {days}");
        }
    }
}
