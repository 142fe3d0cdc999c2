//! Questions on a terminal: the simulation is shown, and only a yes applies it.
//! It must not draw anything itself; `script` of util-linux provides the terminal.

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
