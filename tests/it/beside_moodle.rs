//! Moodle writes at every moment of a run of each rule, from a second connection: enrolments, roles, group and cohort
//! members; afterwards none of its rows is lost, and the next run reaches the state that the spec desires.
//! It must not aim at single rows; `traps` makes both writers meet at one row.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use enrold::db::{Conn, Database, DbError, Dialect, Params};
use enrold::outcome::{Observer, State};
use enrold::run::{Engine, SyncOrder};
use tokio::sync::Mutex;

use crate::desired::Facts;
use crate::moodle_deeds::{Known, Statement, deed, known};
use crate::random_site::{Autoenrol, Dice};
use crate::servers::run_on;
use crate::site::Site;

/// Number of sites per rule and server.
const SITES: u64 = 10;

/// Rows added minus rows removed, by table and natural key.
type Balance = BTreeMap<(&'static str, String), i64>;

/// The checked tables: natural key, its columns in the journal, kinds that add and that remove.
const ACCOUNTS: [(&str, &str, &str, &str); 3] = [
    ("user_enrolments", "enrolid, userid", "'enrolment.add'", "'enrolment.remove'"),
    ("role_assignments", "roleid, contextid, userid, component, itemid", "'role.add'", "'role.remove', 'role.prune'"),
    ("groups_members", "groupid, userid", "'group-member.add'", "'group-member.remove'"),
];

/// Moodle, on a connection of its own.
struct Moodle {
    conn: Conn,
    dice: Dice,
    known: Vec<Known>,
    balance: Balance,
    done: u64,
}

impl Moodle {
    /// Moodle does not wait for locks: the run is paused while Moodle acts, so it would never release one.
    async fn open(database: &Database, dice: Dice, known: Vec<Known>) -> Self {
        let mut conn = database.connect().await.unwrap();
        let at_once = match conn.dialect() {
            Dialect::Maria => "SET SESSION innodb_lock_wait_timeout = 0",
            _ => "SET lock_timeout = 20",
        };
        conn.command(at_once).await.unwrap();
        Self { conn, dice, known, balance: Balance::new(), done: 0 }
    }

    /// One action in one transaction; an action that the locks of the run refuse is skipped.
    async fn act(&mut self) {
        let statements = deed(&mut self.dice, &self.known);
        self.conn.begin().await.unwrap();
        match self.send(&statements).await {
            Ok(touched) => {
                self.conn.commit().await.unwrap();
                for (statement, rows) in statements.into_iter().zip(touched) {
                    self.done += rows as u64;
                    if let Some((table, key, sign)) = statement.balance {
                        *self.balance.entry((table, key)).or_default() += sign * rows;
                    }
                }
            }
            Err(error) => {
                let refused = format!("{error:?}").to_lowercase();
                assert!(error.is_transient() || refused.contains("duplicate"), "{error}");
                // If the server has already ended the transaction, the rollback fails.
                drop(self.conn.rollback().await);
            }
        }
    }

    async fn send(&mut self, statements: &[Statement]) -> Result<Vec<i64>, DbError> {
        let mut touched = Vec::new();
        for statement in statements {
            touched.push(self.conn.exec(&statement.sql, &Params::new()).await? as i64);
        }
        Ok(touched)
    }
}

/// The rows of the accounted tables.
async fn rows(site: &mut Site) -> Balance {
    let mut balance = Balance::new();
    for (table, key, ..) in ACCOUNTS {
        for row in site.conn.rows(&format!("SELECT {key} FROM {{{table}}}"), &Params::new()).await.unwrap() {
            let key: Vec<String> = (0..row.0.len()).map(|at| row.text(at)).collect();
            *balance.entry((table, key.join(","))).or_default() += 1;
        }
    }
    balance
}

/// The rows that the journal of all runs added and removed.
async fn journal(site: &mut Site) -> Balance {
    let mut balance = Balance::new();
    for (table, key, adds, takes) in ACCOUNTS {
        let sql = format!(
            "SELECT {key}, CASE WHEN c.kind = {adds} THEN 1 ELSE -1 END FROM {{enrold_change}} c WHERE c.state = 0 AND c.kind IN ({adds}, {takes})"
        );
        for row in site.conn.rows(&sql, &Params::new()).await.unwrap() {
            let last = row.0.len() - 1;
            let key: Vec<String> = (0..last).map(|at| row.text(at)).collect();
            *balance.entry((table, key.join(","))).or_default() += row.int(last);
        }
    }
    balance
}

fn sum(balances: [&Balance; 3]) -> Balance {
    let mut sum = Balance::new();
    for (key, count) in balances.into_iter().flatten() {
        *sum.entry(key.clone()).or_default() += count;
    }
    sum.retain(|_, count| *count != 0);
    sum
}

/// One site, for odd seeds synchronised and then edited: a run of the rule with an action of Moodle at each of its
/// moments, then a run without.
async fn meets(mut site: Site, rule: &'static str, seed: u64) {
    site.random(seed, Autoenrol::Always).await;
    site.set("run.retries", "1000");
    let before = rows(&mut site).await;
    let mut dice = Dice::new(seed + 40_000);
    let mut edits = Balance::new();
    if seed % 2 == 1 {
        site.engine().sync(&SyncOrder::of(rule), false).await.unwrap();
        let known = known(&site.dump().await);
        let database = site.database(Duration::from_secs(1));
        let mut moodle = Moodle::open(&database, Dice::new(seed + 50_000), known).await;
        for _ in 0..8 {
            moodle.act().await;
        }
        edits = moodle.balance;
        moodle.conn.close().await;
    }
    let known = known(&site.dump().await);
    let database = site.database(Duration::from_secs(1));
    dice.below(2);
    let moodle = Arc::new(Mutex::new(Moodle::open(&database, dice, known).await));
    let writer = Arc::clone(&moodle);
    let observer = Observer::new(move |_| {
        let writer = Arc::clone(&writer);
        async move { writer.lock().await.act().await }
    });
    let report = Engine { observer, ..site.engine() }.sync(&SyncOrder::of(rule), false).await.unwrap();
    assert!(matches!(report.state, State::Done | State::DoneWithErrors), "{rule}, seed {seed}: {:?}", report.state);
    site.engine().sync(&SyncOrder::of(rule), false).await.unwrap();

    let after = site.dump().await;
    let expected = ["cohort", "category", "autoenrol", "meta"].contains(&rule);
    let broken = if expected { Facts::of(&after).broken(rule) } else { Vec::new() };
    assert_eq!(broken, [""; 0], "{rule}, seed {seed}: after one more run");
    let moodle = moodle.lock().await;
    let mut deeds = edits;
    for (key, count) in &moodle.balance {
        *deeds.entry(key.clone()).or_default() += count;
    }
    let found = sum([&rows(&mut site).await, &Balance::new(), &Balance::new()]);
    assert_eq!(found, sum([&before, &journal(&mut site).await, &deeds]), "{rule}, seed {seed}: rows by both writers");
}

/// All sites of one rule on one server, each in a database of its own.
fn beside(engine: Dialect, rule: &'static str) {
    for seed in 0..SITES {
        run_on(engine, move |site| meets(site, rule, seed));
    }
}

/// Two tests per rule, one for each server. On SQLite no other connection can write during a run.
macro_rules! beside_moodle {
    ($($rule:ident),+ $(,)?) => {$(
        mod $rule {
            use enrold::db::Dialect;

            #[test]
            fn postgresql() {
                super::beside(Dialect::Postgres, stringify!($rule));
            }

            #[test]
            fn mariadb() {
                super::beside(Dialect::Maria, stringify!($rule));
            }
        }
    )+};
}

beside_moodle!(cohort, category, coursecompleted, autoenrol, meta);
