//! Reports groups of a set that cannot be used, and keeps the memberships of the users who are named with them.
//! It must not make or change groups: the rule's sections do.

use crate::change::context::RunContext;
use crate::db::table::int;
use crate::db::{DbError, Table, statement};
use crate::problem::PlaceKind;
use crate::reconcile::groups as known;
use crate::sets::Terms;

/// Users who leave no group of a course.
const SET_UNGROUPED: Table = Table::new("set_ungrouped", &[int("userid"), int("courseid")]).primary("courseid, userid");

const UNUSABLE: &str = statement(include_str!("groups.sql"), "unusable groups");
const UNGROUPED: &str = statement(include_str!("groups.sql"), "ungrouped people");
/// The condition that the group `o` of `known_group` is the one that `t` names.
pub fn same(ctx: &RunContext<'_>, terms: &Terms) -> String {
    match terms.group_by_idnumber {
        true => ctx.conn.dialect().same_text("o.idnumber", "t.gkey"),
        false => ctx.conn.dialect().same_text("o.name", "t.gkey"),
    }
}

/// Reports once each group of `set_group` that its course has several times, or does not have and that will not be made
/// (or cannot be: its name has a character that the site's column cannot store); makes `set_ungrouped` of the users who
/// are named with one. Grows with the named groups and those of their courses; one statement if none is named, else at
/// most six.
///
/// # Errors
/// The database's error.
pub async fn report_unusable(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    ctx.conn.declare(&SET_UNGROUPED);
    let named = "SELECT COUNT(*) FROM (SELECT 1 AS named FROM [set_group] g LIMIT 1) t";
    if ctx.conn.number(named, &ctx.params()).await? == 0 {
        return Ok(());
    }
    known::load(ctx, "SELECT DISTINCT courseid FROM [set_group]").await?;
    let same = same(ctx, terms);
    let columns: &[&str] = if terms.group_by_idnumber { &["idnumber", "name"] } else { &["name"] };
    let unstorable = columns.iter().find_map(|column| ctx.conn.unstorable("groups", column, "t.gkey"));
    let params = ctx
        .params()
        .with("made", i64::from(terms.create_groups))
        .with("column", format!("groups.{}", columns[0]))
        .fragment("same", same)
        .fragment("unstorable", format!("CASE WHEN {} THEN 1 ELSE 0 END", unstorable.as_deref().unwrap_or("1 = 0")));
    ctx.report_problems(PlaceKind::Group, UNUSABLE, params.clone()).await?;
    ctx.conn.exec(UNGROUPED, &params).await?;
    if let Some(unstorable) = unstorable {
        let sql = format!("DELETE FROM [set_group] WHERE {}", unstorable.replace("t.gkey", "gkey"));
        ctx.conn.exec(&sql, &params).await?;
    }
    ctx.conn.analyse(SET_UNGROUPED.name).await
}
