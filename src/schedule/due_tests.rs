//! Tests the Sundays on which Europe/Paris changes its clocks, minute by minute and, for schedules that name seconds,
//! second by second; and every rule of what is due.
//! They must not wait or read a clock.

use chrono::DateTime;
use chrono_tz::{Europe::Paris, Tz};

use super::due::{due, next};
use crate::config::{CatchUp, Schedule};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn unix(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp()
}

fn local(zone: Tz, unix: i64) -> String {
    DateTime::from_timestamp(unix, 0).unwrap().with_timezone(&zone).format("%d %H:%M%:z").to_string()
}

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A Sunday from midnight to midnight, in Unix seconds.
#[derive(Clone, Copy)]
struct Sunday {
    start: i64,
    end: i64,
}

/// 02:00 becomes 03:00: 23 hours.
fn spring() -> Sunday {
    Sunday { start: unix("2026-03-29T00:00:00+01:00"), end: unix("2026-03-30T00:00:00+02:00") }
}

/// 03:00 becomes 02:00: 25 hours.
fn autumn() -> Sunday {
    Sunday { start: unix("2026-10-25T00:00:00+02:00"), end: unix("2026-10-26T00:00:00+01:00") }
}

/// A schedule and how often it runs on the day of 23 and on the day of 25 hours.
const SUNDAYS: [(&str, usize, usize); 20] = [
    ("30 2 * * *", 1, 1),
    ("0 2 * * *", 1, 1),
    ("0 3 * * *", 1, 1),
    ("59 1 * * *", 1, 1),
    ("40 3 * * *", 1, 1),
    ("0 0 * * *", 1, 1),
    ("30 2 * * 0", 1, 1),
    ("30 2 25-31 3,10 +SUN", 1, 1),
    ("30 2 L * *", 0, 0),
    ("30 2 * * 1", 0, 0),
    ("30 2,14 * * *", 2, 2),
    ("0,30 2 * * *", 1, 2),
    ("*/20 2 * * *", 1, 3),
    ("0 2,3 * * *", 1, 2),
    ("0 1-4 * * *", 3, 4),
    ("0 */2 * * *", 12, 12),
    ("15 * * * *", 23, 25),
    ("*/15 * * * *", 92, 100),
    ("7-59/10 0-23 * * *", 138, 150),
    ("* * * * *", 1380, 1500),
];

/// The same for schedules that name seconds.
const SECONDS: [(&str, usize, usize); 16] = [
    ("0 30 2 * * *", 1, 1),
    ("15 30 2 * * *", 1, 1),
    ("59 59 1 * * *", 1, 1),
    ("1 0 3 * * *", 1, 1),
    ("20,40 30 2 * * *", 1, 2),
    ("*/15 30 2 * * *", 1, 4),
    ("30 59 2 * * 0", 1, 1),
    ("30 59 2 * * 1", 0, 0),
    ("10 0 1-4 * * *", 4, 4),
    ("0 0 */2 * * *", 12, 12),
    ("30 0 2,14 * * *", 2, 2),
    ("30 15 * * * *", 23, 25),
    ("0 */15 * * * *", 92, 100),
    ("45 */15 0-23 * * *", 92, 100),
    ("*/20 * * * * *", 4140, 4500),
    ("59 * * * * *", 1380, 1500),
];

/// The planned moments for which a daemon runs the task, if it ticks at these moments.
fn runs(text: &str, catch_up: CatchUp, last: i64, since: i64, ticks: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let schedule = schedule(text);
    let mut last = last;
    let mut planned = Vec::new();
    for now in ticks {
        if let Some(moment) = due(&schedule, Paris, catch_up, Some(last), since, now) {
            assert!(moment <= now, "{text}: {} is not over at {}", local(Paris, moment), local(Paris, now));
            planned.push(moment);
            last = now;
        }
    }
    planned
}

fn steps(from: i64, to: i64, step: i64) -> impl Iterator<Item = i64> {
    (from..to).step_by(step as usize)
}

/// All planned moments of a day, by [`next`].
fn calendar(text: &str, day: Sunday) -> Vec<i64> {
    let schedule = schedule(text);
    std::iter::successors(next(&schedule, Paris, day.start - 1), |planned| next(&schedule, Paris, *planned))
        .take_while(|planned| *planned < day.end)
        .collect()
}

fn on_both(test: impl Fn(&str, Sunday, usize)) {
    for (text, in_spring, in_autumn) in SUNDAYS {
        test(text, spring(), in_spring);
        test(text, autumn(), in_autumn);
    }
}

#[test]
fn minute_by_minute() {
    on_both(|text, day, count| {
        let ran = runs(text, CatchUp::Once, day.start - 1, day.start, steps(day.start, day.end, MINUTE));
        assert_eq!(ran.len(), count, "{text}: {:?}", ran.iter().map(|at| local(Paris, *at)).collect::<Vec<_>>());
        assert_eq!(ran, calendar(text, day), "{text}: what is due is what the calendar announced");
    });
}

fn on_both_with_seconds(test: impl Fn(&str, Sunday, usize)) {
    for (text, in_spring, in_autumn) in SECONDS {
        test(text, spring(), in_spring);
        test(text, autumn(), in_autumn);
    }
}

/// The checks of a day: every second around the change of the clocks, else every ten seconds.
fn looks(day: Sunday) -> impl Iterator<Item = i64> {
    let (before, after) = (day.start + 110 * MINUTE, day.start + 3 * HOUR + MINUTE);
    steps(day.start, before, 10).chain(steps(before, after, 1)).chain(steps(after, day.end + 10, 10))
}

/// Every time occurs once, second by second over both changes.
#[test]
fn second_by_second() {
    on_both_with_seconds(|text, day, count| {
        let ran = runs(text, CatchUp::Once, day.start - 1, day.start, looks(day));
        let ran: Vec<i64> = ran.into_iter().filter(|planned| *planned < day.end).collect();
        assert_eq!(ran.len(), count, "{text}: {:?}", ran.iter().map(|at| local(Paris, *at)).collect::<Vec<_>>());
        assert_eq!(ran, calendar(text, day), "{text}: what is due is what the calendar announced");
    });
}

#[test]
fn a_clock_with_seconds_set_back_by_an_hour() {
    on_both_with_seconds(|text, day, _| {
        let end = day.start + 7 * HOUR;
        let planned: Vec<i64> = calendar(text, day).into_iter().filter(|planned| *planned < end).collect();
        for after in [90 * MINUTE + 7, 3 * HOUR + 1] {
            let back = day.start + after;
            let ticks = steps(day.start, back, 10).chain(steps(back - HOUR, end + 10, 10));
            let ran = runs(text, CatchUp::Once, day.start - 1, 0, ticks).into_iter();
            let ran: Vec<i64> = ran.filter(|planned| *planned < end).collect();
            assert_eq!(ran, planned, "{text}, back at +{after} s");
        }
    });
}

/// A daemon that checks once a minute only, or was down for hours: one run for all times that passed.
#[test]
fn seconds_that_were_missed() {
    for day in [spring(), autumn()] {
        let thirds = runs("*/20 * * * * *", CatchUp::Once, day.start - 1, 0, steps(day.start, day.end, MINUTE));
        assert_eq!(thirds.len() as i64, (day.end - day.start) / MINUTE, "one for each look");
        let noon = day.start + 12 * HOUR + 10;
        assert_eq!(runs("*/20 * * * * *", CatchUp::Once, day.start, 0, [noon]), [noon - 10]);
        assert_eq!(runs("*/20 * * * * *", CatchUp::Skip, day.start, noon, [noon]), [0; 0]);
        assert_eq!(runs("*/20 * * * * *", CatchUp::Skip, day.start, noon, [noon, noon + 10]), [noon + 10]);
    }
}

/// The times of day: those in the gap occur at its end, repeated ones occur the first time.
#[test]
fn the_moments() {
    for (text, day, expected) in [
        ("30 2 * * *", spring(), "29 03:00+02:00"),
        ("30 2 * * *", autumn(), "25 02:30+02:00"),
        ("0,30 2 * * *", spring(), "29 03:00+02:00"),
        ("0,30 2 * * *", autumn(), "25 02:00+02:00, 25 02:30+02:00"),
        ("0 1-4 * * *", spring(), "29 01:00+01:00, 29 03:00+02:00, 29 04:00+02:00"),
        ("15 30 2 * * *", spring(), "29 03:00+02:00"),
        ("20,40 30 2 * * *", spring(), "29 03:00+02:00"),
        ("0 1-4 * * *", autumn(), "25 01:00+02:00, 25 02:00+02:00, 25 03:00+01:00, 25 04:00+01:00"),
    ] {
        let found: Vec<String> = calendar(text, day).into_iter().map(|at| local(Paris, at)).collect();
        assert_eq!(found.join(", "), expected, "{text}");
    }
    let hourly: Vec<String> = calendar("15 * * * *", autumn()).into_iter().map(|at| local(Paris, at)).collect();
    assert_eq!(hourly[1..5], ["25 01:15+02:00", "25 02:15+02:00", "25 02:15+01:00", "25 03:15+01:00"]);
    let hourly: Vec<String> = calendar("15 * * * *", spring()).into_iter().map(|at| local(Paris, at)).collect();
    assert_eq!(hourly[1..3], ["29 01:15+01:00", "29 03:15+02:00"]);
}

/// The system's clock is set back by an hour at some moment of the day.
#[test]
fn the_clock_set_back_by_an_hour() {
    on_both(|text, day, _| {
        let planned = calendar(text, day);
        for after in [90 * MINUTE, 130 * MINUTE, 3 * HOUR, 200 * MINUTE, 12 * HOUR + 16 * MINUTE] {
            let back = day.start + after;
            let ticks = steps(day.start, back, MINUTE).chain(steps(back - HOUR, day.end, MINUTE));
            assert_eq!(runs(text, CatchUp::Once, day.start - 1, 0, ticks), planned, "{text}, back at +{after} s");
        }
    });
}

/// Late or few ticks: as long as the moments are further apart than the ticks, none is lost and none doubled.
#[test]
fn ticks_every_seven_minutes() {
    on_both(|text, day, _| {
        let ran = runs(text, CatchUp::Once, day.start - 1, 0, steps(day.start + 13, day.end + 7 * MINUTE, 7 * MINUTE));
        let ran: Vec<i64> = ran.into_iter().filter(|planned| *planned < day.end).collect();
        let planned = calendar(text, day);
        if text == "* * * * *" {
            assert_eq!(ran.len() as i64, (day.end - day.start) / (7 * MINUTE) + 1, "one run for each tick");
            assert!(ran.iter().all(|moment| planned.contains(moment)));
        } else {
            assert_eq!(ran, planned, "{text}");
        }
    });
}

/// No daemon from half past midnight to five o'clock.
#[test]
fn down_time_across_the_change() {
    for (day, back) in [(spring(), "2026-03-29T05:00:00+02:00"), (autumn(), "2026-10-25T05:00:00+01:00")] {
        let back = unix(back);
        for (text, _, _) in SUNDAYS {
            let planned = calendar(text, day);
            let up = |since: &i64| *since < day.start + 30 * MINUTE || *since >= back;
            let ticks = || steps(day.start, day.end, MINUTE).filter(up);
            let missed = planned.iter().filter(|at| !up(at)).max().copied();
            let left: Vec<i64> = planned.iter().filter(|at| up(at)).copied().collect();

            let skipped = runs(text, CatchUp::Skip, day.start - 1, back, ticks().filter(|now| *now >= back));
            let after: Vec<i64> = left.iter().filter(|at| **at >= back).copied().collect();
            assert_eq!(skipped, after, "{text}: skip");

            // At five o'clock the task runs once, for what was missed or for five o'clock itself.
            let mut expected = left;
            if let Some(missed) = missed.filter(|_| !expected.contains(&back)) {
                expected.push(missed);
                expected.sort_unstable();
            }
            assert_eq!(runs(text, CatchUp::Once, day.start - 1, back, ticks()), expected, "{text}: once");
        }
    }
}

#[test]
fn rules() {
    let nightly = "40 3 * * *";
    let now = unix("2026-11-21T10:00:00+01:00");
    let tonight = unix("2026-11-21T03:40:00+01:00");
    use CatchUp::{Once, Skip};
    for (why, catch_up, last, since, expected) in [
        ("it never ran", Once, None, now, Some(now)),
        ("it never ran, whatever was missed", Skip, None, now, Some(now)),
        ("ran last night", Once, Some(tonight), 0, None),
        ("ran a second too early", Once, Some(tonight - 1), 0, Some(tonight)),
        ("weeks of down time", Once, Some(tonight - 30 * DAY), now, Some(tonight)),
        ("weeks of down time, left out", Skip, Some(tonight - 30 * DAY), now, None),
        ("planned after this daemon took over", Skip, Some(tonight - DAY), tonight - 1, Some(tonight)),
        ("planned as it took over", Skip, Some(tonight - DAY), tonight, Some(tonight)),
        ("planned just before it took over", Skip, Some(tonight - DAY), tonight + 1, None),
        ("the clock was set back a little", Once, Some(now + HOUR), 0, None),
        ("the clock was set back by a day", Once, Some(now + DAY), 0, None),
        ("a wrong clock was corrected", Once, Some(now + DAY + 1), 0, Some(now)),
        ("a wrong clock was corrected, years", Skip, Some(now + 3000 * DAY), now + 3000 * DAY, Some(now)),
        ("it took over by a wrong clock", Skip, Some(tonight - DAY), now + 3000 * DAY, Some(tonight)),
        ("it took over before the clock was set back", Skip, Some(tonight - DAY), now + HOUR, None),
        ("the end of numbers", Once, Some(i64::MAX), 0, Some(now)),
        ("the other end of numbers", Skip, Some(i64::MIN), i64::MIN, Some(tonight)),
    ] {
        assert_eq!(due(&schedule(nightly), Paris, catch_up, last, since, now), expected, "{why}");
    }
    assert_eq!(due(&schedule(nightly), Paris, Once, Some(0), 0, i64::MAX), None, "no calendar goes so far");
    assert_eq!(next(&schedule(nightly), Paris, i64::MAX), None);
}

/// A clock that was years ahead: one run corrects the row, then the calendar continues.
#[test]
fn after_a_wrong_clock_the_calendar_goes_on() {
    let day = spring();
    let ran = runs("40 3 * * *", CatchUp::Once, day.start + 5000 * DAY, 0, steps(day.start, day.end, MINUTE));
    assert_eq!(ran, [day.start, unix("2026-03-29T03:40:00+02:00")]);
}

/// Other zones: a shift of half an hour, a change at midnight, a skipped day.
#[test]
fn other_zones() {
    for (zone, text, after, expected) in [
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00+10:30", "04 02:30+11:00"),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-05T01:00:00+11:00", "05 01:45+11:00"),
        ("Africa/Cairo", "30 0 * * *", "2026-04-23T12:00:00+02:00", "24 01:00+03:00"),
        ("Pacific/Apia", "30 10 30 * *", "2011-12-29T12:00:00-10:00", "31 00:00+14:00"),
        ("UTC", "30 2 * * *", "2026-03-29T00:00:00Z", "29 02:30+00:00"),
    ] {
        let zone: Tz = zone.parse().unwrap();
        let planned = next(&schedule(text), zone, unix(after)).unwrap();
        assert_eq!(local(zone, planned), expected, "{zone} {text}");
        assert_eq!(due(&schedule(text), zone, CatchUp::Once, Some(unix(after)), 0, planned), Some(planned), "{zone}");
        assert_eq!(due(&schedule(text), zone, CatchUp::Once, Some(unix(after)), 0, planned - 1), None, "{zone}");
    }
}

/// The examples of docs/schedules.md, from Saturday 21 November 2026, 11:00.
#[test]
fn the_fields() {
    for (text, expected) in [
        ("15 * * * *", "21 11:15+01:00"),
        ("40 3 * * *", "22 03:40+01:00"),
        ("0 7,12,18 * * 1-5", "23 07:00+01:00"),
        ("*/20 6-20 * * *", "21 11:20+01:00"),
        ("0 4 L * *", "30 04:00+01:00"),
        ("0 4 1-7 * +MON", "07 04:00+01:00"),
        ("0 4 1-7 * MON", "23 04:00+01:00"),
        ("5-59/5 * * * 7", "22 00:05+01:00"),
        ("0 4 29 2 sun", "07 04:00+01:00"),
        ("30 15 * * * *", "21 11:15+01:00"),
        ("*/20 * 6-20 * * *", "21 11:00+01:00"),
    ] {
        let planned = next(&schedule(text), Paris, unix("2026-11-21T11:00:00+01:00")).unwrap();
        assert_eq!(local(Paris, planned), expected, "{text}");
    }
}

#[test]
fn texts_that_are_no_schedule() {
    for (text, part) in [
        ("", "and not 0"),
        ("15 * * *", "and not 4"),
        ("0 0 15 * * * *", "and not 7"),
        ("60 15 * * * *", "(second,) minute, hour"),
        ("0 0 0 30 2 *", "no such day"),
        ("@hourly", "and not 1"),
        ("75 * * * *", "(second,) minute, hour"),
        ("5/5 * * * *", "minute, hour"),
        ("a b c d e", "minute, hour"),
        ("0 0 30 2 *", "no such day"),
        ("0 0 31 4,6,9,11 *", "no such day"),
    ] {
        let refused = text.parse::<Schedule>().unwrap_err().to_string();
        assert!(refused.contains(part), "{text:?}: {refused}");
    }
    assert_eq!(schedule("0 0 29 2 *").to_string(), "0 0 29 2 *");
    assert!(schedule("0 0 0 29 2 *").names_seconds() && !schedule("0 0 29 2 *").names_seconds());
}
