//! Groups and groupings as files describe them: makes and changes them, binds groups to groupings, and gives groups a
//! conversation and custom fields. It must not interpret names, nor decide what is made.

use crate::change::context::{Position, RunContext};
use crate::change::kind::Rank;
use crate::change::kinds;
use crate::change::rewrite::{NewValue, Rewriting};
use crate::db::table::{int, long_text, small, text};
use crate::db::{DbError, Table, statement};

/// Groups or groupings to make, in the order of `n`; `id` is 0 until they are made. `enrolmentkey`, `visibility` and
/// `participation` are of groups only.
pub const FILE_GROUP: Table = Table::new("file_group", MADE).primary("n").joined_by(&["courseid, name"]);
/// The same for groupings.
pub const FILE_GROUPING: Table = Table::new("file_grouping", MADE).primary("n").joined_by(&["courseid, name"]);

const MADE: &[crate::db::table::Column] = &[
    int("n"),
    int("line"),
    int("courseid"),
    int("contextid"),
    text("name", 255),
    text("idnumber", 255),
    long_text("description").or_null(),
    text("enrolmentkey", 50).or_null(),
    small("visibility"),
    small("participation"),
    int("id"),
];

/// Groups or groupings that change, with all values that they are to have.
pub const CHANGED_GROUP: Table = Table::new("changed_group", CHANGED).primary("id");
/// The same for groupings.
pub const CHANGED_GROUPING: Table = Table::new("changed_grouping", CHANGED).primary("id");

const CHANGED: &[crate::db::table::Column] = &[
    int("id"),
    int("line"),
    int("courseid"),
    int("contextid"),
    text("name", 255),
    text("idnumber", 255),
    long_text("description"),
];

/// The groups that are to be in a grouping.
pub const FILE_BIND: Table =
    Table::new("file_bind", &[int("groupid"), int("groupingid"), int("line"), int("courseid"), int("contextid")])
        .primary("groupid, groupingid");

/// The groups that are to have a conversation, or whose conversation changes.
pub const FILE_TALK: Table = Table::new(
    "file_talk",
    &[int("groupid"), int("line"), int("courseid"), int("contextid"), text("name", 255), small("enabled")],
)
.primary("groupid");

/// The values of custom fields that groups and groupings are to have.
pub const FILE_FIELD: Table = Table::new(
    "file_field",
    &[int("instanceid"), int("fieldid"), int("line"), int("courseid"), int("contextid"), long_text("value")],
)
.primary("instanceid, fieldid");

/// The columns of a group that may change.
pub const GROUP_VALUES: [&str; 4] = ["name", "idnumber", "description", "timemodified"];
/// The columns of a grouping that may change.
pub const GROUPING_VALUES: [&str; 4] = ["name", "idnumber", "description", "timemodified"];
/// The columns of a group's conversation that may change.
pub const CONVERSATION_VALUES: [&str; 3] = ["name", "enabled", "timemodified"];
/// The columns of a custom field's value that may change.
pub const FIELD_VALUES: [&str; 3] = ["charvalue", "value", "timemodified"];

const MADE_ROWS: &str = statement(include_str!("course_groups.sql"), "made rows");
const BOUND: &str = statement(include_str!("course_groups.sql"), "bound groups");
const CONVERSATIONS: &str = statement(include_str!("course_groups.sql"), "missing conversations");
const CHANGED_CONVERSATIONS: &str = statement(include_str!("course_groups.sql"), "changed conversations");
const TALKING: &str = statement(include_str!("course_groups.sql"), "members without conversation");
const FIELDS: &str = statement(include_str!("course_groups.sql"), "missing fields");
const CHANGED_FIELDS: &str = statement(include_str!("course_groups.sql"), "changed fields");

/// The rows of one table that are made or changed.
struct Rows {
    table: &'static str,
    made: &'static str,
    changed: &'static str,
    made_rank: Rank,
    changed_rank: Rank,
    values: &'static [&'static str],
    /// The column of the journal that holds the id.
    id: &'static str,
}

const GROUPS: Rows = Rows {
    table: "groups",
    made: "file_group",
    changed: "changed_group",
    made_rank: kinds::GROUP,
    changed_rank: kinds::GROUP_CHANGE,
    values: &GROUP_VALUES,
    id: "groupid",
};
const GROUPINGS: Rows = Rows {
    table: "groupings",
    made: "file_grouping",
    changed: "changed_grouping",
    made_rank: kinds::GROUPING,
    changed_rank: kinds::GROUPING_CHANGE,
    values: &GROUPING_VALUES,
    id: "itemid",
};

/// Makes the groups of `file_group`, and finds their ids; none of them exists.
///
/// # Errors
/// The database's error.
pub async fn make_groups(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    make(ctx, pass_no, &GROUPS).await
}

/// Makes the groupings of `file_grouping`, and finds their ids; none of them exists.
///
/// # Errors
/// The database's error.
pub async fn make_groupings(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    make(ctx, pass_no, &GROUPINGS).await
}

async fn make(ctx: &mut RunContext<'_>, pass_no: i64, rows: &Rows) -> Result<(), DbError> {
    let position = Position { pass_no, rank: rows.made_rank };
    let dialect = ctx.conn.dialect();
    let row = dialect.json_row("t", &["name", "idnumber"].map(str::to_owned));
    let select =
        format!("SELECT t.line, t.courseid, t.contextid, 0 AS itemid, :row AS oldrow, t.n FROM [{}] t", rows.made);
    let columns = "line, courseid, contextid, itemid, oldrow";
    let params = ctx.params().fragment("row", row);
    let planned = ctx.journal(position, columns, "planned.n", &select, params).await?;
    if planned == 0 {
        return Ok(());
    }
    let own: Vec<&str> = ["enrolmentkey", "visibility", "participation"]
        .into_iter()
        .filter(|column| rows.table == "groups" && ctx.site.columns.has(rows.table, column))
        .collect();
    let list = |prefix: &str| own.iter().map(|column| format!(", {prefix}{column}")).collect::<String>();
    let insert = format!(
        "INSERT INTO {{{}}} (courseid, idnumber, name, description, descriptionformat, timecreated, timemodified{})
         SELECT t.courseid, t.idnumber, t.name, t.description, 0, :now, :now{} FROM [{}] t ORDER BY t.n",
        rows.table,
        list(""),
        list("t."),
        rows.made
    );
    let applied = ctx.conn.exec(&insert, &ctx.params()).await? as i64;
    let params = ctx
        .at(position)
        .fragment("made", format!("[{}]", rows.made))
        .fragment("table", format!("{{{}}}", rows.table))
        .fragment("same", dialect.same_text("t.name", "g.name"));
    let made = format!("[{}]", rows.made);
    let find = dialect.update_joined(&made, "t", &[("id", "m.id")], MADE_ROWS, "t.n = m.n");
    ctx.conn.exec(&find, &params).await?;
    let ids = [(rows.id, "t.id"), ("targetid", "t.id")];
    let from = format!("[{}] t", rows.made);
    let name = dialect.update_joined("{enrold_change}", "c", &ids, &from, ":here AND t.n = c.seq - :from");
    ctx.conn.exec(&name, &params).await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Gives the groups of `changed_group` the values that differ.
///
/// # Errors
/// The database's error.
pub async fn change_groups(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    change(ctx, pass_no, &GROUPS).await
}

/// Gives the groupings of `changed_grouping` the values that differ.
///
/// # Errors
/// The database's error.
pub async fn change_groupings(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    change(ctx, pass_no, &GROUPINGS).await
}

async fn change(ctx: &mut RunContext<'_>, pass_no: i64, rows: &Rows) -> Result<(), DbError> {
    let position = Position { pass_no, rank: rows.changed_rank };
    let values: Vec<NewValue> = rows
        .values
        .iter()
        .filter(|column| **column != "timemodified")
        .map(|column| match *column {
            // What has no value stays so.
            "description" => (
                "description",
                "CASE WHEN t.description <> '' OR COALESCE(x.description, '') <> '' THEN t.description END".to_owned(),
            ),
            column => (column, format!("t.{column}")),
        })
        .collect();
    let also = [("timemodified", ":now".to_owned())];
    let new = Rewriting::of(ctx.conn.dialect(), rows.table, &values, &also, &[]);
    let select = format!(
        "SELECT t.line, x.id AS targetid, x.id AS {}, t.courseid, t.contextid, :oldrow AS oldrow, :newrow AS newrow
           FROM [{}] t JOIN {{{}}} x ON x.id = t.id
          WHERE :differs",
        rows.id, rows.changed, rows.table
    );
    let list = format!("line, targetid, {}, courseid, contextid, oldrow, newrow", rows.id);
    rewrite(ctx, position, (&list, &select), new, rows.values).await
}

/// Journals and applies the rewriting of the rows of a select.
async fn rewrite(
    ctx: &mut RunContext<'_>,
    position: Position,
    (list, select): (&str, &str),
    new: Rewriting,
    columns: &[&str],
) -> Result<(), DbError> {
    let params =
        ctx.params().fragment("differs", new.differs).fragment("oldrow", new.oldrow).fragment("newrow", new.newrow);
    let planned = ctx.journal(position, list, "planned.line, planned.targetid", select, params).await?;
    ctx.rewrite_planned(position, planned, columns).await.map(|_| ())
}

/// Puts the groups of `file_bind` into their groupings, as far as they are in none of them yet.
///
/// # Errors
/// The database's error.
pub async fn bind(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::BIND };
    let columns = "line, courseid, contextid, groupid, itemid";
    let planned =
        ctx.journal(position, columns, "planned.line, planned.itemid, planned.groupid", BOUND, ctx.params()).await?;
    if planned == 0 {
        return Ok(());
    }
    let insert = "INSERT INTO {groupings_groups} (groupingid, groupid, timeadded)
        SELECT c.itemid, c.groupid, :now FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let applied = ctx.conn.exec(insert, &ctx.at(position)).await? as i64;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Makes the conversations of `file_talk` that are missing, with the members of their groups, and changes the others.
///
/// # Errors
/// The database's error.
pub async fn talk(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::CONVERSATION };
    let row = ctx.conn.dialect().json_given(&[("name", "t.name".to_owned()), ("itemtype", "'groups'".to_owned())]);
    let columns = "line, courseid, contextid, groupid, oldrow";
    let params = ctx.params().fragment("row", row);
    let planned = ctx.journal(position, columns, "planned.line, planned.groupid", CONVERSATIONS, params).await?;
    if planned > 0 {
        // Type 2 is that of groups.
        let insert = "INSERT INTO {message_conversations}
                (type, name, component, itemtype, itemid, contextid, enabled, timecreated, timemodified)
            SELECT 2, t.name, 'core_group', 'groups', t.groupid, t.contextid, t.enabled, :now, :now
              FROM {enrold_change} c JOIN [file_talk] t ON t.groupid = c.groupid WHERE :here ORDER BY c.seq";
        let applied = ctx.conn.exec(insert, &ctx.at(position)).await? as i64;
        ctx.book(position.rank.kind, planned, applied);
        join_conversations(ctx, pass_no).await?;
    }
    let position = Position { pass_no, rank: kinds::CONVERSATION_CHANGE };
    let values = [("name", "t.name".to_owned()), ("enabled", "t.enabled".to_owned())];
    let also = [("timemodified", ":now".to_owned())];
    let new = Rewriting::of(ctx.conn.dialect(), "message_conversations", &values, &also, &[]);
    let list = "line, targetid, groupid, courseid, contextid, oldrow, newrow";
    rewrite(ctx, position, (list, CHANGED_CONVERSATIONS), new, &CONVERSATION_VALUES).await
}

/// The members of groups that had no conversation join it.
async fn join_conversations(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::CONVERSATION_JOIN };
    let columns = "line, userid, courseid, contextid, groupid, targetid";
    let planned = ctx.journal(position, columns, "planned.groupid, planned.userid", TALKING, ctx.params()).await?;
    if planned == 0 {
        return Ok(());
    }
    let insert = "INSERT INTO {message_conversation_members} (conversationid, userid, timecreated)
        SELECT c.targetid, c.userid, :now FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let applied = ctx.conn.exec(insert, &ctx.at(position)).await? as i64;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Gives the values of `file_field`, all of text fields.
///
/// # Errors
/// The database's error.
pub async fn fill(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::CUSTOM_FIELD };
    let row = ctx.conn.dialect().json_row("t", &["value".to_owned()]);
    let columns = "line, courseid, contextid, itemid, targetid, oldrow";
    let params = ctx.params().fragment("row", row);
    let planned = ctx.journal(position, columns, "planned.line, planned.itemid", FIELDS, params).await?;
    if planned > 0 {
        let trust = match ctx.site.columns.has("customfield_data", "valuetrust") {
            true => (", valuetrust", ", 0"),
            false => ("", ""),
        };
        let insert = "INSERT INTO {customfield_data}
                (fieldid, instanceid, charvalue, value, valueformat, timecreated, timemodified, contextid:names)
            SELECT t.fieldid, t.instanceid, t.value, t.value, 0, :now, :now, t.contextid:values
              FROM {enrold_change} c JOIN [file_field] t ON t.fieldid = c.itemid AND t.instanceid = c.targetid
             WHERE :here ORDER BY c.seq";
        let params = ctx.at(position).fragment("names", trust.0).fragment("values", trust.1);
        let applied = ctx.conn.exec(insert, &params).await? as i64;
        ctx.book(position.rank.kind, planned, applied);
    }
    let position = Position { pass_no, rank: kinds::CUSTOM_FIELD_CHANGE };
    let values = [("charvalue", "t.value".to_owned()), ("value", "t.value".to_owned())];
    let also = [("timemodified", ":now".to_owned())];
    let new = Rewriting::of(ctx.conn.dialect(), "customfield_data", &values, &also, &[]);
    let list = "line, targetid, itemid, courseid, contextid, oldrow, newrow";
    rewrite(ctx, position, (list, CHANGED_FIELDS), new, &FIELD_VALUES).await
}
