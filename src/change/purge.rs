//! Removes what a user loses with the last enrolment in a course: roles there and below, groups, grades, last access,
//! forum rows. It must not decide which enrolment is the last: it reads the temporary table `last_pair`.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{Rank, below, kinds};
use crate::db::DbError;

/// The forum rows that go with the last enrolment, and the forum column of their table (spec enrol-core 11).
static OF_FORUMS: [(Rank, &str); 4] = [
    (kinds::FORUM_DIGESTS, "forum"),
    (kinds::FORUM_SUBSCRIPTIONS, "forum"),
    (kinds::FORUM_TRACK_PREFS, "forumid"),
    (kinds::FORUM_READ, "forumid"),
];

/// Picks rows of the pairs of `last_pair`; each belongs to something in one course, so none is picked twice.
fn of_pair(from: &str, on: &str) -> Pick {
    Pick::direct(["l.line", "l.courseid", "l.contextid"], from, on)
}

/// Removes the roles that the pairs of `last_pair` have in their courses and below.
pub(super) async fn roles(ctx: &mut RunContext<'_>, pass_no: i64, at_once: bool) -> Result<(), DbError> {
    let roles = of_pair(
        "[last_pair] l JOIN {context} home ON home.id = l.contextid, {context} k",
        "x.userid = l.userid AND k.id = x.contextid AND (k.id = home.id OR k.path LIKE home.path || '/%')",
    );
    let of_users = below::roles_of("SELECT DISTINCT l.userid FROM [last_pair] l");
    let roles = roles.stepwise(&format!(
        "({of_users}) q :then [last_pair] l ON l.userid = q.userid AND l.courseid = q.courseid
         :then {{role_assignments}} x ON x.id = q.id"
    ));
    ctx.remove_rows(Position { pass_no, rank: kinds::REST_ROLES }, roles.at_once(at_once)).await
}

/// Removes what else the pairs of `last_pair` have in their courses.
pub(super) async fn all_else(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let groups =
        of_pair("[last_pair] l JOIN {groups} g ON g.courseid = l.courseid", "x.groupid = g.id AND x.userid = l.userid");
    let groups = groups.stepwise(
        "(SELECT DISTINCT l.userid FROM [last_pair] l) u
         :then {groups_members} x ON x.userid = u.userid
         :then {groups} g ON g.id = x.groupid
         :then [last_pair] l ON l.userid = x.userid AND l.courseid = g.courseid",
    );
    ctx.remove_rows(Position { pass_no, rank: kinds::REST_GROUPS }, groups).await?;
    grades(ctx, pass_no).await?;
    for (rank, column) in OF_FORUMS {
        if ctx.site.columns.has_table(rank.kind.table) {
            let on = format!("x.{column} = f.id AND x.userid = l.userid");
            let rows = of_pair("[last_pair] l JOIN {forum} f ON f.course = l.courseid", &on);
            ctx.remove_rows(Position { pass_no, rank }, rows).await?;
        }
    }
    let access = of_pair("[last_pair] l", "x.userid = l.userid AND x.courseid = l.courseid");
    ctx.remove_rows(Position { pass_no, rank: kinds::LAST_ACCESS }, access).await
}

/// Copies grades to the history with action 3 (deleted), then removes them (spec enrol-core 10).
async fn grades(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::GRADES };
    let rows = of_pair(
        "[last_pair] l JOIN {grade_items} i ON i.courseid = l.courseid",
        "x.itemid = i.id AND x.userid = l.userid",
    );
    let planned = ctx.plan_removal(position, rows).await?;
    if planned == 0 {
        return Ok(());
    }
    if ctx.site.keeps_grade_history() {
        grade_history(ctx, position, Position { pass_no, rank: kinds::GRADE_HISTORY }).await?;
    }
    ctx.apply_removal(position, planned).await
}

async fn grade_history(ctx: &mut RunContext<'_>, grades: Position, position: Position) -> Result<(), DbError> {
    let fixed = ["id", "action", "oldid", "source", "timemodified", "loggeduser"];
    let copied: Vec<String> = ctx
        .site
        .columns
        .of("grade_grades_history")
        .iter()
        .filter(|column| !fixed.contains(&column.as_str()) && ctx.site.columns.has("grade_grades", column))
        .cloned()
        .collect();
    let list = copied.iter().map(|column| ctx.conn.dialect().quote(column)).collect::<Vec<_>>();
    let values = copied
        .iter()
        .zip(&list)
        .map(|(column, quoted)| ctx.conn.fitting("grade_grades_history", column, &format!("g.{quoted}")));
    let values = values.collect::<Vec<_>>().join(", ");
    let params = ctx.at(grades).fragment("columns", list.join(", ")).fragment("values", values);
    let written = ctx
        .conn
        .exec(
            "INSERT INTO {grade_grades_history} (action, oldid, source, timemodified, loggeduser, :columns)
             SELECT 3, g.id, 'userdelete', :now, :actor, :values
               FROM {enrold_change} c JOIN {grade_grades} g ON g.id = c.targetid
              WHERE :here AND c.state = 0 ORDER BY c.seq",
            &params,
        )
        .await? as i64;
    // The grade's old id and the run's clock identify the history row.
    let (from, to) = grades.range();
    let params = ctx.at(position).with("grades", from).with("grades_to", to);
    ctx.journal(
        position,
        "line, userid, courseid, contextid, itemid, targetid",
        "planned.line, planned.targetid",
        "SELECT c.line, c.userid, c.courseid, c.contextid, c.itemid, c.targetid FROM {enrold_change} c
          WHERE c.run = :run AND c.seq > :grades AND c.seq <= :grades_to AND c.state = 0",
        params,
    )
    .await?;
    ctx.book(position.rank.kind, written, written);
    Ok(())
}
