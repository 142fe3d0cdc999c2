//! When a set is complete, when it is not yet, and when it never will be.
//! It must not know what is done with the rows.

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::files::{Delimiter, Fallback};

const FIRST: &str = "user,cohort\nu1,k\n\n\"u\n2\",k\n";
const SECOND: &str = "user,cohort\nragged\nu4,k\n";

fn form() -> TableForm {
    TableForm {
        columns: ["user", "cohort"].map(TableColumn::required).to_vec(),
        exact: false,
        delimiters: &Delimiter::ALL,
        fallback: Some(Fallback::Windows1252),
        comments: &[],
    }
}

fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.write("a.csv", FIRST);
        place.write("b.csv", SECOND);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn by_manifest(&self, content: &str) -> Verdict {
        self.write("night.manifest.csv", content);
        let manifest = Sent::named(&self.path("night.manifest.csv")).unwrap();
        by_manifest(&manifest, &self.dir(), &form()).unwrap()
    }

    fn dir(&self) -> Dir {
        Dir::open(self.0.path()).unwrap()
    }

    /// The verdict on `b.csv` by its seal.
    fn by_seal(&self) -> Result<Verdict, String> {
        let announced = read_seal(&self.dir(), OsStr::new("b.csv.ok")).unwrap()?;
        Ok(check(&[self.part("a.csv"), Part { announced, ..self.part("b.csv") }], &form()).unwrap())
    }

    fn part(&self, name: &str) -> Part {
        Part::of(Sent::named(&self.path(name)).unwrap())
    }

    fn whole(&self) -> Verdict {
        let sealed = |name: &str, content| Sealed {
            name: name.to_owned(),
            file: Dir::open_named(&self.path(name)).unwrap(),
            rows: 2,
            sha256: sha256(content),
        };
        Verdict::Complete { files: vec![sealed("a.csv", FIRST), sealed("b.csv", SECOND)] }
    }
}

fn manifest() -> String {
    format!("file,rows,sha256\na.csv,2,{}\nb.csv,2,{}\n", sha256(FIRST), sha256(SECOND).to_uppercase())
}

fn lacks(verdict: Verdict) -> Vec<String> {
    match verdict {
        Verdict::Incomplete { missing } => missing.iter().map(Missing::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn broken(verdict: Verdict) -> (String, String) {
    match verdict {
        Verdict::Broken { file, why } => (file, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_manifest_whose_files_are_all_there_makes_a_set() {
    let place = Place::new();
    assert_eq!(place.by_manifest(&manifest()), place.whole());
    let french = manifest().replace(',', ";").replace("file", "\u{feff}FILE");
    assert_eq!(place.by_manifest(&french), place.whole());
}

#[test]
fn without_a_file_a_row_or_a_byte_the_set_is_not_complete() {
    let place = Place::new();
    assert_eq!(
        lacks(place.by_manifest(&manifest().replace("b.csv,2", "b.csv,3"))),
        ["b.csv has 2 rows, announced are 3"]
    );
    place.write("a.csv", "user,cohort\nu1,k\n");
    std::fs::remove_file(place.path("b.csv")).unwrap();
    let found = sha256("user,cohort\nu1,k\n");
    let expected = format!("a.csv has the sha256 {found}, announced is {}", sha256(FIRST));
    assert_eq!(lacks(place.by_manifest(&manifest())), [expected, "b.csv is not there".to_owned()]);
}

#[test]
fn a_manifest_that_makes_no_sense_is_broken() {
    let place = Place::new();
    let digest = sha256(FIRST);
    let table = [
        ("file,rows,sha256\n".to_owned(), "names no file"),
        (String::new(), "no data line"),
        ("file,rows\na.csv,2\n".to_owned(), "sha256"),
        (format!("file,rows,sha256\n../a.csv,2,{digest}\n"), "line 2: \"../a.csv\""),
        (format!("file,rows,sha256\n/etc/passwd,2,{digest}\n"), "no name of a file"),
        (format!("file,rows,sha256\na.csv/.,2,{digest}\n"), "no name of a file"),
        (format!("file,rows,sha256\n..,2,{digest}\n"), "no name of a file"),
        (format!("file,rows,sha256\nnight.manifest.csv,2,{digest}\n"), "no name of a file"),
        (format!("file,rows,sha256\n,2,{digest}\n"), "no name of a file"),
        (format!("file,rows,sha256\na.csv,2,{digest}\na.csv,2,{digest}\n"), "line 3: a.csv is named twice"),
        (format!("file,rows,sha256\na.csv,two,{digest}\n"), "line 2: its rows are no whole number"),
        (format!("file,rows,sha256\na.csv,2,{}\n", &digest[1..]), "line 2: its sha256 is not 64"),
        (format!("file,rows,sha256\na.csv,2,{digest},more\n"), "line 2"),
    ];
    for (content, expected) in table {
        let (file, why) = broken(place.by_manifest(&content));
        assert_eq!(file, "night.manifest.csv");
        assert!(why.contains(expected), "{content:?}: {why}");
    }
}

#[test]
fn a_file_that_is_whole_but_no_table_is_broken() {
    let place = Place::new();
    place.write("a.csv", "who,where\nu1,k\n");
    let (file, why) = broken(place.by_manifest(&manifest().replace(&sha256(FIRST), &sha256("who,where\nu1,k\n"))));
    assert_eq!(file, "a.csv");
    assert!(why.contains("user, cohort") && why.contains("(found: ?, ?)"), "{why}");
}

#[test]
fn each_file_may_have_its_seal() {
    let place = Place::new();
    assert!(read_seal(&place.dir(), OsStr::new("b.csv.ok")).is_err());
    let seals = [
        String::new(),
        "\u{feff} \r\n".to_owned(),
        "rows=2".to_owned(),
        format!("sha256={}\n", sha256(SECOND)),
        format!("rows=2 sha256={}\r\n", sha256(SECOND).to_uppercase()),
        format!("sha256={}\nrows=2", sha256(SECOND)),
        format!("{{\"rows\": 2, \"sha256\": \"{}\", \"by\": \"export\"}}", sha256(SECOND)),
        "{}".to_owned(),
    ];
    for seal in seals {
        place.write("b.csv.ok", &seal);
        assert_eq!(place.by_seal().unwrap(), place.whole(), "{seal:?}");
    }
    place.write("b.csv.ok", "rows=3");
    assert_eq!(lacks(place.by_seal().unwrap()), ["b.csv has 2 rows, announced are 3"]);
    place.write("b.csv.ok", &format!("sha256={}", sha256(FIRST)));
    assert_eq!(lacks(place.by_seal().unwrap()).len(), 1);
    for wrong in ["done", "rows=", "rows=-1", "sha256=12", "{\"rows\": \"2\"}", "{", "{\"sha256\": \"x\"}"] {
        place.write("b.csv.ok", wrong);
        assert!(place.by_seal().is_err(), "{wrong:?}");
    }
    // The file may be anything, so its content must not appear in a report.
    for foreign in ["S3CRET", "rows=S3CRET", "rows=1\nsha256=S3CRET", "{\"rows\": \"S3CRET\"}", "{\"S3CRET", "{S3CRET}"]
    {
        place.write("b.csv.ok", foreign);
        let why = place.by_seal().unwrap_err();
        assert!(!why.contains("S3CRET"), "{foreign:?}: {why}");
    }
}

#[test]
fn files_of_which_nothing_is_announced_are_as_they_are_wherever_they_lie() {
    let place = Place::new();
    let parts = ["a.csv", "b.csv"].map(|name| place.part(name));
    assert_eq!(check(&parts, &form()).unwrap(), place.whole());
    std::fs::rename(place.path("a.csv"), place.path("a.csv.work")).unwrap();
    let gone = Part { file: None, ..parts[0].clone() };
    assert_eq!(lacks(check(&[gone, parts[1].clone()], &form()).unwrap()), ["a.csv is not there"]);
    let at_work = Part { file: place.part("a.csv.work").file, ..parts[0].clone() };
    match check(&[at_work], &form()).unwrap() {
        Verdict::Complete { files } => assert_eq!((files[0].name.as_str(), files[0].rows), ("a.csv", 2)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_manifest_names_is_neither_followed_nor_waited_for() {
    let place = Place::new();
    let linked = manifest();
    std::fs::rename(place.path("a.csv"), place.path("elsewhere.csv")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere.csv"), place.path("a.csv")).unwrap();
    assert_eq!(broken(place.by_manifest(&linked)).0, "a.csv");
    std::fs::remove_file(place.path("a.csv")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.path("a.csv"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(broken(place.by_manifest(&linked)).0, "a.csv");
    std::fs::rename(place.path("a.csv"), place.path("b.csv.ok")).unwrap();
    assert!(place.by_seal().is_err());
}
