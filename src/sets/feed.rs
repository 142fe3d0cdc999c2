//! How fresh the sets of each source are: when the last good one was applied, and since when its bytes are the same.
//! It must not send reports; the source's settings define what is too old.

use chrono_tz::Tz;

use crate::config::{Schedule, Settings, Source};
use crate::db::{Conn, DbError, Params};
use crate::outcome::Stale;
use crate::schedule::due;

/// The last good sets of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The source.
    pub source: String,
    /// The run that applied the last good set; 0 if there was none.
    pub run: i64,
    /// When the last good set was applied, Unix seconds; `None` if there was none.
    pub last: Option<i64>,
    /// Since when the bytes of that one were applied without others in between.
    pub same_since: Option<i64>,
}

/// The limits after which a source's settings call it stale.
struct Bounds<'a> {
    after: i64,
    days: i64,
    by: Option<&'a Schedule>,
    zone: Tz,
}

impl Feed {
    /// Whether the feed is stale at `now` (Unix seconds); `site` is the site's zone. A source that never sent a good
    /// set counts from `since`, when monitoring began; without `since` it is stale at once.
    pub fn stale(&self, source: &Source, site: Tz, now: i64, since: Option<i64>) -> Option<Stale> {
        let bounds = Bounds {
            after: source.stale_after.as_secs() as i64,
            days: i64::from(source.same_bytes_days),
            by: source.expected_by.as_ref().map(crate::config::ExpectedBy::schedule),
            zone: source.timezone.unwrap_or(site),
        };
        self.stale_by(&bounds, now, since)
    }

    fn stale_by(&self, bounds: &Bounds<'_>, now: i64, since: Option<i64>) -> Option<Stale> {
        let Bounds { after, days, .. } = *bounds;
        let Some(known) = self.last.or(since) else {
            return (after > 0 || bounds.by.is_some()).then_some(Stale::Never);
        };
        let silent = now - known;
        if after > 0 && silent >= after {
            return Some(Stale::Silent(silent));
        }
        if let Some(deadline) = self.missed(bounds, now, since) {
            return Some(Stale::Late(deadline));
        }
        let same = self.last.zip(self.same_since).map_or(0, |(last, since)| (last - since) / DAY);
        (days > 0 && same >= days).then_some(Stale::Same(same))
    }

    /// The latest deadline, if no set has come for it. A set counts for the nearer deadline: one that comes in the
    /// morning is late for the last night, not early for the next.
    fn missed(&self, bounds: &Bounds<'_>, now: i64, since: Option<i64>) -> Option<i64> {
        let latest = |now| due::latest(bounds.by?, bounds.zone, now);
        let deadline = latest(now)?;
        let before = latest(deadline - 1)?;
        let came = match (self.last, since) {
            (Some(last), _) => last > before + (deadline - before) / 2,
            (None, Some(since)) => since > deadline,
            (None, None) => false,
        };
        (!came).then_some(deadline)
    }

    /// The key of this period of staleness, unique within the source.
    pub fn spell(&self, stale: Stale) -> String {
        match stale {
            Stale::Same(_) => format!("same/{}", self.same_since.unwrap_or(0)),
            Stale::Never | Stale::Silent(_) | Stale::Late(_) => format!("none/{}", self.last.unwrap_or(0)),
        }
    }
}

const DAY: i64 = 86_400;

/// The good runs `r` over sets of `:kind`, approved ones among them.
pub(super) const GOOD: &str = "{enrold_run} r LEFT JOIN {enrold_run} h ON h.id = r.parent
    WHERE r.state IN ('done', 'done-with-errors') AND (r.kind = :kind OR (r.kind = 'approve' AND h.kind = :kind))";

/// The feeds of the enabled sources, by name. Two statements for each source.
///
/// # Errors
/// The database's error.
pub async fn feeds(conn: &mut Conn, settings: &Settings) -> Result<Vec<Feed>, DbError> {
    let mut feeds = Vec::new();
    for (name, _) in settings.sources.iter().filter(|(_, source)| source.enabled) {
        let params = Params::new().with("kind", format!("sync {name}")).fragment("good", GOOD);
        let last = "SELECT r.clock, COALESCE(r.sha256, ''), r.id FROM :good ORDER BY r.id DESC LIMIT 1";
        let Some(row) = conn.row(last, &params).await? else {
            feeds.push(Feed { source: name.clone(), run: 0, last: None, same_since: None });
            continue;
        };
        let params = params.with("sha256", row.text(1));
        let since = "SELECT COALESCE(MIN(r.clock), 0) FROM :good AND r.sha256 = :sha256
            AND r.id > (SELECT COALESCE(MAX(r.id), 0) FROM :good AND r.sha256 <> :sha256)";
        let since = conn.number(since, &params).await?;
        feeds.push(Feed { source: name.clone(), run: row.int(2), last: Some(row.int(0)), same_since: Some(since) });
    }
    Ok(feeds)
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Europe::Paris, UTC};

    use super::*;
    use crate::config::ExpectedBy;

    fn feed(last: Option<i64>, same_since: Option<i64>) -> Feed {
        Feed { source: "x".to_owned(), run: 0, last, same_since }
    }

    #[test]
    fn a_feed_is_stale_when_it_is_silent_or_always_the_same() {
        let stale = |feed: &Feed, now: i64, after: i64, days: i64| {
            feed.stale_by(&Bounds { after, days, by: None, zone: UTC }, now, Some(0))
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
            assert_eq!(stale(&feed, now, after, days), expected, "{feed:?} {now} {after} {days}");
        }
        let none = |after, by| feed(None, None).stale_by(&Bounds { after, days: 9, by, zone: UTC }, 5, None);
        let by: ExpectedBy = "06:30".parse().unwrap();
        assert_eq!((none(0, None), none(1, None)), (None, Some(Stale::Never)));
        assert_eq!(none(0, Some(by.schedule())), Some(Stale::Never));
    }

    fn unix(text: &str) -> i64 {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp()
    }

    /// The moments from `from` to `to` at which the feed becomes stale or fresh, minute by minute.
    fn turns(by: &str, sets: &[&str], from: &str, to: &str) -> Vec<String> {
        let by: ExpectedBy = by.parse().unwrap();
        let bounds = Bounds { after: 0, days: 0, by: Some(by.schedule()), zone: Paris };
        let sets: Vec<i64> = sets.iter().map(|text| unix(text)).collect();
        let (mut turns, mut was) = (Vec::new(), None);
        for now in (unix(from)..unix(to)).step_by(60) {
            let last = sets.iter().copied().filter(|set| *set <= now).max();
            let stale = feed(last, last).stale_by(&bounds, now, Some(unix(from)));
            if was != Some(stale.is_some()) {
                let at = chrono::DateTime::from_timestamp(now, 0).unwrap().with_timezone(&Paris);
                turns.push(format!("{} {}", at.format("%d %H:%M%:z"), if stale.is_some() { "stale" } else { "fresh" }));
                was = Some(stale.is_some());
            }
        }
        turns
    }

    /// The clocks go from 2:00 to 3:00 on the 29th of March, and from 3:00 back to 2:00 on the 25th of October.
    #[test]
    fn a_set_is_expected_by_the_wall_clock_on_the_days_of_23_and_25_hours() {
        let spring = ("2026-03-28T12:00:00+01:00", "2026-03-30T12:00:00+02:00");
        let autumn = ("2026-10-24T12:00:00+02:00", "2026-10-26T12:00:00+01:00");
        let before = |day: (&'static str, &str)| match day.0.contains("-03-") {
            true => ["2026-03-28T04:00:00+01:00", "2026-03-30T04:00:00+02:00"],
            false => ["2026-10-24T04:00:00+02:00", "2026-10-26T04:00:00+01:00"],
        };
        for (by, day, stale) in [
            ("06:30", spring, "29 06:30+02:00"),
            ("02:30", spring, "29 03:00+02:00"),
            ("03:00", spring, "29 03:00+02:00"),
            ("06:30", autumn, "25 06:30+01:00"),
            ("02:30", autumn, "25 02:30+02:00"),
        ] {
            let expected = ["fresh", "stale", "fresh"];
            let sets = before(day);
            let told = turns(by, &sets, day.0, day.1);
            assert_eq!(told.len(), 3, "{by} {told:?}");
            assert_eq!(told[1], format!("{stale} stale"), "{by}");
            assert!(told.iter().zip(expected).all(|(turn, word)| turn.ends_with(word)), "{told:?}");
        }
        // A set of each night: no alert.
        let nightly = |sunday: &'static str, monday: &'static str, day: (&'static str, &'static str)| {
            turns("06:30", &[before(day)[0], sunday, monday], day.0, day.1)
        };
        let quiet = nightly("2026-03-29T04:00:00+02:00", "2026-03-30T04:00:00+02:00", spring);
        assert_eq!(quiet, ["28 12:00+01:00 fresh"]);
        let quiet = nightly("2026-10-25T02:15:00+01:00", "2026-10-26T04:00:00+01:00", autumn);
        assert_eq!(quiet, ["24 12:00+02:00 fresh"]);
    }

    #[test]
    fn a_late_set_is_of_the_night_that_it_is_late_for() {
        let of = |sets: &[&str]| turns("06:30", sets, "2026-11-21T00:00:00+01:00", "2026-11-23T00:00:00+01:00");
        assert_eq!(
            of(&["2026-11-20T04:00:00+01:00", "2026-11-21T10:00:00+01:00", "2026-11-22T10:00:00+01:00"]),
            [
                "21 00:00+01:00 fresh",
                "21 06:30+01:00 stale",
                "21 10:00+01:00 fresh",
                "22 06:30+01:00 stale",
                "22 10:00+01:00 fresh"
            ]
        );
        assert_eq!(of(&[]), ["21 00:00+01:00 fresh", "21 06:30+01:00 stale"], "from when somebody looks");
        let weekdays =
            |sets: &[&str]| turns("06:30 mon-fri", sets, "2026-11-20T07:00:00+01:00", "2026-11-23T12:00:00+01:00");
        assert_eq!(weekdays(&["2026-11-20T04:00:00+01:00"]), ["20 07:00+01:00 fresh", "23 06:30+01:00 stale"]);
        assert_eq!(weekdays(&["2026-11-20T04:00:00+01:00", "2026-11-22T22:00:00+01:00"]), ["20 07:00+01:00 fresh"]);
    }
}
