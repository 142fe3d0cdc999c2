//! Queues the mails that tell new accounts their generated passwords, sealed until they are sent.
//! It must not generate or hash a password, nor know who needs one.
//!
//! The letter of such a mail belongs to one user: its `enrolid` is the user. It holds the password, sealed with the key
//! of the state directory for this run and user, and is removed in the transaction that marks the mail as sent.

use secrecy::{ExposeSecret, SecretString};

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::db::table::{int, long_text};
use crate::db::{Bulk, Conn, DbError, Field, Params, Table, statement};
use crate::disk::StateKey;
use crate::mail::outbox::{keep_letters, queue, state};
use crate::mail::people;
use crate::outcome::{RunError, RunResult};

/// The kind of a mail with a password.
pub const PASSWORD: &str = "password";

/// The accounts whose password is mailed.
const MAILED: Table = Table::new("password_mail", &[int("userid"), long_text("sealed")]).primary("userid");

const FILLED: &str = statement(include_str!("password.sql"), "letters");
const NEWCOMERS: &str = statement(include_str!("password.sql"), "newcomers");
const ERASED: &str = statement(include_str!("password.sql"), "erased");

/// A password that was generated for an account.
pub struct Generated {
    /// `user.id`.
    pub userid: i64,
    /// The password.
    pub password: SecretString,
}

/// Queues a mail with its password for each account that this run has given one, and returns how many. Call it once in
/// a run, after the accounts exist. Nothing is queued while `smtp.enabled` is off: then Moodle must mail the passwords.
///
/// # Errors
/// The database's error, or that of the key in the state directory.
pub async fn passwords(ctx: &mut RunContext<'_>, settings: &Settings, generated: Vec<Generated>) -> RunResult<i64> {
    if !settings.smtp.enabled || generated.is_empty() {
        return Ok(0);
    }
    let unusable = |error| RunError::State { path: settings.state.path.display().to_string(), error };
    let key = StateKey::made(&settings.state.path).map_err(unusable)?;
    ctx.conn.declare(&MAILED);
    let mut mailed = Bulk::into(ctx.conn.dialect(), &MAILED);
    for Generated { userid, password } in generated {
        let sealed = key.seal_text(password.expose_secret(), &context(ctx.run, userid)).map_err(unusable)?;
        mailed.push(ctx.conn, &[Field::Int(userid), Field::Text(&sealed)]).await?;
    }
    mailed.finish(ctx.conn).await?;
    let dialect = ctx.conn.dialect();
    let params = ctx
        .params()
        .with("kind", PASSWORD)
        .fragment("name", people::full_name(ctx, "u"))
        .fragment("run_text", dialect.to_text(":run"))
        .fragment("userid_text", dialect.to_text("t.userid"));
    keep_letters(ctx, FILLED, &["username", "sealed", "site"], params.clone()).await?;
    Ok(queue(ctx, settings, state::QUEUED, NEWCOMERS, params).await?)
}

/// What a password is sealed for: it opens in no other mail.
fn context(run: i64, userid: i64) -> String {
    format!("password {run} {userid}")
}

/// The password in a letter.
///
/// # Errors
/// Why it cannot be opened.
pub(super) fn opened(settings: &Settings, run: i64, userid: i64, sealed: &str) -> Result<SecretString, String> {
    let key = StateKey::open(&settings.state.path);
    let opened = key.and_then(|key| key.open_text(sealed, &context(run, userid)));
    opened.map_err(|error| format!("its password cannot be opened: {error}"))
}

/// Removes the passwords of mails that were sent, or whose user gets none.
///
/// # Errors
/// The database's error.
pub(super) async fn erase(conn: &mut Conn) -> Result<(), DbError> {
    let params = Params::new().with("kind", PASSWORD).with("sent", state::SENT).with("skipped", state::SKIPPED);
    conn.exec(ERASED, &params).await.map(|_| ())
}
