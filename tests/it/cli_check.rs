//! `enrold check` as a child process, without a database: the kind of a file, and every line that cannot be read.
//! It must not test the rules of the reader; the reader's own tests do.

use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::program::{Program, sample};

fn bare() -> (TempDir, Program) {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path());
    (dir, program)
}

/// Kind, encoding, delimiter, lines and problems of a file of the sample directory.
type Case = (&'static str, &'static str, &'static str, &'static str, u64, &'static [(u64, &'static str)]);

const CASES: [Case; 5] = [
    ("enrols-20261121.csv", "header", "UTF-8", ",", 25, &[]),
    (
        "enrols-erreurs-20261121.csv",
        "header",
        "UTF-8",
        ",",
        21,
        &[
            (4, "empty-identifier"),
            (6, "empty-identifier"),
            (8, "empty-identifier"),
            (9, "bad-verb"),
            (10, "bad-verb"),
            (11, "bad-time"),
            (12, "bad-time"),
            (13, "bad-time"),
            (14, "end-before-start"),
            (15, "row-ragged"),
            (16, "row-ragged"),
        ],
    ),
    ("enrols_scolarite-20261121.csv", "header", "Windows-1252", ";", 10, &[]),
    ("flatfile-20261121.txt", "native", "UTF-8", "", 13, &[]),
    (
        "flatfile-erreurs-20261121.txt",
        "native",
        "UTF-8",
        "",
        13,
        &[
            (5, "empty-identifier"),
            (6, "empty-identifier"),
            (9, "bad-verb"),
            (10, "end-before-start"),
            (11, "row-ragged"),
            (12, "row-ragged"),
        ],
    ),
];

#[test]
fn the_sample_directory() {
    let (_dir, program) = bare();
    for (name, kind, encoding, delimiter, records, problems) in CASES {
        let (code, checked) = program.json(&["check", &sample(name)]);
        assert_eq!(code, if problems.is_empty() { 0 } else { 4 }, "{name}");
        assert_eq!((&checked["kind"], &checked["encoding"]), (&json!(kind), &json!(encoding)), "{name}");
        assert_eq!((&checked["delimiter"], &checked["records"]), (&json!(delimiter), &json!(records)), "{name}");
        assert_eq!(checked["failed"], problems.len(), "{name}");
        let found: Vec<(u64, &str)> = checked["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| (problem["line"].as_u64().unwrap(), problem["code"].as_str().unwrap()))
            .collect();
        assert_eq!(found, problems, "{name}");
        for (locale, word) in [("en", "line"), ("fr", "ligne")] {
            let answer = program.run(&["check", &sample(name), "--set", &format!("locale={locale}")]);
            for (line, code) in problems {
                let told = |text: &str| text.contains(code) && text.contains(&format!("{word} {line}"));
                assert!(answer.out.lines().any(told), "{name}: {word} {line}: {}", answer.out);
            }
        }
    }
}

#[test]
fn nothing_to_apply() {
    let (_dir, program) = bare();
    program.write("empty.csv", "");
    program.write("blank.txt", "\r\n  \r\n");
    program.write("header.csv", "operation;username;course;role\r\n");
    for name in ["empty.csv", "blank.txt", "header.csv"] {
        let (code, checked) = program.json(&["check", name]);
        assert_eq!((code, &checked["records"]), (4, &json!(0)), "{name}");
        assert_eq!(checked["problems"][0]["code"], "file-empty", "{name}");
        program.run(&["check", name]).ends(4).says(&["no data line"]);
    }
}

fn utf16(text: &str) -> Vec<u8> {
    [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// The encoding is detected for each file separately.
#[test]
fn other_encodings() {
    let (_dir, program) = bare();
    let header = "operation;username;course;role\r\n";
    program.write("utf16.csv", utf16(&format!("{header}add;oharas26;Médecine-P2;student\r\nadd;x;y\r\n")));
    program.write("windows.csv", [header.as_bytes(), b"add;oharas26;M\xe9decine-P2;\x9cuvre\r\nadd;x;y\r\n"].concat());
    program.write("mark.csv", ["\u{feff}", header, "add;oharas26;Médecine-P2;student\r\nadd;x;y\r\n"].concat());
    for (name, encoding, mark) in
        [("utf16.csv", "UTF-16LE", true), ("windows.csv", "Windows-1252", false), ("mark.csv", "UTF-8", true)]
    {
        let (code, checked) = program.json(&["check", name]);
        assert_eq!((code, &checked["encoding"]), (4, &json!(encoding)), "{name}");
        assert_eq!((&checked["byte_order_mark"], &checked["delimiter"]), (&json!(mark), &json!(";")), "{name}");
        assert_eq!(checked["header"], json!(["operation", "username", "course", "role"]), "{name}");
        assert_eq!(checked["problems"][0]["line"], 3, "{name}");
        assert_eq!((&checked["records"], &checked["failed"]), (&json!(2), &json!(1)), "{name}");
    }
    let (_, checked) = program.json(&["check", "windows.csv", "--set", "flatfile.encoding_fallback=iso-8859-15"]);
    assert_eq!(checked["encoding"], "ISO-8859-15");
}

#[test]
fn files_that_are_refused() {
    let (_dir, program) = bare();
    program.write("nul.csv", b"operation,username,course,role\nadd,\0,x,y\n");
    program.write("column.csv", "operation,username,role,colour\n");
    program.write("book.xlsx", [&b"PK\x03\x04"[..], &[0; 26][..], b"[Content_Types].xml"].concat());
    let cases = [("nul.csv", "encoding-invalid"), ("column.csv", "column-unknown"), ("book.xlsx", "spreadsheet")];
    for (name, code) in cases {
        let (exit, refused) = program.json(&["check", name]);
        assert_eq!((exit, &refused["rejected"]["code"]), (1, &json!(code)), "{name}: {refused}");
        program.run(&["check", name]).ends(1).says(&[code, "refused"]);
    }
}

/// They are told, and fail no line.
#[test]
fn lines_before_the_header() {
    let (_dir, program) = bare();
    program.write("title.csv", "Export du 28/11\nsep=;\noperation;username;course;role\nadd;x;y;student\n");
    let (exit, checked) = program.json(&["check", "title.csv"]);
    assert_eq!((exit, &checked["failed"], &checked["kind"]), (0, &json!(0), &json!("header")));
    assert_eq!(checked["problems"][0]["code"], "line-skipped");
    program.run(&["check", "title.csv"]).ends(0).says(&["line 1: stands before the header and is not read"]);
    let french = program.run(&["--set", "locale=fr", "check", "title.csv"]).ends(0);
    french.says(&["ligne 1 : précède l'en-tête et n'est pas lue : « Export du 28/11 »"]);
}

/// The command does not wait for a pipe.
#[test]
fn what_is_no_file() {
    let (dir, program) = bare();
    let made = Command::new("mkfifo").arg(dir.path().join("pipe.csv")).status().unwrap();
    assert!(made.success());
    for (name, words) in
        [("pipe.csv", "not a regular file"), (".", "not a regular file"), ("absent.csv", "No such file")]
    {
        let (code, failed) = program.json(&["check", name]);
        assert_eq!((code, &failed["state"]), (1, &json!("failed")), "{name}");
        program.run(&["check", name]).ends(1).logs(&[name, words]);
    }
}
