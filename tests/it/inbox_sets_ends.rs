//! Outcomes of the files of a dropped set: given back while the method is off, decided while held, archived, deleted.
//! It must not test the effects of a set on the site beyond who is enrolled.

use std::fs;

use crate::inbox::report;
use crate::inbox_sets::{line, lying, set, source};
use crate::program::{Program, on_the_sample};

/// Drops a set of two files for four users, with its manifest.
fn drop_bundle(program: &Program, night: &str, people: usize) -> [String; 3] {
    let names = [format!("s-{night}a.csv"), format!("s-{night}b.csv"), format!("s-{night}.manifest.csv")];
    let (one, two) = (set(people), set(1));
    program.drop_file(&names[0], &one);
    program.drop_file(&names[1], &two);
    let lines = ["file,rows,sha256\n".to_owned(), line(&names[0], people, &one), line(&names[1], 1, &two)];
    program.drop_file(&names[2], lines.concat());
    names
}

/// The set files get their names back, flat files are processed, and the set is applied once the method is enabled.
#[test]
fn a_set_waits_for_its_method() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "s-*.csv,s-*.manifest.csv").await.set("inbox.settle=0");
        site.sql("UPDATE {config} SET value = 'manual,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
        let before = site.of_sets().await;
        let mut daemon = program.lead();
        let names = drop_bundle(&program, "1", 4);
        daemon.until_logged("s-1.manifest.csv waits: the enrolment method is not enabled in Moodle");
        daemon.is_well("flat.csv");
        let log = daemon.stop();
        assert!(!log.contains("flat.csv waits"), "{log}");
        let mut expected = names.to_vec();
        expected.sort();
        assert_eq!((lying(&program, "s-"), site.of_sets().await), (expected, before));
        site.sql("UPDATE {config} SET value = 'manual,flatfile,database' WHERE name = 'enrol_plugins_enabled'").await;
        let mut daemon = program.lead();
        daemon.until_there("s-1.manifest.csv.done");
        daemon.stop();
        assert_eq!(site.of_sets().await, 4);
        assert_eq!(lying(&program, "s-"), ["s-1.manifest.csv.done", "s-1a.csv.done", "s-1b.csv.done"]);
    });
}

/// The set files get their outcome, and the held content is approved, whatever the files contain by then.
#[test]
fn a_held_bundle_is_approved() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "s-*.csv,s-*.manifest.csv").await.set("inbox.settle=0");
        let mut daemon = program.lead();
        drop_bundle(&program, "1", 4);
        daemon.until_there("s-1.manifest.csv.done");
        drop_bundle(&program, "2", 1);
        daemon.until_there("s-2.manifest.csv.held");
        assert_eq!((site.of_sets().await, daemon.inbox.join("s-2a.csv.held").exists()), (4, true));
        let run = site.last_run().await.to_string();
        daemon.stop();
        let here = program.clone().set(&format!("inbox.path={}", program.inbox().display()));
        let places = here.run(&["runs", &run, "--csv"]).ends(0).out;
        let header = "kind,name,added,reactivated,changed,suspended,removed,unchanged,unknown,kept";
        assert_eq!(places.lines().collect::<Vec<_>>(), [header, "course,L1-MATH-101,0,0,0,0,3,1,0,0"]);
        here.run(&["runs", "1", "--csv"]).ends(1).logs(&["run 1 is not one of a full set"]);
        fs::write(program.inbox().join("s-2a.csv.held"), "user,course\n").unwrap();
        let (code, approved) = here.json(&["approve", &run]);
        assert_eq!((code, &approved["set"]["totals"]["removed"]), (0, &3.into()), "{approved:#}");
        assert_eq!(site.of_sets().await, 1);
        // A file with other bytes no longer belongs to that set.
        assert_eq!(lying(&program, "s-2"), ["s-2.manifest.csv.done", "s-2a.csv.held", "s-2b.csv.done"]);
        let told = report(&program.inbox(), "s-2.manifest.csv.report.json");
        assert_eq!(told["state"], "done", "{told:#}");
        let places = here.run(&["runs", &site.last_run().await.to_string(), "--csv"]).ends(0).out;
        assert_eq!(places.lines().nth(1), Some("course,L1-MATH-101,0,0,0,0,3,1,0,0"));
    });
}

#[test]
fn an_applied_bundle_is_archived_or_deleted() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "s-*.csv,s-*.manifest.csv").await.set("inbox.settle=0");
        let archiving = program.clone().set("inbox.done_mode=archive").set("inbox.archive=kept");
        let mut daemon = archiving.lead();
        let names = drop_bundle(&program, "1", 4);
        let month = program.dir.join("state/kept/2026/11");
        let all = || crate::running::names(&month).len() == 3;
        daemon.until("the archive", || month.exists() && all());
        daemon.stop();
        for name in &names {
            let kept = crate::running::names(&month);
            assert!(kept.iter().any(|path| path.ends_with(&format!("_{name}"))), "{name}: {kept:?}");
        }
        assert_eq!(lying(&program, "s-"), Vec::<String>::new());
        let deleting = program.clone().set("inbox.done_mode=delete");
        let mut daemon = deleting.lead();
        drop_bundle(&program, "2", 4);
        daemon.until_there("s-2.manifest.csv.report.json");
        daemon.until("nothing", || lying(&program, "s-").is_empty());
        drop_bundle(&program, "3", 1);
        daemon.until_there("s-3.manifest.csv.held");
        daemon.stop();
        let held = ["s-3.manifest.csv.held", "s-3a.csv.held", "s-3b.csv.held"];
        assert_eq!(
            (lying(&program, "s-"), site.of_sets().await),
            (held.map(str::to_owned).to_vec(), 4),
            "what is not applied stays"
        );
    });
}
