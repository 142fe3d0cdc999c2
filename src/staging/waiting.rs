//! Lines that wait for an account or a course: keeps those of a file in `enrold_waiting`, and closes those that a later
//! line of the same user, place and role replaces (spec undo-explain 5). It must not apply a line: planners do, when
//! account and place exist.

use crate::change::context::RunContext;
use crate::config::{Settings, Target, UserKey, Waiting, WhenDisabled};
use crate::db::table::{int, small, text};
use crate::db::{Conn, DbError, Dialect, Literal, Params, Table, statement};
use crate::moodle::method;
use crate::problem::{self, PlaceKind};
use crate::staging::resolve::KEY_WIDTH;

/// Lines of a file that wait, or say the same as one that waits.
pub const WAITS: Table = Table::new(
    "waits",
    &[
        int("line"),
        text("lacks", 20),
        text("ukey", KEY_WIDTH),
        text("written", KEY_WIDTH),
        text("pkey", KEY_WIDTH),
        int("roleid"),
        int("timestart"),
        int("timeend"),
        // Whether no later line says something else.
        small("kept"),
        int("expires"),
        // The row that says the same already, or 0.
        int("same").by_default(),
        small("beyond").by_default(),
        // Of rows of sets: the group, the state (-1 if the set has none), whether it is an "other user".
        text("gkey", KEY_WIDTH).by_default(),
        small("status").by_default(),
        small("other").by_default(),
    ],
)
.primary("line");
/// Rows that a line of the file speaks of: the last such line, and the last that ends something.
const SPOKEN: Table = Table::new("spoken", &[int("id"), int("line"), int("del")]).primary("id");

const SPOKEN_OF: &str = statement(include_str!("waiting.sql"), "rows spoken of");
const SAME: &str = statement(include_str!("waiting.sql"), "rows that say the same");
const KEPT: &str = statement(include_str!("waiting.sql"), "kept lines");
const TOLD: &str = statement(include_str!("waiting.sql"), "lines that wait");

/// Lines that a pass decides about, with the state that they get: applied, or ended in another way.
pub const CLOSED: Table =
    Table::new("waiting_closed", &[int("line"), text("state", 20), text("note", 40)]).primary("line");

const CLOSED_BY: &str = statement(include_str!("waiting.sql"), "closed by problems");
const APPLIED: &str = statement(include_str!("waiting.sql"), "applied lines");

/// The name of the job that applies what waits, and the cause of its changes.
pub const WAITING: &str = "waiting";

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The kinds of line that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// An `add` of a flat file.
    Enrolment,
    /// A member of a cohort file.
    Member,
    /// A row of a full set of enrolments.
    SetEnrolment,
    /// A row of a full set of cohort memberships.
    SetMember,
}

impl Waits {
    /// The word in `enrold_waiting.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::Member => "member",
            Self::SetEnrolment => "set-enrolment",
            Self::SetMember => "set-member",
        }
    }
}

/// The file whose lines may wait.
pub struct Feed<'a> {
    /// What its lines are.
    pub kind: Waits,
    /// Its name, for reports.
    pub source: &'a str,
    /// Whether it came through the drop directory.
    pub dropped: bool,
    /// What its user column holds: a word of [`crate::config::UserKey`].
    pub user_key: &'static str,
    /// What its place column holds: a word of [`crate::config::CourseKey`] or [`crate::config::CohortKey`].
    pub place_key: &'static str,
    /// A condition on a staged line `l` and a row `w` of `enrold_waiting` with the same user and place.
    pub same: &'static str,
    /// Rows that other lines of the file end: more selects of (id, line, line), each behind a `UNION ALL`.
    pub ended: &'static str,
    /// The code of a place that is not known.
    pub place_code: &'static str,
}

impl Feed<'_> {
    /// The parameters of statements over its lines in [`WAITS`].
    pub fn params(&self, ctx: &RunContext<'_>) -> Params {
        ctx.params()
            .with("kindword", self.kind.as_str())
            .with("source", self.source)
            .with("dropped", i64::from(self.dropped))
            .with("userkey", self.user_key)
            .with("placekey", self.place_key)
            .with("placecode", self.place_code)
            .fragment("until", ctx.conn.dialect().to_text("x.expires"))
    }
}

/// Whether lines wait at all.
pub fn is_on(waiting: &Waiting) -> bool {
    waiting.days > 0
}

/// The parameters of a select that fills [`WAITS`]: `:expires` is when a line without end stops to wait.
pub fn params(ctx: &RunContext<'_>, waiting: &Waiting) -> Params {
    ctx.params().with("expires", ctx.now + i64::from(waiting.days) * DAY)
}

/// Closes the rows that lines of the file replace or cancel, keeps the lines of [`WAITS`], reports these, and gives
/// their number. One statement where nothing waits; else at most eight.
///
/// # Errors
/// The database's error.
pub async fn keep(ctx: &mut RunContext<'_>, waiting: &Waiting, feed: &Feed<'_>) -> Result<u64, DbError> {
    let params = feed.params(ctx).fragment("same", feed.same).fragment("ended", feed.ended);
    let waiting_now = "SELECT COUNT(*) FROM {enrold_waiting} w WHERE w.state = 'waiting'";
    let before = ctx.conn.number(waiting_now, &params).await?;
    if before > 0 {
        replace(ctx, &params).await?;
    }
    keep_new(ctx, waiting, before, params).await
}

/// Keeps the lines of [`WAITS`] that no row says already, reports all of them, and gives their number; `before` lines
/// wait already. None is reported if the table was never made.
///
/// # Errors
/// The database's error.
pub async fn keep_new(
    ctx: &mut RunContext<'_>,
    waiting: &Waiting,
    before: i64,
    params: Params,
) -> Result<u64, DbError> {
    if ctx.conn.is_unmade(WAITS.name) {
        return Ok(0);
    }
    let open = "SELECT COUNT(*) FROM [waits] x WHERE x.kept = 1 AND x.same = 0";
    let new = ctx.conn.number(open, &params).await?;
    if new > 0 {
        let room = (i64::from(waiting.max) - before).max(0);
        if new > room {
            refuse_beyond(ctx, room).await?;
        }
        let last = ctx.conn.number("SELECT COALESCE(MAX(w.id), 0) FROM {enrold_waiting} w", &params).await?;
        ctx.conn.exec(KEPT, &params.clone().with("last", last)).await?;
    }
    ctx.report_problems(PlaceKind::Line, TOLD, params).await
}

/// Closes the rows of the same user, place and role of which a line of the file says something else.
async fn replace(ctx: &mut RunContext<'_>, params: &Params) -> Result<(), DbError> {
    ctx.conn.declare(&SPOKEN);
    if ctx.conn.exec(SPOKEN_OF, params).await? == 0 {
        return Ok(());
    }
    let dialect = ctx.conn.dialect();
    if !ctx.conn.is_unmade(WAITS.name) {
        let same = "x.kept = 1 AND x.line = o.line AND x.timestart = o.timestart AND x.timeend = o.timeend
            AND o.expires > :now";
        let set = [("same", "o.id"), ("expires", "o.expires")];
        ctx.conn.exec(&dialect.update_joined("[waits]", "x", &set, SAME, same), params).await?;
        let stays = "DELETE FROM [spoken] WHERE id IN (SELECT x.same FROM [waits] x)";
        ctx.conn.exec(stays, params).await?;
    }
    end_spoken(ctx, SPOKEN.name).await
}

/// Ends the rows of a temporary table (id, line, del) that lines of a file speak of: `line` is the last such line,
/// `del` the last that ends something.
///
/// # Errors
/// The database's error.
pub async fn end_spoken(ctx: &mut RunContext<'_>, spoken: &str) -> Result<(), DbError> {
    let word = "CASE WHEN p.line = p.del THEN 'cancelled' ELSE 'superseded' END";
    let set = [("state", word), ("changed", ":now"), ("byrun", ":run")];
    let end = ctx.conn.dialect().update_joined("{enrold_waiting}", "w", &set, &format!("[{spoken}] p"), "w.id = p.id");
    ctx.conn.exec(&end, &ctx.params()).await.map(|_| ())
}

/// Marks the new lines behind the first `room` ones: they do not wait.
async fn refuse_beyond(ctx: &mut RunContext<'_>, room: i64) -> Result<(), DbError> {
    let params = ctx.params().with("room", room);
    let first = "SELECT x.line FROM [waits] x WHERE x.kept = 1 AND x.same = 0 ORDER BY x.line LIMIT 1 OFFSET :room";
    let first = ctx.conn.number(first, &params).await?;
    let full = "UPDATE [waits] SET beyond = 1 WHERE same = 0 AND line >= :first";
    ctx.conn.exec(full, &params.with("first", first)).await.map(|_| ())
}

/// The kinds of key by which lines of a kind wait: that of users, and the word of that of places.
///
/// # Errors
/// The database's error.
pub async fn kinds_of_key(ctx: &mut RunContext<'_>, kind: Waits) -> Result<Vec<(UserKey, String)>, DbError> {
    let sql = "SELECT DISTINCT w.userkey, w.placekey FROM {enrold_waiting} w
        WHERE w.state = 'waiting' AND w.kind = :kindword AND w.expires > :now ORDER BY w.userkey, w.placekey";
    let rows = ctx.conn.rows(sql, &ctx.params().with("kindword", kind.as_str())).await?;
    rows.iter().map(|row| Ok((UserKey::from_word(&row.text(0)).ok_or_else(unknown_key)?, row.text(1)))).collect()
}

/// The error of a word in `enrold_waiting` that names no kind of key.
pub fn unknown_key() -> DbError {
    DbError::other("enrold_waiting has a kind of key that is not known")
}

/// Adds the lines that this run has reported to `waiting_closed`.
///
/// # Errors
/// The database's error.
pub async fn close_reported(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let params = ctx.params().with("place", PlaceKind::Waiting.as_str());
    ctx.conn.exec(CLOSED_BY, &params).await.map(|_| ())
}

/// Adds the lines of a temporary table to `waiting_closed` as applied, without those whose change another writer
/// overtook.
///
/// # Errors
/// The database's error.
pub async fn close_applied(ctx: &mut RunContext<'_>, found: &str) -> Result<(), DbError> {
    let params = ctx.params().with("cause", WAITING).fragment("found", format!("[{found}]"));
    ctx.conn.exec(APPLIED, &params).await.map(|_| ())
}

/// Gives the lines of `waiting_closed` their state, and the problems of this run the file and line of each; the other
/// lines go on waiting.
///
/// # Errors
/// The database's error.
pub async fn close(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let set = [("state", "c.state"), ("note", "c.note"), ("changed", ":now"), ("byrun", ":run")];
    let update = ctx.conn.dialect().update_joined("{enrold_waiting}", "w", &set, "[waiting_closed] c", "w.id = c.line");
    ctx.conn.exec(&update, &ctx.params()).await?;
    problem::name_waiting(ctx.conn, ctx.run).await
}

/// The condition on an account `a` that a waiting line may find: nobody takes a place by registering a name.
pub fn eligible(key: UserKey, not_auth: &[String]) -> String {
    let usual = "a.confirmed = 1 AND a.suspended = 0";
    if key == UserKey::Idnumber || not_auth.is_empty() {
        return usual.to_owned();
    }
    // The configuration admits no other characters.
    let names: Vec<String> = not_auth.iter().filter_map(|auth| Some(Literal::plain(auth)?.to_string())).collect();
    format!("{usual} AND a.auth NOT IN ({})", if names.is_empty() { "''".to_owned() } else { names.join(", ") })
}

/// The sources whose waiting rows a pass applies, as a list of SQL: those that are enabled and name courses, or
/// cohorts.
fn sources(conn: &Conn, settings: &Settings, cohorts: bool) -> String {
    let target = if cohorts { Target::Cohorts } else { Target::Enrolments };
    let used = settings.sources.iter().filter(|(_, source)| source.enabled && source.target == target);
    let names: Vec<String> = used.map(|(name, _)| conn.dialect().text(name).to_string()).collect();
    if names.is_empty() { "''".to_owned() } else { names.join(", ") }
}

/// Gives a statement over rows `w` of `enrold_waiting` the fragment `:in_use`: not a row of a source that is not in
/// use.
pub fn in_use(conn: &Conn, settings: &Settings, params: Params) -> Params {
    let [courses, cohorts] = [false, true].map(|cohorts| sources(conn, settings, cohorts));
    let condition = format!(
        "(w.kind NOT IN ('set-enrolment', 'set-member') OR (w.kind = 'set-enrolment' AND w.source IN ({courses}))
          OR (w.kind = 'set-member' AND w.source IN ({cohorts})))"
    );
    params.fragment("in_use", condition)
}

/// Whether any line that waits has its account and its place now, its method is enabled, and no run of this kind, which
/// applies such lines, is held: two statements, by the indexes of the keys where the database has them. Where a name or
/// an address has letters outside ASCII that the database cannot fold, the answer is at times a yes too many.
///
/// # Errors
/// The database's error.
pub async fn any_found(conn: &mut Conn, settings: &Settings, order: &str, now: i64) -> Result<bool, DbError> {
    let params = in_use(conn, settings, Params::new().with("now", now).with("order", order));
    let kinds = "SELECT DISTINCT w.kind, w.userkey, w.placekey,
               COALESCE((SELECT MAX(h.value) FROM {config} h WHERE h.name = 'mnet_localhost_id'), '1'),
               COALESCE((SELECT MAX(h.value) FROM {config} h WHERE h.name = 'enrol_plugins_enabled'), ''),
               (SELECT COUNT(*) FROM {enrold_run} r WHERE r.state = 'held' AND r.kind = :order)
          FROM {enrold_waiting} w WHERE w.state = 'waiting' AND w.expires > :now AND :in_use";
    let kinds = conn.rows(kinds, &params).await?;
    if kinds.iter().any(|row| row.int(5) > 0) {
        return Ok(false);
    }
    let mut selects = Vec::new();
    for row in &kinds {
        let (kind, user, place) = (row.text(0), row.text(1), row.text(2));
        let host: i64 = row.text(3).parse().unwrap_or(1);
        if !is_applied(settings, &kind, &row.text(4)) {
            continue;
        }
        let key = UserKey::from_word(&user).ok_or_else(unknown_key)?;
        let (table, column) = match (kind.as_str(), place.as_str()) {
            ("enrolment" | "set-enrolment", "shortname") => ("course", "p.shortname"),
            ("enrolment" | "set-enrolment", "idnumber") => ("course", "p.idnumber"),
            ("set-enrolment", "id") => ("course", "p.id"),
            ("member" | "set-member", "idnumber") => ("cohort", "p.idnumber"),
            ("member" | "set-member", "name") => ("cohort", "p.name"),
            ("set-member", "id") => ("cohort", "p.id"),
            _ => return Err(unknown_key()),
        };
        let places = match place.as_str() {
            "id" => format!("p.id = {}", conn.dialect().to_int("w.pkey")),
            _ => conn.exact(table, column, "w.pkey"),
        };
        let (eligible, words) = (eligible(key, &settings.waiting.not_auth), [&kind, &user, &place]);
        let [kind, user, place] =
            words.map(|word| Literal::plain(word).map(|word| word.to_string()).unwrap_or_default());
        selects.extend(accounts(conn, key, host).into_iter().map(|accounts| {
            format!(
                "SELECT w.id FROM {{enrold_waiting}} w JOIN {{user}} u ON {accounts} AND u.deleted = 0
                   JOIN {{user}} a ON a.id = u.id AND {eligible} JOIN {{{table}}} p ON {places}
                  WHERE w.state = 'waiting' AND w.kind = {kind} AND w.userkey = {user} AND w.placekey = {place}
                    AND w.expires > :now AND :in_use"
            )
        }));
    }
    if selects.is_empty() {
        return Ok(false);
    }
    let all = selects.join(" UNION ALL ");
    Ok(conn.number(&format!("SELECT COUNT(*) FROM (SELECT t.id FROM ({all}) t LIMIT 1) f"), &params).await? > 0)
}

/// Whether a pass applies rows of a kind, with these methods enabled in Moodle.
fn is_applied(settings: &Settings, kind: &str, enabled: &str) -> bool {
    let enables = |method: &str| enabled.split(',').any(|name| name.trim() == method);
    match kind {
        "enrolment" => settings.flatfile.when_disabled != WhenDisabled::Wait || enables(method::FLATFILE),
        "set-enrolment" => enables(method::DATABASE),
        _ => true,
    }
}

/// Conditions on a waiting line `w` and an account `u` whose key it may hold, each for a select of its own.
fn accounts(conn: &Conn, key: UserKey, host: i64) -> Vec<String> {
    let (column, local) = match key {
        UserKey::Username => ("username", format!(" AND u.mnethostid = {host}")),
        UserKey::Email => ("email", String::new()),
        UserKey::Idnumber => return vec![conn.exact("user", "u.idnumber", "w.ukey")],
        UserKey::Id => return Vec::new(),
    };
    let (dialect, stored) = (conn.dialect(), format!("u.{column}"));
    if conn.ignores_case("user", column) {
        return vec![conn.alike("user", &stored, "w.ukey") + &local];
    }
    // A name or an address never becomes shorter in small letters.
    let [beyond, waits] = [stored.as_str(), "w.ukey"].map(|text| dialect.beyond_ascii(text));
    let other = format!("{beyond} AND {waits} AND CHAR_LENGTH({stored}) <= CHAR_LENGTH(w.ukey)");
    let other = if dialect == Dialect::Lite { other.replace("CHAR_LENGTH", "LENGTH") } else { other };
    [dialect.same_text(&dialect.lower(&stored), "w.ukey"), other].map(|same| same + &local).into()
}
