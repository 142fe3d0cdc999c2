//! Creates the groups of the table `new_group`, and adds members to groups with what follows from that. It must not
//! interpret names of groups, nor depend on why somebody joins.

use crate::change::context::{Position, RunContext};
use crate::change::{end, kind, kinds};
use crate::db::table::{int, small, text};
use crate::db::{Conn, DbError, Params, Table, statement};

/// Groups to make, in the order of `n`: none of them exists.
pub const NEW_GROUP: Table = Table::new(
    "new_group",
    &[
        int("n"),
        int("line"),
        int("enrolid"),
        int("courseid"),
        int("contextid"),
        text("name", 255),
        text("idnumber", 255),
        text("description", 255),
        small("descriptionformat"),
    ],
)
.primary("n");
const CONVERSATIONS: &str = statement(include_str!("groups.sql"), "conversations");
const KNOWN_GROUP: Table =
    Table::new("known_group", &[int("id"), int("courseid"), text("name", 255), text("idnumber", 255)])
        .primary("id")
        .joined_by(&["courseid, name, idnumber", "courseid, idnumber"]);

/// Creates the groups of `new_group`, in five statements.
///
/// # Errors
/// The database's error.
pub async fn create(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let row = ["name", "idnumber"].map(str::to_owned);
    let row = ctx.conn.dialect().json_row("t", &row);
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, itemid, oldrow",
            "planned.n",
            "SELECT t.line, t.n, t.courseid, t.contextid, t.enrolid AS itemid, :row AS oldrow FROM [new_group] t",
            ctx.params().fragment("row", row),
        )
        .await?;
    insert(ctx, position, planned).await
}

async fn insert(ctx: &mut RunContext<'_>, position: Position, planned: i64) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let same = ["name", "idnumber"].map(|column| dialect.same_text(&format!("g.{column}"), &format!("t.{column}")));
    let params = ctx.at(position).fragment("same", same.join(" AND "));
    load_new(ctx).await?;
    let applied = ctx
        .conn
        .exec(
            "INSERT INTO {groups} (courseid, idnumber, name, description, descriptionformat, timecreated, timemodified)
             SELECT t.courseid, t.idnumber, t.name, t.description, t.descriptionformat, :now, :now
               FROM [new_group] t
               LEFT JOIN [known_group] g ON g.courseid = t.courseid AND :same WHERE g.id IS NULL ORDER BY t.n",
            &params,
        )
        .await? as i64;
    load_new(ctx).await?;
    // The n-th change of this position is the n-th group.
    let made = "(SELECT t.n, MIN(g.id) AS id
           FROM [new_group] t JOIN [known_group] g ON g.courseid = t.courseid AND :same GROUP BY t.n) m";
    let name = ctx.conn.dialect().update_joined(
        "{enrold_change}",
        "c",
        &[("groupid", "m.id")],
        made,
        ":here AND m.n = c.seq - :from",
    );
    ctx.conn.exec(&name, &params).await?;
    if applied < planned {
        ctx.conn
            .exec(
                "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                    (SELECT 1 FROM {groups} g WHERE g.id = c.groupid AND g.timecreated = :now)",
                &params,
            )
            .await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Declares `known_group`: Moodle has no index on group names, and each lookup of a name would scan all groups of its
/// course. Texts are compared by [`crate::db::Dialect::same_text`].
pub fn prepare(conn: &mut Conn) {
    conn.declare(&KNOWN_GROUP);
}

/// Replaces the rows of `known_group` by the groups of the courses of a select (`courseid`, each once); a pass adds
/// those that it creates. The cost grows with the groups of these courses. Needs [`prepare`] before.
///
/// # Errors
/// The database's error.
pub async fn load(ctx: &mut RunContext<'_>, courses: &str) -> Result<(), DbError> {
    let params = ctx.params().fragment("courses", courses);
    ctx.conn.exec("DELETE FROM [known_group]", &params).await?;
    ctx.conn
        .exec(
            "INSERT INTO [known_group]
             SELECT g.id, g.courseid, g.name, g.idnumber FROM (:courses) k :then {groups} g ON g.courseid = k.courseid",
            &params,
        )
        .await?;
    ctx.conn.analyse("known_group").await
}

/// Adds to `known_group` the groups that the courses of `new_group` have by now.
async fn load_new(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let params = ctx.params();
    ctx.conn
        .exec(
            "INSERT INTO [known_group]
             SELECT g.id, g.courseid, g.name, g.idnumber FROM (SELECT DISTINCT courseid FROM [new_group]) k
              :then {groups} g ON g.courseid = k.courseid LEFT JOIN [known_group] o ON o.id = g.id WHERE o.id IS NULL",
            &params,
        )
        .await?;
    ctx.conn.analyse("known_group").await
}

/// Adds the `planned` memberships of a position that are still missing.
///
/// # Errors
/// The database's error.
pub async fn join_planned(ctx: &mut RunContext<'_>, position: Position, planned: i64) -> Result<(), DbError> {
    if planned == 0 {
        return Ok(());
    }
    let select =
        "SELECT c.groupid, c.userid, :now, c.component, c.itemid FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let columns = "groupid, userid, timeadded, component, itemid";
    let params = ctx.at(position);
    let applied = ctx.conn.insert_missing("{groups_members}", columns, select, &params, planned).await?;
    if applied < planned {
        ctx.conn
            .exec(
                "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                    (SELECT 1 FROM {groups_members} m
                      WHERE m.groupid = c.groupid AND m.userid = c.userid AND m.component = c.component
                        AND m.itemid = c.itemid AND m.timeadded = :now)",
                &params,
            )
            .await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Updates the conversations and `timemodified` of groups after a pass changed their members (spec enrol-core 9).
/// `groups` comes last, because page views write it too.
///
/// # Errors
/// The database's error.
pub async fn settle(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let (from, _) = Position { pass_no, rank: kinds::NEWCOMERS }.range();
    let (_, to) = Position { pass_no, rank: kinds::JOIN }.range();
    let gone = "c.kind IN (:of_groups) AND c.state = 0 AND c.run = :run AND c.seq > :left AND c.seq <= :left_to";
    let params = ctx.params().with("left", from).with("left_to", to).fragment("gone", gone);
    let params = params.with("of_groups", kind::names(|kind| kind.table == "groups_members"));
    if ctx.site.columns.has_table("message_conversation_members") {
        // As with the groups: whose membership passes from one instance to another leaves and joins again.
        end::leave_conversations(ctx, Position { pass_no, rank: kinds::CONVERSATION_LEAVE }, &params).await?;
        join_conversations(ctx, Position { pass_no, rank: kinds::CONVERSATION_JOIN }, params.clone()).await?;
    }
    end::touch_groups(ctx, Position { pass_no, rank: kinds::TOUCH_LAST }, params).await
}

async fn join_conversations(ctx: &mut RunContext<'_>, position: Position, params: Params) -> Result<(), DbError> {
    let planned = ctx
        .journal(
            position,
            "line, userid, courseid, contextid, groupid, targetid",
            "planned.groupid, planned.userid",
            CONVERSATIONS,
            params.with("joined", &kinds::GROUP_MEMBER_ADD),
        )
        .await?;
    if planned == 0 {
        return Ok(());
    }
    let here = ctx.at(position);
    let applied = ctx
        .conn
        .exec(
            "INSERT INTO {message_conversation_members} (conversationid, userid, timecreated)
             SELECT c.targetid, c.userid, :now FROM {enrold_change} c WHERE :here ORDER BY c.seq",
            &here,
        )
        .await? as i64;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
