//! The files of an export that are read, and the columns of each that are kept for later deltas.
//! It must not know what a column is used for.

use super::form;
use crate::files::TableForm;

/// The position of the column that identifies a row of any OneRoster file.
pub(super) const ID: usize = 0;
pub(super) const STATUS: usize = 1;
pub(super) const MODIFIED: usize = 2;

/// A file of an export.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OneRosterFile {
    /// Its name in the manifest.
    pub name: &'static str,
    /// Its name in the archive.
    pub csv: &'static str,
    /// The columns that are read; a cell is addressed by its position here.
    pub columns: &'static [&'static str],
}

impl OneRosterFile {
    /// The table form, which requires the columns at these positions.
    pub fn form(&self, required: &[usize]) -> TableForm {
        let is_required = |place: &usize| *place <= MODIFIED || required.contains(place);
        let named = |wanted: bool| {
            let places = 0..self.columns.len();
            places.filter(|place| is_required(place) == wanted).map(|place| self.columns[place]).collect::<Vec<_>>()
        };
        let mut form = form(&named(true), &named(false));
        let place = |name: &str| self.columns.iter().position(|column| *column == name);
        form.columns.sort_by_key(|column| column.names.first().and_then(|name| place(name)));
        form
    }

    /// The position of the column with this name.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| *known == column)
    }
}

pub(super) const ENABLED: usize = 3;
pub(super) static USERS: OneRosterFile = OneRosterFile {
    name: "users",
    csv: "users.csv",
    columns: &["sourcedId", "status", "dateLastModified", "enabledUser", "username", "identifier", "email"],
};

pub(super) const COURSE_OF_CLASS: usize = 3;
pub(super) static CLASSES: OneRosterFile = OneRosterFile {
    name: "classes",
    csv: "classes.csv",
    columns: &["sourcedId", "status", "dateLastModified", "courseSourcedId", "title", "classCode"],
};

pub(super) static COURSES: OneRosterFile = OneRosterFile {
    name: "courses",
    csv: "courses.csv",
    columns: &["sourcedId", "status", "dateLastModified", "title", "courseCode"],
};

pub(super) static ORGS: OneRosterFile = OneRosterFile {
    name: "orgs",
    csv: "orgs.csv",
    columns: &["sourcedId", "status", "dateLastModified", "name", "identifier"],
};

pub(super) const CLASS: usize = 3;
pub(super) const USER: usize = 4;
pub(super) const ROLE: usize = 5;
pub(super) const SCHOOL: usize = 6;
pub(super) const BEGIN: usize = 7;
pub(super) const END: usize = 8;
pub(super) static ENROLLMENTS: OneRosterFile = OneRosterFile {
    name: "enrollments",
    csv: "enrollments.csv",
    columns: &[
        "sourcedId",
        "status",
        "dateLastModified",
        "classSourcedId",
        "userSourcedId",
        "role",
        "schoolSourcedId",
        "beginDate",
        "endDate",
    ],
};

/// All files in the order in which they are read: a file comes after those that it refers to.
pub(super) static ALL: [&OneRosterFile; 5] = [&USERS, &CLASSES, &COURSES, &ORGS, &ENROLLMENTS];
