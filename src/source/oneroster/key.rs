//! Maps columns of an export to columns of a set, by keys that the configuration writes as `FILE.COLUMN`.
//! It must not read an archive.

use std::collections::BTreeMap;

use super::tables::{CLASSES, COURSES, ORGS, OneRosterFile, USERS};
use crate::config::{DisabledUsers, Source, Target};

/// The files that an enrolment refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Users,
    Classes,
    Courses,
    Orgs,
}

impl Of {
    pub fn file(self) -> &'static OneRosterFile {
        match self {
            Of::Users => &USERS,
            Of::Classes => &CLASSES,
            Of::Courses => &COURSES,
            Of::Orgs => &ORGS,
        }
    }
}

/// A column of one of the files, by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub of: Of,
    pub place: usize,
}

type Known = &'static [(Of, &'static str)];

const USER: Known =
    &[(Of::Users, "sourcedId"), (Of::Users, "username"), (Of::Users, "identifier"), (Of::Users, "email")];

const COURSE: Known = &[
    (Of::Classes, "sourcedId"),
    (Of::Classes, "classCode"),
    (Of::Classes, "title"),
    (Of::Courses, "sourcedId"),
    (Of::Courses, "courseCode"),
];

const COHORT: Known = &[
    (Of::Classes, "sourcedId"),
    (Of::Classes, "classCode"),
    (Of::Classes, "title"),
    (Of::Courses, "sourcedId"),
    (Of::Courses, "courseCode"),
    (Of::Courses, "title"),
    (Of::Orgs, "sourcedId"),
    (Of::Orgs, "identifier"),
    (Of::Orgs, "name"),
];

const GROUP: Known = &[(Of::Classes, "sourcedId"), (Of::Classes, "classCode"), (Of::Classes, "title")];

const NAME: Known = &[
    (Of::Classes, "title"),
    (Of::Classes, "classCode"),
    (Of::Courses, "title"),
    (Of::Courses, "courseCode"),
    (Of::Orgs, "name"),
    (Of::Orgs, "identifier"),
];

/// How the rows of an export become rows of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneRosterForm {
    pub(super) user: Key,
    /// The course or, of a set of cohorts, the cohort.
    pub(super) place: Key,
    pub(super) cohorts: bool,
    pub(super) group: Option<Key>,
    /// The name of a new cohort.
    pub(super) name: Option<Key>,
    pub(super) roles: BTreeMap<String, String>,
    pub(super) disabled_users: DisabledUsers,
}

impl OneRosterForm {
    /// `user` and `course` are written `FILE.COLUMN`: `users.sourcedId` (also for ""), `users.username`,
    /// `users.identifier`, `users.email`; `classes.sourcedId` (also for ""), `classes.classCode`, `classes.title`,
    /// `courses.sourcedId`, `courses.courseCode`. `roles` maps a role of OneRoster to the short name of a Moodle role;
    /// a row with any other role is a problem.
    ///
    /// # Errors
    /// A sentence that names what is accepted.
    pub fn new(user: &str, course: &str, roles: BTreeMap<String, String>) -> Result<OneRosterForm, String> {
        Ok(OneRosterForm {
            user: key(user, USER)?,
            place: key(course, COURSE)?,
            cohorts: false,
            group: None,
            name: None,
            roles,
            disabled_users: DisabledUsers::Suspend,
        })
    }

    /// The form of a source's exports, from its `columns`.
    ///
    /// # Errors
    /// A sentence that names what is accepted.
    pub fn of(source: &Source) -> Result<OneRosterForm, String> {
        let (columns, cohorts) = (&source.columns, source.target == Target::Cohorts);
        let optional =
            |text: &str, known| Some(text).filter(|text| !text.trim().is_empty()).map(|text| key(text, known));
        let roles = source.roles.of_export.iter().map(|role| (role.from.clone(), role.to.clone())).collect();
        let form = OneRosterForm::new(&columns.user, if cohorts { "" } else { &columns.course }, roles)?;
        Ok(OneRosterForm {
            place: if cohorts { key(&columns.cohort, COHORT)? } else { form.place },
            cohorts,
            group: if cohorts { None } else { optional(&columns.group, GROUP).transpose()? },
            name: if cohorts { optional(&columns.name, NAME).transpose()? } else { None },
            disabled_users: source.disabled_users,
            ..form
        })
    }

    /// The positions of the columns of a file that are used.
    pub(super) fn places(&self, of: Of) -> Vec<usize> {
        let keys = [Some(self.user), Some(self.place), self.group, self.name].into_iter().flatten();
        keys.filter(|key| key.of == of).map(|key| key.place).collect()
    }

    /// Whether any column of a file is used.
    pub(super) fn asks(&self, of: Of) -> bool {
        !self.places(of).is_empty()
    }
}

fn key(text: &str, known: Known) -> Result<Key, String> {
    let text = text.trim();
    let written = |(of, column): &(Of, &str)| format!("{}.{column}", of.file().name);
    let found = match text {
        "" => known.first(),
        text => known.iter().find(|key| written(key) == text),
    };
    let key = found.and_then(|(of, column)| Some(Key { of: *of, place: of.file().place(column)? }));
    key.ok_or_else(|| {
        let names: Vec<String> = known.iter().map(written).collect();
        format!("\"{text}\" is no column of a OneRoster export that can be used here; use one of: {}", names.join(", "))
    })
}
