//! Lines of flat files that wait for an account or a course: which of a file wait, and the steps of those whose account
//! and course exist now. It must not keep or close rows beside those: `staging::waiting` does.

use crate::change::context::RunContext;
use crate::change::{kind, kinds};
use crate::config::{CourseKey, Settings, UserKey, WhenDisabled};
use crate::db::table::int;
use crate::db::{DbError, Table, statement};
use crate::flatfile::job::{self, Actions, ScannedFile};
use crate::flatfile::{buffer, step_order};
use crate::moodle::method;
use crate::moodle::site::id_list;
use crate::outcome::{Moment, RunResult};
use crate::problem::PlaceKind;
use crate::staging::AllowedRoles;
use crate::staging::lines::FILE_LINES;
use crate::staging::resolve::{self, Keys, resolved};
use crate::staging::waiting::{self, CLOSED, Feed, WAITING, WAITS, Waits};

/// Lines whose account and course exist now.
const FOUND: Table = Table::new(
    "waiting_found",
    &[
        int("line"),
        int("run"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("roleid"),
        int("timestart"),
        int("timeend"),
    ],
)
.primary("line");
/// What later runs have changed for the users and courses of those lines; role 0 stands for all.
const LATER: Table = Table::new("waiting_later", &[int("userid"), int("courseid"), int("roleid"), int("run")])
    .indexed(&["userid, courseid"]);
/// Rows of other keys that a line of the file speaks of: the last such line, and the last that ends something.
const SPOKEN: Table = Table::new("waiting_spoken", &[int("id"), int("line"), int("del")]).primary("id");

const LINES: &str = statement(include_str!("waiting.sql"), "lines that wait");
const AGAIN: &str = statement(include_str!("waiting.sql"), "rows as lines");
const FOUND_NOW: &str = statement(include_str!("waiting.sql"), "found lines");
const UNUSABLE: &str = statement(include_str!("waiting.sql"), "unusable lines");
const ROLES: &str = statement(include_str!("waiting.sql"), "lines with unusable roles");
const CHANGED_LATER: &str = statement(include_str!("waiting.sql"), "changes of later runs");
const BY_ANOTHER_KEY: &str = statement(include_str!("waiting.sql"), "rows of the same account by another key");
const OVERTAKEN: &str = statement(include_str!("waiting.sql"), "lines that later runs have overtaken");

/// Keeps the `add` lines whose only fault is an unknown account or course, closes rows that lines of the file replace,
/// and gives the number of lines that wait. Ids never wait: the account that gets one later is somebody else.
///
/// # Errors
/// The database's error.
pub async fn keep(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    file: &ScannedFile<'_>,
    protected: &[i64],
) -> Result<u64, DbError> {
    ctx.conn.declare(&WAITS);
    if waiting::is_on(&settings.waiting) {
        let may_lack = |is_id: bool, lacks: &'static str| if is_id { "1 = 0" } else { lacks };
        let params = waiting::params(ctx, &settings.waiting)
            .fragment("no_user", may_lack(file.keys.user == UserKey::Id, "u.found = 0"))
            .fragment("no_course", may_lack(file.keys.course == CourseKey::Id, "k.found = 0"));
        ctx.conn.exec(LINES, &resolved(params, protected)).await?;
    }
    close_by_another_key(ctx, settings, file.keys).await?;
    let feed = Feed {
        kind: Waits::Enrolment,
        source: file.path,
        dropped: file.dropped,
        user_key: file.keys.user.as_str(),
        place_key: file.keys.course.as_str(),
        same: "w.roleid = l.roleid",
        ended: "",
        place_code: "course-unknown",
    };
    waiting::keep(ctx, &settings.waiting, &feed).await
}

/// Closes the rows of the same account, course and role that wait by another kind of key than that of the file.
async fn close_by_another_key(ctx: &mut RunContext<'_>, settings: &Settings, keys: Keys) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let (free, userkey) = (waiting::eligible(UserKey::Username, &settings.waiting.not_auth), keys.user.as_str());
    let params = ctx
        .params()
        .with("kindword", Waits::Enrolment.as_str())
        .with("userkey", userkey)
        .with("placekey", keys.course.as_str())
        .fragment("username", dialect.neutral(&dialect.lower("a.username")))
        .fragment("email", dialect.neutral(&dialect.lower("a.email")))
        .fragment("idnumber", dialect.neutral("a.idnumber"))
        .fragment("shortname", dialect.neutral("s.shortname"))
        .fragment("coursenumber", dialect.neutral("s.idnumber"))
        .fragment("free", format!("CASE WHEN {free} THEN 1 ELSE 0 END"));
    let others = "SELECT COUNT(*) FROM {enrold_waiting} w
        WHERE w.state = 'waiting' AND w.kind = :kindword AND NOT (w.userkey = :userkey AND w.placekey = :placekey)";
    if ctx.conn.number(others, &params).await? == 0 {
        return Ok(());
    }
    ctx.conn.declare(&SPOKEN);
    if ctx.conn.exec(BY_ANOTHER_KEY, &params).await? == 0 {
        return Ok(());
    }
    waiting::end_spoken(ctx, SPOKEN.name).await
}

/// Applies the lines that wait and whose account and course exist now, through the same steps as a file; the others go
/// on waiting. The number of statements grows with the kinds of key in use, not with the lines.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    if !ctx.site.is_enabled(method::FLATFILE) && settings.flatfile.when_disabled == WhenDisabled::Wait {
        return Ok(());
    }
    let kinds = waiting::kinds_of_key(ctx, Waits::Enrolment).await?;
    if kinds.is_empty() {
        return Ok(());
    }
    let (cause, protected) = (ctx.cause, ctx.site.protected(settings.guard.protect_admins));
    ctx.cause = WAITING;
    ctx.conn.declare(&FOUND);
    ctx.conn.declare(&CLOSED);
    for (user, place) in kinds {
        let keys = Keys { user, course: CourseKey::from_word(&place).ok_or_else(waiting::unknown_key)? };
        find(ctx, settings, keys, &protected).await?;
    }
    refuse(ctx, settings).await?;
    let future = "SELECT COUNT(*) FROM [waiting_found] f WHERE f.timestart > :now";
    let any_future = ctx.conn.number(future, &ctx.params()).await? > 0;
    step_order::prepare(ctx);
    let last = step_order::from_waiting(ctx, &protected).await?;
    ctx.observer.reached(Moment::Staged).await;
    crate::change::end::prepare(ctx);
    buffer::settle(ctx, any_future).await?;
    job::steps(ctx, settings, last, Actions::read(ctx.site, settings)).await?;
    waiting::close_applied(ctx, FOUND.name).await?;
    waiting::close(ctx).await?;
    ctx.cause = cause;
    Ok(())
}

/// Adds the lines of one kind of key whose account and course exist to `waiting_found`, and reports those that fail in
/// another way.
async fn find(ctx: &mut RunContext<'_>, settings: &Settings, keys: Keys, protected: &[i64]) -> Result<(), DbError> {
    ctx.conn.declare(&FILE_LINES);
    let params = ctx
        .params()
        .with("kindword", Waits::Enrolment.as_str())
        .with("userkey", keys.user.as_str())
        .with("placekey", keys.course.as_str());
    ctx.conn.exec(AGAIN, &params).await?;
    ctx.conn.analyse(FILE_LINES.name).await?;
    resolve::keys_among(ctx, keys, &waiting::eligible(keys.user, &settings.waiting.not_auth)).await?;
    ctx.conn.exec(FOUND_NOW, &resolved(params, protected)).await?;
    resolve::refuse_unresolved(ctx, (PlaceKind::Waiting, UNUSABLE), keys, protected, method::FLATFILE).await.map(|_| ())
}

/// Takes out the lines whose role is gone or not allowed any more, and those of which a later run has decided.
async fn refuse(ctx: &mut RunContext<'_>, settings: &Settings) -> Result<(), DbError> {
    let allowed = AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site);
    let usable = allowed.ids().map_or_else(|| "1 = 1".to_owned(), |ids| format!("f.roleid IN ({})", id_list(ids)));
    let params = ctx.params().with("key", allowed.key()).fragment("usable", usable);
    let params = params.fragment("roleid", ctx.conn.dialect().to_text("f.roleid"));
    ctx.report_new(PlaceKind::Waiting, ROLES, params.clone()).await?;
    waiting::close_reported(ctx).await?;
    let first = ctx.conn.number("SELECT COALESCE(MIN(f.run), 0) FROM [waiting_found] f", &params).await?;
    if first == 0 {
        return Ok(());
    }
    let ended = kind::names(|kind| *kind == kinds::ENROLMENT_REMOVE || *kind == kinds::ENROLMENT_SUSPEND);
    let begun = kind::names(|kind| *kind == kinds::ENROLMENT_ADD || *kind == kinds::ENROLMENT_UPDATE);
    let later = params.clone().with("first", first).with("ended", ended).with("begun", begun);
    ctx.conn.declare(&LATER);
    if ctx.conn.exec(CHANGED_LATER, &later).await? > 0 {
        ctx.conn.exec(OVERTAKEN, &params).await?;
    }
    let closed = "DELETE FROM [waiting_found] WHERE line IN (SELECT c.line FROM [waiting_closed] c)";
    ctx.conn.exec(closed, &params).await?;
    ctx.conn.analyse(FOUND.name).await
}
