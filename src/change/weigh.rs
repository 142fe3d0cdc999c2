//! The guard's counts: the enrolments before the run, the changes in the journal so far, and their check between two
//! steps. It must not interpret the limits; [`crate::change::guard::Guard`] compares.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::context::{Position, RunContext};
use crate::change::guard::{AccountChanges, ApprovedPass, Members, Tally};
use crate::change::kind::{self, Kind};
use crate::change::kinds;
use crate::config::GuardMode;
use crate::db::{Conn, DbError, Params, statement};
use crate::outcome::{RunError, RunResult};

const EXISTING: &str = statement(include_str!("weigh.sql"), "existing");
const ADDED: &str = statement(include_str!("weigh.sql"), "added");
const EARLIER: &str = statement(include_str!("weigh.sql"), "earlier");
const WEIGHED: &str = statement(include_str!("weigh.sql"), "weighed");
const USERS_APPROVED: &str = statement(include_str!("weigh.sql"), "users approved");
const NOT_APPROVED: &str = statement(include_str!("weigh.sql"), "not approved");
const ACCOUNTS_CHANGED: &str = statement(include_str!("weigh.sql"), "accounts changed");

impl RunContext<'_> {
    /// Counts the enrolments before the run changed any: those that exist now, less what this run added, plus what its
    /// earlier parts removed. Called before the first removal of this transaction is applied.
    pub(crate) async fn guard_open(&mut self) -> Result<(), DbError> {
        if self.guard.members.is_some() || self.guard.limits.mode == GuardMode::Off {
            return Ok(());
        }
        let mut members = Members::default();
        let params = Params::new().with("run", self.run).with("committed", self.committed);
        let params = params.with("added", &kinds::ENROLMENT_ADD).with("removed", &kinds::ENROLMENT_REMOVE);
        let earlier = (self.committed > 0).then_some(EARLIER);
        for sql in [EXISTING, ADDED].into_iter().chain(earlier) {
            self.conn
                .each(sql, &params, |row| {
                    *members.by_course.entry(row.int(0)).or_default() += row.int(2);
                    *members.by_method.entry(row.text(1)).or_default() += row.int(2);
                    Ok(())
                })
                .await?;
        }
        self.guard.members = Some(members);
        Ok(())
    }

    /// [`RunContext::guard_check`] for a step that removes or suspends: from now on the changes are counted.
    ///
    /// # Errors
    /// As [`RunContext::guard_check`].
    pub async fn guard_ending(&mut self) -> RunResult<()> {
        self.guard.endings = true;
        self.guard_check().await
    }

    /// Compares all that the journal of this run holds so far with the limits: called after every planning step and
    /// before that step is applied, and once more before the commit.
    ///
    /// # Errors
    /// [`RunError::Held`] when a limit is passed and the guard holds, else the database's error.
    pub async fn guard_check(&mut self) -> RunResult<()> {
        if self.guard.limits.mode == GuardMode::Off {
            return Ok(());
        }
        if self.guard.endings || self.guard.watches_creations() {
            self.guard_open().await?;
            let tallies = count_journal(self.conn, self.run, self.guard.approved).await?;
            self.judge(tallies);
        }
        if self.guard.holds() { Err(RunError::Held) } else { Ok(()) }
    }

    /// Compares the accounts that the journal of this run changes with their limits, and all other changes with theirs:
    /// called once a users file has changed its accounts. Two statements.
    ///
    /// # Errors
    /// As [`RunContext::guard_check`].
    pub async fn guard_accounts(&mut self) -> RunResult<()> {
        if self.guard.limits.mode == GuardMode::Off {
            return Ok(());
        }
        let mut changes = AccountChanges::default();
        let email = self.conn.dialect().json_text("c.newrow", "email");
        let counted =
            [&kinds::USER_ADD, &kinds::USER_UPDATE, &kinds::USER_SUSPEND, &kinds::USER_REMOVE, &kinds::USER_RENAME];
        let addressed = [&kinds::USER_UPDATE, &kinds::USER_SUSPEND];
        let params = Params::new()
            .with("run", self.run)
            .with("counted", kind::names(|kind| counted.contains(&kind)))
            .with("addressed", kind::names(|kind| addressed.contains(&kind)))
            .fragment("email", email);
        for row in self.conn.rows(ACCOUNTS_CHANGED, &params).await? {
            let (name, accounts) = (row.text(0), row.int(1));
            let part = match Kind::of(&name) {
                Some(kind) if *kind == kinds::USER_ADD => &mut changes.created,
                Some(kind) if *kind == kinds::USER_UPDATE => &mut changes.updated,
                Some(kind) if *kind == kinds::USER_SUSPEND => &mut changes.suspended,
                Some(kind) if *kind == kinds::USER_REMOVE => &mut changes.deleted,
                Some(kind) if *kind == kinds::USER_RENAME => &mut changes.renamed,
                _ => &mut changes.emails,
            };
            *part += accounts;
        }
        let now = self.conn.number("SELECT COUNT(*) FROM {user} u WHERE u.deleted = 0", &Params::new()).await?;
        self.guard.check_accounts(&changes, now - changes.created + changes.deleted, 0);
        self.guard_check().await
    }

    fn judge(&mut self, tallies: BTreeMap<Scope, Tally>) {
        let members = self.guard.members.clone().unwrap_or_default();
        let limits = self.guard.limits.clone();
        let mut run = Tally::default();
        let mut courses: BTreeMap<i64, Tally> = BTreeMap::new();
        let mut methods: BTreeMap<(String, String), Tally> = BTreeMap::new();
        for (scope, tally) in tallies {
            run.add(tally);
            courses.entry(scope.course).or_default().add(tally);
            methods.entry((scope.method, scope.cause)).or_default().add(tally);
        }
        let of_method = |method: &String| members.by_method.get(method).copied().unwrap_or(0);
        // A run is compared with the enrolments that its methods have on the whole site.
        let touched: BTreeSet<&String> = methods.keys().map(|(method, _)| method).collect();
        self.guard.compare("run", "", &limits.run, run, touched.into_iter().map(of_method).sum());
        for ((method, cause), tally) in &methods {
            let own = self.guard.own.get(cause).cloned();
            self.guard.compare("method", method, own.as_ref().unwrap_or(&limits.method), *tally, of_method(method));
        }
        for (course, tally) in courses {
            let of = members.by_course.get(&course).copied().unwrap_or(0);
            self.guard.compare("course", &course.to_string(), &limits.course, tally, of);
        }
    }
}

/// The changes that are counted together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    course: i64,
    method: String,
    cause: String,
}

async fn count_journal(
    conn: &mut Conn,
    run: i64,
    approved: Option<ApprovedPass>,
) -> Result<BTreeMap<Scope, Tally>, DbError> {
    let weighed = kind::names(|kind| kind.figure.is_some_and(|figure| Tally::default().part(figure).is_some()));
    let params = Params::new().with("run", run).with("weighed", weighed);
    let params = match approved {
        None => params.fragment("users_approved", "").fragment("not_approved", ""),
        Some(ApprovedPass { pass_no, cause }) => {
            let (from, to) = Position::of_passes(pass_no, pass_no);
            let params = params.with("approved", from).with("approved_to", to).with("approved_cause", cause);
            params.fragment("users_approved", USERS_APPROVED).fragment("not_approved", NOT_APPROVED)
        }
    };
    let mut tallies: BTreeMap<Scope, Tally> = BTreeMap::new();
    conn.each(WEIGHED, &params, |row| {
        let scope = Scope { course: row.int(0), method: row.text(1), cause: row.text(2) };
        let tally = tallies.entry(scope).or_default();
        let figure = Kind::of(&row.text(3)).and_then(|kind| kind.figure);
        if let Some(part) = figure.and_then(|figure| tally.part(figure)) {
            *part += row.int(4);
        }
        Ok(())
    })
    .await?;
    Ok(tallies)
}
