//! The guard: what a run removes, suspends and creates, compared with its limits before it is applied.
//! It must not know methods' rules; it counts the journal per run, course and method.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{Guard as Settings, GuardMode, Limits};
use crate::db::{Conn, DbError, Params};
use crate::run::error::{RunError, RunResult};
use crate::run::work::Work;

/// A limit that a run passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// `run`, `course`, `method` or `file`.
    pub scope: String,
    /// The course's short name or the method; empty for the run.
    pub name: String,
    /// `removals`, `suspensions`, `creations`, `failed-lines` or `empty`.
    pub what: String,
    /// How many the run has.
    pub count: i64,
    /// How many enrolments (or lines) there were.
    pub of: i64,
    /// The limit as configured: a number, or a percentage.
    pub limit: String,
}

/// Counts of one scope.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    removals: i64,
    suspensions: i64,
    creations: i64,
}

/// What the guard knows during a run.
#[derive(Clone, Debug)]
pub struct Guard {
    limits: Settings,
    /// Enrolments before the run, by (course, method) for courses touched and by method for the site.
    members: Option<Members>,
    /// The limits passed so far.
    pub breaches: Vec<Breach>,
}

#[derive(Clone, Debug, Default)]
struct Members {
    by_course: BTreeMap<i64, i64>,
    by_method: BTreeMap<String, i64>,
}

impl Guard {
    /// A guard with the configured limits.
    pub fn new(limits: Settings) -> Self {
        Self { limits, members: None, breaches: Vec::new() }
    }

    /// True if the run must stop now.
    pub fn holds(&self) -> bool {
        self.limits.mode == GuardMode::Hold && !self.breaches.is_empty()
    }

    /// Compares the failed lines of a file with its limit, and holds a file without a line to apply.
    pub fn check_lines(&mut self, lines: u64, failed: u64) {
        if self.limits.mode == GuardMode::Off {
            return;
        }
        if lines == 0 {
            if self.limits.hold_empty {
                self.breach("file", "", "empty", 0, 0, "1".to_owned());
            }
            return;
        }
        let percent = u64::from(self.limits.failed_lines_percent);
        if percent > 0 && failed >= u64::from(self.limits.failed_lines_min) && failed * 100 > lines * percent {
            self.breach("file", "", "failed-lines", failed as i64, lines as i64, format!("{percent} %"));
        }
    }

    fn breach(&mut self, scope: &str, name: &str, what: &str, count: i64, of: i64, limit: String) {
        let breach = Breach { scope: scope.to_owned(), name: name.to_owned(), what: what.to_owned(), count, of, limit };
        let same = |old: &&mut Breach| old.scope == breach.scope && old.name == breach.name && old.what == breach.what;
        match self.breaches.iter_mut().find(same) {
            Some(old) => *old = breach,
            None => self.breaches.push(breach),
        }
    }

    /// Courses are counted by id and told by short name: once, when the run's outcome is known.
    ///
    /// # Errors
    /// The engine's.
    pub async fn name_courses_of(&mut self, conn: &mut Conn) -> Result<(), DbError> {
        let of_courses = |breach: &&mut Breach| breach.scope == "course";
        let ids: Vec<i64> =
            self.breaches.iter_mut().filter(of_courses).filter_map(|breach| breach.name.parse().ok()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let params = Params::new().fragment("ids", crate::moodle::site::id_list(&ids));
        let rows = conn.rows("SELECT id, shortname FROM {course} WHERE id IN (:ids)", &params).await?;
        let names: BTreeMap<String, String> = rows.iter().map(|row| (row.text(0), row.text(1))).collect();
        for breach in self.breaches.iter_mut().filter(of_courses) {
            if let Some(name) = names.get(&breach.name) {
                breach.name.clone_from(name);
            }
        }
        Ok(())
    }

    fn watches_creations(&self) -> bool {
        [&self.limits.run, &self.limits.course, &self.limits.method]
            .iter()
            .any(|scope| scope.creations_max > 0 || scope.creations_percent > 0)
    }

    fn compare(&mut self, scope: &str, name: &str, limits: &Limits, tally: Tally, of: i64) {
        let kinds = [
            ("removals", tally.removals, limits.removals_max, limits.removals_percent),
            ("suspensions", tally.suspensions, limits.suspensions_max, limits.suspensions_percent),
            ("creations", tally.creations, limits.creations_max, limits.creations_percent),
        ];
        for (what, count, max, percent) in kinds {
            let (max, percent) = (i64::from(max), i64::from(percent));
            let many = count > 0 && count >= i64::from(limits.at_least) && of > i64::from(limits.min_members);
            if max > 0 && count > max {
                self.breach(scope, name, what, count, of, max.to_string());
            } else if percent > 0 && many && count * 100 > of * percent {
                self.breach(scope, name, what, count, of, format!("{percent} %"));
            }
        }
    }
}

impl Work<'_> {
    /// Reads how many enrolments stand before the run changes any; only where something may be removed.
    ///
    /// # Errors
    /// The engine's.
    pub async fn guard_open(&mut self) -> Result<(), DbError> {
        if self.guard.limits.mode == GuardMode::Off || self.guard.members.is_some() {
            return Ok(());
        }
        let mut members = Members::default();
        let sql = "SELECT e.courseid, e.enrol, COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid GROUP BY e.courseid, e.enrol";
        self.conn
            .each(sql, &Params::new(), |row| {
                *members.by_course.entry(row.int(0)).or_default() += row.int(2);
                *members.by_method.entry(row.text(1)).or_default() += row.int(2);
                Ok(())
            })
            .await?;
        self.guard.members = Some(members);
        Ok(())
    }

    /// Compares all that the journal of this run holds so far with the limits: called after every planning step and
    /// before that step is applied, and once more before the commit.
    ///
    /// # Errors
    /// [`RunError::Held`] when a limit is passed and the guard holds, else the engine's.
    pub async fn guard_check(&mut self) -> RunResult<()> {
        if self.guard.limits.mode == GuardMode::Off {
            return Ok(());
        }
        let endings = self.guard.members.is_some();
        if !endings && !self.guard.watches_creations() {
            return Ok(());
        }
        self.guard_open().await?;
        let tallies = count_journal(self.conn, self.run).await?;
        self.judge(tallies);
        if self.guard.holds() { Err(RunError::Held) } else { Ok(()) }
    }

    fn judge(&mut self, tallies: BTreeMap<(i64, String), Tally>) {
        let members = self.guard.members.clone().unwrap_or_default();
        let limits = self.guard.limits.clone();
        let mut run = Tally::default();
        let mut courses: BTreeMap<i64, Tally> = BTreeMap::new();
        let mut methods: BTreeMap<String, Tally> = BTreeMap::new();
        for ((course, method), tally) in &tallies {
            run.add(*tally);
            courses.entry(*course).or_default().add(*tally);
            methods.entry(method.clone()).or_default().add(*tally);
        }
        // A run is measured against what the methods that it touches have on the whole site.
        let of = methods.keys().map(|method| members.by_method.get(method).copied().unwrap_or(0)).sum();
        self.guard.compare("run", "", &limits.run, run, of);
        for (method, tally) in methods {
            let of = members.by_method.get(&method).copied().unwrap_or(0);
            self.guard.compare("method", &method, &limits.method, tally, of);
        }
        for (course, tally) in courses {
            let of = members.by_course.get(&course).copied().unwrap_or(0);
            self.guard.compare("course", &course.to_string(), &limits.course, tally, of);
        }
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.removals += other.removals;
        self.suspensions += other.suspensions;
        self.creations += other.creations;
    }
}

async fn count_journal(conn: &mut Conn, run: i64) -> Result<BTreeMap<(i64, String), Tally>, DbError> {
    let params = Params::new().with("run", run);
    let sql = "SELECT c.courseid, e.enrol, c.kind, COUNT(*) FROM {enrold_change} c JOIN {enrol} e ON e.id = c.enrolid
        WHERE c.run = :run AND c.state = 0 AND c.kind IN ('enrolment.remove', 'enrolment.suspend', 'enrolment.add')
        GROUP BY c.courseid, e.enrol, c.kind";
    let mut tallies: BTreeMap<(i64, String), Tally> = BTreeMap::new();
    conn.each(sql, &params, |row| {
        let tally = tallies.entry((row.int(0), row.text(1))).or_default();
        match row.text(2).as_str() {
            "enrolment.remove" => tally.removals += row.int(3),
            "enrolment.suspend" => tally.suspensions += row.int(3),
            _ => tally.creations += row.int(3),
        }
        Ok(())
    })
    .await?;
    Ok(tallies)
}
