//! Files as spreadsheets, editors and exports leave them: rows without values, lines before the header, damaged bytes.
//! It must not test what a line does.

use std::fs;
use std::path::PathBuf;

use enrold::config::Locale;
use enrold::outcome::{Note, Report, State};
use enrold::problem::{Code, Problem};
use enrold::report::words;

use crate::inbox::report;
use crate::inbox_sets::source;
use crate::program::on_the_sample;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    rows_without_values_fail_no_line,
    lines_before_the_header_change_no_meaning,
    a_damaged_byte_costs_its_line_only,
    spreadsheets_are_named,
    french_headers_are_those_of_full_sets,
    rows_of_the_wrong_shape_cost_nobody_a_place,
    a_quote_that_a_later_row_closes_costs_no_row_between,
    a_value_that_is_cut_names_nobody,
);

impl Site {
    /// Writes the files of a set, and applies it twice: the second time nothing changes.
    async fn sends(&mut self, files: &[(&str, &[u8])]) -> Report {
        let dir = self.write("x").path.parent().unwrap().to_owned();
        let written = files.iter().map(|(name, bytes)| {
            let path = dir.join(name);
            fs::write(&path, bytes).unwrap();
            path
        });
        let written: Vec<PathBuf> = written.collect();
        let paths: Vec<_> = written.iter().map(PathBuf::as_path).collect();
        let before = self.dump().await;
        self.engine().import_set("apogee", &paths, true).await.unwrap();
        self.nothing_changed(&before, "a simulated set").await;
        let report = self.engine().import_set("apogee", &paths, false).await.unwrap();
        let after = self.dump().await;
        self.engine().import_set("apogee", &paths, false).await.unwrap();
        self.nothing_changed(&after, "the same set again").await;
        report
    }
}

/// More such rows than the guard allows failed lines.
async fn rows_without_values_fail_no_line(mut site: Site) {
    site.records("apogee").await;
    site.set("guard.mode", "hold");
    let empty = ";;;;\r\n\u{a0};;\u{a0};\r\n".repeat(20);
    let flat = format!("add;student;u1;c1\r\n{empty}add;student;u2;c1\r\n{empty}\u{1a}");
    let report = site.import(&flat).await;
    assert_eq!((report.state, report.errors, report.lines.records, report.lines.blank), (State::Done, 0, 2, 80));
    let header = format!("{empty}op;user;cours;role\r\nadd;u3;c3;student\r\n{empty}");
    let report = site.import(&header).await;
    assert_eq!((report.state, report.errors, report.lines.records), (State::Done, 0, 1));
    let set = format!("user;course\r\nu4;c2\r\n{empty}u5;c2\r\n{empty}");
    let report = site.sends(&[("x1.csv", set.as_bytes())]).await;
    assert_eq!((report.state, report.errors, report.lines.records), (State::Done, 0, 2));
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 flatfile", "u2 c1 flatfile", "u3 c3 flatfile", "u4 c2 database", "u5 c2 database"]
    );
}

/// The number of one account is the user name of another, and so with two courses: read by the wrong form, a line means
/// somebody else somewhere else.
async fn lines_before_the_header_change_no_meaning(mut site: Site) {
    site.records("apogee").await;
    for (table, column, own, other) in [("user", "username", "u1", "u2"), ("course", "shortname", "c1", "c2")] {
        for (name, number) in [(own, other), (other, own)] {
            site.sql(&format!("UPDATE {{{table}}} SET idnumber = '{number}' WHERE {column} = '{name}'")).await;
        }
    }
    let file = "operation;role;username;course\r\nadd;student;u1;c1\r\n";
    let report = site.import(&format!("\u{feff}sep=;\r\n{file}")).await;
    assert_eq!((report.state, report.notes.len()), (State::Done, 0));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
    let report = site.import(&format!("Export du 28/11/2026\r\n\r\n{}", file.replace("u1", "u3"))).await;
    assert_eq!((report.state, report.errors), (State::Done, 0));
    assert_eq!(report.notes, [Note::LinesSkipped("1 (Export du 28/11/2026)".to_owned())]);
    assert!(words::note(&report.notes[0], Locale::Fr).contains("1 (Export du 28/11/2026)"));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u3 c1 flatfile"]);
    // Whichever form stands first, nothing of the file is applied.
    let before = site.dump().await;
    for (text, problem) in [
        (format!("add;student;u4;c3\r\n{file}"), Problem::new(2, Code::HeaderMisplaced, "1", "5")),
        (format!("{}{file}", "Export\r\n".repeat(6)), Problem::new(7, Code::HeaderMisplaced, "6", "5")),
        (format!("sep=|\r\n{file}"), Problem::new(1, Code::DelimiterSuspect, "\"|\"", ", ; tab")),
    ] {
        let file = site.write(text);
        let refused = site.engine().import(&file, false).await.unwrap();
        assert_eq!((refused.state, refused.problems), (State::Failed, vec![problem]));
    }
    site.nothing_changed(&before, "files that are refused").await;
    let report = site.sends(&[("x1.csv", b"Inscriptions;;\nsep=;\nuser;course;role\nu5;c3;student\n")]).await;
    assert_eq!((report.state, report.lines.records, report.lines.failed), (State::DoneWithErrors, 1, 0));
    let told: Vec<_> = report.problems.iter().map(|told| (told.line, told.code, told.value.as_str())).collect();
    assert_eq!(told, [(1, Code::LineSkipped, "Inscriptions;;")]);
}

async fn a_damaged_byte_costs_its_line_only(mut site: Site) {
    site.records("apogee").await;
    let accented = [("u1", "é1"), ("u2", "è2")];
    for (name, number) in accented {
        site.sql(&format!("UPDATE {{user}} SET idnumber = '{number}' WHERE username = '{name}'")).await;
    }
    let file =
        ["add,student,é1,c1\nadd,student,è2,c1\n".as_bytes(), b"add,student,u3\xe9,c1\nadd,student,u4,c1\n"].concat();
    let report = site.import_bytes(&file).await;
    assert_eq!(site.errors(&report).await, ["3 encoding-invalid"]);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c1 flatfile", "u4 c1 flatfile"]);
    let set = "user;course;nom\né1;c2;Élodie Fée\nu3;c2;Zoë\nu4;c2;Ana\n";
    let report = site.sends(&[("x1.csv", set.as_bytes())]).await;
    assert_eq!(report.lines.failed, 0);
    // u4 is absent, u3 is named by a row that cannot be used.
    let damaged = ["user;course;nom\né1;c2;Élodie Fée\n".as_bytes(), b"u3;c2;Zo\xeb\n"].concat();
    let report = site.sends(&[("x2.csv", &damaged)]).await;
    assert_eq!((report.state, report.lines.failed), (State::DoneWithErrors, 1));
    let told: Vec<_> = report.problems.iter().map(|told| (told.line, told.code)).collect();
    assert_eq!(told, [(1, Code::ColumnIgnored), (3, Code::EncodingInvalid)]);
    let in_c2 = site.enrolments().await.into_iter().filter(|row| row.ends_with("c2 database"));
    assert_eq!(in_c2.collect::<Vec<_>>(), ["u1 c2 database", "u3 c2 database"]);
}

/// Six users in `c1`, one of them in `c2` too.
const ROSTER: &str = "user;course;role;group\nu1;c1;student;\nu2;c1;student;\nu3;c1;student;\nu4;c1;student;\n\
                      u5;c1;student;\nu6;c1;student;\nu1;c2;student;\n";
const ROSTERED: [&str; 7] = [
    "u1 c1 database",
    "u1 c2 database",
    "u2 c1 database",
    "u3 c1 database",
    "u4 c1 database",
    "u5 c1 database",
    "u6 c1 database",
];

async fn rows_of_the_wrong_shape_cost_nobody_a_place(mut site: Site) {
    site.records("apogee").await;
    site.set("sources.apogee.default_role", "");
    site.sends(&[("x1.csv", ROSTER.as_bytes())]).await;
    for (whole, torn, failed) in [
        ("u3;c1;student;\n", "u3\n", 1),
        ("u3;c1;student;\n", "U3 ;c1\n", 1),
        ("u3;c1;student;\n", ";c1\n", 1),
        ("u3;c1;student;\n", "x;u3;c1;student;y\n", 1),
        ("u3;c1;student;\n", "u3;c1;student;;y\n", 1),
        ("u3;c1;student;\n", "c1;student;\n", 1),
        ("u3;c1;student;\n", "\"u3;c1;student;\n", 1),
        ("u3;c1;student;\n", "u3;\"c1;student;\n", 1),
        ("u3;c1;student;\n", "\"u3\"x;c1;student;\n", 1),
        ("u3;c1;student;\n", "\"u3;c1;student;\"\n", 1),
        ("u3;c1;student;\n", "u3,c1,student\n", 1),
        ("u3;c1;student;\n", "u3\tc1\tstudent\n", 1),
        ("u3;c1;student;\n", "u3 c1 student\n", 1),
        // A line end that is missing, or stands inside a value.
        ("u3;c1;student;\nu4;", "u3;c1;student;u4;", 1),
        ("u3;c1;student;\nu4;", "u3;c1;student;\u{2028}u4;", 1),
        ("u3;c1;student;\nu4;", "u3;c1;studentu4;", 1),
        ("u3;c1;student;\n", "u\n3;c1;student;\n", 2),
        // Damaged too, and alone in the course.
        ("u1;c2;student;\n", "U1\u{200b};c2\n", 1),
        ("u1;c2;student;\n", "c2\n", 1),
        ("u1;c2;student;\n", "\u{fffd};\u{fffd}\n", 1),
    ] {
        let report = site.sends(&[("x2.csv", ROSTER.replace(whole, torn).as_bytes())]).await;
        assert_eq!(site.enrolments().await, ROSTERED, "{torn:?}");
        assert_eq!((report.state, report.lines.failed), (State::DoneWithErrors, failed), "{torn:?}");
    }
    // Bytes that are no UTF-8.
    let accents = ROSTER.replace("u6;c1;student;", "u6;c1;student;éèà");
    for damaged in
        [&b"u3;c1;stud\xe9nt;\n"[..], b"u\xe93;c1;student;\n", b"u3;c\xe9;student;\n", b"u3;c1;\xe9\n", b"u\xe9;c1\n"]
    {
        let (before, after) = accents.split_once("u3;c1;student;\n").unwrap();
        let report = site.sends(&[("x2.csv", &[before.as_bytes(), damaged, after.as_bytes()].concat())]).await;
        assert_eq!(site.enrolments().await, ROSTERED, "{damaged:?}");
        assert_eq!(report.lines.failed, 1, "{damaged:?}");
    }
    // Only those are kept whom the row may mean.
    let fewer = ROSTER.replace("u3;c1;student;\n", "u3;c1\n").replace("u4;c1;student;\n", "");
    site.sends(&[("x2.csv", fewer.as_bytes())]).await;
    assert_eq!(
        site.enrolments().await,
        ROSTERED
            .map(|row| row.replace("u4 c1 database", ""))
            .into_iter()
            .filter(|row| !row.is_empty())
            .collect::<Vec<_>>()
    );
    site.set("sources.apogee.unknown_protects", "off");
    let fewer = ROSTER.replace("u3;c1;student;\n", "u3;c1\n").replace("u5;c1;student;\n", "c1\n");
    site.sends(&[("x2.csv", fewer.as_bytes())]).await;
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 database", "u1 c2 database", "u2 c1 database", "u3 c1 database", "u4 c1 database", "u6 c1 database"]
    );
}

async fn a_quote_that_a_later_row_closes_costs_no_row_between(mut site: Site) {
    site.records("apogee").await;
    site.set("sources.apogee.default_role", "");
    let all = ROSTER.replace("student;\n", "student;g1\n");
    site.sends(&[("x1.csv", all.as_bytes())]).await;
    let (opens, closes) = ("u2;c1;student;g1", "u5;c1;student;g1");
    for (open, close) in [
        ("u2;c1;student;\"g1", "u5;c1;student;g1\""),
        ("u2;c1;\"student;g1", "u5;c1;student\";g1"),
        ("u2;\"c1;student;g1", "u5;c1\";student;g1"),
        ("\"u2;c1;student;g1", "u5\";c1;student;g1"),
        ("u2;c1;student;\"g1", "u5\";c1;student;g1"),
    ] {
        let report = site.sends(&[("x2.csv", all.replace(opens, open).replace(closes, close).as_bytes())]).await;
        assert_eq!(site.enrolments().await, ROSTERED, "{open}");
        assert!(report.lines.failed > 0, "{open}");
    }
    // The next row closes it.
    let next = all.replace(opens, "u2;c1;student;\"g1").replace("u3;c1;student;g1", "u3;c1;student;g1\"");
    site.sends(&[("x2.csv", next.as_bytes())]).await;
    assert_eq!(site.enrolments().await, ROSTERED);
    // A line end inside a value is no damage.
    let spread = all.replace("role;group", "role;group;note").replace("g1\nu2", "g1;\"Bonjour,\nmerci ; bien\"\nu2");
    let report = site.sends(&[("x2.csv", spread.as_bytes())]).await;
    assert_eq!((report.lines.failed, report.lines.records), (0, 7));
}

async fn french_headers_are_those_of_full_sets(mut site: Site) {
    site.records("apogee").await;
    let report = site.import("Opération;Utilisateur;Cours;Rôle;Fin\nadd;u1;c1;student;\nadd;u2;c1;teacher;\n").await;
    assert_eq!((report.state, report.errors), (State::Done, 0));
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u2 c1 teacher flatfile"]);
    let report = site.sends(&[("x1.csv", "Utilisateur;Cours;Rôle;Fin\nu3;c2;teacher;\n".as_bytes())]).await;
    assert_eq!((report.state, report.errors), (State::Done, 0));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c1 flatfile", "u3 c2 database"]);
}

/// What is left of a value that is too long must not become another one's key.
async fn a_value_that_is_cut_names_nobody(mut site: Site) {
    site.records("apogee").await;
    let far = " ".repeat(300);
    let rows = format!("user;course\nu1{far}x;c1\nu2;c1{far}x\nu3;c1\n");
    let report = site.sends(&[("x1.csv", rows.as_bytes())]).await;
    assert_eq!(site.enrolments().await, ["u3 c1 database"]);
    let told: Vec<_> = report.problems.iter().map(|told| (told.line, told.code)).collect();
    assert_eq!(told, [(2, Code::ValueTooLong), (3, Code::ValueTooLong)]);
}

fn xlsx() -> Vec<u8> {
    [&b"PK\x03\x04"[..], &[0; 26][..], b"xl/workbook.xml", &[7; 5000]].concat()
}

async fn spreadsheets_are_named(mut site: Site) {
    site.records("apogee").await;
    let before = site.dump().await;
    let file = site.write(xlsx());
    let report = site.engine().import(&file, false).await.unwrap();
    let expected = Problem::new(0, Code::Spreadsheet, "xlsx", "");
    assert_eq!((report.state, report.problems), (State::Failed, vec![expected]));
    let report =
        site.sends(&[("x1.csv", b"user;course\nu1;c1\n"), ("x2.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0")]).await;
    let expected = Problem::new(0, Code::Spreadsheet, "xls", "").in_file("x2.xls");
    assert_eq!((report.state, &report.problems[..]), (State::Failed, &[expected][..]));
    let french = "x2.xls : fichier refusé : c'est un classeur de tableur (xls)";
    assert!(report.problems[0].text(Locale::Fr).starts_with(french));
    site.nothing_changed(&before, "spreadsheets").await;
}

#[test]
fn spreadsheets_are_named_in_the_drop_directory() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "night-*.csv,night-*.xlsx").await;
        let program = program.set("inbox.settle=0");
        let inbox = program.inbox();
        for name in ["enrols.csv", "night-1.xlsx"] {
            program.drop_file(name, xlsx());
        }
        program.clone().set(&format!("inbox.path={}", inbox.display())).run(&["run", "--once"]);
        for name in ["enrols.csv", "night-1.xlsx"] {
            let told = report(&inbox, &format!("{name}.report.json"));
            let problem = &told["problems"][0];
            assert_eq!((&told["state"], &problem["code"]), (&"failed".into(), &"spreadsheet".into()), "{told}");
            assert!(problem["message"].as_str().unwrap().contains("this is a spreadsheet (xlsx)"), "{told}");
        }
    });
}
