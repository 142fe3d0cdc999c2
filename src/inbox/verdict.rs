//! What becomes of a held file when somebody has decided: it is found by what tells it apart, and gets its last name.
//! It must not decide.

use std::ffi::OsString;

use super::ending::{held_name, rename};
use super::{Claimed, Ending, EndingError, InboxError, finish, followers, names};
use crate::config::Settings;
use crate::db::{Conn, Database};
use crate::run::history::{Claim, Past};
use crate::run::{Engine, Report, RunError, State, decision, zone};

/// Renames the file of a held run that was decided: `.done` with the report of the run that applied it, or `.rejected`.
/// Nothing happens if the file is not in the drop directory (it was imported from elsewhere, or taken away).
///
/// # Errors
/// As [`finish`]; [`settle_all`] does it later.
pub async fn settle_decided(
    database: &Database,
    settings: &Settings,
    held: &Past,
    applied: Option<&Report>,
) -> Result<(), EndingError> {
    for (claimed, claim) in held_files(settings)? {
        if same(&claim, &held.claim) {
            settle(database, settings, claimed, held, applied).await?;
        }
    }
    Ok(())
}

/// Renames every held file whose run was decided while nobody could rename it. One query for each held file.
///
/// # Errors
/// As [`settle_decided`].
pub async fn settle_all(conn: &mut Conn, engine: &Engine) -> Result<(), EndingError> {
    for (claimed, claim) in held_files(&engine.settings)? {
        let Some(held) = decision::decided_of(conn, &claim).await.map_err(RunError::from)? else { continue };
        let applied = match decision::child(conn, held.run).await.map_err(RunError::from)? {
            Some(child) => engine.recall(child.run).await?,
            None => None,
        };
        settle(&engine.database, &engine.settings, claimed, &held, applied.as_ref()).await?;
    }
    Ok(())
}

async fn settle(
    database: &Database,
    settings: &Settings,
    claimed: Claimed,
    held: &Past,
    applied: Option<&Report>,
) -> Result<(), EndingError> {
    // By the mark of the drop, the lists of the run that applied it take the place of those of the held one.
    let token = if held.claim.token.is_empty() { claimed.token.clone() } else { held.claim.token.clone() };
    let claimed = Claimed { token, is_set: held.kind.starts_with("sync "), ..claimed };
    if let Some(report) = applied {
        finish(database, settings, &claimed, report, Ending::Done).await?;
        return Ok(());
    }
    let stamp = names::stamp(held.clock, zone(settings, None));
    let ending = if held.state == State::Approved.as_str() { Ending::Done } else { Ending::Rejected };
    // What stands behind `.held` stands in the names of its lists, too.
    let named = claimed.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let behind = named.rsplit_once(".held").map_or("", |(_, behind)| behind);
    followers::end(settings, &claimed, ending, &stamp)?;
    rename(settings, &claimed, ending, behind, &stamp, &held.sha256)?;
    Ok(())
}

/// The files of the drop directory that wait for a decision.
fn held_files(settings: &Settings) -> Result<Vec<(Claimed, Claim)>, InboxError> {
    let dir = &settings.inbox.path;
    let listed = match std::fs::read_dir(dir) {
        Ok(listed) => listed,
        // A site that only imports by command has no drop directory.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(InboxError::new("cannot read the drop directory", dir, error)),
    };
    let names: Vec<OsString> = listed.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    let held = names.into_iter().filter_map(|name| {
        let own = held_name(&name)?.to_owned();
        let path = dir.join(&name);
        let metadata = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
        let claim = Claim::of(&metadata);
        let token = format!("held-{}-{}", claim.device, claim.inode);
        Some((Claimed::of(dir, &own, path, token), claim))
    });
    Ok(held.collect())
}

fn same(one: &Claim, other: &Claim) -> bool {
    (one.device, one.inode, one.size, one.mtime) == (other.device, other.inode, other.size, other.mtime)
}
