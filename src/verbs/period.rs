//! A period of the calendar: days, weeks, months or years, as people write it. It must not read a clock.

use std::fmt::{self, Display};
use std::str::FromStr;

use chrono::{DateTime, Days, Months};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::files::times::{LATEST, in_zone};

/// The longest period, in days.
const LONGEST: u32 = 36_500;

/// A period: `30d`, `2w`, `6m`, `1y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// So many days.
    Days(u32),
    /// So many weeks.
    Weeks(u32),
    /// So many months.
    Months(u32),
    /// So many years.
    Years(u32),
}

impl Period {
    /// The same hour of the day so much later in a zone, in Unix seconds; of a month that is too short its last day.
    /// `None` if one of the two lies beyond the year 9999.
    pub fn after(self, time: i64, zone: Tz) -> Option<i64> {
        let local = DateTime::from_timestamp(time, 0)
            .filter(|_| (0..=LATEST).contains(&time))?
            .with_timezone(&zone)
            .naive_local();
        let later = match self {
            Self::Days(days) => local.checked_add_days(Days::new(days.into())),
            Self::Weeks(weeks) => local.checked_add_days(Days::new(u64::from(weeks) * 7)),
            Self::Months(months) => local.checked_add_months(Months::new(months)),
            Self::Years(years) => local.checked_add_months(Months::new(years.checked_mul(12)?)),
        };
        in_zone(later?, zone).filter(|later| *later <= LATEST)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write days, weeks, months or years: 30d, 2w, 6m, 1y".to_owned();
        let text = text.trim().to_lowercase();
        let unit = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(unit);
        let number: u32 = number.parse().map_err(|_| wrong())?;
        let (period, days) = match unit.trim() {
            "d" | "day" | "days" | "j" | "jour" | "jours" => (Self::Days(number), 1),
            "w" | "week" | "weeks" | "s" | "semaine" | "semaines" => (Self::Weeks(number), 7),
            "m" | "month" | "months" | "mois" => (Self::Months(number), 30),
            "y" | "year" | "years" | "a" | "an" | "ans" => (Self::Years(number), 365),
            _ => return Err(wrong()),
        };
        if number == 0 || number.checked_mul(days).is_none_or(|days| days > LONGEST) {
            return Err("a period is at least a day and at most a hundred years".to_owned());
        }
        Ok(period)
    }
}

impl Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(number) => write!(f, "{number}d"),
            Self::Weeks(number) => write!(f, "{number}w"),
            Self::Months(number) => write!(f, "{number}m"),
            Self::Years(number) => write!(f, "{number}y"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar() {
        let paris = chrono_tz::Europe::Paris;
        let unix = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp();
        for (period, from, to) in [
            ("30d", "2026-10-01T00:00:00+02:00", "2026-10-31T00:00:00+01:00"),
            ("2 semaines", "2026-10-20T08:00:00+02:00", "2026-11-03T08:00:00+01:00"),
            ("6m", "2026-08-31T23:59:59+02:00", "2027-02-28T23:59:59+01:00"),
            ("1an", "2028-02-29T12:00:00+01:00", "2029-02-28T12:00:00+01:00"),
            // The hour that the clocks leave out.
            ("1D", "2027-03-27T02:30:00+01:00", "2027-03-28T03:00:00+02:00"),
        ] {
            let read: Period = period.parse().unwrap();
            assert_eq!(read.after(unix(from), paris), Some(unix(to)), "{period}");
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for beyond in [LATEST, LATEST + 1, 8_210_266_874_999, i64::MAX, -1] {
            assert_eq!(Period::Days(1).after(beyond, paris), None, "{beyond}");
        }
        for wrong in ["", "6", "m", "0d", "-1d", "101y", "1.5m", "6 moons", "99999999999d"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
    }
}
