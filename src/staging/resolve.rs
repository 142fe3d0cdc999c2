//! Resolves the keys of staged lines to accounts and courses, exactly and for all lines at once; a key that does not
//! resolve is an error. It must not guess: no account is `user-unknown`, several are `user-ambiguous`, and nothing is
//! done for the line.
//!
//! User names and addresses are keys in small letters, as Moodle folds them (`core_text::strtolower`, which is
//! `str::to_lowercase`). The databases fold letters outside ASCII each in another way, SQLite not at all, PostgreSQL by
//! the server's locale; so those are folded here.

use std::collections::BTreeSet;

use crate::change::context::RunContext;
use crate::config::{CourseKey, UserKey};
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table, statement};
use crate::files::CELL_LIMIT;
use crate::moodle::room::Room;
use crate::moodle::site::id_list;
use crate::problem::{Code, PlaceKind};
use crate::staging::lines::WRITTEN;

/// The user keys of staged lines, with the account that each names, and how many match.
const STAGE_USER: Table =
    Table::new("stage_user", &[text("ukey", 255), int("userid").or_null(), int("found")]).primary("ukey");
/// Accounts whose user name may have capitals, by the name in small letters.
const STAGE_FOLDED: Table = Table::new("stage_folded", &[text("ukey", 255), int("id")]).primary("ukey, id");
/// The addresses of accounts, in lower case for comparison.
const STAGE_MAIL: Table = Table::new("stage_mail", &[text("mail", 255), int("id")]).primary("mail, id");
/// The course keys of staged lines, with the course that each names, and how many match.
const STAGE_COURSE: Table = Table::new(
    "stage_course",
    &[
        text("ckey", 255),
        int("courseid").or_null(),
        int("contextid").or_null(),
        int("category").or_null(),
        int("found"),
    ],
)
.primary("ckey");

const ACCOUNTS: &str = statement(include_str!("resolve.sql"), "named accounts");
const TO_FOLD: &str = statement(include_str!("resolve.sql"), "accounts to fold");
const FOLDED: &str = statement(include_str!("resolve.sql"), "accounts in any case");
const COURSES: &str = statement(include_str!("resolve.sql"), "named courses");
const UNRESOLVED: &str = statement(include_str!("resolve.sql"), "unresolved lines");

/// Accounts that are folded at a time: their names are in memory.
const PAGE: usize = 50_000;

/// The widest key that any Moodle column can hold, in characters.
pub const KEY_WIDTH: usize = CELL_LIMIT;

/// How the keys of a file are read.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// What the user column holds.
    pub user: UserKey,
    /// What the course column holds.
    pub course: CourseKey,
}

impl Keys {
    /// The user key as it is compared with accounts: user names and addresses in lower case.
    ///
    /// # Errors
    /// The code of a key that no account can have.
    pub fn user_key(self, text: &str) -> Result<String, Code> {
        fits(text)?;
        let key = match self.user {
            UserKey::Username | UserKey::Email => text.to_lowercase(),
            UserKey::Idnumber | UserKey::Id => text.to_owned(),
        };
        // Some letters become two in lower case.
        fits(&key)?;
        if self.user == UserKey::Id && !is_id(&key) { Err(Code::UserUnknown) } else { Ok(key) }
    }

    /// Whether a course can have this key.
    ///
    /// # Errors
    /// The code of a key that no course can have.
    pub fn may_name_course(self, text: &str) -> Result<(), Code> {
        fits(text)?;
        if self.course == CourseKey::Id && !is_id(text) { Err(Code::CourseUnknown) } else { Ok(()) }
    }
}

/// Whether a column of the site can hold the key.
///
/// # Errors
/// `value-too-long`.
pub fn fits(key: &str) -> Result<(), Code> {
    Room { width: KEY_WIDTH }.fits(key)
}

fn is_id(key: &str) -> bool {
    !key.is_empty() && key.len() <= 18 && key.bytes().all(|byte| byte.is_ascii_digit())
}

/// Fills `stage_user` and `stage_course`: each key of the file with the account or course that it names, and how many.
///
/// # Errors
/// The database's error.
pub async fn keys(ctx: &mut RunContext<'_>, keys: Keys) -> Result<(), DbError> {
    keys_among(ctx, keys, ANY).await
}

/// [`keys`] among the accounts `a` that fulfil a condition.
///
/// # Errors
/// The database's error.
pub async fn keys_among(ctx: &mut RunContext<'_>, keys: Keys, eligible: &str) -> Result<(), DbError> {
    users_among(ctx, keys.user, eligible).await?;
    courses(ctx, keys.course, "SELECT DISTINCT ckey FROM [stage_line]").await
}

/// Fills `stage_user` alone.
///
/// # Errors
/// The database's error.
pub async fn users(ctx: &mut RunContext<'_>, key: UserKey) -> Result<(), DbError> {
    users_among(ctx, key, ANY).await
}

/// [`users`] among the accounts `a` that fulfil a condition.
///
/// # Errors
/// The database's error.
pub async fn users_among(ctx: &mut RunContext<'_>, key: UserKey, eligible: &str) -> Result<(), DbError> {
    ctx.conn.declare(&STAGE_USER);
    let exact = |column: &str| ctx.conn.exact("user", column, "k.ukey");
    let (table, on) = match key {
        UserKey::Username => ("{user}", format!("{} AND u.mnethostid = :host AND u.deleted = 0", exact("u.username"))),
        UserKey::Idnumber => ("{user}", format!("{} AND u.idnumber <> '' AND u.deleted = 0", exact("u.idnumber"))),
        UserKey::Id => ("{user}", format!("u.id = {} AND u.deleted = 0", ctx.conn.dialect().to_int("k.ukey"))),
        UserKey::Email => ("[stage_mail]", "u.mail = k.ukey".to_owned()),
    };
    if key == UserKey::Email {
        stage_mails(ctx).await?;
    }
    let on = format!("{on}{}", among(eligible));
    let params = ctx.params().with("host", ctx.site.local_host()).fragment("accounts", table).fragment("same", on);
    ctx.conn.exec(ACCOUNTS, &params).await?;
    if key == UserKey::Username {
        find_capitals(ctx, eligible).await?;
    }
    ctx.conn.analyse(STAGE_USER.name).await
}

/// Every account.
const ANY: &str = "";

/// The condition that the account `u` is among the eligible ones.
fn among(eligible: &str) -> String {
    if eligible == ANY {
        return String::new();
    }
    format!(" AND EXISTS (SELECT 1 FROM {{user}} a WHERE a.id = u.id AND {eligible})")
}

/// Finds the accounts of user names that no account has in small letters. (Moodle stores small letters; LDAP, bulk
/// imports and other programs store what they are given.) If each key was found, this is one statement over the keys;
/// else it reads, once for all keys, the accounts whose name may have a capital: on MariaDB those that the index of the
/// names gives for the keys, elsewhere all accounts of the site pass the condition.
async fn find_capitals(ctx: &mut RunContext<'_>, eligible: &str) -> Result<(), DbError> {
    let missing = "SELECT COUNT(*) FROM [stage_user] k WHERE k.found = 0";
    if ctx.conn.number(missing, &Params::new()).await? == 0 {
        return Ok(());
    }
    ctx.conn.declare(&STAGE_FOLDED);
    let candidates = match ctx.conn.ignores_case("user", "username") {
        true => format!(
            "[stage_user] k JOIN {{user}} u ON k.found = 0 AND {} AND u.mnethostid = :host",
            ctx.conn.alike("user", "u.username", "k.ukey")
        ),
        false => capitals(ctx),
    };
    load_folded(ctx, &STAGE_FOLDED, "u.username", (&candidates, eligible)).await?;
    if ctx.conn.is_unmade(STAGE_FOLDED.name) {
        return Ok(());
    }
    let same = format!("k.found = 0 AND {}", ctx.conn.dialect().same_text("k.ukey", "m.ukey"));
    let found = [("userid", "m.id"), ("found", "m.found")];
    let update = ctx.conn.dialect().update_joined("[stage_user]", "k", &found, FOLDED, &same);
    ctx.conn.exec(&update, &Params::new()).await.map(|_| ())
}

/// The local accounts whose user name may have a capital.
fn capitals(ctx: &RunContext<'_>) -> String {
    let dialect = ctx.conn.dialect();
    let (other, small) = (dialect.beyond_ascii("u.username"), dialect.lower("u.username"));
    let same = dialect.same_bytes("u.username", &small);
    format!(
        "(SELECT u.id, u.username, u.deleted FROM {{user}} u
           WHERE u.mnethostid = :host AND ({other} OR NOT ({same}))) u"
    )
}

/// Loads `column` of the `candidates` in small letters, with the id of each, into a table of these two columns. One
/// statement for each [`PAGE`] of accounts.
async fn load_folded(
    ctx: &mut RunContext<'_>,
    table: &Table,
    column: &str,
    candidates: (&str, &str),
) -> Result<(), DbError> {
    let mut rows = Bulk::into(ctx.conn.dialect(), table);
    let mut after = 0;
    loop {
        let page = to_fold(ctx, column, candidates, after).await?;
        for (id, stored) in &page {
            let folded = stored.to_lowercase();
            // No key is longer.
            if fits(&folded).is_ok() {
                rows.push(ctx.conn, &[Field::Text(&folded), Field::Int(*id)]).await?;
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = *last,
            _ => break,
        }
    }
    rows.finish(ctx.conn).await.map(|_| ())
}

/// The next candidates behind the account `after`, by id, each with its `column`.
async fn to_fold(
    ctx: &mut RunContext<'_>,
    column: &str,
    (candidates, eligible): (&str, &str),
    after: i64,
) -> Result<Vec<(i64, String)>, DbError> {
    let params = ctx
        .params()
        .with("host", ctx.site.local_host())
        .with("after", after)
        .with("page", PAGE as i64)
        .fragment("stored", column)
        .fragment("candidates", candidates)
        .fragment("among", among(eligible));
    let mut page = Vec::new();
    ctx.conn
        .each(TO_FOLD, &params, |row| {
            page.push((row.int(0), row.text(1)));
            Ok(())
        })
        .await?;
    Ok(page)
}

/// The ids of the accounts with one of these user names, in any case, whose stored name has capitals.
///
/// # Errors
/// The database's error.
pub async fn with_capitals(ctx: &mut RunContext<'_>, names: &[String]) -> Result<Vec<i64>, DbError> {
    let names: BTreeSet<String> = names.iter().map(|name| name.trim().to_lowercase()).collect();
    let (candidates, mut ids, mut after) = (capitals(ctx), Vec::new(), 0);
    while !names.is_empty() {
        let page = to_fold(ctx, "u.username", (&candidates, ANY), after).await?;
        ids.extend(page.iter().filter(|(_, stored)| names.contains(&stored.to_lowercase())).map(|(id, _)| *id));
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = *last,
            _ => break,
        }
    }
    Ok(ids)
}

/// Fills `stage_mail` with the addresses of all accounts, in small letters.
///
/// # Errors
/// The database's error.
pub async fn addresses(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    stage_mails(ctx).await
}

/// Loads the addresses in lower case in two scans, because no index of Moodle serves that on every database: those of
/// ASCII alone by the database, the others, which are few, by [`load_folded`].
async fn stage_mails(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    ctx.conn.declare(&STAGE_MAIL);
    let dialect = ctx.conn.dialect();
    let other = dialect.beyond_ascii("u.email");
    let params = Params::new().fragment("small", dialect.lower("u.email")).fragment("other", other.as_str());
    let sql = "INSERT INTO [stage_mail]
        SELECT :small, u.id FROM {user} u WHERE u.deleted = 0 AND u.email <> '' AND NOT (:other)";
    ctx.conn.exec(sql, &params).await?;
    let others = format!("(SELECT u.id, u.email, u.deleted FROM {{user}} u WHERE {other}) u");
    load_folded(ctx, &STAGE_MAIL, "u.email", (&others, ANY)).await?;
    ctx.conn.analyse(STAGE_MAIL.name).await
}

/// Fills `stage_course` alone, from the keys of a select (`ckey`, each once).
///
/// # Errors
/// The database's error.
pub async fn courses(ctx: &mut RunContext<'_>, key: CourseKey, keys: &str) -> Result<(), DbError> {
    ctx.conn.declare(&STAGE_COURSE);
    let on = match key {
        CourseKey::Shortname => ctx.conn.exact("course", "u.shortname", "k.ckey"),
        CourseKey::Idnumber => format!("{} AND u.idnumber <> ''", ctx.conn.exact("course", "u.idnumber", "k.ckey")),
        CourseKey::Id => format!("u.id = {}", ctx.conn.dialect().to_int("k.ckey")),
    };
    let params = ctx.params().fragment("same", on).fragment("keys", keys);
    ctx.conn.exec(COURSES, &params).await?;
    ctx.conn.analyse(STAGE_COURSE.name).await
}

/// The staged lines that are reported if they do not resolve: all.
pub const UNRESOLVED_LINES: (PlaceKind, &str) = (PlaceKind::Line, "NOT (:resolved)");

/// The staged lines that are reported where others wait, which are in `waits`.
pub const NOT_WAITING: (PlaceKind, &str) =
    (PlaceKind::Line, "NOT (:resolved) AND NOT EXISTS (SELECT 1 FROM [waits] x WHERE x.line = l.line)");

/// Reports the lines of a condition (with `:resolved`) at their kind of place, with why they do not resolve, and gives
/// their number.
///
/// # Errors
/// The database's error.
pub async fn refuse_unresolved(
    ctx: &mut RunContext<'_>,
    (place, condition): (PlaceKind, &str),
    keys: Keys,
    protected: &[i64],
    method: &str,
) -> Result<u64, DbError> {
    let params = ctx
        .params()
        .with("method", method)
        .with("userkey", keys.user.as_str())
        .with("coursekey", keys.course.as_str())
        .fragment("written", WRITTEN)
        .fragment("usercount", ctx.conn.dialect().to_text("u.found"))
        .fragment("coursecount", ctx.conn.dialect().to_text("k.found"));
    let params = resolved(params, protected).fragment("refused", condition);
    ctx.report_problems(place, UNRESOLVED, params).await
}

const KNOWN_USER: &str = "u.found = 1 AND u.userid NOT IN (:protected)";
/// The condition on the course `k` of a staged line: it is one course, not the front page, with a context.
pub const KNOWN_COURSE: &str = "k.found = 1 AND k.contextid IS NOT NULL AND k.category <> 0";

/// Adds to a statement over lines with their `u` and `k` the fragment `:resolved`: the line resolves to one account
/// that may be changed (none of the `protected`) and to one course, not the front page, with a context.
pub fn resolved(params: Params, protected: &[i64]) -> Params {
    params
        .fragment("protected", id_list(protected))
        .fragment("known_user", KNOWN_USER)
        .fragment("known_course", KNOWN_COURSE)
        .fragment("resolved", ":known_user AND :known_course")
}
