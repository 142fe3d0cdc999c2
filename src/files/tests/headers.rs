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
fn french_headers_are_read_with_or_without_accents() {
    for header in [
        "Opération;Utilisateur;Cours;Rôle;Début;Fin",
        "OPERATION;UTILISATEUR;COURS;ROLE;DEBUT;FIN",
        "ope\u{301}ration ;\u{a0}identifiant;cours;ro\u{302}le;début;fin",
    ] {
        let (scan, entries, _) = outcome(format!("{header}\nadd;u1;c1;student;;2026-01-31\n"));
        assert_eq!((scan.kind, scan.header.len()), (Kind::Header, 6), "{header}");
        assert_eq!(short(&entries), ["2+student/u1/c1/0/1769900399"], "{header}");
    }
    let latin: Vec<u8> = "Opération;Utilisateur;Cours;Rôle\n".chars().map(|c| c as u32 as u8).collect();
    assert_eq!(outcome(latin).0.encoding, Encoding::Windows1252);
    let unapplied = refusal("Opération;Utilisateur;Cours;Rôle;Groupe\n");
    assert_eq!(unapplied, Problem::new(1, Code::ColumnUnknown, "Groupe", hint::NOT_APPLIED));
    let twice = refusal("Opération;Utilisateur;Cours;Rôle;role\n");
    assert_eq!(twice, Problem::new(1, Code::ColumnTwice, "role", "Rôle"));
    // A character that is not seen makes another name.
    let unseen = refusal("Opération;Utilisateur\u{200b};Cours;Rôle\n");
    assert_eq!((unseen.code, unseen.value.as_str()), (Code::ColumnUnknown, "Utilisateur\u{200b}"));
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
fn a_line_that_names_the_delimiter_is_skipped() {
    let table =
        [("sep=;", ';'), ("SEP=,", ','), ("sep=\t", '\t'), ("\"sep=;\"", ';'), ("sep=;;;;", ';'), (" sep=, ", ',')];
    for (sep, delimiter) in table {
        let file = format!("\u{feff}\n{sep}\r\n{HEADER}add,u1,c1,student\n");
        let file = file
            .split_once("\r\n")
            .map(|(sep, rest)| format!("{sep}\r\n{}", rest.replace(',', &delimiter.to_string())));
        let (scan, entries, tally) = outcome(file.unwrap());
        assert_eq!((scan.kind, scan.delimiter.map(Delimiter::as_char)), (Kind::Header, Some(delimiter)), "{sep}");
        assert_eq!((scan.sep_line, scan.header_line, tally.header, tally.blank), (2, 3, 2, 1), "{sep}");
        assert_eq!(scan.head().unwrap(), [2, 3]);
        assert_eq!(short(&entries), ["4+student/u1/c1/0/0"], "{sep}");
    }
    // In the native form it decides for all lines.
    let (scan, entries, _) = outcome("sep=;\nadd;student;Durand, Jean;c1\nadd,student,u1,c1\n");
    assert_eq!((scan.kind, scan.delimiter), (Kind::Native, Some(Delimiter::Semicolon)));
    assert_eq!(short(&entries), ["2+student/Durand, Jean/c1/0/0", "3!row-ragged(1)"]);
    assert!(!outcome("sep=;\n").0.has_data);
    gives("add;student;u1;c1\nsep=;\n", &["1+student/u1/c1/0/0", "2!row-ragged(2)"]);
    let suspect = |line, found: &str, hint: &str| Problem::new(line, Code::DelimiterSuspect, found, hint);
    assert_eq!(refusal("sep=|\noperation|username|course|role\n"), suspect(1, "\"|\"", ", ; tab"));
    assert_eq!(refusal("sep=,\noperation;username;course;role\n"), suspect(2, "\";\"", ","));
}

#[test]
fn title_lines_before_a_header_are_skipped() {
    let file =
        format!("Export du 28/11/2026\n\nsep=,\nAnnée 2026,,,\n# operation username\n{HEADER}add,u1,c1,student\n");
    let (scan, entries, tally) = outcome(&file);
    assert_eq!((scan.kind, scan.header_line, scan.sep_line, tally.header, tally.blank), (Kind::Header, 6, 3, 5, 1));
    let titles: Vec<_> = scan.titles.iter().map(|title| (title.line, title.text.as_str())).collect();
    assert_eq!(titles, [(1, "Export du 28/11/2026"), (4, "Année 2026,,,"), (5, "# operation username")]);
    assert_eq!(short(&entries), ["7+student/u1/c1/0/0"]);
    let forced = Reading { kind: Some(Kind::Header), ..reading() };
    let Ok((scan, ..)) = read_all(Cursor::new(file.into_bytes()), &forced) else { panic!("refused") };
    assert_eq!(scan.header_line, 6);
    // Without a header they are lines of the native form.
    gives("Export\nadd,student,u1,c1\n", &["1!row-ragged(1)", "2+student/u1/c1/0/0"]);
    assert!(outcome("Export\nadd,student,u1,c1\n").0.titles.is_empty());
}

#[test]
fn a_header_behind_other_lines_refuses_the_file() {
    let long = "add,student,u1,c1\n".repeat(100_000);
    for (before, line, other) in [
        ("a\nb\nc\nd\ne\nf\n", 7, "6"),
        ("Export,28/11/2026\n", 2, "1"),
        ("add,student,u1,c1\n", 2, "1"),
        ("Export\nadd,student,u1,c1\n\n\"add\",\"student\",u1,c1\n", 5, "2"),
        (long.as_str(), 100_001, "1"),
    ] {
        let problem = refusal(format!("{before}{HEADER}add,u1,c1,student\n"));
        assert_eq!(problem, Problem::new(line, Code::HeaderMisplaced, other, "5"));
    }
    let native = Reading { kind: Some(Kind::Native), ..reading() };
    let file = format!("add,student,u1,c1\n{HEADER}");
    let Ok((_, entries, _)) = read_all(Cursor::new(file.into_bytes()), &native) else { panic!("refused") };
    assert_eq!(short(&entries), ["1+student/u1/c1/0/0", "2!bad-verb(operation)"]);
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
