//! The state of a source's OneRoster archives: the base that its last good run has left, and the held sets.
//! It must not read an archive, nor decide anything but whether the next one may be applied now.

use crate::config::Settings;
use crate::db::{Conn, DbError, Params};
use crate::disk::own;
use crate::outcome::{OneRosterBase, RunError, RunResult};
use crate::sets::SetOrder;
use crate::sets::feed::GOOD;
use crate::source::oneroster::forget_bases;

/// The state of a source's archives.
#[derive(Clone, Debug)]
pub struct BaseState {
    source: String,
    /// The base that the last good run has left; `None` if its set was no archive, or there was no run.
    pub base: Option<OneRosterBase>,
    /// The held runs, the oldest first, each with the base that it would leave if it were approved.
    held: Vec<(i64, Option<OneRosterBase>)>,
}

impl BaseState {
    /// The state of a source, from its history. Two statements.
    ///
    /// # Errors
    /// The database's error.
    pub async fn of(conn: &mut Conn, source: &str) -> Result<Self, DbError> {
        let params = Params::new().with("kind", format!("sync {source}")).fragment("good", GOOD);
        let last = "SELECT r.id, COALESCE(r.counts, 'null') FROM :good ORDER BY r.id DESC LIMIT 1";
        let base = conn.row(last, &params).await?.map(|row| base_of(row.int(0), &row.text(1))).transpose()?.flatten();
        let held = "SELECT r.id, COALESCE(r.counts, 'null') FROM {enrold_run} r
            WHERE r.state = 'held' AND r.kind = :kind ORDER BY r.id";
        let held = conn.rows(held, &params).await?;
        let held = held.iter().map(|row| Ok((row.int(0), base_of(row.int(0), &row.text(1))?)));
        Ok(Self { source: source.to_owned(), base, held: held.collect::<Result<_, DbError>>()? })
    }

    /// The held run that must be decided before a set is applied: a delta builds on any held set, and no set replaces a
    /// held delta, because a later set need not repeat its content.
    pub fn waits_for(&self, delta: bool, but: Option<i64>) -> Option<i64> {
        let is_delta = |base: &Option<OneRosterBase>| base.as_ref().is_some_and(|base| base.delta);
        let others = self.held.iter().filter(|(run, _)| Some(*run) != but);
        others.filter(|(_, base)| delta || is_delta(base)).map(|(run, _)| *run).next()
    }

    /// Fails if a set must wait.
    ///
    /// # Errors
    /// [`RunError::SetWaits`].
    pub fn admit(&self, delta: bool, but: Option<i64>) -> RunResult<()> {
        match self.waits_for(delta, but) {
            Some(run) => Err(RunError::SetWaits { source_name: self.source.clone(), run }),
            None => Ok(()),
        }
    }

    /// Removes the bases that neither the last good run nor a held one has left.
    ///
    /// # Errors
    /// The error of the state directory.
    pub fn forget_others(&self, settings: &Settings) -> std::io::Result<()> {
        let held = self.held.iter().filter_map(|(_, base)| base.as_ref());
        let needed: Vec<String> = self.base.iter().chain(held).map(|base| base.sha256.clone()).collect();
        forget_bases(&settings.state.path, &self.source, &needed)
    }
}

/// Fails if a set may not be applied as it was prepared; called under the run lease, when nothing changes any more.
/// `held` is the run that is being approved.
///
/// # Errors
/// [`RunError::SetWaits`]; [`RunError::SetMoved`]: prepare it again; [`RunError::Undecidable`] for a held one.
pub async fn require(conn: &mut Conn, settings: &Settings, order: &SetOrder, held: Option<i64>) -> RunResult<()> {
    let base_state = BaseState::of(conn, &order.source).await?;
    base_state.admit(order.oneroster_base.as_ref().is_some_and(|base| base.delta), held)?;
    let Some(base) = &order.oneroster_base else { return Ok(()) };
    let on = base_state.base.as_ref().map_or("", |base| base.sha256.as_str());
    let builds = !base.delta || base.on == on;
    if builds && own::is_there(&OneRosterBase::path(&settings.state.path, &order.source, &base.sha256)) {
        return Ok(());
    }
    Err(match held {
        Some(run) => RunError::Undecidable(format!(
            "what run {run} was merged into is not the state of source {} any more: reject it, then send a bulk set",
            order.source
        )),
        None => RunError::SetMoved(order.source.clone()),
    })
}

/// The base in the numbers of a run; `None` if its set was no archive.
fn base_of(run: i64, counts: &str) -> Result<Option<OneRosterBase>, DbError> {
    let base = numbers(run, counts)?["set"]["roster"].clone();
    serde_json::from_value(base).map_err(|error| unreadable(run, &error))
}

/// The numbers of an earlier run with which the next set is compared. If they cannot be read, the set must not be
/// applied as if there were none.
pub(super) fn numbers(run: i64, counts: &str) -> Result<serde_json::Value, DbError> {
    serde_json::from_str(counts).map_err(|error| unreadable(run, &error))
}

fn unreadable(run: i64, error: &serde_json::Error) -> DbError {
    DbError::other(format!(
        "the numbers of run {run} in enrold_run.counts cannot be read, so this set cannot be compared with it: \
         {error}; restore that row from a backup"
    ))
}

#[cfg(test)]
mod tests {
    use super::base_of;

    #[test]
    fn unreadable_numbers_are_no_missing_base() {
        assert_eq!(base_of(7, "null").unwrap(), None);
        assert_eq!(base_of(7, r#"{"set":null}"#).unwrap(), None);
        assert_eq!(base_of(7, r#"{"set":{"source":"s"}}"#).unwrap(), None);
        for damaged in ["", "{", r#"{"set":{"roster":"x"}}"#] {
            let error = base_of(7, damaged).unwrap_err().to_string();
            assert!(error.contains("the numbers of run 7"), "{error}");
        }
    }
}
