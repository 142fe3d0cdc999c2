//! Headers: which lines are headers, which are refused, and rows that do not have their width.
//! It must not know encodings.

use std::io::Cursor;

use super::*;

#[test]
fn a_header_in_any_order_with_aliases_and_each_delimiter() {
    for (delimiter, expected) in [(',', Delimiter::Comma), (';', Delimiter::Semicolon), ('\t', Delimiter::Tab)] {
        let file = "Cours, ROLENAME ,\u{a0}identifiant,\"cmd\",enrolend,,\nMATH 1,Student,u1,Add,2026-01-31,\n\
            MATH 1,student,u2,del\n"
            .replace(',', &delimiter.to_string());
        let (scan, entries, _) = outcome(&file);
        assert_eq!((scan.kind, scan.delimiter, scan.header_line), (Kind::Header, Some(expected), 1));
        assert_eq!(scan.header, ["Cours", "ROLENAME", "identifiant", "cmd", "enrolend"]);
        assert_eq!(short(&entries), ["2+student/u1/MATH 1/0/1769900399", "3-student/u2/MATH 1/0/0"]);
    }
}

#[test]
fn every_alias_is_a_column() {
    use super::columns::Column;
    for column in Column::ALL {
        for name in column.names() {
            assert_eq!(Column::named(&format!("\u{feff} {} ", name.to_uppercase())), Some(column));
        }
    }
    assert_eq!(Column::named("email"), None);
}

#[test]
fn headers_that_are_refused() {
    let table = [
        ("operation,usernam,course,role", Code::ColumnUnknown, "usernam", "username"),
        ("operation,username,course,role,gender", Code::ColumnUnknown, "gender", ""),
        ("operation,username,course,role,,timeend", Code::ColumnUnknown, "", ""),
        ("operation,username,course,role,group", Code::ColumnUnknown, "group", hint::NOT_APPLIED),
        ("operation,username,course,role,G3", Code::ColumnUnknown, "G3", hint::NOT_APPLIED),
        ("operation,username,course,role,gcmd", Code::ColumnUnknown, "gcmd", hint::NOT_APPLIED),
        ("operation,username,course,role,enrol", Code::ColumnUnknown, "enrol", hint::NOT_APPLIED),
        (
            "operation,username,course,role,timestart,timeend add,e1,M,student,1,2",
            Code::ColumnUnknown,
            "timeend add",
            hint::SEVERAL_RECORDS,
        ),
        // Unknown text is not shown: the file may not be meant for enrold.
        ("username,course,S3CRET", Code::ColumnUnknown, "#3", ""),
        ("username,course,S3CRET add,u,c,student", Code::ColumnUnknown, "#3", hint::SEVERAL_RECORDS),
        ("login,cours,rolle,S3CRET", Code::ColumnUnknown, "rolle", "role"),
        ("operation,username,course,role,uid", Code::ColumnTwice, "uid", "username"),
        ("operation,course,timestart", Code::ColumnMissing, "username, role", "operation, course, timestart"),
        ("operation|username|course|role", Code::DelimiterSuspect, "\"|\"", ", ; tab"),
        ("operation:username:course:role", Code::DelimiterSuspect, "\":\"", ", ; tab"),
        ("operation username course role", Code::DelimiterSuspect, "\" \"", ", ; tab"),
        ("operation,username;course;role", Code::DelimiterSuspect, "\",\"", ", ; tab"),
    ];
    for (header, code, value, hint) in table {
        let expected = Problem::new(2, code, value, hint);
        assert_eq!(refusal(format!("\n{header}\nadd,u,c,student\n")), expected, "{header}");
    }
    let wrong = refusal("operation,username,course,role\nadd;u1;c1;student\n");
    assert_eq!(wrong, Problem::new(2, Code::DelimiterSuspect, "\";\"", ", ; tab"));
}

#[test]
fn rows_of_another_width() {
    let file = format!(
        "{HEADER}add,u1,c1,student\nadd,u2,c1,student,,\ndel,u3,c1,student,,,, ,\nadd,u4,c1\nadd,u5,c1,student,1,2,3\n\
         add,u6,c1,student,, del,u7,c1,student,,\n"
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
        .filter_map(|entry| if let Entry::Bad(problem) = entry { Some(problem.hint.as_str()) } else { None })
        .collect();
    assert_eq!(hints, ["4-6", "4-6", hint::SEVERAL_RECORDS]);
    let three = format!("{HEADER}add,e1,M,student,1,2 add,e2,M,student,1,2 del,e3,M,student,,\n");
    assert!(matches!(&outcome(three).1[..], [Entry::Bad(problem)] if problem.hint == hint::SEVERAL_RECORDS));
}

#[test]
fn the_kind_can_be_forced() {
    let forced = |kind, text: &str| {
        let reading = Reading { kind: Some(kind), ..reading() };
        read_all(Cursor::new(text.as_bytes().to_vec()), &reading)
    };
    let Ok((scan, entries, _)) = forced(Kind::Native, HEADER) else { panic!("refused") };
    assert_eq!((scan.kind, scan.header_line), (Kind::Native, 0));
    assert_eq!(short(&entries), ["1!bad-verb(operation)"]);
    let refused = forced(Kind::Header, "add,student,u,c\n");
    assert!(matches!(refused, Err(FileProblem::Rejected(problem)) if problem.code == Code::ColumnUnknown));
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
    gives("add,role,course,username\n", &["1+role/course/username/0/0"]);
    gives("foo,bar,course,baz\n", &["1!bad-verb(foo)"]);
}
