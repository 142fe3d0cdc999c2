//! Properties of every users file: random rows and options on a site with odd accounts, against a model, file after
//! file. It must not know how rows are matched or applied.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use enrold::config::{BlankCell, FileKind, MatchBy, Operation, Profile, Update};
use enrold::db::Dialect;
use enrold::outcome::{Report, State};
use enrold::run::Import;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::accounts_model::{Account, Model, Options, Row, Told};
use crate::campus::user;
use crate::dump::{EFFECTS, assert_same, without};
use crate::rebuild::rebuild;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(random_files_leave_what_the_model_says);

/// The counts that the model predicts.
const COUNTED: [&str; 9] = [
    "user.add",
    "user.update",
    "user.suspend",
    "user.rename",
    "user.remove",
    "cohort.add",
    "cohort-member.add",
    "enrolment.add",
    "role.add",
];

/// Who is meant by rows, mostly: accounts of the site, two of them deleted, and new ones.
const PEOPLE: [(&str, &str); 14] = [
    ("u1", "u1@example.com"),
    ("u2", "U2@Example.com"),
    ("U3", "u3@example.com"),
    ("u3", "u3@example.com"),
    ("u4", "u4@example.com"),
    ("u5", "u4@example.com"),
    ("u6", "u6@example.com"),
    ("u7", "u7@example.com"),
    ("u8", "u8@example.com"),
    ("n1", "n1@example.org"),
    ("n2", "n2@example.org"),
    ("N 1!", "N1@example.org"),
    ("n3", "n3@example.org"),
    ("admin", "admin@example.com"),
];

fn options() -> impl Strategy<Value = Options> {
    let operation = select(vec![
        Operation::Add,
        Operation::AddAll,
        Operation::AddUpdate,
        Operation::AddUpdate,
        Operation::AddUpdate,
        Operation::Update,
    ]);
    let update = select(vec![Update::None, Update::File, Update::File, Update::FileAndDefaults, Update::Missing]);
    let often = || prop::bool::weighted(0.7);
    let seldom = || prop::bool::weighted(0.25);
    let flags = (seldom(), often(), often(), often(), often(), seldom(), seldom(), any::<bool>(), seldom());
    (operation, update, flags).prop_map(|(operation, update, flags)| {
        let (by_mail, standardise, rename, delete, suspend, erases, shares, makes_cohorts, no_city) = flags;
        let changes = matches!(operation, Operation::AddUpdate | Operation::Update);
        Options {
            operation,
            update: if changes { update } else { Update::None },
            by_mail,
            standardise,
            rename: changes && rename,
            delete: changes && delete,
            suspend,
            erases,
            shares,
            makes_cohorts,
            no_city,
        }
    })
}

fn row() -> impl Strategy<Value = Row> {
    let some = |cells: &[(u32, &'static str)]| {
        let weighted = cells.iter().map(|(weight, cell)| (*weight, Just(*cell).boxed())).collect();
        prop::strategy::Union::new_weighted(weighted)
    };
    let names =
        || prop_oneof![9 => select(&PEOPLE[..]).prop_map(|(name, _)| name), 1 => select(vec!["", "guest", "!"])];
    let mails = prop_oneof![4 => select(&PEOPLE[..]).prop_map(|(_, mail)| mail), 1 => Just("")];
    let who = prop_oneof![3 => select(&PEOPLE[..]), 1 => (names(), mails)];
    let old = prop_oneof![8 => Just(""), 1 => names()];
    let values = (
        some(&[(1, ""), (5, "Ada")]),
        some(&[(1, ""), (3, "Un"), (3, "Deux")]),
        some(&[(2, ""), (1, "Caen"), (1, "Rouen")]),
        some(&[(4, ""), (2, "fr"), (1, "Atlantis")]),
    );
    let state = (
        some(&[(8, ""), (2, "1"), (1, "0"), (1, "oui"), (1, "non"), (1, "perhaps")]),
        some(&[(10, ""), (2, "1"), (1, "no"), (1, "2nd")]),
    );
    let gives = (
        some(&[(2, ""), (3, "h1"), (1, "none")]),
        some(&[(3, ""), (2, "h2"), (1, "owned")]),
        some(&[(2, ""), (2, "c1"), (1, "c2"), (1, "nowhere")]),
        some(&[(3, ""), (1, "student"), (1, "teacher"), (1, "nobody")]),
    );
    (who, old, values, state, gives, prop::bool::weighted(0.03)).prop_map(|(who, old, values, state, gives, ragged)| {
        Row {
            username: who.0,
            oldusername: old,
            // A row of blanks alone is none.
            firstname: if who == ("", "") { "Ada" } else { values.0 },
            lastname: values.1,
            email: who.1,
            city: values.2,
            country: values.3,
            suspended: state.0,
            deleted: state.1,
            cohorts: [gives.0, gives.1],
            course: gives.2,
            role: gives.3,
            ragged,
        }
    })
}

type File = (Options, Vec<Row>);

fn files() -> impl Strategy<Value = Vec<File>> {
    prop::collection::vec((options(), prop::collection::vec(row(), 6..24)), 2)
}

/// The site before any file: a suspended account, capitals in a name, an address of two, deleted ones, another host's.
async fn odd_accounts(site: &mut Site) -> Model {
    site.emptied().await;
    site.campus().await;
    site.reset_sequences().await;
    for (condition, values) in [
        ("id > 10", "firstname = 'Old', lastname = 'Name'"),
        ("username = 'u2'", "suspended = 1, city = 'Lyon', country = 'DE'"),
        ("username = 'u3'", "username = 'U3'"),
        ("username = 'u5'", "email = 'u4@example.com'"),
        ("username = 'u6'", "deleted = 1, username = 'u6@example.com.1600000000', email = 'e6', idnumber = ''"),
        ("username = 'u7'", "deleted = 1"),
        ("username = 'u8'", "mnethostid = 7"),
        ("username = 'u9'", "email = '', lastname = ''"),
    ] {
        site.sql(&format!("UPDATE {{user}} SET {values} WHERE {condition}")).await;
    }
    for (number, members) in [(1, &[1, 4][..]), (2, &[2]), (3, &[])] {
        site.cohort(number, members).await;
    }
    site.sql("UPDATE {cohort} SET component = 'local_x', idnumber = 'owned', name = 'owned' WHERE name = 'h3'").await;
    for (who, role) in [(1, "student"), (5, "teacher")] {
        site.enrolled(who, 1, "manual").await;
        site.has_role(who, 1, role, "manual").await;
    }
    let account = |username: &str| Account {
        username: username.to_owned(),
        firstname: "Old".to_owned(),
        lastname: "Name".to_owned(),
        email: format!("{username}@example.com"),
        ..Account::default()
    };
    let mut accounts: Vec<Account> = ["guest", "admin"].map(account).into();
    accounts.iter_mut().for_each(|account| {
        account.protected = true;
        account.firstname.clear();
        account.lastname.clear();
    });
    accounts.extend((1..=9).map(|number| account(&format!("u{number}"))));
    let at = |number: i64| (user(number) - user(1) + 2) as usize;
    let in_course =
        |role: &str| (BTreeSet::from(["c1".to_owned()]), BTreeSet::from([("c1".to_owned(), role.to_owned())]));
    for (number, cohort) in [(1, "h1"), (4, "h1"), (2, "h2")] {
        accounts[at(number)].cohorts.insert(cohort.to_owned());
    }
    (accounts[at(1)].courses, accounts[at(1)].roles) = in_course("student");
    (accounts[at(5)].courses, accounts[at(5)].roles) = in_course("teacher");
    accounts[at(2)] =
        Account { suspended: true, city: "Lyon".to_owned(), country: "DE".to_owned(), ..accounts[at(2)].clone() };
    accounts[at(3)].username = "U3".to_owned();
    accounts[at(5)].email = "u4@example.com".to_owned();
    (accounts[at(6)].deleted, accounts[at(7)].deleted, accounts[at(8)].foreign) = (true, true, true);
    (accounts[at(6)].username, accounts[at(6)].email) = ("u6@example.com.1600000000".to_owned(), "e6".to_owned());
    (accounts[at(9)].email, accounts[at(9)].lastname) = (String::new(), String::new());
    Model { accounts, cohorts: ["h1", "h2"].map(str::to_owned).into() }
}

impl Model {
    /// The same in the form of [`Site::told`].
    fn lines(&self) -> [Vec<String>; 5] {
        let sorted = |lines: &mut dyn Iterator<Item = String>| {
            let mut lines: Vec<String> = lines.collect();
            lines.sort();
            lines
        };
        let each = |of: &dyn Fn(&Account) -> Vec<String>| sorted(&mut self.accounts.iter().flat_map(of));
        [
            each(&|a| {
                let state = [a.suspended, a.deleted].map(i64::from);
                let host = if a.foreign { 7 } else { 1 };
                let Account { username, firstname, lastname, email, city, country, .. } = a;
                vec![format!(
                    "{username}|{firstname}|{lastname}|{email}|{city}|{country}|{}{}|{host}",
                    state[0], state[1]
                )]
            }),
            each(&|a| a.cohorts.iter().map(|cohort| format!("{} {cohort}", a.username)).collect()),
            each(&|a| a.courses.iter().map(|course| format!("{} {course} manual", a.username)).collect()),
            each(&|a| a.roles.iter().map(|(course, role)| format!("{} {course} {role} manual", a.username)).collect()),
            sorted(&mut self.cohorts.iter().cloned().chain(["owned".to_owned()])),
        ]
    }
}

impl Site {
    async fn told_of_accounts(&mut self) -> [Vec<String>; 5] {
        let sql = "SELECT u.username, u.firstname, u.lastname, u.email, u.city, u.country, u.suspended, u.deleted,
            u.mnethostid, u.id FROM {user} u";
        let account = |row: &enrold::db::Row| {
            let texts: Vec<String> = (0..6).map(|at| row.text(at)).collect();
            let texts = texts.join("|").replace(&format!(".{}@unknownemail", row.int(9)), ".ID@unknownemail");
            format!("{texts}|{}{}|{}", row.int(6), row.int(7), row.int(8))
        };
        let accounts = self.lines(sql, account).await;
        let enrolments = self.enrolments().await.into_iter();
        let enrolments = enrolments.map(|line| line.split(" now").next().unwrap_or_default().to_owned()).collect();
        let cohorts = self.lines("SELECT idnumber FROM {cohort}", |row| row.text(0)).await;
        [accounts, self.members().await, enrolments, self.roles().await, cohorts]
    }

    async fn users_import(&mut self, options: &Options, rows: &[Row]) -> Import {
        let shares = i64::from(options.shares);
        self.sql("DELETE FROM {config} WHERE name = 'allowaccountssameemail'").await;
        self.insert("config", &[("name", "allowaccountssameemail".into()), ("value", shares.to_string().into())]).await;
        let profile = Profile {
            operation: options.operation,
            update: options.update,
            match_by: if options.by_mail { MatchBy::Email } else { MatchBy::Username },
            standardise: options.standardise,
            rename: Some(options.rename),
            delete: Some(options.delete),
            suspend: Some(options.suspend),
            blank: if options.erases { BlankCell::Erase } else { BlankCell::Keep },
            email_duplicates: options.shares,
            create_cohorts: options.makes_cohorts,
            default: options.no_city.then(|| ("city".to_owned(), "%l".to_owned())).into_iter().collect(),
            ..Profile::of(FileKind::Users)
        };
        Import { profile: Some(Arc::new(profile)), ..self.write(options.text(rows)) }
    }
}

impl Told {
    /// What a run told.
    fn by(report: &Report) -> Self {
        let mut problems: Vec<String> =
            report.problems.iter().map(|problem| format!("{} {}", problem.line, problem.code)).collect();
        problems.sort();
        let counts = COUNTED.iter().filter_map(|kind| report.counts.get(*kind).map(|count| (*kind, *count)));
        Told { problems, failed: report.lines.failed, counts: counts.collect() }
    }
}

/// A simulation changes nothing and tells the same; the run leaves what the model says, each problem is told once; the
/// journal leads back; the same file again does what the model does again, mostly nothing.
async fn files_follow_the_model(site: &mut Site, files: &[File]) -> Result<(), TestCaseError> {
    let mut model = odd_accounts(site).await;
    for (options, rows) in files {
        let import = site.users_import(options, rows).await;
        for moment in ["the first time", "again"] {
            let before = site.dump().await;
            let expected = model.apply(options, rows);
            let rehearsal = site.engine().import(&import, true).await.unwrap();
            prop_assert_eq!(rehearsal.state, State::Simulated);
            prop_assert_eq!(&before, &site.dump().await, "a simulation");
            prop_assert_eq!(&Told::by(&rehearsal), &expected, "simulated {}", moment);
            let since = site.last_run().await;
            let report = site.engine().import(&import, false).await.unwrap();
            prop_assert!(matches!(report.state, State::Done | State::DoneWithErrors), "{:?}", report.state);
            prop_assert_eq!(report.lines.records, rows.len() as u64);
            prop_assert_eq!(&rehearsal.counts, &report.counts);
            prop_assert_eq!(&Told::by(&report), &expected, "{}", moment);
            let mut stored = site.errors(&report).await;
            stored.sort();
            prop_assert_eq!(&stored, &expected.problems, "{}", moment);
            prop_assert_eq!(&site.told_of_accounts().await, &model.lines(), "{}", moment);
            let after = site.dump().await;
            if expected.counts.is_empty() {
                prop_assert!(report.counts.is_empty(), "{:?} {}", &report.counts, moment);
                prop_assert_eq!(&before, &after, "{}", moment);
            }
            let rebuilt = rebuild(site, since, &after).await;
            assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");
        }
    }
    Ok(())
}

/// Few cases on the servers, where each takes longer; `ENROLD_TEST_SITES` sets another number.
async fn random_files_leave_what_the_model_says(mut site: Site) {
    let few = if site.conn.dialect() == Dialect::Lite { 12 } else { 3 };
    let cases = std::env::var("ENROLD_TEST_SITES").ok().and_then(|text| text.parse().ok()).unwrap_or(few);
    site.set("run.lease_ttl", "3600");
    site.at(NOW);
    let site = RefCell::new(site);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let outcome = TestRunner::new(config).run(&files(), |files| {
        let mut site = site.borrow_mut();
        block_in_place(|| Handle::current().block_on(files_follow_the_model(&mut site, &files)))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
