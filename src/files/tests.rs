//! What the file reader does with whole files, by tables; `properties` says what holds for any file.
//! Expectations are spelt out in the tests: nothing here repeats the reader's own rules.

use std::io::{Cursor, Read, Result as IoResult, Seek, SeekFrom};

use super::*;
use crate::report::codes::{Code, hint};

mod properties;

fn reading() -> Reading {
    Reading {
        kind: None,
        fallback: Fallback::Windows1252,
        zone: chrono_tz::Europe::Paris,
    }
}

/// A file that gives at most `step` bytes at a time.
struct Dribble {
    file: Cursor<Vec<u8>>,
    step: usize,
}

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let most = buffer.len().min(self.step);
        self.file.read(&mut buffer[..most])
    }
}

impl Seek for Dribble {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        self.file.seek(to)
    }
}

type Outcome = (Scan, Vec<Entry>, Tally);

fn read_all(mut file: impl Read + Seek, reading: &Reading) -> Result<Outcome, FileProblem> {
    let scan = scan(&mut file, reading)?;
    let mut reader = read(file, &scan, reading)?;
    let entries = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    let tally = reader.tally();
    Ok((scan, entries, tally))
}

fn outcome(bytes: impl AsRef<[u8]>) -> Outcome {
    match read_all(Cursor::new(bytes.as_ref().to_vec()), &reading()) {
        Ok(outcome) => outcome,
        Err(error) => panic!("refused: {error}"),
    }
}

fn refusal(bytes: impl AsRef<[u8]>) -> Problem {
    match read_all(Cursor::new(bytes.as_ref().to_vec()), &reading()) {
        Err(FileProblem::Rejected(problem)) => problem,
        Err(FileProblem::Io(error)) => panic!("{error}"),
        Ok((scan, ..)) => panic!("accepted: {scan:?}"),
    }
}

/// Entries in short: `1+student/u1/c1/0/0` or `2!bad-verb(mod)`.
fn short(entries: &[Entry]) -> Vec<String> {
    let one = |entry: &Entry| match entry {
        Entry::Line(FlatLine {
            line,
            operation,
            role,
            user,
            course,
            timestart,
            timeend,
        }) => {
            let sign = if *operation == Operation::Add {
                '+'
            } else {
                '-'
            };
            format!("{line}{sign}{role}/{user}/{course}/{timestart}/{timeend}")
        }
        Entry::Bad(Problem {
            line, code, value, ..
        }) => format!("{line}!{code}({value})"),
    };
    entries.iter().map(one).collect()
}

#[track_caller]
fn gives(bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let (_, entries, _) = outcome(bytes);
    assert_eq!(short(&entries), expected);
}

const HEADER: &str = "operation,username,course,role,timestart,timeend\n";

#[test]
fn native_lines_as_moodle_reads_them_and_safer() {
    let file = "add,student,u1,c1\n  ADD , Student , u2 , c2\r\nadd;teacher;u3;c1\n'add','student','u4','c1'\n\
        \"add\" , \"ucitel\", u2 , c2\n\"add\",\"student\",\" u5 \",\"c1\",\"20\",'30'\nadd,student,u6\nadd,student,u6,c1,1,2,3\n\n   \n\
        # comment,student,u6,c1\nmod,student,u6,c1\nadd,,u6,c1\nadd,student,,c1\nadd,student,u6, \nadd,student,u10,c1,20,10\n\
        add,student,u11,c1,20,0\nadd,student,u14,c1,abc,\nadd\tstudent\tO'Brien\tc 1\nadd;student;\"u,7\";c1\nadd;student;u,8;c1\nnothing";
    let (scan, entries, tally) = outcome(file);
    assert_eq!(
        (scan.kind, scan.delimiter, scan.header_line, scan.lines),
        (Kind::Native, None, 0, 22)
    );
    assert_eq!(
        short(&entries),
        [
            "1+student/u1/c1/0/0",
            "2+student/u2/c2/0/0",
            "3+teacher/u3/c1/0/0",
            "4+student/u4/c1/0/0",
            "5+ucitel/u2/c2/0/0",
            "6+student/u5/c1/20/30",
            "7!row-ragged(3)",
            "8!row-ragged(7)",
            "11!bad-verb(# comment)",
            "12!bad-verb(mod)",
            "13!empty-identifier(role)",
            "14!empty-identifier(user)",
            "15!empty-identifier(course)",
            "16!end-before-start(10)",
            "17+student/u11/c1/20/0",
            "18!bad-time(abc)",
            "19+student/O'Brien/c 1/0/0",
            "20+student/u,7/c1/0/0",
            "21!row-ragged(2)",
            "22!row-ragged(1)",
        ]
    );
    let expected = Tally {
        physical: 22,
        blank: 2,
        header: 0,
        read: 9,
        bad: 11,
        continued: 0,
        ragged: 4,
    };
    assert_eq!(tally, expected);
}

#[test]
fn native_quotes_that_do_not_pair_cost_their_line_only() {
    let file = "add,student,\"u1,c1\nadd,student,\"u2\"x,c1\nadd,student,'t Hooft,c1\nadd,student,\"a\"\"b\",c1\n";
    gives(
        file,
        &[
            "1!row-ragged(add,student,\"u1,c1)",
            "2!row-ragged(add,student,\"u2\"x,c1)",
            "3+student/'t Hooft/c1/0/0",
            "4+student/a\"b/c1/0/0",
        ],
    );
}

#[test]
fn a_header_in_any_order_with_aliases_and_each_delimiter() {
    for (delimiter, expected) in [
        (',', Delimiter::Comma),
        (';', Delimiter::Semicolon),
        ('\t', Delimiter::Tab),
    ] {
        let file = "Cours, ROLENAME ,\u{a0}identifiant,\"cmd\",enrolend,,\nMATH 1,Student,u1,Add,2026-01-31,\nMATH 1,student,u2,del\n"
            .replace(',', &delimiter.to_string());
        let (scan, entries, _) = outcome(&file);
        assert_eq!(
            (scan.kind, scan.delimiter, scan.header_line),
            (Kind::Header, Some(expected), 1)
        );
        assert_eq!(
            scan.header,
            ["Cours", "ROLENAME", "identifiant", "cmd", "enrolend"]
        );
        assert_eq!(
            short(&entries),
            [
                "2+student/u1/MATH 1/0/1769900399",
                "3-student/u2/MATH 1/0/0"
            ]
        );
    }
}

#[test]
fn every_alias_is_a_column() {
    use super::columns::Column;
    for column in Column::ALL {
        for name in column.names() {
            assert_eq!(
                Column::named(&format!("\u{feff} {} ", name.to_uppercase())),
                Some(column)
            );
        }
    }
    assert_eq!(Column::named("email"), None);
}

#[test]
fn headers_that_are_refused() {
    let table = [
        (
            "operation,usernam,course,role",
            Code::ColumnUnknown,
            "usernam",
            "username",
        ),
        (
            "operation,username,course,role,gender",
            Code::ColumnUnknown,
            "gender",
            "",
        ),
        (
            "operation,username,course,role,,timeend",
            Code::ColumnUnknown,
            "",
            "",
        ),
        (
            "operation,username,course,role,group",
            Code::ColumnUnknown,
            "group",
            hint::NOT_APPLIED,
        ),
        (
            "operation,username,course,role,G3",
            Code::ColumnUnknown,
            "G3",
            hint::NOT_APPLIED,
        ),
        (
            "operation,username,course,role,gcmd",
            Code::ColumnUnknown,
            "gcmd",
            hint::NOT_APPLIED,
        ),
        (
            "operation,username,course,role,enrol",
            Code::ColumnUnknown,
            "enrol",
            hint::NOT_APPLIED,
        ),
        (
            "operation,username,course,role,timestart,timeend add,e1,M,student,1,2",
            Code::ColumnUnknown,
            "timeend add",
            hint::SEVERAL_RECORDS,
        ),
        (
            "operation,username,course,role,uid",
            Code::ColumnTwice,
            "uid",
            "username",
        ),
        (
            "operation,course,timestart",
            Code::ColumnMissing,
            "username, role",
            "operation, course, timestart",
        ),
        (
            "operation|username|course|role",
            Code::DelimiterSuspect,
            "\"|\"",
            ", ; tab",
        ),
        (
            "operation:username:course:role",
            Code::DelimiterSuspect,
            "\":\"",
            ", ; tab",
        ),
        (
            "operation username course role",
            Code::DelimiterSuspect,
            "\" \"",
            ", ; tab",
        ),
        (
            "operation,username;course;role",
            Code::DelimiterSuspect,
            "\",\"",
            ", ; tab",
        ),
    ];
    for (header, code, value, hint) in table {
        let expected = Problem::new(2, code, value, hint);
        assert_eq!(
            refusal(format!("\n{header}\nadd,u,c,student\n")),
            expected,
            "{header}"
        );
    }
    let wrong = refusal("operation,username,course,role\nadd;u1;c1;student\n");
    assert_eq!(
        wrong,
        Problem::new(2, Code::DelimiterSuspect, "\";\"", ", ; tab")
    );
}

#[test]
fn rows_of_another_width() {
    let file = format!(
        "{HEADER}add,u1,c1,student\nadd,u2,c1,student,,\ndel,u3,c1,student,,,, ,\nadd,u4,c1\nadd,u5,c1,student,1,2,3\nadd,u6,c1,student,, del,u7,c1,student,,\n"
    );
    let (_, entries, tally) = outcome(&file);
    assert_eq!(
        short(&entries),
        [
            "2+student/u1/c1/0/0",
            "3+student/u2/c1/0/0",
            "4-student/u3/c1/0/0",
            "5!row-ragged(3)",
            "6!row-ragged(7)",
            "7!row-ragged(11)",
        ]
    );
    assert_eq!((tally.ragged, tally.bad), (3, 3));
    let hints: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            if let Entry::Bad(problem) = entry {
                Some(problem.hint.as_str())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(hints, ["4-6", "4-6", hint::SEVERAL_RECORDS]);
    let three = format!("{HEADER}add,e1,M,student,1,2 add,e2,M,student,1,2 del,e3,M,student,,\n");
    assert!(
        matches!(&outcome(three).1[..], [Entry::Bad(problem)] if problem.hint == hint::SEVERAL_RECORDS)
    );
}

#[test]
fn quoted_cells_may_span_lines_and_numbers_stay_physical() {
    for end in ["\n", "\r\n", "\r"] {
        let file = format!(
            "{HEADER}\nadd,\"u\n\n1\",c1,student\nadd,\"u \"\"2\"\"\",\"c,1\",student\n\nadd,u3,c1,student\n"
        );
        let (scan, entries, tally) = outcome(file.replace('\n', end));
        assert_eq!(
            short(&entries),
            [
                "3+student/u\n\n1/c1/0/0",
                "6+student/u \"2\"/c,1/0/0",
                "8+student/u3/c1/0/0"
            ]
        );
        let expected = Tally {
            physical: 8,
            blank: 2,
            header: 1,
            read: 3,
            bad: 0,
            continued: 2,
            ragged: 0,
        };
        assert_eq!((tally, scan.lines), (expected, 8));
    }
}

#[test]
fn a_quote_that_is_never_closed_swallows_no_line() {
    let file = format!(
        "{HEADER}add,\"u1,c1,student\nadd,u2,c1,student\nadd,\"u3,c1,student\nadd,u4,c1,student\n"
    );
    gives(
        &file,
        &[
            "2!row-ragged(add,\"u1,c1,student)",
            "3+student/u2/c1/0/0",
            "4!row-ragged(add,\"u3,c1,student)",
            "5+student/u4/c1/0/0",
        ],
    );
    // Closed, but only beyond the limit of a record.
    let mut long = format!("{HEADER}add,\"u1,c1,student\n");
    for _ in 0..LINE_LIMIT / 20 + 10 {
        long.push_str("add,u2,c1,student,,\n");
    }
    long.push_str("add,u3\",c1,student\n");
    let (scan, _, tally) = outcome(&long);
    assert_eq!(
        (tally.bad, tally.read, tally.continued),
        (1, scan.lines - 2, 0)
    );
}

#[test]
fn lines_up_to_the_limit_are_read_and_longer_ones_are_one_problem() {
    let start = "add,student,";
    for end in ["\n", "\r\n", "\r"] {
        for (extra, fits) in [(0, true), (1, false), (3 * LINE_LIMIT, false)] {
            let user = "u".repeat(LINE_LIMIT - start.len() - ",c1".len() + extra);
            let file = format!("del,student,u0,c0{end}{start}{user},c1{end}del,student,u2,c2{end}");
            let (scan, entries, tally) = outcome(&file);
            assert_eq!((scan.lines, tally.physical, entries.len()), (3, 3, 3));
            match &entries[1] {
                Entry::Line(line) => assert!(fits && line.user == user && line.course == "c1"),
                Entry::Bad(problem) => {
                    assert!(!fits && problem.code == Code::RowTooLong && problem.line == 2)
                }
            }
            assert_eq!(short(&entries[2..]), ["3-student/u2/c2/0/0"]);
        }
    }
}

#[test]
fn encodings_are_told_apart_file_by_file() {
    let text = "add,étudiant,œuf,Équipe €\r\n";
    let utf16 = |big: bool| -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked
            .encode_utf16()
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    let (windows, ..) = encoding_rs::WINDOWS_1252.encode(text);
    let (latin9, ..) = encoding_rs::ISO_8859_15.encode(text);
    let table: [(Vec<u8>, Fallback, Encoding, bool); 6] = [
        (text.into(), Fallback::Iso885915, Encoding::Utf8, false),
        (
            format!("\u{feff}{text}").into(),
            Fallback::Iso885915,
            Encoding::Utf8,
            true,
        ),
        (utf16(false), Fallback::Iso885915, Encoding::Utf16Le, true),
        (utf16(true), Fallback::Iso885915, Encoding::Utf16Be, true),
        (
            windows.into_owned(),
            Fallback::Windows1252,
            Encoding::Windows1252,
            false,
        ),
        (
            latin9.into_owned(),
            Fallback::Iso885915,
            Encoding::Iso885915,
            false,
        ),
    ];
    for (bytes, fallback, encoding, bom) in table {
        let length = bytes.len() as u64;
        let reading = Reading {
            fallback,
            ..reading()
        };
        let Ok((scan, entries, _)) = read_all(Cursor::new(bytes), &reading) else {
            panic!("{encoding} refused");
        };
        assert_eq!(
            (scan.encoding, scan.bom, scan.bytes, scan.lines),
            (encoding, bom, length, 1)
        );
        assert_eq!(
            short(&entries),
            ["1+étudiant/œuf/Équipe €/0/0"],
            "{encoding}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_refuse_the_file() {
    let utf16 =
        |units: &[u16]| -> Vec<u8> { units.iter().flat_map(|unit| unit.to_le_bytes()).collect() };
    let table: [(Vec<u8>, &str, &str); 6] = [
        (
            b"add,student,u1,c1\r\nadd,stu\0dent,u,c".to_vec(),
            "NUL",
            "2",
        ),
        (b"a\0d\0d\0".to_vec(), "NUL", "1"),
        (
            b"\xef\xbb\xbfadd,student,u1,c1\n\nadd,\xe9\n".to_vec(),
            "UTF-8",
            "3",
        ),
        (
            b"\xef\xbb\xbfadd,student,u1,c1\nadd,\xc3".to_vec(),
            "UTF-8",
            "2",
        ),
        (utf16(&[0xfeff, 0x61, 0x0a, 0xd800, 0x61]), "UTF-16LE", "2"),
        (utf16(&[0xfeff, 0x61, 0x0a, 0x00, 0x61]), "NUL", "2"),
    ];
    for (bytes, value, line) in table {
        assert_eq!(
            refusal(&bytes),
            Problem::new(0, Code::EncodingInvalid, value, line),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_late_foreign_byte_decides_for_the_whole_file() {
    let mut file = "add,student,é,c1\n".repeat(20_000).into_bytes();
    file.extend(b"add,student,\xe9,c1\n");
    let (scan, entries, _) = outcome(&file);
    assert_eq!(scan.encoding, Encoding::Windows1252);
    assert_eq!(short(&entries[..1]), ["1+student/Ã©/c1/0/0"]);
    assert_eq!(short(&entries[20_000..]), ["20001+student/é/c1/0/0"]);
}

#[test]
fn files_without_data_are_told() {
    let table = [
        ("", 0, 0),
        ("\u{feff}", 0, 0),
        ("\n", 1, 0),
        (" \t\r\n\r\n ", 3, 0),
        (HEADER, 1, 1),
        ("\n\noperation;uid;cid;role\n \n", 4, 3),
    ];
    for (text, lines, header_line) in table {
        let (scan, entries, tally) = outcome(text);
        assert!(!scan.has_data && entries.is_empty(), "{text:?}");
        assert_eq!(
            (scan.lines, scan.header_line, tally.physical),
            (lines, header_line, lines),
            "{text:?}"
        );
    }
    assert!(outcome("\n\nadd,student,u,c").0.has_data);
    assert!(outcome(format!("{HEADER}\n\nadd,u,c,student")).0.has_data);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(outcome("").0.sha256, empty);
}

#[test]
fn the_kind_can_be_forced() {
    let forced = |kind, text: &str| {
        let reading = Reading {
            kind: Some(kind),
            ..reading()
        };
        read_all(Cursor::new(text.as_bytes().to_vec()), &reading)
    };
    let Ok((scan, entries, _)) = forced(Kind::Native, HEADER) else {
        panic!("refused")
    };
    assert_eq!((scan.kind, scan.header_line), (Kind::Native, 0));
    assert_eq!(short(&entries), ["1!bad-verb(operation)"]);
    assert!(
        matches!(forced(Kind::Header, "add,student,u,c\n"), Err(FileProblem::Rejected(problem)) if problem.code == Code::ColumnUnknown)
    );
    let long = "x".repeat(LINE_LIMIT + 1);
    assert!(
        matches!(forced(Kind::Header, &long), Err(FileProblem::Rejected(problem)) if problem.code == Code::RowTooLong)
    );
    assert_eq!("native".parse::<Kind>(), Ok(Kind::Native));
    assert!("csv".parse::<Kind>().is_err());
}

#[test]
fn a_record_named_like_columns_is_no_header() {
    // Two column names as values, but the line begins with an operation.
    gives(
        "add,role,course,username\n",
        &["1+role/course/username/0/0"],
    );
    gives("foo,bar,course,baz\n", &["1!bad-verb(foo)"]);
}

#[test]
fn messages_are_short_and_hold_no_control_characters() {
    let (_, entries, _) = outcome(format!("\u{1b}[31m{},student,u,c", "x".repeat(500)));
    let [Entry::Bad(problem)] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!(problem.value.chars().count(), 101);
    assert!(!problem.value.contains(char::is_control));
}

#[test]
fn raw_lines_give_back_what_is_written() {
    let file = format!(
        "\u{feff}{HEADER}add,\"u\r\n1\",c1,student\rmod, é ,c1,student\n\n{}\nadd,u,c,student",
        "x".repeat(LINE_LIMIT + 1)
    );
    let bytes = file.into_bytes();
    let (scan, _, _) = outcome(&bytes);
    let given: Vec<RawLine> = raw_lines(Cursor::new(&bytes), &scan, [1, 2, 2, 3, 4, 6, 7, 99])
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let raw = |line, text: &str, cut| RawLine {
        line,
        text: text.to_owned(),
        cut,
    };
    let expected = [
        raw(1, HEADER.trim_end(), false),
        raw(2, "add,\"u\r\n1\",c1,student", false),
        raw(4, "mod, é ,c1,student", false),
        raw(6, &"x".repeat(200), true),
        raw(7, "add,u,c,student", false),
    ];
    assert_eq!(given, expected);
}

#[test]
fn a_file_that_changes_after_the_scan_is_refused() {
    let mut file = Cursor::new("add,student,é,c1\n".as_bytes().to_vec());
    let Ok(scan) = scan(&mut file, &reading()) else {
        panic!("refused")
    };
    let Ok(mut reader) = read(Cursor::new(b"add,student,\xe9,c1\n"), &scan, &reading()) else {
        panic!("refused")
    };
    assert!(
        matches!(reader.next(), Some(Err(FileProblem::Rejected(problem))) if problem.code == Code::EncodingInvalid)
    );
    assert!(reader.next().is_none());
}
