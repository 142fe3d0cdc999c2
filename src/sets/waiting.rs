//! Rows of full sets whose user is not known: keeps them until the next good set of their source, and makes those true
//! whose account exists now, as that set would have done. It must not end anything: only a whole set does.

use crate::change::context::RunContext;
use crate::config::{CourseKey, Settings, UserKey};
use crate::db::table::int;
use crate::db::{Conn, DbError, Params, Table, statement};
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, id_list};
use crate::outcome::{RunError, RunResult};
use crate::problem::PlaceKind;
use crate::reconcile;
use crate::sets::database::DATABASE;
use crate::sets::stage::SET_UNREAD;
use crate::sets::terms::Feed as Origin;
use crate::sets::unresolved::Unresolved;
use crate::sets::{Terms, cohorts, groups, persons, policy, protect};
use crate::staging::lines::SET_LINES;
use crate::staging::resolve::{self, Keys};
use crate::staging::waiting::{self, CLOSED, Feed, WAITING, WAITS, Waits};

/// Rows of a set that say the same as one that waits, which is `id`.
const WAITS_SAME: Table = Table::new("waits_same", &[int("line"), int("id")]).primary("line");

const ROWS: &str = statement(include_str!("waiting.sql"), "rows that wait");
const SAME: &str = statement(include_str!("waiting.sql"), "rows that say the same");
const NOT_REPEATED: &str = statement(include_str!("waiting.sql"), "rows that the set does not repeat");
const REPEATED: &str = statement(include_str!("waiting.sql"), "repeated rows");
const SETS: &str = statement(include_str!("waiting.sql"), "sets with waiting rows");
const AGAIN: &str = statement(include_str!("waiting.sql"), "rows as lines");
const FOUND: &str = statement(include_str!("waiting.sql"), "found rows");
const ROLES: &str = statement(include_str!("waiting.sql"), "rows with unusable roles");
const HIDDEN: &str = statement(include_str!("waiting.sql"), "rows of hidden courses");
const UNUSABLE: &str = statement(include_str!("waiting.sql"), "unusable rows");
const USABLE: &str = statement(include_str!("waiting.sql"), "usable rows");

/// Keeps the rows of a set whose only fault is an unknown user, in place of those that its source's last set has left,
/// and gives the number of rows that wait. A row that is repeated stays, and waits longer. Ids never wait: the account
/// that gets one later is somebody else. With `states`, the rows say whether an enrolment is active.
///
/// Two statements where nothing waits, at most eight else.
///
/// # Errors
/// The database's error.
pub async fn keep(ctx: &mut RunContext<'_>, terms: &Terms, states: bool) -> Result<u64, DbError> {
    ctx.conn.declare(&WAITS);
    let (kind, place_key) = match terms.cohorts {
        true => (Waits::SetMember, terms.cohort_key),
        false => (Waits::SetEnrolment, terms.keys.course.as_str()),
    };
    let feed = Feed {
        kind,
        source: &terms.source,
        dropped: terms.feed == Origin::Dropped,
        user_key: terms.keys.user.as_str(),
        place_key,
        same: "1 = 1",
        ended: "",
        place_code: "",
    };
    let params = feed
        .params(ctx)
        .with("own_component", terms.cohort_component.as_str())
        .fragment("places", if terms.cohorts { "[stage_cohort]" } else { "[stage_course]" })
        .fragment(
            "looked_at",
            match terms.ignore_hidden && !terms.cohorts {
                true => "EXISTS (SELECT 1 FROM {course} c WHERE c.id = k.courseid AND c.visible = 1)",
                false => "1 = 1",
            },
        )
        .fragment("status", if states { "l.status" } else { "-1" })
        .fragment("gkey", if terms.cohorts { "''" } else { "l.gkey" })
        .fragment(
            "known_place",
            match terms.cohorts {
                true => "k.found = 1 AND k.component IN ('', :own_component)",
                false => resolve::KNOWN_COURSE,
            },
        );
    if waiting::is_on(&terms.waiting) && terms.keys.user != UserKey::Id {
        ctx.conn.exec(ROWS, &waiting::params(ctx, &terms.waiting).and(params.clone())).await?;
    }
    let counts = "SELECT COUNT(*), COUNT(CASE WHEN w.kind = :kindword AND w.source = :source THEN 1 END)
          FROM {enrold_waiting} w WHERE w.state = 'waiting'";
    let counts = ctx.conn.row(counts, &params).await?;
    let (mut before, of_source) = counts.map_or((0, 0), |row| (row.int(0), row.int(1)));
    if of_source > 0 {
        let (dialect, new) = (ctx.conn.dialect(), !ctx.conn.is_unmade(WAITS.name));
        if new {
            ctx.conn.declare(&WAITS_SAME);
            ctx.conn.exec(SAME, &params).await?;
            let same = dialect.update_joined("[waits]", "x", &[("same", "o.id")], "[waits_same] o", "x.line = o.line");
            ctx.conn.exec(&same, &params).await?;
            let longer =
                dialect.update_joined("{enrold_waiting}", "w", &[("expires", "x.expires")], REPEATED, "w.id = x.id");
            ctx.conn.exec(&longer, &params).await?;
        }
        let end = [("state", "'superseded'"), ("changed", ":now"), ("byrun", ":run")];
        let repeated = if new { "SELECT x.same FROM [waits] x WHERE x.same > 0" } else { "0" };
        let rest = dialect.update_joined("{enrold_waiting}", "w", &end, NOT_REPEATED, "w.id = n.id");
        before -= ctx.conn.exec(&rest, &params.clone().fragment("repeated", repeated)).await? as i64;
    }
    waiting::keep_new(ctx, &terms.waiting, before, params).await
}

/// Gives the rows that began to wait in a run their file and their line there, from the columns line, file and fileline
/// of a table. Rows beyond the problems that are kept have none; their line is that of the snapshot.
///
/// # Errors
/// The database's error.
pub async fn name(conn: &mut Conn, run: i64, table: &str) -> Result<(), DbError> {
    let set = [("file", "o.file"), ("line", "o.fileline")];
    let same = "w.run = :run AND w.state = 'waiting' AND w.line = o.line";
    let update = conn.dialect().update_joined("{enrold_waiting}", "w", &set, &format!("[{table}] o"), same);
    conn.exec(&update, &Params::new().with("run", run)).await.map(|_| ())
}

/// Rows of one source that wait by the same kinds of key.
struct Kept {
    kind: String,
    source: String,
    dropped: bool,
    user: UserKey,
    place: String,
}

/// Makes the rows true whose account exists now; the others go on waiting. One statement where no row of a set waits;
/// the number grows with the sources that have such rows, not with the rows.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    let mut sets = Vec::new();
    let params = waiting::in_use(ctx.conn, settings, ctx.params());
    for row in ctx.conn.rows(SETS, &params).await? {
        sets.push(Kept {
            kind: row.text(0),
            source: row.text(1),
            dropped: row.int(2) == 1,
            user: UserKey::from_word(&row.text(3)).ok_or_else(waiting::unknown_key)?,
            place: row.text(4),
        });
    }
    for set in sets {
        let of_cohorts = set.kind == Waits::SetMember.as_str();
        if !of_cohorts && !ctx.site.is_enabled(method::DATABASE) {
            continue;
        }
        let feed = if set.dropped { Origin::Dropped } else { Origin::Database };
        let terms = Terms::of(ctx.conn, ctx.site, settings, &set.source, feed, (ctx.run, ctx.now)).await;
        let terms = match terms {
            Ok(terms) => terms,
            // The next set of the source fails by the same; a run over accounts must not.
            Err(RunError::Rejected(problem)) => {
                tracing::warn!("rows of the source {} go on waiting: {}", set.source, problem.code.as_str());
                continue;
            }
            Err(error) => return Err(error),
        };
        of_source(ctx, settings, terms, &set).await?;
    }
    Ok(())
}

/// Makes the rows of one source true.
async fn of_source(ctx: &mut RunContext<'_>, settings: &Settings, mut terms: Terms, set: &Kept) -> RunResult<()> {
    terms.keys.user = set.user;
    if let Some(course) = CourseKey::from_word(&set.place).filter(|_| !terms.cohorts) {
        terms.keys.course = course;
    }
    terms.on_extra = RemovalAction::Keep;
    terms.grace = 0;
    let never = [0, ctx.site.guest()];
    let params = ctx
        .params()
        .with("kindword", set.kind.as_str())
        .with("source", set.source.as_str())
        .with("dropped", i64::from(set.dropped))
        .with("userkey", set.user.as_str())
        .with("placekey", set.place.as_str());
    ctx.conn.declare(&SET_LINES);
    ctx.conn.declare(&SET_UNREAD);
    ctx.conn.exec(AGAIN, &params).await?;
    ctx.conn.analyse(SET_LINES.name).await?;
    resolve::users_among(ctx, set.user, &waiting::eligible(set.user, &settings.waiting.not_auth)).await?;
    let found = "SELECT COUNT(*) FROM [stage_user] u WHERE u.found > 0";
    if ctx.conn.number(found, &params).await? == 0 {
        return Ok(());
    }
    let cause = std::mem::replace(&mut ctx.cause, WAITING);
    ctx.conn.declare(&CLOSED);
    let left = "DELETE FROM [stage_line] WHERE ukey NOT IN (SELECT u.ukey FROM [stage_user] u WHERE u.found > 0)";
    ctx.conn.exec(left, &params).await?;
    ctx.conn.exec("DELETE FROM [stage_user] WHERE found = 0", &params).await?;
    refuse(ctx, &terms, &never).await?;
    let (usable, states, dates) = match ctx.conn.row(USABLE, &params).await? {
        Some(row) => (row.int(0), row.int(1) == 1, row.int(2) == 1),
        None => (0, false, false),
    };
    if usable > 0 {
        match terms.cohorts {
            true => members(ctx, &terms, &never).await?,
            false => enrolments(ctx, settings, &terms, &never, (states, dates)).await?,
        }
        ctx.conn.exec(FOUND, &params).await?;
    }
    waiting::close(ctx).await?;
    ctx.cause = cause;
    Ok(())
}

/// Takes out the rows that cannot be used although their account exists, and reports them.
async fn refuse(ctx: &mut RunContext<'_>, terms: &Terms, never: &[i64]) -> Result<(), DbError> {
    let place = (PlaceKind::Waiting, UNUSABLE);
    if terms.cohorts {
        cohorts::prepare(ctx, terms).await?;
        cohorts::refuse(ctx, terms, place, never).await?;
    } else {
        resolve::courses(ctx, terms.keys.course, "SELECT DISTINCT ckey FROM [stage_line]").await?;
        let keys = Keys { user: terms.keys.user, course: terms.keys.course };
        resolve::refuse_unresolved(ctx, place, keys, never, method::DATABASE).await?;
        let allowed =
            terms.allowed.ids().map_or_else(|| "1 = 1".to_owned(), |ids| format!("l.roleid IN ({})", id_list(ids)));
        let params = ctx.params().with("key", terms.allowed.key()).fragment("usable", allowed);
        let params = params.fragment("roleid", ctx.conn.dialect().to_text("l.roleid"));
        ctx.report_new(PlaceKind::Waiting, ROLES, params).await?;
    }
    waiting::close_reported(ctx).await?;
    if terms.ignore_hidden && !terms.cohorts {
        let new = "DELETE FROM [stage_line] WHERE line IN (SELECT c.line FROM [waiting_closed] c)";
        ctx.conn.exec(new, &ctx.params()).await?;
        ctx.conn.exec(HIDDEN, &ctx.params()).await?;
    }
    let closed = "DELETE FROM [stage_line] WHERE line IN (SELECT c.line FROM [waiting_closed] c)";
    ctx.conn.exec(closed, &ctx.params()).await.map(|_| ())
}

/// Adds the users of staged rows to their cohorts, as this source's.
async fn members(ctx: &mut RunContext<'_>, terms: &Terms, never: &[i64]) -> RunResult<()> {
    persons::spare_users(ctx, terms).await?;
    cohorts::gather(ctx, terms, never).await?;
    cohorts::join(ctx, terms).await
}

/// Enrols the users of staged rows, with their roles and groups; nobody else is read.
async fn enrolments(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    terms: &Terms,
    never: &[i64],
    columns: (bool, bool),
) -> RunResult<()> {
    let spared = persons::gather(ctx, terms, never, false).await?;
    protect::protect(ctx, terms, Unresolved::default(), never, false).await?;
    reconcile::prepare(ctx);
    groups::report_unusable(ctx, terms).await?;
    let filter = reconcile::of_users(ctx.conn, "SELECT DISTINCT r.userid FROM [set_row] r").await?;
    let policy = policy(ctx, terms, columns, spared);
    reconcile::run_under(ctx, &DATABASE, policy, settings, filter, true).await
}
