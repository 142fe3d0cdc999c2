//! Properties of every full set of enrolments: random sites, two random sources on the same courses, random sets night
//! after night, against the model. It must not know how enrold applies a set.

use enrold::db::{Dialect, Params};
use enrold::outcome::{Report, State};

use crate::dump::{Dump, EFFECTS, assert_same, without};
use crate::golden_case::set_of;
use crate::random_set::{DAY, Row, Source};
use crate::random_site::{Autoenrol, Dice};
use crate::rebuild::rebuild;
use crate::servers::on_each_database;
use crate::set_model::{Absent, Model, Standing, left, of_others};
use crate::site::{NOW, Site};

on_each_database!(random_sets_become_true);

/// Nights on each site.
const NIGHTS: i64 = 4;

/// The seeds of the sites; few, because each takes long; `ENROLD_TEST_SEED` and `ENROLD_TEST_SITES` set others.
pub fn seeds(site: &Site) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, many) = if site.conn.dialect() == Dialect::Lite { (0, 2) } else { (4, 1) };
    let first = number("ENROLD_TEST_SEED").unwrap_or(first);
    first..first + number("ENROLD_TEST_SITES").unwrap_or(many)
}

/// A source with its state between nights.
struct Announced {
    source: Source,
    rows: Vec<Row>,
    absent: Absent,
}

async fn random_sets_become_true(mut site: Site) {
    let (mut held, mut applied) = (0, 0);
    for seed in seeds(&site) {
        site.emptied().await;
        site.random(seed, Autoenrol::Always).await;
        site.sql("UPDATE {config} SET value = 'manual,self,flatfile,cohort,meta,database' WHERE name = 'enrol_plugins_enabled'")
            .await;
        // A membership that a rule releases as a consequence of the set is available from the next night only.
        site.sql("UPDATE {enrol} SET customint2 = 0 WHERE enrol IN ('meta', 'cohort')").await;
        let mut dice = Dice::new(seed + 40_000);
        let mut told: Vec<Announced> = ["database", "sports"]
            .map(|name| Announced { source: Source::random(name, &mut dice), rows: Vec::new(), absent: Absent::new() })
            .into();
        told.iter().for_each(|told| told.source.configure(&mut site));
        for night in 0..NIGHTS {
            site.at(NOW + night * DAY);
            for told in &mut told {
                site.a_day_passes(&mut dice).await;
                told.rows = told.source.random_set(&mut dice, &told.rows);
                let moment = format!("seed {seed}, night {night}, {:?}:\n{}", told.source, told.source.csv(&told.rows));
                if dice.chance(35) {
                    held += i32::from(site.held_night(told, &moment).await);
                } else {
                    applied += i32::from(site.night(told, &moment).await);
                }
            }
        }
    }
    assert!(held > 0 && applied > 1, "{held} held, {applied} applied");
}

impl Site {
    /// Removes every row of Moodle's tables, and the state of sets; the history stays.
    pub async fn emptied(&mut self) {
        let moodles = enrold::moodle::tables::tables().iter().map(|table| table.name);
        let all: Vec<String> = moodles
            .chain(["enrold_set_absent", "enrold_set_member"])
            .map(|table| format!("DELETE FROM {{{table}}}"))
            .collect();
        self.conn.command(&all.join(";\n")).await.unwrap();
    }

    /// Applies a set with the proofs of each; true if it changed something.
    async fn night(&mut self, told: &mut Announced, moment: &str) -> bool {
        let before = self.dump().await;
        let report = self.full_set(told.source.name, &told.source.csv(&told.rows)).await;
        if report.state == State::Held {
            // An empty set is held in any mode of the guard; absences are not counted.
            assert!(told.rows.is_empty(), "{moment}");
            return false;
        }
        self.is_as_told(&before, told, moment).await;
        !report.counts.is_empty()
    }

    /// A set that is held and rejected leaves no trace; held again and approved, it has the result of a set that is not
    /// held. True if it was held.
    async fn held_night(&mut self, told: &mut Announced, moment: &str) -> bool {
        let order = set_of(told.source.name, &self.write(told.source.csv(&told.rows)).path);
        let before = self.dump().await;
        let ledger = self.absent_ones().await;
        let name = format!("twin{}", self.last_run().await);
        let twin = match self.conn.dialect() {
            Dialect::Lite => Some(self.copied(&name).await),
            _ => None,
        };
        self.set("guard.mode", "hold");
        let first = self.engine().apply_set(&order, false).await.unwrap();
        let held = first.state == State::Held;
        if held {
            self.nothing_changed(&before, moment).await;
            self.engine().reject(first.run).await.unwrap();
            self.nothing_changed(&before, moment).await;
            assert_eq!(self.absent_ones().await, ledger, "{moment}");
            let since = self.last_run().await;
            let again = self.engine().apply_set(&order, false).await.unwrap();
            assert_eq!((again.state, &again.counts), (State::Held, &first.counts), "{moment}");
            let report = self.engine().approve(again.run).await.unwrap();
            assert!(matches!(report.state, State::Done | State::DoneWithErrors), "{:?} {moment}", report.state);
            self.leads_back(&before, since, moment).await;
        }
        self.set("guard.mode", "off");
        if let Some(mut twin) = twin.filter(|_| held) {
            let engine =
                enrold::run::Engine { database: std::sync::Arc::clone(&twin.engine().database), ..self.engine() };
            let report: Report = engine.apply_set(&order, false).await.unwrap();
            assert!(matches!(report.state, State::Done | State::DoneWithErrors), "{:?} {moment}", report.state);
            let (twin, here) = (without(twin.dump().await, &EFFECTS), without(self.dump().await, &EFFECTS));
            assert_same(&twin, &here, &format!("not held (-), approved (+): {moment}"));
        }
        self.is_as_told(&before, told, moment).await;
        held
    }

    pub async fn leads_back(&mut self, before: &Dump, since: i64, moment: &str) {
        let after = self.dump().await;
        let rebuilt = rebuild(self, since, &after).await;
        assert_same(&without(before.clone(), &EFFECTS), &without(rebuilt, &EFFECTS), moment);
    }

    /// The source's own rows are as in the model, and those of others are unchanged.
    async fn is_as_told(&mut self, before: &Dump, told: &mut Announced, moment: &str) {
        let after = self.dump().await;
        let expected = Model::new(before, &told.source, &told.rows).outcome(self.now(), &mut told.absent);
        let found = Standing::of(&after, &told.source);
        assert_eq!(found.enrolments, expected.enrolments, "found, expected: enrolments, {moment}");
        assert_eq!(found.roles, expected.roles, "found, expected: roles, {moment}");
        assert_eq!(found.groups, expected.groups, "found, expected: groups, {moment}");
        assert_eq!(found.instances, expected.instances, "found, expected: instances, {moment}");
        let left = left(before, &after);
        let (theirs, now_theirs) = (of_others(before, &told.source, &left), of_others(&after, &told.source, &left));
        assert_eq!(theirs, now_theirs, "rows of others, {moment}");
    }

    /// The state of sets that enrold stores besides its history.
    async fn absent_ones(&mut self) -> Vec<String> {
        let sql = "SELECT source, enrolid, userid, since FROM {enrold_set_absent} ORDER BY source, enrolid, userid";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        rows.iter().map(|row| format!("{} {} {} {}", row.text(0), row.int(1), row.int(2), row.int(3))).collect()
    }
}
