//! Encodings, limits, empty files, and records given back as written.
//! It must not know columns beyond what a line needs to be read.

use std::io::Cursor;

use super::encoding::CHUNK;
use super::*;

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
        marked.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let (windows, ..) = encoding_rs::WINDOWS_1252.encode(text);
    let (latin9, ..) = encoding_rs::ISO_8859_15.encode(text);
    let table: [(Vec<u8>, Fallback, Encoding, bool); 6] = [
        (text.into(), Fallback::Iso8859_15, Encoding::Utf8, false),
        (format!("\u{feff}{text}").into(), Fallback::Iso8859_15, Encoding::Utf8, true),
        (utf16(false), Fallback::Iso8859_15, Encoding::Utf16Le, true),
        (utf16(true), Fallback::Iso8859_15, Encoding::Utf16Be, true),
        (windows.into_owned(), Fallback::Windows1252, Encoding::Windows1252, false),
        (latin9.into_owned(), Fallback::Iso8859_15, Encoding::Iso885915, false),
    ];
    for (bytes, fallback, encoding, bom) in table {
        let length = bytes.len() as u64;
        let reading = Reading { fallback, ..reading() };
        let Ok((scan, entries, _)) = read_all(Cursor::new(bytes), &reading) else {
            panic!("{encoding} refused");
        };
        assert_eq!((scan.encoding, scan.bom, scan.bytes, scan.lines), (encoding, bom, length, 1));
        assert_eq!(short(&entries), ["1+étudiant/œuf/Équipe €/0/0"], "{encoding}");
    }
}

#[test]
fn bytes_that_are_no_text_refuse_the_file() {
    let utf16 = |units: &[u16]| -> Vec<u8> { units.iter().flat_map(|unit| unit.to_le_bytes()).collect() };
    let table: [(Vec<u8>, &str, &str); 6] = [
        (b"add,student,u1,c1\r\nadd,stu\0dent,u,c".to_vec(), "NUL", "2"),
        (b"a\0d\0d\0".to_vec(), "NUL", "1"),
        (b"\xef\xbb\xbfadd,student,u1,c1\n\nadd,\xe9\n".to_vec(), "UTF-8", "3"),
        (b"\xef\xbb\xbfadd,student,u1,c1\nadd,\xc3".to_vec(), "UTF-8", "2"),
        (utf16(&[0xfeff, 0x61, 0x0a, 0xd800, 0x61]), "UTF-16LE", "2"),
        (utf16(&[0xfeff, 0x61, 0x0a, 0x00, 0x61]), "NUL", "2"),
    ];
    for (bytes, value, line) in table {
        assert_eq!(refusal(&bytes), Problem::new(0, Code::EncodingInvalid, value, line), "{bytes:?}");
    }
}

/// Otherwise one byte would change how all other lines are read, and with it every key that has an accent.
#[test]
fn a_late_foreign_byte_costs_its_line_only() {
    let mut file = "add,student,é,c1\n".repeat(20_000).into_bytes();
    file.extend(b"add,student,\xe9,c1\n");
    let (scan, entries, tally) = outcome(file);
    assert_eq!((scan.encoding, scan.damaged, tally.bad), (Encoding::Utf8, true, 1));
    assert_eq!(short(&entries[..1]), ["1+student/é/c1/0/0"]);
    assert_eq!(short(&entries[20_000..]), ["20001!encoding-invalid(add,student,\u{fffd},c1)"]);
    assert!(matches!(&entries[20_000], Entry::Bad(problem) if problem.hint == hint::LINE));
}

#[test]
fn the_majority_of_the_bytes_decides_the_encoding() {
    let utf8 = |damaged| (Encoding::Utf8, damaged);
    let table: [(&[u8], (Encoding, bool)); 9] = [
        (b"plain", utf8(false)),
        (b"plain\xe9", (Encoding::Windows1252, false)),
        ("é".as_bytes(), utf8(false)),
        // As many of the one as of the other.
        (b"\xc3\xa9 \xe9", (Encoding::Windows1252, false)),
        (b"\xc3\xa9\xc3\xa9 \xe9", utf8(true)),
        // A sequence counts once, each invalid byte of a broken one counts.
        (b"\xe2\x82\xac\xe2\x82\xac \xe2\x82", (Encoding::Windows1252, false)),
        (b"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac \xe2\x82", utf8(true)),
        (b"\xef\xbb\xbf\xc3\xa9\xc3\xa9 \xe9", utf8(true)),
        // A replacement character of the file itself is text.
        ("\u{fffd}".as_bytes(), utf8(false)),
    ];
    for (bytes, expected) in table {
        for pad in [0, CHUNK - 3, CHUNK - 2, CHUNK - 1] {
            let mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            let padded = [&bytes[..mark], " ".repeat(pad).as_bytes(), &bytes[mark..]].concat();
            let (scan, ..) = outcome(padded);
            assert_eq!((scan.encoding, scan.damaged), expected, "{bytes:?} after {pad}");
        }
    }
}

#[test]
fn damage_costs_the_record_that_holds_it() {
    let file = [
        HEADER.as_bytes(),
        "add,é,c1,student\nadd,\"è\n".as_bytes(),
        b"\xe9\",c1,student\nadd,u1,c1\xe9\nadd,u2,c1,student\nadd,u3,c1,student,,,\xe9\n",
        "add,çàù,c1,student\n".as_bytes(),
    ]
    .concat();
    let (_, entries, tally) = outcome(file);
    assert_eq!(
        short(&entries),
        [
            "2+student/é/c1/0/0",
            "3!encoding-invalid(add,\"è\u{fffd}\u{fffd}\",c1,student)",
            "5!row-ragged(3)",
            "6+student/u2/c1/0/0",
            "7!row-ragged(7)",
            "8+student/çàù/c1/0/0",
        ]
    );
    assert_eq!((tally.bad, tally.ragged, tally.continued), (3, 2, 1));
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
        assert_eq!((scan.lines, scan.header_line, tally.physical), (lines, header_line, lines), "{text:?}");
    }
    assert!(outcome("\n\nadd,student,u,c").0.has_data);
    assert!(outcome(format!("{HEADER}\n\nadd,u,c,student")).0.has_data);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(outcome("").0.sha256, empty);
}

/// Spreadsheets write such rows below their data, some with quotes around the empty cells.
#[test]
fn rows_of_delimiters_and_blanks_are_blank_lines() {
    let blank = [
        ";;;",
        ",,,,,,,,",
        "\t\t\t",
        " ; ;\u{a0};\u{202f}",
        "\u{2003}\u{feff}\u{200b}",
        "\"\";\"\";\" \";\"\"",
        "\u{1a}",
    ];
    for row in blank {
        for (header, line) in [("operation;username;course;role\n", "add;u1;c1;student"), ("", "add;student;u1;c1")] {
            let last = 3 + u64::from(!header.is_empty());
            let (scan, entries, tally) = outcome(format!("{row}\n{header}{row}\n{line}\r\n{row}\n{row}"));
            assert_eq!(short(&entries), [format!("{last}+student/u1/c1/0/0")], "{row:?}");
            // At the end of the file the mark is no line.
            let ended = u64::from(row == "\u{1a}");
            assert_eq!((tally.blank, tally.bad, scan.lines), (4 - ended, 0, last + 2 - ended), "{row:?}");
            assert!(!outcome(format!("{header}{row}\n{row}\n")).0.has_data, "{row:?}");
        }
    }
    gives("add;student;u1;c1\n;;;x\n", &["1+student/u1/c1/0/0", "2!bad-verb()"]);
    gives(format!("{HEADER},,,,,,\n\"\n\",,,\nadd,,,\n"), &["5!empty-identifier(role)"]);
}

#[test]
fn the_end_mark_of_dos_is_no_text() {
    for end in ["\u{1a}", "\r\n\u{1a}", "\r\n\u{1a}\u{1a}\u{1a}", "\u{1a}\u{1a}"] {
        let (scan, entries, tally) = outcome(format!("add,student,u0,c1\nadd,student,u1,c1{end}"));
        assert_eq!(short(&entries), ["1+student/u0/c1/0/0", "2+student/u1/c1/0/0"], "{end:?}");
        assert_eq!((scan.lines, tally.physical, tally.blank), (2, 2, 0), "{end:?}");
    }
    // Also where the border of a chunk lies before it.
    let line = "add,student,u1,c1\n";
    for marks in 1..3 {
        for length in CHUNK - 2..CHUNK + 2 {
            let pad = " ".repeat(length - line.len() - marks);
            let bytes = format!("{pad}{line}{}", "\u{1a}".repeat(marks));
            let (scan, entries, _) = outcome(bytes);
            assert_eq!((entries.len(), scan.lines), (1, 1));
        }
    }
    // Inside a file it is a character like any other.
    gives("add,student,u\u{1a}1,c1\n", &["1+student/u\u{1a}1/c1/0/0"]);
}

#[test]
fn messages_are_short_and_hold_no_control_characters() {
    let (_, entries, _) = outcome(format!("\u{1b}[31m{},student,u,c", "x".repeat(500)));
    let [Entry::Bad(problem)] = &entries[..] else { panic!("{entries:?}") };
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
    let given: Vec<RawLine> =
        raw_lines(Cursor::new(&bytes), &scan, [1, 2, 2, 3, 4, 6, 7, 99]).into_iter().flatten().flatten().collect();
    let raw = |line, text: &str, cut| RawLine { line, text: text.to_owned(), cut };
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
    let Ok(scan) = scan(&mut file, &reading()) else { panic!("refused") };
    let Ok(mut reader) = read(Cursor::new(b"add,student,\xe9,c1\n"), &scan, &reading()) else { panic!("refused") };
    assert!(
        matches!(reader.next(), Some(Err(FileProblem::Rejected(problem))) if problem.code == Code::EncodingInvalid)
    );
    assert!(reader.next().is_none());
}

#[test]
fn the_fallback_has_its_name_in_the_configuration() {
    for (name, fallback) in [("\"windows-1252\"", Fallback::Windows1252), ("\"iso-8859-15\"", Fallback::Iso8859_15)] {
        assert_eq!(serde_json::from_str(name).ok(), Some(fallback));
    }
    assert!(serde_json::from_str::<Fallback>("\"latin1\"").is_err());
}
