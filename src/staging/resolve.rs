//! Resolves the keys of staged lines to accounts and courses, exactly and for all lines at once; a key that does not
//! resolve is an error. It must not guess: no account is `user-unknown`, several are `user-ambiguous`, and nothing is
//! done for the line.

use crate::change::context::RunContext;
use crate::config::{CourseKey, UserKey};
use crate::db::table::{int, text};
use crate::db::{DbError, Params, Table, statement};
use crate::files::CELL_LIMIT;
use crate::moodle::room::Room;
use crate::moodle::site::id_list;
use crate::problem::{Code, PlaceKind};

/// The user keys of staged lines, with the account that each names, and how many match.
const STAGE_USER: Table =
    Table::new("stage_user", &[text("ukey", 255), int("userid").or_null(), int("found")]).primary("ukey");
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
const COURSES: &str = statement(include_str!("resolve.sql"), "named courses");
const UNRESOLVED: &str = statement(include_str!("resolve.sql"), "unresolved lines");

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
    users(ctx, keys.user).await?;
    courses(ctx, keys.course).await
}

/// Fills `stage_user` alone.
///
/// # Errors
/// The database's error.
pub async fn users(ctx: &mut RunContext<'_>, key: UserKey) -> Result<(), DbError> {
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
    let params = ctx.params().with("host", ctx.site.local_host()).fragment("accounts", table).fragment("same", on);
    ctx.conn.exec(ACCOUNTS, &params).await?;
    ctx.conn.analyse(STAGE_USER.name).await
}

/// Loads the addresses in lower case in one scan, because no index of Moodle serves that on every database.
async fn stage_mails(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    ctx.conn.declare(&STAGE_MAIL);
    let sql = "INSERT INTO [stage_mail]
        SELECT LOWER(u.email), u.id FROM {user} u WHERE u.deleted = 0 AND u.email <> ''";
    ctx.conn.exec(sql, &Params::new()).await?;
    ctx.conn.analyse(STAGE_MAIL.name).await
}

async fn courses(ctx: &mut RunContext<'_>, key: CourseKey) -> Result<(), DbError> {
    ctx.conn.declare(&STAGE_COURSE);
    let on = match key {
        CourseKey::Shortname => ctx.conn.exact("course", "u.shortname", "k.ckey"),
        CourseKey::Idnumber => format!("{} AND u.idnumber <> ''", ctx.conn.exact("course", "u.idnumber", "k.ckey")),
        CourseKey::Id => format!("u.id = {}", ctx.conn.dialect().to_int("k.ckey")),
    };
    let params = ctx.params().fragment("same", on);
    ctx.conn.exec(COURSES, &params).await?;
    ctx.conn.analyse(STAGE_COURSE.name).await
}

/// Reports the lines that do not resolve and gives their number.
///
/// # Errors
/// The database's error.
pub async fn refuse_unresolved(
    ctx: &mut RunContext<'_>,
    keys: Keys,
    protected: &[i64],
    method: &str,
) -> Result<u64, DbError> {
    let params = ctx
        .params()
        .with("method", method)
        .with("userkey", keys.user.as_str())
        .with("coursekey", keys.course.as_str())
        .fragment("usercount", ctx.conn.dialect().to_text("u.found"))
        .fragment("coursecount", ctx.conn.dialect().to_text("k.found"));
    ctx.report_problems(PlaceKind::Line, UNRESOLVED, resolved(params, protected)).await
}

const KNOWN_USER: &str = "u.found = 1 AND u.userid NOT IN (:protected)";
const KNOWN_COURSE: &str = "k.found = 1 AND k.contextid IS NOT NULL AND k.category <> 0";

/// Adds to a statement over lines with their `u` and `k` the fragment `:resolved`: the line resolves to one account
/// that may be changed (none of the `protected`) and to one course, not the front page, with a context.
pub fn resolved(params: Params, protected: &[i64]) -> Params {
    params
        .fragment("protected", id_list(protected))
        .fragment("known_user", KNOWN_USER)
        .fragment("known_course", KNOWN_COURSE)
        .fragment("resolved", ":known_user AND :known_course")
}
