//! Reads what the site has of a file: the courses that it names, their groups and groupings that it may mean, custom
//! fields. It must not decide about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::context::RunContext;
use crate::config::{CourseKey, Profile, UserKey};
use crate::coursefiles::groups::items::{Item, Place, Terms, Values};
use crate::coursefiles::groups::stage::Staged;
use crate::coursefiles::groups::usage;
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Table, statement};
use crate::files::{CustomColumn, GroupRow, GroupType, GroupVerb, GroupingNamed};
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, Problem, shown};
use crate::staging::resolve::{self, KEY_WIDTH, Keys};

/// The keys of courses that rows name, of one kind.
const GROUP_COURSE_KEY: Table = Table::new("group_course_key", &[text("ckey", KEY_WIDTH)]);
/// The courses that rows name.
pub const GROUP_COURSE: Table = Table::new("group_course", &[int("courseid"), int("contextid")]).primary("courseid");

const COURSES: &str = statement(include_str!("groups.sql"), "courses");
const GROUPS: &str = statement(include_str!("groups.sql"), "groups of courses");
const GROUPINGS: &str = statement(include_str!("groups.sql"), "groupings of courses");
const FIELDS: &str = statement(include_str!("groups.sql"), "custom fields");
const FIELD_VALUES: &str = statement(include_str!("groups.sql"), "values of custom fields");

/// The course of each row, or why it has none: `course-not-named`, `course-unknown`, `course-ambiguous`.
///
/// # Errors
/// The database's error.
pub async fn places(
    ctx: &mut RunContext<'_>,
    profile: &Profile,
    rows: &[GroupRow],
) -> RunResult<Vec<Result<Place, Problem>>> {
    let of = |row: &GroupRow| match row.course.1.is_empty() {
        true => (profile.course_key, profile.course.trim().to_owned()),
        false => (row.course.0.unwrap_or(profile.course_key), row.course.1.clone()),
    };
    let mut wanted: BTreeMap<&'static str, (CourseKey, BTreeSet<String>)> = BTreeMap::new();
    for (key, text) in rows.iter().map(of).filter(|(_, text)| !text.is_empty()) {
        wanted.entry(key.as_str()).or_insert_with(|| (key, BTreeSet::new())).1.insert(text);
    }
    let mut found: BTreeMap<(&'static str, String), Result<Place, Code>> = BTreeMap::new();
    for (word, (key, texts)) in wanted {
        let keys = Keys { user: UserKey::Id, course: key };
        ctx.conn.declare(&GROUP_COURSE_KEY);
        let mut bulk = Bulk::into(ctx.conn.dialect(), &GROUP_COURSE_KEY);
        for text in texts.iter().filter(|text| keys.may_name_course(text).is_ok()) {
            bulk.push(ctx.conn, &[Field::Text(text)]).await?;
        }
        bulk.finish(ctx.conn).await?;
        resolve::courses(ctx, key, "SELECT DISTINCT ckey FROM [group_course_key]").await?;
        for row in ctx.conn.rows(COURSES, &ctx.params()).await? {
            let place = Place { courseid: row.int(1), contextid: row.int(2), shown: row.text(4) };
            let told = if row.int(3) == 1 { Ok(place) } else { Err(Code::CourseAmbiguous) };
            found.insert((word, row.text(0)), told);
        }
    }
    let mut bulk = Bulk::into(ctx.conn.dialect(), &GROUP_COURSE);
    ctx.conn.declare(&GROUP_COURSE);
    let courses: BTreeMap<i64, i64> = found.values().flatten().map(|place| (place.courseid, place.contextid)).collect();
    for (courseid, contextid) in courses {
        bulk.push(ctx.conn, &[Field::Int(courseid), Field::Int(contextid)]).await?;
    }
    bulk.finish(ctx.conn).await?;
    ctx.conn.analyse(GROUP_COURSE.name).await?;
    let place = |row: &GroupRow| {
        let (key, text) = of(row);
        if text.is_empty() {
            return Err(Problem::new(row.line, Code::EmptyIdentifier, "course", ""));
        }
        match found.get(&(key.as_str(), text.clone())) {
            Some(Ok(place)) => Ok(place.clone()),
            Some(Err(code)) => Err(Problem::new(row.line, *code, shown(&text), "2")),
            None => Err(Problem::new(row.line, Code::CourseUnknown, shown(&text), key.as_str())),
        }
    };
    Ok(rows.iter().map(place).collect())
}

/// The site's field of each column of custom fields.
///
/// # Errors
/// `column-unknown`: the site has no such field of text, for groups or for groupings. The database's error.
pub async fn custom(ctx: &mut RunContext<'_>, staged: &Staged) -> RunResult<Vec<(CustomColumn, i64)>> {
    let mut known: BTreeMap<(GroupType, String), i64> = BTreeMap::new();
    if !staged.custom.is_empty() && ctx.site.columns.has_table("customfield_field") {
        for row in ctx.conn.rows(FIELDS, &ctx.params()).await? {
            let of = if row.text(1) == "group" { GroupType::Group } else { GroupType::Grouping };
            known.insert((of, row.text(2).to_lowercase()), row.int(0));
        }
    }
    let mut all = Vec::new();
    for column in &staged.custom {
        match known.get(&(column.of, column.shortname.clone())) {
            Some(id) => all.push((column.clone(), *id)),
            None => {
                let problem = Problem::new(staged.header, Code::ColumnUnknown, shown(&column.written), "");
                return Err(RunError::Rejected(problem));
            }
        }
    }
    Ok(all)
}

/// The texts of a file that may name something.
#[derive(Default)]
struct Named<'a> {
    names: BTreeSet<&'a str>,
    idnumbers: BTreeSet<&'a str>,
    ids: BTreeSet<&'a str>,
}

impl<'a> Named<'a> {
    fn of(rows: &'a [GroupRow]) -> Self {
        let mut named = Self::default();
        for row in rows {
            named.names.extend([row.said.name.as_str(), row.update.as_str()]);
            named.idnumbers.extend(row.said.idnumber.as_deref());
            named.idnumbers.insert(&row.update);
            named.ids.insert(&row.update);
            match &row.grouping {
                GroupingNamed::Name(name) => drop(named.names.insert(name)),
                GroupingNamed::Idnumber(idnumber) => drop(named.idnumbers.insert(idnumber)),
                GroupingNamed::None => {}
            }
        }
        named
    }

    fn may_be(&self, item: &Item) -> bool {
        let values = &item.is;
        self.names.contains(values.name.as_str())
            || (!values.idnumber.is_empty() && self.idnumbers.contains(values.idnumber.as_str()))
            || self.ids.contains(item.id.to_string().as_str())
    }
}

/// The groups and groupings of the courses that have an id, a name or an idnumber of the file, and those whose names
/// groups get by `selfgrouping`. Each is one statement that reads all of these courses.
///
/// # Errors
/// The database's error.
pub async fn named(ctx: &mut RunContext<'_>, terms: &Terms, rows: &[GroupRow]) -> RunResult<Vec<Item>> {
    let named = Named::of(rows);
    // Whoever is named by a key may lend its own name to a grouping.
    let whole = rows.iter().any(|row| row.own_grouping);
    let mut items: Vec<Item> = Vec::new();
    let talks = ctx.site.columns.has_table("message_conversations");
    let own = |column: &str, other: &str| match ctx.site.columns.has("groups", column) {
        true => format!("g.{column}"),
        false => other.to_owned(),
    };
    let params = ctx
        .params()
        .fragment("visibility", own("visibility", "0"))
        .fragment("participation", own("participation", "1"))
        .fragment("talk", if talks { TALK } else { "-1" });
    for (of, sql) in [(GroupType::Group, GROUPS), (GroupType::Grouping, GROUPINGS)] {
        ctx.conn
            .each(sql, &params, |row| {
                let is = Values {
                    name: row.text(2),
                    idnumber: row.text(3),
                    description: row.text(4),
                    visibility: row.int(5),
                    participation: row.int(6) != 0,
                    messaging: Some(row.int(7)).filter(|enabled| *enabled >= 0).map(|enabled| enabled == 1),
                    fields: BTreeMap::new(),
                };
                let item = Item {
                    of,
                    id: row.int(0),
                    courseid: row.int(1),
                    was: is.clone(),
                    is,
                    line: 0,
                    described: true,
                    enrolmentkey: String::new(),
                    emptied: 0,
                    removed: 0,
                    used: "",
                };
                if whole || named.may_be(&item) {
                    items.push(item);
                }
                Ok(())
            })
            .await?;
    }
    fields(ctx, terms, &mut items).await?;
    if terms.delete && rows.iter().any(|row| row.verb == GroupVerb::Delete) {
        let used = usage::read(ctx).await?;
        for item in &mut items {
            item.used = used.of(item.of, item.id);
        }
    }
    Ok(items)
}

/// Whether the conversation of a group `g` is switched on; -1: it has none.
const TALK: &str = "COALESCE((SELECT MAX(v.enabled) FROM {message_conversations} v
    WHERE v.component = 'core_group' AND v.itemtype = 'groups' AND v.itemid = g.id AND v.contextid = q.contextid), -1)";

/// Adds the values of the custom fields that the file has.
async fn fields(ctx: &mut RunContext<'_>, terms: &Terms, items: &mut [Item]) -> Result<(), DbError> {
    if terms.custom.is_empty() {
        return Ok(());
    }
    let of: BTreeMap<i64, GroupType> = terms.custom.iter().map(|(column, id)| (*id, column.of)).collect();
    let ids: Vec<i64> = of.keys().copied().collect();
    let mut positions: BTreeMap<(GroupType, i64), usize> = BTreeMap::new();
    positions.extend(items.iter().enumerate().map(|(at, item)| ((item.of, item.id), at)));
    let params = ctx.params().fragment("fields", crate::moodle::site::id_list(&ids));
    ctx.conn
        .each(FIELD_VALUES, &params, |row| {
            let (field, instance) = (row.int(0), row.int(1));
            if let Some(at) = of.get(&field).and_then(|of| positions.get(&(*of, instance))) {
                items[*at].is.fields.insert(field, row.text(2));
                items[*at].was.fields.insert(field, row.text(2));
            }
            Ok(())
        })
        .await
}
