//! Finds the account of each row and decides what becomes of it, for all rows of a step at once. It must not change an
//! account.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::accounts::options::Options;
use crate::accounts::stage::Staged;
use crate::accounts::tables::{ACCOUNT_NOW, ACCOUNT_ORDER, ACCOUNT_STAGE, ACCOUNT_STEP};
use crate::change::context::RunContext;
use crate::config::{Operation, Update, UserKey};
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table, Value, statement};
use crate::files::users::UsersForm;
use crate::moodle::room::Room;
use crate::moodle::site::id_list;
use crate::problem::PlaceKind;
use crate::staging::lines::SET_LINES;
use crate::staging::resolve;

const NEXT: &str = statement(include_str!("matching.sql"), "next rows");
const KEYS: &str = statement(include_str!("matching.sql"), "keys");
const JUDGED: &str = statement(include_str!("matching.sql"), "judged");
const CLAIMS: &str = statement(include_str!("matching.sql"), "claims");
const LIKE_NAMES: &str = statement(include_str!("matching.sql"), "like names");
const REFUSED: &str = statement(include_str!("matching.sql"), "refused");
const KEPT_BACK: &str = statement(include_str!("matching.sql"), "kept back");

/// User names that no account of the file may have any more, when every row makes an account.
const ACCOUNT_NAME: Table = Table::new("account_name", &[int("line"), text("username", 255)]).primary("line");

/// User names of accounts that are read at a time.
const PAGE: i64 = 50_000;

/// Gives the rows of `account_pending` their steps, into `account_order`: a row comes after the earlier rows on which
/// it depends. Gives the number of steps; the rows that would need more than `most` are left. Two statements a step.
///
/// # Errors
/// The database's error.
pub async fn order(ctx: &mut RunContext<'_>, most: u32) -> Result<u32, DbError> {
    ctx.conn.declare(&ACCOUNT_ORDER);
    let mut steps = 0;
    while steps < most {
        let params = Params::new().with("step", i64::from(steps) + 1);
        if ctx.conn.exec(NEXT, &params).await? == 0 {
            break;
        }
        steps += 1;
        let ordered = "DELETE FROM [account_pending]
             WHERE line IN (SELECT o.line FROM [account_order] o WHERE o.step = :step)";
        ctx.conn.exec(ordered, &params).await?;
    }
    ctx.conn.analyse(ACCOUNT_ORDER.name).await?;
    Ok(steps)
}

/// Fills `account_step` with the rows of a step. One statement.
///
/// # Errors
/// The database's error.
pub async fn take(ctx: &mut RunContext<'_>, step: u32) -> Result<(), DbError> {
    ctx.conn.declare(&ACCOUNT_STEP);
    let sql = "INSERT INTO [account_step] SELECT o.line FROM [account_order] o WHERE o.step = :step";
    ctx.conn.exec(sql, &Params::new().with("step", i64::from(step))).await?;
    ctx.conn.analyse(ACCOUNT_STEP.name).await
}

/// Finds the accounts of the rows of `account_step` and decides what becomes of each, into `account_now`; reports those
/// that are refused and gives their number. A fixed number of statements, and two scans of the site's addresses.
///
/// # Errors
/// The database's error.
pub async fn judge(ctx: &mut RunContext<'_>, options: &Options<'_>, params: &Params) -> Result<u64, DbError> {
    ctx.conn.declare(&SET_LINES);
    ctx.conn.declare(&ACCOUNT_NOW);
    ctx.conn.exec(KEYS, &Params::new()).await?;
    resolve::users(ctx, UserKey::Username).await?;
    resolve::addresses(ctx).await?;
    ctx.conn.exec(JUDGED, params).await?;
    // Rows with the very same user name are never in one step.
    let name = ctx.conn.grouped("user", "username", "s.username");
    if name != "s.username" {
        claim(ctx, "'username-taken'", LIKE_NAMES, Params::new().fragment("name", name)).await?;
    }
    if !options.shares_addresses {
        claim(ctx, "'email-taken'", CLAIMS, Params::new()).await?;
    }
    ctx.conn.analyse(ACCOUNT_NOW.name).await?;
    let refused = ctx.report_problems(PlaceKind::Line, REFUSED, params.clone()).await?;
    // Rows that are applied: they do not count as failed. A line may have problems of its values, too.
    ctx.report_problems(PlaceKind::Line, KEPT_BACK, params.clone()).await?;
    Ok(refused)
}

/// Refuses the rows of a step that want what an earlier one gets: the `losing` ones.
async fn claim(ctx: &mut RunContext<'_>, verdict: &str, losing: &str, params: Params) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let set = [("verdict", verdict), ("hint", "p.first_line")];
    let update = dialect.update_joined("[account_now]", "n", &set, losing, "n.line = p.line");
    ctx.conn.exec(&update, &params.fragment("text", dialect.to_text("w.earliest"))).await.map(|_| ())
}

/// The accounts with these user names, in any case. Two statements, none for no name.
///
/// # Errors
/// The database's error.
pub async fn named(ctx: &mut RunContext<'_>, names: &[String]) -> Result<Vec<i64>, DbError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids = resolve::with_capitals(ctx, names).await?;
    let names: BTreeSet<String> = names.iter().map(|name| name.trim().to_lowercase()).collect();
    let dialect = ctx.conn.dialect();
    let literals: Vec<String> = names.iter().map(|name| dialect.text(name).to_string()).collect();
    let sql = "SELECT u.id, u.username FROM {user} u WHERE u.mnethostid = :host AND u.username IN (:names)";
    let params = Params::new().with("host", ctx.site.local_host()).fragment("names", literals.join(", "));
    let rows = ctx.conn.rows(sql, &params).await?;
    // A collation may find more.
    ids.extend(rows.iter().filter(|row| names.contains(&row.text(1).to_lowercase())).map(|row| row.int(0)));
    Ok(ids)
}

/// The parameters of the statements that judge rows, and of those that change accounts.
pub fn params(ctx: &RunContext<'_>, options: &Options<'_>, staged: &Staged<'_>) -> Params {
    let dialect = ctx.conn.dialect();
    let profile = options.profile;
    let lower = dialect.lower("t.username");
    let flag = |on: bool| Value::Sql(if on { "1 = 1" } else { "1 = 0" }.to_owned());
    let (target, count) = match options.by_mail() {
        true => ("m.id", "COALESCE(m.found, 0)"),
        false => (
            "CASE WHEN s.oldusername <> '' THEN o.userid ELSE u.userid END",
            "CASE WHEN s.oldusername <> '' THEN COALESCE(o.found, 0) ELSE COALESCE(u.found, 0) END",
        ),
    };
    let updates = |updates: &[Update]| flag(updates.contains(&profile.update));
    let protected = ctx.site.protected(true);
    let named: Vec<i64> = std::iter::once(0).chain(staged.protected.iter().copied()).collect();
    ctx.params()
        .with("host", ctx.site.local_host())
        .with("by_mail", flag(options.by_mail()))
        .with("tool_sync", flag(staged.form == UsersForm::ToolSync))
        .with("adds", flag(profile.operation == Operation::Add))
        .with("adds_all", flag(profile.operation == Operation::AddAll))
        .with("updates_only", flag(profile.operation == Operation::Update))
        .with("keeps_deleted", flag(!options.delete))
        .with("keeps_names", flag(!options.rename))
        .with("keeps_mails", flag(!options.change_email))
        .with("keeps_auths", flag(!options.change_auth))
        .with("keeps_state", flag(!options.suspend))
        .with("keeps_passwords", flag(!options.give_password))
        .with("refuses_passwords", flag(options.refuses_password))
        .with("shares_addresses", flag(options.shares_addresses))
        .with("spares_roles", flag(options.spares_roles))
        .with("from_file", updates(&[Update::File, Update::FileAndDefaults]))
        .with("fills", updates(&[Update::Missing]))
        .with("defaults", updates(&[Update::FileAndDefaults, Update::Missing]))
        .with("writes", updates(&[Update::File, Update::FileAndDefaults, Update::Missing]))
        .fragment("target", target)
        .fragment("count", count)
        .fragment("internal", options.internal_auths())
        .fragment("protected", id_list(&protected))
        .fragment("named", id_list(&named))
        .fragment("same_name", ctx.conn.alike("user", "h.username", "s.username"))
        .fragment("other_name", format!("NOT ({})", dialect.same_bytes(&lower, "s.username")))
        .fragment("other_auth", format!("NOT ({})", dialect.same_bytes("t.auth", "s.auth")))
        .fragment("other_number", format!("NOT ({})", dialect.same_bytes("t.idnumber", "s.idnumber")))
        .fragment("same_number", ctx.conn.exact("user", "h.idnumber", "s.idnumber"))
        .fragment("found_text", dialect.to_text("r.found"))
}

/// Gives every row that makes an account a user name that is free: a number is added, or increased, until it is.
/// (Operation `add-all` only.) The names of the file, and those of accounts that differ from them by a number, are in
/// memory. Grows with the rows and with the accounts of the site, in pages.
///
/// # Errors
/// The database's error.
pub async fn number_names(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let mut rows: Vec<(i64, String)> = Vec::new();
    let sql =
        "SELECT s.line, s.username FROM [account_stage] s WHERE s.deleted = 0 AND s.oldusername = '' ORDER BY s.line";
    ctx.conn
        .each(sql, &Params::new(), |row| {
            rows.push((row.int(0), row.text(1)));
            Ok(())
        })
        .await?;
    let bases: HashSet<&str> = rows.iter().map(|(_, name)| base(name)).collect();
    let mut taken: HashSet<String> = HashSet::new();
    let mut after = 0;
    loop {
        let params = ctx.params().with("after", after).with("host", ctx.site.local_host()).with("page", PAGE);
        let sql = "SELECT u.id, u.username FROM {user} u WHERE u.mnethostid = :host AND u.id > :after
            ORDER BY u.id LIMIT :page";
        let (mut last, mut read) = (after, 0);
        ctx.conn
            .each(sql, &params, |row| {
                (last, read) = (row.int(0), read + 1);
                let name = row.text(1).to_lowercase();
                if bases.contains(base(&name)) {
                    taken.insert(name);
                }
                Ok(())
            })
            .await?;
        after = last;
        if read < PAGE {
            break;
        }
    }
    let room = Room::of(ctx.site, "user", "username", 255);
    let mut numbered: BTreeMap<i64, String> = BTreeMap::new();
    let mut names = Names { taken, beyond: HashMap::new() };
    for (line, name) in &rows {
        let free = names.next_free(name);
        // A name that has no room stays as it is, and is taken.
        if free != *name && room.fits(&free).is_ok() {
            numbered.insert(*line, free);
        }
    }
    if numbered.is_empty() {
        return Ok(());
    }
    ctx.conn.declare(&ACCOUNT_NAME);
    let mut names = Bulk::into(ctx.conn.dialect(), &ACCOUNT_NAME);
    for (line, name) in &numbered {
        names.push(ctx.conn, &[Field::Int(*line), Field::Text(name)]).await?;
    }
    names.finish(ctx.conn).await?;
    let dialect = ctx.conn.dialect();
    let set = [("username", "a.username"), ("standard", "a.username")];
    let update = dialect.update_joined("[account_stage]", "s", &set, "[account_name] a", "a.line = s.line");
    ctx.conn.exec(&update, &Params::new()).await?;
    // No two rows share a name any more.
    ctx.conn.exec("DELETE FROM [account_key] WHERE akey LIKE 'n:%'", &Params::new()).await?;
    let keys = "INSERT INTO [account_key]
        SELECT 'n:' || s.username, s.line FROM [account_stage] s WHERE s.username <> ''";
    ctx.conn.exec(keys, &Params::new()).await?;
    ctx.conn.analyse(ACCOUNT_STAGE.name).await
}

/// The names that are taken, and for those that were passed a later one in the row of numbers: no number is passed
/// again and again, whatever names of one base the rows have.
struct Names {
    taken: HashSet<String>,
    beyond: HashMap<String, String>,
}

impl Names {
    /// The first free name from this one on; it is taken then. (No name stays none.)
    fn next_free(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut passed = Vec::new();
        while !free.is_empty() && !self.taken.insert(free.clone()) {
            let next = self.beyond.get(&free).cloned().unwrap_or_else(|| incremented(&free));
            passed.push(std::mem::replace(&mut free, next));
        }
        self.beyond.extend(passed.into_iter().map(|name| (name, free.clone())));
        free
    }
}

/// A name without the digits at its end.
fn base(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The next name: `x2` after `x`, `x8` after `x7`.
fn incremented(name: &str) -> String {
    let base = base(name);
    match name[base.len()..].parse::<u64>().ok().and_then(|number| number.checked_add(1)) {
        Some(number) => format!("{base}{number}"),
        // A longer number is a part of the name.
        None if name.len() > base.len() => format!("{name}x2"),
        None => format!("{base}2"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_added_or_increased() {
        let next = |name| incremented(name);
        assert_eq!([next("x"), next("x7"), next("gu01"), next("9")], ["x2", "x8", "gu2", "10"]);
        assert_eq!(next("x18446744073709551615"), "x18446744073709551615x2");
    }

    #[test]
    fn no_number_is_passed_twice() {
        const MANY: usize = 50_000;
        let mut names = Names { taken: HashSet::from(["zz4".to_owned()]), beyond: HashMap::new() };
        let mut of = |name: &str| names.next_free(name);
        assert_eq!(["zz", "zz", "zz2", "zz3", "zz", ""].map(&mut of), ["zz", "zz2", "zz3", "zz5", "zz6", ""]);
        for number in 7..MANY {
            assert_eq!(of("zz"), format!("zz{number}"));
        }
        // Each would pass all the numbers before it.
        for number in 2..MANY {
            assert_eq!(of(&format!("zz{number}")), format!("zz{}", MANY + number - 2));
        }
    }
}
