//! What the file reader does with whole files, by tables; `properties` says what holds for any file.
//! Expectations are spelt out in the tests: nothing here repeats the reader's own rules.

use std::io::{Cursor, Read, Result as IoResult, Seek, SeekFrom};

use super::*;
use crate::problem::{Code, hint};

mod bytes;
mod headers;
mod properties;

fn reading() -> Reading {
    Reading {
        kind: None,
        fallback: Fallback::Windows1252,
        zone: chrono_tz::Europe::Paris,
        small_times: SmallTimes::Refuse,
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
        Entry::Line(FlatLine { line, operation, role, user, course, timestart, timeend }) => {
            let sign = if *operation == Operation::Add { '+' } else { '-' };
            format!("{line}{sign}{role}/{user}/{course}/{timestart}/{timeend}")
        }
        Entry::Bad(Problem { line, code, value, .. }) => format!("{line}!{code}({value})"),
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
        \"add\" , \"ucitel\", u2 , c2\n\"add\",\"student\",\" u5 \",\"c1\",\"1800000020\",'1800000030'\n\
        add,student,u6\nadd,student,u6,c1,1,2,3\n\n   \n\
        # comment,student,u6,c1\nmod,student,u6,c1\nadd,,u6,c1\nadd,student,,c1\nadd,student,u6, \n\
        add,student,u10,c1,1800000020,1800000010\n\
        add,student,u11,c1,1800000020,0\nadd,student,u14,c1,abc,\nadd\tstudent\tO'Brien\tc 1\nadd;student;\"u,7\";c1\n\
        add;student;u,8;c1\nnothing";
    let (scan, entries, tally) = outcome(file);
    assert_eq!((scan.kind, scan.delimiter, scan.header_line, scan.lines), (Kind::Native, None, 0, 22));
    assert_eq!(
        short(&entries),
        [
            "1+student/u1/c1/0/0",
            "2+student/u2/c2/0/0",
            "3+teacher/u3/c1/0/0",
            "4+student/u4/c1/0/0",
            "5+ucitel/u2/c2/0/0",
            "6+student/u5/c1/1800000020/1800000030",
            "7!row-ragged(3)",
            "8!row-ragged(7)",
            "11!bad-verb(# comment)",
            "12!bad-verb(mod)",
            "13!empty-identifier(role)",
            "14!empty-identifier(user)",
            "15!empty-identifier(course)",
            "16!end-before-start(1800000010)",
            "17+student/u11/c1/1800000020/0",
            "18!bad-time(abc)",
            "19+student/O'Brien/c 1/0/0",
            "20+student/u,7/c1/0/0",
            "21!row-ragged(2)",
            "22!row-ragged(1)",
        ]
    );
    let expected = Tally { physical: 22, blank: 2, header: 0, read: 9, bad: 11, continued: 0, ragged: 4 };
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
fn quoted_cells_may_span_lines_and_numbers_stay_physical() {
    for end in ["\n", "\r\n", "\r"] {
        let file =
            format!("{HEADER}\nadd,\"u\n\n1\",c1,student\nadd,\"u \"\"2\"\"\",\"c,1\",student\n\nadd,u3,c1,student\n");
        let (scan, entries, tally) = outcome(file.replace('\n', end));
        assert_eq!(short(&entries), ["3+student/u\n\n1/c1/0/0", "6+student/u \"2\"/c,1/0/0", "8+student/u3/c1/0/0"]);
        let expected = Tally { physical: 8, blank: 2, header: 1, read: 3, bad: 0, continued: 2, ragged: 0 };
        assert_eq!((tally, scan.lines), (expected, 8));
    }
}

#[test]
fn a_quote_that_is_never_closed_swallows_no_line() {
    let file = format!("{HEADER}add,\"u1,c1,student\nadd,u2,c1,student\nadd,\"u3,c1,student\nadd,u4,c1,student\n");
    gives(
        &file,
        &[
            "2!row-ragged(add,\"u1,c1,student)",
            "3+student/u2/c1/0/0",
            "4!row-ragged(add,\"u3,c1,student)",
            "5+student/u4/c1/0/0",
        ],
    );
    // Closed, but only by a later line.
    let file = format!("{HEADER}add,\"u1,c1,student\nadd,u2,c1,student\nadd,u3\",c1,student\nadd,u4,c1,student\n");
    gives(
        &file,
        &["2!row-ragged(add,\"u1,c1,student)", "3+student/u2/c1/0/0", "4+student/u3\"/c1/0/0", "5+student/u4/c1/0/0"],
    );
    // Closed, but only beyond the limit of a record.
    let mut long = format!("{HEADER}add,\"u1,c1,student\n");
    for _ in 0..LINE_LIMIT / 20 + 10 {
        long.push_str("add,u2,c1,student,,\n");
    }
    long.push_str("add,u3\",c1,student\n");
    let (scan, _, tally) = outcome(&long);
    assert_eq!((tally.bad, tally.read, tally.continued), (1, scan.lines - 2, 0));
}

#[test]
fn an_open_quote_beyond_the_last_column_is_not_followed() {
    let file = format!("{HEADER}add,u1,c1,student,,,\"\n{}", "\",,\"\n".repeat(50_000));
    let (_, entries, tally) = outcome(&file);
    assert_eq!((tally.bad, tally.continued), (50_001, 0));
    assert_eq!(short(&entries[..1]), ["2!row-ragged(add,u1,c1,student,,,\")"]);
}
