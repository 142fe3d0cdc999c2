//! Computes what is due as a pure function of schedule, time zone, last run and now: it reads no clock and never waits.
//! It must not know tasks, databases or the ticker.
//!
//! A schedule that names some hours follows the wall clock: each of its times occurs once on every day that it names.
//! Times in the gap of a change to summer time occur together at the first minute after the gap; a time that the change
//! back repeats occurs the first time. A schedule of every hour follows real time: it continues hour by hour through
//! both changes.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;

use crate::config::{CatchUp, Schedule};

/// A last run further in the future (in seconds) was recorded by a wrong clock.
const WRONG_CLOCK: i64 = 86_400;
/// The longest time that a zone ever left out of its wall clock, in minutes, with a margin (Samoa: a whole day).
const LONGEST_GAP: usize = 2 * 24 * 60;

/// The latest planned moment after `last` and not after `now`, for which the task is to run now: one, however many
/// passed. All times are Unix seconds.
///
/// - `last` is the start of the last run. A task that never ran is due at once, and so is one whose `last` is more than
///   a day in the future: a wrong clock was corrected, and the run corrects `last`.
/// - `since` is the moment at which this daemon took over. With [`CatchUp::Skip`] what was planned before is left out.
/// - After the clock was set back (`now` before `last`) nothing is due until `last` has passed again: no planned moment
///   is run twice.
pub fn due(schedule: &Schedule, zone: Tz, catch_up: CatchUp, last: Option<i64>, since: i64, now: i64) -> Option<i64> {
    let believed = |stamp: &i64| *stamp <= now.saturating_add(WRONG_CLOCK);
    let Some(last) = last.filter(believed) else {
        return Some(now);
    };
    let after = match catch_up {
        CatchUp::Skip if believed(&since) => last.max(since.saturating_sub(1)),
        CatchUp::Skip | CatchUp::Once => last,
    };
    latest(schedule, zone, now).filter(|planned| *planned > after)
}

/// The first planned moment after `after`, in Unix seconds.
pub fn next(schedule: &Schedule, zone: Tz, after: i64) -> Option<i64> {
    let after = moment(zone, after)?;
    let cron = schedule.cron();
    if is_of_every_hour(schedule) {
        return cron.find_next_occurrence(&after, false).ok().map(|planned| planned.timestamp());
    }
    let mut wall = cron.find_next_occurrence(&after.naive_local(), false).ok()?;
    loop {
        let planned = first(zone, wall)?;
        if planned > after {
            return Some(planned.timestamp());
        }
        wall = cron.find_next_occurrence(&wall, false).ok()?;
    }
}

/// The last planned moment that is not after `now`, in Unix seconds.
pub fn latest(schedule: &Schedule, zone: Tz, now: i64) -> Option<i64> {
    let now = moment(zone, now)?;
    let cron = schedule.cron();
    if is_of_every_hour(schedule) {
        return cron.find_previous_occurrence(&now, true).ok().map(|planned| planned.timestamp());
    }
    let mut wall = cron.find_previous_occurrence(&furthest(zone, &now), true).ok()?;
    loop {
        let planned = first(zone, wall)?;
        if planned <= now {
            return Some(planned.timestamp());
        }
        wall = cron.find_previous_occurrence(&wall, false).ok()?;
    }
}

/// True for `*`, `*/1` and `0-23` as hours.
fn is_of_every_hour(schedule: &Schedule) -> bool {
    schedule.cron().pattern.hours.values().len() == 24
}

fn moment(zone: Tz, unix: i64) -> Option<DateTime<Tz>> {
    Some(DateTime::from_timestamp(unix, 0)?.with_timezone(&zone))
}

/// The first moment at which the wall clock shows this time or, if it is in a gap, the first full minute after it.
fn first(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Tz>> {
    let shown = zone.from_local_datetime(&wall).earliest();
    if shown.is_some() {
        return shown;
    }
    std::iter::successors(wall.with_second(0), |wall| wall.checked_add_signed(TimeDelta::minutes(1)))
        .take(LONGEST_GAP)
        .find_map(|wall| zone.from_local_datetime(&wall).earliest())
}

/// An upper bound of the times that the wall clock showed up to `now`: in a repeated hour it was further already.
fn furthest(zone: Tz, now: &DateTime<Tz>) -> NaiveDateTime {
    let wall = now.naive_local();
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Ambiguous(earlier, later) => wall + (later - earlier),
        MappedLocalTime::Single(_) | MappedLocalTime::None => wall,
    }
}
