//! Ending enrolments: unenrol, suspend, and everything that Moodle takes away with them (spec enrol-core 7).
//! It must not know why they end: it reads the temporary table `doomed`.

use crate::db::{DbError, Params};
use crate::run::error::RunResult;
use crate::run::take::{Pick, Taken};
use crate::run::work::{Place, Work};

/// Ranks of the kinds made here (see [`Place`]): the order of Moodle's events for one enrolment.
pub const RANK_SUSPEND_FIRST: i64 = 35;
pub const RANK_NAMED_ROLE: i64 = 39;
const RANK_OWNED_GROUPS: i64 = 40;
pub const RANK_OWNED_ROLES: i64 = 41;
const RANK_REST_ROLES: i64 = 43;
const RANK_REST_GROUPS: i64 = 44;
const RANK_GRADES: i64 = 50;
const RANK_GRADE_HISTORY: i64 = 51;
const RANK_FORUM: i64 = 53;
pub const RANK_REMOVE: i64 = 60;
pub const RANK_SUSPEND_LAST: i64 = 65;
const RANK_CONVERSATIONS: i64 = 70;
const RANK_LAST_ACCESS: i64 = 75;
const RANK_GROUP_TOUCH: i64 = 80;

/// Forum tables that lose a user's rows with the last enrolment: table, forum column (spec enrol-core 11).
const FORUM_TABLES: [(&str, &str); 4] = [
    ("forum_digests", "forum"),
    ("forum_subscriptions", "forum"),
    ("forum_track_prefs", "forumid"),
    ("forum_read", "forumid"),
];

/// Makes the temporary table of enrolments that end: `free` is 1 where the method leaves manual roles to others; one with a
/// `timeend` ends only if that is still its end when the plan is made.
pub fn prepare(work: &mut Work<'_>) {
    work.conn
        .temporary_joined(
            "doomed",
            "ueid BIGINT NOT NULL PRIMARY KEY, line BIGINT NOT NULL, userid BIGINT NOT NULL, courseid BIGINT NOT NULL,
             contextid BIGINT NOT NULL, enrolid BIGINT NOT NULL, roleid BIGINT NOT NULL, component VARCHAR(100) NOT NULL,
             free SMALLINT NOT NULL, timeend BIGINT",
            "userid, courseid",
        );
    work.conn.temporary("staying", "userid BIGINT NOT NULL, courseid BIGINT NOT NULL, PRIMARY KEY (userid, courseid)");
    work.conn.temporary_joined(
        "last_pair",
        "userid BIGINT NOT NULL, courseid BIGINT NOT NULL, contextid BIGINT NOT NULL, line BIGINT NOT NULL",
        "userid, courseid",
    );
}

/// Suspends the enrolments of `doomed`; gives how many were planned.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn suspend(work: &mut Work<'_>, place: Place) -> RunResult<i64> {
    let oldrow = work.old_row("user_enrolments", "x");
    let params = work.at(place).fragment("oldrow", oldrow);
    let planned = work
        .journal(
            place,
            "kind, line, userid, courseid, enrolid, contextid, roleid, component, targetid, status, timestart, timeend, oldstatus, oldtimestart, oldtimeend, oldrow",
            "planned.line, planned.targetid",
            "SELECT 'enrolment.suspend' AS kind, d.line, d.userid, d.courseid, d.enrolid, d.contextid, d.roleid, d.component, x.id AS targetid,
                    1 AS status, x.timestart, x.timeend, x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
                    :oldrow AS oldrow
               FROM doomed d JOIN {user_enrolments} x ON x.id = d.ueid AND x.timeend = COALESCE(d.timeend, x.timeend)
              WHERE x.status = 0",
            params,
        )
        .await?;
    if planned > 0 {
        work.guard_ending().await?;
    }
    work.change_enrolments(place, "enrolment.suspend", planned).await?;
    Ok(planned)
}

/// Gives `doomed` the indexes by which its rows are looked up, if whole sets are not hashed.
///
/// # Errors
/// The engine's.
pub async fn index_doomed(work: &mut Work<'_>) -> Result<(), DbError> {
    // With the first alone PostgreSQL would read all of it for each user.
    for key in ["ueid", "userid, courseid"] {
        work.conn.index_joined("doomed", key).await?;
    }
    Ok(())
}

/// Removes the enrolments of `doomed` and gives how many went; [`clean_up`] takes what belongs to them. In between the
/// caller takes the manual roles that its line or instance names: in Moodle's events they come first.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn unenrol(work: &mut Work<'_>, wave: i64) -> RunResult<i64> {
    index_doomed(work).await?;
    remove(work, Place { wave, rank: RANK_REMOVE }).await
}

/// Takes what belongs to the enrolments that [`unenrol`] removed in this wave; where it was the last one in the course,
/// everything that the user has there: roles in all subcontexts, groups, grades (into history), last access, forum rows.
///
/// # Errors
/// The engine's.
pub async fn clean_up(work: &mut Work<'_>, wave: i64) -> RunResult<()> {
    let last = let_go(work, wave).await?;
    work.conn.index_joined("last_pair", "userid, courseid").await?;
    keep_only_last(work, wave).await?;
    if last > 0 {
        wipe_roles(work, wave).await?;
    }
    wipe_and_settle(work, wave, last).await
}

/// [`unenrol`] and [`clean_up`] where `doomed` may be a good part of the site: its enrolments and roles are then found in
/// whole tables at once. What the last enrolments take with them is always looked up: grades and forums may be much more.
///
/// # Errors
/// As [`unenrol`] and [`clean_up`].
pub async fn unenrol_and_clean_up(work: &mut Work<'_>, wave: i64, doomed: i64) -> RunResult<()> {
    if !work.conn.is_good_part(doomed, "role_assignments").await? {
        work.conn.prefer_indexes(true).await?;
        if unenrol(work, wave).await? > 0 {
            clean_up(work, wave).await?;
        }
        return Ok(work.conn.prefer_indexes(false).await?);
    }
    work.conn.prefer_hashes(true).await?;
    let gone = remove(work, Place { wave, rank: RANK_REMOVE }).await?;
    let last = if gone > 0 { let_go(work, wave).await? } else { 0 };
    // Where each was the last of its pair, none was planned as that wrongly.
    if last != gone {
        keep_only_last(work, wave).await?;
    }
    if last > 0 {
        wipe_roles(work, wave).await?;
    }
    work.conn.prefer_hashes(false).await?;
    if gone > 0 {
        work.conn.prefer_indexes(true).await?;
        wipe_and_settle(work, wave, last).await?;
        work.conn.prefer_indexes(false).await?;
    }
    Ok(())
}

/// Takes what the removed enrolments themselves gave; gives how many were the last ones in their course.
async fn let_go(work: &mut Work<'_>, wave: i64) -> Result<i64, DbError> {
    let (removed_from, to) = Place { wave, rank: RANK_REMOVE }.range();
    // One enrolment gave each of them.
    let pick = |from: &str| {
        let of_change = ["c.line", "c.courseid", "c.contextid"];
        Pick::direct(of_change, from).with("removed", removed_from).with("removed_to", to).fragment("gone", REMOVED)
    };
    let owned_groups = pick(
        "{enrold_change} c JOIN :taken x ON x.userid = c.userid AND x.component = c.component AND x.itemid = c.enrolid WHERE :gone",
    );
    work.take(Place { wave, rank: RANK_OWNED_GROUPS }, Taken::GroupMember, owned_groups).await?;
    // By the user, whatever the statistics say of the rest: a whole course may be joined with a whole course else.
    let owned_roles = pick(
        "{enrold_change} c JOIN :taken x ON x.userid = c.userid AND x.contextid + 0 = c.contextid AND x.component || '' = c.component
            AND x.itemid + 0 = c.enrolid WHERE :gone",
    );
    work.take(Place { wave, rank: RANK_OWNED_ROLES }, Taken::Role, owned_roles).await?;
    last_pairs(work, wave).await
}

async fn wipe_and_settle(work: &mut Work<'_>, wave: i64, last: i64) -> RunResult<()> {
    if last > 0 {
        wipe(work, wave).await?;
    }
    Ok(settle_groups(work, wave).await?)
}

async fn remove(work: &mut Work<'_>, place: Place) -> RunResult<i64> {
    find_staying(work).await?;
    let oldrow = work.old_row("user_enrolments", "x");
    let params = work.at(place).fragment("oldrow", oldrow);
    let planned = work
        .journal(
            place,
            "kind, line, userid, courseid, enrolid, contextid, roleid, component, targetid, oldstatus, oldtimestart, oldtimeend, lastenrol, oldrow",
            "planned.line, planned.userid, planned.courseid, planned.enrolid",
            "SELECT 'enrolment.remove' AS kind, d.line, d.userid, d.courseid, d.enrolid, d.contextid, d.roleid, d.component, x.id AS targetid,
                    x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
                    CASE WHEN d.enrolid = MAX(d.enrolid) OVER (PARTITION BY d.userid, d.courseid)
                          AND NOT EXISTS (SELECT 1 FROM staying s WHERE s.userid = d.userid AND s.courseid = d.courseid)
                         THEN 1 ELSE 0 END AS lastenrol,
                    :oldrow AS oldrow
               FROM doomed d JOIN {user_enrolments} x ON x.id = d.ueid AND x.timeend = COALESCE(d.timeend, x.timeend)",
            params.clone(),
        )
        .await?;
    if planned == 0 {
        return Ok(0);
    }
    work.guard_ending().await?;
    let same =
        "x.id = c.targetid AND x.status = c.oldstatus AND x.timestart = c.oldtimestart AND x.timeend = c.oldtimeend";
    let applied = work.delete_planned(place, planned, "user_enrolments", same).await?;
    work.book("enrolment.remove", planned, applied);
    Ok(applied)
}

/// Finds the pairs of `doomed` that keep another enrolment in the course.
async fn find_staying(work: &mut Work<'_>) -> Result<(), DbError> {
    let params = work.params();
    work.conn.exec("DELETE FROM staying", &params).await?;
    work.conn
        .exec(
            "INSERT INTO staying (userid, courseid) SELECT DISTINCT d.userid, d.courseid FROM doomed d
               JOIN {user_enrolments} y ON y.userid = d.userid
               JOIN {enrol} e ON e.id = y.enrolid AND e.courseid = d.courseid
               LEFT JOIN doomed k ON k.ueid = y.id WHERE k.ueid IS NULL",
            &params,
        )
        .await?;
    work.conn.analyse("staying").await
}

/// What [`unenrol`] removed in a wave, of the changes `c`.
const REMOVED: &str =
    "c.kind = 'enrolment.remove' AND c.state = 0 AND c.run = :run AND c.seq > :removed AND c.seq <= :removed_to";

fn of_removed(work: &Work<'_>, wave: i64) -> Params {
    let (from, to) = Place { wave, rank: RANK_REMOVE }.range();
    work.params().with("removed", from).with("removed_to", to).fragment("gone", REMOVED)
}

/// Finds the pairs whose last enrolment in the course is gone now, whoever removed the others, and gives their number.
async fn last_pairs(work: &mut Work<'_>, wave: i64) -> Result<i64, DbError> {
    let params = of_removed(work, wave);
    work.conn.exec("DELETE FROM last_pair", &params).await?;
    let pairs = work
        .conn
        .exec(
            "INSERT INTO last_pair (userid, courseid, contextid, line)
             SELECT c.userid, c.courseid, c.contextid, MIN(c.line) FROM {enrold_change} c
              WHERE :gone AND NOT EXISTS (SELECT 1 FROM {user_enrolments} y JOIN {enrol} e ON e.id = y.enrolid
                    WHERE y.userid = c.userid AND e.courseid = c.courseid)
              GROUP BY c.userid, c.courseid, c.contextid",
            &params,
        )
        .await?;
    Ok(pairs as i64)
}

/// What was planned as the last enrolment is none where Moodle enrolled the user meanwhile: the event must not say so.
async fn keep_only_last(work: &mut Work<'_>, wave: i64) -> Result<(), DbError> {
    let sql = "UPDATE {enrold_change} AS c SET lastenrol = 0 WHERE :gone AND c.lastenrol = 1
                AND NOT EXISTS (SELECT 1 FROM last_pair l WHERE l.userid = c.userid AND l.courseid = c.courseid)";
    work.conn.exec(sql, &of_removed(work, wave)).await.map(|_| ())
}

/// Rows that a pair of `last_pair` has: what they belong to is in one course.
fn of_pair(from: &str) -> Pick {
    Pick::direct(["l.line", "l.courseid", "l.contextid"], from)
}

/// Takes the roles that the pairs of `last_pair` have in their courses and below.
async fn wipe_roles(work: &mut Work<'_>, wave: i64) -> Result<(), DbError> {
    let roles = of_pair(
        "last_pair l JOIN {context} home ON home.id = l.contextid JOIN :taken x ON x.userid = l.userid
           JOIN {context} k ON k.id = x.contextid AND (k.id = home.id OR k.path LIKE home.path || '/%')",
    );
    work.take(Place { wave, rank: RANK_REST_ROLES }, Taken::Role, roles).await
}

/// Takes what else the pairs of `last_pair` have in their courses.
async fn wipe(work: &mut Work<'_>, wave: i64) -> Result<(), DbError> {
    let groups = of_pair(
        "last_pair l JOIN {groups} g ON g.courseid = l.courseid JOIN :taken x ON x.groupid = g.id AND x.userid = l.userid",
    );
    work.take(Place { wave, rank: RANK_REST_GROUPS }, Taken::GroupMember, groups).await?;
    grades(work, wave).await?;
    for (at, (table, column)) in (0i64..).zip(FORUM_TABLES) {
        if work.site.columns.has_table(table) {
            let rows = of_pair(&format!(
                "last_pair l JOIN {{forum}} f ON f.course = l.courseid JOIN :taken x ON x.{column} = f.id AND x.userid = l.userid"
            ));
            work.take(Place { wave, rank: RANK_FORUM + at }, Taken::Forum(table), rows).await?;
        }
    }
    let access = of_pair("last_pair l JOIN :taken x ON x.userid = l.userid AND x.courseid = l.courseid");
    work.take(Place { wave, rank: RANK_LAST_ACCESS }, Taken::LastAccess, access).await
}

/// Grades go to history with action 3 (deleted) before they go (spec enrol-core 10).
async fn grades(work: &mut Work<'_>, wave: i64) -> Result<(), DbError> {
    let place = Place { wave, rank: RANK_GRADES };
    let rows = of_pair(
        "last_pair l JOIN {grade_items} i ON i.courseid = l.courseid JOIN :taken x ON x.itemid = i.id AND x.userid = l.userid",
    );
    let planned = work.plan_take(place, Taken::Grade, rows).await?;
    if planned == 0 {
        return Ok(());
    }
    if work.site.keeps_grade_history() {
        grade_history(work, place, Place { wave, rank: RANK_GRADE_HISTORY }).await?;
    }
    work.apply_take(place, Taken::Grade, planned).await
}

async fn grade_history(work: &mut Work<'_>, grades: Place, place: Place) -> Result<(), DbError> {
    let fixed = ["id", "action", "oldid", "source", "timemodified", "loggeduser"];
    let copied: Vec<String> = work
        .site
        .columns
        .of("grade_grades_history")
        .iter()
        .filter(|column| !fixed.contains(&column.as_str()) && work.site.columns.has("grade_grades", column))
        .cloned()
        .collect();
    let list = copied.iter().map(|column| work.conn.dialect().quote(column)).collect::<Vec<_>>();
    let params = work
        .at(grades)
        .fragment("columns", list.join(", "))
        .fragment("values", list.iter().map(|column| format!("g.{column}")).collect::<Vec<_>>().join(", "));
    let written = work
        .conn
        .exec(
            "INSERT INTO {grade_grades_history} (action, oldid, source, timemodified, loggeduser, :columns)
             SELECT 3, g.id, 'userdelete', :now, :actor, :values FROM {enrold_change} c JOIN {grade_grades} g ON g.id = c.targetid
              WHERE :here AND c.state = 0 ORDER BY c.seq",
            &params,
        )
        .await? as i64;
    // The journal names the history row by what identifies it: the grade's old id and the moment.
    let (from, to) = grades.range();
    let params = work.at(place).with("grades", from).with("grades_to", to);
    work.journal(
        place,
        "kind, line, userid, courseid, contextid, itemid, targetid",
        "planned.line, planned.targetid",
        "SELECT 'grade-history.add' AS kind, c.line, c.userid, c.courseid, c.contextid, c.itemid, c.targetid FROM {enrold_change} c
          WHERE c.run = :run AND c.seq > :grades AND c.seq <= :grades_to AND c.state = 0",
        params,
    )
    .await?;
    work.book("grade-history.add", written, written);
    Ok(())
}

/// A group whose members changed has a new `timemodified`, and its conversation loses the member (spec enrol-core 9).
/// `groups` is written by page views too, so this comes last.
async fn settle_groups(work: &mut Work<'_>, wave: i64) -> Result<(), DbError> {
    let (from, _) = Place { wave, rank: RANK_OWNED_GROUPS }.range();
    let (_, to) = Place { wave, rank: RANK_REST_GROUPS }.range();
    let left =
        "c.kind = 'group-member.remove' AND c.state = 0 AND c.run = :run AND c.seq > :left AND c.seq <= :left_to";
    let params = work.params().with("left", from).with("left_to", to).fragment("gone", left);
    if work.conn.number("SELECT COUNT(*) FROM {enrold_change} c WHERE :gone", &params).await? == 0 {
        return Ok(());
    }
    if work.site.columns.has_table("message_conversation_members") {
        leave_conversations(work, Place { wave, rank: RANK_CONVERSATIONS }, &params).await?;
    }
    touch_groups(work, Place { wave, rank: RANK_GROUP_TOUCH }, params).await
}

/// Who left a group by the changes that `:gone` names leaves its conversation.
pub(super) async fn leave_conversations(work: &mut Work<'_>, place: Place, left: &Params) -> Result<(), DbError> {
    let members = Pick::new(
        "SELECT m.id, MIN(c.line) AS line, c.courseid, c.contextid FROM {enrold_change} c
           JOIN {message_conversations} v ON v.component = 'core_group' AND v.itemtype = 'groups' AND v.itemid = c.groupid AND v.contextid = c.contextid
           JOIN {message_conversation_members} m ON m.conversationid = v.id AND m.userid = c.userid
          WHERE :gone AND c.kind = 'group-member.remove' GROUP BY m.id, c.courseid, c.contextid",
    );
    work.take(place, Taken::Conversation, members.params(left.clone())).await
}

/// The groups of the changes that `:gone` names have a new `timemodified`.
pub(super) async fn touch_groups(work: &mut Work<'_>, place: Place, left: Params) -> Result<(), DbError> {
    let oldrow = work.old_row("groups", "g");
    let (from, to) = place.range();
    let params = left.fragment("oldrow", oldrow);
    let planned = work
        .journal(
            place,
            "kind, line, courseid, groupid, targetid, oldrow",
            "planned.groupid",
            "SELECT 'group.touch' AS kind, t.line, g.courseid, g.id AS groupid, g.id AS targetid, :oldrow AS oldrow
               FROM (SELECT c.groupid, MIN(c.line) AS line FROM {enrold_change} c WHERE :gone GROUP BY c.groupid) t
               JOIN {groups} g ON g.id = t.groupid WHERE g.timemodified <> :now",
            params,
        )
        .await?;
    let sql = work.conn.dialect().update_joined(
        "{groups}",
        "g",
        &[("timemodified", ":now")],
        "{enrold_change} c",
        "c.run = :run AND c.seq > :from AND c.seq <= :to AND g.id = c.targetid",
    );
    let params = work.params().with("from", from).with("to", to);
    let applied = work.conn.exec(&sql, &params).await? as i64;
    work.book("group.touch", planned, applied);
    Ok(())
}
