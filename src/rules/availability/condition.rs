//! The conditions that enrold supports, with their parameters read as strictly as Moodle's constructors read them.
//! It must not contain SQL.

use serde_json::{Map, Value};

use super::profile::{Field, Test};
use super::refused::Refused;
use super::tree::member;

/// One condition about a user (spec availability 4 and 5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// A profile field compares with a text.
    Profile {
        /// Which field.
        field: Field,
        /// How it compares.
        test: Test,
    },
    /// The run's clock is at or after (`from`), or before, a moment in Unix seconds.
    Date {
        /// `>=`; else `<`.
        from: bool,
        /// Unix seconds.
        time: i64,
    },
    /// Member of a group of the course; without an id, of any group.
    Group(Option<i64>),
    /// Member of a group of the course that belongs to a grouping.
    Grouping(i64),
    /// Member of a cohort; without an id, of any cohort in the system context.
    Cohort(Option<i64>),
    /// Has a badge.
    Badge(i64),
    /// State of an activity of the course.
    Activity {
        /// `course_modules.id`.
        module: i64,
        /// The expected state.
        state: Completion,
    },
    /// A grade in percent: at least `min`, below `max`, as JSON writes the numbers.
    Grade {
        /// `grade_items.id`.
        item: i64,
        /// At least.
        min: Option<String>,
        /// Below.
        max: Option<String>,
    },
    /// The rule's own course is completed, or is not.
    CourseCompleted(bool),
    /// Another course is completed. NOT is ignored.
    OtherCompleted(i64),
    /// The language of the course or of the user.
    Language(String),
}

/// What a `completion` condition expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Completion {
    /// 0: not complete, or completed with a failing grade.
    Incomplete,
    /// 1: complete, without a failing grade.
    Complete,
    /// 2: complete with a passing grade.
    Passed,
    /// 3: complete with a failing grade.
    Failed,
}

impl Condition {
    /// The condition's name, as in its plugin's: `availability_NAME`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Profile { .. } => "profile",
            Self::Date { .. } => "date",
            Self::Group(_) => "group",
            Self::Grouping(_) => "grouping",
            Self::Cohort(_) => "cohort",
            Self::Badge(_) => "badge",
            Self::Activity { .. } => "completion",
            Self::Grade { .. } => "grade",
            Self::CourseCompleted(_) => "coursecompleted",
            Self::OtherCompleted(_) => "othercompleted",
            Self::Language(_) => "language",
        }
    }
}

pub(super) fn read(kind: &Value, object: &Map<String, Value>, at: &str) -> Result<Condition, Refused> {
    let leaf = Leaf { object, at };
    Ok(match kind.as_str() {
        Some("profile") => leaf.profile()?,
        Some("date") => leaf.date()?,
        Some("group") => Condition::Group(leaf.optional_int("id")?),
        Some("grouping") => leaf.grouping()?,
        Some("cohort") => Condition::Cohort(leaf.optional_int("id")?),
        Some("badge") => Condition::Badge(leaf.int("id")?),
        Some("completion") => leaf.activity()?,
        Some("grade") => Condition::Grade { item: leaf.int("id")?, min: leaf.number("min")?, max: leaf.number("max")? },
        Some("coursecompleted") => {
            let id = leaf.optional_text("id")?.unwrap_or_default();
            Condition::CourseCompleted(!id.is_empty() && id != "0")
        }
        Some("othercompleted") => Condition::OtherCompleted(leaf.int("cm")?),
        Some("language") => leaf.language()?,
        _ => {
            let name = kind.as_str().map_or_else(|| kind.to_string(), str::to_owned);
            return Err(Refused::UnknownCondition { at: at.to_owned(), name });
        }
    })
}

/// The JSON of one condition.
struct Leaf<'a> {
    object: &'a Map<String, Value>,
    at: &'a str,
}

impl Leaf<'_> {
    fn refuse(&self, what: impl Into<String>) -> Refused {
        Refused::structure(self.at, what)
    }

    fn optional_int(&self, name: &str) -> Result<Option<i64>, Refused> {
        let Some(value) = member(self.object, name) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| self.refuse(format!("{name} must be a whole number, not {value}")))
    }

    fn int(&self, name: &str) -> Result<i64, Refused> {
        self.optional_int(name)?.ok_or_else(|| self.refuse(format!("has no {name}")))
    }

    fn optional_text(&self, name: &str) -> Result<Option<String>, Refused> {
        let Some(value) = member(self.object, name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| self.refuse(format!("{name} must be a text, not {value}")))?;
        if text.contains('\0') {
            return Err(self.refuse(format!("{name} holds a NUL character")));
        }
        Ok(Some(text.to_owned()))
    }

    /// A number in decimal notation: without an exponent, with nine decimals at most.
    fn number(&self, name: &str) -> Result<Option<String>, Refused> {
        let Some(value) = member(self.object, name) else { return Ok(None) };
        let number = value.as_f64().filter(|_| value.is_number());
        let number = number.ok_or_else(|| self.refuse(format!("{name} must be a number, not {value}")))?;
        if number.abs() > 1e9 {
            return Err(self.refuse(format!("{name} is no percentage: {value}")));
        }
        Ok(Some(format!("{}", (number * 1e9).round() / 1e9)))
    }

    fn profile(&self) -> Result<Condition, Refused> {
        let op = self.optional_text("op")?.ok_or_else(|| self.refuse("has no op"))?;
        let value = self.optional_text("v")?;
        let test = match (op.as_str(), value) {
            ("isempty" | "isnotempty", Some(_)) => return Err(self.refuse(format!("{op} takes no v"))),
            ("isempty", None) => Test::IsEmpty,
            ("isnotempty", None) => Test::IsNotEmpty,
            ("isequalto", Some(value)) => Test::IsEqualTo(value),
            ("contains", Some(value)) => Test::Contains(value),
            ("doesnotcontain", Some(value)) => Test::DoesNotContain(value),
            ("startswith", Some(value)) => Test::StartsWith(value),
            ("endswith", Some(value)) => Test::EndsWith(value),
            ("isequalto" | "contains" | "doesnotcontain" | "startswith" | "endswith", None) => {
                return Err(self.refuse("has no v"));
            }
            _ => return Err(self.refuse(format!("op {op:?} is not one that profile fields know"))),
        };
        let field = match (self.optional_text("sf")?, self.optional_text("cf")?) {
            (Some(column), None) => Field::Standard(column),
            (None, Some(shortname)) => Field::Custom(shortname),
            (None, None) => return Err(self.refuse("names no field: neither sf nor cf")),
            (Some(_), Some(_)) => return Err(self.refuse("names two fields: sf and cf")),
        };
        Ok(Condition::Profile { field, test })
    }

    fn date(&self) -> Result<Condition, Refused> {
        let from = match self.optional_text("d")?.as_deref() {
            Some(">=") => true,
            Some("<") => false,
            _ => return Err(self.refuse("d must be >= or <")),
        };
        Ok(Condition::Date { from, time: self.int("t")? })
    }

    fn grouping(&self) -> Result<Condition, Refused> {
        if member(self.object, "activity").is_some() {
            return Err(self.refuse("the grouping of an activity means nothing for an enrolment"));
        }
        Ok(Condition::Grouping(self.int("id")?))
    }

    fn activity(&self) -> Result<Condition, Refused> {
        let module = self.int("cm")?;
        if module < 0 {
            return Err(self.refuse("the previous activity means nothing for an enrolment"));
        }
        let state = match self.int("e")? {
            0 => Completion::Incomplete,
            1 => Completion::Complete,
            2 => Completion::Passed,
            3 => Completion::Failed,
            other => return Err(self.refuse(format!("e is {other}, not 0, 1, 2 or 3"))),
        };
        Ok(Condition::Activity { module, state })
    }

    fn language(&self) -> Result<Condition, Refused> {
        match self.optional_text("id")? {
            Some(language) if !language.is_empty() => Ok(Condition::Language(language)),
            _ => Err(self.refuse("names no language")),
        }
    }
}
