//! Properties of every file: small random ones against a model that applies line after line (spec flatfile 4 to 6).
//! It must not know how steps are merged; SQLite only, because other tests show that the databases are equal.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use enrold::db::{Dialect, Params};
use enrold::outcome::{Report, State};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::servers::run_on;
use crate::site::{NOW, Site};

const ROLES: [&str; 3] = ["student", "teacher", "editingteacher"];

/// A line of a file. There are few users and courses, so that lines collide.
#[derive(Clone, Debug)]
struct Line {
    add: bool,
    role: usize,
    /// `u0` and `c0` are unknown.
    user: i64,
    course: i64,
    start: i64,
    end: i64,
}

impl Line {
    fn text(&self) -> String {
        let Self { role, user, course, start, end, .. } = self;
        let operation = if self.add { "add" } else { "del" };
        format!("{operation},{},u{user},c{course},{start},{end}\n", ROLES[*role])
    }

    fn fails(&self) -> bool {
        self.user == 0 || self.course == 0 || (self.end != 0 && self.start > self.end)
    }
}

fn file_of(lines: &[Line]) -> String {
    lines.iter().map(Line::text).collect()
}

/// A start: none, past, now, future.
fn start() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 1 => Just(NOW - 50), 1 => Just(NOW), 1 => Just(NOW + 50), 1 => Just(NOW + 60)]
}

fn end() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 1 => Just(NOW - 40), 2 => Just(NOW + 900)]
}

fn line(adds_only: bool) -> impl Strategy<Value = Line> {
    let add = prop::bool::weighted(if adds_only { 1.0 } else { 0.6 });
    let user = prop_oneof![1 => Just(0), 20 => 1..=3i64];
    let course = prop_oneof![1 => Just(0), 20 => 1..=2i64];
    (add, 0..ROLES.len(), user, course, start(), end()).prop_map(|(add, role, user, course, start, end)| Line {
        add,
        role,
        user,
        course,
        start,
        end,
    })
}

fn lines(adds_only: bool) -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec(line(adds_only), 1..14)
}

/// The site in memory: windows by (user, course), roles by (user, course), the buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    enrolments: BTreeMap<(i64, i64), (i64, i64)>,
    roles: BTreeSet<(i64, i64, usize)>,
    buffer: BTreeSet<(bool, i64, i64, usize, i64, i64)>,
}

impl Model {
    fn apply(&mut self, line: &Line) {
        let Line { add, role, user, course, start, end } = *line;
        if line.fails() {
            return;
        }
        if start > NOW {
            self.buffer.insert((add, user, course, role, start, end));
            return;
        }
        self.buffer.retain(|kept| (kept.1, kept.2, kept.3) != (user, course, role));
        if add {
            self.enrolments.insert((user, course), (start, end));
            self.roles.insert((user, course, role));
        } else if self.roles.contains(&(user, course, role)) {
            self.enrolments.remove(&(user, course));
            self.roles.retain(|kept| (kept.0, kept.1) != (user, course));
        }
    }

    /// The same in the form of [`Site::enrolments`], [`Site::roles`] and [`Site::buffer`].
    fn words(&self) -> [Vec<String>; 3] {
        let time = |time: i64| if time == 0 { "0".to_owned() } else { format!("now{:+}", time - NOW) };
        let enrolments = self.enrolments.iter().map(|((user, course), (start, end))| match (start, end) {
            (0, 0) => format!("u{user} c{course} flatfile"),
            _ => format!("u{user} c{course} flatfile {}..{}", time(*start), time(*end)),
        });
        let roles =
            self.roles.iter().map(|(user, course, role)| format!("u{user} c{course} {} flatfile", ROLES[*role]));
        let buffer = self.buffer.iter().map(|(add, user, course, role, start, end)| {
            let operation = if *add { "add" } else { "del" };
            format!("{operation} u{user} c{course} {} {}..{}", ROLES[*role], time(*start), time(*end))
        });
        let sorted = |words: &mut dyn Iterator<Item = String>| {
            let mut words: Vec<String> = words.collect();
            words.sort();
            words
        };
        [sorted(&mut enrolments.into_iter()), sorted(&mut roles.into_iter()), sorted(&mut buffer.into_iter())]
    }
}

impl Site {
    /// Resets the site to the state before any import.
    async fn empty(&mut self) {
        for table in ["user_enrolments", "role_assignments", "enrol_flatfile"] {
            self.sql(&format!("DELETE FROM {{{table}}}")).await;
        }
        self.sql("DELETE FROM {enrol} WHERE enrol = 'flatfile'").await;
    }

    async fn imported(&mut self, text: &str, simulate: bool) -> Report {
        let file = self.write(text);
        self.engine().import(&file, simulate).await.unwrap()
    }

    async fn words(&mut self) -> [Vec<String>; 3] {
        [self.enrolments().await, self.roles().await, self.buffer().await]
    }
}

/// Runs a property on one site that is emptied before each case.
async fn on_one_site<S>(
    mut site: Site,
    cases: u32,
    files: S,
    property: impl AsyncFn(&mut Site, S::Value) -> Result<(), TestCaseError>,
) where
    S: Strategy,
{
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    let site = RefCell::new(site);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&files, |value| {
        let mut site = site.borrow_mut();
        block_in_place(|| {
            Handle::current().block_on(async {
                site.empty().await;
                property(&mut site, value).await
            })
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// The result equals that of a loop over the lines, from any state; a simulation changes nothing and reports the same.
#[test]
fn the_end_is_that_of_line_after_line() {
    run_on(Dialect::Lite, |site| {
        on_one_site(site, 64, (lines(false), lines(false)), async |site, (first, second)| {
            let mut model = Model::default();
            for lines in [first, second] {
                lines.iter().for_each(|line| model.apply(line));
                let before = site.dump().await;
                let rehearsal = site.imported(&file_of(&lines), true).await;
                prop_assert_eq!(rehearsal.state, State::Simulated);
                prop_assert_eq!(&before, &site.dump().await, "a simulation");
                let report = site.imported(&file_of(&lines), false).await;
                prop_assert_eq!(&rehearsal.counts, &report.counts);
                let failed = lines.iter().filter(|line| line.fails()).count() as u64;
                prop_assert_eq!((report.lines.records, report.errors), (lines.len() as u64, failed));
                prop_assert_eq!(site.words().await, model.words());
            }
            Ok(())
        })
    });
}

/// The same file of `add` lines again plans nothing.
#[test]
fn the_same_file_again_plans_nothing() {
    run_on(Dialect::Lite, |site| {
        on_one_site(site, 32, lines(true), async |site, lines| {
            site.imported(&file_of(&lines), false).await;
            let after = site.dump().await;
            let again = site.imported(&file_of(&lines), false).await;
            prop_assert_eq!(again.counts, BTreeMap::new());
            prop_assert_eq!(site.journal(again.run).await, [""; 0]);
            prop_assert_eq!(after, site.dump().await);
            Ok(())
        })
    });
}

/// With one step per (user, course) this also holds for `del` lines.
#[test]
fn one_step_a_pair_plans_nothing_again() {
    run_on(Dialect::Lite, |site| {
        on_one_site(site, 32, (lines(true), lines(false)), async |site, (ground, mut lines)| {
            let mut seen = BTreeSet::new();
            lines.retain(|line| seen.insert((line.user, line.course)));
            site.imported(&file_of(&ground), false).await;
            site.imported(&file_of(&lines), false).await;
            let after = site.dump().await;
            let again = site.imported(&file_of(&lines), false).await;
            prop_assert_eq!(again.counts, BTreeMap::new());
            prop_assert_eq!(after, site.dump().await);
            Ok(())
        })
    });
}

/// The buffer, replayed when all rows are due, has the effect of its lines, in any order.
#[test]
fn what_was_kept_for_later_is_replayed_whole() {
    run_on(Dialect::Lite, |site| {
        on_one_site(site, 32, lines(true), async |site, lines| {
            site.setting("expiredaction", Some("1")).await;
            site.at(NOW);
            site.imported(&file_of(&lines), false).await;
            let waiting = site.conn.number("SELECT COUNT(*) FROM {enrol_flatfile}", &Params::new()).await.unwrap();
            let due: BTreeSet<_> = lines
                .iter()
                .filter(|line| !line.fails())
                .map(|line| format!("u{} c{} {} flatfile", line.user, line.course, ROLES[line.role]))
                .collect();
            site.at(NOW + 1000);
            let report = site.engine().sync_flatfile(false).await.unwrap();
            site.at(NOW);
            prop_assert_eq!(report.counts.get("buffer.remove").copied().unwrap_or(0), waiting);
            prop_assert_eq!(site.buffer().await, [""; 0]);
            prop_assert_eq!(site.roles().await, due.into_iter().collect::<Vec<_>>());
            Ok(())
        })
    });
}
