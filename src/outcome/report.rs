//! The outcome of a run: its state, its counts, its problems, as data for the terminal, JSON and the history. It must
//! not format anything for users.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Locale;
use crate::outcome::{People, SetReport};
use crate::problem::Problem;

/// How many problems a report keeps in memory; `enrold_error` holds as many as `limits.problems` allows.
pub const PROBLEMS_SHOWN: usize = 10_000;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Under way, or killed under way: see [`State::Interrupted`].
    Running,
    /// Everything was applied.
    Done,
    /// Lines failed, the rest was applied.
    DoneWithErrors,
    /// A limit of the guard is passed: nothing is applied, an operator must decide.
    Held,
    /// A held run that was approved; its lines were applied by a later run.
    Approved,
    /// A held run that was rejected.
    Rejected,
    /// Nothing was applied.
    Failed,
    /// The process died before the commit: nothing was applied.
    Interrupted,
    /// A simulation: nothing was applied, nothing is kept.
    Simulated,
    /// Nothing to do: the method is not enabled.
    Skipped,
}

impl State {
    /// The word in the history and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::DoneWithErrors => "done-with-errors",
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Simulated => "simulated",
            Self::Skipped => "skipped",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }
}

/// A limit of the guard that a run passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// `run`, `course`, `method`, `accounts` or `file`.
    pub scope: String,
    /// The course's short name or the method; empty for the run.
    pub name: String,
    /// `removals`, `suspensions`, `creations`, `failed-lines`, `empty` or another count of the guard.
    pub what: String,
    /// How many the run has.
    pub count: i64,
    /// How many enrolments (or lines) there were.
    pub of: i64,
    /// The limit as configured: a number, or a percentage.
    pub limit: String,
}

/// Counts of the lines of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Physical lines.
    pub physical: u64,
    /// Blank ones.
    pub blank: u64,
    /// Records: lines with data, readable or not.
    pub records: u64,
    /// Records that failed, or wait.
    pub failed: u64,
    /// Records among them that wait for an account or a course.
    #[serde(default)]
    pub waiting: u64,
}

impl Lines {
    /// The records that the guard counts as failed; those that wait are left out if they are `expected`, as long as
    /// another record was usable.
    pub fn counted(&self, expected: bool) -> u64 {
        if expected && self.records > self.failed { self.failed - self.waiting } else { self.failed }
    }
}

/// What the file was read as.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadAs {
    /// `header` or `native`.
    pub kind: String,
    /// The encoding found.
    pub encoding: String,
    /// The delimiter found, empty where each line decides.
    pub delimiter: String,
    /// The digest of the bytes.
    pub sha256: String,
    /// The size in bytes.
    pub bytes: u64,
}

/// How the plan of a held run differs from the one that was applied when it was approved.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Meanwhile {
    /// The held run.
    pub held: i64,
    /// Changes by kind in the held plan.
    pub planned: BTreeMap<String, i64>,
    /// Lines that another run overtook.
    pub overtaken: u64,
}

/// The outcome of one rule in a run, in enrolments, roles and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Its name: `cohort`, `meta`, …
    pub rule: String,
    /// It was not requested: it followed what others had changed in this run.
    pub consequence: bool,
    /// Why it was not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// Enrolments that it checked.
    pub checked: i64,
    /// Enrolments added.
    pub added: i64,
    /// Suspended enrolments that are active again.
    pub reactivated: i64,
    /// Enrolments with other dates.
    pub changed: i64,
    /// Enrolments suspended.
    pub suspended: i64,
    /// Enrolments removed.
    pub removed: i64,
    /// Roles assigned.
    pub roles_added: i64,
    /// Roles removed.
    pub roles_removed: i64,
    /// Group memberships added.
    pub groups_added: i64,
    /// Group memberships removed.
    pub groups_removed: i64,
    /// Instances and groups created.
    pub made: i64,
    /// Instances removed.
    pub unmade: i64,
    /// Milliseconds.
    pub millis: u64,
}

impl RuleReport {
    /// Adds the outcome of another part of the same run.
    pub fn add(&mut self, other: &Self) {
        // A part without a course of the task is skipped; the rule as a whole is not.
        self.skipped = self.skipped.filter(|_| other.skipped.is_some());
        let ours = [
            &mut self.checked,
            &mut self.added,
            &mut self.reactivated,
            &mut self.changed,
            &mut self.suspended,
            &mut self.removed,
            &mut self.roles_added,
            &mut self.roles_removed,
            &mut self.groups_added,
            &mut self.groups_removed,
            &mut self.made,
            &mut self.unmade,
        ];
        let theirs = [
            other.checked,
            other.added,
            other.reactivated,
            other.changed,
            other.suspended,
            other.removed,
            other.roles_added,
            other.roles_removed,
            other.groups_added,
            other.groups_removed,
            other.made,
            other.unmade,
        ];
        for (own, more) in ours.into_iter().zip(theirs) {
            *own += more;
        }
        self.millis += other.millis;
    }
}

/// Why a rule was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skipped {
    /// The method is not among Moodle's enabled ones.
    MethodDisabled,
    /// `tasks.RULE.enabled` is off: all rules were requested, this one was not named.
    TaskDisabled,
    /// `tasks.RULE.courses` does not name the course that the run is limited to.
    OtherCourses,
}

/// The report of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The run's number in the history; 0 for a simulation.
    pub run: i64,
    /// `import`, `sync flatfile`, `sync all`, `approve`, …
    pub kind: String,
    /// The file, or the task.
    pub source: String,
    /// How it ended.
    pub state: State,
    /// The run's clock in Unix seconds.
    pub clock: i64,
    /// Lines of the file.
    pub lines: Lines,
    /// What the file was read as.
    pub read_as: Option<ReadAs>,
    /// Applied (or, in a simulation, planned) changes by kind.
    pub counts: BTreeMap<String, i64>,
    /// The reports of the rules, in the order in which they ran.
    pub rules: Vec<RuleReport>,
    /// The report of a full set, place by place.
    pub set: Option<SetReport>,
    /// The users concerned, by course or cohort; for a simulated or held run only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<People>,
    /// Changes that another writer overtook between plan and apply.
    pub overtaken: i64,
    /// A simulation only: without `--simulate` this run would be held.
    pub would_hold: bool,
    /// How many lines failed; `problems` holds the first of them.
    pub errors: u64,
    /// How many problems there are of each code, including those that are not kept.
    pub codes: BTreeMap<String, u64>,
    /// Problems that are counted and not kept, by code: the history keeps `limits.problems` of a run.
    pub unkept: BTreeMap<String, u64>,
    /// What is wrong, line by line.
    pub problems: Vec<Problem>,
    /// Limits of the guard that were passed.
    pub breaches: Vec<Breach>,
    /// Notes for the operator beside the counts.
    pub notes: Vec<Note>,
    /// An earlier run of the same bytes.
    pub same_bytes_as: Option<i64>,
    /// The digest of the dropped file, if that is not the file that was read: a set's manifest or archive.
    pub dropped: Option<String>,
    /// The language of the lists beside the file, if it is not that of the site.
    pub locale: Option<Locale>,
    /// For an approved run: what changed meanwhile.
    pub meanwhile: Option<Meanwhile>,
    /// Milliseconds until the commit.
    pub commit_ms: u64,
    /// Milliseconds until all effects were written.
    pub total_ms: u64,
    /// Statements sent to the database.
    pub statements: u64,
}

impl Report {
    /// True for a run of a task that changed nothing and has nothing to report: all was as desired, or the method is
    /// off.
    pub fn is_quiet(&self) -> bool {
        self.kind.starts_with("sync")
            && matches!(self.state, State::Done | State::Skipped)
            && self.counts.is_empty()
            && self.breaches.is_empty()
    }
}

/// A note for the operator, in no language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// The method is not enabled; nothing was applied.
    MethodDisabled,
    /// The method of full sets is not enabled; nothing was applied.
    SetsDisabled,
    /// Moodle's own task is enabled too.
    TwinTask(String),
    /// Short names in `tasks.RULE.courses` that no course has.
    CoursesUnknown {
        /// The task.
        rule: String,
        /// The names.
        names: String,
    },
    /// The effects could not be written yet; the next run goes on with them.
    EffectsPending(String),
    /// Lines before the header of a file, which were not read: their numbers and texts.
    LinesSkipped(String),
    /// Columns of the file that are not read.
    ColumnsIgnored(String),
    /// `unenrolaction` is keep: `del` lines end nothing.
    DelIgnored,
    /// `unenrolaction` is not a choice of the flat file: `del` lines did nothing.
    ActionUnknown(String),
    /// These methods are not enabled in Moodle: their enrolments do not expire.
    NotExpiring(String),
    /// A method's `expiredaction` is not one of Moodle's choices: its enrolments do not expire.
    ExpiryUnknown {
        /// The method's short name.
        method: String,
        /// What the setting holds.
        value: String,
    },
    /// No category has this id, so courses without a category of their own went into the first one.
    CategoryGone(i64),
    /// No course has this short name, so new courses got the site's defaults.
    TemplateGone(String),
    /// So many rows of a users file name accounts that exist, and its operation leaves those as they are.
    AccountsExist(u64),
    /// So many rows have interests, which were not written: the site has the tags of users switched off.
    InterestsOff(u64),
    /// The courses that a row of a file of methods meant.
    CoursesMeant {
        /// The row's line.
        line: u64,
        /// What the row has.
        written: String,
        /// How many courses.
        courses: u64,
        /// Their short names, the first ones if they are many.
        list: String,
    },
    /// So many rows of a file of methods found everything as they say.
    MethodsUnchanged(u64),
    /// Methods that a file removes.
    MethodsRemoved {
        /// How many.
        methods: u64,
        /// How many enrolments end with them.
        enrolments: i64,
        /// How many people are in a course no longer: counted once for each course.
        places: i64,
        /// Course, method and people of each, the first ones if they are many.
        list: String,
    },
    /// A source's statement about encodings, which the second database refused.
    SetupSkipped(String),
    /// `coursecompleted.delays` names a course that does not exist, by this short name.
    DelayOfNoCourse(String),
    /// No role has the capability that marks the roles of category enrolments: the rule enrols nobody.
    NoRoleSynchronised,
    /// So many of the enrolments that a full set removed were of users whose absence was approved: the guard did not
    /// count them.
    ApprovedBefore(i64),
    /// No enrolment is concerned by the order of a verb.
    NobodyConcerned,
    /// Enrolments that were not renewed: suspended, without an end, with an end that is not earlier.
    NotRenewed {
        /// Suspended ones.
        suspended: i64,
        /// Those without an end.
        endless: i64,
        /// Those with a later end.
        later: i64,
    },
    /// So many people have an enrolment in the other course that is suspended or has ended; it stays so.
    NotReactivated(i64),
    /// So many methods still enrol people who were not converted, and stay as they are.
    SourceStays(i64),
    /// The method of the converted enrolments, which files or sets enrol by, is disabled: whom they name later has no
    /// access.
    SourceDisabled(String),
    /// The run was split into so many parts, each a transaction.
    InParts(usize),
    /// Only the first problems are kept; all are counted.
    ProblemsUnkept {
        /// How many are kept.
        kept: u64,
        /// How many there are.
        of: u64,
    },
    /// The run was tried again after a transient error.
    Retried(u32),
}
