//! Verbs: what teachers and secretariats do by hand on Moodle's page of participants, for a course at once. It must not
//! know terminals or files: an order holds all that it needs, so that it can be held and approved.

mod convert;
mod copy;
mod manual;
mod move_groups;
mod order;
mod people;
mod period;
mod renew;
mod rows;

pub use order::{NewEnd, PeopleList, Place, SourceFate, Verb, VerbOrder};
pub use period::Period;
pub use rows::apply_file;

use chrono_tz::Tz;

use crate::change::context::RunContext;
use crate::change::{end, enrol, groups};
use crate::config::Settings;
use crate::db::Conn;
use crate::moodle::site::{self, Site};
use crate::moodle::{method, named};
use crate::outcome::{RunError, RunResult};

/// The site's facts by which an order is checked and carried out.
#[derive(Clone, Copy)]
struct Facts {
    zone: Tz,
    now: i64,
}

/// Refuses an order that cannot be carried out, before there is a run: a course, a role, a method, a group or an
/// instance that does not exist, an end that has passed. A few statements.
///
/// # Errors
/// [`RunError::NoSuchCourse`], [`RunError::Refused`], or the database's error.
pub async fn check(conn: &mut Conn, site: &Site, settings: &Settings, order: &VerbOrder, now: i64) -> RunResult<()> {
    let facts = Facts { zone: site::zone(settings, Some(site)), now };
    let places = people::places(conn, &order.place).await?;
    order.role_id(site)?;
    if !matches!(order.verb, Verb::Renew { .. }) && !site.is_enabled(method::MANUAL) {
        return Err(RunError::Refused(
            "the enrolment method 'manual' is not enabled on this site, and people become its participants: enable it \
             (Site administration > Plugins > Enrolments > Manage enrol plugins)"
                .to_owned(),
        ));
    }
    match &order.verb {
        Verb::Renew { end, .. } => renew::check(&facts, end),
        Verb::Convert { method, instance, .. } => convert::check(conn, site, &places, method, *instance).await,
        Verb::CopyParticipants { to } | Verb::MoveGroups { to, .. } => {
            if let Verb::MoveGroups { groups, .. } = &order.verb {
                move_groups::check(conn, &places, groups).await?;
            }
            let to = named::course(conn, order.place.key(), to).await?;
            if places.iter().any(|place| place.id == to.id) {
                return Err(RunError::Refused(format!("the course {} cannot be both", to.shortname)));
            }
            Ok(())
        }
    }
}

/// Carries an order out. The number of statements does not grow with the people.
///
/// # Errors
/// As [`check`], or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, settings: &Settings, order: &VerbOrder) -> RunResult<()> {
    let facts = Facts { zone: site::zone(settings, Some(ctx.site)), now: ctx.now };
    ctx.cause = order.kind();
    enrol::prepare(ctx);
    end::prepare(ctx);
    groups::prepare(ctx.conn);
    people::prepare(ctx).await?;
    let places = people::places(ctx.conn, &order.place).await?;
    people::load_places(ctx, &places).await?;
    if let Some(list) = &order.people {
        people::load_listed(ctx, list).await?;
    }
    match &order.verb {
        Verb::Renew { methods, end } => renew::apply(ctx, &facts, order, methods, end).await,
        Verb::Convert { method, instance, source } => {
            convert::apply(ctx, order, convert::From { method, instance: *instance }, *source).await
        }
        Verb::CopyParticipants { to } => copy::apply(ctx, settings, order, to).await,
        Verb::MoveGroups { to, groups } => move_groups::apply(ctx, settings, order, to, groups).await,
    }
}
