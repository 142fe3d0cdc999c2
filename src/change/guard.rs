//! The guard: what a run removes, suspends and creates, compared with its limits before it is applied. It must not
//! depend on a method's rules: it counts the journal per run, course and method.

use std::collections::BTreeMap;

use crate::change::kind::Figure;
use crate::config::{AccountLimits, Guard as Settings, GuardMode, Limits, OwnLimits, Task};
use crate::db::{Conn, DbError, Params};
use crate::outcome::Breach;

/// Counts of one scope.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub removals: i64,
    pub suspensions: i64,
    pub creations: i64,
}

/// What a users file or a cohort file changes, in accounts and members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountChanges {
    /// Accounts that are made.
    pub created: i64,
    /// Accounts of which any value changes; those that are only suspended, deleted or renamed are not among them.
    pub updated: i64,
    /// Accounts that become suspended.
    pub suspended: i64,
    /// Accounts that are deleted.
    pub deleted: i64,
    /// Accounts whose user name changes.
    pub renamed: i64,
    /// Accounts whose e-mail address changes.
    pub emails: i64,
    /// Members who are removed from cohorts.
    pub members_removed: i64,
}

/// The guard of a run.
#[derive(Clone, Debug)]
pub struct Guard {
    pub(super) limits: Settings,
    /// The limits per method of tasks and sources that have their own, by the cause of the changes.
    pub(super) own: BTreeMap<String, Limits>,
    /// Enrolments before the run, by course and by method.
    pub(super) members: Option<Members>,
    /// Whether the run removes or suspends anything.
    pub(super) endings: bool,
    /// The removals that are not counted, because an earlier approval covers them.
    pub(super) approved: Option<ApprovedPass>,
    /// The members whom files took out of groups so far.
    members_out: i64,
    /// The limits passed so far.
    pub breaches: Vec<Breach>,
}

/// A pass with removals that an operator has approved before this run, and its cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct ApprovedPass {
    pub pass_no: i64,
    pub cause: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub by_course: BTreeMap<i64, i64>,
    pub by_method: BTreeMap<String, i64>,
}

impl Guard {
    /// A guard with the configured limits and the tasks' own: a task's limits hold for its changes, and those of
    /// `only_job` for the whole run.
    pub fn new(mut limits: Settings, tasks: &BTreeMap<String, Task>, only_job: Option<&str>) -> Self {
        let own = tasks.iter().map(|(name, task)| (name.clone(), task.guard.over(&limits.method))).collect();
        if let Some(task) = only_job.and_then(|job| tasks.get(job)) {
            limits.run = task.guard.over(&limits.run);
        }
        Self { limits, own, members: None, endings: false, approved: None, members_out: 0, breaches: Vec::new() }
    }

    /// True if the run must stop now.
    pub fn holds(&self) -> bool {
        self.limits.mode == GuardMode::Hold && !self.breaches.is_empty()
    }

    /// Does not count the changes of a pass, because an earlier approval covers them, nor what follows for its users.
    /// What follows for a user counts if `cause` has changed that user in another pass too.
    pub fn leave_out(&mut self, pass_no: i64, cause: &'static str) {
        self.approved = Some(ApprovedPass { pass_no, cause });
    }

    /// Compares the failed lines of a file with its limit, and holds a file without lines.
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

    /// Sets a source's own limits, for the whole run and for its changes.
    pub fn for_source(&mut self, own: &OwnLimits) {
        self.limits.run = own.over(&self.limits.run);
        self.own.insert("database".to_owned(), own.over(&self.limits.method));
    }

    /// Compares the rows of a full set with an unknown account or place with their limit; an empty set is a breach.
    pub fn check_rows(&mut self, source: &str, rows: i64, unknown: i64, percent: u32) {
        if self.limits.mode == GuardMode::Off {
            return;
        }
        if rows == 0 {
            self.breach("set", source, "empty", 0, 0, "1".to_owned());
        } else if percent > 0 && unknown * 100 > rows * i64::from(percent) {
            self.breach("set", source, "unknown", unknown, rows, format!("{percent} %"));
        }
    }

    /// Compares the rows of a full set with those of the last good one of its source.
    pub fn check_set(&mut self, source: &str, rows: i64, last: Option<i64>, fewer_percent: u32, more_percent: u32) {
        let Some(last) = last.filter(|last| *last > 0) else { return };
        if self.limits.mode == GuardMode::Off {
            return;
        }
        let (fewer, more) = (i64::from(fewer_percent), i64::from(more_percent));
        if fewer > 0 && (last - rows) * 100 > last * fewer {
            self.breach("set", source, "fewer-rows", rows, last, format!("-{fewer} %"));
        } else if more > 0 && (rows - last) * 100 > last * more {
            self.breach("set", source, "more-rows", rows, last, format!("+{more} %"));
        }
    }

    /// Compares the courses that a set creates with their limit.
    pub fn check_courses(&mut self, source: &str, made: i64, max: u32) {
        if self.limits.mode != GuardMode::Off && max > 0 && made > i64::from(max) {
            self.breach("set", source, "courses", made, made, max.to_string());
        }
    }

    /// Compares the members whom one cohort would lose with the limits of a course.
    pub fn check_cohort(&mut self, name: &str, removals: i64, of: i64) {
        if self.limits.mode != GuardMode::Off {
            let limits = self.limits.course.clone();
            self.compare("cohort", name, &limits, Tally { removals, ..Tally::default() }, of);
        }
    }

    /// Compares the members whom all cohorts of a set would lose with the limits of a run.
    pub fn check_memberships(&mut self, removals: i64, of: i64) {
        if self.limits.mode != GuardMode::Off {
            let limits = self.limits.run.clone();
            self.compare("memberships", "", &limits, Tally { removals, ..Tally::default() }, of);
        }
    }

    /// Compares the accounts and members that a users file or a cohort file changes with their limits. To be called
    /// with the whole plan, before it is committed; [`crate::change::context::RunContext::guard_check`] then holds
    /// the run. `accounts` is how many accounts the site had before the run, without the deleted ones, and `members`
    /// how many members the cohorts had that lose one.
    pub fn check_accounts(&mut self, changes: &AccountChanges, accounts: i64, members: i64) {
        if self.limits.mode == GuardMode::Off {
            return;
        }
        let AccountChanges { created, updated, suspended, deleted, renamed, emails, members_removed } = *changes;
        let limits: &AccountLimits = &self.limits.accounts;
        let at_least = i64::from(limits.at_least);
        let kinds = [
            ("creations", created, accounts, limits.creations_max, limits.creations_percent),
            ("updates", updated, accounts, limits.updates_max, limits.updates_percent),
            ("suspensions", suspended, accounts, limits.suspensions_max, limits.suspensions_percent),
            ("deletions", deleted, accounts, limits.deletions_max, limits.deletions_percent),
            ("renames", renamed, accounts, limits.renames_max, limits.renames_percent),
            ("emails", emails, accounts, limits.emails_max, limits.emails_percent),
            ("members", members_removed, members, limits.member_removals_max, limits.member_removals_percent),
        ];
        for (what, count, of, max, percent) in kinds {
            if let Some(limit) = passed(count, of, max, percent, count >= at_least) {
                self.breach("accounts", "", what, count, of, limit);
            }
        }
    }

    /// Records that the profile of a dropped file of this kind has every file approved.
    pub fn await_approval(&mut self, kind: &str) {
        self.breach("file", kind, "approval", 0, 0, String::new());
    }

    /// Compares the cohorts that a file removes, of all cohorts of the site, with the limits of a run.
    pub fn check_cohorts(&mut self, removed: i64, of: i64) {
        if self.limits.mode != GuardMode::Off {
            let limits = self.limits.run.clone();
            self.compare("cohorts", "", &limits, Tally { removals: removed, ..Tally::default() }, of);
        }
    }

    /// Compares the groups and groupings that a file removes, of all groups of its courses, with the limits of a run.
    pub fn check_groups(&mut self, removed: i64, of: i64) {
        if self.limits.mode != GuardMode::Off {
            let limits = self.limits.run.clone();
            self.compare("groups", "", &limits, Tally { removals: removed, ..Tally::default() }, of);
        }
    }

    /// Compares the members whom a file takes out of groups, with those that it took out before, of all members that
    /// the groups of its courses had before this step, with the limits of a run.
    pub fn check_group_members(&mut self, removed: i64, of: i64) {
        if self.limits.mode != GuardMode::Off {
            let of = of + self.members_out;
            self.members_out += removed;
            let limits = self.limits.run.clone();
            let tally = Tally { removals: self.members_out, ..Tally::default() };
            self.compare("group-members", "", &limits, tally, of);
        }
    }

    /// Compares the groups that a file takes out of groupings, of all that the groupings of its courses have, with the
    /// limits of a run.
    pub fn check_bindings(&mut self, removed: i64, of: i64) {
        if self.limits.mode != GuardMode::Off {
            let limits = self.limits.run.clone();
            self.compare("bindings", "", &limits, Tally { removals: removed, ..Tally::default() }, of);
        }
    }

    /// Compares the people who lose roles because a file disables their methods, of all enrolments of these methods on
    /// the site, with the limits of a run.
    pub fn check_disabled(&mut self, people: i64, of: i64) {
        if self.limits.mode != GuardMode::Off {
            let limits = self.limits.run.clone();
            self.compare("disabled-methods", "", &limits, Tally { removals: people, ..Tally::default() }, of);
        }
    }

    /// Records that a rule would remove all that it ever added, in so many instances, because no role is left to
    /// follow.
    pub fn check_roles(&mut self, rule: &str, instances: i64) {
        if self.limits.mode != GuardMode::Off {
            self.breach("rule", rule, "no-roles", instances, instances, "0".to_owned());
        }
    }

    /// Records that a limit is passed, once for each scope, name and count.
    pub fn breach(&mut self, scope: &str, name: &str, what: &str, count: i64, of: i64, limit: String) {
        let breach = Breach { scope: scope.to_owned(), name: name.to_owned(), what: what.to_owned(), count, of, limit };
        let same = |old: &&mut Breach| old.scope == breach.scope && old.name == breach.name && old.what == breach.what;
        match self.breaches.iter_mut().find(same) {
            Some(old) => *old = breach,
            None => self.breaches.push(breach),
        }
    }

    /// Replaces the ids of courses by their short names in the breaches, once the run's outcome is known.
    ///
    /// # Errors
    /// The database's error.
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

    pub(super) fn watches_creations(&self) -> bool {
        [&self.limits.run, &self.limits.course, &self.limits.method]
            .into_iter()
            .chain(self.own.values())
            .any(|scope| scope.creations_max > 0 || scope.creations_percent > 0)
    }

    pub(super) fn compare(&mut self, scope: &str, name: &str, limits: &Limits, tally: Tally, of: i64) {
        let kinds = [
            ("removals", tally.removals, limits.removals_max, limits.removals_percent),
            ("suspensions", tally.suspensions, limits.suspensions_max, limits.suspensions_percent),
            ("creations", tally.creations, limits.creations_max, limits.creations_percent),
        ];
        for (what, count, max, percent) in kinds {
            let many = count >= i64::from(limits.at_least) && of > i64::from(limits.min_members);
            if let Some(limit) = passed(count, of, max, percent, many) {
                self.breach(scope, name, what, count, of, limit);
            }
        }
    }
}

/// The limit that a count passes; `many`: there are enough changes for a percentage to mean something.
fn passed(count: i64, of: i64, max: u32, percent: u32, many: bool) -> Option<String> {
    let (max, percent) = (i64::from(max), i64::from(percent));
    if max > 0 && count > max {
        Some(max.to_string())
    } else if percent > 0 && count > 0 && many && count * 100 > of * percent {
        Some(format!("{percent} %"))
    } else {
        None
    }
}

impl Tally {
    /// The count that changes of a figure are added to; `None` if the guard does not count them.
    pub(super) fn part(&mut self, figure: Figure) -> Option<&mut i64> {
        match figure {
            Figure::Unenrolled => Some(&mut self.removals),
            Figure::Suspended => Some(&mut self.suspensions),
            Figure::Enrolled => Some(&mut self.creations),
            _ => None,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.removals += other.removals;
        self.suspensions += other.suspensions;
        self.creations += other.creations;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Locale, Settings as All};
    use crate::report::words;

    fn guard(set: impl FnOnce(&mut Settings)) -> Guard {
        let mut settings = All::default().guard;
        set(&mut settings);
        Guard::new(settings, &BTreeMap::new(), None)
    }

    fn told(guard: &Guard, locale: Locale) -> Vec<String> {
        guard.breaches.iter().map(|breach| words::breach(breach, locale)).collect()
    }

    #[test]
    fn accounts_and_members_have_limits_by_count_and_in_percent() {
        let mut usual = guard(|_| ());
        let within = AccountChanges {
            created: 5_000,
            updated: 900,
            suspended: 19,
            deleted: 19,
            renamed: 20,
            emails: 50,
            members_removed: 20,
        };
        usual.check_accounts(&within, 90, 100);
        assert_eq!(told(&usual, Locale::En), Vec::<String>::new());
        let beyond =
            AccountChanges { suspended: 21, deleted: 20, renamed: 21, emails: 51, members_removed: 21, ..within };
        usual.check_accounts(&beyond, 100, 100);
        assert_eq!(
            told(&usual, Locale::En),
            [
                "guard: 21 accounts suspended, of 100 accounts (limit 20 %)",
                "guard: 20 accounts deleted, of 100 accounts (limit 5 %)",
                "guard: 21 user names changed, of 100 accounts (limit 20)",
                "guard: 51 e-mail addresses changed, of 100 accounts (limit 50)",
                "guard: 21 members removed from cohorts, of 100 members (limit 20 %)",
            ]
        );
        assert!(usual.holds());
        let mut own = guard(|settings| {
            (settings.accounts.creations_max, settings.accounts.updates_percent) = (2, 10);
            settings.accounts.at_least = 0;
        });
        own.check_accounts(&AccountChanges { created: 3, updated: 2, ..AccountChanges::default() }, 10, 0);
        assert_eq!(
            told(&own, Locale::Fr),
            [
                "garde : 3 nouveaux comptes, sur 10 comptes (seuil 2)",
                "garde : 2 comptes mis à jour, sur 10 comptes (seuil 10 %)",
            ]
        );
        let mut off = guard(|settings| settings.mode = GuardMode::Off);
        off.check_accounts(&beyond, 1, 1);
        assert_eq!(told(&off, Locale::En), Vec::<String>::new());
    }
}
