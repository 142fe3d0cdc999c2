//! Runs that are cut by course have the same result as runs in one transaction: golden cases and random sites.
//! It must not test a run that dies between two parts.

use enrold::db::Dialect;
use enrold::outcome::{Note, Report, State};
use enrold::rules::RULES;
use enrold::run::SyncOrder;

use crate::dump::{Dump, EFFECTS, assert_same, without, without_ids};
use crate::golden_case::Case;
use crate::golden_cohort::links_follow;
use crate::moodle_deeds::{deed, known};
use crate::random_site::{Autoenrol, Dice};
use crate::rebuild::rebuild;
use crate::servers::{on_each_database, run_on};
use crate::site::Site;

on_each_database!(
    cohort_members_of_every_sort,
    cohort_members_leave,
    cohort_members_leave_and_links_follow,
    links_with_groups,
    categories_make_and_take,
    autoenrol_enrols_and_takes,
    expirations_of_every_method,
);

/// The smallest parts: one course each.
const SMALL: &[(&str, &str)] = &[("run.part_rows", "1")];
const SOME: &[(&str, &str)] = &[("run.part_rows", "3")];

async fn cohort_members_of_every_sort(site: Site) {
    Case::new("c01", &["cohort"], 1_795_298_811, 1_795_298_811).set(SMALL).prove(site).await;
}

async fn cohort_members_leave(site: Site) {
    Case::new("c02", &["cohort"], 1_795_298_820, 1_795_298_821).set(SOME).prove(site).await;
}

async fn cohort_members_leave_and_links_follow(site: Site) {
    links_follow().set(SMALL).prove(site).await;
}

async fn links_with_groups(site: Site) {
    Case::new("m06", &["meta"], 1_795_298_949, 1_795_298_949).set(SMALL).prove(site).await;
}

async fn categories_make_and_take(site: Site) {
    Case::new("k02", &["category"], 1_795_299_173, 1_795_299_174).set(SMALL).prove(site).await;
}

async fn autoenrol_enrols_and_takes(site: Site) {
    Case::new("a02", &["autoenrol"], 1_795_299_273, 1_795_299_274).set(SMALL).prove(site).await;
}

async fn expirations_of_every_method(site: Site) {
    let case = Case::new("e03", &["expirations"], 1_795_299_418, 1_795_299_418);
    case.set(&[("expirations.inactive_since", "moodle"), ("run.part_rows", "1")]).prove(site).await;
}

async fn sync(site: &Site, jobs: &[&str]) -> Report {
    let jobs = jobs.iter().map(|job| (*job).to_owned()).collect();
    site.engine().sync(&SyncOrder { jobs, ..SyncOrder::default() }, false).await.unwrap()
}

fn plain(dump: Dump) -> Dump {
    without_ids(without(dump, &EFFECTS))
}

/// A site and its copy get the same run, whole and cut, repeatedly with edits between.
async fn cut_and_whole(empty: &mut Site, seed: u64, autoenrol: Autoenrol) -> usize {
    let all: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    let dice = &mut Dice::new(seed + 30_000);
    let mut site = empty.copied(&format!("seed{seed}{autoenrol:?}")).await;
    site.random(seed, autoenrol).await;
    let mut cut = 0;
    for turn in 0..3 {
        let mut twin = site.copied(&format!("twin{turn}")).await;
        twin.set("run.part_rows", dice.pick(&["1", "2", "5"]));
        let jobs: &[&str] = dice.pick(&[all.as_slice(), &["expirations"], &["cohort"], &["category", "autoenrol"]]);
        let moment = format!("seed {seed}, {autoenrol:?}, turn {turn}: {jobs:?} whole (-) and cut (+)");
        let before = twin.dump().await;
        let since = twin.last_run().await;
        let (whole, parts) = (sync(&site, jobs).await, sync(&twin, jobs).await);
        assert_eq!((whole.state, &whole.counts), (parts.state, &parts.counts), "{moment}");
        assert_eq!(untimed(&whole), untimed(&parts), "{moment}");
        let after = twin.dump().await;
        assert_same(&plain(site.dump().await), &plain(after.clone()), &moment);
        let rebuilt = rebuild(&mut twin, since, &after).await;
        assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), &moment);
        sync(&twin, jobs).await;
        twin.nothing_changed(&after, &moment).await;
        cut += usize::from(parts.notes.iter().any(|note| matches!(note, Note::InParts(_))));
        let known = known(&site.dump().await);
        for statement in (0..4).flat_map(|_| deed(dice, &known)) {
            site.sql(&statement.sql).await;
        }
    }
    cut
}

/// The result of each rule, without its duration.
fn untimed(report: &Report) -> Vec<String> {
    let rules = report.rules.iter().map(|rule| enrold::outcome::RuleReport { millis: 0, ..rule.clone() });
    rules.map(|rule| format!("{rule:?}")).collect()
}

#[test]
fn cut_or_whole_random_sites_end_the_same() {
    run_on(Dialect::Lite, async |mut empty: Site| {
        let mut cut = 0;
        for seed in 0..12 {
            cut += cut_and_whole(&mut empty, seed, Autoenrol::Always).await;
            cut += cut_and_whole(&mut empty, seed, Autoenrol::Choosy).await;
        }
        assert!(cut > 24, "only {cut} runs were cut");
    });
}

/// Small runs, simulations and files are never cut.
#[test]
fn what_fits_is_one_transaction() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.campus().await;
        site.cohort(1, &[1, 2, 3]).await;
        site.cohort_link(1, 1, "student").await;
        site.cohort_link(2, 1, "student").await;
        site.set("run.part_rows", "12");
        let report = sync(&site, &["cohort"]).await;
        assert_eq!((report.state, report.notes), (State::Done, vec![]));
        site.cohort_link(3, 1, "student").await;
        site.set("run.part_rows", "1");
        let rehearsal = site.engine().sync(&SyncOrder::of("cohort"), true).await.unwrap();
        assert_eq!((rehearsal.state, rehearsal.notes), (State::Simulated, vec![]));
        let report = site.import("add,student,u1,c1\nadd,student,u2,c2\nadd,student,u3,c3\n").await;
        assert_eq!((report.state, report.notes), (State::Done, vec![]));
    });
}
