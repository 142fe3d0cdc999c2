//! A site with runs of every state and problems of every kind of place, which an upgrade must preserve.
//! It must not know versions; `upgrade` writes and reads them.

use std::fs;
use std::path::PathBuf;

use enrold::db::Dialect;
use enrold::outcome::{Report, State};
use enrold::problem::{Code, Problem};
use enrold::run::SyncOrder;
use enrold::sets::SetOrder;
use enrold::source::{Origins, SetProblem};
use serde_json::{Value as Json, json};

use crate::campus::{course, role, user};
use crate::golden_case::set_of;
use crate::meanwhile::When;
use crate::program::Program;
use crate::site::{NOW, Site};

/// The runs of the scenes that wait for a decision, and the one that was interrupted between two of its parts.
pub const HELD_FILE: i64 = 11;
pub const HELD_SET: i64 = 12;
pub const HELD_SYNC: i64 = 13;
pub const CUT: i64 = 14;

/// Lines for each possible failure of a line.
const WRONG: &str = "add,student,nobody,c1\nfoo,student,u4,c1\nadd,norole,u4,c1\nadd,student,u5,nowhere\n";

impl Site {
    /// The settings of the scenes, also needed by a database that continues with them.
    pub fn of_scenes(&mut self) {
        for (key, value) in [
            ("run.lease_ttl", "10"),
            ("sources.apogee.files", "x*.csv"),
            ("sources.apogee.user_key", "idnumber"),
            ("sources.apogee.course_key", "shortname"),
            ("sources.apogee.default_role", "student"),
            ("sources.apogee.guard.unknown_percent", "100"),
            ("sources.promo.files", "p*.csv"),
            ("sources.promo.target", "cohorts"),
            ("sources.promo.user_key", "idnumber"),
            ("sources.promo.create_cohorts", "true"),
            ("sources.promo.guard.unknown_percent", "100"),
        ] {
            self.set(key, value);
        }
    }

    /// Plays all scenes; the last run is left between two of its parts.
    pub async fn scenes(&mut self) {
        self.stage_of_scenes().await;
        // 1: died before its commit; 2: a file; 3: rows of the buffer and instances of three methods.
        self.import_until(When::Committing, &format!("add,student,u6,c1\n{WRONG}")).await;
        self.lease_runs_out().await;
        let report = self.import_once(&format!("add,student,u4,c2\n{WRONG}")).await;
        assert_eq!((report.run, report.errors), (2, 4));
        self.waiting_lines(40, 7).await;
        let jobs = ["flatfile", "meta", "autoenrol", "coursecompleted"].map(str::to_owned).to_vec();
        let report = self.engine().sync(&SyncOrder { jobs, ..SyncOrder::default() }, false).await.unwrap();
        assert_eq!((report.run, report.errors), (3, 8), "{:?}", report.problems);
        // 4: a set in files; 5: a set with a table of courses, groups and unread rows; 6: a set of cohorts.
        let report = self.set_in_files().await;
        assert_eq!((report.run, report.errors), (4, 5), "{:?}", report.problems);
        let order = self.set_of_every_kind(["u5", "u6", "u7"]);
        let report = self.engine().apply_set(&order, false).await.unwrap();
        assert_eq!((report.run, report.errors), (5, 7), "{:?}", report.problems);
        let report = self.set_of_cohorts().await;
        assert_eq!(report.run, 6);
        // 7 is approved as 8, 9 is rejected; 10 is rejected, too, and has a table of courses.
        self.set("guard.mode", "hold");
        self.set("guard.run.creations_max", "1");
        let held = self.import_once(&format!("add,student,u5,c3\nadd,student,u6,c3\n{WRONG}")).await;
        self.engine().approve(held.run).await.unwrap();
        assert_eq!((held.run, self.last_run().await), (7, 8));
        let held = self.set_in_files().await;
        self.engine().reject(held.run).await.unwrap();
        let order = self.set_of_every_kind(["u1", "u8", "u9"]);
        let held = self.engine().apply_set(&order, false).await.unwrap();
        self.engine().reject(held.run).await.unwrap();
        assert_eq!((held.run, held.state), (10, State::Held));
        // A file, a set and a task wait.
        let held = self.import_once(&format!("add,student,u7,c8\nadd,student,u8,c8\n{WRONG}")).await;
        assert_eq!((held.run, held.state), (HELD_FILE, State::Held));
        let held = self.engine().apply_set(&order, false).await.unwrap();
        assert_eq!((held.run, held.state), (HELD_SET, State::Held));
        self.waiting_lines(50, 5).await;
        let held = self.engine().sync(&SyncOrder::of("flatfile"), false).await.unwrap();
        assert_eq!((held.run, held.state), (HELD_SYNC, State::Held));
        // The problems of the buffer are reported; two parts with the cohorts and the links are left.
        self.set("guard.mode", "off");
        self.set("run.part_rows", "18");
        let jobs = ["flatfile", "cohort", "meta"].map(str::to_owned).to_vec();
        let order = SyncOrder { jobs, ..SyncOrder::default() };
        self.dies(When::PartCommitted(1), |engine| async move { engine.sync(&order, false).await }).await;
        assert_eq!((self.last_run().await, self.last_state().await.as_str()), (CUT, "running"));
    }

    /// Eight courses, a cohort with instances in six of them, and instances that cannot work.
    async fn stage_of_scenes(&mut self) {
        self.of_scenes();
        self.catalogue().await;
        self.courses_up_to(8).await;
        let methods = "manual,guest,self,cohort,meta,category,flatfile,database,autoenrol,coursecompleted";
        self.methods(methods).await;
        for plugin in ["enrol_cohort", "enrol_meta"] {
            self.plugin_setting(plugin, "unenrolaction", Some("0")).await;
        }
        self.cohort(1, &[1, 2, 3]).await;
        for number in 1..=6 {
            self.cohort_link(number, 1, "student").await;
        }
        self.link(7, 1).await;
        for number in [4, 8] {
            self.link(number, 90).await;
            self.leads(number, 91).await;
        }
        self.autoenrols(2, &[("customtext2", r#"{"op":"&","c":["#.into())]).await;
        self.autoenrols(3, &[("customtext2", r#"{"op":"&","c":[{"type":"role","id":5}]}"#.into())]).await;
        if self.conn.dialect() == Dialect::Maria {
            // Only MariaDB has columns that cannot hold some characters.
            let narrow = "ALTER TABLE {cohort} MODIFY name VARCHAR(254) CHARACTER SET utf8mb3 COLLATE utf8mb3_unicode_ci NOT NULL DEFAULT ''";
            self.conn.command(narrow).await.unwrap();
        }
    }

    /// Due rows of the buffer from this id on: an unknown account, an unknown course and two valid rows.
    async fn waiting_lines(&mut self, from: i64, whither: i64) {
        let lines = [(999, course(1)), (user(7), 999), (user(7), course(whither)), (user(8), course(whither))];
        for (at, (who, whither)) in (from..).zip(lines) {
            let row = [
                ("id", at.into()),
                ("action", "add".into()),
                ("roleid", role("student").into()),
                ("userid", who.into()),
                ("courseid", whither.into()),
                ("timestart", (NOW - 100).into()),
            ];
            self.insert("enrol_flatfile", &row).await;
        }
        self.reset_sequences_of(&["enrol_flatfile"]).await;
    }

    /// Two files with an unreadable column and two unreadable rows.
    async fn set_in_files(&mut self) -> Report {
        let dir = self.write("x").path.parent().unwrap().to_owned();
        let files = [
            ("x-a.csv", "user,course,extra\nu1,c1,\nnobody,c1,\nu9,,\n"),
            ("x-b.csv", "user,course\n\n\nu2,c1\nu3,nowhere\n,c1\n"),
        ];
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| dir.join(name)).collect();
        for (path, (_, text)) in paths.iter().zip(files) {
            fs::write(path, text).unwrap();
        }
        let paths: Vec<_> = paths.iter().map(PathBuf::as_path).collect();
        self.engine().import_set("apogee", &paths, false).await.unwrap()
    }

    /// A set with problems of each kind, some with the same number in different places.
    fn set_of_every_kind(&mut self, [first, second, third]: [&str; 3]) -> SetOrder {
        let rows = format!("user,course,group\n{first},c4,red\nnobody,c4,\n{second},c4,blue\n{third},c5,red\n");
        let order = set_of("apogee", &self.write(rows).path);
        let table = order.snapshot.with_file_name("courses.csv");
        fs::write(&table, "fullname,shortname,idnumber,category\n,n1,,2\nNew,n2,,nowhere\n").unwrap();
        let list = order.snapshot.with_file_name("origins.csv");
        fs::write(&list, "2,0,12\n3,0,13\n4,0,14\n5,0,15\n").unwrap();
        let origins = Some(Origins { list, files: vec!["x-c.csv".to_owned()] });
        let unread = SetProblem::new("x-c.csv", Problem::new(7, Code::EmptyIdentifier, "user", ""));
        SetOrder { courses: Some(table), unread: vec![unread], origins, ..order }
    }

    async fn set_of_cohorts(&mut self) -> Report {
        let rows = self.write("user,cohort,name\nu1,K1,Fine 🎉\nnobody,K1,\nu2,K2,Good\n").path;
        self.engine().apply_set(&set_of("promo", &rows), false).await.unwrap()
    }
}

/// The program's output on the problems of each run, as JSON and as CSV, without varying values.
pub fn shown(program: &Program, runs: i64) -> Json {
    let all = (1..=runs).map(|run| {
        let number = run.to_string();
        let (code, document) = program.json(&["runs", &number]);
        assert_eq!(code, 0, "{document:#}");
        let csv = program.run(&["runs", &number, "--csv=problems"]);
        json!({
            "run": run,
            "kind": document["kind"],
            "state": document["state"],
            "errors": document["errors"],
            "csv": csv.out.lines().collect::<Vec<_>>(),
        })
    });
    all.collect()
}
