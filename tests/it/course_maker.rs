//! Creates courses from rows on a site under test, by enrold's own steps, with the proofs that hold for each run.
//! It must not know what a test expects.

use std::collections::BTreeMap;

use enrold::change::context::RunContext;
use enrold::change::courses::{NewCourses, create};
use enrold::change::guard::Guard;
use enrold::config::SmallTimes;
use enrold::db::{Conn, Params};
use enrold::disk::{Dir, RegularFile};
use enrold::moodle::site::Site as Moodle;
use enrold::outcome::{DefaultRoles, Lines, Note, Observer};
use enrold::problem::PlaceKind;
use enrold::run::effects::Effects;
use enrold::run::{Engine, history};
use enrold::sets::courses;

use crate::dump::{EFFECTS, assert_same, without};
use crate::rebuild::rebuild;
use crate::site::Site;

/// The result of a run on rows of courses.
#[derive(Debug)]
pub struct Made {
    pub counts: BTreeMap<String, i64>,
    /// `line code value hint`
    pub errors: Vec<String>,
    pub notes: Vec<Note>,
    pub refused: u64,
    pub statements: u64,
}

/// The settings of most tests.
pub fn terms() -> NewCourses {
    NewCourses { default_category: 1, category_by_idnumber: false, template: String::new(), zone: chrono_tz::UTC }
}

impl Site {
    /// Creates courses with proofs: a simulation changes nothing, the journal reverts the run, a second is empty.
    pub async fn courses(&mut self, rows: &str, terms: &NewCourses, now: i64) -> Made {
        let before = self.dump().await;
        let rehearsal = self.courses_once(rows, terms, now, true).await;
        self.nothing_changed(&before, "simulated courses").await;
        let since = self.last_run().await;
        let made = self.courses_once(rows, terms, now, false).await;
        assert_eq!((&rehearsal.counts, &rehearsal.errors), (&made.counts, &made.errors), "the rehearsal said so");
        let after = self.dump().await;
        let rebuilt = rebuild(self, since, &after).await;
        assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");
        let again = self.courses_once(rows, terms, now, false).await;
        assert!(again.counts.is_empty(), "{:?}", again.counts);
        self.nothing_changed(&after, "the same rows again").await;
        made
    }

    /// One run or simulation, without proofs.
    pub async fn courses_once(&mut self, rows: &str, terms: &NewCourses, now: i64, simulate: bool) -> Made {
        let file = Dir::open_named(&self.write(rows).path).unwrap();
        let engine = self.engine();
        make(&mut self.conn, &engine, &file, terms, now, simulate).await
    }

    /// The campus with a category 1 of idnumber `cat1`, and an empty category 2 of idnumber `cat2`.
    pub async fn catalogue(&mut self) {
        self.campus().await;
        for id in [1, 2] {
            let row = [
                ("id", id.into()),
                ("name", format!("Category {id}").into()),
                ("idnumber", format!("cat{id}").into()),
                ("sortorder", (id * 10_000).into()),
                ("coursecount", if id == 1 { 3 } else { 0 }.into()),
                ("depth", 1.into()),
                ("path", format!("/{id}").into()),
            ];
            self.insert("course_categories", &row).await;
        }
        self.context(4, 40, 2, "/1/4").await;
        self.sql("UPDATE {course} SET sortorder = 10000 + id - 20 WHERE id > 20").await;
        self.reset_sequences().await;
    }
}

/// One run that creates courses, with its effects, or its simulation.
pub async fn make(
    conn: &mut Conn,
    engine: &Engine,
    file: &RegularFile,
    terms: &NewCourses,
    now: i64,
    simulate: bool,
) -> Made {
    conn.read_collations().await.unwrap();
    let moodle = Moodle::read(conn).await.unwrap();
    let run = match simulate {
        true => 0,
        false => history::open(conn, "sync database", "courses.csv", now, None, None).await.unwrap(),
    };
    conn.begin().await.unwrap();
    let mut ctx = RunContext {
        conn,
        site: &moodle,
        run,
        now,
        guard: Guard::new(engine.settings.guard.clone(), &engine.settings.tasks, None),
        approves: 0,
        observer: Observer::none(),
        counts: BTreeMap::new(),
        overtaken: 0,
        lines: Lines::default(),
        notes: Vec::new(),
        cause: "database",
        planned: 0,
        committed: 0,
        passes: 0,
        backfill: false,
        rules: Vec::new(),
        set: None,
        default_roles: DefaultRoles::default(),
        problems: enrold::problem::Kept::new(run, 0, 10_000),
    };
    let before = ctx.conn.statements();
    let lines = courses::load(&mut ctx, file, "courses.csv", terms.zone, SmallTimes::Refuse).await.unwrap();
    let refused = lines.failed + create(&mut ctx, terms).await.unwrap();
    let statements = ctx.conn.statements() - before;
    ctx.report_overtaken(PlaceKind::Buffer, "").await.unwrap();
    let counts = ctx.counts.iter().map(|(kind, count)| (kind.name.to_owned(), *count)).collect();
    let notes = ctx.notes;
    let sql = "SELECT number, code, value, hint, place FROM {enrold_error} WHERE run = :run ORDER BY place, number";
    let told = conn.rows(sql, &Params::new().with("run", run)).await.unwrap();
    assert!(told.iter().all(|row| row.text(4) == PlaceKind::Course.as_str()), "{told:?}");
    let errors = told.iter().map(|row| format!("{} {} {} {}", row.int(0), row.text(1), row.text(2), row.text(3)));
    let errors: Vec<String> = errors.map(|error| error.trim_end().to_owned()).collect();
    assert_eq!(errors.len() as u64, refused);
    if simulate {
        conn.rollback().await.unwrap();
    } else {
        let done = "UPDATE {enrold_run} SET state = 'done', effects = 1 WHERE id = :run";
        conn.exec(done, &Params::new().with("run", run)).await.unwrap();
        conn.commit().await.unwrap();
        let mut effects =
            Effects { conn, site: &moodle, clock: now, rows: 1_000, spool: None, observer: Observer::none() };
        effects.finish(run).await.unwrap();
    }
    Made { counts, errors, notes, refused, statements }
}
