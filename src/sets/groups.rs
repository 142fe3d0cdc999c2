//! Reports groups of a set that cannot be used, and keeps the memberships of the users who are named with them.
//! It must not make or change groups: the rule's sections do.

use crate::change::context::RunContext;
use crate::change::groups as known;
use crate::config::UnknownProtects;
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Table, statement};
use crate::problem::PlaceKind;
use crate::sets::Terms;
use crate::staging::likeness::NewNames;

/// Users who leave no group of a course.
const SET_UNGROUPED: Table = Table::new("set_ungrouped", &[int("userid"), int("courseid")]).primary("courseid, userid");

/// Names of which no group is made.
const SET_WITHHELD_GROUP: Table =
    Table::new("set_withheld_group", &[int("courseid"), text("gkey", 255)]).primary("courseid, gkey");

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
/// most nine, and the chunks of withheld names.
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
    withhold(ctx, terms, &same).await?;
    let params = ctx
        .params()
        .with("made", i64::from(terms.create_groups))
        .with("column", format!("groups.{}", columns[0]))
        .fragment("same", same)
        .fragment("unstorable", format!("CASE WHEN {} THEN 1 ELSE 0 END", unstorable.as_deref().unwrap_or("1 = 0")));
    ctx.report_problems(PlaceKind::Group, UNUSABLE, params.clone()).await?;
    ctx.conn.exec(UNGROUPED, &params).await?;
    let withheld = "DELETE FROM [set_group] WHERE EXISTS (SELECT 1 FROM [set_withheld_group] h
        WHERE h.courseid = [set_group].courseid AND h.gkey = [set_group].gkey)";
    ctx.conn.exec(withheld, &params).await?;
    if let Some(unstorable) = unstorable {
        let sql = format!("DELETE FROM [set_group] WHERE {}", unstorable.replace("t.gkey", "gkey"));
        ctx.conn.exec(&sql, &params).await?;
    }
    ctx.conn.analyse(SET_UNGROUPED.name).await
}

/// Makes `set_withheld_group`: the names that no group of the course has and that are like one of those. Such a group
/// would take the members of another.
async fn withhold(ctx: &mut RunContext<'_>, terms: &Terms, same: &str) -> Result<(), DbError> {
    ctx.conn.declare(&SET_WITHHELD_GROUP);
    if !terms.create_groups || terms.unknown_protects == UnknownProtects::Off {
        return Ok(());
    }
    let params = ctx.params().fragment("same", same);
    let params = params.fragment("key", if terms.group_by_idnumber { "o.idnumber" } else { "o.name" });
    let mut names = NewNames::default();
    let new = "SELECT DISTINCT t.courseid, t.gkey FROM [set_group] t
        LEFT JOIN [known_group] o ON o.courseid = t.courseid AND :same WHERE o.id IS NULL";
    ctx.conn
        .each(new, &params, |row| {
            names.add(row.int(0), &row.text(1));
            Ok(())
        })
        .await?;
    ctx.conn
        .each("SELECT o.courseid, :key FROM [known_group] o", &params, |row| {
            names.existing(row.int(0), &row.text(1));
            Ok(())
        })
        .await?;
    let mut rows = Bulk::into(ctx.conn.dialect(), &SET_WITHHELD_GROUP);
    for (course, name) in &names.alike() {
        rows.push(ctx.conn, &[Field::Int(*course), Field::Text(name)]).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(SET_WITHHELD_GROUP.name).await
}
