//! What a run of the flat file does, from staged lines to the last change: the file itself, or the due rows of the
//! buffer. It must not begin or end transactions: `run` does.

use crate::change::context::{Position, RunContext};
use crate::change::{enrol, kinds};
use crate::config::{DelScope, Settings};
use crate::disk::{Pass, RegularFile, blocking};
use crate::files::{self, Entry, FileProblem, Kind, Reading, Scan};
use crate::flatfile::roles::Roles;
use crate::flatfile::stage::{Stage, Staged};
use crate::flatfile::{buffer, del, step_order, waiting};
use crate::mail;
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, Site};
use crate::outcome::{Lines, Moment, Note, RunError, RunResult};
use crate::problem::{self, PlaceKind};
use crate::staging::AllowedRoles;
use crate::staging::hints;
use crate::staging::resolve::{self, Keys};

/// A file that was scanned, ready to be applied; it can be read again for another attempt.
pub struct ScannedFile<'a> {
    /// The open file: the scanned bytes are those that are read, even if the name changes.
    pub file: &'a RegularFile,
    /// Its path, for messages.
    pub path: &'a str,
    /// The result of the scan.
    pub scan: &'a Scan,
    /// How it is read.
    pub reading: &'a Reading,
    /// What its user and course columns hold.
    pub keys: Keys,
    /// The held run with these bytes, if any: lines whose pair another run changed since are refused as overtaken.
    pub held: Option<i64>,
    /// Whether it came through the drop directory: its lines may then name only the roles of `flatfile.roles`.
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
    /// Reads the action. A missing or unreadable setting is the documented default, suspend without roles; PHP would by
    /// accident read it as 0, unenrol (spec flatfile 6.2).
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

    /// The note about `del` lines that end nothing.
    fn note(self) -> Option<Note> {
        match self.unenrol {
            RemovalAction::Keep => Some(Note::DelIgnored),
            RemovalAction::Suspend => Some(Note::ActionUnknown("2".to_owned())),
            RemovalAction::Unenrol | RemovalAction::SuspendNoRoles => None,
        }
    }
}

/// Applies a file. The number of statements grows with its chunks and step orders, not with its lines.
///
/// # Errors
/// The error of the reader or of the database, or a limit of the guard.
pub async fn apply_file(ctx: &mut RunContext<'_>, settings: &Settings, file: &ScannedFile<'_>) -> RunResult<()> {
    let (staged, mut lines) = stage(ctx, settings, file).await?;
    let protected = ctx.site.protected(settings.guard.protect_admins);
    resolve::keys(ctx, file.keys).await?;
    lines.waiting = waiting::keep(ctx, settings, file, &protected).await?;
    let refused = if lines.waiting > 0 { resolve::NOT_WAITING } else { resolve::UNRESOLVED_LINES };
    let unresolved = resolve::refuse_unresolved(ctx, refused, file.keys, &protected, method::FLATFILE).await?;
    lines.failed += unresolved + lines.waiting;
    if unresolved + lines.waiting > 0 {
        hints::suggest(ctx, file.keys).await?;
    }
    step_order::prepare(ctx);
    let mut last = step_order::from_lines(ctx, &protected, staged.dels > 0).await?;
    if last > i64::from(settings.flatfile.max_steps) {
        let (refused, left) =
            step_order::refuse_overlong(ctx, PlaceKind::Line, i64::from(settings.flatfile.max_steps)).await?;
        lines.failed += refused;
        last = left;
    }
    if let Some(held) = file.held {
        lines.failed += step_order::refuse_overtaken(ctx, held).await?;
    }
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.counted(settings.waiting.expected));
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    crate::change::end::prepare(ctx);
    buffer::settle(ctx, staged.future > 0).await?;
    let actions = Actions::read(ctx.site, settings);
    if staged.dels > 0 {
        ctx.notes.extend(actions.note());
    }
    steps(ctx, settings, last, actions).await
}

async fn stage(ctx: &mut RunContext<'_>, settings: &Settings, file: &ScannedFile<'_>) -> RunResult<(Staged, Lines)> {
    let allowed = match file.dropped {
        true => AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site),
        false => AllowedRoles::any(),
    };
    let roles = Roles::of(ctx.site, file.scan.kind, allowed);
    ctx.notes.extend(files::titles_said(&file.scan.titles).map(Note::LinesSkipped));
    let unreadable = |problem| FileProblem::ends_run(problem, file.path);
    // Each attempt reads the file again, and fails at the end if the bytes are not those that were scanned.
    let mut reader = files::read(file.file.pass(&file.scan.sha256), file.scan, file.reading).map_err(unreadable)?;
    let mut stage = Stage::open(ctx.conn, &roles, file.keys, ctx.now, &mut ctx.problems).await?;
    loop {
        let entries = blocking(|| some_entries(&mut reader)).map_err(unreadable)?;
        if entries.is_empty() {
            break;
        }
        for entry in &entries {
            match entry {
                Entry::Line(line) => stage.line(ctx.conn, line).await?,
                Entry::Bad(problem) => stage.problem(ctx.conn, problem).await?,
            }
        }
        ctx.observer.reached(Moment::Read { done: reader.tally().physical, of: file.scan.lines }).await;
    }
    let tally = reader.tally();
    let staged = stage.finish(ctx.conn).await?;
    if tally.read == 0 && staged.errors > 0 && file.scan.kind == Kind::Native {
        // Nothing shows that this is an enrolment file, so no report may contain its text.
        problem::withhold(ctx.conn, ctx.run, files::UNTOLD).await?;
    }
    let lines = Lines {
        physical: tally.physical,
        blank: tally.blank,
        records: tally.read + tally.bad,
        failed: staged.errors,
        waiting: 0,
    };
    Ok((staged, lines))
}

/// The next entries, none at the end: enough to wait for the disk only now and then, few enough to take little memory.
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

/// Runs the steps behind the passes that the run has used: the instances that adds need, then for each step order the
/// adds and the dels.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn steps(ctx: &mut RunContext<'_>, settings: &Settings, last: i64, actions: Actions) -> RunResult<()> {
    if last == 0 {
        return Ok(());
    }
    enrol::prepare(ctx);
    del::prepare(ctx);
    let wanted = "SELECT s.courseid, s.contextid, MIN(s.line) AS line FROM [step] s
        WHERE s.step_order > 0 AND s.op = 1 GROUP BY s.courseid, s.contextid";
    let lines = step_order::lines(ctx).await?;
    let (mut done, of) = (0, lines.values().map(|(adds, dels)| 2 * (adds + dels)).sum());
    let cause = ctx.cause;
    // A line is half done when its enrolment is, and not yet its role.
    let reached = |done| Moment::Applying { cause, done, of };
    ctx.observer.reached(reached(done)).await;
    let before = ctx.passes;
    let first = before + 1;
    enrol::instances(ctx, Position { pass_no: first, rank: kinds::INSTANCE }, method::FLATFILE, wanted).await?;
    ctx.passes = before + last;
    for step_order in 1..=last {
        let (adds, dels) = lines.get(&step_order).copied().unwrap_or_default();
        let pass_no = before + step_order;
        if step_order::fill_pairs(ctx, step_order).await? > 0 {
            enrol::enrolments(ctx, pass_no).await?;
            ctx.observer.reached(reached(done + adds)).await;
            enrol::roles(ctx, pass_no, method::FLATFILE_COMPONENT).await?;
        }
        ctx.conn.prefer_indexes(true).await?;
        let halfway = reached(done + 2 * adds + dels);
        del::apply(ctx, (step_order, pass_no), actions.unenrol, actions.scope, halfway).await?;
        ctx.conn.prefer_indexes(false).await?;
        done += 2 * (adds + dels);
        ctx.observer.reached(reached(done)).await;
    }
    let pass_no = ctx.passes;
    enrol::prune_roles(ctx, Position { pass_no, rank: kinds::PRUNE }, method::FLATFILE_COMPONENT).await?;
    mail::enrolled(ctx, settings, first..=pass_no).await?;
    Ok(())
}

/// Replays the due rows of the buffer.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply_sync(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    let actions = Actions::read(ctx.site, settings);
    step_order::prepare(ctx);
    let protected = ctx.site.protected(settings.guard.protect_admins);
    buffer::refuse_roles(ctx, &AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site)).await?;
    let mut last = step_order::from_buffer(ctx, &protected).await?;
    buffer::refuse_unresolved(ctx, &protected).await?;
    if last > i64::from(settings.flatfile.max_steps) {
        last = step_order::refuse_overlong(ctx, PlaceKind::Buffer, i64::from(settings.flatfile.max_steps)).await?.1;
    }
    ctx.observer.reached(Moment::Staged).await;
    crate::change::end::prepare(ctx);
    buffer::erase_due(ctx).await?;
    steps(ctx, settings, last, actions).await
}
