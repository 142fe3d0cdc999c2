//! Settles a held file once its run is decided: finds the file by its claim and digest, and gives it its final name.
//! It must not decide.

use super::file_outcome::{held_name, rename};
use super::masked::{self, MaskedCopy};
use super::{Claimed, FileOutcome, FileOutcomeError, InboxError, finish, names, set_files};
use crate::db::Conn;
use crate::disk::{blocking, is_changed};
use crate::moodle::site::zone;
use crate::outcome::{Past, Report, RunError, State};
use crate::run::{Engine, decision};

/// Renames the file of a held run that was decided: `.done` with the report of the run that applied it, or `.rejected`.
/// Nothing happens if the file is not in the drop directory (it was imported from elsewhere, or removed).
///
/// # Errors
/// As [`finish`]; [`settle_all`] tries again later.
pub async fn settle_decided(engine: &Engine, held: &Past, applied: Option<&Report>) -> Result<(), FileOutcomeError> {
    let noted = noted(engine)?;
    for mut claimed in held_files(engine)? {
        let copy = MaskedCopy::of(&noted, &claimed);
        if copy.map_or_else(|| held.claim.stands_as(&claimed.claim()), |copy| copy.run == held.run)
            && is_of(&mut claimed, held, copy)?
        {
            settle(engine, claimed, held, applied).await?;
        }
    }
    Ok(())
}

/// Renames every held file whose run was decided but whose file was not renamed then. One query for each held file.
///
/// # Errors
/// As [`settle_decided`].
pub async fn settle_all(conn: &mut Conn, engine: &Engine) -> Result<(), FileOutcomeError> {
    let noted = noted(engine)?;
    for mut claimed in held_files(engine)? {
        let copy = MaskedCopy::of(&noted, &claimed);
        let held = match copy {
            Some(copy) => decision::decided(conn, copy.run).await,
            None => decision::decided_of(conn, &claimed.claim()).await,
        };
        let Some(held) = held.map_err(RunError::from)? else { continue };
        if !is_of(&mut claimed, &held, copy)? {
            continue;
        }
        let applied = match decision::child(conn, held.run).await.map_err(RunError::from)? {
            Some(child) => engine.recall(child.run).await?,
            None => None,
        };
        settle(engine, claimed, &held, applied.as_ref()).await?;
    }
    forget_notes(conn, engine, &noted).await
}

/// Removes the notes of masked copies that nothing waits for any more.
async fn forget_notes(conn: &mut Conn, engine: &Engine, noted: &[MaskedCopy]) -> Result<(), FileOutcomeError> {
    if noted.is_empty() {
        return Ok(());
    }
    let held = decision::held(conn).await.map_err(RunError::from)?;
    let dir = super::open(&engine.settings, &engine.stop)?;
    let state = &engine.settings.state.path;
    masked::forget_others(state, &dir, |run| held.contains(&run)).map_err(|error| unusable(engine, error))
}

fn noted(engine: &Engine) -> Result<Vec<MaskedCopy>, FileOutcomeError> {
    MaskedCopy::noted(&engine.settings.state.path).map_err(|error| unusable(engine, error))
}

fn unusable(engine: &Engine, error: std::io::Error) -> FileOutcomeError {
    RunError::State { path: engine.settings.state.path.display().to_string(), error }.into()
}

async fn settle(
    engine: &Engine,
    claimed: Claimed,
    held: &Past,
    applied: Option<&Report>,
) -> Result<(), FileOutcomeError> {
    let settings = &engine.settings;
    // The token identifies the drop, so that the lists of the applying run replace those of the held one.
    let token = if held.claim.token.is_empty() { claimed.token.clone() } else { held.claim.token.clone() };
    let mut claimed = claimed;
    (claimed.token, claimed.is_set) = (token, held.kind.starts_with("sync "));
    if let Some(report) = applied {
        finish(&engine.database, settings, &claimed, report, FileOutcome::Done).await?;
        return forget_note(engine, &claimed);
    }
    let stamp = names::stamp(held.clock, zone(settings, None));
    let outcome = if held.state == State::Approved.as_str() { FileOutcome::Done } else { FileOutcome::Rejected };
    // The text behind `.held` is part of the names of its lists, too.
    let named = claimed.working.to_string_lossy().into_owned();
    let behind = named.rsplit_once(".held").map_or("", |(_, behind)| behind);
    blocking(|| {
        set_files::end(settings, &claimed, outcome, &stamp)?;
        rename(settings, &claimed, outcome, behind, &stamp, &held.sha256)
    })?;
    forget_note(engine, &claimed)
}

fn forget_note(engine: &Engine, claimed: &Claimed) -> Result<(), FileOutcomeError> {
    match &claimed.original {
        Some(original) => {
            MaskedCopy::forget(&engine.settings.state.path, &original.token).map_err(|error| unusable(engine, error))
        }
        None => Ok(()),
    }
}

/// The files of the drop directory that wait for a decision.
fn held_files(engine: &Engine) -> Result<Vec<Claimed>, InboxError> {
    let dir = match super::open(&engine.settings, &engine.stop) {
        Ok(dir) => dir,
        // A site that only imports by command has no drop directory.
        Err(error) if error.error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = dir.names().map_err(|error| InboxError::new("cannot read the drop directory", dir.path(), error))?;
    let mut held = Vec::new();
    for name in names {
        let Some(own) = held_name(&name) else { continue };
        let Ok(status) = dir.status(&name) else { continue };
        let token = format!("held-{}-{}", status.device, status.inode);
        // A link or a pipe was never held.
        held.extend(Claimed::of(&dir, own, &name, token)?.filter(|claimed| claimed.file.is_ok()));
    }
    Ok(held)
}

/// True if the bytes of the file are those that the held run has read, or of their masked copy, which then counts as
/// the file that was claimed. Another file of that name is left unchanged.
fn is_of(claimed: &mut Claimed, held: &Past, copy: Option<&MaskedCopy>) -> Result<bool, FileOutcomeError> {
    let Ok(file) = &claimed.file else { return Ok(false) };
    let sha256 = copy.map(|copy| copy.sha256.as_str()).or(held.dropped_sha256());
    // An earlier version did not store the digest; numbers that cannot be read prove nothing.
    let Some(sha256) = sha256 else { return Ok(!held.counts.is_null()) };
    match blocking(|| file.verify(sha256)) {
        Ok(()) => {
            claimed.original = copy.map(|_| held.claim.clone());
            Ok(true)
        }
        Err(error) if is_changed(&error) => Ok(false),
        Err(error) => Err(InboxError::new("cannot read", &claimed.path(), error).into()),
    }
}
