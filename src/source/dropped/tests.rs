//! Dropped sets as snapshots: their bytes, the problems reported with them, and that a failed set leaves nothing.
//! It must not know how rows are read, only what comes out.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::config;
use crate::source::bundle::{Part, Sent, Verdict, check};
use crate::source::oneroster::forget_bases;

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

    fn export(&self) -> Sent {
        Sent::named(&self.path("export.zip")).unwrap()
    }

    fn destination(&self) -> Destination<'_> {
        Destination { source: "night", state: self.0.path(), now: NOW }
    }

    fn take(&self, source: &Source, contents: &[String]) -> Result<Taken, TakeError> {
        let write = |(number, content): (usize, &String)| {
            let path = self.path(&format!("part{number}.csv"));
            fs::write(&path, content).unwrap();
            Part::of(Sent::named(&path).unwrap())
        };
        let parts: Vec<Part> = contents.iter().enumerate().map(write).collect();
        let form = FilesForm::of(source, Fallback::Windows1252).table();
        let Verdict::Complete { files } = check(&parts, &form).unwrap() else { panic!("not complete") };
        take_files(self.destination(), source, Fallback::Windows1252, &files)
    }

    /// How many files the directory of the snapshots holds.
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
    let origins = taken.origins().unwrap();
    assert_eq!(fs::read_to_string(&origins.list).unwrap(), "2,0,3\n3,0,2\n", "of equal rows the first counts");
    assert_eq!(origins.files.len(), 2);
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
    fs::write(place.path("x.csv"), "user,course,role\nu1,c1,student\n").unwrap();
    let Sent { name, file } = Sent::named(&place.path("x.csv")).unwrap();
    let changed = Sealed { name, file, rows: 1, sha256: String::new() };
    let error = take_files(place.destination(), &source, Fallback::Windows1252, &[changed]).unwrap_err();
    assert!(matches!(error, TakeError::Set(SetError::Changed { .. })));
    assert_eq!(place.left(), 0);
}

#[test]
fn an_archive_becomes_a_snapshot_and_what_the_next_delta_builds_on() {
    let place = Place::new();
    let write = |mode: &str, row: &str| {
        let mut zip = ZipWriter::new(fs::File::create(place.path("export.zip")).unwrap());
        let manifest =
            format!("propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.enrollments,{mode}\n");
        let header = "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,\
            beginDate,endDate\n";
        for (name, content) in [("manifest.csv", manifest), ("enrollments.csv", format!("{header}{row}\n"))] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
    };
    let oneroster = |keys: &[(&str, &str)]| source(&[&[("files", "*.zip"), ("format", "oneroster")], keys].concat());
    let take = |source: &Source, base: Option<&OneRosterBase>, keep: bool| {
        take_archive(place.destination(), source, &place.export(), base, keep)
    };
    let students = oneroster(&[("roles", "student = student")]);
    write("bulk", "e-1,,,k-1,,s-1,student,,2026-09-01,");
    let rehearsed = take(&students, None, false).unwrap();
    assert!(rehearsed.oneroster_base.is_none());
    let taken = take(&students, None, true).unwrap();
    assert!(text(&taken).ends_with("\ns-1,k-1,student,,,2026-09-01,,\n"));
    let (base, _kept) = taken.oneroster_base.unwrap();
    assert_eq!((base.delta, base.on.as_str(), base.newest), (false, "", 0));
    assert_eq!(place.left(), 3, "a snapshot, the list beside it, and a base");
    write("delta", "e-2,active,2099-01-01,k-1,,s-2,student,,,");
    assert!(is_delta(place.destination(), &place.export()).unwrap());
    let taken = take(&students, Some(&base), true).unwrap();
    assert!(text(&taken).ends_with("\ns-1,k-1,student,,,2026-09-01,,\ns-2,k-1,student,,,,,\n"));
    let (after, _kept) = taken.oneroster_base.unwrap();
    assert_eq!(
        (after.delta, &after.on, after.newest),
        (true, &base.sha256, NOW),
        "a clock that is wrong is not believed"
    );
    let problem = take(&students, None, true).unwrap_err().problem("night");
    assert_eq!((problem.code, problem.value.as_str()), (Code::BaseMissing, "night"));
    let error = take(&oneroster(&[("columns.user", "login")]), Some(&after), true).unwrap_err().to_string();
    assert!(error.contains("source night: \"login\"") && error.contains("users.username"), "{error}");
    assert_eq!(take(&oneroster(&[("target", "cohorts")]), Some(&base), true).unwrap().snapshot.rows, 2);
}

#[test]
fn bases_that_nobody_needs_or_makes_are_forgotten() {
    let place = Place::new();
    let begin = || BaseWriter::begin(place.0.path(), "night").unwrap();
    let held = begin().finish().unwrap();
    let path = OneRosterBase::path(place.0.path(), "night", &held.sha256);
    forget_bases(place.0.path(), "night", &[]).unwrap();
    assert!(path.exists(), "it is being made");
    let sha256 = held.sha256.clone();
    drop(held);
    forget_bases(place.0.path(), "night", std::slice::from_ref(&sha256)).unwrap();
    assert!(path.exists(), "it is needed");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    forget_bases(place.0.path(), "night", &[]).unwrap();
    assert_eq!(place.left(), 0);
}
