//! How the number of statements grows with users files and cohort files: with bulk chunks and chunks of effects, never
//! with people. It must not measure time or memory.

use std::sync::Arc;

use enrold::config::{FileKind, Operation, Profile, Update};
use enrold::db::Dialect;
use enrold::run::Import;

use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(of_new_accounts, of_changed_accounts, of_given_passwords, of_new_cohorts, of_cohort_members);

const FEW: i64 = 100;
const MANY: i64 = 2_000;

/// The people of a file, as numbers.
type People = std::ops::Range<i64>;

const FIRST: People = 0..FEW;
const OTHERS: People = FEW..FEW + MANY;

impl Site {
    async fn with_four_cohorts(&mut self) {
        self.campus().await;
        // The heartbeat of the lease sends statements at intervals: here it never does.
        self.set("run.lease_ttl", "3600");
        for number in 1..=4 {
            self.cohort(number, &[]).await;
        }
        self.reset_sequences().await;
        // Moodle before 4.3: its hashes take little time.
        self.insert("config", &[("name", "version".into()), ("value", "2022112800".into())]).await;
    }

    async fn statements_for(&mut self, profile: &Profile, text: &str, kind: &str, changes: i64) -> u64 {
        let import = Import { profile: Some(Arc::new(profile.clone())), ..self.write(text) };
        let report = self.engine().import(&import, false).await.unwrap();
        assert_eq!((report.errors, report.counts.get(kind)), (0, Some(&changes)), "{:?}", report.counts);
        report.statements
    }

    /// 1,900 more rows are loaded into `tables` in chunks of 500, except on PostgreSQL; `changes` more for each row take
    /// effect in chunks of 5,000, each a handful of statements.
    #[track_caller]
    fn hardly_grows(&self, few: u64, many: u64, tables: u64, changes: u64) {
        let chunks = if self.conn.dialect() == Dialect::Postgres { 2 } else { 4 * tables };
        let effects = 8 * (MANY as u64 * changes).div_ceil(5_000);
        let engine = self.conn.dialect().name();
        assert!(many <= few + chunks + effects, "{engine}: {many} statements for {MANY} rows, {few} for {FEW}");
    }
}

fn adding() -> Profile {
    Profile { operation: Operation::AddUpdate, update: Update::File, ..Profile::of(FileKind::Users) }
}

/// A users file: each row with two cohorts and two courses.
fn users(people: People, more: &str, cell: impl Fn(i64) -> String) -> String {
    let row = |n: i64| {
        let (one, other) = (1 + n % 4, 1 + (n + 1) % 4);
        let (first, second) = (1 + n % 3, 1 + (n + 1) % 3);
        format!("p{n},A,B{n},p{n}@example.org,h{one},h{other},c{first},c{second},{}\n", cell(n))
    };
    let rows: String = people.map(row).collect();
    format!("username,firstname,lastname,email,cohort1,cohort2,course1,course2,{more}\n{rows}")
}

async fn of_new_accounts(mut site: Site) {
    site.with_four_cohorts().await;
    let text = |people: People| users(people, "city", |_| "Caen".to_owned());
    let few = site.statements_for(&adding(), &text(FIRST), "user.add", FEW).await;
    let many = site.statements_for(&adding(), &text(OTHERS), "user.add", MANY).await;
    site.hardly_grows(few, many, 7, 9);
}

async fn of_changed_accounts(mut site: Site) {
    site.with_four_cohorts().await;
    let text = |people: People, city: &'static str| users(people, "city", move |_| city.to_owned());
    site.statements_for(&adding(), &text(0..FEW + MANY, "Caen"), "user.add", FEW + MANY).await;
    let few = site.statements_for(&adding(), &text(FIRST, "Rouen"), "user.update", FEW).await;
    let many = site.statements_for(&adding(), &text(OTHERS, "Rouen"), "user.update", MANY).await;
    site.hardly_grows(few, many, 7, 1);
    // Each leaves two cohorts and two courses.
    let deleting = Profile { delete: Some(true), ..adding() };
    let gone = |people: People| users(people, "deleted", |_| "1".to_owned());
    let few = site.statements_for(&deleting, &gone(FIRST), "user.remove", FEW).await;
    let some = FEW..FEW + 600;
    let many = site.statements_for(&deleting, &gone(some), "user.remove", 600).await;
    site.hardly_grows(few, many, 5, 8);
}

async fn of_given_passwords(mut site: Site) {
    site.with_four_cohorts().await;
    let profile = Profile { password_update: true, ..adding() };
    // Hashing costs far more than all else. So many are hashed while no transaction is open, after a first reading.
    let (first, others) = (0..70, 70..270);
    let text = |people: People, begin: &'static str| users(people, "password", move |n| format!("{begin}-{n}-Ab1"));
    let few = site.statements_for(&profile, &text(first.clone(), "one"), "user.add", 70).await;
    let many = site.statements_for(&profile, &text(others.clone(), "one"), "user.add", 200).await;
    site.hardly_grows(few, many, 8, 9);
    let few = site.statements_for(&profile, &text(first.clone(), "two"), "user.update", 70).await;
    let many = site.statements_for(&profile, &text(others.clone(), "two"), "user.update", 200).await;
    site.hardly_grows(few, many, 8, 2);
}

async fn of_new_cohorts(mut site: Site) {
    site.with_four_cohorts().await;
    let profile = Profile::of(FileKind::Cohorts);
    let text = |people: People| -> String {
        let rows: String = people.map(|n| format!("Cohort {n},k{n},text {n},yes\n")).collect();
        format!("name,idnumber,description,visible\n{rows}")
    };
    let few = site.statements_for(&profile, &text(FIRST), "cohort.add", FEW).await;
    let many = site.statements_for(&profile, &text(OTHERS), "cohort.add", MANY).await;
    site.hardly_grows(few, many, 2, 1);
}

async fn of_cohort_members(mut site: Site) {
    site.with_four_cohorts().await;
    let people = |people: People| users(people, "city", |_| String::new());
    site.statements_for(&adding(), &people(0..FEW + MANY), "user.add", FEW + MANY).await;
    let profile = Profile { create_cohorts: true, ..Profile::of(FileKind::CohortMembers) };
    let text = |verb: &str, people: People| -> String {
        let rows: String = people.map(|n| format!("{verb};m{};Members {};p{n}\n", n % 50, n % 50)).collect();
        format!("cmd;cidnumber;cname;userid\n{rows}")
    };
    for (verb, kind) in [("add", "cohort-member.add"), ("del", "cohort-member.remove")] {
        let few = site.statements_for(&profile, &text(verb, FIRST), kind, FEW).await;
        let many = site.statements_for(&profile, &text(verb, OTHERS), kind, MANY).await;
        site.hardly_grows(few, many, 3, 1);
    }
}
