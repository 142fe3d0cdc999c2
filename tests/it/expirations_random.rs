//! Expirations on random sites: a loop compares every enrolment with the setting of its method.
//! It must not check which roles end with an enrolment; the scenarios of spec enrol-core 17 do.

use std::collections::{BTreeMap, BTreeSet};

use enrold::db::{Dialect, Value};
use enrold::run::{Engine, SyncOrder};

use crate::dump::{Dump, Row, show, text};
use crate::random_site::{Autoenrol, COURSES, Dice, USERS, context_of, course, user};
use crate::servers::run_on;
use crate::site::{NOW, Site};

/// Number of sites.
const SEEDS: u64 = 25;
/// The methods whose enrolments expire.
const EXPIRING: [&str; 6] = ["manual", "self", "flatfile", "database", "autoenrol", "coursecompleted"];

/// What should happen to an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Untouched,
    Suspended,
    Gone,
}

fn int(row: &Row, column: &str) -> i64 {
    text(row, column).parse().unwrap_or(0)
}

/// Random settings of expirations, and enrolments with random ends in every instance, including the guest, the
/// administrator and a deleted user.
async fn ends(site: &mut Site, dice: &mut Dice) {
    site.sql("DELETE FROM {config_plugins} WHERE name = 'expiredaction'").await;
    for method in EXPIRING {
        let plugin = format!("enrol_{method}");
        if let Some(value) =
            dice.pick(&[None, Some(""), Some("0"), Some("0"), Some("1"), Some("2"), Some("3"), Some("9")])
        {
            let row = [("plugin", plugin.as_str().into()), ("name", "expiredaction".into()), ("value", value.into())];
            site.insert("config_plugins", &row).await;
        }
    }
    let enabled: Vec<&str> = EXPIRING.into_iter().chain(["cohort", "meta"]).filter(|_| dice.chance(85)).collect();
    let enabled = enabled.join(",");
    site.sql(&format!("UPDATE {{config}} SET value = '{enabled}' WHERE name = 'enrol_plugins_enabled'")).await;
    for courseid in (1..=COURSES).map(course) {
        let status = i64::from(dice.chance(20));
        let row: [(&'static str, Value); 4] = [
            ("id", (courseid + 1_000).into()),
            ("enrol", "database".into()),
            ("courseid", courseid.into()),
            ("status", status.into()),
        ];
        site.insert("enrol", &row).await;
    }
    let dump = site.dump().await;
    let taken: BTreeSet<(i64, i64)> = dump["user_enrolments"].iter().map(key).collect();
    for instance in &dump["enrol"] {
        for userid in [1, 2].into_iter().chain((1..=USERS).map(user)) {
            if dice.chance(75) || taken.contains(&(int(instance, "id"), userid)) {
                continue;
            }
            enrolled(site, dice, instance, userid).await;
        }
    }
}

/// An enrolment with a random end, and sometimes a role by hand or of the instance.
async fn enrolled(site: &mut Site, dice: &mut Dice, instance: &Row, userid: i64) {
    let row: [(&'static str, Value); 5] = [
        ("enrolid", int(instance, "id").into()),
        ("userid", userid.into()),
        ("status", i64::from(dice.chance(30)).into()),
        ("timestart", dice.pick(&[0, NOW - 900]).into()),
        ("timeend", dice.pick(&[0, NOW - 5_000, NOW - 1, NOW, NOW + 1, NOW + 900]).into()),
    ];
    site.insert("user_enrolments", &row).await;
    let owner = match dice.below(3) {
        0 => return,
        1 => (String::new(), 0),
        _ => (format!("enrol_{}", text(instance, "enrol")), int(instance, "id")),
    };
    let row: [(&'static str, Value); 5] = [
        ("roleid", dice.pick(&[4, 5]).into()),
        ("contextid", context_of(int(instance, "courseid")).into()),
        ("userid", userid.into()),
        ("component", owner.0.into()),
        ("itemid", owner.1.into()),
    ];
    site.insert("role_assignments", &row).await;
}

/// (enrolid, userid).
fn key(row: &Row) -> (i64, i64) {
    (int(row, "enrolid"), int(row, "userid"))
}

/// What should happen to each enrolment (spec enrol-core 14 and 15, autoenrol 2 and 7).
fn fates(dump: &Dump) -> BTreeMap<(i64, i64), Fate> {
    let enabled = dump["config"].iter().find(|row| text(row, "name") == "enrol_plugins_enabled").unwrap();
    let enabled: Vec<&str> = text(enabled, "value").split(',').collect();
    let methods: BTreeMap<i64, &str> = dump["enrol"].iter().map(|row| (int(row, "id"), text(row, "enrol"))).collect();
    let setting = |method: &str| {
        let plugin = format!("enrol_{method}");
        let of = |row: &&Row| text(row, "plugin") == plugin && text(row, "name") == "expiredaction";
        dump["config_plugins"].iter().find(of).map(|row| text(row, "value")).unwrap_or_default()
    };
    let fate = |row: &Row| {
        let method = methods[&int(row, "enrolid")];
        let has_ended = int(row, "timeend") != 0 && int(row, "timeend") < NOW;
        let is_protected = [1, 2].contains(&int(row, "userid"));
        if !has_ended || is_protected || !EXPIRING.contains(&method) || !enabled.contains(&method) {
            return Fate::Untouched;
        }
        let suspends = match setting(method) {
            "0" => return Fate::Gone,
            "2" | "3" => true,
            "" => ["flatfile", "coursecompleted"].contains(&method),
            _ => false,
        };
        if suspends && int(row, "status") == 0 { Fate::Suspended } else { Fate::Untouched }
    };
    dump["user_enrolments"].iter().map(|row| (key(row), fate(row))).collect()
}

/// What happened to each enrolment.
fn found(before: &Dump, after: &Dump) -> BTreeMap<(i64, i64), Fate> {
    let left: BTreeMap<(i64, i64), &Row> = after["user_enrolments"].iter().map(|row| (key(row), row)).collect();
    assert!(left.len() <= before["user_enrolments"].len(), "nobody is enrolled by it");
    let fate = |row: &Row| match left.get(&key(row)) {
        None => Fate::Gone,
        Some(now) if *now == row => Fate::Untouched,
        Some(now) => {
            let mut suspended = row.clone();
            for column in ["status", "timemodified", "modifierid"] {
                suspended.insert(column.to_owned(), now[column].clone());
            }
            assert!(int(now, "status") == 1 && **now == suspended, "{} became {}", show(row), show(now));
            Fate::Suspended
        }
    };
    before["user_enrolments"].iter().map(|row| (key(row), fate(row))).collect()
}

/// Roles and memberships of a user change only in courses where an enrolment ended, and all end with the last one.
fn nobody_else_loses(before: &Dump, after: &Dump, fates: &BTreeMap<(i64, i64), Fate>, seed: u64) {
    let courses: BTreeMap<i64, i64> = after["enrol"].iter().map(|row| (int(row, "id"), int(row, "courseid"))).collect();
    let pairs = |wanted: &[Fate]| -> BTreeSet<(i64, i64)> {
        let of =
            |((instance, user), fate): (&(i64, i64), &Fate)| wanted.contains(fate).then(|| (courses[instance], *user));
        fates.iter().filter_map(of).collect()
    };
    let ended = pairs(&[Fate::Suspended, Fate::Gone]);
    let left: BTreeSet<(i64, i64)> = pairs(&[Fate::Suspended, Fate::Untouched]);
    let out: BTreeSet<_> = pairs(&[Fate::Gone]).difference(&left).copied().collect();
    for (table, column, above) in [("role_assignments", "contextid", 100), ("groups_members", "groupid", 200)] {
        let pair = |row: &Row| (int(row, column) - above, int(row, "userid"));
        for row in before[table].iter().filter(|row| !ended.contains(&pair(row))) {
            assert!(after[table].contains(row), "seed {seed}: {table} lost {}", show(row));
        }
        for row in after[table].iter() {
            assert!(!out.contains(&pair(row)), "seed {seed}: {table} kept {}", show(row));
            assert!(before[table].contains(row), "seed {seed}: {table} has {}", show(row));
        }
    }
}

/// After `sync expirations` all expired enrolments are as their method's setting demands; a simulation and a second run
/// change nothing.
#[test]
fn what_has_ended_is_as_its_method_says() {
    run_on(Dialect::Lite, async |mut empty: Site| {
        let mut seen = BTreeSet::new();
        for seed in 0..SEEDS {
            let mut site = empty.copied(&format!("seed{seed}")).await;
            site.random(seed, Autoenrol::Always).await;
            ends(&mut site, &mut Dice::new(seed + 40_000)).await;
            let before = site.dump().await;
            let expected = fates(&before);

            let engine = Engine { rules: &[], ..site.engine() };
            let order = SyncOrder::of("expirations");
            let rehearsal = engine.sync(&order, true).await.unwrap();
            site.nothing_changed(&before, &format!("seed {seed}, rehearsed")).await;
            let since = site.last_run().await;
            let report = engine.sync(&order, false).await.unwrap();
            let after = site.proved(&before, since, &rehearsal, &report).await;
            assert_eq!(found(&before, &after), expected, "seed {seed}");
            nobody_else_loses(&before, &after, &expected, seed);
            engine.sync(&order, false).await.unwrap();
            site.nothing_changed(&after, &format!("seed {seed}, again")).await;
            seen.extend(expected.into_values());
        }
        assert_eq!(seen.len(), 3, "{seen:?}");
    });
}
