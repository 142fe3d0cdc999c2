//! The addresses and user names that rows of a file give free: rows that want one of them are judged after the rows
//! before them, and before the rows behind them. It must not decide what becomes of a row.

use std::collections::{BTreeSet, HashMap};

use crate::accounts::options::Options;
use crate::accounts::stage::Staged;
use crate::accounts::tables::ACCOUNT_TURN;
use crate::change::context::RunContext;
use crate::config::UserKey;
use crate::db::{Bulk, DbError, Field, Params, Value, statement};
use crate::staging::lines::SET_LINES;
use crate::staging::resolve;

const KEYS: &str = statement(include_str!("freed.sql"), "keys");
const ADDRESSES: &str = statement(include_str!("freed.sql"), "addresses");
const NAMES: &str = statement(include_str!("freed.sql"), "names");
const CROWDED: &str = statement(include_str!("freed.sql"), "crowded");
const WANTING: &str = statement(include_str!("freed.sql"), "wanting");

/// A row that frees a name or wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Side {
    line: i64,
    /// How the row finds its account.
    account: String,
    frees: bool,
}

/// The place of a row among those that free a name or want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    line: i64,
    turn: i64,
    /// The row frees the name, and a row behind it wants it for another account.
    wanted: bool,
}

/// Fills `account_turn` with the rows that free something, if rows about other accounts want it, and with these: each
/// has one turn for each name. (Rows about one account share a key already.) A fixed number of statements and the
/// chunks of the load, none if no row can free anything; accounts with more than `most` rows free nothing.
///
/// # Errors
/// The database's error.
pub async fn link(
    ctx: &mut RunContext<'_>,
    options: &Options<'_>,
    staged: &Staged<'_>,
    most: u32,
) -> Result<(), DbError> {
    ctx.conn.declare(&ACCOUNT_TURN);
    let deletes = options.delete && staged.deletes;
    let by_mail = options.by_mail();
    let changes = match by_mail {
        true => options.rename,
        false => options.change_email && options.overwrites() && staged.given.contains(&"email"),
    };
    if !(deletes || changes) || (options.shares_addresses && !by_mail) {
        return Ok(());
    }
    let dialect = ctx.conn.dialect();
    let other = |own: &str, key: &str| format!("NOT ({})", dialect.same_bytes(&dialect.lower(own), key));
    let flag = |on: bool| Value::Sql(if on { "1 = 1" } else { "1 = 0" }.to_owned());
    let (frees, wanted, account) = match by_mail {
        true => (NAMES, "f.username", "f.mail"),
        false => (ADDRESSES, "f.mail", "CASE WHEN f.oldusername <> '' THEN f.oldusername ELSE f.username END"),
    };
    let params = Params::new()
        .with("deletes", flag(deletes))
        .with("changes", flag(changes))
        .with("most", i64::from(most))
        .fragment("crowded", CROWDED)
        .fragment("other_mail", other("x.email", "f.mail"))
        .fragment("other_name", other("x.username", "f.username"))
        .fragment("wanted", wanted)
        .fragment("account", account);
    match by_mail {
        true => resolve::addresses(ctx).await?,
        false => {
            ctx.conn.declare(&SET_LINES);
            ctx.conn.exec(KEYS, &Params::new()).await?;
            resolve::users(ctx, UserKey::Username).await?;
        }
    }
    let mut names: HashMap<String, Vec<Side>> = HashMap::new();
    ctx.conn
        .each(frees, &params, |row| {
            let side = Side { line: row.int(0), account: row.text(2), frees: true };
            names.entry(row.text(1).to_lowercase()).or_default().push(side);
            Ok(())
        })
        .await?;
    // No row wants a longer one.
    names.retain(|name, _| resolve::fits(name).is_ok());
    if names.is_empty() {
        return Ok(());
    }
    ctx.conn
        .each(WANTING, &params, |row| {
            if let Some(sides) = names.get_mut(&row.text(1)) {
                sides.push(Side { line: row.int(0), account: row.text(2), frees: false });
            }
            Ok(())
        })
        .await?;
    let mut rows = Bulk::into(dialect, &ACCOUNT_TURN);
    for (name, sides) in names {
        for Turn { line, turn, wanted } in turns(sides) {
            let row = [Field::Text(&name), Field::Int(line), Field::Int(turn), Field::Int(i64::from(wanted))];
            rows.push(ctx.conn, &row).await?;
        }
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(ACCOUNT_TURN.name).await
}

/// The turns of the rows that free a name or want it, in the order of the file: rows that free it one after the other
/// have one turn, so have those that want it, and no row waits for another of its turn. None if no other account wants
/// the name.
fn turns(mut sides: Vec<Side>) -> Vec<Turn> {
    let freeing: BTreeSet<String> = sides.iter().filter(|side| side.frees).map(|side| side.account.clone()).collect();
    sides.retain(|side| side.frees || freeing.iter().any(|account| *account != side.account));
    if sides.iter().all(|side| side.frees) {
        return Vec::new();
    }
    sides.sort_by_key(|side| side.line);
    let mut turn = 0;
    let mut before = None;
    let mut turns = Vec::with_capacity(sides.len());
    for side in &sides {
        turn += i64::from(before.is_some_and(|frees| frees != side.frees));
        before = Some(side.frees);
        turns.push(Turn { line: side.line, turn, wanted: false });
    }
    let mut behind: BTreeSet<&str> = BTreeSet::new();
    for (side, turn) in sides.iter().zip(&mut turns).rev() {
        match side.frees {
            true => turn.wanted = behind.iter().any(|account| *account != side.account),
            false => {
                behind.insert(&side.account);
            }
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(line: i64, account: &str, frees: bool) -> Side {
        Side { line, account: account.to_owned(), frees }
    }

    fn told(sides: Vec<Side>) -> Vec<(i64, i64, bool)> {
        turns(sides).into_iter().map(|turn| (turn.line, turn.turn, turn.wanted)).collect()
    }

    #[test]
    fn rows_that_want_a_name_wait_for_those_that_free_it_and_not_for_each_other() {
        let sides = vec![
            side(7, "a", true),
            side(2, "n1", false),
            side(3, "a", true),
            side(4, "b", true),
            side(5, "n2", false),
            side(6, "n3", false),
        ];
        let expected = [(2, 0, false), (3, 1, true), (4, 1, true), (5, 2, false), (6, 2, false), (7, 3, false)];
        assert_eq!(told(sides), expected);
    }

    #[test]
    fn an_account_that_wants_its_own_name_waits_for_nobody() {
        assert!(told(vec![side(2, "a", true), side(3, "a", false)]).is_empty());
        let own_and_another = vec![side(2, "a", true), side(3, "a", false), side(4, "b", true), side(5, "a", false)];
        assert_eq!(told(own_and_another), [(2, 0, false), (3, 1, false), (4, 2, true), (5, 3, false)]);
    }

    #[test]
    fn a_row_has_one_turn_however_many_free_a_name_and_want_it() {
        let freeing = (0..30_000).map(|line| side(line, &format!("a{}", line % 7), true));
        let wanting = (30_000..60_000).map(|line| side(line, &format!("n{line}"), false));
        assert_eq!(turns(freeing.chain(wanting).collect()).len(), 60_000);
    }
}
