//! What full sets of CSV files become: by tables of files, and for any order of their lines.
//! It must not know how a file is found complete; here each file counts as complete.

use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::source::bundle::{Part, Sent, Verdict, check};
use crate::source::rows::Kept;

/// A source without column names of its own.
fn none() -> SetColumns {
    let none = String::new;
    SetColumns {
        user: none(),
        course: none(),
        role: none(),
        group: none(),
        other: none(),
        timestart: none(),
        timeend: none(),
        status: none(),
        cohort: none(),
        name: none(),
    }
}

fn form(target: Target) -> FilesForm {
    FilesForm { target, names: none(), role_required: true, fallback: Fallback::Windows1252 }
}

struct Set {
    directory: TempDir,
    files: Vec<PathBuf>,
}

fn set(contents: &[&[u8]]) -> Set {
    let directory = tempfile::tempdir().unwrap();
    let write = |(number, content): (usize, &&[u8])| {
        let path = directory.path().join(format!("part{}.csv", number + 1));
        std::fs::write(&path, content).unwrap();
        path
    };
    let files = contents.iter().enumerate().map(write).collect();
    Set { directory, files }
}

impl Set {
    fn check(&self, form: &FilesForm) -> Verdict {
        let parts: Vec<Part> = self.files.iter().map(|file| Part::of(Sent::named(file).unwrap())).collect();
        check(&parts, &form.table()).unwrap()
    }

    fn whole(&self, form: &FilesForm) -> Vec<Sealed> {
        match self.check(form) {
            Verdict::Complete { files } => files,
            other => panic!("{other:?}"),
        }
    }

    fn read(&self, form: &FilesForm) -> Result<(Kept, FilesRead), SetError> {
        let mut kept = Kept::default();
        let read = read_files(&self.whole(form), form, self.directory.path(), &mut kept)?;
        Ok((kept, read))
    }
}

fn read(content: impl AsRef<[u8]>, form: &FilesForm) -> Kept {
    set(&[content.as_ref()]).read(form).unwrap().0
}

fn refusal(content: &str, form: &FilesForm) -> String {
    match set(&[content.as_bytes()]).check(form) {
        Verdict::Broken { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn headers_delimiters_and_encodings_are_those_of_flat_files() {
    let form = form(Target::Enrolments);
    let expected = ["c1|é1|student|G é|2026-09-01|31/01/2027|1"];
    let french =
        "Identifiant;COURS;rôle;Groupe;Début;fin;statut\r\né1; c1 ;student;\"G é\";2026-09-01;31/01/2027;1\r\n";
    assert_eq!(read(french, &form).lines(), expected);
    let latin: Vec<u8> = french.chars().map(|c| u8::try_from(c as u32).unwrap()).collect();
    assert_eq!(read(latin, &form).lines(), expected);
    assert_eq!(read(utf16(french), &form).lines(), expected);
    assert_eq!(read(format!("\u{feff}{}", french.replace(';', "\t")), &form).lines(), expected);
    assert_eq!(read(french.replace(';', "\u{a0};"), &form).lines(), expected);
    assert_eq!(read(french.replace('ô', "o\u{302}"), &form).lines(), expected);
    let canonical = "user,course,role,group,timestart,timeend,status\né1,c1,student,G é,2026-09-01,31/01/2027,1";
    let kept = read(canonical, &form);
    assert_eq!(kept.lines(), expected);
    assert_eq!(kept.told(), [""; 0]);
}

#[test]
fn columns_that_are_not_used_may_differ_by_accents_only() {
    let kept = read("Utilisateur;COURS;Role;note;noté\nu1;c1;student;;\n", &form(Target::Enrolments));
    assert_eq!(kept.lines(), ["c1|u1|student"]);
    assert_eq!(kept.told(), ["part1.csv:1 column-ignored note +", "part1.csv:1 column-ignored noté +"]);
}

#[test]
fn a_source_may_name_its_columns() {
    let names = SetColumns { user: "COD_ETU".into(), course: "cod_elp".into(), ..none() };
    let form = FilesForm { names, role_required: false, ..form(Target::Enrolments) };
    let kept = read("cod_etu,user,COD_ELP,role\n7,other,c1,\n", &form);
    assert_eq!(kept.lines(), ["c1|7"]);
    assert_eq!(kept.told(), ["part1.csv:1 column-ignored user +"]);
    let why = refusal("user,course\nu,c\n", &form);
    assert!(why.contains("COD_ETU, cod_elp") && why.contains("(found: ?, ?)"), "{why}");
}

#[test]
fn a_header_that_does_not_do_is_refused_with_what_was_found() {
    let form = form(Target::Enrolments);
    let table = [
        ("user,course\nu,c\n", "column missing: role (found: user, course)"),
        ("user,course,role,login\n", "\"user\" and \"login\""),
        ("user,course,role,note,NOTE\n", "\"note\" and \"NOTE\""),
        ("user,S3CRET,s3cret\n", "\"#2\" and \"#3\""),
        ("S3CRET,User\n", "missing: course, role (found: ?, User)"),
        ("\"S3CRET,user\n", "quotes that do not pair in: …"),
        ("user|course|role\nu|c|r\n", "separated by \"|\""),
        ("\"user,course,role\nu,c,r\n", "line 1: quotes that do not pair"),
        (";;\nu,c,r\n", "line 2"),
        ("u,c,r\nuser,course,role\n", "line 2: file refused: a header stands here, but line 1"),
        ("sep=|\nuser|course|role\n", "line 1: file refused: the columns seem to be separated by \"|\""),
        ("sep=,\nuser;course;role\n", "line 2: file refused: the columns seem to be separated by \";\"; use ,,"),
        ("\n \n", "no data line"),
        ("", "no data line"),
        ("user,course,role\nu\0,c,r\n", "NUL byte on line 2"),
    ];
    for (content, expected) in table {
        let why = refusal(content, &form);
        assert!(why.contains(expected), "{content:?}: {why}");
        assert!(!why.to_lowercase().contains("s3cret"), "{why}");
    }
}

#[test]
fn bad_lines_are_told_and_the_others_stay() {
    let content = "user,course,role,group\n\nu1,c1,student,\nu2\nu3,,student\n,c1,student\nu4,c4,\n\"u5,c1,student\n\
        u6,c1,student,g,extra\nu7,c1,teacher\n";
    let (kept, read) = set(&[content.as_bytes()]).read(&form(Target::Enrolments)).unwrap();
    assert_eq!(kept.lines(), ["c1|u1|student", "c1|u7|teacher"]);
    assert_eq!(
        kept.told(),
        [
            "part1.csv:4 row-ragged 1 (u2, )",
            "part1.csv:5 empty-identifier course (u3, )",
            "part1.csv:6 empty-identifier user (, c1)",
            "part1.csv:7 empty-identifier role (u4, c4)",
            "part1.csv:8 row-ragged \"u5,c1,student (u5, c1)",
            "part1.csv:9 row-ragged 5 (u6, c1)",
        ]
    );
    assert_eq!((read.files[0].rows, read.files[0].bad, read.files[0].ragged), (8, 6, 3));
    assert_eq!(kept.rows[1].line, 10);
    let scraps: Vec<_> = kept.problems.iter().filter_map(|told| told.scraps.clone()).collect();
    let values: Vec<_> = scraps.iter().map(|scraps| scraps.values.join(" ")).collect();
    assert_eq!(values, ["u2", "u5 c1 student", "u6 c1 student g extra"]);
    assert_eq!(scraps.iter().map(|scraps| scraps.several).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(scraps[0].rest, Some(("u3".to_owned(), String::new())), "both may be one record");
}

/// The cells that can be read name the user, who then loses nothing.
#[test]
fn damaged_bytes_cost_their_row_only() {
    let content = [
        "user;course;role;group\né;c1;student;éé\n".as_bytes(),
        b"u2;c1;student;\xe9\nu\xe9;c1;student;\nu4;c1;student;\n",
    ]
    .concat();
    let (kept, read) = set(&[&content]).read(&form(Target::Enrolments)).unwrap();
    assert_eq!(kept.lines(), ["c1|u4|student", "c1|é|student|éé"]);
    let row = "u2;c1;student;\u{fffd}";
    assert_eq!(
        kept.told(),
        [
            format!("part1.csv:3 encoding-invalid {row} (u2, c1)"),
            "part1.csv:4 encoding-invalid u\u{fffd};c1;student; (u\u{fffd}, c1)".to_owned(),
        ]
    );
    assert_eq!((read.files[0].rows, read.files[0].bad, read.files[0].ragged), (4, 2, 0));
}

#[test]
fn lines_before_the_header_are_told() {
    let kept =
        read("Extraction du 28/11/2026\n;;;\nsep=;\nuser;course;role;\nu1;c1;student;\n", &form(Target::Enrolments));
    assert_eq!(kept.lines(), ["c1|u1|student"]);
    assert_eq!(kept.told(), ["part1.csv:1 line-skipped Extraction du 28/11/2026 +"]);
}

#[test]
fn rows_of_delimiters_only_are_blank_lines() {
    let content = ";;\nuser;course;role\nu1;c1;student\n;;\n \u{a0};;\n\"\";\"\";\"\"\nu2;c1;student\n;;;;;\n\u{1a}";
    let (kept, read) = set(&[content.as_bytes()]).read(&form(Target::Enrolments)).unwrap();
    assert_eq!((kept.lines(), kept.told()), (vec!["c1|u1|student".into(), "c1|u2|student".into()], Vec::new()));
    assert_eq!((read.files[0].rows, read.files[0].bad, kept.rows[1].line), (2, 0, 7));
}

#[test]
fn files_of_a_set_are_one_set_and_a_row_is_there_once() {
    let set = set(&[
        b"user,course,role\nu1,c1,student\nu2,c1,student\nu1,c1,student\n",
        b"role;course;user\nstudent;c1;u1\nteacher;c1;u1\n",
    ]);
    let (kept, read) = set.read(&form(Target::Enrolments)).unwrap();
    assert_eq!(kept.lines(), ["c1|u1|student", "c1|u1|teacher", "c1|u2|student"]);
    assert_eq!(read.sorted, Sorted { rows: 3, doubles: 2 });
    assert_eq!(read.files.iter().map(|file| file.rows).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn a_set_of_cohorts_has_its_own_columns() {
    let kept = read("identifiant;cohorte;nom;cours\nu1;L1;Licence 1;x\nu2;;;\n", &form(Target::Cohorts));
    assert_eq!(kept.lines(), ["L1|u1|Licence 1"]);
    assert_eq!(kept.told(), ["part1.csv:1 column-ignored cours +", "part1.csv:3 empty-identifier cohort (u2, )"]);
}

#[test]
fn what_changes_after_it_was_found_whole_is_refused() {
    let form = form(Target::Enrolments);
    let set = set(&[b"user,course,role\nu1,c1,student\n"]);
    let whole = set.whole(&form);
    std::fs::write(&set.files[0], "user,course,role\nu1,c1,teacher\n").unwrap();
    let changed = read_files(&whole, &form, set.directory.path(), &mut Kept::default());
    assert!(matches!(changed, Err(SetError::Changed { file }) if file == "part1.csv"));
    std::fs::write(&set.files[0], "user,course,role\nu1,c1,student\n").unwrap();
    std::fs::remove_file(&set.files[0]).unwrap();
    assert!(read_files(&whole, &form, set.directory.path(), &mut Kept::default()).is_ok(), "it was opened before");
}

/// The bytes of a snapshot of these files: the canonical columns, in canonical order.
fn snapshot(contents: &[String]) -> Vec<u8> {
    let contents: Vec<&[u8]> = contents.iter().map(String::as_bytes).collect();
    let (kept, _) = set(&contents).read(&form(Target::Enrolments)).unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in &kept.rows {
        writer.write_record(row.values()).unwrap();
    }
    writer.into_inner().unwrap()
}

fn line() -> impl Strategy<Value = String> {
    let value = || prop::sample::select(vec!["a", "b", "É", "\"x,\"\"y\"", "\" z \"", "\"two\nlines\""]);
    (value(), value(), value(), prop::sample::select(vec!["", "g"]))
        .prop_map(|(user, course, role, group)| format!("{user},{course},{role},{group}\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_lines_and_any_cut_into_files_gives_the_same_bytes(
        (lines, shuffled) in prop::collection::vec(line(), 0..30)
            .prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        cut in 0usize..30,
    ) {
        const HEADER: &str = "user,course,role,group\n";
        let whole = snapshot(&[HEADER.to_owned() + &lines.concat()]);
        let (first, second) = shuffled.split_at(cut.min(shuffled.len()));
        let parts = [first, second].map(|part| HEADER.to_owned() + &part.concat());
        prop_assert_eq!(whole, snapshot(&parts));
    }
}
