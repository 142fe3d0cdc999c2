//! Dropped sets as snapshots: their bytes, what is told with them, and that a set which fails leaves nothing.
//! It must not know how rows are read, only what comes out.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::config;
use crate::source::bundle::{Announced, Part, Verdict, check};

const NOW: i64 = 1_795_255_200;

/// The only source of a configuration, named `night`.
fn source(keys: &[(&str, &str)]) -> Source {
    let sets = keys.iter().map(|(key, value)| (format!("sources.night.{key}"), (*value).to_owned())).collect();
    let loaded = config::load(&config::Sources { sets, ..config::Sources::default() }).unwrap();
    loaded.settings.sources["night"].clone()
}

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn destination(&self) -> Destination<'_> {
        Destination { source: "night", state: self.0.path(), now: NOW }
    }

    fn take(&self, source: &Source, contents: &[String]) -> Result<Taken, TakeError> {
        let write = |(number, content): (usize, &String)| {
            let path = self.path(&format!("part{number}.csv"));
            fs::write(&path, content).unwrap();
            Part::dropped(&path, Announced::default())
        };
        let parts: Vec<Part> = contents.iter().enumerate().map(write).collect();
        let form = FilesForm::of(source, Fallback::Windows1252).table();
        let Verdict::Complete { files } = check(&parts, &form).unwrap() else { panic!("not complete") };
        take_files(self.destination(), source, Fallback::Windows1252, &files)
    }

    /// What lies beside the snapshots, with the snapshots.
    fn left(&self) -> usize {
        fs::read_dir(self.path("sets/night")).map_or(0, Iterator::count)
    }
}

fn text(taken: &Taken) -> String {
    fs::read_to_string(&taken.snapshot.path).unwrap()
}

#[test]
fn a_set_of_files_becomes_one_snapshot_of_canonical_columns() {
    let source = source(&[("files", "part*.csv")]);
    let place = Place::new();
    let parts = [
        "role;user;course;fin\nstudent;u2;c1;2027-06-30\nstudent;u1;c1\n",
        "user,course,role\nu1,c1,student\n,c1,student\n",
    ];
    let taken = place.take(&source, &parts.map(str::to_owned)).unwrap();
    let expected =
        "user,course,role,group,other,timestart,timeend,status\nu1,c1,student,,,,,\nu2,c1,student,,,,2027-06-30,\n";
    assert_eq!(text(&taken), expected);
    assert_eq!((taken.snapshot.rows, taken.doubles, taken.kind), (2, 1, SnapshotKind::Full));
    assert_eq!(taken.problems.len(), 1);
    let shuffled = ["user,course,role,fin\nu2,c1,student,2027-06-30\n,c1,student\nu1,c1,student,\n"];
    let other = Place::new();
    assert_eq!(other.take(&source, &shuffled.map(str::to_owned)).unwrap().snapshot.sha256, taken.snapshot.sha256);
}

#[test]
fn a_set_of_cohorts_has_the_columns_of_cohorts() {
    let source = source(&[("files", "part*.csv"), ("target", "cohorts")]);
    let place = Place::new();
    let taken = place.take(&source, &["cohorte;identifiant\nL1;u1\n".to_owned()]).unwrap();
    assert_eq!(text(&taken), "user,cohort,name\nu1,L1,\n");
}

#[test]
fn a_set_that_fails_leaves_no_snapshot() {
    let source = source(&[("files", "part*.csv")]);
    let place = Place::new();
    let bad = "user,course,role\n".to_owned() + &",c1,student\n".repeat(MOST_PROBLEMS + 1);
    let error = place.take(&source, &[bad]).unwrap_err();
    assert!(matches!(&error, TakeError::TooManyProblems(first) if first.problem.line == 2), "{error}");
    let gone = Sealed { name: "x.csv".into(), path: place.path("x.csv"), rows: 1, sha256: String::new() };
    let error = take_files(place.destination(), &source, Fallback::Windows1252, &[gone]).unwrap_err();
    assert!(matches!(error, TakeError::Set(SetError::Unreadable { .. })));
    assert_eq!(place.left(), 0);
}

#[test]
fn an_archive_becomes_a_snapshot_too() {
    let place = Place::new();
    let mut zip = ZipWriter::new(fs::File::create(place.path("export.zip")).unwrap());
    let entries = [
        ("manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.enrollments,delta\n"),
        (
            "enrollments.csv",
            "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\ne,tobedeleted,2026-11-22,k-1,,s-1,student,,2026-09-01,\n",
        ),
    ];
    for (name, content) in entries {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let roster = |keys: &[(&str, &str)]| source(&[&[("files", "*.zip"), ("format", "oneroster")], keys].concat());
    let take = |source: &Source| take_archive("night", source, &place.path("export.zip"), place.0.path(), NOW);
    let taken = take(&roster(&[("roles", "student = student")])).unwrap();
    assert_eq!(taken.kind, SnapshotKind::Delta);
    assert!(text(&taken).ends_with("\ns-1,k-1,student,,,2026-09-01,,tobedeleted\n"));
    let error = take(&roster(&[("columns.user", "login")])).unwrap_err().to_string();
    assert!(error.contains("source night: \"login\"") && error.contains("users.username"), "{error}");
    assert!(take(&roster(&[("target", "cohorts")])).unwrap_err().to_string().contains("target"));
    assert_eq!(place.left(), 1);
}
