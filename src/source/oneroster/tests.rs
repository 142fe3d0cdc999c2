//! What OneRoster exports become; the data sets are written here, after the public specification.
//! It must not know what is done with the rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::config::DisabledUsers;
use crate::source::rows::Kept;

mod archives;
mod deltas;
mod places;

/// Users as in 1.1; 1.2 moved two columns elsewhere and has more of them at the end.
const USERS: &str = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,\
    familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password
s-1,,,true,o-1,student,ada,,Ada,Lovelace,,E1,ada@example.org,,,,,
s-2,,,true,o-1,student,\"alan\",,Alan,\"Turing, M.\",,E2,alan@example.org,,,,,
t-1,,,true,o-1,teacher,grace,,Grace,Hopper,,,grace@example.org,,,,,
";
const USERS_1_2: &str = "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,\
    middleName,identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,\
    preferredGivenName,preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns,metadata.local
s-1,,,true,ada,,Ada,Lovelace,,E1,ada@example.org,,,,,,,,,,,o-1,,x
s-2,,,true,alan,,Alan,Turing,,E2,alan@example.org,,,,,,,,,,,o-1,,
t-1,,,true,grace,,Grace,Hopper,,,grace@example.org,,,,,,,,,,,o-1,,
";
const ORGS: &str = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId
o-1,,,Faculty,school,,
";
const COURSES: &str =
    "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes
c-1,,,,Analysis,MATH1,,o-1,,
";
const CLASSES: &str = "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,\
    schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods
k-1,,,Analysis A,,c-1,MATH1-A,scheduled,,o-1,y-1,,,
k-2,,,Analysis B,,c-1,MATH1-B,scheduled,,o-1,y-1,,,
";
const ENROLMENTS: &str =
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate
e-1,,,k-1,o-1,s-1,student,,2026-09-01,2027-01-31
e-2,,,k-2,o-1,s-2,student,,,
e-3,,,k-1,o-1,t-1,teacher,true,,
e-4,,,k-2,o-1,t-1,teacher,false,,
";

/// An export that can be changed file by file.
#[derive(Clone)]
struct Export {
    files: BTreeMap<String, Vec<u8>>,
    modes: BTreeMap<&'static str, &'static str>,
    version: &'static str,
}

fn bulk() -> Export {
    let contents =
        [("users", USERS), ("orgs", ORGS), ("courses", COURSES), ("classes", CLASSES), ("enrollments", ENROLMENTS)];
    Export {
        files: contents.iter().map(|(file, text)| (format!("{file}.csv"), text.as_bytes().to_vec())).collect(),
        modes: contents.iter().map(|(file, _)| (*file, "bulk")).chain([("demographics", "absent")]).collect(),
        version: "1.1",
    }
}

impl Export {
    fn with(mut self, file: &'static str, mode: &'static str, text: impl AsRef<[u8]>) -> Export {
        self.files.insert(format!("{file}.csv"), text.as_ref().to_vec());
        self.modes.insert(file, mode);
        self
    }

    fn without(mut self, file: &'static str) -> Export {
        self.files.remove(&format!("{file}.csv"));
        self.modes.insert(file, "absent");
        self
    }

    fn manifest(&self) -> String {
        let files: String = self.modes.iter().map(|(file, mode)| format!("file.{file},{mode}\r\n")).collect();
        format!(
            "propertyName,value\r\nmanifest.version,1.0\r\noneroster.version,{}\r\n{files}source.systemName,test\r\n",
            self.version
        )
    }

    /// All entries; the manifest is made from the modes unless it is given.
    fn entries(&self) -> Vec<(String, Vec<u8>)> {
        let mut entries: Vec<_> = self.files.clone().into_iter().collect();
        if !self.files.contains_key("manifest.csv") {
            entries.push(("manifest.csv".to_owned(), self.manifest().into_bytes()));
        }
        entries
    }

    fn read(&self, form: &OneRosterForm) -> Result<(Kept, OneRosterRead), SetError> {
        let place = Place::new();
        place.write(&self.entries(), CompressionMethod::Deflated);
        place.read(form, EXPANDED_LIMIT)
    }

    fn rows(&self, form: &OneRosterForm) -> Vec<String> {
        let (kept, _) = self.read(form).unwrap();
        assert_eq!(kept.told(), [""; 0]);
        kept.lines()
    }

    fn refusal(&self) -> String {
        match self.read(&by("", "")) {
            Err(error) => error.to_string(),
            Ok((kept, _)) => panic!("{kept:?}"),
        }
    }
}

/// The directory of an archive and its scratch files.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn write(&self, entries: &[(String, Vec<u8>)], method: CompressionMethod) {
        let mut zip = ZipWriter::new(File::create(self.0.path().join("export.zip")).unwrap());
        for (name, content) in entries {
            zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    }

    fn read(&self, form: &OneRosterForm, limit: u64) -> Result<(Kept, OneRosterRead), SetError> {
        let mut kept = Kept::default();
        let sent = Sent::named(&self.0.path().join("export.zip")).unwrap();
        let read = read_bounded((&sent, limit), form, self.0.path(), None, None, &mut kept);
        let left: Vec<_> = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["export.zip"], "nothing is left behind");
        Ok((kept, read?))
    }
}

/// The roles of the default configuration.
fn usual_roles() -> BTreeMap<String, String> {
    [("student", "student"), ("teacher", "editingteacher")].map(|(from, to)| (from.into(), to.into())).into()
}

fn by(user: &str, course: &str) -> OneRosterForm {
    OneRosterForm::new(user, course, usual_roles()).unwrap()
}

#[test]
fn a_bulk_export_of_either_version_is_a_full_set() {
    let expected = [
        "k-1|s-1|student|2026-09-01|2027-01-31",
        "k-1|t-1|editingteacher",
        "k-2|s-2|student",
        "k-2|t-1|editingteacher",
    ];
    let (kept, read) = bulk().read(&by("", "")).unwrap();
    assert_eq!(kept.lines(), expected);
    assert_eq!(kept.told(), [""; 0]);
    assert_eq!(
        (read.version, read.kind, read.enrolments.rows, read.sorted.rows),
        (Version::V1_1, SnapshotKind::Full, 4, 4)
    );
    let newer = Export { version: "1.2", ..bulk().with("users", "bulk", format!("\u{feff}{USERS_1_2}")) };
    let (kept, read) = newer.read(&by("", "")).unwrap();
    assert_eq!(kept.lines(), expected);
    assert_eq!(read.version, Version::V1_2);
}

#[test]
fn rows_of_commas_only_are_blank_lines() {
    let padded = |text: &str| text.replace('\n', "\r\n,,,,, ,,,\r\n") + ",,,,\r\n\u{1a}";
    let export =
        bulk().with("enrollments", "bulk", padded(ENROLMENTS)).with("users", "bulk", padded(USERS.trim_start()));
    let (kept, read) = export.read(&by("", "")).unwrap();
    assert_eq!((kept.rows.len(), read.enrolments.rows, read.enrolments.bad), (4, 4, 0));
    assert_eq!(kept.told(), [""; 0]);
}

#[test]
fn users_and_classes_have_the_value_of_the_column_asked_for() {
    let users = [("users.username", "ada"), ("users.email", "ada@example.org"), ("users.sourcedId", "s-1")];
    for (key, ada) in users {
        assert!(bulk().rows(&by(key, ""))[0].contains(&format!("|{ada}|")), "{key}");
    }
    let courses = [("classes.classCode", "MATH1-A"), ("classes.title", "Analysis A"), ("classes.sourcedId", "k-1")];
    for (key, class) in courses {
        assert!(bulk().rows(&by("", key))[0].starts_with(&format!("{class}|")), "{key}");
    }
    for (key, course) in [("courses.courseCode", "MATH1"), ("courses.sourcedId", "c-1")] {
        let (kept, read) = bulk().read(&by("", key)).unwrap();
        let teacher = format!("{course}|t-1|editingteacher");
        assert_eq!(kept.lines().iter().filter(|line| **line == teacher).count(), 1, "{key}");
        assert_eq!((read.sorted.rows, read.sorted.doubles), (3, 1));
    }
    let why = OneRosterForm::new("username", "", BTreeMap::new()).unwrap_err();
    assert!(why.contains("users.username"), "{why}");
}

#[test]
fn an_empty_value_is_told_for_each_enrolment() {
    let (kept, _) = bulk().read(&by("users.identifier", "")).unwrap();
    assert_eq!(kept.lines(), ["k-1|E1|student|2026-09-01|2027-01-31", "k-2|E2|student"]);
    let expected = "empty-identifier identifier (users.csv, t-1) (, k-1)";
    assert_eq!(kept.told()[0], format!("enrollments.csv:4 {expected}"));
    assert_eq!(kept.told().len(), 2);
}

#[test]
fn what_refers_to_nothing_is_told_and_never_guessed() {
    let more = "e-5,,,k-9,o-1,s-1,student,,,\ne-6,,,k-1,o-1,s-9,student,,,\ne-7,,,k-1,o-9,s-2,student,,,\n\
        e-8,,,k-2,o-9,s-1,student,,,\ne-9,,,,o-1,s-1,student,,,\n";
    let export = bulk().with("enrollments", "bulk", ENROLMENTS.to_owned() + more);
    let (kept, read) = export.read(&by("users.username", "")).unwrap();
    assert_eq!(
        kept.told(),
        [
            "enrollments.csv:6 reference-unknown k-9 (ada, )",
            "enrollments.csv:7 reference-unknown s-9 (, k-1)",
            "enrollments.csv:8 reference-unknown o-9 +",
            "enrollments.csv:10 empty-identifier classSourcedId (ada, )",
        ]
    );
    assert_eq!((read.enrolments.rows, read.enrolments.bad, read.sorted.rows), (9, 3, 6));
    let orphan = bulk().with("courses", "bulk", COURSES.replace("c-1", "c-2"));
    let (kept, _) = orphan.read(&by("", "courses.courseCode")).unwrap();
    assert_eq!(kept.lines(), [""; 0]);
    assert_eq!(kept.told()[0], "enrollments.csv:2 reference-unknown c-1 (s-1, )");
}

#[test]
fn an_identifier_of_two_rows_is_ambiguous_unless_they_agree() {
    let users = format!(
        "{USERS}s-1,,,true,o-1,student,eve,,,,,,,,,,,\ns-2,,,true,o-1,student,alan,,,,,,,,,,,\n\
         ,,,true,,,nobody,,,,,,,,,,,\n"
    );
    let (kept, _) = bulk().with("users", "bulk", users).read(&by("users.username", "")).unwrap();
    assert_eq!(kept.lines(), ["k-1|grace|editingteacher", "k-2|alan|student", "k-2|grace|editingteacher"]);
    assert_eq!(
        kept.told(),
        [
            "users.csv:5 reference-ambiguous s-1",
            "users.csv:7 empty-identifier sourcedId",
            "enrollments.csv:2 reference-ambiguous s-1 (, k-1)",
        ]
    );
}

#[test]
fn roles_enrol_by_the_map_only() {
    let export = bulk().with(
        "enrollments",
        "bulk",
        ENROLMENTS.replace("e-2,,,k-2,o-1,s-2,student", "e-2,,,k-2,o-1,s-2,proctor"),
    );
    let (kept, _) = export.read(&by("", "")).unwrap();
    assert_eq!(kept.told(), ["enrollments.csv:3 role-unknown proctor (s-2, k-2)"]);
    let mut roles = usual_roles();
    roles.insert("proctor".into(), "tutor".into());
    roles.insert("teacher".into(), String::new());
    let (kept, _) = export.read(&OneRosterForm::new("", "", roles).unwrap()).unwrap();
    assert_eq!(kept.lines(), ["k-1|s-1|student|2026-09-01|2027-01-31", "k-2|s-2|tutor"]);
    assert_eq!(kept.told().len(), 2);
}

#[test]
fn dates_are_passed_on_as_they_are_written() {
    for window in ["2026-09-01T00:00:00.000Z,", "01/09/2026,30/06/27", "2026-9-1,soon"] {
        let text = ENROLMENTS.replace("2026-09-01,2027-01-31", window);
        let rows = bulk().with("enrollments", "bulk", text).rows(&by("", ""));
        assert_eq!(rows[0], format!("k-1|s-1|student|{}", window.replace(',', "|")).trim_end_matches('|'));
    }
}

/// The keys of all that its values identify are passed on.
#[test]
fn a_row_of_the_wrong_width_says_whom_it_may_mean() {
    let more = "e-5,,,k-2,s-2,student\n,,s-1,\"k-1\ne-6,,,k-9,o-1,s-9\n";
    let export = bulk().with("enrollments", "bulk", ENROLMENTS.to_owned() + more);
    let (kept, read) = export.read(&by("users.username", "courses.courseCode")).unwrap();
    assert_eq!((kept.lines().len(), read.enrolments.bad, read.enrolments.ragged), (3, 3, 3));
    let scraps: Vec<_> = kept.problems.iter().map(|told| told.scraps.clone().unwrap()).collect();
    assert_eq!(scraps[0].values, ["MATH1", "alan"]);
    assert_eq!(scraps[1].values, ["ada", "MATH1"]);
    assert_eq!(scraps[2].values, [""; 0]);
}
