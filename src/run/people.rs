//! The users whom a run concerns, read from its journal, or from what a comparison foresees. It must not plan anything.

use crate::change::kind::{self, Figure};
use crate::db::{Conn, DbError, Params, statement};
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
    conn.each(PEOPLE, &params(run, foreseen), |row| {
        let change = usize::try_from(row.int(2)).ok().and_then(|number| UserChange::ALL.get(number)).copied();
        let unknown = || DbError::other(format!("no change of a user has the number {}", row.int(2)));
        let name = [5, 6, 7].map(|at| row.text(at)).into_iter().find(|name| !name.is_empty());
        tell(AffectedUser {
            kind: if row.int(0) == 1 { PlaceKind::Cohort } else { PlaceKind::Course },
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

fn params(run: i64, foreseen: bool) -> Params {
    let of =
        |figures: &'static [Figure]| kind::names(|kind| kind.figure.is_some_and(|figure| figures.contains(&figure)));
    // Whoever is changed by a set that is only foreseen is suspended now, and would be active again.
    let again = if foreseen { "1 = 1" } else { "c.oldstatus = 1 AND c.status = 0" };
    Params::new()
        .with("run", run)
        .with("unenrols", of(&[Figure::Unenrolled, Figure::CohortLeft]))
        .with("suspends", of(&[Figure::Suspended]))
        .with("takes_role", of(&[Figure::RoleTaken]))
        .with("enrols", of(&[Figure::Enrolled, Figure::CohortJoined]))
        .with("gives_role", of(&[Figure::RoleGiven]))
        .with("changes", of(&[Figure::Changed]))
        .with("told", kind::names(|kind| !matches!(kind.figure, None | Some(Figure::Made | Figure::Unmade))))
        .with("of_cohorts", kind::names(|kind| kind.table == "cohort_members"))
        .fragment("kind", "c.kind")
        .fragment("again", again)
        .fragment("what", WHAT)
        .fragment("rows", if foreseen { FORESEEN } else { PLANNED })
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
