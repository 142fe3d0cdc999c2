//! What a run of the flat file does, from staged lines to the last change: the file itself, or the buffer and the
//! expirations. It must not begin or end transactions: the life of a run does.

use std::collections::BTreeMap;
use std::fs::File;

use crate::config::{DelScope, Settings};
use crate::expiry::{self, Methods};
use crate::files::{self, Entry, Kind, Reading, Scan};
use crate::flatfile::stage::{Stage, Staged};
use crate::flatfile::{COMPONENT, METHOD, buffer, del, waves};
use crate::mail;
use crate::moodle::site::{RemovalAction, Site};
use crate::run::enrol;
use crate::run::error::{RunError, RunResult};
use crate::run::observe::Moment;
use crate::run::outcome::{Lines, Note};
use crate::run::resolve::{self, Keys};
use crate::run::work::{Place, Work};

/// A file that was scanned, ready to be applied; it can be read again for another attempt.
pub struct Drop<'a> {
    /// The open file: what is scanned is what is read, whatever happens to the name.
    pub file: &'a File,
    /// Its path, for messages.
    pub path: &'a str,
    /// What it is.
    pub scan: &'a Scan,
    /// How it is read.
    pub reading: &'a Reading,
    /// What its user and course columns hold.
    pub keys: Keys,
    /// The held run whose bytes these are: lines that another run touched since are overtaken.
    pub held: Option<i64>,
}

/// What `del` lines do on this site: enrold's override, Moodle's setting, Moodle's documented default.
#[derive(Clone, Copy, Debug)]
pub struct Actions {
    /// What becomes of the enrolments that they end.
    pub unenrol: RemovalAction,
    /// How far they reach.
    pub scope: DelScope,
}

impl Actions {
    /// Reads the action; a missing or unreadable setting is the documented default, suspend without roles, and never
    /// PHP's accident of reading nothing as 0, unenrol (spec flatfile 6.2).
    pub fn read(site: &Site, settings: &Settings) -> Self {
        use crate::config::RemovalAction as Configured;
        let unenrol = match settings.flatfile.unenrolaction {
            Some(Configured::Unenrol) => RemovalAction::Unenrol,
            Some(Configured::Keep) => RemovalAction::Keep,
            Some(Configured::SuspendNoRoles) => RemovalAction::SuspendNoRoles,
            None => site
                .plugin(COMPONENT, "unenrolaction")
                .and_then(RemovalAction::from_setting)
                .unwrap_or(RemovalAction::SuspendNoRoles),
        };
        Self { unenrol, scope: settings.flatfile.del_scope }
    }

    /// What to say of `del` lines that end nothing.
    fn note(self) -> Option<Note> {
        match self.unenrol {
            RemovalAction::Keep => Some(Note::DelIgnored),
            RemovalAction::Suspend => Some(Note::ActionUnknown("2".to_owned())),
            RemovalAction::Unenrol | RemovalAction::SuspendNoRoles => None,
        }
    }
}

/// Roles by the names that a form of the file uses: the header form names them by short name and alias, the native
/// form by Moodle's alias map alone, where an empty alias switches a role off.
fn role_names(site: &Site, kind: Kind) -> BTreeMap<String, i64> {
    let mut names = site.flatfile_roles();
    if kind == Kind::Header {
        for role in site.roles.iter().rev() {
            names.insert(role.shortname.to_lowercase(), role.id);
        }
    }
    names
}

/// Applies a file. Statements grow with its chunks and waves, never with its lines.
///
/// # Errors
/// The reader's, the engine's, or a limit of the guard.
pub async fn apply_file(work: &mut Work<'_>, settings: &Settings, drop: &Drop<'_>) -> RunResult<()> {
    let (staged, mut lines) = stage(work, drop).await?;
    let protected = work.site.protected(settings.guard.protect_admins);
    resolve::keys(work, drop.keys).await?;
    lines.failed += resolve::refuse_unresolved(work, drop.keys, &protected, METHOD).await?;
    waves::prepare(work);
    let mut last = waves::from_lines(work, &protected, staged.dels > 0).await?;
    if last > i64::from(settings.flatfile.max_steps) {
        let (refused, left) = waves::refuse_overlong(work, i64::from(settings.flatfile.max_steps)).await?;
        lines.failed += refused;
        last = left;
    }
    if let Some(held) = drop.held {
        lines.failed += waves::refuse_overtaken(work, held).await?;
    }
    work.lines = lines;
    work.observer.reached(Moment::Staged).await;
    work.guard.check_lines(lines.records, lines.failed);
    if work.guard.holds() {
        return Err(RunError::Held);
    }
    crate::run::end::prepare(work);
    buffer::settle(work, staged.future > 0).await?;
    let actions = Actions::read(work.site, settings);
    if staged.dels > 0 {
        work.notes.extend(actions.note());
    }
    steps(work, settings, last, actions).await
}

async fn stage(work: &mut Work<'_>, drop: &Drop<'_>) -> RunResult<(Staged, Lines)> {
    let roles = role_names(work.site, drop.scan.kind);
    let ids: Vec<i64> = work.site.roles.iter().map(|role| role.id).collect();
    let unreadable = |problem| RunError::from_file(problem, drop.path);
    let mut reader = files::read(drop.file, drop.scan, drop.reading).map_err(unreadable)?;
    let mut stage = Stage::open(work.conn, &roles, &ids, drop.keys, (work.run, work.now), &mut work.problems).await?;
    let mut records = 0;
    while let Some(entry) = reader.next() {
        match entry.map_err(unreadable)? {
            Entry::Line(line) => stage.line(work.conn, &line).await?,
            Entry::Bad(problem) => stage.problem(work.conn, &problem).await?,
        }
        records += 1;
        if records % 1000 == 0 {
            work.observer.reached(Moment::Read { lines: reader.tally().physical, of: drop.scan.lines }).await;
        }
    }
    let tally = reader.tally();
    let staged = stage.finish(work.conn).await?;
    let lines =
        Lines { physical: tally.physical, blank: tally.blank, records: tally.read + tally.bad, failed: staged.errors };
    Ok((staged, lines))
}

/// Runs the waves: the instances that adds need, then per wave the adds and the dels.
async fn steps(work: &mut Work<'_>, settings: &Settings, last: i64, actions: Actions) -> RunResult<()> {
    if last == 0 {
        return Ok(());
    }
    enrol::prepare(work);
    del::prepare(work);
    let wanted = "SELECT s.courseid, s.contextid, MIN(s.line) AS line FROM step s WHERE s.wave > 0 AND s.op = 1 GROUP BY s.courseid, s.contextid";
    enrol::instances(work, Place { wave: 1, rank: enrol::RANK_INSTANCE }, METHOD, wanted).await?;
    work.waves = work.waves.max(last);
    for wave in 1..=last {
        if waves::wish(work, wave).await? > 0 {
            enrol::enrolments(work, wave).await?;
            enrol::roles(work, wave, COMPONENT).await?;
        }
        work.conn.prefer_indexes(true).await?;
        del::apply(work, wave, actions.unenrol, actions.scope).await?;
        work.conn.prefer_indexes(false).await?;
    }
    enrol::prune_roles(work, Place { wave: last, rank: 90 }, COMPONENT).await?;
    mail::welcome(work, settings, 1..=last, METHOD).await?;
    Ok(())
}

/// Replays the due rows of the buffer, then ends what has expired.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn apply_sync(work: &mut Work<'_>, settings: &Settings) -> RunResult<()> {
    let actions = Actions::read(work.site, settings);
    waves::prepare(work);
    let protected = work.site.protected(settings.guard.protect_admins);
    let mut last = waves::from_buffer(work, &protected).await?;
    buffer::refuse_unresolved(work, &protected).await?;
    if last > i64::from(settings.flatfile.max_steps) {
        last = waves::refuse_overlong(work, i64::from(settings.flatfile.max_steps)).await?.1;
    }
    work.observer.reached(Moment::Staged).await;
    crate::run::end::prepare(work);
    buffer::erase_due(work).await?;
    steps(work, settings, last, actions).await?;
    expiry::apply(work, settings, Methods::Only(&[METHOD]), None).await.map(|_| ())
}
