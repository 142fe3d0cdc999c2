//! The time by which a source must have sent its set: a time of day, every day or on some days of the week.
//! It must not know whether the set has arrived.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error};

use super::Schedule;

/// A local time of day and the days on which it applies: `06:30`, `06:30 mon-fri`, `18:00 tue,sat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedBy {
    text: String,
    schedule: Schedule,
}

impl ExpectedBy {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The schedule of its moments: one on each of its days, also on days of a clock change.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

impl FromStr for ExpectedBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "expected a time of day, and days if it is not every day, as in \"06:30\" or \"06:30 mon-fri\"";
        let (time, days) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), "*"));
        let number = |text: &str, below: u8| {
            let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u8>().ok().filter(|number| digits && *number < below)
        };
        let (hour, minute) = time.split_once(':').ok_or_else(form)?;
        let (hour, minute) = number(hour, 24).zip(number(minute, 60)).ok_or_else(form)?;
        let days = days.trim();
        if !days.chars().all(|c| c.is_ascii_alphanumeric() || ",-*".contains(c)) {
            return Err(form().to_owned());
        }
        let schedule = format!("{minute} {hour} * * {days}").parse().map_err(|_| form())?;
        Ok(Self { text: text.trim().to_owned(), schedule })
    }
}

/// Reads the text; an empty one gives `None`.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ExpectedBy>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_with_its_days_is_a_calendar() {
        for (text, schedule) in [
            ("06:30", "30 6 * * *"),
            (" 6:05 ", "5 6 * * *"),
            ("23:59 mon-fri", "59 23 * * mon-fri"),
            ("18:00  tue,sat", "0 18 * * tue,sat"),
        ] {
            let by: ExpectedBy = text.parse().unwrap();
            assert_eq!(by.as_str(), text.trim());
            let expected: Schedule = schedule.parse().unwrap();
            assert_eq!(by.schedule().cron(), expected.cron(), "{text}");
        }
        for text in ["6", "24:00", "06:60", "006:30", "06:30 always", "06:30 mon; x", "*/2:30", "06:3x", "06:30 mon 1"]
        {
            let refused = text.parse::<ExpectedBy>().unwrap_err();
            assert!(refused.contains("06:30 mon-fri"), "{text}: {refused}");
        }
    }
}
