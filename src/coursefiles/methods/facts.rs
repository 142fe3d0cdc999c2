//! What the site has of the things that rows name: courses, cohorts, groups, the methods of the courses, meta links.
//! It must not decide what becomes of a row.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::context::RunContext;
use crate::config::{CohortKey, CourseKey, Profile, Settings, UserKey};
use crate::coursefiles::methods::cycles::Links;
use crate::coursefiles::methods::patterns;
use crate::db::table::{int, text};
use crate::db::{Bulk, Field, Table, statement};
use crate::files::{MethodGroup, MethodRow, MethodVerb};
use crate::moodle::course::new_method;
use crate::moodle::role_levels::{COURSE, RoleLevels};
use crate::moodle::site::{Role, id_list};
use crate::outcome::RunResult;
use crate::problem::Code;
use crate::staging::AllowedRoles;
use crate::staging::resolve::{self, KEY_WIDTH, Keys, fits};

/// The keys of courses that rows name.
const METHOD_KEY: Table = Table::new("method_key", &[text("ckey", KEY_WIDTH)]);
/// The keys of cohorts that rows name.
const METHOD_COHORT: Table = Table::new("method_cohort", &[text("ckey", KEY_WIDTH)]);
/// The courses whose methods the rows are about.
const METHOD_COURSE: Table = Table::new("method_course", &[int("courseid")]).primary("courseid");
/// The courses that meta links of the file have as their source.
const METHOD_SOURCE: Table = Table::new("method_source", &[int("courseid")]).primary("courseid");

const COURSES: &str = statement(include_str!("methods.sql"), "named courses");
const COHORTS: &str = statement(include_str!("methods.sql"), "named cohorts");
const INSTANCES: &str = statement(include_str!("methods.sql"), "instances");
const LINKS: &str = statement(include_str!("methods.sql"), "links");
const GROUPS: &str = statement(include_str!("methods.sql"), "groups");
const FOREIGN: &str = statement(include_str!("methods.sql"), "foreign instances");
const FOREIGN_SOURCES: &str = statement(include_str!("methods.sql"), "foreign sources");

/// Why a key names nothing: the code and the hint of its problem.
pub type Unresolved = (Code, String);

/// A course.
#[derive(Clone, Debug)]
pub struct Course {
    pub contextid: i64,
    pub shortname: String,
    pub fullname: String,
}

/// An instance of a method, as far as files change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: i64,
    pub course: i64,
    pub method: String,
    /// `customint1`: the cohort, or the source course.
    pub source: i64,
    pub role: i64,
    pub status: i64,
    pub name: String,
    /// `customint2`
    pub group: i64,
    pub start: i64,
    pub end: i64,
    pub period: i64,
}

/// What the site has.
#[derive(Default)]
pub struct Facts {
    pub courses: BTreeMap<i64, Course>,
    /// The courses that a text of the target column means: one by its key, or several by a pattern.
    pub targets: BTreeMap<String, Result<Vec<i64>, Unresolved>>,
    /// The texts that mean several courses.
    pub patterns: BTreeSet<String>,
    /// The courses that are named as the source of a link.
    pub sources: BTreeMap<String, Result<i64, Unresolved>>,
    pub cohorts: BTreeMap<String, Result<(i64, String), Unresolved>>,
    /// The instances of the targets, by course and in the order of the course.
    pub instances: Vec<Instance>,
    /// All meta links of the site, if the file may add some.
    pub links: Links,
    /// The groups of the targets by course and name, if the file names some.
    pub groups: BTreeMap<(i64, String), Vec<i64>>,
    /// The roles that methods may give.
    pub roles: Vec<Role>,
    /// The roles that this file may give.
    pub allowed: Option<AllowedRoles>,
    /// Instances of the targets, and sources, with a role that this file may not give.
    pub foreign: BTreeMap<i64, String>,
    pub foreign_sources: BTreeMap<i64, String>,
    /// Whether the file came through the drop directory.
    pub dropped: bool,
    /// Whether the site wants self enrolment to have a key.
    pub wants_key: bool,
    /// The methods that are enabled, and among them those whose new instances have settings of their own.
    pub enabled: BTreeSet<String>,
    pub defaults: BTreeMap<String, BTreeMap<&'static str, i64>>,
}

type Rows<'a> = &'a [(u64, Vec<MethodRow>)];

/// Asks the site, in at most fourteen statements beside the chunks of the loads.
///
/// # Errors
/// The database's error.
pub async fn gather(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    (rows, dropped): (Rows<'_>, bool),
) -> RunResult<Facts> {
    let all = || rows.iter().flat_map(|(_, rows)| rows);
    let levels = RoleLevels::read(ctx.conn, ctx.site).await?;
    let roles = ctx.site.roles.iter().filter(|role| levels.allow(COURSE, role));
    let mut facts = Facts {
        roles: roles.cloned().collect(),
        enabled: ctx.site.enabled_methods().map(str::to_owned).collect(),
        dropped,
        wants_key: ctx.site.plugin("enrol_self", "requirepassword").is_some_and(|text| text.trim() == "1"),
        ..Facts::default()
    };
    let named: BTreeSet<&str> = all().map(|row| row.method.as_str()).collect();
    let own = named.into_iter().filter_map(|method| Some((method.to_owned(), new_method(ctx.site, method)?)));
    facts.defaults = own.collect();
    courses(ctx, profile.course_key, rows, &mut facts).await?;
    cohorts(ctx, profile.cohort_key, rows, &mut facts).await?;
    let targets: BTreeSet<i64> = facts.targets.values().flatten().flatten().copied().collect();
    load(ctx, &METHOD_COURSE, targets.iter().copied()).await?;
    ctx.conn
        .each(INSTANCES, &ctx.params(), |row| {
            let texts = |at| row.text(at);
            facts.instances.push(Instance {
                id: row.int(0),
                course: row.int(1),
                method: texts(2),
                source: row.int(3),
                role: row.int(4),
                status: row.int(5),
                name: texts(6),
                group: row.int(7),
                start: row.int(8),
                end: row.int(9),
                period: row.int(10),
            });
            Ok(())
        })
        .await?;
    let adds = |row: &&MethodRow| matches!(row.verb, MethodVerb::Add | MethodVerb::Set) && row.method == "meta";
    if all().any(|row| adds(&row)) {
        ctx.conn
            .each(LINKS, &ctx.params(), |row| {
                facts.links.entry(row.int(0)).or_default().insert(row.int(1));
                Ok(())
            })
            .await?;
    }
    if all().any(|row| matches!(row.group, MethodGroup::Named(_) | MethodGroup::New)) {
        ctx.conn
            .each(GROUPS, &ctx.params(), |row| {
                facts.groups.entry((row.int(0), row.text(1))).or_default().push(row.int(2));
                Ok(())
            })
            .await?;
    }
    if dropped {
        foreign(ctx, settings, &mut facts).await?;
    }
    Ok(facts)
}

/// Resolves the texts of courses: a key first, then a glob of short names, then the path of a category.
async fn courses(ctx: &mut RunContext<'_>, key: CourseKey, rows: Rows<'_>, facts: &mut Facts) -> RunResult<()> {
    let all = || rows.iter().flat_map(|(_, rows)| rows);
    let targets: BTreeSet<&str> = all().map(|row| row.course.as_str()).collect();
    let sources: BTreeSet<&str> = all().filter(|row| row.method == "meta").map(|row| row.source.as_str()).collect();
    let keys = Keys { user: UserKey::Id, course: key };
    ctx.conn.declare(&METHOD_KEY);
    let mut load = Bulk::into(ctx.conn.dialect(), &METHOD_KEY);
    for text in targets.union(&sources).filter(|text| keys.may_name_course(text).is_ok()) {
        load.push(ctx.conn, &[Field::Text(text)]).await?;
    }
    load.finish(ctx.conn).await?;
    resolve::courses(ctx, key, "SELECT DISTINCT ckey FROM [method_key]").await?;
    let mut found: BTreeMap<String, Result<i64, Unresolved>> = BTreeMap::new();
    let unknown = || (Code::CourseUnknown, key.as_str().to_owned());
    for row in ctx.conn.rows(COURSES, &ctx.params()).await? {
        let outcome = match row.int(3) {
            // A course without a context, and the front page.
            1 if !row.is_null(2) && row.int(4) != 0 => {
                let course = Course { contextid: row.int(2), shortname: row.text(5), fullname: row.text(6) };
                facts.courses.insert(row.int(1), course);
                Ok(row.int(1))
            }
            0 | 1 => Err(unknown()),
            several => Err((Code::CourseAmbiguous, several.to_string())),
        };
        found.insert(row.text(0), outcome);
    }
    let outcome = |text: &str| found.get(text).cloned().unwrap_or_else(|| Err(unknown()));
    for text in sources {
        facts.sources.insert(text.to_owned(), outcome(text));
    }
    let is_open = |text: &str| patterns::is_pattern(text) && matches!(outcome(text), Err((Code::CourseUnknown, _)));
    for text in targets {
        facts.targets.insert(text.to_owned(), outcome(text).map(|course| vec![course]));
    }
    // In the order of the rows: it is the last ones that are refused if they mean too much.
    let mut open: Vec<&str> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    open.extend(all().map(|row| row.course.as_str()).filter(|text| seen.insert(text) && is_open(text)));
    if open.is_empty() { Ok(()) } else { patterns::expand(ctx, &open, (key, facts)).await }
}

async fn cohorts(ctx: &mut RunContext<'_>, key: CohortKey, rows: Rows<'_>, facts: &mut Facts) -> RunResult<()> {
    let of_cohorts = rows.iter().flat_map(|(_, rows)| rows).filter(|row| row.method == "cohort");
    let named: BTreeSet<&str> = of_cohorts.map(|row| row.source.as_str()).filter(|text| !text.is_empty()).collect();
    if named.is_empty() {
        return Ok(());
    }
    let is_id = |text: &str| text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    let usable = |text: &&&str| fits(text).is_ok() && (key != CohortKey::Id || is_id(text));
    ctx.conn.declare(&METHOD_COHORT);
    let mut load = Bulk::into(ctx.conn.dialect(), &METHOD_COHORT);
    for text in named.iter().filter(usable) {
        load.push(ctx.conn, &[Field::Text(text)]).await?;
    }
    load.finish(ctx.conn).await?;
    let same = match key {
        CohortKey::Idnumber => ctx.conn.exact("cohort", "c.idnumber", "k.ckey"),
        CohortKey::Name => ctx.conn.exact("cohort", "c.name", "k.ckey"),
        CohortKey::Id => format!("c.id = {}", ctx.conn.dialect().to_int("k.ckey")),
    };
    let mut found: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    ctx.conn
        .each(COHORTS, &ctx.params().fragment("same", same), |row| {
            found.entry(row.text(0)).or_default().push((row.int(1), row.text(2)));
            Ok(())
        })
        .await?;
    for text in named {
        let outcome = match found.remove(text).unwrap_or_default().as_slice() {
            [one] => Ok(one.clone()),
            [] => Err((Code::CohortUnknown, key.as_str().to_owned())),
            several => Err((Code::CohortAmbiguous, several.len().to_string())),
        };
        facts.cohorts.insert(text.to_owned(), outcome);
    }
    Ok(())
}

/// What a dropped file may not touch.
async fn foreign(ctx: &mut RunContext<'_>, settings: &Settings, facts: &mut Facts) -> RunResult<()> {
    let allowed = AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site);
    if let Some(ids) = allowed.ids() {
        let params = ctx.params().fragment("allowed", id_list(ids));
        for row in ctx.conn.rows(FOREIGN, &params).await? {
            facts.foreign.insert(row.int(0), row.text(1));
        }
        // A row may mean a link without naming its source.
        let links = facts.instances.iter().filter(|instance| instance.method == "meta");
        let sources: BTreeSet<i64> =
            facts.sources.values().flatten().copied().chain(links.map(|link| link.source)).collect();
        if !sources.is_empty() {
            load(ctx, &METHOD_SOURCE, sources.into_iter()).await?;
            for row in ctx.conn.rows(FOREIGN_SOURCES, &params).await? {
                facts.foreign_sources.insert(row.int(0), row.text(1));
            }
        }
    }
    facts.allowed = Some(allowed);
    Ok(())
}

async fn load(ctx: &mut RunContext<'_>, table: &'static Table, ids: impl Iterator<Item = i64>) -> RunResult<()> {
    ctx.conn.declare(table);
    let mut rows = Bulk::into(ctx.conn.dialect(), table);
    for id in ids {
        rows.push(ctx.conn, &[Field::Int(id)]).await?;
    }
    rows.finish(ctx.conn).await?;
    Ok(ctx.conn.analyse(table.name).await?)
}
