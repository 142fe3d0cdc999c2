//! The users whom a run concerns, read from its journal, or from what a comparison foresees. It must not plan anything.

use crate::change::kind::{self, Figure, Kind};
use crate::change::kinds;
use crate::db::{Conn, DbError, Dialect, Params, statement};
use crate::outcome::{AffectedUser, People, PlaceKind, UserChange};

const WHAT: &str = statement(include_str!("people.sql"), "what");
const PLANNED: &str = statement(include_str!("people.sql"), "planned");
const FORESEEN: &str = statement(include_str!("people.sql"), "foreseen");
const PEOPLE: &str = statement(include_str!("people.sql"), "people");

/// Passes the users whom the changes of a run concern to `tell`, one per user and place, in one statement, which sorts
/// them: the cost grows with the changes of the run. With `foreseen` those of a set that was refused before anything
/// was planned.
///
/// # Errors
/// The database's error.
pub async fn each(
    conn: &mut Conn,
    run: i64,
    foreseen: bool,
    mut tell: impl FnMut(AffectedUser) + Send,
) -> Result<(), DbError> {
    let dialect = conn.dialect();
    let gone_name = dialect.neutral(&dialect.json_text("c.oldrow", "name"));
    conn.each(PEOPLE, &params(dialect, run, foreseen).fragment("gone_name", gone_name), |row| {
        let change = usize::try_from(row.int(2)).ok().and_then(|number| UserChange::ALL.get(number)).copied();
        let unknown = || DbError::other(format!("no change of a user has the number {}", row.int(2)));
        let name = [5, 6, 7].map(|at| row.text(at)).into_iter().find(|name| !name.is_empty());
        tell(AffectedUser {
            kind: match row.int(0) {
                0 => PlaceKind::Course,
                1 => PlaceKind::Cohort,
                _ => PlaceKind::Accounts,
            },
            id: row.int(1),
            name: name.unwrap_or_default(),
            change: change.ok_or_else(unknown)?,
            userid: row.int(3),
            username: row.text(4),
        });
        Ok(())
    })
    .await
}

fn params(dialect: Dialect, run: i64, foreseen: bool) -> Params {
    let of =
        |figures: &'static [Figure]| kind::names(|kind| kind.figure.is_some_and(|figure| figures.contains(&figure)));
    // Whoever is changed by a set that is only foreseen is suspended now, and would be active again.
    let again = if foreseen { "1 = 1" } else { "c.oldstatus = 1 AND c.status = 0" };
    // A set changes no account.
    let address = if foreseen { "NULL".to_owned() } else { dialect.json_text("c.newrow", "email") };
    Params::new()
        .with("run", run)
        .with("removes", &kinds::USER_REMOVE)
        .with("suspends_account", &kinds::USER_SUSPEND)
        .with("makes", &kinds::USER_ADD)
        .with("renames", &kinds::USER_RENAME)
        .with("updates", &kinds::USER_UPDATE)
        .with("of_accounts", kind::names(|kind| kind.table == "user"))
        .with("unenrols", of(&[Figure::Unenrolled, Figure::CohortLeft]))
        .with("suspends", of(&[Figure::Suspended]))
        .with("takes_role", of(&[Figure::RoleTaken]))
        .with("enrols", of(&[Figure::Enrolled, Figure::CohortJoined]))
        .with("gives_role", of(&[Figure::RoleGiven]))
        .with("changes", of(&[Figure::Changed]))
        .with("told", kind::names(is_told))
        .with("of_cohorts", kind::names(|kind| kind.table == "cohort_members"))
        .with("removes_cohort", kind::names(|kind| *kind == kinds::COHORT_REMOVE))
        .fragment("kind", "c.kind")
        .fragment("again", again)
        .fragment("address", address)
        .fragment("old_name", dialect.neutral(&dialect.json_text("c.oldrow", "username")))
        .fragment("what", WHAT)
        .fragment("rows", if foreseen { FORESEEN } else { PLANNED })
}

/// Whether a change of this kind is told: not that of a place, nor what comes with a change of an account.
fn is_told(kind: &Kind) -> bool {
    kind.table == "user" || !matches!(kind.figure, None | Some(Figure::Made | Figure::Unmade))
}

/// The users whom a run concerns, as many as a report names.
///
/// # Errors
/// The database's error.
pub async fn read(conn: &mut Conn, run: i64, foreseen: bool) -> Result<People, DbError> {
    let mut people = People::default();
    each(conn, run, foreseen, |user| people.add(user)).await?;
    Ok(people)
}
