//! Removes roles with elapsed enrolments: those that the instance owns, and those by hand as the policy says.
//! It must not distinguish methods: it reads the column `roles` of the temporary table `elapsed`.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{below, kinds};
use crate::db::{DbError, Literal, statement};
use crate::expiry::policy::{Due, Roles};
use crate::moodle::site::RemovalAction;

/// The values of `elapsed.roles`.
const STAY: i64 = 0;
const OWNED: i64 = 1;
const NAMED: i64 = 2;
const BY_HAND: i64 = 3;

const NAMED_ROLES: &str = statement(include_str!("roles.sql"), "named roles");
const ROLES_BY_HAND: &str = statement(include_str!("roles.sql"), "roles by hand");
const OWNED_ROLES: &str = statement(include_str!("roles.sql"), "owned roles");
const ROLES_BELOW: &str = statement(include_str!("roles.sql"), "roles below");

/// An expression over `e.enrol`: what becomes of the roles of an elapsed enrolment.
pub(super) fn fate(due: &[Due]) -> String {
    let fate = |due: &Due| match (due.action, due.policy.roles) {
        (RemovalAction::Keep | RemovalAction::Suspend, _) => STAY,
        (_, Roles::Owned) => OWNED,
        (_, Roles::Named) => NAMED,
        (_, Roles::ByHand) => BY_HAND,
    };
    let whens: Vec<String> =
        due.iter().map(|due| format!("WHEN {} THEN {}", Literal::word(due.policy.method), fate(due))).collect();
    format!("CASE e.enrol {} ELSE {STAY} END", whens.join(" "))
}

/// Removes the role by hand that the instance names, or all by hand in the course and below; their events come before
/// those of the unenrolment. Owned roles are removed with the enrolment itself.
pub(super) async fn before_unenrol(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let pick = ended(ctx, Position { pass_no, rank: kinds::UNENROL }, NAMED_ROLES);
    ctx.remove_rows(Position { pass_no, rank: kinds::NAMED_ROLE }, pick).await
}

/// With [`Roles::Named`], removes the only role in the course if it is by hand, or of several the one by hand that the
/// instance names; with [`Roles::ByHand`], all by hand in the course and below. Removes the instance's own roles, also
/// below, and if none is left in the course, those by hand below it (spec enrol-core 14 and 15).
pub(super) async fn before_suspend(ctx: &mut RunContext<'_>, suspended: Position) -> Result<(), DbError> {
    let taken =
        [(kinds::OWNED_ROLES, ROLES_BY_HAND), (kinds::ELAPSED_ROLES, OWNED_ROLES), (kinds::REST_ROLES, ROLES_BELOW)];
    for (rank, roles) in taken {
        let pick = ended(ctx, suspended, roles);
        ctx.remove_rows(Position { pass_no: suspended.pass_no, rank }, pick).await?;
    }
    Ok(())
}

/// A pick over `:gone`: the applied changes `c` of a journal position, each with its elapsed enrolment `d`.
/// `:roles_there` joins the roles `r` that the users have in their courses and below.
fn ended(ctx: &RunContext<'_>, position: Position, select: &str) -> Pick {
    let (from, to) = position.range();
    let gone = "{enrold_change} c JOIN [elapsed] d ON d.ueid = c.targetid
        AND c.run = :run AND c.seq > :ended AND c.seq <= :ended_to AND c.state = 0";
    let roles = below::roles_in(ctx.conn.dialect(), "c", "SELECT DISTINCT c.userid FROM :gone");
    Pick::new(select)
        .with("ended", from)
        .with("ended_to", to)
        .with("owned", OWNED)
        .with("named", NAMED)
        .with("by_hand", BY_HAND)
        .fragment("gone", gone)
        .fragment("roles_there", &roles)
}
