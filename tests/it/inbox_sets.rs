//! Full sets in the drop directory: which files form one, when it is complete, and its outcome and that of held ones.
//! It must not test the effects of a set on the site beyond who is enrolled.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;

use enrold::db::Params;
use sha2::{Digest, Sha256};

use crate::inbox::report;
use crate::program::{Program, on_the_sample};
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server};

on_each_database!(a_good_set_supersedes_a_held_one, a_stale_feed_is_told_once);

const NEVER: &str = "inbox.settle=3600";
const PEOPLE: [&str; 4] = ["moreaul26", "simona26", "laurentn26", "lefebvrei26"];

/// A source with files of these names.
pub async fn source(site: &mut Site, program: &Program, files: &str) -> Program {
    site.sql("UPDATE {config} SET value = 'manual,flatfile,database' WHERE name = 'enrol_plugins_enabled'").await;
    let program = program.clone().set("inbox.rescan=3600").set("sources.night.default_role=student");
    let keys = ["user_key=username", "course_key=shortname", "guard.unknown_percent=100", &format!("files={files}")];
    keys.iter().fold(program, |program, key| program.set(&format!("sources.night.{key}")))
}

/// A set of the first users.
pub fn set(people: usize) -> String {
    set_of(&PEOPLE[..people])
}

fn set_of(people: &[&str]) -> String {
    let rows = people.iter().map(|name| format!("{name},L1-MATH-101\n"));
    std::iter::once("user,course\n".to_owned()).chain(rows).collect()
}

pub fn line(name: &str, people: usize, text: &str) -> String {
    format!("{name},{people},{:x}\n", Sha256::digest(text))
}

/// The names with this beginning, without reports.
pub fn lying(program: &Program, begin: &str) -> Vec<String> {
    let all = names(&program.inbox()).into_iter();
    all.filter(|name| name.starts_with(begin) && !name.contains(".report.json")).collect()
}

impl Site {
    pub async fn of_sets(&mut self) -> i64 {
        let sql = "SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid WHERE e.enrol = 'database' AND x.status = 0";
        self.conn.number(sql, &Params::new()).await.unwrap()
    }
}

#[test]
fn a_file_of_a_source_is_a_set_and_any_other_a_flat_file() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "night-*.csv").await.set(NEVER);
        let mut daemon = program.lead();
        program.drop_file("night-1.csv", set(2) + "nobody99,L1-MATH-101\n");
        daemon.until_there("night-1.csv.done");
        daemon.is_well("flat.csv");
        let told = report(&daemon.inbox, "night-1.csv.report.json");
        assert_eq!((&told["kind"], &told["state"]), (&"sync night".into(), &"done-with-errors".into()));
        let errors = fs::read_to_string(daemon.inbox.join("night-1.csv.errors.csv")).unwrap();
        let row = "night-1.csv,4,user-unknown,";
        assert!(
            errors.starts_with(&format!("file,line,code,message\n{row}")) && errors.lines().count() == 2,
            "{errors}"
        );
        assert!(!daemon.inbox.join("night-1.csv.retry.csv").exists(), "a row of a set is no order");
        program.drop_file("night-2.csv", "username,nothing\nx,y\n");
        daemon.until_there("night-2.csv.failed");
        assert_eq!(site.told_runs().await, ["night-1.csv done-with-errors", "flat.csv done", "night-2.csv failed"]);
        assert_eq!(site.of_sets().await, 2);
    });
}

/// The set files come first, the manifest before the last of them, which first has the wrong content.
#[test]
fn a_manifest_waits_for_its_files() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "s-*.csv,s-*.manifest.csv").await.set(NEVER);
        let mut daemon = program.lead();
        let (one, two) = (set_of(&PEOPLE[..2]), set_of(&PEOPLE[2..]));
        program.drop_file("s-a.csv", &one);
        daemon.until_logged("s-a.csv waits: no manifest names it yet");
        let lines = ["file,rows,sha256\n".to_owned(), line("s-a.csv", 2, &one), line("s-b.csv", 2, &two)];
        program.drop_file("s-1.manifest.csv", lines.concat());
        daemon.until_logged("s-1.manifest.csv waits: s-b.csv is not there yet");
        program.drop_file("s-b.csv", &one);
        daemon.until_logged("s-1.manifest.csv waits: s-b.csv has the sha256");
        daemon.is_well("flat.csv");
        assert_eq!(lying(&program, "s-"), ["s-1.manifest.csv", "s-a.csv", "s-b.csv"]);
        program.drop_file("s-b.csv", &two);
        daemon.until_there("s-1.manifest.csv.done");
        assert_eq!(lying(&program, "s-"), ["s-1.manifest.csv.done", "s-a.csv.done", "s-b.csv.done"]);
        assert_eq!(
            (site.told_runs().await, site.of_sets().await),
            (vec!["flat.csv done".into(), "s-1.manifest.csv done".into()], 4)
        );
        // All files of a held set get its outcome as a suffix.
        program.drop_file("s-a.csv", set(1));
        program.drop_file("s-2.manifest.csv", format!("file,rows,sha256\n{}", line("s-a.csv", 1, &set(1))));
        daemon.until_there("s-2.manifest.csv.held");
        assert!(daemon.inbox.join("s-a.csv.held").exists());
        let run = site.last_run().await.to_string();
        daemon.stop();
        let here = program.clone().set(&format!("inbox.path={}", program.inbox().display()));
        here.run(&["reject", &run]).ends(0);
        assert!(lying(&program, "s-").contains(&"s-a.csv.rejected".to_owned()), "{:?}", lying(&program, "s-"));
        assert!(lying(&program, "s-").contains(&"s-2.manifest.csv.rejected".to_owned()));
    });
}

#[test]
fn a_seal_is_believed_only_if_it_is_true() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "night.csv").await.set(NEVER);
        let mut daemon = program.lead();
        program.drop_file("night.csv.ok", format!("rows=2 sha256={:x}", Sha256::digest("half")));
        program.drop_file("night.csv", set(2));
        daemon.until_logged("night.csv waits: night.csv has the sha256");
        daemon.is_well("flat.csv");
        program.drop_file("night.csv.ok", format!("rows=2 sha256={:x}", Sha256::digest(set(2))));
        daemon.until_there("night.csv.done");
        assert_eq!(lying(&program, "night"), ["night.csv.done", "night.csv.ok.done"]);
        assert_eq!(site.of_sets().await, 2);
    });
}

/// A held flat file stays held: a set does not replace its lines.
async fn a_good_set_supersedes_a_held_one(mut site: Site) {
    let program = site.sampled().await;
    let program = source(&mut site, &program, "night-*.csv").await.set(NEVER);
    let mut daemon = program.lead();
    for (name, people, end) in [("night-1.csv", 4, "done"), ("night-2.csv", 1, "held")] {
        program.drop_file(name, set(people));
        daemon.until_there(&format!("{name}.{end}"));
    }
    program.drop_file("flat.csv", "");
    daemon.until_there("flat.csv.held");
    program.drop_file("night-3.csv", set(4));
    daemon.until_there("night-3.csv.done");
    daemon.until_there("night-2.csv.rejected");
    assert!(daemon.inbox.join("flat.csv.held").exists());
    let last = site.last_run().await;
    let sql = "SELECT message FROM {enrold_run} WHERE state = 'rejected'";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.text(0)).collect::<Vec<_>>(), [format!("superseded by run {last}")]);
    let expected = ["night-1.csv done", "night-2.csv rejected", "flat.csv held", "night-3.csv done"];
    assert_eq!((site.told_runs().await.join("; "), site.of_sets().await), (expected.join("; "), 4));
}

#[test]
fn a_oneroster_archive_is_a_set() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "school-*.zip").await.set(NEVER);
        let program = program.set("sources.night.format=oneroster").set("sources.night.roles=student = student");
        let mut daemon = program.lead();
        let header = "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n";
        let rows = PEOPLE.map(|name| format!("e-{name},,,L1-MATH-101,,{name},student,,,\n")).concat();
        let users = "sourcedId,status,dateLastModified,enabledUser,username\n".to_owned()
            + &PEOPLE.map(|name| format!("{name},,,true,{name}\n")).concat();
        let classes = "sourcedId,status,dateLastModified,title,classCode,courseSourcedId\nL1-MATH-101,,,x,x,\n";
        let files = "file.enrollments,bulk\nfile.users,bulk\nfile.classes,bulk\n";
        let manifest = format!("propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n{files}");
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let entries = [("manifest.csv", manifest), ("enrollments.csv", header.to_owned() + &rows)];
        for (name, text) in entries.into_iter().chain([("users.csv", users), ("classes.csv", classes.to_owned())]) {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        program.drop_file("school-1.zip", zip.finish().unwrap().into_inner());
        daemon.until("its end", || {
            lying(&program, "school").iter().any(|name| name != "school-1.zip" && !name.ends_with(".work"))
        });
        assert!(daemon.inbox.join("school-1.zip.done").exists(), "{:?}\n{}", lying(&program, "school"), daemon.log());
        assert_eq!(site.of_sets().await, 4);
    });
}

/// Killed between commit and report, and between the renames of the set files.
#[test]
fn a_set_is_applied_once_whenever_the_daemon_dies() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "s-*.csv,s-*.manifest.csv").await.set(NEVER);
        for (night, step) in ["committed", "run-ended", "renamed", "claimed"].into_iter().enumerate() {
            let (one, two) = (set_of(&PEOPLE[..2]), set_of(&PEOPLE[2..]));
            let (a, b, manifest) =
                (format!("s-{night}a.csv"), format!("s-{night}b.csv"), format!("s-{night}.manifest.csv"));
            program.drop_file(&a, &one);
            program.drop_file(&b, &two);
            let lines = ["file,rows,sha256\n".to_owned(), line(&a, 2, &one), line(&b, 2, &two)];
            program.drop_file(&manifest, lines.concat());
            let trapped = program.clone().set("inbox.settle=0").env("ENROLD_KILL_AT", step);
            let mut killed = trapped.start();
            assert_eq!(killed.ended().signal(), Some(9), "{step}: {}", killed.log());
            let mut daemon = program.clone().set("inbox.settle=0").start();
            daemon.until_there(&format!("{manifest}.done"));
            daemon.stop();
            assert_eq!(
                lying(&program, &format!("s-{night}")),
                [format!("{manifest}.done"), format!("{a}.done"), format!("{b}.done")],
                "{step}"
            );
            assert_eq!(site.told_runs().await.len(), night + 1, "{step}");
        }
        assert_eq!(site.of_sets().await, 4);
    });
}

/// Each daemon logs it, one mail is sent whichever daemon finds it, and the commands report it.
async fn a_stale_feed_is_told_once(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    let program = site.sampled().await;
    let program = source(&mut site, &program, "night-*.csv").await.set(NEVER).set("sources.night.stale_after=2d");
    let program =
        program.set("sources.night.mail_to=it@example.org").set("smtp.enabled=true").set("smtp.security=none");
    let program = program.set("smtp.from=noreply@example.com").set(&format!("smtp.port={}", server.port));
    let told = |program: &Program| {
        let (_, tasks) = program.json(&["tasks"]);
        let night = tasks.as_array().unwrap().iter().find(|task| task["name"] == "night").unwrap().clone();
        (night["stale"].clone(), night["last_set"].clone())
    };
    assert_eq!(told(&program), ("never".into(), serde_json::Value::Null));
    let mut daemon = program.lead();
    program.drop_file("night-1.csv", set(2));
    daemon.until_there("night-1.csv.done");
    assert!(!daemon.stop().contains("is stale"));
    assert_eq!(told(&program), (serde_json::Value::Null, NOW.into()));
    let later = program.at(NOW + 3 * 86_400);
    for turn in 1..=2 {
        let mut daemon = later.lead();
        daemon.until_logged("the source night is stale: no new good set for 72 h");
        daemon.until("the mail", || server.taken().len() == 1);
        if turn == 2 {
            program.drop_file("night-2.csv", set(2));
            daemon.until_logged("the source night is fresh again");
        } else {
            later.run(&["tasks"]).ends(0).says(&["  its files", "  ! no new good set for 72 h"]);
            later.run(&["doctor"]).says(&["source-stale", "source night is stale: no new good set for 72 h"]);
        }
        let log = daemon.stop();
        assert_eq!(log.matches("is stale").count(), 1, "{log}");
    }
    let later = later.set("sources.night.same_bytes_days=3").set("locale=fr");
    let mut daemon = later.lead();
    daemon.until_logged("the source night is stale: its sets have been the same, byte for byte, for 3 days");
    daemon.until("the second mail", || server.taken().len() == 2);
    daemon.stop();
    assert_eq!(told(&later).0, "same");
    let bodies: Vec<String> = server.taken().iter().map(|mail| mail.body().replace("\r\n", "\n")).collect();
    for (body, texts) in bodies.iter().zip([
        ["source night is stale: no new good set for 72 h", "applied on 2026-11-21 11:00 +01:00 (run "],
        ["octet pour octet, depuis 3 jours", "Le dernier lot valable a été appliqué le 2026-11-24 11:00"],
    ]) {
        assert!(texts.iter().all(|text| body.contains(text)), "{body}");
    }
    assert_eq!(server.recipients(), ["it@example.org", "it@example.org"]);
    let sql = "SELECT COUNT(*) FROM {enrold_outbox} WHERE kind = 'source-stale' AND state = 'sent'";
    assert_eq!(site.conn.number(sql, &Params::new()).await.unwrap(), 2);
}
