//! On a terminal: the simulation is shown, and only a yes applies it; width, colours, harmless characters.
//! It must not draw anything itself; `script` of util-linux provides the terminal.

use enrold::db::Params;

use crate::cli_held::departures;
use crate::program::{Program, on_the_sample, sample};
use crate::site::Site;

fn one(program: &Program) {
    program.write("one.csv", "operation,username,course,role\nadd,oharas26,L1-ECO-101,student\n");
}

#[test]
fn import_asks_and_no_applies_nothing() {
    on_the_sample(async |mut site: Site, program| {
        one(&program);
        let before = site.dump().await;
        for answer in ["n", "", "non"] {
            program.typed(&["import", "one.csv"], answer).ends(1).says(&[
                "simulated, nothing is applied",
                "1 (planned)",
                "Apply this? [y/N]",
            ]);
        }
        assert_eq!(site.last_run().await, 0);
        site.nothing_changed(&before, "answered no").await;
    });
}

#[test]
fn import_asks_and_yes_applies() {
    on_the_sample(async |mut site: Site, program| {
        one(&program);
        program.typed(&["import", "one.csv"], "y").ends(0).says(&["Apply this? [y/N]", "run 1, import one.csv: done"]);
        assert_eq!(site.last_run().await, 1);
        let french = program.set("locale=fr").typed(&["import", "one.csv"], "o").ends(0);
        french.says(&["Appliquer ? [o/N]", "aucune : tout y était déjà"]);
    });
}

#[test]
fn yes_is_not_asked_and_a_refused_file_neither() {
    on_the_sample(async |_, program| {
        one(&program);
        let answer = program.typed(&["import", "--yes", "one.csv"], "n").ends(0);
        assert!(!answer.out.contains("Apply this?"));
        let answer = program.typed(&["import", "absent.csv"], "y").ends(1).says(&["file-unreadable"]);
        assert!(!answer.out.contains("Apply this?"));
    });
}

/// The question does not change the exit codes.
#[test]
fn a_terminal_exits_as_a_pipe_does() {
    on_the_sample(async |_, program| {
        program.typed(&["import", &sample("flatfile-erreurs-20261121.txt")], "y").ends(4).says(&["run 1, import"]);
        program.write("empty.csv", "");
        program.typed(&["import", "empty.csv"], "y").ends(3).says(&["HELD", "enrold approve 2"]);
    });
}

#[test]
fn approve_rehearses_and_asks() {
    on_the_sample(async |mut site: Site, program| {
        let held = ["--set", "guard.run.creations_max=1", "import", "--yes"];
        program.write(
            "two.csv",
            "operation,username,course,role\nadd,oharas26,L1-ECO-101,student\nadd,simona26,L1-ECO-101,student\n",
        );
        program.run(&[&held[..], &["two.csv"]].concat()).ends(3);
        let before = site.dump().await;
        program.typed(&["approve", "1"], "n").ends(1).says(&["2 (planned)", "Apply this? [y/N]"]);
        site.nothing_changed(&before, "answered no").await;
        assert_eq!(program.json(&["runs", "1"]).1["state"], "held");
        program.typed(&["approve", "1"], "y").ends(0).says(&["run 2, approve two.csv: done"]);
    });
}

/// What a terminal shows at the end: without its sequences for colours, and without lines that were erased.
fn shown(out: &str) -> Vec<String> {
    let mut lines = out.to_owned();
    for code in ["\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"] {
        lines = lines.replace(code, "");
    }
    lines.lines().filter_map(|line| line.rsplit("\r\x1b[K").next()).map(str::to_owned).collect()
}

#[test]
fn reports_fit_eighty_columns() {
    on_the_sample(async |_, program| {
        let file = departures(&program);
        program.run(&["import", &file]).ends(3);
        for locale in ["locale=en", "locale=fr"] {
            let program = program.clone().set(locale);
            for words in [
                &["sync", "cohort", "meta", "--simulate"][..],
                &["import", "--yes", "--simulate", &sample("enrols-erreurs-20261121.csv")],
                &["approve", "2", "--simulate"],
                &["runs"],
                &["runs", "2"],
            ] {
                let lines = shown(&program.typed(words, "").out);
                // The file of a test has a long name.
                let wide = |line: &&String| line.chars().count() > 80 && !line.contains('/');
                assert_eq!(lines.iter().find(wide), None, "{words:?}: {lines:#?}");
            }
        }
        let whole = program.run(&["approve", "2", "--simulate"]).ends(4);
        whole.says(&["no account matches username=nobody99; create the account or correct the line\n"]);
    });
}

#[test]
fn colours_have_a_meaning() {
    on_the_sample(async |_, program| {
        let file = departures(&program);
        program.write("empty.csv", "");
        let held = program.typed(&["import", "--yes", &file], "").ends(3);
        held.says(&["\x1b[1mrun 2, import departures.csv: HELD", "\x1b[31m  user-unknown", "\x1b[1m  ! guard: "]);
        let plain = program.clone().env("NO_COLOR", "1").typed(&["runs", "2"], "").ends(0);
        assert!(!plain.out.contains('\x1b'), "{:?}", plain.out);
        program
            .typed(&["import", "--yes", "absent.csv"], "")
            .ends(1)
            .says(&["\x1b[31mrun 3, import absent.csv: FAILED"]);
        let piped = program.run(&["runs", "2"]).ends(0);
        assert!(!piped.out.contains('\x1b') && !piped.log.contains('\x1b'));
    });
}

#[test]
fn progress_is_shown_and_erased() {
    on_the_sample(async |mut site: Site, program| {
        one(&program);
        let words = ["import", "--yes", "--simulate", "one.csv"];
        for quiet in [&["-q"][..], &["--json"]] {
            let answer = program.typed(&[quiet, &words].concat(), "").ends(0);
            assert!(!answer.out.contains("\x1b[K"), "{:?}", answer.out);
        }
        let piped = program.run(&words).ends(0);
        assert!(!(piped.out + &piped.log).contains(['\r', '\x1b']));
        let french = program.clone().set("locale=fr").typed(&words, "").ends(0);
        french.says(&["100 %  lecture", "application de 1 modifications", "\r\x1b[Kimport one.csv: simulée"]);
        program.typed(&["import", "--yes", "one.csv"], "").ends(0).says(&[
            "\r\x1b[K[####################] 100 %  reading\r\x1b[Kplanning\r\x1b[K",
            "\r\x1b[K[                    ]   0 %  applying 1 changes\r",
            "\r\x1b[K[####################] 100 %  import\r",
            "\r\x1b[K[####################] 100 %  flags and log events\r",
            // The report begins on an empty line.
            "\r\x1b[Krun 1, import one.csv: done",
        ]);
        // And so does an error.
        site.sql("ALTER TABLE {role_assignments} RENAME COLUMN sortorder TO elsewhere").await;
        program.write("two.csv", "operation,username,course,role\nadd,simona26,L1-ECO-101,student\n");
        let failed = program.typed(&["import", "--yes", "two.csv"], "").ends(1);
        failed.says(&["applying 1 changes", "\r\x1b[K\x1b[31menrold: "]);
    });
}

/// Foreign texts come from files and from the site's own tables.
#[test]
fn nothing_foreign_moves_the_cursor() {
    on_the_sample(async |mut site: Site, program| {
        let file = departures(&program);
        site.sql("UPDATE {course} SET shortname = 'L1\u{1b}[2J\u{9b}31m' WHERE shortname = 'L1-MATH-101'").await;
        program.write("other.csv", "operation,username,course,role\ndel,moreaul26,L1\u{1b}[2J,student\n");
        let text = std::fs::read_to_string(program.dir.join(&file)).unwrap();
        program.write("renamed.csv", text.replace("L1-MATH-101", "L1\u{1b}[2J\u{9b}31m"));
        for words in [&["import", "--yes", "other.csv"][..], &["import", "--yes", "renamed.csv"], &["runs", "3"]] {
            let answer = program.run(words);
            let all = answer.out + &answer.log;
            assert!(!all.contains(['\u{1b}', '\u{9b}']), "{words:?}: {all:?}");
        }
        program.run(&["runs", "3"]).says(&["course L1\u{fffd}[2J\u{fffd}31m"]);
    });
}

#[test]
fn twenty_limits_are_shown_and_all_are_counted() {
    on_the_sample(async |mut site: Site, program| {
        site.sql(
            "INSERT INTO {course} (category, fullname, shortname, idnumber)
             SELECT category, fullname, shortname || '-2', '' FROM {course} WHERE id > 1",
        )
        .await;
        site.sql(
            "INSERT INTO {context} (contextlevel, instanceid, path, depth)
             SELECT 50, id, '/1/' || (id + 1000), 2 FROM {course} WHERE shortname LIKE '%-2'",
        )
        .await;
        let mut text = "operation,username,course,role\n".to_owned();
        let names = "SELECT shortname FROM {course} WHERE id > 1 AND shortname NOT LIKE '%\u{e9}%' ORDER BY id";
        for row in site.conn.rows(names, &Params::new()).await.unwrap() {
            text += &format!("add,oharas26,{0},student\nadd,simona26,{0},student\n", row.text(0));
        }
        program.write("many.csv", text);
        let strict = program.clone().set("guard.course.creations_max=1").set("guard.run.creations_max=0");
        let (_, held) = strict.json(&["import", "many.csv"]);
        let all = held["breaches"].as_array().unwrap().len();
        assert!(all > 20, "{held:#}");
        let sum = format!("  ! guard: {all} limits are passed in all; {} of them are not shown here", all - 20);
        for words in [&["import", "many.csv"][..], &["runs", "1"]] {
            let answer = strict.run(words);
            assert_eq!(answer.out.matches("  ! guard: ").count(), 21, "{}", answer.out);
            assert!(answer.out.contains(&sum), "{}", answer.out);
        }
    });
}

/// Only what is printed on a terminal, and only if no layer sets `locale`.
#[test]
fn the_environment_chooses_the_language() {
    on_the_sample(async |_, program| {
        let file = departures(&program);
        let words = ["import", "--yes", "--simulate", &file];
        let french = "simulée, rien n'est appliqué";
        let english = "simulated, nothing is applied";
        let with = |variables: &[(&str, &str)]| {
            variables.iter().fold(program.clone(), |program, (name, value)| program.env(name, value))
        };
        for (variables, expected) in [
            (&[("LANG", "fr_FR.UTF-8")][..], french),
            (&[("LANG", "C"), ("LC_MESSAGES", "fr_CA")], french),
            (&[("LANG", "C"), ("LC_ALL", "fr")], french),
            (&[("LANG", "fr_FR.UTF-8"), ("LC_ALL", "C.UTF-8")], english),
            (&[("LANG", "fr_FR.UTF-8"), ("LC_MESSAGES", "en_GB")], english),
            (&[("LANG", "fr_FR.UTF-8"), ("LC_ALL", "")], french),
            (&[("LANG", "de_DE")], english),
        ] {
            with(variables).typed(&words, "").ends(3).says(&[expected]);
        }
        let fr = with(&[("LANG", "fr_FR.UTF-8")]);
        fr.clone().set("locale=en").typed(&words, "").ends(3).says(&[english]);
        fr.run(&words).ends(3).says(&[english]);
        fr.typed(&["--json", "import", "--simulate", &file], "").ends(3).says(&["line 11: no account matches"]);
        program.write("wrong.csv", "operation,username,course,role\nadd,nobody99,L1-MATH-101,student\n");
        let text = std::fs::read(program.dir.join("wrong.csv")).unwrap();
        program.drop_file("wrong.csv", text);
        let inbox = format!("inbox.path={}", program.inbox().display());
        fr.clone().set(&inbox).set("inbox.settle=0").typed(&["run", "--once"], "").ends(4);
        let list = std::fs::read_to_string(program.inbox().join("wrong.csv.errors.csv")).unwrap();
        assert!(list.contains("no account matches"), "{list}");
    });
}
