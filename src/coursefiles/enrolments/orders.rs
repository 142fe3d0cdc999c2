//! Which rows are applied: those whose account, course and method are found, numbered for each person in each course.
//! It must not change anything.

use crate::change::context::RunContext;
use crate::config::{Profile, Settings};
use crate::db::table::{int, small};
use crate::db::{DbError, Params, Table, statement};
use crate::moodle::site::id_list;
use crate::problem::PlaceKind;
use crate::staging::resolve::{self, Keys, UNRESOLVED_LINES};
use crate::staging::{AllowedRoles, hints};

/// The orders that are applied, as `stage_line`; `enrolid` is 0 for an order about the role alone, `wave` numbers the
/// orders of a pair.
const PLACE_ORDER: Table = Table::new(
    "place_order",
    &[
        int("line"),
        small("op"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("roleid"),
        int("enrolid"),
        small("method"),
        int("timestart"),
        int("timeend"),
        small("gop"),
        int("wave"),
    ],
)
.joined_by(&["wave", "line"]);
/// The instance that a method has in a course: the first enabled one.
const ORDER_METHOD: Table =
    Table::new("order_method", &[int("courseid"), small("method"), int("enrolid")]).primary("courseid, method");
/// Pairs with too many orders.
const LONG_PAIR: Table = Table::new("long_pair", &[int("userid"), int("courseid")]).primary("userid, courseid");

const METHODS: &str = statement(include_str!("enrolments.sql"), "methods");
const WITHOUT_METHOD: &str = statement(include_str!("enrolments.sql"), "rows without method");
const SPARED: &str = statement(include_str!("enrolments.sql"), "spared rows");
const ORDERS: &str = statement(include_str!("enrolments.sql"), "orders");
const LONG_PAIRS: &str = statement(include_str!("enrolments.sql"), "long pairs");
const TOO_MANY: &str = statement(include_str!("enrolments.sql"), "orders of long pairs");

/// What was found.
pub struct Orders {
    /// The most orders of a pair.
    pub waves: i64,
    /// How many rows are not applied.
    pub refused: u64,
}

/// Fills `place_order`, and reports the rows that are not applied.
///
/// # Errors
/// The database's error.
pub async fn find(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    dropped: bool,
) -> Result<Orders, DbError> {
    let keys = Keys { user: profile.user_key, course: profile.course_key };
    let protected = ctx.site.protected(settings.guard.protect_admins);
    resolve::keys(ctx, keys).await?;
    let mut refused = resolve::refuse_unresolved(ctx, UNRESOLVED_LINES, keys, &protected, "").await?;
    if refused > 0 {
        hints::users(ctx, keys.user).await?;
    }
    for table in [&PLACE_ORDER, &ORDER_METHOD, &LONG_PAIR] {
        ctx.conn.declare(table);
    }
    let params = params(ctx, settings, &protected, dropped);
    ctx.conn.exec(METHODS, &params).await?;
    refused += ctx.report_problems(PlaceKind::Line, WITHOUT_METHOD, params.clone()).await?;
    if dropped {
        refused += ctx.report_problems(PlaceKind::Line, SPARED, params.clone()).await?;
    }
    ctx.conn.exec(ORDERS, &params).await?;
    refused += refuse_long(ctx, i64::from(settings.flatfile.max_steps)).await?;
    ctx.conn.analyse(PLACE_ORDER.name).await?;
    let waves = "SELECT COALESCE(MAX(o.wave), 0) FROM [place_order] o";
    Ok(Orders { waves: ctx.conn.number(waves, &params).await?, refused })
}

/// The parameters of the statements: `:spared` is the condition of rows that a dropped file may not apply.
fn params(ctx: &RunContext<'_>, settings: &Settings, protected: &[i64], dropped: bool) -> Params {
    let numbers = [("manual", 1), ("self", 2)].into_iter().filter(|(name, _)| ctx.site.is_enabled(name));
    let enabled: Vec<i64> = numbers.map(|(_, number)| number).collect();
    let allowed = AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site);
    // A dropped file neither gives nor ends a place of somebody with a role that it may not give.
    let spared = match allowed.ids() {
        Some(_) if dropped => {
            "(l.method <> 0 OR l.op = 3) AND EXISTS
                (SELECT 1 FROM {role_assignments} y WHERE y.userid = u.userid AND y.contextid = k.contextid
                    AND y.roleid NOT IN (:allowed))"
        }
        _ => "1 = 0",
    };
    let params = ctx
        .params()
        .with("rolekey", allowed.key())
        .fragment("spared", spared)
        .fragment("allowed", allowed.ids().map(id_list).unwrap_or_else(|| "0".to_owned()))
        .fragment("enabled", id_list(&enabled));
    resolve::resolved(params, protected)
}

/// Refuses all rows of pairs with more than `limit` orders; gives their number.
async fn refuse_long(ctx: &mut RunContext<'_>, limit: i64) -> Result<u64, DbError> {
    let params = ctx.params().with("limit", limit).with("limittext", limit.to_string());
    if ctx.conn.exec(LONG_PAIRS, &params).await? == 0 {
        return Ok(0);
    }
    let refused = ctx.report_problems(PlaceKind::Line, TOO_MANY, params.clone()).await?;
    let gone = "DELETE FROM [place_order] WHERE EXISTS
        (SELECT 1 FROM [long_pair] p WHERE p.userid = place_order.userid AND p.courseid = place_order.courseid)";
    ctx.conn.exec(gone, &params).await?;
    Ok(refused)
}
