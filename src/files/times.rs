//! Parses the written forms of a time into Unix seconds (spec files 1.4).
//! It must not know the clock: no result depends on the present time.

use chrono::{DateTime, Days, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

/// Which end of an enrolment a time is: a date without a time is the first or the last second of its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Start,
    End,
}

/// Examples of what is accepted, for messages.
pub const ACCEPTED: &str =
    "1767225600, 2026-01-31, 2026-01-31 08:00, 2026-01-31T08:00:00+01:00, 31/01/2026, 31/01/2026 08:00";

/// Unix seconds; empty or 0 is 0, no limit. `None`: unreadable, or before 1970.
///
/// Eight digits that are a calendar date (`20260131`) are unreadable too: as Unix seconds they would be in 1970, which
/// is never meant, and as a date they have none of the accepted forms.
pub fn parse(text: &str, bound: Bound, zone: Tz) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return seconds(text);
    }
    let (date, rest) = date(text)?;
    let instant = match rest {
        "" => {
            let time = match bound {
                Bound::Start => NaiveTime::MIN,
                Bound::End => NaiveTime::from_hms_opt(23, 59, 59)?,
            };
            in_zone(date.and_time(time), zone)?
        }
        rest => {
            let iso = text.as_bytes()[4] == b'-';
            let rest = rest.strip_prefix(' ').or_else(|| rest.strip_prefix('T').filter(|_| iso))?;
            let (time, offset) = time(rest)?;
            let local = date.and_time(time);
            match offset {
                "" => in_zone(local, zone)?,
                offset if iso => local.and_local_timezone(parse_offset(offset)?).single()?.timestamp(),
                _ => return None,
            }
        }
    };
    // A written date must not become 0, "no limit", nor be before it.
    (instant > 0).then_some(instant)
}

fn seconds(digits: &str) -> Option<i64> {
    const LONGEST: usize = 11;
    let looks_like_date = digits.len() == 8
        && matches!(&digits[..2], "19" | "20")
        && numbers(digits, [(0, 4), (4, 6), (6, 8)]).and_then(|[y, m, d]| calendar(y, m, d)).is_some();
    if digits.len() > LONGEST || looks_like_date {
        return None;
    }
    digits.parse().ok()
}

/// `YYYY-MM-DD` or `DD/MM/YYYY` at the beginning, and what follows it.
fn date(text: &str) -> Option<(NaiveDate, &str)> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = match date.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => numbers(date, [(0, 4), (5, 7), (8, 10)])?,
        [_, _, b'/', _, _, b'/', _, _, _, _] => numbers(date, [(6, 10), (3, 5), (0, 2)])?,
        _ => return None,
    };
    Some((calendar(year, month, day)?, rest))
}

fn calendar(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// `HH:MM` or `HH:MM:SS` at the beginning, and what follows it.
fn time(text: &str) -> Option<(NaiveTime, &str)> {
    let (clock, rest) = text.split_at_checked(5)?;
    let [hour, minute] = numbers(clock, [(0, 2), (3, 5)])?;
    if clock.as_bytes()[2] != b':' {
        return None;
    }
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => {
            let (digits, rest) = rest.split_at_checked(2)?;
            let [second] = numbers(digits, [(0, 2)])?;
            (second, rest)
        }
        None => (0, rest),
    };
    Some((NaiveTime::from_hms_opt(hour, minute, second)?, rest))
}

/// `Z`, `+HH`, `+HHMM` or `+HH:MM`, and the same with minus.
fn parse_offset(text: &str) -> Option<FixedOffset> {
    if text == "Z" {
        return FixedOffset::east_opt(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let [hours, minutes] = match digits.as_bytes() {
        [_, _] => [numbers(digits, [(0, 2)])?[0], 0],
        [_, _, _, _] => numbers(digits, [(0, 2), (2, 4)])?,
        [_, _, b':', _, _] => numbers(digits, [(0, 2), (3, 5)])?,
        _ => return None,
    };
    let offset = i32::try_from(hours * 3600 + minutes * 60).ok().filter(|_| minutes < 60)?;
    FixedOffset::east_opt(sign * offset)
}

/// The numbers at these positions; all their characters must be digits.
fn numbers<const N: usize>(text: &str, places: [(usize, usize); N]) -> Option<[u32; N]> {
    let mut found = [0; N];
    for (number, (from, to)) in found.iter_mut().zip(places) {
        let digits = text.get(from..to)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = digits.parse().ok()?;
    }
    Some(found)
}

/// A local time in a zone: of an ambiguous time the earlier instant, of a skipped time the first instant after the gap.
fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<i64> {
    let seconds = |mapped: MappedLocalTime<DateTime<Tz>>| mapped.earliest().map(|time| time.timestamp());
    if let Some(found) = seconds(zone.from_local_datetime(&local)) {
        return Some(found);
    }
    // No zone ever skipped more than a day, so between the two times the clocks resume exactly once.
    let (mut skipped, mut valid) = (local, local.checked_add_days(Days::new(2))?);
    while let Some(middle) = between(skipped, valid) {
        if zone.from_local_datetime(&middle).earliest().is_some() {
            valid = middle;
        } else {
            skipped = middle;
        }
    }
    seconds(zone.from_local_datetime(&valid))
}

/// The whole second in the middle of two times; `None` if there is none between them.
fn between(a: NaiveDateTime, b: NaiveDateTime) -> Option<NaiveDateTime> {
    let half = (b - a).num_seconds() / 2;
    (half > 0).then(|| a + chrono::TimeDelta::seconds(half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::America::Sao_Paulo;
    use chrono_tz::Europe::Paris;
    use chrono_tz::Pacific::Apia;
    use chrono_tz::UTC;

    #[test]
    fn every_accepted_form() {
        let table = [
            ("", UTC, Some(0), Some(0)),
            ("0", UTC, Some(0), Some(0)),
            ("7", UTC, Some(7), Some(7)),
            ("1795731161", Paris, Some(1_795_731_161), Some(1_795_731_161)),
            ("99999999999", UTC, Some(99_999_999_999), Some(99_999_999_999)),
            ("2026-01-31", UTC, Some(1_769_817_600), Some(1_769_903_999)),
            ("2026-01-31", Paris, Some(1_769_814_000), Some(1_769_900_399)),
            ("31/01/2026", Paris, Some(1_769_814_000), Some(1_769_900_399)),
            ("2026-01-31 08:00", Paris, Some(1_769_842_800), Some(1_769_842_800)),
            ("2026-01-31T08:00:30", Paris, Some(1_769_842_830), Some(1_769_842_830)),
            ("31/01/2026 08:00", Paris, Some(1_769_842_800), Some(1_769_842_800)),
            ("31/01/2026 08:00:30", Paris, Some(1_769_842_830), Some(1_769_842_830)),
            ("2026-01-31T08:00Z", Paris, Some(1_769_846_400), Some(1_769_846_400)),
            ("2026-01-31 08:00:00+02:00", Paris, Some(1_769_839_200), Some(1_769_839_200)),
            ("2026-01-31T08:00:00-0530", Paris, Some(1_769_866_200), Some(1_769_866_200)),
            ("2026-01-31T08:00:00+02", Paris, Some(1_769_839_200), Some(1_769_839_200)),
        ];
        for (text, zone, start, end) in table {
            assert_eq!(parse(text, Bound::Start, zone), start, "{text} as a start");
            assert_eq!(parse(text, Bound::End, zone), end, "{text} as an end");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let table = [
            "abc",
            "-1",
            "+5",
            "1.5",
            "1e9",
            "2024",
            "123456789012",
            "1767225600000",
            "20260131",
            "2026-1-31",
            "2026-02-30",
            "2026-13-01",
            "31-01-2026",
            "1/2/2026",
            "01/13/2026",
            "30/02/2026",
            "2026-01-31T",
            "2026-01-31 8:00",
            "2026-01-31 08",
            "2026-01-31 25:00",
            "2026-01-31 08:60",
            "2026-01-31T08:00:61",
            "2026-01-31T08:00:00.5",
            "2026-01-31T08:00 +01:00",
            "2026-01-31Z",
            "2026-01-31T08:00+25:00",
            "2026-01-31T08:00+01:75",
            "31/01/2026T08:00",
            "31/01/2026 08:00Z",
            "1969-12-31",
            "1970-01-01T00:00:00Z",
            "0000-00-00",
            "2026-01-3é",
            "é026-01-31",
            "٢٠٢٦-٠١-٣١",
            "tomorrow",
        ];
        for text in table {
            let expected = (text == "2024").then_some(2024);
            assert_eq!(parse(text, Bound::End, UTC), expected, "{text}");
        }
    }

    #[test]
    fn skipped_times_become_the_first_instant_after_and_doubled_ones_the_earlier() {
        // Paris: 29 March 2026 at 2:00 becomes 3:00; 25 October 2026 at 3:00 becomes 2:00.
        for skipped in ["2026-03-29 02:00", "2026-03-29 02:30", "2026-03-29 02:59:59", "2026-03-29 03:00"] {
            assert_eq!(parse(skipped, Bound::Start, Paris), parse("2026-03-29T01:00Z", Bound::Start, UTC), "{skipped}");
        }
        assert_eq!(parse("2026-10-25 02:30", Bound::End, Paris), parse("2026-10-25T00:30Z", Bound::End, UTC));
        // São Paulo skipped midnight, Samoa a whole day.
        assert_eq!(parse("2018-11-04", Bound::Start, Sao_Paulo), parse("2018-11-04T03:00Z", Bound::Start, UTC));
        assert_eq!(parse("2011-12-30", Bound::Start, Apia), parse("2011-12-30T10:00Z", Bound::Start, UTC));
        assert_eq!(parse("30/12/2011 23:59:59", Bound::End, Apia), parse("2011-12-30T10:00Z", Bound::End, UTC));
    }
}
