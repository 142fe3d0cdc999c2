//! Held full sets: the courses that they would create, the problems of their files, how they are reported to the
//! operator; and unknown role values. It must not test which limits on rows there are.

use std::fs;
use std::path::PathBuf;

use enrold::config::Locale;
use enrold::db::{Dialect, Params};
use enrold::outcome::{Report, State};
use enrold::report::set;
use enrold::run::hold::HeldStore;
use enrold::sets::SetOrder;

use crate::doctor_rights::{Account, give};
use crate::golden_case::set_of;
use crate::program::{Program, on_the_sample};
use crate::servers::on_each_database;
use crate::service_web::Place;
use crate::site::Site;
use crate::smtp::{Manners, Server};

on_each_database!(
    too_many_courses_are_held_and_those_are_made,
    rejected_courses_are_forgotten,
    what_could_not_be_read_is_told_again,
    unknown_roles_are_told,
    the_least_rights_suffice,
);

impl Site {
    /// A campus with categories and the method enabled; the source `apogee` reads files.
    async fn nightly(&mut self) {
        self.catalogue().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        self.set("guard.mode", "hold");
        for (key, value) in
            [("files", "x*.csv"), ("user_key", "idnumber"), ("course_key", "shortname"), ("default_role", "student")]
        {
            self.set(&format!("sources.apogee.{key}"), value);
        }
    }

    /// A set with a table of courses.
    fn with_courses(&mut self, rows: &str, courses: &str) -> SetOrder {
        let order = set_of("apogee", &self.write(rows).path);
        let table = order.snapshot.with_file_name("courses.csv");
        fs::write(&table, format!("fullname,shortname,idnumber,category\n{courses}")).unwrap();
        SetOrder { courses: Some(table), ..order }
    }

    async fn short_names(&mut self) -> Vec<String> {
        self.lines("SELECT shortname FROM {course} WHERE id > 23", |row| row.text(0)).await
    }

    fn kept_of(&self, run: i64) -> HeldStore {
        HeldStore::of(&self.engine().settings.state.path, run)
    }

    fn files(&mut self, files: &[(&str, &str)]) -> Vec<PathBuf> {
        let dir = self.write("x").path.parent().unwrap().to_owned();
        let written = files.iter().map(|(name, text)| {
            let path = dir.join(name);
            fs::write(&path, text).unwrap();
            path
        });
        written.collect()
    }

    async fn takes(&mut self, files: &[PathBuf]) -> Report {
        let paths: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        self.engine().import_set("apogee", &paths, false).await.unwrap()
    }
}

const NEW: &str = "New 1,n1,,2\nNew 2,n2,,2\nNew 3,n3,,2\n";

async fn too_many_courses_are_held_and_those_are_made(mut site: Site) {
    site.nightly().await;
    site.set("sources.apogee.guard.courses_max", "2");
    let order = site.with_courses("user,course\nu1,n1\nu2,n3\n", NEW);
    let rehearsal = site.engine().apply_set(&order, true).await.unwrap();
    assert!(rehearsal.would_hold);
    let before = site.dump().await;
    let held = site.engine().apply_set(&order, false).await.unwrap();
    assert_eq!((held.state, held.counts["course.add"]), (State::Held, 3));
    site.nothing_changed(&before, "a held set").await;
    let breach = &held.breaches[0];
    assert_eq!((breach.what.as_str(), breach.count, breach.limit.as_str()), ("courses", 3, "2"));
    assert_eq!(
        set::csv(&held.set.unwrap()),
        "kind,name,added,reactivated,changed,suspended,removed,unchanged,unknown,kept\ncourse,n1,1,0,0,0,0,0,0,0\ncourse,n3,1,0,0,0,0,0,0,0\n"
    );
    // The next night has delivered another table; the approval applies what was planned.
    fs::write(order.courses.unwrap(), "fullname,shortname,idnumber,category\nOther,other,,2\n").unwrap();
    let rehearsed = site.engine().rehearse_approval(held.run).await.unwrap();
    assert_eq!(rehearsed.counts["course.add"], 3);
    let report = site.engine().approve(held.run).await.unwrap();
    assert_eq!((report.state, report.errors), (State::Done, 0));
    assert_eq!(site.short_names().await, ["n1", "n2", "n3"]);
    assert_eq!(site.enrolments().await, ["u1 n1 database", "u2 n3 database"]);
    // A run at the limit is not held; and 0 is no limit.
    let two = site.with_courses("user,course\nu1,n1\nu2,n3\n", "New 4,n4,,2\nNew 5,n5,,2\n");
    assert_eq!(site.engine().apply_set(&two, false).await.unwrap().state, State::Done);
    site.set("sources.apogee.guard.courses_max", "0");
    let more = site.with_courses("user,course\nu1,n1\nu2,n3\n", "A,a1,,2\nA,a2,,2\nA,a3,,2\n");
    assert_eq!(site.engine().apply_set(&more, false).await.unwrap().state, State::Done);
}

async fn rejected_courses_are_forgotten(mut site: Site) {
    site.nightly().await;
    site.set("sources.apogee.guard.courses_max", "1");
    let order = site.with_courses("user,course\nu1,n1\n", NEW);
    let held = site.engine().apply_set(&order, false).await.unwrap().run;
    let store = site.kept_of(held);
    assert!(store.courses().exists());
    fs::write(store.courses(), "fullname,shortname\nevil,evil\n").unwrap();
    let error = site.engine().approve(held).await.unwrap_err().to_string();
    assert!(error.contains("courses.csv has changed"), "{error}");
    site.engine().reject(held).await.unwrap();
    assert!(!store.courses().exists() && store.bytes().exists());
    assert!(site.short_names().await.is_empty());
}

async fn what_could_not_be_read_is_told_again(mut site: Site) {
    site.nightly().await;
    site.set("sources.apogee.guard.unknown_percent", "100");
    let people = |from: i64, to: i64| (from..=to).map(|number| format!("u{number},c1\n")).collect::<String>();
    let whole = site.files(&[("x-0.csv", &format!("user,course\n{}", people(1, 9)))]);
    assert_eq!(site.takes(&whole).await.state, State::Done);
    let files = site.files(&[
        ("x-a.csv", "user,course,extra\nu1,c1,\nnobody,c1,\nu9,,\n"),
        ("x-b.csv", "user,course\n\n\nu2,c1\nu3,nowhere\n,c1\nu1,c1\n"),
    ]);
    let held = site.takes(&files).await;
    assert_eq!(held.state, State::Held);
    let told = |report: &Report| -> Vec<String> {
        report.problems.iter().map(|told| format!("{}:{} {} {}", told.file, told.line, told.code, told.value)).collect()
    };
    let expected = [
        "x-a.csv:1 column-ignored extra",
        "x-a.csv:4 empty-identifier course",
        "x-b.csv:6 empty-identifier user",
        "x-a.csv:3 user-unknown nobody",
        "x-b.csv:5 course-unknown nowhere",
    ];
    assert_eq!(told(&held), expected);
    assert_eq!(site.kept_of(held.run).problems().unwrap(), held.problems);
    // The files no longer exist.
    files.iter().for_each(|file| fs::remove_file(file).unwrap());
    fs::remove_dir_all(site.engine().settings.state.path.join("sets")).unwrap();
    let report = site.engine().approve(held.run).await.unwrap();
    assert_eq!((report.state, told(&report)), (State::DoneWithErrors, expected.map(str::to_owned).to_vec()));
    assert_eq!((report.lines.records, report.lines.failed), (held.lines.records, held.lines.failed));
    // The user of an unreadable row keeps the enrolment.
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u9 c1 database"]);
    let again = site.engine().recall(report.run).await.unwrap().unwrap();
    assert_eq!(again.problems, report.problems, "the history names the files, too");
    assert!(report.problems[3].text(Locale::En).starts_with("x-a.csv, line 3: no account"));
}

async fn unknown_roles_are_told(mut site: Site) {
    site.nightly().await;
    let rows = "user,course,role\nu1,c1,etu\nu2,c1,etu\nu3,c1,teacher\nu4,c1,\nu5,c1,0\nu6,c1,Tuteur\n";
    let order = set_of("apogee", &site.write(rows).path);
    let report = site.engine().apply_set(&order, false).await.unwrap();
    assert_eq!((report.state, report.errors), (State::Done, 0), "no error, as in Moodle");
    assert_eq!(site.roles().await.iter().filter(|role| role.contains(" student ")).count(), 5);
    let account = report.set.unwrap();
    assert_eq!(set::roles_csv(&account), "value,rows,role\netu,2,student\nTuteur,1,student\n");
    let line = |locale| set::lines(&account, locale).into_iter().find(|line| line.starts_with('!')).unwrap();
    assert_eq!(
        line(Locale::En),
        "! roles that the site does not know, student was given instead: 'etu' (2 rows), 'Tuteur' (1 row)"
    );
    assert!(line(Locale::Fr).ends_with("student a été donné à la place : « etu » (2 lignes), « Tuteur » (1 ligne)"));
    let kept = site.engine().recall(report.run).await.unwrap().unwrap().set.unwrap();
    assert_eq!(kept.default_roles, account.default_roles);
    site.set("sources.apogee.default_role", "");
    let report = site.engine().apply_set(&order, true).await.unwrap();
    assert!(report.errors == 5 && report.set.unwrap().default_roles.is_empty(), "without a default they are problems");
}

/// Error rows are updated or cleared with their file by an account without further rights on them.
async fn the_least_rights_suffice(mut site: Site) {
    site.nightly().await;
    if site.conn.dialect() == Dialect::Lite {
        return;
    }
    site.set("sources.apogee.guard.unknown_percent", "100");
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let files = site.files(&[("x-a.csv", "user,course\nu1,c1\n\nnobody,c1\n")]);
    let report = account.engine.import_set("apogee", &[&files[0]], false).await.unwrap();
    let problem = &report.problems[0];
    assert_eq!((report.state, problem.file.as_str(), problem.line), (State::DoneWithErrors, "x-a.csv", 4));
    let report = account.engine.import(&site.write("no file\nof ours\n"), false).await.unwrap();
    assert_eq!(report.problems.iter().map(|told| told.line).collect::<Vec<_>>(), [1, 2]);
    account.remove(&mut site).await;
}

/// A view that lost its rows: exit code, mail, metric, and the output of each command.
#[test]
fn a_held_set_tells_its_operator() {
    on_the_sample(async |mut site, program: Program| {
        let server = Server::start(Manners::default()).await;
        site.sql("UPDATE {config} SET value = 'manual,flatfile,database' WHERE name = 'enrol_plugins_enabled'").await;
        let url = crate::doctor_rights::url(&site.engine());
        site.conn.literal("CREATE TABLE records (who VARCHAR(20), place VARCHAR(20), part VARCHAR(9))").await.unwrap();
        for name in ["moreaul26", "simona26", "laurentn26", "lefebvrei26"] {
            let row = format!("INSERT INTO records VALUES ('{name}', 'L1-MATH-101', 'etu')");
            site.conn.literal(&row).await.unwrap();
        }
        let keys = [
            "table=records",
            "columns.user=who",
            "columns.course=place",
            "columns.role=part",
            "default_role=student",
            "user_key=username",
            "course_key=shortname",
            "mail_to=it@example.org",
        ];
        let program = program.set(&format!("sources.records.url={url}"));
        let program = keys.iter().fold(program, |program, key| program.set(&format!("sources.records.{key}")));
        let program = program.set("smtp.enabled=true").set("smtp.security=none").set("smtp.from=noreply@example.com");
        let program = program.set(&format!("smtp.port={}", server.port));
        program.run(&["sync", "records"]).ends(0).says(&["student was given instead: 'etu' (4 rows)"]);
        assert!(server.taken().is_empty(), "nothing was wrong");
        let run = site.last_run().await.to_string();
        let roles = program.run(&["runs", &run, "--csv=roles"]).ends(0);
        assert_eq!(roles.out, "value,rows,role\netu,4,student\n");
        site.conn.literal("DELETE FROM records WHERE who <> 'simona26'").await.unwrap();
        site.conn.literal("INSERT INTO records VALUES ('nobody99', 'L1-MATH-101', '')").await.unwrap();
        let answer = program.run(&["sync", "records"]).ends(3);
        answer.says(&["HELD", "the last good one had 4", "enrold approve"]);
        let held = site.last_run().await;
        assert_eq!(server.recipients(), ["it@example.org"]);
        let body = server.taken()[0].body();
        assert!(body.contains(&format!("enrold approve {held}")) && body.contains("had 4"), "{body}");
        let wrong = program.run(&["runs", &held.to_string(), "--csv=problems"]).ends(0);
        assert!(
            wrong.out.starts_with("file,line,code,value,hint,message\n,2,user-unknown,nobody99,username,"),
            "{}",
            wrong.out
        );
        program.run(&["runs", &held.to_string(), "--csv"]).ends(0).says(&["course,L1-MATH-101,0,"]);
        // The daemon fetches it, because its task has never run.
        let place = Place::socket(&program.dir);
        let mut daemon = program.clone().set(&place.setting()).start();
        daemon.until_logged("this daemon leads");
        daemon.until("the second mail", || server.taken().len() == 2);
        daemon.until("the metric", || place.metric("enrold_held_runs", "") == 2.0);
        assert_eq!(place.metric("enrold_runs_total", "sync records"), 1.0);
        daemon.stop();
        program.run(&["reject", &held.to_string()]).ends(0);
        let sql = "SELECT MAX(id) FROM {enrold_run} WHERE state = 'held'";
        let second = site.conn.number(sql, &Params::new()).await.unwrap();
        program.run(&["approve", "--yes", &second.to_string()]).ends(4).says(&["user-unknown"]);
    });
}
