//! What a full set comes to, place by place: counted from the journal of its run and the staged rows, before the run ends.
//! It must not write anything, nor format anything for people.

use std::collections::BTreeMap;

use crate::change::kind::{self, Figure, Kind};
use crate::change::kinds;
use crate::change::work::Work;
use crate::db::{DbError, Params};
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, Site};
use crate::outcome::{Figures, PlaceKind, SetPlace, SetReport};
use crate::sets::database::{self, DATABASE};
use crate::sets::{Terms, trend};
use crate::staging::resolve::resolved;

/// Counts what the journal holds. Two statements, whatever the number of rows; a set that was [`foresee`]n is counted
/// already.
///
/// # Errors
/// The engine's.
pub async fn take(work: &mut Work<'_>, terms: &Terms) -> Result<(), DbError> {
    if work.set.is_some() {
        return Ok(());
    }
    let changes = if terms.cohorts { OF_COHORTS } else { OF_COURSES };
    report(work, terms, changes, false).await
}

/// Compares a set that is refused before anything is planned with what stands. Two statements; the resolved rows must be
/// gathered.
///
/// # Errors
/// The engine's.
pub async fn foresee(work: &mut Work<'_>, terms: &Terms) -> Result<(), DbError> {
    let changes = if terms.cohorts { FORESEEN_IN_COHORTS } else { FORESEEN_IN_COURSES };
    report(work, terms, changes, true).await
}

/// Rows (place, what, again, n, named): so many changes, of which so many of people whom the set names there. Only those it
/// names are added or changed, and none of them is removed; suspended is who is absent, or whom it says to be.
const OF_COURSES: &str =
    "SELECT c.courseid AS place, c.kind AS what, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END AS again,
        COUNT(*) AS n, COUNT(CASE WHEN c.kind <> :removed THEN 1 END) AS named
   FROM {enrold_change} c
  WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind IN (:added, :changed, :removed)
  GROUP BY c.courseid, c.kind, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END
  UNION ALL
 SELECT c.courseid, c.kind, 0, COUNT(*), COUNT(w.userid)
   FROM {enrold_change} c LEFT JOIN [set_person] w ON w.courseid = c.courseid AND w.userid = c.userid AND w.enrolled = 1
  WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind = :suspended
  GROUP BY c.courseid, c.kind";

const OF_COHORTS: &str = "SELECT c.itemid AS place, c.kind AS what, 0 AS again, COUNT(*) AS n, COUNT(w.userid) AS named
   FROM {enrold_change} c LEFT JOIN [set_member] w ON w.cohortid = c.itemid AND w.userid = c.userid
  WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind IN (:of_cohorts) GROUP BY c.itemid, c.kind";

const FORESEEN_IN_COURSES: &str = "SELECT w.courseid AS place, CASE WHEN x.userid IS NULL THEN :added ELSE :changed END AS what,
        1 AS again, COUNT(*) AS n, COUNT(*) AS named
   FROM [set_person] w LEFT JOIN (:standing) x ON x.courseid = w.courseid AND x.userid = w.userid
  WHERE w.enrolled = 1 AND (x.userid IS NULL OR (x.status = 1 AND w.status = 0))
  GROUP BY w.courseid, CASE WHEN x.userid IS NULL THEN :added ELSE :changed END
  UNION ALL
 SELECT x.courseid, :ending, 0, COUNT(*), 0 FROM (:standing) x
   JOIN {course} c ON c.id = x.courseid AND (c.visible = 1 OR :ignore_hidden = 0)
   LEFT JOIN [set_person] w ON w.courseid = x.courseid AND w.userid = x.userid AND w.enrolled = 1
   LEFT JOIN [set_spared] s ON s.userid = x.userid
   LEFT JOIN [set_spared_course] p ON p.courseid = x.courseid
  WHERE w.userid IS NULL AND s.userid IS NULL AND p.courseid IS NULL AND (x.status = 0 OR :unenrol = 1) GROUP BY x.courseid";

/// The enrolments in the source's own instances.
const STANDING: &str =
    "SELECT e.courseid, x.userid, MIN(x.status) AS status FROM {enrol} e JOIN {user_enrolments} x ON x.enrolid = e.id
  WHERE e.enrol = :method AND :own_instance GROUP BY e.courseid, x.userid";

const FORESEEN_IN_COHORTS: &str =
    "SELECT w.cohortid AS place, :joined AS what, 0 AS again, COUNT(*) AS n, COUNT(*) AS named
   FROM [set_member] w LEFT JOIN {cohort_members} m ON m.cohortid = w.cohortid AND m.userid = w.userid
  WHERE m.id IS NULL GROUP BY w.cohortid
  UNION ALL
 SELECT g.cohortid, :left, 0, COUNT(*), 0 FROM (:leaving) l JOIN {cohort_members} g ON g.id = l.id GROUP BY g.cohortid";

/// Whom the set names, which of its rows failed (not all of them need be kept as problems), and what its changes cost people:
/// as rows of the same form.
const OF_SET_IN_COURSES: &str =
    "SELECT w.courseid, 'named', 0, COUNT(*), 0 FROM [set_person] w WHERE w.enrolled = 1 GROUP BY w.courseid
  UNION ALL
 SELECT k.courseid, 'unknown', 0, COUNT(*), 0 FROM [stage_line] l JOIN [stage_course] k ON k.ckey = l.ckey AND k.found = 1
   JOIN [stage_user] u ON u.ukey = l.ukey WHERE :all_known = 0 AND NOT (:resolved) GROUP BY k.courseid";

const OF_SET_IN_COHORTS: &str = "SELECT w.cohortid, 'named', 0, COUNT(*), 0 FROM [set_member] w GROUP BY w.cohortid
  UNION ALL
 SELECT k.cohortid, 'unknown', 0, COUNT(*), 0 FROM [stage_line] l JOIN [stage_cohort] k ON k.ckey = l.ckey AND k.found = 1
   JOIN [stage_user] u ON u.ukey = l.ukey WHERE :all_known = 0 AND NOT (:resolved) GROUP BY k.cohortid";

const COSTS: &str = "SELECT 0, 'costs', 0, COUNT(CASE WHEN c.lastenrol = 1 THEN 1 END), COUNT(CASE WHEN c.kind = :lost_grade THEN 1 END)
   FROM {enrold_change} c WHERE c.run = :run AND c.state = 0";

async fn report(work: &mut Work<'_>, terms: &Terms, changes: &str, foreseen: bool) -> Result<(), DbError> {
    let (kind, of_set, table, name) = match terms.cohorts {
        true => (PlaceKind::Cohort, OF_SET_IN_COHORTS, "cohort", "COALESCE(NULLIF(k.idnumber, ''), k.name)"),
        false => (PlaceKind::Course, OF_SET_IN_COURSES, "course", "k.shortname"),
    };
    let sql = format!(
        "SELECT q.place, COALESCE({name}, ''), q.what, q.again, q.n, q.named
           FROM ({changes} UNION ALL {of_set} UNION ALL {COSTS}) q LEFT JOIN {{{table}}} k ON k.id = q.place"
    );
    let params = params(work, terms);
    let mut counted = Counted::default();
    for row in work.conn.rows(&sql, &params).await? {
        counted.row(row.int(0), row.text(1), &row.text(2), row.int(3) == 1, (row.int(4), row.int(5)));
    }
    let (places, totals) = counted.places(kind);
    work.set = Some(SetReport {
        source: terms.source.clone(),
        rows: work.lines.records as i64,
        last_rows: terms.last_rows,
        unknown: work.lines.failed as i64,
        foreseen,
        totals,
        places,
        more_places: 0,
        default_roles: work.default_roles.told(&role_name(work.site, terms.default_role)),
        more_default_roles: work.default_roles.more,
        last_enrolments: counted.costs.0,
        grades: counted.costs.1,
        trend: trend::read(work.conn, &terms.source, work.run).await?,
        roster: None,
    });
    Ok(())
}

fn role_name(site: &Site, id: i64) -> String {
    site.roles.iter().find(|role| role.id == id).map(|role| role.shortname.clone()).unwrap_or_default()
}

fn params(work: &Work<'_>, terms: &Terms) -> Params {
    let (own_instance, own) = database::own_instance(&terms.source);
    let unenrols = terms.surplus == RemovalAction::Unenrol && terms.grace == 0;
    let ending = match terms.surplus {
        RemovalAction::Keep => "keep",
        _ if unenrols => kinds::ENROLMENT_REMOVE.name,
        _ => kinds::ENROLMENT_SUSPEND.name,
    };
    let standing = STANDING.replace(":own_instance", &own_instance);
    let never = [0, work.site.guest()];
    let params = match terms.cohorts {
        true => super::cohorts::resolved(work.params(), terms, &never),
        false => resolved(work.params(), &never),
    };
    params
        .with("all_known", i64::from(work.lines.failed == 0))
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
        .fragment("standing", standing)
        .fragment("leaving", super::cohorts::LEAVING)
}

/// The places so far, by id, with how many people the set names there and how many of those change.
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
