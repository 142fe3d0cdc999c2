//! The instances of the method as links of a chain (source, target, role, window, delay), in the temporary table
//! `chain`. It must not read course completions.

use crate::change::context::RunContext;
use crate::config::CourseDelay;
use crate::db::table::{int, small, text};
use crate::db::{Bulk, Field, Table, statement};
use crate::outcome::{Note, RunResult};
use crate::problem::{Code, PlaceKind};
use crate::reconcile::Pass;

/// Instances with all their settings.
const CHAIN: Table = Table::new(
    "chain",
    &[
        int("enrolid"),
        int("courseid"),
        int("contextid"),
        int("source"),
        small("enabled"),
        small("unknown"),
        int("since"),
        int("roleid"),
        int("delay"),
        int("fixed"),
        int("period"),
        int("opens"),
        int("closes"),
        small("copies"),
        small("leaves"),
    ],
)
.primary("enrolid");
/// The configured delays, by pair of courses.
const PAIR_DELAY: Table = Table::new("pair_delay", &[text("source", 255), text("target", 255), int("seconds")]);

const INSTANCES: &str = statement(include_str!("chain.sql"), "instances");
const BROKEN: &str = statement(include_str!("chain.sql"), "broken instances");

/// `chain.since` where every existing completion is old: the instance predates enrold's first pass or has a new source.
const NEVER: i64 = i64::MAX;

/// Fills `chain` with every instance whose target and source exist, and reports those that cannot work. An instance
/// without a role of its own gives the one that Moodle's setting names (spec 1).
///
/// # Errors
/// The database's error.
pub async fn read(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    read_delays(ctx, &pass.settings.coursecompleted.delays).await?;
    ctx.conn.declare(&CHAIN);
    let begun = ctx
        .conn
        .number("SELECT MIN(l.seen) FROM {enrold_completion} l WHERE l.enrolid = 0 AND l.userid = 0", &ctx.params())
        .await?;
    let params = pass
        .params(ctx)
        .with("delay", pass.settings.coursecompleted.delay.as_secs() as i64)
        .with("defaultrole", default_role(ctx))
        // 0: this is enrold's first pass, and no instance is younger.
        .with("begun", if begun > 0 { begun } else { NEVER })
        .with("never", NEVER)
        .fragment("same_source", ctx.conn.exact("course", "a.shortname", "d.source"))
        .fragment("same_target", ctx.conn.exact("course", "b.shortname", "d.target"));
    ctx.conn.exec(INSTANCES, &params).await?;
    ctx.conn.analyse(CHAIN.name).await?;
    report_broken(ctx, pass).await
}

/// Loads the configured delays into a table; a note reports each course that does not exist.
async fn read_delays(ctx: &mut RunContext<'_>, delays: &[CourseDelay]) -> RunResult<()> {
    ctx.conn.declare(&PAIR_DELAY);
    if delays.is_empty() {
        return Ok(());
    }
    let mut bulk = Bulk::into(ctx.conn.dialect(), &PAIR_DELAY);
    for delay in delays {
        let row = [Field::Text(&delay.source), Field::Text(&delay.target), Field::Int(delay.seconds)];
        bulk.push(ctx.conn, &row).await?;
    }
    bulk.finish(ctx.conn).await?;
    let params = ctx
        .params()
        .fragment("same_source", ctx.conn.exact("course", "k.shortname", "d.source"))
        .fragment("same_target", ctx.conn.exact("course", "k.shortname", "d.target"));
    let sql = "SELECT d.source FROM [pair_delay] d WHERE NOT EXISTS (SELECT 1 FROM {course} k WHERE :same_source)
         UNION SELECT d.target FROM [pair_delay] d WHERE NOT EXISTS (SELECT 1 FROM {course} k WHERE :same_target)
         ORDER BY 1";
    let unknown = ctx.conn.rows(sql, &params).await?;
    ctx.notes.extend(unknown.iter().map(|row| Note::DelayOfNoCourse(row.text(0))));
    Ok(())
}

/// The role of instances that name none: Moodle's setting, else its documented default (spec 1).
fn default_role(ctx: &RunContext<'_>) -> i64 {
    let set = ctx.site.plugin("enrol_coursecompleted", "roleid").and_then(|text| text.trim().parse().ok());
    let student = || ctx.site.roles.iter().find(|role| role.shortname == "student").map(|role| role.id);
    set.or_else(student).unwrap_or(0)
}

/// Reports enabled instances that do nothing, because their source or their role is gone.
async fn report_broken(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let params = pass
        .params(ctx)
        .with("no_source", Code::SourceGone.as_str())
        .with("no_role", Code::InstanceRoleGone.as_str())
        .fragment("source", ctx.conn.dialect().to_text("COALESCE(e.customint1, 0)"))
        .fragment("role", ctx.conn.dialect().to_text("COALESCE(e.roleid, 0)"));
    ctx.report_new(PlaceKind::Instance, BROKEN, params).await?;
    Ok(())
}
