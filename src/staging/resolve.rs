//! Keys of staged lines to accounts and courses, exactly and for all lines at once; what does not resolve is an error.
//! It must not guess: no account is `user-unknown`, several are `user-ambiguous`, and nothing is done for the line.

use crate::change::work::Work;
use crate::config::{CourseKey, UserKey};
use crate::db::{DbError, Params};
use crate::files::CELL_LIMIT;
use crate::moodle::room::Room;
use crate::moodle::site::id_list;
use crate::problem::{Code, PlaceKind};

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
    /// The user key as accounts are compared with it: user names and addresses without case.
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

/// Whether something on the site can be called so.
///
/// # Errors
/// `value-too-long`.
pub fn fits(key: &str) -> Result<(), Code> {
    Room { width: KEY_WIDTH }.fits(key)
}

fn is_id(key: &str) -> bool {
    !key.is_empty() && key.len() <= 18 && key.bytes().all(|byte| byte.is_ascii_digit())
}

/// Makes `stage_user` and `stage_course`: each key of the file with the account or course that it names, and how many.
///
/// # Errors
/// The engine's.
pub async fn keys(work: &mut Work<'_>, keys: Keys) -> Result<(), DbError> {
    users(work, keys.user).await?;
    courses(work, keys.course).await
}

/// Makes `stage_user` alone.
///
/// # Errors
/// The engine's.
pub async fn users(work: &mut Work<'_>, key: UserKey) -> Result<(), DbError> {
    work.conn.temporary("stage_user", "ukey VARCHAR(255) NOT NULL PRIMARY KEY, userid BIGINT, found BIGINT NOT NULL");
    let exact = |column: &str| work.conn.exact("user", column, "k.ukey");
    let (table, on) = match key {
        UserKey::Username => ("{user}", format!("{} AND u.mnethostid = :host AND u.deleted = 0", exact("u.username"))),
        UserKey::Idnumber => ("{user}", format!("{} AND u.idnumber <> '' AND u.deleted = 0", exact("u.idnumber"))),
        UserKey::Id => ("{user}", format!("u.id = {} AND u.deleted = 0", work.conn.dialect().to_int("k.ukey"))),
        UserKey::Email => ("stage_mail", "u.mail = k.ukey".to_owned()),
    };
    if key == UserKey::Email {
        stage_mails(work).await?;
    }
    let params = work.params().with("host", work.site.local_host()).fragment("accounts", table).fragment("same", on);
    work.conn
        .exec(
            "INSERT INTO stage_user (ukey, userid, found)
             SELECT k.ukey, MIN(u.id), COUNT(u.id) FROM (SELECT DISTINCT ukey FROM stage_line) k LEFT JOIN :accounts u ON :same GROUP BY k.ukey",
            &params,
        )
        .await?;
    work.conn.analyse("stage_user").await
}

/// Addresses are compared without case, which no index of Moodle helps on every engine: one pass over the accounts.
async fn stage_mails(work: &mut Work<'_>) -> Result<(), DbError> {
    work.conn.temporary("stage_mail", "mail VARCHAR(255) NOT NULL, id BIGINT NOT NULL, PRIMARY KEY (mail, id)");
    work.conn
        .exec(
            "INSERT INTO stage_mail (mail, id) SELECT LOWER(u.email), u.id FROM {user} u WHERE u.deleted = 0 AND u.email <> ''",
            &Params::new(),
        )
        .await?;
    work.conn.analyse("stage_mail").await
}

async fn courses(work: &mut Work<'_>, key: CourseKey) -> Result<(), DbError> {
    work.conn
        .temporary(
            "stage_course",
            "ckey VARCHAR(255) NOT NULL PRIMARY KEY, courseid BIGINT, contextid BIGINT, category BIGINT, found BIGINT NOT NULL",
        );
    let on = match key {
        CourseKey::Shortname => work.conn.exact("course", "u.shortname", "k.ckey"),
        CourseKey::Idnumber => format!("{} AND u.idnumber <> ''", work.conn.exact("course", "u.idnumber", "k.ckey")),
        CourseKey::Id => format!("u.id = {}", work.conn.dialect().to_int("k.ckey")),
    };
    let params = work.params().fragment("same", on);
    work.conn
        .exec(
            "INSERT INTO stage_course (ckey, courseid, contextid, category, found)
             SELECT k.ckey, MIN(u.id), MIN(x.id), MIN(u.category), COUNT(u.id) FROM (SELECT DISTINCT ckey FROM stage_line) k
               LEFT JOIN {course} u ON :same LEFT JOIN {context} x ON x.contextlevel = 50 AND x.instanceid = u.id
              GROUP BY k.ckey",
            &params,
        )
        .await?;
    work.conn.analyse("stage_course").await
}

/// Tells the lines that do not resolve and gives their number.
///
/// # Errors
/// The engine's.
pub async fn refuse_unresolved(
    work: &mut Work<'_>,
    keys: Keys,
    protected: &[i64],
    method: &str,
) -> Result<u64, DbError> {
    let params = work
        .params()
        .with("method", method)
        .with("userkey", keys.user.as_str())
        .with("coursekey", keys.course.as_str())
        .fragment("usercount", work.conn.dialect().to_text("u.found"))
        .fragment("coursecount", work.conn.dialect().to_text("k.found"));
    let params = resolved(params, protected);
    work.tell_problems(
            PlaceKind::Line,
            "SELECT l.line AS number,
                    CASE WHEN u.found = 0 THEN 'user-unknown' WHEN u.found > 1 THEN 'user-ambiguous'
                         WHEN u.userid IN (:protected) THEN 'account-protected'
                         WHEN k.found = 0 THEN 'course-unknown' WHEN k.found > 1 THEN 'course-ambiguous' ELSE 'no-method' END AS code,
                    CASE WHEN u.found <> 1 OR u.userid IN (:protected) THEN l.ukey WHEN k.found <> 1 THEN l.ckey ELSE :method END AS value,
                    CASE WHEN u.found = 0 THEN :userkey WHEN u.found > 1 THEN :usercount
                         WHEN u.userid IN (:protected) THEN :userkey
                         WHEN k.found = 0 THEN :coursekey WHEN k.found > 1 THEN :coursecount ELSE l.ckey END AS hint
               FROM stage_line l JOIN stage_user u ON u.ukey = l.ukey JOIN stage_course k ON k.ckey = l.ckey
              WHERE NOT (:resolved) AND (EXISTS (SELECT 1 FROM stage_user u WHERE NOT (:known_user))
                    OR EXISTS (SELECT 1 FROM stage_course k WHERE NOT (:known_course)))",
            params,
        )
        .await
}

const KNOWN_USER: &str = "u.found = 1 AND u.userid NOT IN (:protected)";
const KNOWN_COURSE: &str = "k.found = 1 AND k.contextid IS NOT NULL AND k.category <> 0";

/// Gives a statement over lines with their `u` and `k` the fragment `:resolved`: a line resolves to one account that may be
/// written (none of the `protected`) and one course, not the front page, with a context.
pub fn resolved(params: Params, protected: &[i64]) -> Params {
    params
        .fragment("protected", id_list(protected))
        .fragment("known_user", KNOWN_USER)
        .fragment("known_course", KNOWN_COURSE)
        .fragment("resolved", ":known_user AND :known_course")
}
