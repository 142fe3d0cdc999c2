//! Accounts on the complete databases of Moodle 4.1, 4.5 and 5.1: which rows of which tables a users file changes.
//! It must not need a Moodle; `tests/complete` describes every table of each version.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use enrold::accounts::password::Hasher;
use enrold::config::{FileKind, PasswordFrom, Profile};
use enrold::db::{Dialect, Value};
use enrold::moodle::site::Site as Settings;
use enrold::moodle::tables::{self, Column, Kind, Table};
use enrold::outcome::{Report, State};

use crate::accounts_case::{Plain, load_table, stored_password};
use crate::dump::{Dump, Row, text};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

/// A version of Moodle, of which every table is described.
pub struct Version {
    name: &'static str,
    described: &'static str,
    tables: OnceLock<Vec<Table>>,
    /// How its hashes begin.
    hash: &'static str,
}

impl Version {
    const fn new(name: &'static str, described: &'static str, hash: &'static str) -> Self {
        Self { name, described, tables: OnceLock::new(), hash }
    }

    /// All its tables.
    pub fn tables(&'static self) -> &'static [Table] {
        self.tables.get_or_init(|| tables::read(self.described).unwrap())
    }
}

pub static V4_1: Version = Version::new("4.1", include_str!("../complete/4.1/tables.txt"), "$2y$04$");
pub static V4_5: Version = Version::new("4.5", include_str!("../complete/4.5/tables.txt"), "$6$rounds=5000$");
pub static V5_1: Version = Version::new("5.1", include_str!("../complete/5.1/tables.txt"), "$6$rounds=5000$");

on_each_database!(crate::complete::V4_1.tables() => moodle_4_1);
on_each_database!(crate::complete::V4_5.tables() => moodle_4_5);
on_each_database!(crate::complete::V5_1.tables() => moodle_5_1);

async fn moodle_4_1(site: Site) {
    proves(site, &V4_1, &[]).await;
}

async fn moodle_4_5(site: Site) {
    proves(site, &V4_5, &[]).await;
}

/// The course has a forum that subscribes those who are enrolled.
async fn moodle_5_1(site: Site) {
    let forum = [
        "+ forum_subscriptions userid=ID_OF_N1 forum=1",
        "+ logstore_standard_log eventname=\\mod_forum\\event\\subscription_created component=mod_forum action=created \
         target=subscription objecttable=forum_subscriptions objectid=- crud=c edulevel=2 contextid=117 contextlevel=70 \
         contextinstanceid=1 userid=2 courseid=2 relateduserid=n1 other={\"forumid\":\"1\"} timecreated=NOW origin=cli",
    ];
    proves(site, &V5_1, &forum).await;
}

const WORD: &str = "Generique-2026";

/// What the file of [`proves`] changes, as [`changes`] shows it: the same in each version, except for the id of the
/// course's context (COURSE) and the time zone of the site (ZONE).
const CHANGES: [&str; 22] = [
    "+ user confirmed=1 mnethostid=1 username=n1 password=hash firstname=Zoé lastname=Élie email=n1@example.org \
     city=Caen timezone=ZONE description= timecreated=NOW timemodified=NOW",
    "+ user confirmed=1 mnethostid=1 username=n2 password=to be generated firstname=Ann lastname=Test \
     email=n2@example.org timezone=ZONE description= timecreated=NOW timemodified=NOW",
    "+ context contextlevel=30 instanceid=n1 path=/1/context of n1 depth=2",
    "+ context contextlevel=30 instanceid=n2 path=/1/context of n2 depth=2",
    "+ user_info_data userid=n1 fieldid=1 data=Science",
    "+ user_info_data userid=n1 fieldid=2 data=",
    "+ user_info_data userid=n2 fieldid=2 data=",
    "+ user_preferences userid=n2 name=create_password value=1",
    "+ cohort_members cohortid=1 userid=n1 timeadded=NOW",
    "+ user_enrolments enrolid=1 userid=n1 timestart=1795219200 timeend=0 modifierid=2 timecreated=NOW \
     timemodified=NOW",
    "+ role_assignments roleid=4 contextid=COURSE userid=n1 timemodified=NOW modifierid=2",
    "+ groups courseid=2 name=TD1 description= timecreated=NOW timemodified=NOW",
    "+ groups_members groupid=TD1 of 2 userid=n1 timeadded=NOW",
    "+ cache_flags flagtype=accesslib/dirtyusers name=n1 timemodified=NOW value=1 expiry=NOW + session",
    "+ cache_flags flagtype=userpreferenceschanged name=n2 timemodified=NOW value=1 expiry=NOW + session",
    "+ logstore_standard_log eventname=\\core\\event\\user_created component=core action=created target=user \
     objecttable=user objectid=n1 crud=c edulevel=0 contextid=context of n1 contextlevel=30 contextinstanceid=n1 \
     userid=2 courseid=0 relateduserid=n1 other=null timecreated=NOW origin=cli",
    "+ logstore_standard_log eventname=\\core\\event\\user_created component=core action=created target=user \
     objecttable=user objectid=n2 crud=c edulevel=0 contextid=context of n2 contextlevel=30 contextinstanceid=n2 \
     userid=2 courseid=0 relateduserid=n2 other=null timecreated=NOW origin=cli",
    "+ logstore_standard_log eventname=\\core\\event\\cohort_member_added component=core action=added \
     target=cohort_member objecttable=cohort objectid=- crud=c edulevel=0 contextid=1 contextlevel=10 \
     contextinstanceid=0 userid=2 courseid=0 relateduserid=n1 other=null timecreated=NOW origin=cli",
    "+ logstore_standard_log eventname=\\core\\event\\user_enrolment_created component=core action=created \
     target=user_enrolment objecttable=user_enrolments objectid=- crud=c edulevel=0 contextid=COURSE contextlevel=50 \
     contextinstanceid=2 userid=2 courseid=2 relateduserid=n1 other={\"enrol\":\"manual\"} timecreated=NOW origin=cli",
    "+ logstore_standard_log eventname=\\core\\event\\role_assigned component=core action=assigned target=role \
     objecttable=role objectid=- crud=c edulevel=0 contextid=COURSE contextlevel=50 contextinstanceid=2 userid=2 \
     courseid=2 relateduserid=n1 other={\"itemid\":0,\"component\":\"\"} timecreated=NOW origin=cli",
    "+ logstore_standard_log eventname=\\core\\event\\group_created component=core action=created target=group \
     objecttable=groups objectid=- crud=c edulevel=0 contextid=COURSE contextlevel=50 contextinstanceid=2 userid=2 \
     courseid=2 other=null timecreated=NOW origin=cli",
    "+ logstore_standard_log eventname=\\core\\event\\group_member_added component=core action=added \
     target=group_member objecttable=groups objectid=- crud=c edulevel=0 contextid=COURSE contextlevel=50 \
     contextinstanceid=2 userid=2 courseid=2 relateduserid=n1 other={\"component\":\"\",\"itemid\":0} \
     timecreated=NOW origin=cli",
];

/// A simulation changes no table; a run changes these rows and no others; the same file again changes no table.
async fn proves(mut site: Site, version: &Version, more: &[&str]) {
    fill(&mut site, version).await;
    let before = site.dump().await;
    let course = one(&before, "course", &[("id", "2")], "shortname");
    let rows = format!(
        "username,password,lastname,firstname,email,city,profile_field_faculty,cohort1,course1,role1,group1\n\
         n1,{WORD},Élie,Zoé,n1@example.org,Caen,Science,c26,{course},teacher,TD1\n\
         n2,,Test,Ann,n2@example.org,,,,,,\n"
    );
    let profile = Profile { password: PasswordFrom::Create, ..Profile::of(FileKind::Users) };
    let file = site.users_file(&profile, &rows);
    let simulated = applied(site.engine().import(&file, true).await.unwrap());
    site.nothing_changed(&before, "simulated").await;
    let report = applied(site.engine().import(&file, false).await.unwrap());
    assert_eq!(simulated.counts, report.counts);
    let after = site.dump().await;
    let context = one(&before, "context", &[("contextlevel", "50"), ("instanceid", "2")], "id");
    let zone = one(&before, "config", &[("name", "timezone")], "value");
    let account = one(&after, "user", &[("username", "n1")], "id");
    let meant = |row: &&str| row.replace("COURSE", &context).replace("ZONE", &zone).replace("ID_OF_N1", &account);
    let mut expected: Vec<String> = CHANGES.iter().chain(more).map(meant).collect();
    expected.sort();
    let found = changes(&site, &before, &after);
    assert!(found == expected, "expected:\n{}\n\nfound:\n{}", expected.join("\n"), found.join("\n"));
    let stored = stored_password(&after, "n1");
    assert!(stored.starts_with(version.hash), "{stored}");
    let hasher = Hasher::of(&Settings::read(&mut site.conn).await.unwrap(), Vec::new());
    assert_eq!(hasher.fit(vec![(WORD.to_owned().into(), stored)]).await, [true]);
    applied(site.engine().import(&file, false).await.unwrap());
    site.nothing_changed(&after, "the same file again").await;
}

/// A value of the row with these values.
fn one(dump: &Dump, table: &str, of: &[(&str, &str)], wanted: &str) -> String {
    let row = dump[table].iter().find(|row| of.iter().all(|(column, value)| text(row, column) == *value));
    text(row.unwrap(), wanted).to_owned()
}

#[track_caller]
fn applied(report: Report) -> Report {
    assert!(report.state != State::Held && report.errors == 0, "{report:?}");
    report
}

/// The rows of the version, a cohort, and one row in each table that enrold does not know.
async fn fill(site: &mut Site, version: &Version) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/complete").join(version.name);
    site.gather();
    for table in site.tables {
        load_table(site, table, &folder.join(format!("{}.csv", table.name))).await;
        if tables::table(table.name).is_none() {
            let values = table.columns.iter().map(|column| (column.name, some(column.kind)));
            site.insert(table.name, &values.collect::<Vec<_>>()).await;
        }
    }
    let cohort = [("contextid", 1.into()), ("name", "Licence".into()), ("idnumber", "c26".into())];
    site.insert("cohort", &cohort).await;
    site.send().await;
    site.reset_sequences().await;
}

fn some(kind: Kind) -> Value {
    match kind {
        Kind::Int(_) | Kind::Number(..) => Value::Int(1),
        Kind::Char(_) | Kind::Text => Value::from("x"),
    }
}

/// The rows that are gone (`-`) and that are new (`+`), with the columns that are not as the table itself fills them.
fn changes(site: &Site, before: &Dump, after: &Dump) -> Vec<String> {
    let plain = |dump: &Dump| -> Dump {
        let plain = Plain::of(site.tables, before, dump, (NOW, NOW)).0.into_iter();
        dump.clone().into_iter().chain(plain.map(|(name, rows)| (name.to_owned(), rows))).collect()
    };
    let (old, mut new) = (plain(before), plain(after));
    let mut changes = Vec::new();
    for (name, rows) in old {
        let table = site.table(&name);
        let mut fresh = new.remove(&name).unwrap();
        for row in rows {
            match fresh.iter().position(|other| *other == row) {
                Some(at) => drop(fresh.swap_remove(at)),
                None => changes.push(format!("- {name}{}", shown(table, &row))),
            }
        }
        changes.extend(fresh.iter().map(|row| format!("+ {name}{}", shown(table, row))));
    }
    changes.sort();
    changes
}

/// A row without its id, in the order of the table's columns.
fn shown(table: &Table, row: &Row) -> String {
    let told = |column: &Column| {
        let value = row.get(column.name).filter(|_| column.name != "id")?.as_deref();
        let empty = (matches!(column.kind, Kind::Char(_)) && !column.nullable).then_some("");
        (value != column.default.or(empty)).then(|| format!(" {}={}", column.name, value.unwrap_or("NULL")))
    };
    table.columns.iter().filter_map(told).collect()
}

/// Tables of the catalogue that have columns of Moodle 4.5.
const OF_4_5: [&str; 2] = ["groups", "customfield_data"];

/// The notation of the catalogue, and the catalogue itself: enrold knows each of its tables as Moodle 4.1 makes it, and
/// two as 4.5 does.
#[test]
fn the_catalogue_is_that_of_moodle_4_1() {
    for table in tables::tables() {
        let version = if OF_4_5.contains(&table.name) { &V4_5 } else { &V4_1 };
        let real = version.tables().iter().find(|real| real.name == table.name);
        let real = real.unwrap_or_else(|| panic!("Moodle has no table {}", table.name));
        let [known, real] = [table, real].map(|table| {
            let keys: BTreeSet<_> = table.unique.iter().collect();
            (tables::ddl(Dialect::Postgres, table, "").remove(0), keys)
        });
        assert_eq!(known, real);
    }
}
