//! The group of each participant: its name, the mark of a group that autoenrol made, and the existing group, if any.
//! It must not make groups or memberships: `reconcile` reads `member_name`, `desired_group` and `generated_group`.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use crate::change::context::RunContext;
use crate::change::groups as known;
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Table};
use crate::outcome::RunResult;
use crate::problem::Code;
use crate::reconcile::Pass;
use crate::rules::autoenrol::instance::Instance;
use crate::rules::autoenrol::matching::report_refused;
use crate::rules::autoenrol::name::Naming;
use crate::rules::availability::Facts;

/// Instances with the same naming.
const NAMED: Table = Table::new("named", &[int("enrolid"), int("evaluation")]).primary("enrolid");
/// The name of each participant's group.
const MEMBER_NAME: Table =
    Table::new("member_name", &[int("enrolid"), int("userid"), text("name", 255)]).primary("enrolid, userid");
/// The MD5 of each of these names that `groups.name` can hold.
const NAME_HASH: Table = Table::new("name_hash", &[text("name", 255), text("hash", 32)]).primary("name");
/// The groups that instances desire, each with the existing group, if any.
const DESIRED_GROUP: Table = Table::new(
    "desired_group",
    &[
        int("enrolid"),
        text("name", 255),
        int("courseid"),
        int("contextid"),
        text("idnumber", 100),
        int("groupid").or_null(),
    ],
)
.primary("enrolid, name");
/// The groups to make; if several instances of a course desire one name, the first makes it.
const FIRST_DESIRED_GROUP: Table =
    Table::new("first_desired_group", &[int("courseid"), text("name", 255), text("idnumber", 100)])
        .primary("courseid, name");
/// The existing groups that autoenrol made.
const GENERATED_GROUP: Table =
    Table::new("generated_group", &[int("groupid"), int("enrolid")]).primary("groupid, enrolid");

/// The longest `groups.name`, in characters.
const LONGEST: usize = 254;

/// Names the groups of all participants whose rule holds, and finds the existing groups.
///
/// # Errors
/// The database's error.
pub async fn name(ctx: &mut RunContext<'_>, pass: &Pass<'_>, instances: &[Instance], facts: &Facts) -> RunResult<()> {
    tables(ctx);
    let mut by_naming: BTreeMap<&Naming, Vec<&Instance>> = BTreeMap::new();
    for instance in instances {
        if let Some(naming) = &instance.naming {
            by_naming.entry(naming).or_default().push(instance);
        }
    }
    if by_naming.is_empty() {
        return Ok(());
    }
    let mut wrong = Vec::new();
    for (naming, named) in by_naming {
        if let Err(unknown) = name_members(ctx, pass, naming, &named, facts).await? {
            wrong.extend(named.into_iter().map(|instance| (instance.clone(), unknown.clone())));
        }
    }
    ctx.conn.analyse(MEMBER_NAME.name).await?;
    hash(ctx).await?;
    wrong.extend(too_long(ctx, instances).await?);
    report_refused(ctx, pass, Code::GroupName, &wrong).await?;
    Ok(find(ctx, pass).await?)
}

fn tables(ctx: &mut RunContext<'_>) {
    let conn = &mut *ctx.conn;
    conn.declare(&NAMED);
    conn.declare(&MEMBER_NAME);
    conn.declare(&NAME_HASH);
    conn.declare(&DESIRED_GROUP);
    conn.declare(&FIRST_DESIRED_GROUP);
    conn.declare(&GENERATED_GROUP);
}

/// Adds the names of one naming for all its instances; the inner error is a variable without a field on the site.
async fn name_members(
    ctx: &mut RunContext<'_>,
    pass: &Pass<'_>,
    naming: &Naming,
    instances: &[&Instance],
    facts: &Facts,
) -> Result<Result<(), String>, DbError> {
    let (name, params) = match naming.sql(facts, ctx.conn.dialect(), LONGEST + 1, pass.params(ctx)) {
        Ok(sql) => sql,
        Err(unknown) => return Ok(Err(format!("there is no profile field {:?}", unknown.0))),
    };
    let Some(members) = pass.section("members") else { return Ok(Ok(())) };
    let conn = &mut *ctx.conn;
    conn.exec("DELETE FROM [named]", &params).await?;
    let ids = crate::moodle::site::id_list(&instances.iter().map(|instance| instance.id).collect::<Vec<_>>());
    let params = params.fragment("ids", ids).fragment("members", members).fragment("name", name);
    conn.exec("INSERT INTO [named] SELECT r.enrolid, r.evaluation FROM [ruled] r WHERE r.enrolid IN (:ids)", &params)
        .await?;
    conn.exec("INSERT INTO [member_name] SELECT t.enrolid, t.userid, t.name FROM (:members) t", &params).await?;
    Ok(Ok(()))
}

/// Moodle's mark holds the name's MD5, which SQLite cannot compute, so each distinct name is hashed here. A name that
/// no group can have gets no hash.
async fn hash(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let conn = &mut *ctx.conn;
    let params = crate::db::Params::new();
    let names = conn.rows("SELECT DISTINCT n.name FROM [member_name] n WHERE n.name <> ''", &params).await?;
    let mut bulk = Bulk::into(conn.dialect(), &NAME_HASH);
    for name in names.iter().map(|row| row.text(0)).filter(|name| name.chars().count() <= LONGEST) {
        if !conn.can_hold("groups", "name", &name) {
            continue;
        }
        let hash: String = Md5::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        bulk.push(conn, &[Field::Text(&name), Field::Text(&hash)]).await?;
    }
    bulk.finish(conn).await?;
    conn.analyse(NAME_HASH.name).await
}

/// Instances with names that no group can have, because of their length or a character; their participants neither join
/// nor leave a group.
async fn too_long(ctx: &mut RunContext<'_>, instances: &[Instance]) -> Result<Vec<(Instance, String)>, DbError> {
    let params = ctx.params();
    let sql = "SELECT n.enrolid, COUNT(*) FROM [member_name] n LEFT JOIN [name_hash] h ON h.name = n.name
        WHERE n.name <> '' AND h.name IS NULL GROUP BY n.enrolid";
    let rows = ctx.conn.rows(sql, &params).await?;
    let what = |names: i64| match ctx.conn.unstorable("groups", "name", "''") {
        None => format!("{names} names have more than {LONGEST} characters"),
        Some(_) => format!(
            "{names} names have more than {LONGEST} characters, or one that the column groups.name has no room for \
             (utf8mb3)"
        ),
    };
    let wrong = rows.iter().filter_map(|row| {
        let instance = instances.iter().find(|instance| instance.id == row.int(0))?;
        Some((instance.clone(), what(row.int(1))))
    });
    Ok(wrong.collect())
}

async fn find(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let params = pass.params(ctx).fragment("enrolid_text", dialect.to_text("r.enrolid"));
    let courses = "SELECT DISTINCT r.courseid FROM [ruled] r
        JOIN (SELECT DISTINCT enrolid FROM [member_name]) n ON n.enrolid = r.enrolid";
    known::load(ctx, courses).await?;
    let conn = &mut *ctx.conn;
    for (section, table) in [
        ("desired groups", "desired_group"),
        ("generated", "generated_group"),
        // If two instances of a course desire the same new group, the first makes it.
        ("firsts", "first_desired_group"),
    ] {
        if let Some(select) = pass.section(section) {
            conn.exec(&format!("INSERT INTO [{table}] :select"), &params.clone().fragment("select", select)).await?;
        }
    }
    conn.analyse(DESIRED_GROUP.name).await?;
    conn.analyse(GENERATED_GROUP.name).await
}
