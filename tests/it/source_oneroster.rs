//! OneRoster archives through the program, with data sets written after the public specification: bulk and delta, held,
//! approved and rejected, in the drop directory and after a kill. It must not test how a file of an archive is read.

use std::io::{Cursor, Write};
use std::os::unix::process::ExitStatusExt;

use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::program::Program;
use crate::running::names;
use crate::servers::{on_each_database, run_on};
use crate::site::Site;

on_each_database!(
    bulk_and_deltas_come_to_the_same,
    a_held_delta_is_approved_or_rejected,
    a_broken_reference_costs_nobody_a_place,
);

/// The first day of the feed; the others follow.
const DAY: u32 = 10;

/// The files of an archive: name, mode, content.
struct Archive(&'static str, Vec<(&'static str, &'static str, String)>);

impl Archive {
    /// A bulk archive: enrolments as (identifier, class, user), of users 1 to 6 in classes k1 and k2 of one course.
    fn bulk(version: &'static str, enrolments: &[(u32, &str, u32)]) -> Self {
        let users =
            (1..=6).map(|n| format!("s{n},,,true,u{n},,{}\n", if version == "1.1" { "student,o1" } else { "o1" }));
        let classes = "k1,,,Group One,,a1,c1,scheduled,,o1,y1,,,\nk2,,,Group Two,,a1,c2,scheduled,,o1,y1,,,\n";
        let rows = enrolments.iter().map(|(id, class, user)| enrolment(*id, ",", class, *user));
        let files = vec![
            ("orgs", "bulk", "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\no1,,,Science,school,,\n".to_owned()),
            ("courses", "bulk", "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes\na1,,,,Algebra,c1,,o1,,\n".to_owned()),
            ("classes", "bulk", format!("{CLASSES}{classes}")),
            ("users", "bulk", users_of(version) + &users.collect::<String>()),
            ("enrollments", "bulk", format!("{ENROLMENTS}{}", rows.collect::<String>())),
            ("demographics", "bulk", "no table at all".to_owned()),
        ];
        Self(version, files)
    }

    /// The changes of a day: enrolments as (identifier, status, class, user).
    fn delta(day: u32, enrolments: &[(u32, &str, &str, u32)]) -> Self {
        let row = |(id, status, class, user): &(u32, &str, &str, u32)| {
            enrolment(*id, &format!("{status},2026-11-{}T01:00:00Z", DAY + day), class, *user)
        };
        let rows: String = enrolments.iter().map(row).collect();
        Self(
            "1.2",
            vec![
                ("enrollments", "delta", format!("{ENROLMENTS}{rows}")),
                ("academicSessions", "absent", String::new()),
            ],
        )
    }

    fn with(mut self, name: &'static str, mode: &'static str, text: String) -> Self {
        self.1.retain(|(other, ..)| *other != name);
        self.1.push((name, mode, text));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let sent: String = self.1.iter().map(|(name, mode, _)| format!("file.{name},{mode}\n")).collect();
        let manifest = format!("propertyName,value\nmanifest.version,1.0\noneroster.version,{}\n{sent}", self.0);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let files = self.1.iter().filter(|(_, mode, _)| *mode != "absent");
        let files = files.map(|(name, _, text)| (format!("{name}.csv"), text));
        for (name, text) in files.chain([("manifest.csv".to_owned(), &manifest)]) {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

const ENROLMENTS: &str =
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n";
const CLASSES: &str = "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods\n";

fn users_of(version: &str) -> String {
    let more = if version == "1.1" { "role,orgSourcedIds" } else { "primaryOrgSourcedId" };
    format!("sourcedId,status,dateLastModified,enabledUser,username,identifier,{more}\n")
}

fn enrolment(id: u32, status: &str, class: &str, user: u32) -> String {
    format!("e{id},{status},{class},o1,s{user},student,,,\n")
}

/// The first four in one class, the others in another.
const ALL: [(u32, &str, u32); 6] = [(1, "k1", 1), (2, "k1", 2), (3, "k1", 3), (4, "k1", 4), (5, "k2", 5), (6, "k2", 6)];

impl Site {
    async fn school(&mut self) -> Program {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        let keys = ["files=school-*.zip", "format=oneroster", "user_key=username", "columns.user=users.username"];
        let program = Program::on(self).set("inbox.rescan=3600").set("inbox.settle=0");
        let program = program.set("sources.school.columns.course=classes.classCode");
        keys.iter().fold(program, |program, key| program.set(&format!("sources.school.{key}")))
    }
}

/// Imports an archive and returns the result of the run: exit code, state, first code of a problem.
fn import(program: &Program, words: &[&str], archive: &Archive) -> (i32, String, String) {
    program.write("export.zip", archive.bytes());
    let (code, report) = program.json(&[&["import", "--source", "school", "export.zip"], words].concat());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (code, text(&report["state"]), text(&report["problems"][0]["code"]))
}

#[track_caller]
fn applied(program: &Program, archive: &Archive) {
    assert_eq!(import(program, &[], archive), (0, "done".to_owned(), String::new()));
}

/// The number of stored bases.
fn bases(program: &Program) -> usize {
    names(&program.dir.join("state/sets/school")).iter().filter(|name| name.starts_with("roster-")).count()
}

async fn bulk_and_deltas_come_to_the_same(mut site: Site) {
    let program = site.school().await;
    applied(&program, &Archive::bulk("1.1", &ALL));
    let all =
        ["u1 c1 database", "u2 c1 database", "u3 c1 database", "u4 c1 database", "u5 c2 database", "u6 c2 database"];
    assert_eq!(site.enrolments().await, all);
    let before = site.dump().await;
    applied(&program, &Archive::bulk("1.2", &ALL));
    let delta = Archive::delta(1, &[(1, "tobedeleted", "k1", 1), (2, "active", "k2", 2)]);
    assert_eq!(import(&program, &["--simulate"], &delta), (0, "simulated".to_owned(), String::new()));
    site.nothing_changed(&before, "the same set, and a rehearsal").await;
    assert_eq!(bases(&program), 1, "a rehearsal leaves nothing");
    applied(&program, &delta);
    let after = ["u2 c2 database", "u3 c1 database", "u4 c1 database", "u5 c2 database", "u6 c2 database"];
    assert_eq!(site.enrolments().await, after);
    let before = site.dump().await;
    applied(&program, &delta);
    site.nothing_changed(&before, "the same delta").await;
    // Classes in bulk, a user and enrolments as deltas.
    let classes = format!("{CLASSES}k1,,,One,,a1,c3,scheduled,,o1,y1,,,\nk2,,,Two,,a1,c2,scheduled,,o1,y1,,,\n");
    let gone = "s6,tobedeleted,2026-11-12T01:00:00Z,true,u6,,o1\n".to_owned();
    let mixed = Archive::delta(2, &[(7, "active", "k1", 1)]).with("classes", "bulk", classes).with(
        "users",
        "delta",
        users_of("1.2") + &gone,
    );
    applied(&program, &mixed);
    assert_eq!(
        site.enrolments().await,
        ["u1 c3 database", "u2 c2 database", "u3 c3 database", "u4 c3 database", "u5 c2 database"]
    );
    let before = site.dump().await;
    assert_eq!(import(&program, &[], &delta), (1, "failed".to_owned(), "delta-outdated".to_owned()));
    site.nothing_changed(&before, "an older delta").await;
    applied(&program, &Archive::bulk("1.2", &ALL));
    assert_eq!(site.enrolments().await, all);
    assert_eq!(bases(&program), 1);
}

/// The third user is missing, there twice, without the key, or written in another way; the fourth is no longer named.
async fn a_broken_reference_costs_nobody_a_place(mut site: Site) {
    let program = site.school().await.set("guard.mode=off");
    let fewer: Vec<_> = ALL.into_iter().filter(|(id, ..)| *id != 4 && *id != 6).collect();
    let bulk = || Archive::bulk("1.2", &fewer);
    let users = bulk().1.into_iter().find(|(name, ..)| *name == "users").unwrap().2;
    let enrolments = bulk().1.into_iter().find(|(name, ..)| *name == "enrollments").unwrap().2;
    let row = "s3,,,true,u3,,o1\n";
    for (name, text, code) in [
        ("users", users.replace(row, ""), "reference-unknown"),
        ("users", users.clone() + "s3,,,true,u9,,o1\n", "reference-ambiguous"),
        ("users", users.replace(row, "s3,,,true,,,o1\n"), "empty-identifier"),
        ("users", users.replace(row, "S3,,,true,u3,,o1\n"), "reference-unknown"),
        ("enrollments", enrolments.replace(",s3,", ",S3,"), "reference-unknown"),
        ("enrollments", enrolments.replace(",s3,", ",,"), "empty-identifier"),
        ("enrollments", enrolments.replace(",s3,student,", "\n"), "row-ragged"),
        ("users", users.replace(row, "s3,,,true\n"), "row-ragged"),
    ] {
        applied(&program, &Archive::bulk("1.2", &ALL));
        let before = site.dump().await;
        let archive = bulk().with(name, "bulk", text);
        assert_eq!(import(&program, &["--simulate"], &archive).2, code);
        site.nothing_changed(&before, "a rehearsal").await;
        assert_eq!(import(&program, &[], &archive), (4, "done-with-errors".to_owned(), code.to_owned()));
        let expected = ["u1 c1 database", "u2 c1 database", "u3 c1 database", "u4 c1 database", "u5 c2 database"];
        assert_eq!(site.enrolments().await, expected, "{name} {code}: the other course loses its user");
        let after = site.dump().await;
        import(&program, &[], &archive);
        site.nothing_changed(&after, "the same archive").await;
    }
    // The cells cannot be told apart, but name a user.
    applied(&program, &Archive::bulk("1.2", &ALL));
    let torn = enrolments.replace(",s3,student", ",\"s3,student");
    assert_eq!(import(&program, &[], &bulk().with("enrollments", "bulk", torn)).2, "row-ragged");
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 database", "u2 c1 database", "u3 c1 database", "u5 c2 database"],
        "nobody else is kept"
    );
    // A broken class: the user stays everywhere, and the course that no other row names keeps its users.
    applied(&program, &Archive::bulk("1.2", &ALL));
    let broken = enrolments.replace(",k2,", ",k9,");
    assert_eq!(import(&program, &[], &bulk().with("enrollments", "bulk", broken)).2, "reference-unknown");
    let expected = ["u1 c1 database", "u2 c1 database", "u3 c1 database", "u5 c2 database", "u6 c2 database"];
    assert_eq!(site.enrolments().await, expected);
    let gone = users.replace(row, "");
    let off = program.clone().set("sources.school.unknown_protects=off");
    import(&off, &[], &bulk().with("users", "bulk", gone));
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u5 c2 database"]);
}

async fn a_held_delta_is_approved_or_rejected(mut site: Site) {
    let program = site.school().await;
    let leaving: Vec<_> = ALL[..4].iter().map(|(id, class, user)| (*id, "tobedeleted", *class, *user)).collect();
    let exodus = Archive::delta(1, &leaving);
    assert_eq!(import(&program, &[], &exodus), (1, "failed".to_owned(), "base-missing".to_owned()));
    applied(&program, &Archive::bulk("1.2", &ALL));
    let before = site.dump().await;
    assert_eq!(import(&program, &[], &exodus).1, "held");
    let held = site.last_run().await.to_string();
    let next = Archive::delta(2, &[(5, "active", "k1", 5)]);
    let waits = (1, "failed".to_owned(), "set-waits".to_owned());
    assert_eq!(import(&program, &[], &next), waits, "it builds on what is held");
    assert_eq!(import(&program, &["--simulate"], &next), waits);
    assert_eq!(import(&program, &[], &Archive::bulk("1.2", &ALL)), waits, "it does not say what is held");
    assert_eq!(import(&program, &["--simulate"], &Archive::bulk("1.2", &ALL)).1, "simulated");
    site.nothing_changed(&before, "held").await;
    assert_eq!(bases(&program), 2, "that of the last good run, and that of the held one");

    program.run(&["reject", &held]).ends(0);
    applied(&program, &next);
    assert_eq!(site.enrolments().await.len(), 6, "what was rejected is no part of it");
    assert_eq!(bases(&program), 1);

    let later = Archive::delta(3, &leaving);
    assert_eq!(import(&program, &[], &later).1, "held");
    let held = site.last_run().await.to_string();
    program.run(&["approve", &held]).ends(0);
    assert_eq!(site.enrolments().await, ["u5 c1 database", "u6 c2 database"]);
    applied(&program, &Archive::delta(4, &[(6, "active", "k1", 6)]));
    assert_eq!(site.enrolments().await, ["u5 c1 database", "u6 c1 database"], "what was approved is what it builds on");
    assert_eq!(bases(&program), 1);
}

#[test]
fn classes_are_groups_and_who_is_not_enabled_is_suspended() {
    run_on(enrold::db::Dialect::Lite, groups_and_suspensions);
}

async fn groups_and_suspensions(mut site: Site) {
    let program = site.school().await.set("sources.school.columns.course=courses.courseCode");
    let program = program.set("sources.school.columns.group=classes.title").set("sources.school.create_groups=true");
    applied(&program, &Archive::bulk("1.2", &ALL));
    let groups = async |site: &mut Site| {
        let sql = "SELECT u.username, g.name FROM {groups_members} m JOIN {groups} g ON g.id = m.groupid JOIN {user} u ON u.id = m.userid";
        site.lines(sql, |row| format!("{} {}", row.text(0), row.text(1))).await
    };
    let expected = ["u1 Group One", "u2 Group One", "u3 Group One", "u4 Group One", "u5 Group Two", "u6 Group Two"];
    assert_eq!(groups(&mut site).await, expected);
    assert!(site.enrolments().await.iter().all(|line| line.contains(" c1 database")), "one course");
    let off = |enabled: &str| users_of("1.2") + &format!("s1,active,2026-11-12T01:00:00Z,{enabled},u1,,o1\n");
    applied(&program, &Archive::delta(1, &[(2, "active", "k2", 2)]).with("users", "delta", off("false")));
    assert_eq!(groups(&mut site).await[1], "u2 Group Two");
    let suspended = "SELECT u.username FROM {user_enrolments} x JOIN {user} u ON u.id = x.userid WHERE x.status = 1";
    assert_eq!(site.lines(suspended, |row| row.text(0)).await, ["u1"]);
    applied(&program, &Archive::delta(3, &[(2, "active", "k2", 2)]).with("users", "delta", off("true")));
    assert!(site.lines(suspended, |row| row.text(0)).await.is_empty());
    let left_out = program.clone().set("sources.school.disabled_users=leave_out");
    applied(&left_out, &Archive::delta(4, &[(2, "active", "k2", 2)]).with("users", "delta", off("false")));
    assert_eq!(site.enrolments().await.len(), 5);
}

#[test]
fn schools_are_cohorts() {
    run_on(enrold::db::Dialect::Lite, cohorts);
}

async fn cohorts(mut site: Site) {
    let program = site.school().await.set("sources.school.target=cohorts").set("sources.school.create_cohorts=true");
    let program =
        program.set("sources.school.columns.cohort=orgs.sourcedId").set("sources.school.columns.name=orgs.name");
    applied(&program, &Archive::bulk("1.1", &ALL));
    let members = "SELECT u.username, c.name, c.idnumber FROM {cohort_members} m JOIN {cohort} c ON c.id = m.cohortid JOIN {user} u ON u.id = m.userid";
    let member = |row: &enrold::db::Row| format!("{} {} {}", row.text(0), row.text(1), row.text(2));
    assert_eq!(site.lines(members, member).await.len(), 6);
    applied(&program, &Archive::delta(1, &[(1, "tobedeleted", "k1", 1)]));
    assert_eq!(site.lines(members, member).await[0], "u2 Science o1");
    let before = site.dump().await;
    applied(&program, &Archive::delta(1, &[(1, "tobedeleted", "k1", 1)]));
    site.nothing_changed(&before, "the same delta").await;
}

/// The names in the drop directory without reports and locks.
fn lying(program: &Program) -> Vec<String> {
    let all = names(&program.inbox()).into_iter();
    all.filter(|name| name.starts_with("school") && !name.contains(".report.json")).collect()
}

#[test]
fn what_comes_after_a_held_delta_waits_in_its_order() {
    run_on(enrold::db::Dialect::Lite, async |mut site: Site| {
        let program = site.school().await;
        let mut daemon = program.clone().set("inbox.settle=3600").lead();
        let leaving: Vec<_> = ALL[..4].iter().map(|(id, class, user)| (*id, "tobedeleted", *class, *user)).collect();
        program.drop_file("school-1.zip", Archive::bulk("1.2", &ALL).bytes());
        daemon.until_there("school-1.zip.done");
        program.drop_file("school-2.zip", Archive::delta(1, &leaving).bytes());
        daemon.until_there("school-2.zip.held");
        let held = site.last_run().await;
        program.drop_file("school-3.zip", Archive::delta(2, &[(5, "active", "k1", 5)]).bytes());
        daemon.until_logged(&format!("school-3.zip waits: run {held} of source school is held and comes first"));
        program.drop_file("school-4.zip", Archive::delta(3, &[(5, "active", "k2", 5), (6, "active", "k1", 6)]).bytes());
        daemon.is_well("flat.csv");
        assert_eq!(lying(&program), ["school-1.zip.done", "school-2.zip.held", "school-3.zip", "school-4.zip"]);
        assert_eq!(site.enrolments().await.len(), 6);
        program.run(&["approve", &held.to_string()]).ends(0);
        daemon.until_there("school-4.zip.done");
        assert_eq!(lying(&program), [1, 2, 3, 4].map(|n| format!("school-{n}.zip.done")));
        assert_eq!(site.enrolments().await, ["u5 c2 database", "u6 c1 database"]);
        let log = daemon.stop();
        assert!(!log.contains("school-4.zip waits"), "it stands behind the other: {log}");
    });
}

/// After a kill at any step, the next delta finds its base.
#[test]
fn a_kill_loses_no_delta() {
    run_on(enrold::db::Dialect::Lite, async |mut site: Site| {
        let program = site.school().await;
        applied(&program, &Archive::bulk("1.2", &ALL));
        let mut expected = site.enrolments().await;
        for (day, step) in (1..).zip(["run-opened", "committing", "committed", "run-ended", "renamed"]) {
            let (name, user) = (format!("school-{day}.zip"), day);
            program.drop_file(&name, Archive::delta(day, &[(user, "active", "k2", user)]).bytes());
            let mut killed = program.clone().env("ENROLD_KILL_AT", step).start();
            assert_eq!(killed.ended().signal(), Some(9), "{step}: {}", killed.log());
            let mut daemon = program.lead();
            daemon.until_there(&format!("{name}.done"));
            daemon.stop();
            if let Some(line) = expected.iter_mut().find(|line| line.starts_with(&format!("u{user} "))) {
                *line = format!("u{user} c2 database");
            }
            assert_eq!(site.enrolments().await, expected, "{step}");
        }
        let done = site
            .lines("SELECT id FROM {enrold_run} WHERE state = 'done' AND kind = 'sync school'", |row| row.text(0))
            .await;
        assert_eq!(done.len(), 6, "each came to one run");
        assert_eq!(bases(&program), 1);
    });
}

#[test]
fn a_kill_at_a_held_delta_leaves_it_to_be_decided() {
    run_on(enrold::db::Dialect::Lite, async |mut site: Site| {
        let program = site.school().await;
        applied(&program, &Archive::bulk("1.2", &ALL));
        let leaving: Vec<_> = ALL[..4].iter().map(|(id, class, user)| (*id, "tobedeleted", *class, *user)).collect();
        program.drop_file("school-1.zip", Archive::delta(1, &leaving).bytes());
        let mut killed = program.clone().env("ENROLD_KILL_AT", "held-kept").start();
        assert_eq!(killed.ended().signal(), Some(9), "{}", killed.log());
        let mut daemon = program.start();
        daemon.until_there("school-1.zip.held");
        daemon.stop();
        let held = site.last_run().await.to_string();
        program.run(&["approve", &held]).ends(0);
        assert_eq!(site.enrolments().await, ["u5 c2 database", "u6 c2 database"]);
        applied(&program, &Archive::delta(2, &[(5, "active", "k1", 5)]));
        assert_eq!(site.enrolments().await, ["u5 c1 database", "u6 c2 database"]);
    });
}

#[test]
fn a_later_bulk_set_takes_the_place_of_a_held_one_and_a_delta_does_not() {
    run_on(enrold::db::Dialect::Lite, async |mut site: Site| {
        let program = site.school().await;
        applied(&program, &Archive::bulk("1.2", &ALL));
        assert_eq!(import(&program, &[], &Archive::bulk("1.2", &ALL[..2])).1, "held");
        let delta = Archive::delta(1, &[(5, "active", "k1", 5)]);
        assert_eq!(import(&program, &[], &delta).2, "set-waits");
        applied(&program, &Archive::bulk("1.2", &ALL[..5]));
        applied(&program, &delta);
        assert_eq!(site.enrolments().await.last().unwrap(), "u5 c1 database");
        let states = site.lines("SELECT state FROM {enrold_run}", |row| row.text(0)).await;
        assert_eq!(states, ["done", "done", "done", "failed", "rejected"]);
    });
}

#[test]
fn archives_that_are_none_change_nothing() {
    run_on(enrold::db::Dialect::Lite, async |mut site: Site| {
        let program = site.school().await;
        applied(&program, &Archive::bulk("1.1", &ALL));
        let before = site.dump().await;
        let bulk = || Archive::bulk("1.2", &ALL);
        let broken = [
            bulk().with("enrollments", "bulk", ENROLMENTS.to_owned()),
            bulk().with("enrollments", "everything", ENROLMENTS.to_owned()),
            bulk().with("users", "bulk", "id,name\n1,2\n".to_owned()),
            Archive::delta(1, &[]),
            Archive::delta(1, &[(1, "tobedeleted", "k1", 1)]).with("users", "delta", "sourcedId\n".to_owned()),
        ];
        for archive in &broken {
            assert_eq!(import(&program, &[], archive), (1, "failed".to_owned(), "source-unreadable".to_owned()));
        }
        program.write("export.zip", &bulk().bytes()[..900]);
        program.run(&["import", "--source", "school", "export.zip"]).ends(1);
        // The base of the next delta is verified before use.
        let base = program.dir.join("state/sets/school");
        let name = names(&base).into_iter().find(|name| name.starts_with("roster-")).unwrap();
        std::fs::write(base.join(name), "nothing").unwrap();
        let delta = Archive::delta(1, &[(1, "tobedeleted", "k1", 1)]);
        assert_eq!(import(&program, &[], &delta), (1, "failed".to_owned(), "base-missing".to_owned()));
        site.nothing_changed(&before, "broken archives").await;
        let (_, runs) = program.json(&["runs"]);
        assert_eq!(runs[0]["state"], json!("failed"));
    });
}

/// An export's administrator becomes a manager only if the operator maps it; then no other list is checked.
#[test]
fn a_role_of_an_export_is_one_that_is_mapped() {
    run_on(enrold::db::Dialect::Lite, async |mut site: Site| {
        let program = site.school().await.set("guard.mode=off").set("tasks.flatfile.enabled=false");
        let program = program.clone().set(&format!("inbox.path={}", program.inbox().display()));
        let rows = enrolment(1, ",", "k1", 1) + &enrolment(2, ",", "k1", 2).replace("student", "administrator");
        let archive = Archive::bulk("1.2", &ALL).with("enrollments", "bulk", format!("{ENROLMENTS}{rows}"));
        program.drop_file("school-1.zip", archive.bytes());
        let (code, told) = program.json(&["run", "--once"]);
        assert_eq!((code, &told["reports"][0]["problems"][0]["code"]), (4, &json!("role-unknown")));
        assert_eq!(site.roles().await, ["u1 c1 student database"]);
        program.drop_file("school-2.zip", archive.bytes());
        let mapped = program.set("sources.school.roles=student = student,administrator = manager");
        assert_eq!(mapped.json(&["run", "--once"]).0, 0);
        assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 manager database"]);
        // A list without mappings keeps the default mappings and limits their results.
        mapped.drop_file("school-3.zip", Archive::bulk("1.2", &ALL).bytes());
        let (code, told) = mapped.set("sources.school.roles=@teacher").json(&["run", "--once"]);
        assert_eq!((code, &told["reports"][0]["problems"][0]["code"]), (4, &json!("role-not-allowed")));
        assert_eq!(site.roles().await.len(), 2, "nobody loses a place by it");
    });
}
