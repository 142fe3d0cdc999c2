//! Properties of every full set of cohort memberships: random sites, two random sources on the same cohorts, random
//! sets night after night, against loops over the state before. It must not know how enrold applies a set.

use std::collections::{BTreeMap, BTreeSet};

use enrold::db::Params;
use enrold::outcome::State;

use crate::dump::{Dump, Row, text};
use crate::golden_case::set_of;
use crate::random_set::DAY;
use crate::random_site::{Autoenrol, Dice, USERS};
use crate::servers::on_each_database;
use crate::set_model::of_people;
use crate::sets_properties::seeds;
use crate::site::{NOW, Site};

on_each_database!(random_memberships_become_true);

const NIGHTS: i64 = 3;

/// A source of memberships; a member is (cohort, user).
struct Announced {
    name: &'static str,
    creates: bool,
    rows: Vec<(String, String)>,
    /// The members that it has added or named.
    brought: BTreeSet<(i64, i64)>,
}

async fn random_memberships_become_true(mut site: Site) {
    let mut held = 0;
    for seed in seeds(&site) {
        site.emptied().await;
        site.random(seed, Autoenrol::Always).await;
        let mut dice = Dice::new(seed + 50_000);
        let mut told = ["promo", "sports"].map(|name| {
            let creates = dice.chance(50);
            Announced { name, creates, rows: Vec::new(), brought: BTreeSet::new() }
        });
        for told in &told {
            told.configure(&mut site);
        }
        for night in 0..NIGHTS {
            site.at(NOW + night * DAY);
            for at in 0..2 {
                site.members_by_hand(&mut dice).await;
                let others: BTreeSet<(i64, i64)> = told[1 - at].brought.clone();
                let told = &mut told[at];
                told.rows = random_rows(&mut dice, &told.rows);
                held += i32::from(site.night_of_members(told, &others, dice.chance(40)).await);
            }
        }
    }
    assert!(held > 0);
}

impl Announced {
    fn configure(&self, site: &mut Site) {
        let creates = if self.creates { "true" } else { "false" };
        for (key, value) in [
            ("files", "p*.csv"),
            ("target", "cohorts"),
            ("user_key", "idnumber"),
            ("create_cohorts", creates),
            ("guard.unknown_percent", "0"),
            ("guard.rows_fewer_percent", "0"),
            // A set is held as soon as it grows.
            ("guard.rows_more_percent", "1"),
        ] {
            site.set(&format!("sources.{}.{key}", self.name), value);
        }
    }

    fn csv(&self) -> String {
        let rows = self.rows.iter().map(|(user, cohort)| format!("{user},{cohort}\n"));
        std::iter::once("user,cohort\n".to_owned()).chain(rows).collect()
    }
}

fn random_rows(dice: &mut Dice, before: &[(String, String)]) -> Vec<(String, String)> {
    let mut rows: Vec<_> = before.iter().filter(|_| dice.chance(70)).cloned().collect();
    for _ in 0..2 + dice.below(8) {
        let (who, place) = (format!("u{}", 1 + dice.below(USERS)), dice.pick(&["h1", "h1", "h2", "h3", "L1"]));
        let who = match dice.below(12) {
            0 => who.to_uppercase(),
            1 => dice.pick(&["nobody", "", "0", "guest"]).to_owned(),
            _ => who,
        };
        let place = if dice.chance(8) { place.to_uppercase() } else { place.to_owned() };
        rows.push((who, place));
    }
    let again = rows[dice.below(rows.len() as i64) as usize].clone();
    rows.push(again);
    rows
}

impl Site {
    /// Manual edits of members; sometimes a cohort of another plugin.
    async fn members_by_hand(&mut self, dice: &mut Dice) {
        let (who, cohort) = (dice.user(), 1 + dice.below(2));
        self.sql(&format!("DELETE FROM {{cohort_members}} WHERE userid = {who} AND cohortid = {cohort}")).await;
        if dice.chance(60) {
            self.sql(&format!(
                "INSERT INTO {{cohort_members}} (cohortid, userid, timeadded) VALUES ({cohort}, {who}, 7)"
            ))
            .await;
        }
        let component = if dice.chance(20) { "local_other" } else { "" };
        self.sql(&format!("UPDATE {{cohort}} SET component = '{component}' WHERE id = 2")).await;
        let double = if dice.chance(15) { "u2" } else { "u3" };
        self.sql(&format!("UPDATE {{user}} SET idnumber = '{double}' WHERE username = 'u3'")).await;
    }

    /// Applies a set, or holds, rejects, holds again and approves it; true if it was held.
    async fn night_of_members(&mut self, told: &mut Announced, others: &BTreeSet<(i64, i64)>, holds: bool) -> bool {
        let moment = format!("{}, creates {}:\n{}", told.name, told.creates, told.csv());
        let before = self.dump().await;
        let held = holds && self.held_members(told, &before, &moment).await;
        if !held {
            self.full_set(told.name, &told.csv()).await;
        }
        let after = self.dump().await;
        let expected = desired(&before, &after, told, others);
        assert_eq!(members(&after), expected, "found, expected: {moment}");
        assert_eq!(self.brought(told.name).await, told.brought, "found, expected: of the source, {moment}");
        let outside = of_people;
        assert_eq!(outside(&before), outside(&after), "{moment}");
        held
    }

    async fn held_members(&mut self, told: &Announced, before: &Dump, moment: &str) -> bool {
        let order = set_of(told.name, &self.write(told.csv()).path);
        let brought = self.brought(told.name).await;
        self.set("guard.mode", "hold");
        let first = self.engine().apply_set(&order, false).await.unwrap();
        let held = first.state == State::Held;
        if held {
            self.nothing_changed(before, moment).await;
            self.engine().reject(first.run).await.unwrap();
            self.nothing_changed(before, moment).await;
            assert_eq!(self.brought(told.name).await, brought, "{moment}");
            let since = self.last_run().await;
            let again = self.engine().apply_set(&order, false).await.unwrap();
            self.engine().approve(again.run).await.unwrap();
            self.leads_back(before, since, moment).await;
        }
        self.set("guard.mode", "off");
        held
    }

    /// The members of a source that enrold has recorded.
    async fn brought(&mut self, source: &str) -> BTreeSet<(i64, i64)> {
        let sql = "SELECT cohortid, userid FROM {enrold_set_member} WHERE source = :source";
        let rows = self.conn.rows(sql, &Params::new().with("source", source)).await.unwrap();
        rows.iter().map(|row| (row.int(0), row.int(1))).collect()
    }
}

fn int(row: &Row, column: &str) -> i64 {
    text(row, column).parse().unwrap_or(0)
}

fn members(dump: &Dump) -> BTreeSet<(i64, i64)> {
    dump["cohort_members"].iter().map(|row| (int(row, "cohortid"), int(row, "userid"))).collect()
}

/// The expected members; updates `told` with the members that the source has then added or named. Cohorts that the run
/// creates are looked up in the state after it.
fn desired(before: &Dump, after: &Dump, told: &mut Announced, others: &BTreeSet<(i64, i64)>) -> BTreeSet<(i64, i64)> {
    let cohorts = &if told.creates { after } else { before }["cohort"];
    let found = |key: &str| -> Vec<&Row> { cohorts.iter().filter(|row| text(row, "idnumber") == key).collect() };
    let people: BTreeMap<i64, &str> = before["user"]
        .iter()
        .filter(|row| text(row, "deleted") == "0")
        .map(|row| (int(row, "id"), text(row, "idnumber")))
        .collect();
    let (mut desired, mut named) = (BTreeSet::new(), BTreeSet::new());
    // Administrators and the guest lose nothing.
    let (mut spared, mut spared_cohorts) = (BTreeSet::from([1, 2]), BTreeSet::new());
    // A row without a user does not name a cohort either.
    for (who, place) in told.rows.iter().filter(|(who, _)| !matches!(who.as_str(), "" | "0")) {
        let alike = |other: &str| other.to_lowercase() == who.to_lowercase();
        let who: Vec<i64> = people.iter().filter(|(_, key)| **key == who.as_str()).map(|(id, _)| *id).collect();
        if who.len() != 1 {
            spared.extend(people.iter().filter(|(_, key)| !key.is_empty() && alike(key)).map(|(id, _)| *id));
        }
        match found(place)[..] {
            [only] => {
                if text(only, "component").is_empty() {
                    named.insert(int(only, "id"));
                    if let [user] = who[..]
                        && user != 1
                    {
                        desired.insert((int(only, "id"), user));
                    }
                }
            }
            _ => {
                let same = |row: &&Row| text(row, "idnumber").to_lowercase() == place.to_lowercase();
                spared_cohorts.extend(cohorts.iter().filter(same).map(|row| int(row, "id")));
            }
        }
    }
    let may_go = |(cohort, user): &(i64, i64)| {
        named.contains(cohort)
            && !desired.contains(&(*cohort, *user))
            && !spared.contains(user)
            && !spared_cohorts.contains(cohort)
    };
    let goes = |pair: &(i64, i64)| may_go(pair) && told.brought.contains(pair) && !others.contains(pair);
    let mut expected = members(before);
    expected.retain(|pair| !goes(pair));
    expected.extend(&desired);
    told.brought.retain(|pair| !may_go(pair));
    told.brought.extend(&desired);
    expected
}
