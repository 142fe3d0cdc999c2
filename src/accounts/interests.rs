//! The interests of accounts, which Moodle keeps as tags of users: reads cells, makes tags, gives and takes them.
//! It must not know the other values of an account.

use std::collections::HashMap;

use crate::accounts::options::Options;
use crate::accounts::tables::ACCOUNT_INTEREST;
use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::change::remove::Pick;
use crate::change::rewrite::Rewriting;
use crate::config::Update;
use crate::db::table::{int, text};
use crate::db::{Conn, DbError, Params, Table, Value, statement};
use crate::moodle::room::Room;
use crate::moodle::site::Site;
use crate::outcome::RunResult;
use crate::problem::Code;

/// The longest name of a tag in Moodle, in characters.
const LONGEST: usize = 50;
/// The most interests of an account that a file gives: more would fill the site with tags.
const MOST: usize = 100;

/// The lists that count in a step. An account may lack a context.
const INTEREST_LIST: Table =
    Table::new("interest_list", &[int("line"), int("userid"), int("contextid").or_null()]).primary("line");

/// Tags to make, in the order of `n`.
const NEW_TAG: Table =
    Table::new("new_tag", &[int("n"), int("line"), text("name", 255), text("rawname", 255)]).primary("n");

/// The tags of the lists; `place` counts from 0.
const INTEREST_TAG: Table =
    Table::new("interest_tag", &[int("line"), int("userid"), int("contextid").or_null(), int("tagid"), int("place")])
        .primary("line, tagid");

const LISTS: &str = statement(include_str!("interests.sql"), "lists");
const NEW_TAGS: &str = statement(include_str!("interests.sql"), "new tags");
const TAGS: &str = statement(include_str!("interests.sql"), "tags");
const UNWANTED: &str = statement(include_str!("interests.sql"), "unwanted");
const ELSEWHERE: &str = statement(include_str!("interests.sql"), "elsewhere");
const MISSING: &str = statement(include_str!("interests.sql"), "missing");

/// An interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// The name of its tag: in small letters.
    pub name: String,
    /// As it is written.
    pub rawname: String,
}

/// The interests of a row, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interests {
    /// The interests, each once.
    pub list: Vec<Interest>,
    /// They are the default of the profile, not a cell.
    pub preset: bool,
}

/// Why a cell gives no interests: the code, the interest and the hint.
pub type Unusable = (Code, String, String);

/// The interests in a cell, between commas. One that stands twice keeps its first place and its last spelling, as in
/// Moodle.
///
/// # Errors
/// The first that cannot be a tag.
pub fn read(conn: &Conn, site: &Site, cell: &str) -> Result<Vec<Interest>, Unusable> {
    let mut list: Vec<Interest> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let room = ["name", "rawname"].map(|column| Room::of(site, "tag", column, LONGEST));
    let room = room[0].and(room[1]);
    for part in cell.split(',') {
        let rawname = part.split_whitespace().collect::<Vec<_>>().join(" ");
        if rawname.is_empty() {
            continue;
        }
        let name = rawname.to_lowercase();
        if rawname.contains(['<', '>', '`']) || rawname.chars().any(char::is_control) {
            let expected = "interests a text without <, > and `, and without control characters".to_owned();
            return Err((Code::ValueInvalid, rawname, expected));
        }
        if let Err(code) = room.fits(&rawname).and(room.fits(&name)) {
            return Err((code, rawname, format!("interests {}", room.width)));
        }
        if !["name", "rawname"].iter().all(|column| conn.can_hold("tag", column, &rawname)) {
            return Err((Code::ValueCharset, rawname, "tag.name".to_owned()));
        }
        match places.get(&name) {
            Some(at) => list[*at].rawname = rawname,
            None => {
                if list.len() == MOST {
                    return Err((Code::ValueInvalid, rawname, format!("interests at most {MOST} interests")));
                }
                places.insert(name.clone(), list.len());
                list.push(Interest { name, rawname });
            }
        }
    }
    Ok(list)
}

/// The collection of the tags of users (`tag_area.tagcollid`); `None` where the site has tags, or those of users,
/// switched off. At most one statement. A table that the account may not read is an error, and not such a switch.
///
/// # Errors
/// The database's error.
pub async fn collection(ctx: &mut RunContext<'_>) -> Result<Option<i64>, DbError> {
    if ctx.site.number("usetags", 1) == 0 {
        return Ok(None);
    }
    let sql = "SELECT a.tagcollid FROM {tag_area} a
        WHERE a.component = 'core' AND a.itemtype = 'user' AND a.enabled = 1";
    Ok(ctx.conn.row(sql, &Params::new()).await?.map(|row| row.int(0)))
}

/// Gives the accounts of this pass the interests of their rows, and no others. A fixed number of statements, none
/// without an interest in the file.
///
/// # Errors
/// The database's error.
pub async fn write(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    options: &Options<'_>,
    collection: Option<i64>,
    params: &Params,
) -> RunResult<()> {
    let Some(collection) = collection.filter(|_| !ctx.conn.is_unmade(ACCOUNT_INTEREST.name)) else { return Ok(()) };
    for table in [&INTEREST_LIST, &NEW_TAG, &INTEREST_TAG] {
        ctx.conn.declare(table);
    }
    let presets = matches!(options.profile.update, Update::FileAndDefaults | Update::Missing);
    let presets = Value::Sql(if presets { "1 = 1" } else { "1 = 0" }.to_owned());
    let same_as = |conn: &Conn, key: &str| conn.alike("tag", "t.name", key);
    let params = params
        .clone()
        .with("collection", collection)
        .with("presets", presets)
        .fragment("grouped", ctx.conn.grouped("tag", "name", "a.name"))
        .fragment("same_as_a", same_as(ctx.conn, "a.name"))
        .fragment("same_as_w", same_as(ctx.conn, "w.name"));
    if ctx.conn.exec(LISTS, &params).await? == 0 {
        return Ok(());
    }
    ctx.conn.analyse(INTEREST_LIST.name).await?;
    if ctx.conn.exec(NEW_TAGS, &params).await? > 0 {
        make(ctx, Position { pass_no, rank: kinds::MAKE_TAG }, &params).await?;
    }
    ctx.conn.exec(TAGS, &params).await?;
    ctx.conn.analyse(INTEREST_TAG.name).await?;
    ctx.remove_rows(Position { pass_no, rank: kinds::DROP_INTEREST }, Pick::new(UNWANTED)).await?;
    arrange(ctx, Position { pass_no, rank: kinds::MOVE_INTEREST }).await?;
    Ok(give(ctx, Position { pass_no, rank: kinds::GIVE_INTEREST }).await?)
}

/// Makes the tags of `new_tag`.
async fn make(ctx: &mut RunContext<'_>, position: Position, params: &Params) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let row = dialect.json_row("w", &["name", "rawname"].map(str::to_owned));
    let params = params.clone().and(ctx.at(position)).fragment("row", row).with("system", ctx.site.system_context);
    let select = "SELECT w.line, w.n, 0 AS courseid, :system AS contextid, :row AS oldrow FROM [new_tag] w";
    let columns = "line, courseid, contextid, oldrow";
    let planned = ctx.journal(position, columns, "planned.n", select, params.clone()).await?;
    let select = "SELECT :actor, :collection, w.name, w.rawname, 0, 0, 0, :now FROM [new_tag] w ORDER BY w.n";
    let columns = "userid, tagcollid, name, rawname, isstandard, descriptionformat, flag, timemodified";
    let applied = ctx.conn.insert_missing("{tag}", columns, select, &params, planned).await?;
    let own = ":here AND w.n = c.seq - :from AND t.tagcollid = :collection AND :same_as_w";
    let made = dialect.update_joined("{enrold_change}", "c", &[("targetid", "t.id")], "[new_tag] w, {tag} t", own);
    ctx.conn.exec(&made, &params).await?;
    if applied < planned {
        // Another writer was first: its tag is the one.
        let overtaken = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
            (SELECT 1 FROM {tag} t WHERE t.id = c.targetid AND t.userid = :actor AND t.timemodified = :now)";
        ctx.conn.exec(overtaken, &params).await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Gives the interests that stay the places that the rows give them.
async fn arrange(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let now = [("timemodified", ":now".to_owned())];
    let place = Rewriting::of(ctx.conn.dialect(), "tag_instance", &[("ordering", "w.place".to_owned())], &now, &[]);
    let params = ctx
        .at(position)
        .fragment("oldrow", place.oldrow)
        .fragment("newrow", place.newrow)
        .fragment("differs", place.differs);
    let columns = "line, userid, courseid, contextid, itemid, targetid, oldrow, newrow";
    let planned = ctx.journal(position, columns, "planned.line, planned.itemid", ELSEWHERE, params).await?;
    ctx.rewrite_planned(position, planned, &["ordering", "timemodified"]).await.map(|_| ())
}

/// Adds the interests that the accounts do not have.
async fn give(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let params = ctx.at(position);
    let columns = "line, userid, courseid, contextid, itemid, status";
    let planned = ctx.journal(position, columns, "planned.line, planned.status", MISSING, params.clone()).await?;
    if planned == 0 {
        return Ok(());
    }
    let select = "SELECT c.itemid, 'core', 'user', c.userid, c.contextid, 0, c.status, :now, :now
        FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let columns = "tagid, component, itemtype, itemid, contextid, tiuserid, ordering, timecreated, timemodified";
    let applied = ctx.conn.insert_missing("{tag_instance}", columns, select, &params, planned).await?;
    let own = ":here AND x.component = 'core' AND x.itemtype = 'user' AND x.itemid = c.userid AND x.tagid = c.itemid
        AND x.timecreated = :now";
    let dialect = ctx.conn.dialect();
    let made = dialect.update_joined("{enrold_change}", "c", &[("targetid", "x.id")], "{tag_instance} x", own);
    ctx.conn.exec(&made, &params).await?;
    if applied < planned {
        let overtaken = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND c.targetid IS NULL";
        ctx.conn.exec(overtaken, &params).await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
