//! What a full set comes to, place by place: counted from the journal of its run and the staged rows, before the run ends.
//! It must not write anything, nor format anything for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::kind::{self, Figure, Kind};
use crate::change::kinds;
use crate::db::{DbError, Params};
use crate::moodle::site::{RemovalAction, Site};
use crate::rules::database::{self, DATABASE, METHOD};
use crate::run::resolve::resolved;
use crate::run::work::Work;
use crate::sets::Terms;
use crate::sets::trend::{self, Point};
use crate::source::oneroster::Roster;

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// A course.
    Course,
    /// A cohort.
    Cohort,
}

/// Enrolments or memberships of the source, and rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Made.
    pub added: i64,
    /// Active again.
    pub reactivated: i64,
    /// With another window.
    pub changed: i64,
    /// Suspended.
    pub suspended: i64,
    /// Removed.
    pub removed: i64,
    /// As the set says already.
    pub unchanged: i64,
    /// Rows that name this place, and an account or a role that could not be found.
    pub unknown: i64,
}

impl Figures {
    /// True if somebody comes, goes or changes.
    pub fn change(&self) -> bool {
        self.added + self.reactivated + self.changed + self.suspended + self.removed > 0
    }

    /// Who loses access.
    fn lost(&self) -> i64 {
        self.removed + self.suspended
    }

    fn add(&mut self, other: &Self) {
        self.added += other.added;
        self.reactivated += other.reactivated;
        self.changed += other.changed;
        self.suspended += other.suspended;
        self.removed += other.removed;
        self.unchanged += other.unchanged;
        self.unknown += other.unknown;
    }
}

/// One course or cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPlace {
    /// Which of both.
    pub kind: PlaceKind,
    /// The course's short name; the cohort's idnumber, or its name where it has none.
    pub name: String,
    /// What the set makes of it.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A role value of the set that no role of the site has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleValue {
    /// What the rows say.
    pub value: String,
    /// How many of them.
    pub rows: u64,
    /// Short name of the role that they gave.
    pub role: String,
}

/// What a full set came to; of a run that is held or simulated, what it would come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetReport {
    /// The source.
    pub source: String,
    /// Rows of the set.
    pub rows: i64,
    /// Rows of the last good set, if there was one.
    pub last_rows: Option<i64>,
    /// Rows that failed, most of them because their keys match nobody or several.
    pub unknown: i64,
    /// The set was weighed and refused before anything was planned: the figures come from a comparison without
    /// consequences.
    pub foreseen: bool,
    /// All places together; `unknown` counts the rows with a known place only.
    pub totals: Figures,
    /// The places: those that lose most first, then those that change, each by name.
    pub places: Vec<SetPlace>,
    /// Places that are not kept in the history.
    pub more_places: usize,
    /// Role values that the site does not know, and for which the source's default role was given: the first of them.
    #[serde(default)]
    pub default_roles: Vec<RoleValue>,
    /// Rows with further values of that kind.
    #[serde(default)]
    pub more_default_roles: u64,
    /// People who lost their last enrolment in a course.
    pub last_enrolments: i64,
    /// Grades moved to history.
    pub grades: i64,
    /// The runs of this source before, the newest first.
    pub trend: Vec<Point>,
    /// What an archive leaves for the next delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<Roster>,
}

/// Places kept in the history.
const KEPT: usize = 500;

impl SetReport {
    /// The report with as many places as the history keeps.
    pub fn kept(&self) -> Self {
        let mut kept = self.clone();
        kept.places.truncate(KEPT);
        kept.more_places += self.places.len() - kept.places.len();
        kept
    }
}

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
   FROM {enrold_change} c LEFT JOIN set_person w ON w.courseid = c.courseid AND w.userid = c.userid AND w.enrolled = 1
  WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind = :suspended
  GROUP BY c.courseid, c.kind";

const OF_COHORTS: &str = "SELECT c.itemid AS place, c.kind AS what, 0 AS again, COUNT(*) AS n, COUNT(w.userid) AS named
   FROM {enrold_change} c LEFT JOIN set_member w ON w.cohortid = c.itemid AND w.userid = c.userid
  WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind IN (:of_cohorts) GROUP BY c.itemid, c.kind";

const FORESEEN_IN_COURSES: &str = "SELECT w.courseid AS place, CASE WHEN x.userid IS NULL THEN :added ELSE :changed END AS what,
        1 AS again, COUNT(*) AS n, COUNT(*) AS named
   FROM set_person w LEFT JOIN (:standing) x ON x.courseid = w.courseid AND x.userid = w.userid
  WHERE w.enrolled = 1 AND (x.userid IS NULL OR (x.status = 1 AND w.status = 0))
  GROUP BY w.courseid, CASE WHEN x.userid IS NULL THEN :added ELSE :changed END
  UNION ALL
 SELECT x.courseid, :ending, 0, COUNT(*), 0 FROM (:standing) x
   JOIN {course} c ON c.id = x.courseid AND (c.visible = 1 OR :ignore_hidden = 0)
   LEFT JOIN set_person w ON w.courseid = x.courseid AND w.userid = x.userid AND w.enrolled = 1
   LEFT JOIN set_spared s ON s.userid = x.userid
   LEFT JOIN set_spared_course p ON p.courseid = x.courseid
  WHERE w.userid IS NULL AND s.userid IS NULL AND p.courseid IS NULL AND (x.status = 0 OR :unenrol = 1) GROUP BY x.courseid";

/// The enrolments in the source's own instances.
const STANDING: &str =
    "SELECT e.courseid, x.userid, MIN(x.status) AS status FROM {enrol} e JOIN {user_enrolments} x ON x.enrolid = e.id
  WHERE e.enrol = :method AND :own_instance GROUP BY e.courseid, x.userid";

const FORESEEN_IN_COHORTS: &str =
    "SELECT w.cohortid AS place, :joined AS what, 0 AS again, COUNT(*) AS n, COUNT(*) AS named
   FROM set_member w LEFT JOIN {cohort_members} m ON m.cohortid = w.cohortid AND m.userid = w.userid
  WHERE m.id IS NULL GROUP BY w.cohortid
  UNION ALL
 SELECT g.cohortid, :left, 0, COUNT(*), 0 FROM (:leaving) l JOIN {cohort_members} g ON g.id = l.id GROUP BY g.cohortid";

/// Whom the set names, which of its rows failed (not all of them need be kept as problems), and what its changes cost people:
/// as rows of the same form.
const OF_SET_IN_COURSES: &str =
    "SELECT w.courseid, 'named', 0, COUNT(*), 0 FROM set_person w WHERE w.enrolled = 1 GROUP BY w.courseid
  UNION ALL
 SELECT k.courseid, 'unknown', 0, COUNT(*), 0 FROM stage_line l JOIN stage_course k ON k.ckey = l.ckey AND k.found = 1
   JOIN stage_user u ON u.ukey = l.ukey WHERE :all_known = 0 AND NOT (:resolved) GROUP BY k.courseid";

const OF_SET_IN_COHORTS: &str = "SELECT w.cohortid, 'named', 0, COUNT(*), 0 FROM set_member w GROUP BY w.cohortid
  UNION ALL
 SELECT k.cohortid, 'unknown', 0, COUNT(*), 0 FROM stage_line l JOIN stage_cohort k ON k.ckey = l.ckey AND k.found = 1
   JOIN stage_user u ON u.ukey = l.ukey WHERE :all_known = 0 AND NOT (:resolved) GROUP BY k.cohortid";

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
        .with("method", METHOD)
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
