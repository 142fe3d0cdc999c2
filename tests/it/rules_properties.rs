//! Properties of every site: small random ones, synchronised, edited and synchronised again, against the specs as
//! loops. It must not know how runs work; SQLite only, because other tests show that the databases are equal.

use enrold::db::{Dialect, Params};
use enrold::outcome::{Report, State};
use enrold::reconcile::Rule;
use enrold::rules::RULES;
use enrold::run::{Engine, SyncOrder};

use crate::desired::Facts;
use crate::dump::{Dump, EFFECTS, assert_same, without, without_ids};
use crate::moodle_deeds::{deed, known};
use crate::random_site::{Autoenrol, Dice};
use crate::rebuild::rebuild;
use crate::servers::run_on;
use crate::site::Site;

/// Number of sites for each property.
const SEEDS: u64 = 40;

/// Rules whose desired state `desired` can compute; that of completed courses depends on a ledger.
const SAID: [&str; 4] = ["cohort", "category", "autoenrol", "meta"];

async fn sync(site: &Site, jobs: &[&str], simulate: bool) -> Report {
    let jobs = jobs.iter().map(|job| (*job).to_owned()).collect();
    site.engine().sync(&SyncOrder { jobs, ..SyncOrder::default() }, simulate).await.unwrap()
}

fn all() -> Vec<&'static str> {
    RULES.iter().map(|rule| rule.name).collect()
}

fn broken(dump: &Dump) -> Vec<String> {
    let facts = Facts::of(dump);
    SAID.iter().filter(|rule| all().contains(rule)).flat_map(|rule| facts.broken(rule)).collect()
}

/// Synchronises: the result is the desired state and equals the simulation, the journal reverts it, and a second run
/// changes nothing.
async fn synchronised(site: &mut Site, moment: &str) {
    let before = site.dump().await;
    let rehearsal = sync(site, &all(), true).await;
    site.nothing_changed(&before, moment).await;
    let since = site.last_run().await;
    let report = sync(site, &all(), false).await;
    assert_eq!((rehearsal.state, rehearsal.counts), (State::Simulated, report.counts), "{moment}");
    let after = site.dump().await;
    assert_eq!(broken(&after), [""; 0], "{moment}");
    let rebuilt = rebuild(site, since, &after).await;
    assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), moment);
    sync(site, &all(), false).await;
    site.nothing_changed(&after, moment).await;
}

/// Some edits as by Moodle's own pages, without any notice to enrold.
async fn edited(site: &mut Site, dice: &mut Dice, how_many: i64) {
    let known = known(&site.dump().await);
    for _ in 0..how_many {
        for statement in deed(dice, &known) {
            site.sql(&statement.sql).await;
        }
    }
}

/// After `sync all` the actual state is the desired one, from any state; a second run changes nothing.
#[test]
fn what_is_desired_is_actual() {
    run_on(Dialect::Lite, async |mut empty: Site| {
        for seed in 0..SEEDS {
            let mut site = empty.copied(&format!("seed{seed}")).await;
            site.random(seed, Autoenrol::Always).await;
            synchronised(&mut site, &format!("seed {seed}, new")).await;
            let mut dice = Dice::new(seed + 10_000);
            for turn in 0..3 {
                edited(&mut site, &mut dice, 4).await;
                synchronised(&mut site, &format!("seed {seed}, after edits {turn}")).await;
            }
        }
    });
}

/// An edit through enrold, with the rules that follow in its own run, has the same result as the same edit with a full
/// `sync all` after it: first new completions, then a file.
#[test]
fn what_follows_an_edit_is_a_full_sync() {
    run_on(Dialect::Lite, async |mut empty: Site| {
        let rules: &'static [Rule] = &RULES;
        let mut led = 0;
        for seed in 0..SEEDS {
            let mut site = empty.copied(&format!("seed{seed}")).await;
            site.random(seed, Autoenrol::Always).await;
            sync(&site, &all(), false).await;
            let mut dice = Dice::new(seed + 20_000);

            site.random_news(&mut dice).await;
            let mut twin = site.copied("completed").await;
            let report = sync(&site, &["coursecompleted"], false).await;
            led += report.rules.iter().find(|rule| rule.rule == "coursecompleted").map_or(0, |rule| rule.added);
            let alone = rules.iter().position(|rule| rule.name == "coursecompleted").unwrap();
            let engine = Engine { rules: &rules[alone..=alone], ..twin.engine() };
            engine.sync(&SyncOrder::of("coursecompleted"), false).await.unwrap();
            ends_alike(&mut site, &mut twin, &format!("seed {seed}, completions")).await;

            let mut twin = site.copied("twin").await;
            let text = lines(&mut dice);
            let file = site.write(&text);
            site.engine().import(&file, false).await.unwrap();
            let file = twin.write(&text);
            Engine { rules: &[], ..twin.engine() }.import(&file, false).await.unwrap();
            ends_alike(&mut site, &mut twin, &format!("seed {seed}, {text}")).await;
        }
        assert!(led > 0, "nobody was led on");
    });
}

/// The site after an edit with its consequences equals its copy after a full sync.
async fn ends_alike(site: &mut Site, twin: &mut Site, edit: &str) {
    sync(twin, &all(), false).await;
    let plain = |dump: Dump| without_ids(without(dump, &EFFECTS));
    let (with_cascade, with_sync) = (plain(site.dump().await), plain(twin.dump().await));
    assert_same(&with_sync, &with_cascade, &format!("full sync (-), cascade (+) of\n{edit}"));
}

/// One to three lines of a flat file.
fn lines(dice: &mut Dice) -> String {
    let line = |dice: &mut Dice| {
        let operation = dice.pick(&["add", "add", "del"]);
        let role = dice.pick(&["student", "teacher"]);
        let (user, course) = (dice.user() - 10, dice.course() - 20);
        format!("{operation},{role},u{user},c{course}\n")
    };
    (0..1 + dice.below(3)).map(|_| line(dice)).collect()
}

/// Autoenrol with limits, and with instances that skip users who are already in the course: alone on the site, it
/// enrols no user over a limit, and every user who may be enrolled.
#[test]
fn limits_hold_and_are_used_up() {
    run_on(Dialect::Lite, async |mut empty: Site| {
        for seed in 0..SEEDS {
            let mut site = empty.copied(&format!("seed{seed}")).await;
            site.random(seed, Autoenrol::Choosy).await;
            site.sql("UPDATE {config} SET value = 'manual,autoenrol' WHERE name = 'enrol_plugins_enabled'").await;
            let mut dice = Dice::new(seed + 30_000);
            for turn in 0..3 {
                sync(&site, &["autoenrol"], false).await;
                let after = site.dump().await;
                assert_eq!(Facts::of(&after).broken("autoenrol"), [""; 0], "seed {seed}, turn {turn}");
                assert_eq!(over_limit(&mut site).await, 0, "seed {seed}, turn {turn}");
                sync(&site, &["autoenrol"], false).await;
                site.nothing_changed(&after, &format!("seed {seed}, turn {turn}")).await;
                edited_by_hand(&mut site, &mut dice).await;
            }
        }
    });
}

/// Edits that do not add enrolments to an instance of a rule.
async fn edited_by_hand(site: &mut Site, dice: &mut Dice) {
    for _ in 0..4 {
        for statement in deed(dice, &[]) {
            site.sql(&statement.sql).await;
        }
    }
}

async fn over_limit(site: &mut Site) -> i64 {
    let sql = "SELECT COUNT(*) FROM {enrol} e WHERE e.enrol = 'autoenrol' AND e.customint5 > 0
        AND (SELECT COUNT(*) FROM {user_enrolments} x WHERE x.enrolid = e.id) > e.customint5";
    site.conn.number(sql, &Params::new()).await.unwrap()
}
