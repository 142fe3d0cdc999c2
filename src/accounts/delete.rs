//! Deletes accounts as Moodle does: enrolments, memberships, roles and profile go, the row stays and gives its names
//! free. It must not decide which accounts are deleted.

use std::collections::HashSet;

use md5::{Digest, Md5};

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::rewrite::Rewriting;
use crate::change::{end, kinds};
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table, statement};
use crate::moodle::account::standardised;
use crate::outcome::RunResult;

/// The accounts to delete with what their names become.
const SCRAMBLED: Table =
    Table::new("account_scrambled", &[int("userid"), text("username", 255), text("email", 255)]).primary("userid");

const ENROLMENTS: &str = statement(include_str!("delete.sql"), "enrolments");
const GROUPS: &str = statement(include_str!("delete.sql"), "groups");
const COHORTS: &str = statement(include_str!("delete.sql"), "cohorts");
const DELETED: &str = statement(include_str!("delete.sql"), "deleted");

/// Tables whose rows of a deleted account go without a trace in the journal: they hold secrets. Every Moodle has them:
/// one that cannot be seen is a missing right, and an error.
const SECRETS: [&str; 4] = ["sessions", "external_tokens", "user_password_history", "user_password_resets"];

/// Deletes the accounts of the rows with the verdict `delete`.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>) -> RunResult<()> {
    let sql = "SELECT u.id, u.username, u.email FROM [account_now] n JOIN {user} u ON u.id = n.userid
        WHERE n.verdict = 'delete' ORDER BY n.line";
    let rows = ctx.conn.rows(sql, &Params::new()).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut taken = recent_names(ctx).await?;
    ctx.conn.declare(&SCRAMBLED);
    let mut scrambled = Bulk::into(ctx.conn.dialect(), &SCRAMBLED);
    for row in &rows {
        let (id, username, email) = (row.int(0), row.text(1), row.text(2));
        let free = free_name(ctx, id, &username, &email, &mut taken);
        let mail: String = Md5::digest(username.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        scrambled.push(ctx.conn, &[Field::Int(id), Field::Text(&free), Field::Text(&mail)]).await?;
    }
    scrambled.finish(ctx.conn).await?;
    ctx.conn.analyse(SCRAMBLED.name).await?;
    let pass_no = ctx.next_pass();
    unenrol(ctx, pass_no).await?;
    belongings(ctx, pass_no).await?;
    scramble(ctx, Position { pass_no, rank: kinds::DELETE_ACCOUNT }).await?;
    for table in SECRETS {
        let own = "y.userid = d.userid";
        let sql = ctx.conn.dialect().delete_joined(&format!("{{{table}}}"), "y", "[account_scrambled] d", own);
        ctx.conn.exec(&sql, &Params::new()).await?;
    }
    // What their earlier rows give goes to nobody.
    let sql = "DELETE FROM [account_row] WHERE userid IN (SELECT d.userid FROM [account_scrambled] d)";
    ctx.conn.exec(sql, &Params::new()).await?;
    Ok(())
}

/// The user names that deletions have given lately.
async fn recent_names(ctx: &mut RunContext<'_>) -> Result<HashSet<String>, DbError> {
    let sql = "SELECT u.username FROM {user} u WHERE u.deleted = 1 AND u.timemodified > :now - 86400";
    let rows = ctx.conn.rows(sql, &ctx.params()).await?;
    Ok(rows.iter().map(|row| row.text(0)).collect())
}

/// The user name of a deleted account: its address and the time.
fn free_name(ctx: &RunContext<'_>, id: i64, username: &str, email: &str, taken: &mut HashSet<String>) -> String {
    let address = match email {
        "" => format!("{username}.{id}@unknownemail.invalid"),
        email => email.to_owned(),
    };
    timed(&standardised(ctx.site, &address), ctx.now, taken)
}

/// An address with the time, in at most 100 characters; Moodle increases the time until no other account has the name.
fn timed(address: &str, now: i64, taken: &mut HashSet<String>) -> String {
    let begin: String = address.chars().take(89).collect();
    let mut time = now;
    while !taken.insert(format!("{begin}.{time}")) {
        time += 1;
    }
    format!("{begin}.{time}")
}

/// Ends all enrolments, with all that belongs to them.
async fn unenrol(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    end::prepare(ctx);
    let ended = ctx.conn.exec(ENROLMENTS, &ctx.params()).await?;
    if ended == 0 {
        return Ok(());
    }
    ctx.conn.prefer_indexes(true).await?;
    if end::unenrol(ctx, pass_no).await? > 0 {
        end::purge(ctx, pass_no).await?;
    }
    Ok(ctx.conn.prefer_indexes(false).await?)
}

/// Removes memberships, roles and groups that belong to no enrolment, the interests, the profile and the preferences.
async fn belongings(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let own = "n.verdict = 'delete' AND x.userid = n.userid";
    let of_user = |context: &'static str| Pick::direct(["n.line", "0", context], "[account_now] n", own);
    let roles = of_user("x.contextid");
    ctx.remove_rows(Position { pass_no, rank: kinds::EXTRA_ROLES }, roles).await?;
    ctx.remove_rows(Position { pass_no, rank: kinds::LEAVE }, Pick::new(GROUPS)).await?;
    ctx.remove_rows(Position { pass_no, rank: kinds::COHORT_LEAVE }, Pick::new(COHORTS)).await?;
    let tagged = "n.verdict = 'delete' AND x.component = 'core' AND x.itemtype = 'user' AND x.itemid = n.userid";
    let interests = Pick::direct(["n.line", "0", "n.contextid"], "[account_now] n", tagged);
    ctx.remove_rows(Position { pass_no, rank: kinds::DROP_INTERESTS }, interests).await?;
    let preferences = of_user("n.contextid");
    ctx.remove_rows(Position { pass_no, rank: kinds::DROP_PREFERENCES }, preferences).await?;
    let profile = of_user("n.contextid");
    ctx.remove_rows(Position { pass_no, rank: kinds::DROP_FIELDS }, profile).await
}

async fn scramble(ctx: &mut RunContext<'_>, position: Position) -> RunResult<()> {
    let values = [
        ("deleted", "1".to_owned()),
        ("username", "d.username".to_owned()),
        ("email", "d.email".to_owned()),
        ("idnumber", "''".to_owned()),
        ("picture", "0".to_owned()),
        ("moodlenetprofile", "CASE WHEN x.moodlenetprofile IS NULL THEN NULL ELSE '' END".to_owned()),
    ];
    let now = [("timemodified", ":now".to_owned())];
    let kept = ["mnethostid"];
    let all = Rewriting::of(ctx.conn.dialect(), "user", &values, &now, &kept);
    let params = ctx.at(position).fragment("oldrow", all.oldrow).fragment("newrow", all.newrow);
    let columns = "line, userid, courseid, contextid, targetid, oldrow, newrow";
    let planned = ctx.journal(position, columns, "planned.line", DELETED, params).await?;
    ctx.guard_check().await?;
    let mut columns: Vec<&str> = values.iter().map(|(column, _)| *column).collect();
    columns.push("timemodified");
    ctx.rewrite_planned(position, planned, &columns).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_with_one_address_get_names_of_their_own() {
        let mut taken = HashSet::from(["a@example.org.7".to_owned()]);
        let mut name = |address: &str| timed(address, 7, &mut taken);
        assert_eq!(
            [name("a@example.org"), name("a@example.org"), name("b")],
            ["a@example.org.8", "a@example.org.9", "b.7"]
        );
        let long = "é".repeat(120);
        let (first, second) = (name(&long), name(&long));
        assert_eq!((first.chars().count(), second.chars().count()), (91, 91));
        assert!(second.ends_with(".8"), "{second}");
    }
}
