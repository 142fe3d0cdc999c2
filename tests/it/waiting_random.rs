//! Properties of lines that wait: random files, accounts, courses and passes in any order against a model that goes row
//! by row. It must not know how rows are found, closed or applied.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use enrold::db::{Dialect, Params};
use enrold::run::Import;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::campus::{role, since_now};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(any_order_leaves_what_the_model_says, waiting_equals_a_file_that_comes_later);

const ROLES: [&str; 2] = ["student", "teacher"];
/// The accounts that appear: as stored, and as lines name them.
const PEOPLE: [(&str, &str); 3] = [("ann", "ann"), ("Bob", "BOB"), ("ève", "Ève")];
const COURSES: [&str; 2] = ["k1", "k2"];

/// A line of a file. There are few people and courses, so that lines collide.
#[derive(Clone, Debug)]
struct Line {
    add: bool,
    role: usize,
    who: usize,
    whither: usize,
    start: i64,
    end: i64,
}

#[derive(Clone, Debug)]
enum Step {
    /// Lines, by idnumbers or by user names.
    File(bool, Vec<Line>),
    Account(usize),
    Course(usize),
    Pass,
}

fn line() -> impl Strategy<Value = Line> {
    let start = prop_oneof![4 => Just(0), 1 => Just(NOW - 50), 1 => Just(NOW + 50)];
    let end = prop_oneof![3 => Just(0), 1 => Just(NOW + 900), 1 => Just(NOW + 950)];
    let what = (prop::bool::weighted(0.7), 0..ROLES.len(), 0..PEOPLE.len(), 0..COURSES.len());
    (what, start, end).prop_map(|((add, role, who, whither), start, end)| Line { add, role, who, whither, start, end })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (prop::bool::weighted(0.3), prop::collection::vec(line(), 1..7)).prop_map(|(ids, lines)| Step::File(ids, lines)),
        2 => (0..PEOPLE.len()).prop_map(Step::Account),
        2 => (0..COURSES.len()).prop_map(Step::Course),
        2 => select(vec![Step::Pass]),
    ];
    prop::collection::vec(step, 4..13)
}

/// A row of the waiting list.
#[derive(Clone, Debug)]
struct Row {
    ids: bool,
    line: Line,
    /// The step that brought it.
    at: usize,
    state: &'static str,
}

type Place = (usize, usize, usize);

fn place(line: &Line) -> Place {
    (line.who, line.whither, line.role)
}

/// The site in memory: by person and course.
#[derive(Clone, Debug, Default)]
struct Model {
    accounts: BTreeSet<usize>,
    courses: BTreeSet<usize>,
    enrolments: BTreeMap<(usize, usize), (i64, i64)>,
    roles: BTreeSet<Place>,
    buffer: BTreeSet<(bool, Place, i64, i64)>,
    /// The step whose lines have last ended an enrolment.
    ended: BTreeMap<(usize, usize), usize>,
    waiting: Vec<Row>,
}

impl Model {
    fn resolves(&self, line: &Line) -> bool {
        self.accounts.contains(&line.who) && self.courses.contains(&line.whither)
    }

    /// Applies one line; true if it has ended an enrolment.
    fn apply(&mut self, line: &Line) -> bool {
        let (at, pair) = (place(line), (line.who, line.whither));
        if line.start > NOW {
            self.buffer.insert((line.add, at, line.start, line.end));
            return false;
        }
        self.buffer.retain(|kept| kept.1 != at);
        if line.add {
            self.enrolments.insert(pair, (line.start, line.end));
            self.roles.insert(at);
            return false;
        }
        let ends = self.roles.contains(&at);
        if ends {
            self.enrolments.remove(&pair);
            self.roles.retain(|kept| (kept.0, kept.1) != pair);
        }
        ends
    }

    fn file(&mut self, step: usize, ids: bool, lines: &[Line]) {
        // The last line of a person, course and role speaks for the file.
        for at in lines.iter().map(place).collect::<BTreeSet<_>>() {
            let of: Vec<&Line> = lines.iter().filter(|line| place(line) == at).collect();
            let last = of[of.len() - 1];
            let (resolves, waits) = (self.resolves(last), last.add && !self.resolves(last));
            let mut is_there = false;
            for row in self.waiting.iter_mut().filter(|row| row.state == "waiting" && place(&row.line) == at) {
                let same = (row.line.start, row.line.end) == (last.start, last.end);
                if row.ids == ids && waits && same {
                    is_there = true;
                } else if row.ids == ids || resolves {
                    // A row of another kind of key is known to be of the same person only when he exists.
                    row.state = if last.add { "superseded" } else { "cancelled" };
                }
            }
            if waits && !is_there {
                self.waiting.push(Row { ids, line: last.clone(), at: step, state: "waiting" });
            }
        }
        // New rows are in the order of their lines.
        let position = |row: &Row| lines.iter().rposition(|line| place(line) == place(&row.line));
        self.waiting.sort_by_key(|row| (row.at, if row.at == step { position(row) } else { None }));
        for line in lines {
            if self.resolves(line) && self.apply(line) {
                self.ended.insert((line.who, line.whither), step);
            }
        }
    }

    fn pass(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for row in waiting.iter_mut().filter(|row| row.state == "waiting") {
            if !self.resolves(&row.line) {
                continue;
            }
            if self.ended.get(&(row.line.who, row.line.whither)).is_some_and(|ended| *ended > row.at) {
                row.state = "superseded";
            } else {
                row.state = "applied";
                self.apply(&row.line);
            }
        }
        self.waiting = waiting;
    }

    /// The same in the form of [`Site::told_of_waiting`].
    fn told(&self) -> [Vec<String>; 4] {
        let window = |start: i64, end: i64| format!("{}..{}", since_now(start), since_now(end));
        let pair = |who: usize, whither: usize| format!("{} {}", PEOPLE[who].0, COURSES[whither]);
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let enrolments = self.enrolments.iter().map(|((who, whither), times)| match times {
            (0, 0) => format!("{} flatfile", pair(*who, *whither)),
            (start, end) => format!("{} flatfile {}", pair(*who, *whither), window(*start, *end)),
        });
        let roles =
            self.roles.iter().map(|(who, whither, role)| format!("{} {} flatfile", pair(*who, *whither), ROLES[*role]));
        let buffer = self.buffer.iter().map(|(add, (who, whither, role), start, end)| {
            let operation = if *add { "add" } else { "del" };
            format!("{operation} {} {} {}", pair(*who, *whither), ROLES[*role], window(*start, *end))
        });
        let waiting = self.waiting.iter().map(|Row { ids, line, state, .. }| {
            let key = if *ids { format!("n-{}", PEOPLE[line.who].0) } else { PEOPLE[line.who].0.to_lowercase() };
            let window = window(line.start, line.end);
            format!("{key} {} {} {window} {state}", COURSES[line.whither], role(ROLES[line.role]))
        });
        [sorted(enrolments.collect()), sorted(roles.collect()), sorted(buffer.collect()), waiting.collect()]
    }
}

impl Site {
    /// The site without the people and courses of this test, and without their lines.
    async fn without_newcomers(&mut self) {
        let tables = ["user_enrolments", "role_assignments", "enrol_flatfile", "logstore_standard_log", "cache_flags"];
        for table in tables.into_iter().chain(["enrold_waiting"]) {
            self.sql(&format!("DELETE FROM {{{table}}}")).await;
        }
        self.sql("DELETE FROM {enrol} WHERE enrol = 'flatfile'").await;
        self.sql("DELETE FROM {user} WHERE id >= 900").await;
        self.sql("DELETE FROM {course} WHERE id >= 700").await;
        self.sql("DELETE FROM {context} WHERE contextlevel = 50 AND instanceid >= 700").await;
    }

    async fn newcomer(&mut self, who: usize) {
        self.new_account(900 + who as i64, PEOPLE[who].0, "manual").await;
    }

    async fn new_course(&mut self, whither: usize) {
        let (id, context) = (700 + whither as i64, 150 + whither as i64);
        self.course(id, 1, COURSES[whither], "").await;
        self.context(context, 50, id, &format!("/1/3/{context}")).await;
    }

    async fn lines_of(&mut self, ids: bool, lines: &[Line]) -> Import {
        let text = |line: &Line| {
            let Line { add, role, who, whither, start, end } = line;
            let (stored, named) = PEOPLE[*who];
            let key = if ids { format!("n-{stored}") } else { named.to_owned() };
            let operation = if *add { "add" } else { "del" };
            format!("{operation};{};{key};{};{start};{end}\n", ROLES[*role], COURSES[*whither])
        };
        self.set("flatfile.header.user_key", if ids { "idnumber" } else { "username" });
        let lines: String = lines.iter().map(text).collect();
        self.write(format!("operation;role;user;course;timestart;timeend\n{lines}"))
    }

    async fn told_of_waiting(&mut self) -> [Vec<String>; 4] {
        let sql =
            "SELECT w.ukey, w.pkey, w.roleid, w.timestart, w.timeend, w.state FROM {enrold_waiting} w ORDER BY w.id";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let waiting = rows.iter().map(|row| {
            let window = format!("{}..{}", since_now(row.int(3)), since_now(row.int(4)));
            format!("{} {} {} {window} {}", row.text(0), row.text(1), row.int(2), row.text(5))
        });
        [self.enrolments().await, self.roles().await, self.buffer().await, waiting.collect()]
    }
}

async fn steps_follow_the_model(site: &mut Site, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::File(ids, lines) => {
                model.file(at, *ids, lines);
                let file = site.lines_of(*ids, lines).await;
                site.engine().import(&file, false).await.unwrap();
            }
            Step::Account(who) => {
                if model.accounts.insert(*who) {
                    site.newcomer(*who).await;
                }
            }
            Step::Course(whither) => {
                if model.courses.insert(*whither) {
                    site.new_course(*whither).await;
                }
            }
            Step::Pass => {
                let any = model.waiting.iter().any(|row| row.state == "waiting" && model.resolves(&row.line));
                prop_assert!(!any || site.engine().finds_waiting().await.unwrap(), "step {}", at);
                model.pass();
                site.pass().await;
            }
        }
        prop_assert_eq!(&site.told_of_waiting().await, &model.told(), "step {}", at);
    }
    Ok(())
}

/// Where nothing comes between, the lines that waited do what the file does when it comes after the accounts. A file has
/// one line of each person, course and role here: of several the last one waits alone.
async fn waits_or_comes_later(
    site: &mut Site,
    (ids, lines, first): &(bool, Vec<Line>, BTreeSet<usize>),
) -> Result<(), TestCaseError> {
    let mut told = Vec::new();
    for waits in [true, false] {
        site.without_newcomers().await;
        for who in first {
            site.newcomer(*who).await;
        }
        let file = site.lines_of(*ids, lines).await;
        if waits {
            site.engine().import(&file, false).await.unwrap();
        }
        for who in (0..PEOPLE.len()).filter(|who| !first.contains(who)) {
            site.newcomer(who).await;
        }
        for whither in 0..COURSES.len() {
            site.new_course(whither).await;
        }
        if waits {
            site.pass().await;
            let left = site.lines("SELECT DISTINCT w.state FROM {enrold_waiting} w", |row| row.text(0)).await;
            prop_assert_eq!(left, ["applied"]);
        } else {
            site.engine().import(&file, false).await.unwrap();
        }
        let [enrolments, roles, buffer, _] = site.told_of_waiting().await;
        let mut events = site.events().await;
        events.sort();
        told.push([enrolments, roles, buffer, events]);
    }
    prop_assert_eq!(&told[0], &told[1]);
    Ok(())
}

/// Few cases on the servers, where each takes longer; `ENROLD_TEST_SITES` sets another number.
async fn on_one_site<S: Strategy>(
    mut site: Site,
    values: S,
    property: impl AsyncFn(&mut Site, &S::Value) -> Result<(), TestCaseError>,
) {
    let few = if site.conn.dialect() == Dialect::Lite { 24 } else { 6 };
    let cases = std::env::var("ENROLD_TEST_SITES").ok().and_then(|text| text.parse().ok()).unwrap_or(few);
    site.waiting_campus().await;
    site.setting("unenrolaction", Some("0")).await;
    let site = RefCell::new(site);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let outcome = TestRunner::new(config).run(&values, |value| {
        let mut site = site.borrow_mut();
        block_in_place(|| {
            Handle::current().block_on(async {
                site.without_newcomers().await;
                property(&mut site, &value).await
            })
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

async fn any_order_leaves_what_the_model_says(site: Site) {
    on_one_site(site, steps(), async |site, steps| steps_follow_the_model(site, steps).await).await;
}

async fn waiting_equals_a_file_that_comes_later(site: Site) {
    let lines = prop::collection::vec(line(), 1..10).prop_map(|lines| {
        let mut seen = BTreeSet::new();
        let lines = lines.into_iter().map(|line| Line { add: true, ..line });
        lines.filter(|line| seen.insert(place(line))).collect::<Vec<_>>()
    });
    let first = prop::collection::btree_set(0..PEOPLE.len(), 0..2);
    on_one_site(site, (any::<bool>(), lines, first), async |site, file| waits_or_comes_later(site, file).await).await;
}
