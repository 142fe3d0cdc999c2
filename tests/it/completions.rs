//! Completed courses on the campus: instances that enrol from one course into the next, completions, and their ledger.
//! It must not know what a test expects; it has the proofs that hold for every run of the rule.

use enrold::db::{Params, Value};
use enrold::outcome::Report;
use enrold::run::SyncOrder;

use crate::campus::{course, role, since_now, user};
use crate::site::{NOW, Site};

pub const DAY: i64 = 86_400;

/// `enrol.id` of the instance that leads to the course `target` from `source`.
pub const fn chain(target: i64, source: i64) -> i64 {
    3000 + 10 * target + source
}

impl Site {
    /// Six courses, the method enabled, and instances as (target, source); enrold ran one day ago without completions.
    pub async fn chained(&mut self, links: &[(i64, i64)]) {
        self.campus().await;
        self.courses_up_to(6).await;
        self.methods("manual,self,cohort,meta,flatfile,coursecompleted").await;
        for (target, source) in links {
            self.leads(*target, *source).await;
        }
        self.at(NOW - DAY);
        self.lead_on().await;
        self.at(NOW);
    }

    /// An enabled instance that enrols users who complete `source` as students of `target`, without further settings.
    pub async fn leads(&mut self, target: i64, source: i64) {
        let row = [
            ("id", chain(target, source).into()),
            ("enrol", "coursecompleted".into()),
            ("courseid", course(target).into()),
            ("roleid", role("student").into()),
            ("customint1", course(source).into()),
            ("timecreated", 1.into()),
            ("timemodified", 1.into()),
        ];
        self.insert("enrol", &row).await;
        self.reset_sequences_of(&["enrol"]).await;
    }

    /// Replaces a column of an instance; `None` is NULL.
    pub async fn sets(&mut self, enrolid: i64, column: &str, value: Option<i64>) {
        let value = value.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
        self.sql(&format!("UPDATE {{enrol}} SET {column} = {value} WHERE id = {enrolid}")).await;
    }

    /// `uN` completes `cM`: the row that Moodle's cron writes, with this date.
    pub async fn completes(&mut self, who: i64, whither: i64, at: i64) {
        self.loses_completion(who, whither).await;
        let row: [(&'static str, Value); 3] =
            [("userid", user(who).into()), ("course", course(whither).into()), ("timecompleted", at.into())];
        self.insert("course_completions", &row).await;
    }

    /// The completion of `uN` in `cM` is reset.
    pub async fn loses_completion(&mut self, who: i64, whither: i64) {
        let (userid, courseid) = (user(who), course(whither));
        self.sql(&format!("DELETE FROM {{course_completions}} WHERE userid = {userid} AND course = {courseid}")).await;
    }

    /// Runs the rule on all courses, with its proofs.
    pub async fn lead_on(&mut self) -> Report {
        self.lead_on_by(SyncOrder::of("coursecompleted")).await
    }

    /// Runs the rule with backfill, on one course or on all.
    pub async fn backfill(&mut self, target: Option<i64>) -> Report {
        let course = target.map(|number| format!("c{number}"));
        self.lead_on_by(SyncOrder { course, backfill: true, ..SyncOrder::of("coursecompleted") }).await
    }

    /// A simulation changes nothing, not even the ledger; the journal reverts the run; a second run changes nothing.
    pub async fn lead_on_by(&mut self, order: SyncOrder) -> Report {
        let (before, ledger) = (self.dump().await, self.whole_ledger().await);
        let rehearsal = self.engine().sync(&order, true).await.unwrap();
        self.nothing_changed(&before, "a simulated sync").await;
        assert_eq!(self.whole_ledger().await, ledger, "a simulated sync leaves the ledger alone");
        let since = self.last_run().await;
        let report = self.engine().sync(&order, false).await.unwrap();
        let after = self.proved(&before, since, &rehearsal, &report).await;
        let ledger = self.whole_ledger().await;
        self.engine().sync(&order, false).await.unwrap();
        self.nothing_changed(&after, "a second sync").await;
        assert_eq!(self.whole_ledger().await, ledger, "a second sync leaves the ledger alone");
        report
    }

    /// The state of completions, as `u1 c2<c1 enrolled`.
    pub async fn ledger(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, t.shortname, s.shortname, l.state FROM {enrold_completion} l
            JOIN {user} u ON u.id = l.userid JOIN {course} s ON s.id = l.courseid
            JOIN {enrol} e ON e.id = l.enrolid JOIN {course} t ON t.id = e.courseid";
        self.lines(sql, |row| format!("{} {}<{} {}", row.text(0), row.text(1), row.text(2), row.text(3))).await
    }

    /// Enrolments of the method as `u1 c2<c1`, with ` suspended` and ` from..to` where they apply.
    pub async fn led(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, t.shortname, s.shortname, x.status, x.timestart, x.timeend
            FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'coursecompleted' JOIN {user} u ON u.id = x.userid
            JOIN {course} t ON t.id = e.courseid JOIN {course} s ON s.id = e.customint1";
        self.lines(sql, |row| {
            let suspended = if row.int(3) == 1 { " suspended" } else { "" };
            let window = match (row.int(4), row.int(5)) {
                (NOW, 0) => String::new(),
                (start, end) => format!(" {}..{}", since_now(start), since_now(end)),
            };
            format!("{} {}<{}{suspended}{window}", row.text(0), row.text(1), row.text(2))
        })
        .await
    }

    async fn whole_ledger(&mut self) -> Vec<String> {
        let sql = "SELECT enrolid, courseid, userid, timecompleted, state, seen, changed, run FROM {enrold_completion}";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let mut lines: Vec<String> =
            rows.iter().map(|row| (0..8).map(|at| row.text(at)).collect::<Vec<_>>().join(" ")).collect();
        lines.sort();
        lines
    }
}
