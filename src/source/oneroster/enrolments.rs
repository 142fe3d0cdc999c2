//! Turns each row of `enrollments.csv` into a row of the set, with values of the files that it refers to.
//! It must not know archives or manifests, nor which rows were sent before.

use std::collections::HashSet;

use super::OneRosterForm;
use super::key::{Key, Of};
use super::listing::{Lack, Listing};
use super::merge::{Fate, Row, Visitor};
use super::tables::{BEGIN, CLASS, COURSE_OF_CLASS, ENABLED, END, ENROLLMENTS, ROLE, SCHOOL, USER};
use crate::config::{DisabledUsers, RoleOf};
use crate::files::{Scraps, flags};
use crate::problem::{Code, Problem};
use crate::source::canonical::Canonical;
use crate::source::rows::{SetError, SetProblem, SetRow, Taker};

/// The required columns.
pub(super) const REQUIRED: [usize; 3] = [CLASS, USER, ROLE];

/// The files that rows of enrolments refer to, and where the resulting rows go.
pub(super) struct Enrolments<'a> {
    pub form: &'a OneRosterForm,
    pub users: Listing,
    pub classes: Listing,
    pub courses: Listing,
    pub orgs: Listing,
    pub canonical: Canonical,
    pub schools_reported: HashSet<String>,
}

/// Why a row gives no row of the set.
enum Out {
    Gone(Box<SetProblem>),
    Announced(Box<SetProblem>),
}

impl Enrolments<'_> {
    /// The row of the set; `None` if the row is left out on purpose.
    fn read(&self, row: &Row) -> Result<Option<SetRow>, Out> {
        let role = self.form.roles.get(row.cell(ROLE)).map(String::as_str).filter(|role| !role.is_empty());
        if role == Some(RoleOf::NOBODY) {
            return Ok(None);
        }
        let (user, place) = (self.user(row), self.value(row, self.form.place));
        let about = |problem: Problem, user: &str, place: &str| Box::new(row.problem(problem).about(user, place));
        let out = |lack: Lack, user: &str, place: &str| match lack {
            Lack::Gone(problem) => Out::Gone(about(problem, user, place)),
            Lack::Announced(problem) => Out::Announced(Box::new(about(problem, user, place).broken())),
        };
        let (user, place) = match (user, place) {
            (Ok(user), Ok(place)) => (user, place),
            (Ok(user), Err(lack)) => return Err(out(lack, &user, "")),
            // If both are wrong, the deleted one is reported.
            (Err(Lack::Announced(_)), Err(lack @ Lack::Gone(_))) => return Err(out(lack, "", "")),
            (Err(lack), place) => return Err(out(lack, "", &place.unwrap_or_default())),
        };
        let told = |problem: Problem| Out::Announced(about(problem, &user, &place));
        let role = role.ok_or_else(|| told(self.unknown_role(row)))?.to_owned();
        let [timestart, timeend] = [BEGIN, END].map(|place| row.cell(place).to_owned());
        let may_be_empty = |key: Option<Key>| {
            let value = key.map(|key| self.optional(row, key)).transpose();
            value.map(Option::unwrap_or_default).map_err(|lack| out(lack, &user, &place))
        };
        let (group, name) = (may_be_empty(self.form.group)?, may_be_empty(self.form.name)?);
        // Only a clear no disables the user.
        let enabled = !flags::is_no(self.users.cell(row.cell(USER), ENABLED));
        let status = match self.form.disabled_users {
            DisabledUsers::LeaveOut if !enabled => return Ok(None),
            DisabledUsers::Suspend if !enabled => SetRow::SUSPENDED,
            _ => "",
        };
        // File 0 is the one that is sent, file 1 the one that was sent before.
        let at = SetRow { file: u16::from(row.earlier), line: row.line, ..SetRow::default() };
        let status = status.to_owned();
        Ok(Some(match self.form.cohorts {
            true => SetRow { user, cohort: place, name, ..at },
            false => SetRow { user, course: place, role, group, timestart, timeend, status, ..at },
        }))
    }

    fn user(&self, row: &Row) -> Result<String, Lack> {
        self.users.filled(row.line, filled(row, USER)?, self.form.user.place)
    }

    /// The value of a key, which must not be empty.
    fn value(&self, row: &Row, key: Key) -> Result<String, Lack> {
        let (listing, id) = self.referred(row, key)?;
        listing.filled(row.line, &id, key.place)
    }

    fn optional(&self, row: &Row, key: Key) -> Result<String, Lack> {
        let (listing, id) = self.referred(row, key)?;
        listing.value(row.line, &id, key.place)
    }

    /// The file of a key, and the identifier in it that this row refers to.
    fn referred(&self, row: &Row, key: Key) -> Result<(&Listing, String), Lack> {
        let class = filled(row, CLASS)?;
        let id = match key.of {
            Of::Users => filled(row, USER)?.to_owned(),
            Of::Classes => class.to_owned(),
            Of::Courses => self.classes.filled(row.line, class, COURSE_OF_CLASS)?,
            Of::Orgs if self.classes.is_gone(class) => {
                self.classes.value(row.line, class, super::tables::ID)?;
                String::new()
            }
            Of::Orgs => filled(row, SCHOOL)?.to_owned(),
        };
        Ok((self.listing(key.of), id))
    }

    fn listing(&self, of: Of) -> &Listing {
        match of {
            Of::Users => &self.users,
            Of::Classes => &self.classes,
            Of::Courses => &self.courses,
            Of::Orgs => &self.orgs,
        }
    }

    /// The keys of the users and places whose identifiers are among these scraps.
    fn meant(&self, scraps: Scraps) -> Scraps {
        let key = self.form.place;
        let of_place = |id: &str| {
            let course = || self.classes.filled(0, id, COURSE_OF_CLASS);
            let id = if key.of == Of::Courses { course()? } else { id.to_owned() };
            self.listing(key.of).filled(0, &id, key.place)
        };
        let of_user = |id: &str| self.users.filled(0, id, self.form.user.place);
        let keys = scraps.values.iter().flat_map(|id| [of_user(id), of_place(id)]).flatten();
        Scraps { values: keys.collect(), ..scraps }
    }

    fn unknown_role(&self, row: &Row) -> Problem {
        match row.cell(ROLE) {
            "" => empty(row, ROLE),
            written => {
                let known: Vec<&str> = self.form.roles.keys().map(String::as_str).collect();
                Problem::new(row.line, Code::RoleUnknown, written, known.join(", "))
            }
        }
    }

    /// Reports an unlisted school once: no value of the row depends on it, or that value has its own problem.
    fn school(&mut self, row: &Row) -> Option<Problem> {
        let school = row.cell(SCHOOL);
        let lacking = !school.is_empty() && self.orgs.lacks(school) && self.schools_reported.insert(school.to_owned());
        lacking.then(|| Problem::new(row.line, Code::ReferenceUnknown, school, "orgs.csv"))
    }
}

impl Visitor for Enrolments<'_> {
    fn row(&mut self, row: &Row, taker: &mut dyn Taker) -> Result<Fate, SetError> {
        match self.read(row) {
            Ok(set_row) => {
                if let Some(warning) = self.school(row) {
                    taker.problem(row.warning(warning))?;
                }
                if let Some(set_row) = set_row {
                    self.canonical.push(set_row)?;
                }
                Ok(Fate::Kept)
            }
            // An enrolment that was sent before ends silently with the user, class, course or org that is deleted.
            Err(Out::Gone(_)) if row.earlier => Ok(Fate::Left),
            Err(Out::Gone(problem)) => {
                taker.problem(*problem)?;
                Ok(Fate::Left)
            }
            Err(Out::Announced(problem)) => {
                taker.problem(*problem)?;
                Ok(Fate::Bad)
            }
        }
    }

    fn unusable(
        &mut self,
        row: &Row,
        problem: Problem,
        scraps: Option<Scraps>,
        taker: &mut dyn Taker,
    ) -> Result<(), SetError> {
        let (user, place) = (self.user(row), self.value(row, self.form.place));
        let broken = |value: &Result<String, Lack>| matches!(value, Err(Lack::Announced(_)));
        let broken = broken(&user) || broken(&place);
        let about = row.problem(problem).about(&user.unwrap_or_default(), &place.unwrap_or_default());
        let scraps = scraps.map(|scraps| self.meant(scraps));
        Ok(taker.problem(SetProblem { broken, scraps, ..about })?)
    }
}

fn filled<'r>(row: &'r Row, place: usize) -> Result<&'r str, Lack> {
    match row.cell(place) {
        "" => Err(Lack::Announced(empty(row, place))),
        text => Ok(text),
    }
}

fn empty(row: &Row, place: usize) -> Problem {
    Problem::new(row.line, Code::EmptyIdentifier, ENROLLMENTS.columns[place], "")
}
