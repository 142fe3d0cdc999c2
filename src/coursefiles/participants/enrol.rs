//! Who of the rows is enrolled, becomes active again, stays as they are, or is only told of.
//! It must not change groups, nor roles of those who are in the course.

use crate::change::context::{Position, RunContext};
use crate::change::{enrol, kinds};
use crate::config::{Profile, Reactivate, Settings};
use crate::coursefiles::participants::place::Place;
use crate::coursefiles::participants::stage::user_key;
use crate::db::table::{int, small};
use crate::db::{DbError, Params, Table, statement};
use crate::mail;
use crate::moodle::site::id_list;
use crate::outcome::RunResult;
use crate::problem::PlaceKind;
use crate::staging::lines::WRITTEN;
use crate::staging::{AllowedRoles, hints, resolve};

/// The accounts that rows name, each once: `todo` is 0 for those that stay as they are, 1 for those to enrol, 2 for
/// those to make active again, 3 for those who are not active and are left so, 4 for those who are not enrolled and
/// are left so, 5 for those to take out, 6 for those with a role that a dropped file may not touch. `present`: how many
/// enrolments they have in the course.
pub const LIST_PERSON: Table = Table::new(
    "list_person",
    &[int("userid"), int("line"), int("outline"), int("present"), int("mineid").or_null(), small("todo")],
)
.primary("userid");

const REFUSED: &str = statement(include_str!("participants.sql"), "refused rows");
const PERSONS: &str = statement(include_str!("participants.sql"), "persons");
const SPARED: &str = statement(include_str!("participants.sql"), "spared persons");
const TOLD: &str = statement(include_str!("participants.sql"), "persons to tell of");
const PLANNED: &str = statement(include_str!("participants.sql"), "planned enrolments");
const MISSING_ROLES: &str = statement(include_str!("participants.sql"), "missing roles");

/// Resolves the accounts, fills `list_person`, and reports who gets no place; gives the number of rows that are not
/// applied.
///
/// # Errors
/// The database's error.
pub async fn judge(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    (profile, place): (&Profile, &Place),
    dropped: bool,
) -> Result<u64, DbError> {
    let key = user_key(profile);
    resolve::users(ctx, key).await?;
    let params = params(ctx, settings, place)
        .with("userkey", key.as_str())
        .with("reactivates", i64::from(profile.reactivate == Reactivate::Manual))
        .fragment("written", WRITTEN)
        .fragment("usercount", ctx.conn.dialect().to_text("u.found"));
    let unresolved = ctx.report_problems(PlaceKind::Line, REFUSED, params.clone()).await?;
    if unresolved > 0 {
        hints::users(ctx, key).await?;
    }
    ctx.conn.declare(&LIST_PERSON);
    ctx.conn.exec(PERSONS, &params).await?;
    let allowed = AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site);
    let params = params.with("rolekey", allowed.key());
    let params = params.fragment("allowed", allowed.ids().map(id_list).unwrap_or_default());
    if dropped && allowed.ids().is_some() {
        ctx.conn.exec(SPARED, &params).await?;
    }
    ctx.conn.analyse(LIST_PERSON.name).await?;
    let told = "SELECT COUNT(*) FROM [list_person] p WHERE p.todo IN (3, 4, 6)";
    if ctx.conn.number(told, &params).await? == 0 {
        return Ok(unresolved);
    }
    Ok(unresolved + ctx.report_problems(PlaceKind::Line, TOLD, params).await?)
}

/// The parameters of the statements about one course.
pub fn params(ctx: &RunContext<'_>, settings: &Settings, place: &Place) -> Params {
    let protected = ctx.site.protected(settings.guard.protect_admins);
    in_course(ctx, place).fragment("protected", id_list(&protected))
}

/// The parameters that say the course.
pub fn in_course(ctx: &RunContext<'_>, place: &Place) -> Params {
    ctx.params()
        .with("courseid", place.courseid)
        .with("contextid", place.contextid)
        .with("shown", place.shown.as_str())
        .with("enrolid", place.enrolid)
        .with("roleid", place.role.unwrap_or_default())
        .with("enrols", i64::from(place.role.is_some()))
        .with("linked", i64::from(place.linked))
}

/// Enrols, makes active again, and assigns the role of those whom this concerns.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    (profile, place): (&Profile, &Place),
    pass_no: i64,
) -> RunResult<()> {
    if place.role.is_none() {
        return Ok(());
    }
    let oldrow = ctx.old_row("user_enrolments", "x");
    let params = in_course(ctx, place)
        .with("rank_add", kinds::ENROL.at)
        .with("rank_update", kinds::UPDATE.at)
        .fragment("oldrow", oldrow);
    let planned = ctx
        .journal_ranked(
            pass_no,
            &[kinds::ENROL, kinds::UPDATE],
            "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
             oldtimestart, oldtimeend, oldrow",
            "planned.line, planned.userid",
            PLANNED,
            params,
        )
        .await?;
    if planned == 0 {
        return Ok(());
    }
    enrol::apply_planned(ctx, pass_no, planned).await?;
    let position = Position { pass_no, rank: kinds::ROLE };
    let columns = "line, userid, courseid, contextid, roleid, component, itemid";
    ctx.conn.prefer_indexes(true).await?;
    let params = in_course(ctx, place);
    let roles = ctx.journal(position, columns, "planned.line, planned.userid", MISSING_ROLES, params).await?;
    ctx.conn.prefer_indexes(false).await?;
    enrol::apply_roles(ctx, position, roles, None).await?;
    mail::welcome(ctx, settings, pass_no..=pass_no, profile.method.as_str()).await?;
    Ok(())
}
