//! The only place that reads the wall clock: the run's `now`, which `--now` may freeze, and elapsed time. It must not
//! depend on runs or databases; a lease uses the database's own clock instead.

#![allow(clippy::disallowed_types, reason = "the only reader of the clock")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, LocalResult, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// The clock of the process: the real one, or the moment that `--now` froze.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    frozen: Option<i64>,
}

impl Clock {
    /// A clock that stands still at `now` (Unix seconds); `None` gives the real clock.
    pub fn frozen_at(now: Option<i64>) -> Self {
        Self { frozen: now }
    }

    /// The present moment in Unix seconds.
    pub fn now(&self) -> i64 {
        self.frozen.unwrap_or_else(real)
    }

    /// The present moment, and how much of its second has passed; zero if it is frozen.
    pub fn now_and_passed(&self) -> (i64, Duration) {
        match self.frozen {
            Some(now) => (now, Duration::ZERO),
            None => {
                let now = since_epoch();
                (now.as_secs() as i64, Duration::from_nanos(now.subsec_nanos().into()))
            }
        }
    }

    /// The frozen moment, if `--now` was given.
    pub fn frozen(&self) -> Option<i64> {
        self.frozen
    }
}

/// The real time in Unix seconds, frozen or not.
pub fn real() -> i64 {
    since_epoch().as_secs() as i64
}

/// The real time in nanoseconds, for names that must differ between two moments.
pub fn nanos() -> u128 {
    since_epoch().as_nanos()
}

/// The first moment of the day of `now` in the zone; where clocks skip midnight, the day begins after the gap.
pub fn midnight(zone: Tz, now: i64) -> i64 {
    let Some(local) = DateTime::from_timestamp(now, 0).map(|at| at.with_timezone(&zone)) else { return now };
    let mut begin = local.date_naive().and_time(NaiveTime::MIN);
    loop {
        match zone.from_local_datetime(&begin) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return at.timestamp(),
            LocalResult::None => begin += TimeDelta::minutes(30),
        }
    }
}

fn since_epoch() -> Duration {
    // A clock set before 1970 counts as 1970.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A stop-watch for reports.
#[derive(Clone, Copy, Debug)]
pub struct StopWatch(Instant);

impl StopWatch {
    /// Starts counting now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    pub fn millis(&self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_of_a_day_that_changes_its_clocks() {
        let paris = chrono_tz::Europe::Paris;
        let unix = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp();
        for (now, begin) in [
            ("2026-10-25T12:00:00+01:00", "2026-10-25T00:00:00+02:00"),
            ("2027-03-28T12:00:00+02:00", "2027-03-28T00:00:00+01:00"),
            ("2026-11-21T00:00:00+01:00", "2026-11-21T00:00:00+01:00"),
        ] {
            assert_eq!(midnight(paris, unix(now)), unix(begin), "{now}");
        }
        // In Beirut the clocks of 2026-03-29 went from midnight to one.
        assert_eq!(
            midnight(chrono_tz::Asia::Beirut, unix("2026-03-29T12:00:00+03:00")),
            unix("2026-03-29T01:00:00+03:00")
        );
    }
}
