//! Planner: users files and cohort files become accounts, cohorts, memberships and what else their rows give.
//! It must not know bytes, leases or other planners.

mod cohort_files;
mod create;
mod delete;
mod fields;
mod freed;
mod given_passwords;
pub mod gives;
pub mod hashed;
mod interests;
mod locks;
mod matching;
mod new_password;
mod options;
pub mod password;
mod preferences;
mod replaced;
mod stage;
pub mod tables;
mod template;
mod update;
mod waiting;

use std::path::Path;

use chrono_tz::Tz;

pub use options::{Options, required};

use crate::accounts::hashed::Hashed;
use crate::accounts::password::Hasher;
use crate::accounts::tables::ACCOUNT_ROW;
use crate::change::context::RunContext;
use crate::config::{Operation, Profile, Settings};
use crate::db::Params;
use crate::disk::RegularFile;
use crate::outcome::{Moment, Note, RunError, RunResult};
use crate::problem::PlaceKind;

/// A users file or a cohort file, ready to be read.
pub struct AccountsFile<'a> {
    /// The open file: the bytes with this digest are those that are read, even if the name changes.
    pub file: &'a RegularFile,
    /// Its path, for messages.
    pub path: &'a str,
    /// The digest of its bytes.
    pub sha256: &'a str,
    /// The zone of its times.
    pub zone: Tz,
    /// Whether it came through the drop directory: then it may do only what its profile names.
    pub dropped: bool,
    /// What earlier attempts of the run have left of its passwords.
    pub hashed: &'a Hashed,
}

/// Applies a users file. The number of statements grows with its chunks and with the rows about one account, not with
/// its rows.
///
/// # Errors
/// The error of the reader or of the database, or a limit of the guard.
pub async fn apply_users(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &AccountsFile<'_>,
) -> RunResult<()> {
    let options = Options::of(profile, settings, ctx.site, file)?;
    if profile.create_cohorts && profile.context_id > 0 {
        cohort_files::places(ctx, profile).await?;
    }
    let mut staged = stage::read(ctx, settings, &options, file).await?;
    staged.protected = matching::named(ctx, &settings.accounts.protected).await?;
    let peppers = settings.accounts.peppers().map_err(|error| RunError::Unreadable {
        path: settings.accounts.pepper_file.as_deref().unwrap_or(Path::new("")).display().to_string(),
        error,
    })?;
    let hasher = Hasher::of(ctx.site, peppers);
    let mut lines = staged.lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.conn.declare(&ACCOUNT_ROW);
    if profile.operation == Operation::AddAll {
        matching::number_names(ctx).await?;
    }
    let most = settings.flatfile.max_steps;
    freed::link(ctx, &options, &staged, most).await?;
    let steps = matching::order(ctx, most).await?;
    lines.failed += refuse_rest(ctx, most).await?;
    let mut existing = 0;
    // A run that the guard holds in between has counts, too.
    ctx.lines = lines;
    for step in 1..=steps {
        matching::take(ctx, step).await?;
        let params = matching::params(ctx, &options, &staged);
        lines.failed += matching::judge(ctx, &options, &params).await?;
        if step < steps {
            replaced::forget(ctx, &options, &staged, &params).await?;
        }
        locks::put_aside(ctx, &options, &staged.field_locks).await?;
        staged.passwords.hash(ctx, &options, &hasher).await?;
        if staged.deletes {
            delete::apply(ctx).await?;
        }
        let pass_no = ctx.next_pass();
        update::apply(ctx, pass_no, &options, &staged, &params).await?;
        create::apply(ctx, pass_no, &options).await?;
        fields::write(ctx, pass_no, &params).await?;
        preferences::write(ctx, pass_no, &options).await?;
        interests::write(ctx, pass_no, &options, staged.collection, &params).await?;
        existing += keep(ctx).await?;
    }
    if existing > 0 {
        ctx.notes.push(Note::AccountsExist(existing));
    }
    ctx.lines = lines;
    ctx.guard.check_lines(lines.records, lines.failed);
    ctx.guard_accounts().await?;
    staged.passwords.mail(ctx, settings).await?;
    gives::apply(ctx, settings, profile, file).await
}

/// Reports the rows that are left in `account_pending`, because too many are about one account, and gives their number;
/// no other row depends on them any more.
async fn refuse_rest(ctx: &mut RunContext<'_>, most: u32) -> RunResult<u64> {
    let sql = "SELECT s.line AS number, 'too-many-steps' AS code, s.username AS value, :most AS hint
         FROM [account_stage] s JOIN [account_pending] p ON p.line = s.line";
    let refused = ctx.report_problems(PlaceKind::Line, sql, Params::new().with("most", most.to_string())).await?;
    if refused > 0 {
        let keys = "DELETE FROM [account_key] WHERE line IN (SELECT p.line FROM [account_pending] p)";
        ctx.conn.exec(keys, &Params::new()).await?;
    }
    Ok(refused)
}

/// Adds the rows of this step whose account exists to `account_row`; gives how many are skipped because it existed.
async fn keep(ctx: &mut RunContext<'_>) -> RunResult<u64> {
    let sql = "INSERT INTO [account_row]
        SELECT n.line, s.username, n.userid, CASE WHEN n.verdict = 'create' THEN 1 ELSE 0 END
          FROM [account_now] n JOIN [account_stage] s ON s.line = n.line
         WHERE n.verdict IN ('create', 'update', 'same')";
    ctx.conn.exec(sql, &Params::new()).await?;
    ctx.conn.analyse(ACCOUNT_ROW.name).await?;
    let skipped = "SELECT COUNT(*) FROM [account_now] n WHERE n.verdict = 'exists'";
    Ok(u64::try_from(ctx.conn.number(skipped, &Params::new()).await?).unwrap_or_default())
}

/// Applies a cohort file. The number of statements does not depend on the number of rows, except for the chunks of the
/// load.
///
/// # Errors
/// The error of the reader or of the database, or a limit of the guard.
pub async fn apply_cohorts(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &AccountsFile<'_>,
) -> RunResult<()> {
    cohort_files::apply(ctx, settings, profile, file).await
}

/// Adds the members of cohort files who have waited and whose account exists now to their cohorts.
///
/// # Errors
/// The database's error.
pub async fn apply_waiting(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    waiting::apply(ctx, settings).await
}
