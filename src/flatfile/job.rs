//! What a run of the flat file does, from staged lines to the last change: the file itself, or the buffer and the
//! expirations. It must not begin or end transactions: the life of a run does.

use crate::change::work::{Place, Work};
use crate::change::{enrol, kinds};
use crate::config::{DelScope, Settings};
use crate::disk::{Pass, RegularFile, blocking};
use crate::files::{self, Entry, FileProblem, Kind, Reading, Scan};
use crate::flatfile::roles::{self, Roles};
use crate::flatfile::stage::{Stage, Staged};
use crate::flatfile::{buffer, del, waves};
use crate::mail;
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, Site};
use crate::outcome::{Lines, Moment, Note, RunError, RunResult};
use crate::problem::{self, PlaceKind};
use crate::staging::AllowedRoles;
use crate::staging::resolve::{self, Keys};

/// A file that was scanned, ready to be applied; it can be read again for another attempt.
pub struct Drop<'a> {
    /// The open file: what is scanned is what is read, whatever happens to the name.
    pub file: &'a RegularFile,
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
    /// It came through the drop directory: its lines may name the roles of `flatfile.roles` only.
    pub dropped: bool,
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
                .plugin(method::FLATFILE_COMPONENT, "unenrolaction")
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

/// Applies a file. Statements grow with its chunks and waves, never with its lines.
///
/// # Errors
/// The reader's, the engine's, or a limit of the guard.
pub async fn apply_file(work: &mut Work<'_>, settings: &Settings, drop: &Drop<'_>) -> RunResult<()> {
    let (staged, mut lines) = stage(work, settings, drop).await?;
    let protected = work.site.protected(settings.guard.protect_admins);
    resolve::keys(work, drop.keys).await?;
    lines.failed += resolve::refuse_unresolved(work, drop.keys, &protected, method::FLATFILE).await?;
    waves::prepare(work);
    let mut last = waves::from_lines(work, &protected, staged.dels > 0).await?;
    if last > i64::from(settings.flatfile.max_steps) {
        let (refused, left) =
            waves::refuse_overlong(work, PlaceKind::Line, i64::from(settings.flatfile.max_steps)).await?;
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
    crate::change::end::prepare(work);
    buffer::settle(work, staged.future > 0).await?;
    let actions = Actions::read(work.site, settings);
    if staged.dels > 0 {
        work.notes.extend(actions.note());
    }
    steps(work, settings, last, actions).await
}

async fn stage(work: &mut Work<'_>, settings: &Settings, drop: &Drop<'_>) -> RunResult<(Staged, Lines)> {
    let allowed = match drop.dropped {
        true => roles::of_dropped(&settings.flatfile.roles, work.site),
        false => AllowedRoles::any(),
    };
    let roles = Roles::of(work.site, drop.scan.kind, allowed);
    let unreadable = |problem| FileProblem::ends_run(problem, drop.path);
    // Each attempt reads the file anew; its end is an error if these are not the bytes that were scanned.
    let mut reader = files::read(drop.file.pass(&drop.scan.sha256), drop.scan, drop.reading).map_err(unreadable)?;
    let mut stage = Stage::open(work.conn, &roles, drop.keys, work.now, &mut work.problems).await?;
    loop {
        let entries = blocking(|| some_entries(&mut reader)).map_err(unreadable)?;
        if entries.is_empty() {
            break;
        }
        for entry in &entries {
            match entry {
                Entry::Line(line) => stage.line(work.conn, line).await?,
                Entry::Bad(problem) => stage.problem(work.conn, problem).await?,
            }
        }
        work.observer.reached(Moment::Read { lines: reader.tally().physical, of: drop.scan.lines }).await;
    }
    let tally = reader.tally();
    let staged = stage.finish(work.conn).await?;
    if tally.read == 0 && staged.errors > 0 && drop.scan.kind == Kind::Native {
        // Nothing says that the file is one of ours, so nobody is to read it in a report.
        problem::withhold(work.conn, work.run, files::UNTOLD).await?;
    }
    let lines =
        Lines { physical: tally.physical, blank: tally.blank, records: tally.read + tally.bad, failed: staged.errors };
    Ok((staged, lines))
}

/// The next entries, none at the end: so many that the disk is waited for now and then, so few that they take little
/// memory.
fn some_entries(reader: &mut files::Reader<Pass>) -> Result<Vec<Entry>, FileProblem> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while entries.len() < 1000 && bytes < 1 << 20 {
        let Some(entry) = reader.next() else { break };
        let entry = entry?;
        bytes += match &entry {
            Entry::Line(line) => line.role.len() + line.user.len() + line.course.len(),
            Entry::Bad(problem) => problem.value.len(),
        };
        entries.push(entry);
    }
    Ok(entries)
}

/// Runs the waves: the instances that adds need, then per wave the adds and the dels.
async fn steps(work: &mut Work<'_>, settings: &Settings, last: i64, actions: Actions) -> RunResult<()> {
    if last == 0 {
        return Ok(());
    }
    enrol::prepare(work);
    del::prepare(work);
    let wanted = "SELECT s.courseid, s.contextid, MIN(s.line) AS line FROM [step] s
        WHERE s.wave > 0 AND s.op = 1 GROUP BY s.courseid, s.contextid";
    enrol::instances(work, Place { wave: 1, rank: kinds::INSTANCE }, method::FLATFILE, wanted).await?;
    work.waves = work.waves.max(last);
    for wave in 1..=last {
        if waves::wish(work, wave).await? > 0 {
            enrol::enrolments(work, wave).await?;
            enrol::roles(work, wave, method::FLATFILE_COMPONENT).await?;
        }
        work.conn.prefer_indexes(true).await?;
        del::apply(work, wave, actions.unenrol, actions.scope).await?;
        work.conn.prefer_indexes(false).await?;
    }
    enrol::prune_roles(work, Place { wave: last, rank: kinds::PRUNE }, method::FLATFILE_COMPONENT).await?;
    mail::welcome(work, settings, 1..=last, method::FLATFILE).await?;
    Ok(())
}

/// Replays the due rows of the buffer.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn apply_sync(work: &mut Work<'_>, settings: &Settings) -> RunResult<()> {
    let actions = Actions::read(work.site, settings);
    waves::prepare(work);
    let protected = work.site.protected(settings.guard.protect_admins);
    buffer::refuse_roles(work, &roles::of_dropped(&settings.flatfile.roles, work.site)).await?;
    let mut last = waves::from_buffer(work, &protected).await?;
    buffer::refuse_unresolved(work, &protected).await?;
    if last > i64::from(settings.flatfile.max_steps) {
        last = waves::refuse_overlong(work, PlaceKind::Buffer, i64::from(settings.flatfile.max_steps)).await?.1;
    }
    work.observer.reached(Moment::Staged).await;
    crate::change::end::prepare(work);
    buffer::erase_due(work).await?;
    steps(work, settings, last, actions).await
}
