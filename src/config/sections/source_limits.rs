//! The limits of a source of full sets: the usual ones, and those of a season.
//! It must not know how rows are counted.

use chrono::NaiveDate;
use serde::Deserialize;

use super::OwnLimits;

/// Limits above which a set is held; 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SetLimits {
    /// Rows fewer than in the last good set, in percent.
    pub rows_fewer_percent: u32,
    /// Rows more than in the last good set, in percent.
    pub rows_more_percent: u32,
    /// Rows with an unknown user, course or cohort, in percent of all.
    pub unknown_percent: u32,
    /// Courses that one run creates.
    pub courses_max: u32,
    /// Limits on changes, in place of `guard.method` and `guard.run`.
    #[serde(flatten)]
    pub own: OwnLimits,
}

/// The limits that a season sets in place of the usual ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeasonLimits {
    /// In place of [`SetLimits::rows_fewer_percent`].
    pub rows_fewer_percent: Option<u32>,
    /// In place of [`SetLimits::rows_more_percent`].
    pub rows_more_percent: Option<u32>,
    /// In place of [`SetLimits::unknown_percent`].
    pub unknown_percent: Option<u32>,
    /// In place of [`SetLimits::courses_max`].
    pub courses_max: Option<u32>,
    /// In place of each of [`SetLimits::own`].
    pub own: OwnLimits,
}

impl SeasonLimits {
    /// The usual limits, with these in place of those that they replace.
    pub fn over(&self, usual: &SetLimits) -> SetLimits {
        let own = &usual.own;
        SetLimits {
            rows_fewer_percent: self.rows_fewer_percent.unwrap_or(usual.rows_fewer_percent),
            rows_more_percent: self.rows_more_percent.unwrap_or(usual.rows_more_percent),
            unknown_percent: self.unknown_percent.unwrap_or(usual.unknown_percent),
            courses_max: self.courses_max.unwrap_or(usual.courses_max),
            own: OwnLimits {
                removals_max: self.own.removals_max.or(own.removals_max),
                removals_percent: self.own.removals_percent.or(own.removals_percent),
                suspensions_max: self.own.suspensions_max.or(own.suspensions_max),
                suspensions_percent: self.own.suspensions_percent.or(own.suspensions_percent),
                creations_max: self.own.creations_max.or(own.creations_max),
                creations_percent: self.own.creations_percent.or(own.creations_percent),
                at_least: self.own.at_least.or(own.at_least),
            },
        }
    }

    /// The field of a limit by its name, and the maximum that it accepts.
    fn place(&mut self, name: &str) -> Option<(&mut Option<u32>, u32)> {
        const MANY: u32 = 1_000_000_000;
        let own = &mut self.own;
        Some(match name {
            "rows_fewer_percent" => (&mut self.rows_fewer_percent, 100),
            "rows_more_percent" => (&mut self.rows_more_percent, MANY),
            "unknown_percent" => (&mut self.unknown_percent, 100),
            "courses_max" => (&mut self.courses_max, MANY),
            "removals_max" => (&mut own.removals_max, MANY),
            "removals_percent" => (&mut own.removals_percent, 100),
            "suspensions_max" => (&mut own.suspensions_max, MANY),
            "suspensions_percent" => (&mut own.suspensions_percent, 100),
            "creations_max" => (&mut own.creations_max, MANY),
            "creations_percent" => (&mut own.creations_percent, MANY),
            "at_least" => (&mut own.at_least, MANY),
            _ => return None,
        })
    }
}

/// A period with limits of its own: `2026-08-25 -> 2026-10-15: rows_more_percent = 400, removals_percent = 0`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Season {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// The limits that apply on these days.
    pub limits: SeasonLimits,
}

impl Season {
    /// True from the first day to the end of the last.
    pub fn holds(&self, day: NaiveDate) -> bool {
        (self.from..=self.to).contains(&day)
    }

    /// Reads one season.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, String> {
        let form = || {
            "expected two days and the limits between them, as in \"2026-08-25 -> 2026-10-15: rows_more_percent = 400\""
                .to_owned()
        };
        let (days, limits) = text.split_once(':').ok_or_else(form)?;
        let (from, to) = days.split_once("->").ok_or_else(form)?;
        let day = |text: &str| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").map_err(|_| form());
        let (from, to) = (day(from)?, day(to)?);
        if to < from {
            return Err("the last day lies before the first".to_owned());
        }
        let mut season = Self { from, to, limits: SeasonLimits::default() };
        for limit in limits.split(',') {
            let (name, number) = limit.split_once('=').ok_or_else(form)?;
            let name = name.trim();
            let (place, most) =
                season.limits.place(name).ok_or_else(|| format!("{name} is not a limit of section guard"))?;
            let number = number.trim().parse().ok().filter(|number| *number <= most);
            let number = number.ok_or_else(|| format!("expected for {name} a whole number from 0 to {most}"))?;
            if place.replace(number).is_some() {
                return Err(format!("{name} stands there twice"));
            }
        }
        Ok(season)
    }
}

impl TryFrom<String> for Season {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}
