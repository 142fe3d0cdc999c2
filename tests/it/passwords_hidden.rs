//! Hostile and broken files with a password: whatever becomes of a file, the password stands in no file, table, report
//! or log afterwards, but in the sealed copy of a held one.
//! It must not test what the readers make of the other cells.

use std::fs;

use enrold::db::Params;

use crate::passwords::holding;
use crate::program::{Program, on_the_sample};
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a_password_is_shown_nowhere, a_held_file_is_the_only_copy, a_file_over_the_limit_is_masked);

/// The password of all files; of some of its letters a damaged file shows nothing either.
const WORD: &str = "Secret-2026";

fn utf16(text: &str, mark: bool, big: bool) -> Vec<u8> {
    let units = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
    units.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

/// Files of a feeder, by name.
fn variants() -> Vec<(&'static str, Vec<u8>)> {
    let head = "username;lastname;firstname;email;password";
    let row = |n: usize| format!("h{n};Test;Un;h{n}@example.org;{WORD}");
    let text = |text: String| text.into_bytes();
    vec![
        ("alias.csv", text(format!("username;lastname;firstname;email;Code secret\n{}\n", row(1)))),
        (
            "quoted.csv",
            text(format!(
                "\"username\";\"lastname\";\"firstname\";\"email\";\"Password\"\n\"h2\";\"T\";\"U\";\"h2@example.org\";\"{WORD}\"\n"
            )),
        ),
        ("lines.csv", text(format!("{head}\nh3;Test;Un;h3@example.org;\"{WORD}\nx{WORD}\"\n"))),
        (
            "ragged.csv",
            text(format!("{head}\nh4;{WORD}\n{WORD}\nh44;T;U;h44@example.org;{WORD};more;{WORD}\n;;;;{WORD}\n")),
        ),
        ("pipes.csv", text(format!("{head}\n{}\n", row(5)).replace(';', "|"))),
        ("colons.csv", text(format!("{head}\n{}\n", row(5)).replace(';', ":"))),
        ("utf16le.csv", utf16(&format!("{head}\r\n{}\r\n", row(6)), true, false)),
        ("utf16be.csv", utf16(&format!("{head}\r\n{}\r\n", row(7)), true, true)),
        ("unmarked.csv", utf16(&format!("{head}\r\n{}\r\n", row(8)), false, false)),
        ("titles.csv", text(format!("Liste des étudiants\n2026\n\nsep=;\n{head}\n{}\n", row(9)))),
        ("tabs.csv", text(format!("{head}\n{}\n", row(10)).replace(';', "\t"))),
        ("accents.csv", text(format!("USERNAME;Nom;Prénom;Courriel;MOT DE PASSE\n{}\n", row(11)))),
        ("bom.csv", text(format!("\u{feff}{head}\r\n{}\r\n", row(12)))),
        (
            "latin.csv",
            [format!("{head}\n{}\n", row(13)).as_bytes(), b"h14;No\xebl;Un;h14@example.org;Secret-2026\n"].concat(),
        ),
        ("nul.csv", text(format!("{head}\nh15;T\0;U;h15@example.org;{WORD}\n"))),
        ("open.csv", text(format!("{head}\nh16;\"T;U;h16@example.org;{WORD}\n{}\n", row(17)))),
        ("twice.csv", text(format!("{head};mdp\n{};{WORD}\n", row(18)))),
        ("unknown.csv", text(format!("{head};what\n{};x\n", row(19)))),
        (
            "enrol.csv",
            text(format!("operation,username,course,role,Code secret\nadd,nobody,c1,student,{WORD}\n{WORD},a,b\n")),
        ),
        ("first.csv", text(format!("Code secret;username\n{WORD};h20\n{WORD}\n"))),
        ("broken.csv", text(format!("\"user\nname\";password\nh21;{WORD}\n"))),
        (
            "spaces.csv",
            text(format!("{head}\nh22;T;U;h22@example.org; {WORD} \nh23;T;U;h23@example.org;\" {WORD}\"\n")),
        ),
        ("cr.csv", text(format!("{head}\r{}\r", row(24)))),
        (
            "hint.csv",
            text(format!(
                "Mot de passe : provisoire\nusername;lastname;firstname;email;address;password\n\
                 h25;T;U;h25@example.org;a : b;{WORD}\nh26;T;{WORD}\n"
            )),
        ),
        (
            "joined.csv",
            text(format!(
                "{}username,lastname,firstname,email,auth,password\nh27,T,U,h27@example.org,manual,{WORD}\n",
                "add,student,nobody,ELP4821\n".repeat(32)
            )),
        ),
        ("below.csv", text(format!("{}{head}\n{}\n", "Title\n".repeat(40), row(28)))),
        ("nbsp.csv", text(format!("username;lastname;firstname;email;Mot\u{a0}de  passe :\n{}\n", row(29)))),
        ("wrapped.csv", text(format!("username;lastname;firstname;email;\"Mot de\npasse\"\n{}\n", row(30)))),
        ("cohorts.csv", text(format!("name;idnumber;password\nL1;l1;{WORD}\nL1;l1;{WORD}\n"))),
    ]
}

/// The program with a profile that takes passwords, also in a column of another name.
fn feeding(program: Program) -> Program {
    let program = program.set("inbox.settle=0").set("tasks.flatfile.enabled=no");
    let options = ["kind=users", "give_password=yes", "password_update=yes", "operation=add-update", "update=file"];
    let program = options.iter().fold(program, |program, option| program.set(&format!("profiles.promo.{option}")));
    program.set("profiles.promo.columns.Code secret=password").set("guard.mode=off").set("inbox.archive=archive")
}

fn at_inbox(program: &Program) -> Program {
    program.clone().set(&format!("inbox.path={}", program.inbox().display()))
}

/// The tables of enrold, and the columns of Moodle that a file fills, that hold the word.
async fn tables_with(site: &mut Site, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in ["run", "change", "error", "letter", "outbox"].map(|name| format!("enrold_{name}")) {
        let rows = site.conn.rows(&format!("SELECT x.* FROM {{{table}}} x"), &Params::new()).await.unwrap();
        if rows.iter().any(|row| (0..row.0.len()).any(|at| row.text(at).contains(word))) {
            found.push(table);
        }
    }
    let dump = site.dump().await;
    let holds =
        |rows: &Vec<crate::dump::Row>| rows.iter().any(|row| row.values().flatten().any(|text| text.contains(word)));
    found.extend(dump.iter().filter(|(_, rows)| holds(rows)).map(|(name, _)| name.clone()));
    found
}

/// The files below the directories of the program that hold the word. The database beside them is read as tables: a
/// file of SQLite must not be opened beside its connection.
fn files_with(program: &Program) -> Vec<String> {
    let wide: String = WORD.chars().flat_map(|letter| [letter, '\0']).collect();
    let places =
        ["sync", "state", "archive"].map(|name| program.dir.join(name)).into_iter().filter(|place| place.exists());
    places.flat_map(|place| [WORD, wide.trim_end_matches('\0')].map(|word| holding(&place, word)).concat()).collect()
}

async fn a_password_is_shown_nowhere(mut site: Site) {
    let program = feeding(site.sampled().await);
    let variants = variants();
    for (name, bytes) in &variants {
        program.drop_file(name, bytes);
    }
    let answer = at_inbox(&program).run(&["--json", "run", "--once"]);
    assert!(!answer.out.contains(WORD) && !answer.log.contains(WORD), "{}\n{}", answer.out, answer.log);
    let left = names(&program.inbox());
    for (name, _) in &variants {
        let ended = |file: &&String| {
            file.starts_with(&format!("{name}.")) && (file.ends_with(".done") || file.ends_with(".failed"))
        };
        assert_eq!(left.iter().filter(ended).count(), 1, "{name}: {left:?}");
    }
    assert!(!left.iter().any(|name| name.ends_with(".work")), "{left:?}");
    assert_eq!(files_with(&program), [""; 0]);
    assert_eq!(tables_with(&mut site, WORD).await, [""; 0]);
    // The files did something.
    let made = site
        .conn
        .number("SELECT COUNT(*) FROM {user} WHERE password LIKE '$%' AND email LIKE 'h%@example.org'", &Params::new())
        .await
        .unwrap();
    assert!(made >= 10, "{made} accounts");
    for row in program.run(&["--json", "runs"]).out.lines() {
        assert!(!row.contains(WORD), "{row}");
    }
    // Nor does it while no profile takes such files.
    let off = at_inbox(&program).set("profiles.promo.enabled=no");
    for (name, bytes) in &variants {
        program.drop_file(&format!("off-{name}"), bytes);
    }
    let answer = off.run(&["run", "--once"]);
    assert!(!answer.out.contains(WORD) && !answer.log.contains(WORD), "{}\n{}", answer.out, answer.log);
    assert_eq!(files_with(&program), [""; 0]);
    assert_eq!(tables_with(&mut site, WORD).await, [""; 0]);
}

async fn a_file_over_the_limit_is_masked(mut site: Site) {
    let program = feeding(site.sampled().await).set("limits.file_mib=1");
    let row = format!("h1;Test;Un;h1@example.org;{WORD}\n");
    let head = "username;lastname;firstname;email;password\n";
    program.drop_file("large.csv", format!("{head}{}", row.repeat(40_000)).as_bytes());
    let answer = at_inbox(&program).run(&["run", "--once"]);
    assert!(!answer.out.contains(WORD) && !answer.log.contains(WORD), "{}\n{}", answer.out, answer.log);
    let left = names(&program.inbox());
    let failed = left.iter().find(|name| name.starts_with("large.csv.") && name.ends_with(".failed"));
    let failed = failed.unwrap_or_else(|| panic!("{left:?}\n{}\n{}", answer.out, answer.log));
    let masked = row.replace(WORD, "***");
    assert!(fs::read_to_string(program.inbox().join(failed)).unwrap() == format!("{head}{}", masked.repeat(40_000)));
    assert_eq!(files_with(&program), [""; 0]);
    assert_eq!(tables_with(&mut site, WORD).await, [""; 0]);
}

async fn a_held_file_is_the_only_copy(mut site: Site) {
    let program = feeding(site.sampled().await).set("profiles.promo.mode=approve");
    let before = site.dump().await;
    for (name, bytes) in variants().into_iter().take(3) {
        program.drop_file(name, bytes);
    }
    let (code, told) = at_inbox(&program).json(&["run", "--once"]);
    assert_eq!(code, 3, "{told}");
    site.nothing_changed(&before, "held").await;
    assert_eq!(files_with(&program), [""; 0]);
    let runs: Vec<String> =
        told["reports"].as_array().unwrap().iter().map(|report| report["run"].to_string()).collect();
    let sealed = |run: &String| program.dir.join(format!("state/held/{run}/bytes.sealed"));
    assert!(runs.len() == 3 && runs.iter().all(|run| sealed(run).exists()));
    for run in &runs {
        let shown = program.run(&["runs", run]);
        assert!(!shown.out.contains(WORD), "{}", shown.out);
    }
    at_inbox(&program).run(&["approve", "--yes", &runs[0]]).ends(0);
    at_inbox(&program).run(&["reject", &runs[1]]).ends(0);
    assert_eq!(runs.iter().map(|run| sealed(run).exists()).collect::<Vec<_>>(), [false, false, true]);
    let hashed = "SELECT COUNT(*) FROM {user} WHERE password LIKE '$%' AND email LIKE 'h%@example.org'";
    assert_eq!(site.conn.number(hashed, &Params::new()).await.unwrap(), 1);
    assert_eq!(files_with(&program), [""; 0]);
    assert_eq!(tables_with(&mut site, WORD).await, [""; 0]);
}

/// Commands that need no database but for a simulation.
#[test]
fn commands_show_no_password() {
    on_the_sample(async |_, program| {
        let program = feeding(program);
        for (name, bytes) in variants() {
            let path = program.write(name, bytes);
            let path = path.to_str().unwrap();
            let all: [&[&str]; 3] = [
                &["check", path],
                &["check", "--kind", "users", path],
                &["--json", "import", "--simulate", "--kind", "users", path],
            ];
            for words in all {
                let answer = program.run(words);
                let shown = format!("{}\n{}", answer.out, answer.log);
                assert!(!shown.contains(WORD), "{words:?}: {shown}");
            }
            let shown = program.typed(&["import", "--kind", "users", path], "n\n");
            assert!(!shown.out.contains(WORD), "{name}: {}", shown.out);
            fs::remove_file(path).unwrap();
        }
    });
}
