//! The values that a directory locks in accounts of its authentication method. It must not decide which methods are
//! those of directories: the configuration names them.

use crate::accounts::options::Options;
use crate::accounts::tables::ACCOUNT_FIELD;
use crate::change::context::RunContext;
use crate::db::{DbError, Dialect, Params};
use crate::moodle::site::Site;

/// The foreign methods that lock a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Always.
    always: Vec<String>,
    /// Once it is not empty.
    filled: Vec<String>,
}

impl Lock {
    /// The lock of a column of the account, or of `profile_field_NAME`; `None` if no foreign method locks it.
    pub fn of(site: &Site, options: &Options<'_>, column: &str) -> Option<Self> {
        let setting = format!("field_lock_{column}");
        let with = |word: &str| {
            let locks = |auth: &&String| site.plugin(&format!("auth_{auth}"), &setting) == Some(word);
            options.foreign_auth.iter().filter(locks).cloned().collect::<Vec<_>>()
        };
        let lock = Self { always: with("locked"), filled: with("unlockedifempty") };
        (!(lock.always.is_empty() && lock.filled.is_empty())).then_some(lock)
    }

    /// The condition, as SQL, that the value `old` of an account with the method `auth` may be changed.
    pub fn opens(&self, dialect: Dialect, auth: &str, old: &str) -> String {
        let none_of = |methods: &[String]| {
            let methods: Vec<String> = methods.iter().map(|method| dialect.text(method).to_string()).collect();
            if methods.is_empty() { "1 = 1".to_owned() } else { format!("({auth}) NOT IN ({})", methods.join(", ")) }
        };
        let (always, filled) = (none_of(&self.always), none_of(&self.filled));
        format!("{always} AND (COALESCE({old}, '') = '' OR {filled})")
    }
}

/// Puts the values of custom profile fields aside that are locked in the accounts of this step. One statement, none
/// without such a field.
///
/// # Errors
/// The database's error.
pub async fn put_aside(ctx: &mut RunContext<'_>, options: &Options<'_>, locks: &[(i64, Lock)]) -> Result<(), DbError> {
    if locks.is_empty() || ctx.conn.is_unmade(ACCOUNT_FIELD.name) {
        return Ok(());
    }
    let dialect = ctx.conn.dialect();
    let old = "(SELECT q.data FROM {user_info_data} q WHERE q.userid = a.userid AND q.fieldid = f.fieldid)";
    let locked =
        |(id, lock): &(i64, Lock)| format!("(f.fieldid = {id} AND NOT ({}))", lock.opens(dialect, "a.auth", old));
    let any = locks.iter().map(locked).collect::<Vec<_>>().join(" OR ");
    let accounts = format!(
        "(SELECT n.line, n.userid, {} AS auth
            FROM [account_now] n
            JOIN [account_stage] s ON s.line = n.line
            LEFT JOIN [account_default] d ON d.line = n.line
            LEFT JOIN {{user}} x ON x.id = n.userid) a",
        options.auth_after(dialect)
    );
    // No row has a negative line.
    let set = [("line", "-f.line")];
    let sql = dialect.update_joined("[account_field]", "f", &set, &accounts, &format!("f.line = a.line AND ({any})"));
    ctx.conn.exec(&sql, &Params::new()).await.map(|_| ())
}
