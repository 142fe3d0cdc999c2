//! Parses the written forms of a time into Unix seconds (spec files 1.4), as people, spreadsheets and databases write
//! them. It must not know the clock: no result depends on the present time.

use chrono::{DateTime, Days, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use crate::config::SmallTimes;
use crate::problem::hint;

/// Which end of an enrolment a time is: a date without a time is the first or the last second of its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Start,
    End,
}

/// The end of the year 9999, in Unix seconds: no date that people write lies beyond it, and calendars end behind it.
pub const LATEST: i64 = 253_402_300_799;

/// Examples of what is accepted, for messages.
pub const ACCEPTED: &str =
    "1767225600, 2026-01-31, 2026-01-31 08:00, 2026-01-31T08:00:00+01:00, 31/01/2026, 31/01/2026 08:00";

/// Unix seconds below this, in 1973, are never meant: such a number is something else.
const SMALL: i64 = 100_000_000;

/// Unix seconds; empty, 0, a zero date (`0000-00-00`), an end at `infinity` and a start at `-infinity` are 0, no limit.
///
/// Numbers below 10⁸ are refused unless `small` accepts them: as Unix seconds they would be before 1973, and they come
/// from a spreadsheet's day numbers, years or dates without separators. Eight digits that are a calendar date
/// (`20260131`) are refused in any case.
///
/// # Errors
/// The hint of the problem: what the number looks like, else the accepted forms.
pub fn parse(text: &str, bound: Bound, zone: Tz, small: SmallTimes) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    if let Some((digits, fraction)) = number(text) {
        return seconds(digits, fraction, small);
    }
    if is_unlimited(text, bound) {
        return Ok(0);
    }
    written(text, bound, zone).ok_or_else(|| ACCEPTED.to_owned())
}

/// The digits of a number and those behind its decimal point or comma.
fn number(text: &str) -> Option<(&str, &str)> {
    let (digits, fraction) = match text.split_once(['.', ',']) {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!digits.is_empty() && only_digits(digits) && only_digits(fraction)).then_some((digits, fraction))
}

/// A number as Unix seconds; a fraction of a second is dropped.
fn seconds(digits: &str, fraction: &str, small: SmallTimes) -> Result<i64, String> {
    const LONGEST: usize = 11;
    let whole: i64 = digits.parse().ok().filter(|_| digits.len() <= LONGEST).ok_or_else(|| ACCEPTED.to_owned())?;
    if whole == 0 && fraction.bytes().all(|byte| byte == b'0') {
        return Ok(0);
    }
    if let Some(date) = compact_date(digits) {
        return Err(format!("{} {date}", hint::COMPACT_DATE));
    }
    if whole < SMALL && (small == SmallTimes::Refuse || whole == 0) {
        return Err(looks_like(digits, whole));
    }
    Ok(whole)
}

/// `YYYYMMDD` of the last century or this one.
fn compact_date(digits: &str) -> Option<NaiveDate> {
    let [year, month, day] = numbers(digits, [(0, 4), (4, 6), (6, 8)]).filter(|_| digits.len() == 8)?;
    calendar(year, month, day).filter(|_| matches!(year, 1900..=2099))
}

/// What a small number seems to be, as a hint.
fn looks_like(digits: &str, number: i64) -> String {
    match (digits.len(), number) {
        (4, 1900..=2099) => format!("{} {number}", hint::YEAR),
        (5, 10_000..) => match day_number(number) {
            Some(date) => format!("{} {date}", hint::DAY_NUMBER),
            None => hint::SMALL_NUMBER.to_owned(),
        },
        (6, 190_001..=209_912) if matches!(number % 100, 1..=12) => {
            format!("{} {}-{:02}", hint::YEAR_MONTH, number / 100, number % 100)
        }
        _ => hint::SMALL_NUMBER.to_owned(),
    }
}

/// The date of a spreadsheet's day number: the days since 30 December 1899.
fn day_number(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(u64::try_from(days).ok()?))
}

/// Whether a text means that there is no limit: a date of zeros, or infinity on the side of this end.
fn is_unlimited(text: &str, bound: Bound) -> bool {
    let far = match bound {
        Bound::Start => "-infinity",
        Bound::End => "infinity",
    };
    let zeros = text.strip_prefix("0000-00-00").map(|rest| rest.trim_start_matches([' ', 'T']));
    let midnight = |clock: &str| {
        clock.is_empty() || clock.strip_prefix("00:00:00").is_some_and(|rest| fraction(rest).is_some_and(str::is_empty))
    };
    text.eq_ignore_ascii_case(far) || zeros.is_some_and(midnight)
}

/// A written date, with or without a time.
fn written(text: &str, bound: Bound, zone: Tz) -> Option<i64> {
    let (date, rest, iso) = date(text)?;
    let instant = match rest {
        "" => {
            let time = match bound {
                Bound::Start => NaiveTime::MIN,
                Bound::End => NaiveTime::from_hms_opt(23, 59, 59)?,
            };
            in_zone(date.and_time(time), zone)?
        }
        rest => {
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

/// `YYYY-MM-DD`, `DD/MM/YYYY` or `DD/MM/YY` at the beginning, what follows it, and whether it is the first form. Two
/// digits are a year from 1970 to 2069.
fn date(text: &str) -> Option<(NaiveDate, &str, bool)> {
    const PIVOT: u32 = 70;
    let long = text.split_at_checked(10).and_then(|(date, rest)| match date.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => Some((numbers(date, [(0, 4), (5, 7), (8, 10)])?, rest, true)),
        [_, _, b'/', _, _, b'/', _, _, _, _] => {
            let [day, month, year] = numbers(date, [(0, 2), (3, 5), (6, 10)])?;
            Some(([year, month, day], rest, false))
        }
        _ => None,
    });
    let short = || {
        let (date, rest) = text.split_at_checked(8)?;
        let [day, month, year] = match date.as_bytes() {
            [_, _, b'/', _, _, b'/', _, _] => numbers(date, [(0, 2), (3, 5), (6, 8)])?,
            _ => return None,
        };
        Some(([year + if year < PIVOT { 2000 } else { 1900 }, month, day], rest, false))
    };
    let ([year, month, day], rest, iso) = long.or_else(short)?;
    Some((calendar(year, month, day)?, rest, iso))
}

fn calendar(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// `HH:MM` or `HH:MM:SS` at the beginning, and what follows it; a fraction of a second is dropped.
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
            (second, fraction(rest)?)
        }
        None => (0, rest),
    };
    Some((NaiveTime::from_hms_opt(hour, minute, second)?, rest))
}

/// What follows a fraction of a second, if there is one: a point or a comma, and up to nine digits.
fn fraction(text: &str) -> Option<&str> {
    const LONGEST: usize = 9;
    let Some(digits) = text.strip_prefix(['.', ',']) else { return Some(text) };
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    let length = digits.len() - rest.len();
    (1..=LONGEST).contains(&length).then_some(rest)
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
pub fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<i64> {
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

    fn parse(text: &str, bound: Bound, zone: Tz) -> Option<i64> {
        super::parse(text, bound, zone, SmallTimes::Refuse).ok()
    }

    #[test]
    fn every_accepted_form() {
        let table = [
            ("", UTC, Some(0), Some(0)),
            ("0", UTC, Some(0), Some(0)),
            ("0.0", UTC, Some(0), Some(0)),
            ("100000000", UTC, Some(100_000_000), Some(100_000_000)),
            ("1795731161.000000", UTC, Some(1_795_731_161), Some(1_795_731_161)),
            ("1795731161,9", UTC, Some(1_795_731_161), Some(1_795_731_161)),
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
            // As servers write them.
            ("2026-01-31 08:00:00.000", Paris, Some(1_769_842_800), Some(1_769_842_800)),
            ("2026-01-31 08:00:30.5", Paris, Some(1_769_842_830), Some(1_769_842_830)),
            ("2026-01-31 08:00:00.123456+02", Paris, Some(1_769_839_200), Some(1_769_839_200)),
            ("2026-01-31T08:00:00.123456789Z", Paris, Some(1_769_846_400), Some(1_769_846_400)),
            ("31/01/2026 08:00:30,25", Paris, Some(1_769_842_830), Some(1_769_842_830)),
            ("0000-00-00", Paris, Some(0), Some(0)),
            ("0000-00-00 00:00:00", Paris, Some(0), Some(0)),
            ("0000-00-00 00:00:00.000", Paris, Some(0), Some(0)),
            ("infinity", Paris, None, Some(0)),
            ("Infinity", Paris, None, Some(0)),
            ("-infinity", Paris, Some(0), None),
            // Two digits are a year from 1970 to 2069.
            ("31/01/26", Paris, Some(1_769_814_000), Some(1_769_900_399)),
            ("31/01/26 08:00", Paris, Some(1_769_842_800), Some(1_769_842_800)),
            ("31/12/69", UTC, Some(3_155_673_600), Some(3_155_759_999)),
            ("02/01/70", UTC, Some(86_400), Some(172_799)),
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
            "7",
            "2024",
            "46568",
            "46568.5",
            "202706",
            "99999999",
            "0.5",
            "1795731161.",
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
            "2026-01-31T08:00:00.",
            "2026-01-31T08:00:00.1234567890",
            "2026-01-31T08:00.5",
            "31/01/2",
            "31/13/26",
            "31/01/26T08:00",
            "0000-00-00 08:00:00",
            "0000-00-01",
            "2026-01-31T08:00 +01:00",
            "2026-01-31Z",
            "2026-01-31T08:00+25:00",
            "2026-01-31T08:00+01:75",
            "31/01/2026T08:00",
            "31/01/2026 08:00Z",
            "1969-12-31",
            "1970-01-01T00:00:00Z",
            "2026-01-3é",
            "é026-01-31",
            "٢٠٢٦-٠١-٣١",
            "tomorrow",
        ];
        for text in table {
            assert_eq!(parse(text, Bound::End, UTC), None, "{text}");
        }
    }

    #[test]
    fn small_numbers_are_no_times_and_told_for_what_they_are() {
        let table = [
            ("46568", "day-number 2027-06-30", Some(46_568)),
            ("46568.75", "day-number 2027-06-30", Some(46_568)),
            ("2027", "year 2027", Some(2027)),
            ("202706", "year-month 2027-06", Some(202_706)),
            ("202713", "small-number", Some(202_713)),
            ("20270630", "compact-date 2027-06-30", None),
            ("20270631", "small-number", Some(20_270_631)),
            ("1", "small-number", Some(1)),
            ("99999999", "small-number", Some(99_999_999)),
            ("0.5", "small-number", None),
        ];
        for (text, hint, accepted) in table {
            let refused = super::parse(text, Bound::End, UTC, SmallTimes::Refuse);
            assert_eq!(refused.as_ref().err().map(String::as_str), Some(hint), "{text}");
            assert_eq!(super::parse(text, Bound::Start, UTC, SmallTimes::Accept).ok(), accepted, "{text}");
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
