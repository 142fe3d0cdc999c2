//! The daemon is killed by SIGKILL at every named step, at each occurrence: the next start completes the work.
//! It must not test what a run does with lines.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use enrold::db::{Dialect, Params};
use enrold::fault::STEPS;
use enrold::run::decision::{self, Decision};

use crate::campus::user;
use crate::program::Program;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(a_kill_at_any_step_loses_nothing_and_doubles_nothing, a_run_is_decided_before_its_file_has_its_name,);

/// Failing lines, used in every file with failures.
const WRONG: [&str; 2] = ["add,student,nobody,c1", "add,norole,u1,c1"];

/// Steps between which no database statement is sent.
const OF_THE_DIRECTORY: [&str; 8] = [
    "lock-written",
    "claimed-not-synced",
    "draft-written",
    "report-written",
    "errors-written",
    "retry-written",
    "marker-renamed",
    "renamed-not-synced",
];

async fn a_kill_at_any_step_loses_nothing_and_doubles_nothing(mut site: Site) {
    // A step occurs ten to twenty times in a round, each taking half a second: by default only some are tried.
    let every_time = std::env::var_os("ENROLD_TEST_KILLS").is_some();
    let next = |nth: u32| if every_time { nth + 1 } else { nth * 3 };
    let mut night = Night::begin(&mut site).await;
    assert!(!night.round(&mut site, "").await, "nothing kills it in the first round");
    let on_a_server = site.conn.dialect() != Dialect::Lite;
    for step in STEPS.iter().filter(|step| !(on_a_server && OF_THE_DIRECTORY.contains(step))) {
        let mut nth = 1_u32;
        while night.round(&mut site, &format!("{step}:{nth}")).await {
            nth = next(nth);
            // On the servers the first occurrence is enough: only the handling of the transaction differs.
            if on_a_server {
                break;
            }
        }
        assert!(nth > 1, "the daemon never came to {step}");
    }
}

/// The daemon dies after holding a run and before renaming its file; a command decides; the next daemon renames.
async fn a_run_is_decided_before_its_file_has_its_name(mut site: Site) {
    let Night { program, .. } = Night::begin(&mut site).await;
    let cases = [("approve", [1, 2, 3], ".done", "done-with-errors"), ("reject", [4, 5, 6], ".rejected", "rejected")];
    for (decision, who, end, state) in cases {
        let name = format!("{decision}.csv");
        let lines = who.map(|who| format!("add,student,u{who},c1\n")).concat();
        program.drop_file(&name, format!("{lines}{}\n", WRONG[0]));
        let mut killed = program.clone().env("ENROLD_KILL_AT", "run-ended").start();
        assert_eq!(killed.ended().signal(), Some(9), "{}", killed.log());
        assert_eq!(site.last_state().await, "held");
        let run = site.last_run().await.to_string();
        program.run(&[decision, &run]);
        let mut daemon = program.start();
        daemon.until_there(&format!("{name}{end}"));
        daemon.stop();
        let beside = |ending: &str| std::fs::read_to_string(program.inbox().join(format!("{name}{ending}"))).unwrap();
        let report: serde_json::Value = serde_json::from_str(&beside(".report.json")).unwrap();
        assert_eq!(report["state"], state);
        assert_eq!(beside(".retry.csv"), format!("{}\n", WRONG[0]));
        assert_eq!(beside(".errors.csv").lines().count(), 2, "{}", beside(".errors.csv"));
    }
    assert_eq!(site.enrolled_as().await, ["u1 c1 student", "u2 c1 student", "u3 c1 student"]);
}

/// Rounds of one hour each. In each, files are dropped that touch all tables, a task is due, and the runs held in the
/// previous round are decided: one file is approved, one rejected.
struct Night {
    program: Program,
    spool: PathBuf,
    round: i64,
}

/// A file of the round: its name, the final suffix, and whether lines of it fail.
struct Expected(String, &'static str, bool);

impl Night {
    async fn begin(site: &mut Site) -> Self {
        site.campus().await;
        site.setting("unenrolaction", Some("0")).await;
        site.instance("flatfile", 1, 0, "student").await;
        site.instance("flatfile", 2, 0, "student").await;
        // The task of each round is cut into two parts.
        site.cohort(1, &[]).await;
        site.cohort_link(1, 1, "student").await;
        site.cohort_link(2, 1, "student").await;
        let program = Program::on(site);
        let spool = program.dir.join("spool");
        std::fs::create_dir(&spool).unwrap();
        let program = program
            .set(&format!("hook.spool={}", spool.display()))
            .set("inbox.settle=0")
            .set("retention.reports_days=0")
            .set("run.effect_rows=2")
            .set("run.part_rows=1")
            .set("tasks.cohort.schedule=0 * * * *")
            .minding(&["cohort"])
            .set("guard.run.creations_max=2");
        Self { program, spool, round: 0 }
    }

    /// One round with a trap; false if the daemon never reached it. The result must equal that of an undisturbed round.
    async fn round(&mut self, site: &mut Site, trap: &str) -> bool {
        let now = NOW + self.round * 3_600;
        self.people(site).await;
        self.decide(site, now).await;
        self.drop_files(now);
        let program = self.program.at(now);
        let trapped = program.clone().env("ENROLD_KILL_AT", trap);
        let killed = self.life(site, &trapped, trap);
        if killed {
            assert!(!self.life(site, &program, trap), "{trap}: killed without a trap");
        }
        self.all_is_done_once(site, trap).await;
        self.round += 1;
        killed
    }

    /// Starts the daemon, waits until all work is done and stops it; true if it was killed before.
    fn life(&self, site: &mut Site, program: &Program, trap: &str) -> bool {
        let mut daemon = program.start();
        let all: Vec<PathBuf> =
            self.expected().iter().map(|Expected(name, end, _)| daemon.inbox.join(format!("{name}{end}"))).collect();
        let lock = daemon.inbox.join("lock.txt");
        daemon.until_logged_or_ended("this daemon leads");
        let done = || all.iter().all(|path| path.exists()) && !lock.exists() && at_once(site.is_quiet());
        let ended = daemon.ends_before(&format!("{trap}: the end of all files"), done);
        let status = ended.unwrap_or_else(|| {
            daemon.signal("TERM");
            daemon.ended()
        });
        assert!(status.signal() == Some(9) || status.code() == Some(0), "{trap}: {status}:\n{}", daemon.log());
        status.signal() == Some(9)
    }

    async fn people(&self, site: &mut Site) {
        for (at, who) in (0..).zip(["a", "b", "c", "d", "x", "y", "z", "h"]) {
            let name = format!("{who}{}", self.round);
            let row = [
                ("id", (user(1_000) + self.round * 10 + at).into()),
                ("username", name.as_str().into()),
                ("idnumber", name.as_str().into()),
                ("mnethostid", 1.into()),
                ("confirmed", 1.into()),
                ("email", format!("{name}@example.com").into()),
            ];
            site.insert("user", &row).await;
        }
        site.joins(1_000 + self.round * 10 + 7, 1).await;
    }

    async fn decide(&self, site: &mut Site, now: i64) {
        for (file, decision) in [("approve", Decision::Approve), ("reject", Decision::Reject)] {
            let source = format!("%/r{}-{file}.csv", self.round - 1);
            let sql = "SELECT id FROM {enrold_run} WHERE state = 'held' AND source LIKE :source";
            let rows = site.conn.rows(sql, &Params::new().with("source", source)).await.unwrap();
            assert_eq!(rows.len(), usize::from(self.round > 0), "held runs of the round before");
            for row in rows {
                assert!(decision::record(&mut site.conn, row.int(0), decision, now).await.unwrap());
            }
        }
    }

    /// The second file reverts a part of the first, so that a second application of the first is visible.
    fn drop_files(&self, now: i64) {
        let n = self.round;
        let [unknown, norole] = WRONG;
        let leaver = if n > 0 { format!("del,teacher,b{},c2\n", n - 1) } else { String::new() };
        let later = now + 1_800;
        let files = [
            (
                "first",
                format!(
                    "add,student,a{n},c1\n{unknown}\nadd,teacher,b{n},c2\n{leaver}add,student,d{n},c2,{later},0\n{norole}\n"
                ),
            ),
            ("second", format!("del,student,a{n},c1\nadd,student,c{n},c1\n")),
            (
                "approve",
                format!("add,student,x{n},c3\n{unknown}\nadd,student,y{n},c3\nadd,student,z{n},c3\n{norole}\n"),
            ),
            ("reject", format!("add,student,u1,c3\n{unknown}\nadd,student,u2,c3\nadd,student,u3,c3\n{norole}\n")),
        ];
        for (file, text) in files {
            self.program.drop_file(&format!("r{n}-{file}.csv"), text);
        }
        self.program.drop_file(&format!("r{n}-first.csv.ok"), "");
    }

    /// The files of this round, and those that were held in the previous one.
    fn expected(&self) -> Vec<Expected> {
        let name = |round: i64, file: &str| format!("r{round}-{file}.csv");
        let n = self.round;
        let mut files = vec![
            Expected(name(n, "first"), ".done", true),
            Expected(name(n, "second"), ".done", false),
            Expected(name(n, "approve"), ".held", true),
            Expected(name(n, "reject"), ".held", true),
        ];
        if n > 0 {
            files.push(Expected(name(n - 1, "approve"), ".done", true));
            files.push(Expected(name(n - 1, "reject"), ".rejected", true));
        }
        files
    }

    async fn all_is_done_once(&self, site: &mut Site, trap: &str) {
        eprintln!("round {}, killed at {trap:?}", self.round);
        let n = self.round;
        let mut enrolled = vec![format!("b{n} c2 teacher")];
        enrolled.extend((0..=n).map(|k| format!("c{k} c1 student")));
        for k in 0..n {
            enrolled.push(format!("d{k} c2 student"));
            enrolled.extend(["x", "y", "z"].map(|who| format!("{who}{k} c3 student")));
        }
        enrolled.sort();
        assert_eq!(site.enrolled_as().await, enrolled);
        let by_cohort =
            "SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid WHERE e.enrol = 'cohort'";
        assert_eq!(site.conn.number(by_cohort, &Params::new()).await.unwrap(), 2 * (n + 1), "two courses a round");
        let buffered = site.conn.number("SELECT COUNT(*) FROM {enrol_flatfile}", &Params::new()).await.unwrap();
        assert_eq!(buffered, 1, "the future line of this round");
        site.each_drop_once(4 * (n as usize + 1)).await;
        site.one_spooled_for_each_run(&self.spool).await;
        self.directory_is_tidy();
    }

    /// Each file has its final name and its lists once, and there are no other files; then settled files are removed.
    fn directory_is_tidy(&self) {
        let inbox = self.program.inbox();
        let mut all = vec![format!("r{}-first.csv.ok.done", self.round)];
        for Expected(name, end, failed) in self.expected() {
            let read = |ending: &str| std::fs::read_to_string(inbox.join(format!("{name}{ending}"))).unwrap();
            all.extend([format!("{name}{end}"), format!("{name}.report.json")]);
            let report: serde_json::Value = serde_json::from_str(&read(".report.json")).unwrap();
            let state = match (end, failed) {
                (".done", true) => "done-with-errors",
                (".done", false) => "done",
                _ => "held",
            };
            assert_eq!(report["state"], state, "{name}");
            assert!(report["read_as"]["sha256"].is_string(), "{name}: {report:#}");
            if failed {
                all.extend([format!("{name}.errors.csv"), format!("{name}.retry.csv")]);
                assert_eq!(read(".retry.csv"), format!("{}\n{}\n", WRONG[0], WRONG[1]), "{name}");
                assert_eq!(read(".errors.csv").lines().count(), 3, "{name}: {}", read(".errors.csv"));
            }
        }
        all.sort();
        assert_eq!(names(&inbox), all);
        let waits = |name: &str| {
            name.contains(&format!("r{}-approve", self.round)) || name.contains(&format!("r{}-reject", self.round))
        };
        for name in all.iter().filter(|name| !waits(name)) {
            std::fs::remove_file(inbox.join(name)).unwrap();
        }
    }
}

/// Runs a database query from synchronous code.
pub fn at_once<T>(question: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(question))
}
