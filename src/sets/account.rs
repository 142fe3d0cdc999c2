//! Counts the changes of a full set by course or cohort, from the journal of its run and the staged rows, before the
//! run ends. It must not write anything, nor format output.

use std::collections::BTreeMap;

use crate::change::context::RunContext;
use crate::change::kind::{self, Figure, Kind};
use crate::change::kinds;
use crate::db::table::{int, text};
use crate::db::{DbError, Params, Table, statement};
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, Site};
use crate::outcome::{Figures, PlaceKind, SetPlace, SetReport};
use crate::sets::database::{self, DATABASE};
use crate::sets::{Terms, trend};
use crate::staging::resolve::resolved;

/// Counts the changes in the journal, in two statements for any number of rows; does nothing for a set that was
/// [`foresee`]n.
///
/// # Errors
/// The database's error.
pub async fn take(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    if ctx.set.is_some() {
        return Ok(());
    }
    let changes = if terms.cohorts { OF_COHORTS } else { OF_COURSES };
    report(ctx, terms, changes, false).await
}

/// Counts the changes of a set that is refused before planning, by comparison with the existing rows, in three
/// statements; the resolved rows must be gathered. The table `set_foreseen` then has the users.
///
/// # Errors
/// The database's error.
pub async fn foresee(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    ctx.conn.declare(&SET_FORESEEN);
    let foreseen = if terms.cohorts { FORESEEN_IN_COHORTS } else { FORESEEN_IN_COURSES };
    let params = params(ctx, terms).await?;
    ctx.conn.exec(foreseen, &params).await?;
    report(ctx, terms, FORESEEN, true).await
}

/// What would happen to a user in a course or cohort, of a set that is refused before planning; `named` is 1 if the set
/// names the user there.
const SET_FORESEEN: Table = Table::new("set_foreseen", &[int("place"), int("userid"), text("kind", 40), int("named")]);

const OF_COURSES: &str = statement(include_str!("account.sql"), "changes in courses");
const OF_COHORTS: &str = statement(include_str!("account.sql"), "changes in cohorts");
const FORESEEN: &str = statement(include_str!("account.sql"), "changes foreseen");
const FORESEEN_IN_COURSES: &str = statement(include_str!("account.sql"), "foreseen in courses");
const FORESEEN_IN_COHORTS: &str = statement(include_str!("account.sql"), "foreseen in cohorts");
const EXISTING: &str = statement(include_str!("account.sql"), "existing enrolments");
const BESIDE_THE_SET: &str = statement(include_str!("account.sql"), "beside the set");
const OF_SET_IN_COURSES: &str = statement(include_str!("account.sql"), "rows in courses");
const OF_SET_IN_COHORTS: &str = statement(include_str!("account.sql"), "rows in cohorts");
const EXEMPT: &str = statement(include_str!("account.sql"), "accounts that never lose anything");
const COSTS: &str = statement(include_str!("account.sql"), "costs");
const ACCOUNT: &str = statement(include_str!("account.sql"), "account");

async fn report(ctx: &mut RunContext<'_>, terms: &Terms, changes: &str, foreseen: bool) -> Result<(), DbError> {
    let (kind, of_set, table, name) = match terms.cohorts {
        true => (PlaceKind::Cohort, OF_SET_IN_COHORTS, "{cohort}", "COALESCE(NULLIF(k.idnumber, ''), k.name)"),
        false => (PlaceKind::Course, OF_SET_IN_COURSES, "{course}", "k.shortname"),
    };
    let params = params(ctx, terms)
        .await?
        .fragment("changes", changes)
        .fragment("rows", of_set)
        .fragment("costs", COSTS)
        .fragment("places", table)
        .fragment("name", name);
    let mut counted = Counted::default();
    for row in ctx.conn.rows(ACCOUNT, &params).await? {
        counted.row(row.int(0), row.text(1), &row.text(2), row.int(3) == 1, (row.int(4), row.int(5)));
    }
    let (places, totals) = counted.places(kind);
    ctx.set = Some(SetReport {
        source: terms.source.clone(),
        rows: ctx.lines.records as i64,
        last_rows: terms.last_rows,
        unknown: ctx.lines.failed as i64,
        foreseen,
        totals,
        places,
        more_places: 0,
        default_roles: ctx.default_roles.told(&role_name(ctx.site, terms.default_role)),
        more_default_roles: ctx.default_roles.more,
        last_enrolments: counted.costs.0,
        grades: counted.costs.1,
        trend: trend::read(ctx.conn, &terms.source, ctx.run).await?,
        oneroster_base: None,
    });
    Ok(())
}

fn role_name(site: &Site, id: i64) -> String {
    site.roles.iter().find(|role| role.id == id).map(|role| role.shortname.clone()).unwrap_or_default()
}

async fn params(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<Params, DbError> {
    let (own_instance, own) = database::own_instance(&terms.source);
    let unenrols = terms.on_extra == RemovalAction::Unenrol && terms.grace == 0;
    let ending = match terms.on_extra {
        RemovalAction::Keep => "keep",
        _ if unenrols => kinds::ENROLMENT_REMOVE.name,
        _ => kinds::ENROLMENT_SUSPEND.name,
    };
    let never = [0, ctx.site.guest()];
    let params = match terms.cohorts {
        true => super::cohorts::resolved(ctx.params(), terms, &never),
        false => resolved(ctx.params(), &never),
    };
    let params = super::persons::kept_accounts(ctx, terms, params).await?;
    let params = params
        .with("all_known", i64::from(ctx.lines.failed == 0))
        .with("loses", i64::from(terms.on_extra != RemovalAction::Keep))
        .and(own)
        .with("cause", DATABASE.name)
        .with("method", method::DATABASE)
        .with("source", terms.source.as_str())
        .with("ignore_hidden", i64::from(terms.ignore_hidden))
        .with("unenrol", i64::from(unenrols))
        .with("ending", ending)
        .with("added", &kinds::ENROLMENT_ADD)
        .with("changed", &kinds::ENROLMENT_UPDATE)
        .with("suspended", &kinds::ENROLMENT_SUSPEND)
        .with("removed", &kinds::ENROLMENT_REMOVE)
        .with("joined", &kinds::COHORT_MEMBER_ADD)
        .with("left", &kinds::COHORT_MEMBER_REMOVE)
        .with("of_cohorts", kind::names(|kind| kind.table == "cohort_members"))
        .with("lost_grade", &kinds::GRADE_REMOVE)
        .fragment("own_instance", own_instance)
        .fragment("beside_the_set", BESIDE_THE_SET)
        .fragment("existing", EXISTING)
        .fragment("exempt", EXEMPT)
        .fragment("leaving", super::cohorts::LEAVING);
    Ok(params)
}

/// The courses or cohorts so far, by id, with their names and figures.
#[derive(Default)]
struct Counted {
    places: BTreeMap<i64, (String, Figures)>,
    costs: (i64, i64),
}

impl Counted {
    fn row(&mut self, place: i64, name: String, what: &str, again: bool, (count, named): (i64, i64)) {
        if what == "costs" {
            self.costs = (count, named);
            return;
        }
        let (_, figures) = self.places.entry(place).or_insert_with(|| (name, Figures::default()));
        match (Kind::of(what).and_then(|kind| kind.figure), what) {
            (Some(Figure::Enrolled | Figure::CohortJoined), _) => figures.added += count,
            (Some(Figure::Changed), _) if again => figures.reactivated += count,
            (Some(Figure::Changed), _) => figures.changed += count,
            (Some(Figure::Suspended), _) => figures.suspended += count,
            (Some(Figure::Unenrolled | Figure::CohortLeft), _) => figures.removed += count,
            (None, "named") => figures.unchanged += count,
            (None, "unknown") => figures.unknown += count,
            (None, "kept") => figures.kept += count,
            _ => {}
        }
        figures.unchanged -= named;
    }

    fn places(&mut self, kind: PlaceKind) -> (Vec<SetPlace>, Figures) {
        let mut totals = Figures::default();
        let mut places: Vec<SetPlace> = std::mem::take(&mut self.places)
            .into_values()
            .filter(|(_, figures)| *figures != Figures::default())
            .map(|(name, figures)| SetPlace { kind, name, figures })
            .collect();
        places.iter().for_each(|place| totals.add(&place.figures));
        places.sort_by(|a, b| {
            let rank = |place: &SetPlace| (-place.figures.lost(), !place.figures.change());
            rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name))
        });
        (places, totals)
    }
}
