//! The spool of the hook: which runs write a file, its content, and that no crash loses it.
//! It must not test how the files are processed; the hook's own tests do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use enrold::db::Params;
use enrold::outcome::{Note, Report, State};
use serde_json::json;

use crate::campus::{course, user};
use crate::flatfile_last::participants;
use crate::meanwhile::When;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_run_leaves_what_it_changed,
    runs_without_changes_leave_nothing,
    an_approved_run_leaves_its_file,
    a_missing_spool_is_caught_up,
    a_crash_before_the_file_loses_nothing,
    a_crash_after_the_file_writes_it_again,
    four_statements_for_any_number_of_users,
);

impl Site {
    /// Configures a spool beside the state directory without creating it.
    fn spool(&mut self) -> PathBuf {
        let spool = self.engine().settings.state.path.with_file_name("spool");
        self.set("hook.spool", &spool.display().to_string());
        spool
    }

    /// The same, and creates it.
    fn spool_made(&mut self) -> PathBuf {
        let spool = self.spool();
        fs::create_dir(&spool).unwrap();
        spool
    }

    async fn pending(&mut self) -> i64 {
        self.conn.number("SELECT COUNT(*) FROM {enrold_run} WHERE effects = 1", &Params::new()).await.unwrap()
    }
}

/// All names in a directory, including hidden ones.
fn names(dir: &PathBuf) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn effects_pending(report: &Report) -> Option<&str> {
    report.notes.iter().find_map(|note| match note {
        Note::EffectsPending(why) => Some(why.as_str()),
        _ => None,
    })
}

async fn a_run_leaves_what_it_changed(mut site: Site) {
    participants(&mut site).await;
    let spool = site.spool_made();
    let file = site.write("del,student,u2,c1\nadd,student,u3,c3\nadd,student,nobody,c2\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!((report.state, &report.notes), (State::DoneWithErrors, &vec![]));
    assert_eq!(names(&spool), ["0000000001.json"]);
    let path = spool.join("0000000001.json");
    let source = json!(file.path.display().to_string());
    let (courses, users) = (format!("{},{}", course(1), course(3)), format!("{},{}", user(2), user(3)));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!(
            "{{\"version\":1,\"run\":1,\"kind\":\"import\",\"source\":{source},\"clock\":{NOW},\
             \"courses\":[{courses}],\"users\":[{users}],\"groups\":[11,21]}}\n"
        )
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660, "the group may read and delete it");
    assert_eq!(site.pending().await, 0);
}

async fn runs_without_changes_leave_nothing(mut site: Site) {
    site.campus().await;
    let spool = site.spool_made();
    let file = site.write("add,student,u1,c1\n");
    site.engine().import(&file, true).await.unwrap();
    assert_eq!(names(&spool), [""; 0], "a simulation");
    site.set("guard.mode", "hold");
    for key in ["guard.run.creations_percent", "guard.run.at_least"] {
        site.set(key, "0");
    }
    site.set("guard.run.creations_max", "1");
    assert_eq!(site.import_once("add,student,u1,c1\nadd,student,u2,c1\n").await.state, State::Held);
    assert_eq!(names(&spool), [""; 0], "a held run");
    site.import_once("add,student,nobody,c1\n").await;
    assert_eq!(names(&spool), [""; 0], "a run whose lines all failed");
    let done = site.engine().import(&file, false).await.unwrap().run;
    let only = [format!("{done:010}.json")];
    assert_eq!(names(&spool), only);
    site.engine().import(&file, false).await.unwrap();
    site.engine().sync_flatfile(false).await.unwrap();
    assert_eq!(names(&spool), only, "the same file again, and a task with nothing to do");
}

async fn an_approved_run_leaves_its_file(mut site: Site) {
    site.campus().await;
    let spool = site.spool_made();
    site.set("guard.mode", "hold");
    for key in ["guard.run.creations_percent", "guard.run.at_least"] {
        site.set(key, "0");
    }
    site.set("guard.run.creations_max", "1");
    let held = site.import_once("add,student,u1,c1\nadd,student,u2,c1\n").await;
    assert_eq!(held.state, State::Held);
    let approved = site.engine().approve(held.run).await.unwrap();
    assert_eq!(names(&spool), [format!("{:010}.json", approved.run)]);
    let text = fs::read_to_string(spool.join(format!("{:010}.json", approved.run))).unwrap();
    let spooled: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&spooled["kind"], &spooled["users"]), (&json!("approve"), &json!([user(1), user(2)])));
}

/// The run is committed; the next one writes the missing file, even if an attempt failed at the last step.
async fn a_missing_spool_is_caught_up(mut site: Site) {
    site.campus().await;
    let spool = site.spool();
    let first = site.import_once("add,student,u1,c1\n").await;
    assert_eq!(first.state, State::Done);
    let why = effects_pending(&first).expect("a note").to_owned();
    assert!(why.contains(&spool.display().to_string()) && why.contains("empty hook.spool"), "{why}");
    assert_eq!((site.pending().await, site.events().await.len()), (1, 3), "all but the file is written");
    // A directory with the name of the first run's file.
    fs::create_dir_all(spool.join("0000000001.json")).unwrap();
    let second = site.import_once("add,student,u2,c2\n").await;
    assert_eq!(second.state, State::Done);
    assert!(effects_pending(&second).is_some(), "it tells of the first run");
    assert_eq!((site.pending().await, site.events().await.len()), (1, 6), "its own effects are written");
    assert_eq!(names(&spool), ["0000000001.json", "0000000002.json"], "and no draft is left");
    fs::remove_dir(spool.join("0000000001.json")).unwrap();
    let third = site.import_once("add,student,u2,c2\n").await;
    assert_eq!(third.notes, []);
    assert_eq!((site.pending().await, site.events().await.len()), (0, 6), "no event twice");
    assert_eq!(names(&spool), ["0000000001.json", "0000000002.json"]);
    assert!(fs::read_to_string(spool.join("0000000001.json")).unwrap().contains("\"run\":1,"));
}

async fn a_crash_before_the_file_loses_nothing(mut site: Site) {
    site.campus().await;
    let spool = site.spool_made();
    for (when, file) in [(When::Committed, "add,student,u1,c1\n"), (When::Effects(1), "add,student,u2,c1\n")] {
        site.import_until(when, file).await;
        let run = site.last_run().await;
        let name = format!("{run:010}.json");
        assert!(!names(&spool).contains(&name), "{name}");
        // A partial draft, as a power failure can leave it.
        fs::write(spool.join(format!(".{name}")), "{\"vers").unwrap();
        site.lease_runs_out().await;
        site.engine().sync_flatfile(false).await.unwrap();
        assert!(names(&spool).contains(&name), "{name}");
    }
    assert_eq!(names(&spool).len(), 2, "no draft is left");
}

async fn a_crash_after_the_file_writes_it_again(mut site: Site) {
    site.campus().await;
    let spool = site.spool_made();
    site.import_until(When::Spooled, "add,student,u1,c1\n").await;
    let path = spool.join("0000000001.json");
    let first = fs::read_to_string(&path).unwrap();
    // The hook has already processed the file.
    fs::remove_file(&path).unwrap();
    site.lease_runs_out().await;
    site.engine().sync_flatfile(false).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    assert_eq!((names(&spool).len(), site.pending().await), (1, 0));
}

async fn four_statements_for_any_number_of_users(mut site: Site) {
    site.campus().await;
    let file = |whither: &str| (1..=9).map(|who| format!("add,student,u{who},{whither}\n")).collect::<String>();
    let plain = site.import_once(&file("c1")).await;
    site.spool_made();
    let spooled = site.import_once(&file("c2")).await;
    assert_eq!(spooled.statements, plain.statements + 4);
}
