//! The least rights: a new account with exactly the granted rights can do all that enrold does, and the doctor names
//! each revoked right. It must not be a test of the runs themselves.

use std::sync::Arc;
use std::time::Duration;

use enrold::clock;
use enrold::config::{CourseKey, Locale, UserKey};
use enrold::db::{Database, Dialect, Params, migrate};
use enrold::doctor::grants::{self, Grant, Grantee};
use enrold::doctor::{self, Finding, Level, can_work};
use enrold::moodle::install::load_sample;
use enrold::outcome::{Note, Report, State};
use enrold::run::{Engine, Import, SyncOrder, history};
use secrecy::{ExposeSecret, SecretString};

use crate::campus::context;
use crate::faculty::{category_context, group, link};
use crate::servers::{PREFIX, run_on};
use crate::site::{NOW, Site};
use crate::traces::site_with_traces;

#[test]
fn the_least_rights_suffice_postgresql() {
    run_on(Dialect::Postgres, the_least_rights_suffice);
}

#[test]
fn the_least_rights_suffice_mariadb() {
    run_on(Dialect::Maria, the_least_rights_suffice);
}

#[test]
fn the_rules_need_no_more_postgresql() {
    run_on(Dialect::Postgres, the_rules_need_no_more);
}

#[test]
fn the_rules_need_no_more_mariadb() {
    run_on(Dialect::Maria, the_rules_need_no_more);
}

#[test]
fn each_right_is_missed_postgresql() {
    run_on(Dialect::Postgres, each_right_is_missed);
}

#[test]
fn each_right_is_missed_mariadb() {
    run_on(Dialect::Maria, each_right_is_missed);
}

#[test]
fn migrating_needs_no_more_postgresql() {
    run_on(Dialect::Postgres, migrating_needs_no_more);
}

#[test]
fn migrating_needs_no_more_mariadb() {
    run_on(Dialect::Maria, migrating_needs_no_more);
}

/// The URL of a site under test.
pub fn url(engine: &Engine) -> String {
    engine.settings.database.url.expose_secret().to_owned()
}

/// A new account on the site's database, at first without any right.
pub struct Account {
    /// The dialect of the server.
    pub dialect: Dialect,
    /// Its name and host.
    pub grantee: Grantee,
    /// enrold, connected as this account.
    pub engine: Engine,
}

impl Account {
    /// Creates an account.
    pub async fn make(site: &mut Site) -> Self {
        let dialect = site.conn.dialect();
        let engine = site.engine();
        let whole = url(&engine);
        let (_, place) = whole.rsplit_once('@').unwrap();
        let (server, database) = place.split_once('/').unwrap();
        let name = format!("probe_{:x}", clock::nanos());
        let (account, url) = match dialect {
            Dialect::Postgres => (name.clone(), format!("postgres://{name}@{server}/{database}")),
            _ => (format!("{name}@127.0.0.1"), format!("mysql://{name}:secret@{server}/{database}")),
        };
        let statements = match dialect {
            Dialect::Postgres => vec![
                format!("CREATE ROLE {name} LOGIN"),
                // Rights of PUBLIC would hide missing grants.
                format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
                "REVOKE ALL ON SCHEMA public FROM PUBLIC".to_owned(),
            ],
            _ => vec![format!("CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'secret'")],
        };
        for statement in statements {
            site.conn.command(&statement).await.unwrap();
        }
        let seconds = Duration::from_secs;
        let mut settings = (*engine.settings).clone();
        settings.database.url = SecretString::from(url.clone());
        let engine = Engine {
            database: Arc::new(Database::new(&url, PREFIX, seconds(10), seconds(10)).unwrap()),
            settings: Arc::new(settings),
            ..engine
        };
        let schema = "public".to_owned();
        let grantee = Grantee { database: database.to_owned(), schema, prefix: PREFIX.to_owned(), account };
        Self { dialect, grantee, engine }
    }

    /// Removes the account.
    pub async fn remove(self, site: &mut Site) {
        let statements = match self.dialect {
            Dialect::Postgres => {
                let name = &self.grantee.account;
                vec![format!("DROP OWNED BY {name}"), format!("DROP ROLE {name}")]
            }
            _ => {
                let (name, host) = self.grantee.account.split_once('@').unwrap();
                vec![format!("DROP USER {name}@'{host}'")]
            }
        };
        for statement in statements {
            site.conn.command(&statement).await.unwrap();
        }
    }

    /// The least rights.
    pub fn rights(&self) -> Vec<Grant> {
        grants::for_runs(self.dialect, &self.grantee, |_| true)
    }

    /// The doctor's findings for this account.
    pub async fn examine(&self) -> Vec<Finding> {
        doctor::run(&self.engine.database, &self.engine.settings, NOW).await
    }
}

/// Grants rights.
pub async fn give(site: &mut Site, grants: &[Grant]) {
    for grant in grants {
        site.conn.command(&grant.sql).await.unwrap_or_else(|error| panic!("{}: {error}", grant.sql));
    }
}

async fn the_least_rights_suffice(mut site: Site) {
    site_with_traces(&mut site).await;
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let findings = account.examine().await;
    assert!(can_work(&findings), "{findings:#?}");
    assert!(findings.iter().any(|finding| (finding.level, finding.code) == (Level::Ok, "rights")), "{findings:#?}");

    let file = site.write(format!(
        "operation,username,course,role,timestart,timeend\n\
         add,simona26,L1-MATH-101,student,,\nadd,simona26,BU-FORMATION,student,,\nadd,moreaul26,L1-MATH-101,student,,{}\n\
         add,moreaul26,L1-INFO-110,student,{},\ndel,petitl25,L1-MATH-101,student,,\nadd,nobody,L1-MATH-101,student,,\n",
        NOW + 500,
        NOW + 1000,
    ));
    let rehearsal = account.engine.import(&file, true).await.unwrap();
    assert_eq!(rehearsal.state, State::Simulated);
    let report = account.engine.import(&file, false).await.unwrap();
    assert_applied(&report, State::DoneWithErrors);
    for kind in [
        "instance.add",
        "enrolment.add",
        "role.add",
        "buffer.add",
        "enrolment.remove",
        "role.remove",
        "group-member.remove",
        "conversation-member.remove",
        "group.touch",
        "grade.remove",
        "grade-history.add",
        "lastaccess.remove",
        "forum-subscriptions.remove",
        "forum-digests.remove",
        "forum-track-prefs.remove",
        "forum-read.remove",
    ] {
        assert!(report.counts.contains_key(kind), "{kind} is not among {:?}", report.counts);
    }
    assert!(site.count("logstore_standard_log").await > 0);
    assert!(site.count("cache_flags").await > 0);

    every_key_is_read(&mut site, &account).await;
    windows_and_suspensions(&mut site, &account).await;
    account.remove(&mut site).await;
}

async fn the_rules_need_no_more(mut site: Site) {
    site.campus().await;
    site.permits("student", "enrol/category:synchronised", 1, 1).await;
    site.assigned(1, category_context(1), "student", ("", 0), 1).await;
    site.cohort(1, &[2]).await;
    site.cohort_link(1, 1, "student").await;
    site.link(2, 1).await;
    site.group(1, 2).await;
    site.uses_group(link(2, 1), 1).await;
    let of_group = [("component", "core_group".into()), ("itemtype", "groups".into()), ("itemid", group(1).into())];
    site.insert("message_conversations", &[&of_group[..], &[("contextid", context(2).into())]].concat()).await;
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;

    let jobs = ["cohort", "category", "meta"].map(str::to_owned).to_vec();
    let order = SyncOrder { jobs, ..SyncOrder::default() };
    let made = account.engine.sync(&order, false).await.unwrap();
    assert_applied(&made, State::Done);
    site.unassigned(1, category_context(1), "student").await;
    site.leaves(2, 1).await;
    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    // A run that is cut by course records its parts.
    let mut settings = (*account.engine.settings).clone();
    settings.run.part_rows = 1;
    let cutting = Engine { settings: Arc::new(settings), ..account.engine.clone() };
    let gone = cutting.sync(&order, false).await.unwrap();
    assert_applied(&gone, State::Done);
    assert!(gone.notes.iter().any(|note| matches!(note, Note::InParts(_))), "{:?}", gone.notes);
    for kind in ["instance.add", "enrolment.add", "role.add", "group-member.add", "conversation-member.add"] {
        assert!(made.counts.contains_key(kind), "{kind} is not among {:?}", made.counts);
    }
    for kind in
        ["instance.remove", "enrolment.remove", "role.remove", "group-member.remove", "conversation-member.remove"]
    {
        assert!(gone.counts.contains_key(kind), "{kind} is not among {:?}", gone.counts);
    }
    for _ in 0..2 {
        account.engine.sync(&SyncOrder::of("meta"), false).await.unwrap();
    }
    let mut conn = account.engine.database.connect().await.unwrap();
    assert_eq!(history::forget_quiet(&mut conn, NOW + 1).await.unwrap(), 1);
    conn.close().await;
    account.remove(&mut site).await;
}

async fn every_key_is_read(site: &mut Site, account: &Account) {
    let none = Params::new();
    let row = site
        .conn
        .row("SELECT id, email, idnumber FROM {user} WHERE username = 'simona26'", &none)
        .await
        .unwrap()
        .unwrap();
    let place = site
        .conn
        .row("SELECT id, idnumber FROM {course} WHERE shortname = 'L1-INFO-110'", &none)
        .await
        .unwrap()
        .unwrap();
    for (user_key, course_key, line) in [
        (UserKey::Email, CourseKey::Id, format!("add,student,{},{}\n", row.text(1), place.text(0))),
        (UserKey::Id, CourseKey::Shortname, format!("del,student,{},L1-INFO-110\n", row.text(0))),
        (UserKey::Idnumber, CourseKey::Idnumber, format!("add,student,{},{}\n", row.text(2), place.text(1))),
    ] {
        let import = Import { user_key: Some(user_key), course_key: Some(course_key), ..site.write(line) };
        assert_applied(&account.engine.import(&import, false).await.unwrap(), State::Done);
    }
}

/// Due rows of the buffer, expirations, `del` under suspension, changed windows.
async fn windows_and_suspensions(site: &mut Site, account: &Account) {
    let later = Engine { clock: clock::Clock::frozen_at(Some(NOW + 2000)), ..account.engine.clone() };
    let report = later.sync_flatfile(false).await.unwrap();
    assert_applied(&report, State::Done);
    for kind in ["buffer.remove", "enrolment.add", "enrolment.remove"] {
        assert!(report.counts.contains_key(kind), "{kind} is not among {:?}", report.counts);
    }
    site.setting("unenrolaction", Some("3")).await;
    let file = site.write(format!(
        "operation,username,course,role,timestart,timeend\nadd,simona26,BU-FORMATION,student,,{}\ndel,simona26,L1-MATH-101,student,,\n",
        NOW + 9000
    ));
    let report = later.import(&file, false).await.unwrap();
    assert_applied(&report, State::Done);
    assert!(report.counts.contains_key("enrolment.update") && report.counts.contains_key("enrolment.suspend"));
}

/// The run was applied, including its effects.
pub fn assert_applied(report: &Report, state: State) {
    assert_eq!(report.state, state, "{:?}", report.problems);
    let unwritten = report.notes.iter().find(|note| matches!(note, Note::EffectsPending(_)));
    assert_eq!(unwritten, None, "the effects are written too");
}

/// Revokes each granted right in turn: the doctor reports that enrold cannot work, with the right and the remedy.
async fn each_right_is_missed(mut site: Site) {
    load_sample(&mut site.conn).await.unwrap();
    let account = Account::make(&mut site).await;
    let rights = account.rights();
    give(&mut site, &rights).await;
    for grant in &rights {
        site.conn.command(&revoke(&grant.sql)).await.unwrap();
        let findings = account.examine().await;
        assert!(!can_work(&findings), "without: {}", grant.sql);
        let errors = findings.iter().filter(|finding| finding.level == Level::Error);
        let text = errors.map(|finding| finding.text(Locale::En)).collect::<Vec<_>>().join("\n");
        let named = grant.table.map_or_else(|| general_name(&grant.sql), str::to_owned);
        assert!(text.contains(&named), "without: {}\nthe doctor says: {text}", grant.sql);
        if grant.table.is_some_and(|table| table != "enrold_schema") {
            assert!(text.contains(&grant.sql), "the remedy of: {}\nis not in: {text}", grant.sql);
        }
        site.conn.command(&grant.sql).await.unwrap();
    }
    assert!(can_work(&account.examine().await));
    account.remove(&mut site).await;
}

/// The name by which an error refers to a right on the whole database.
fn general_name(sql: &str) -> String {
    let name = match sql {
        _ if sql.contains("CONNECT") => "permission denied for database",
        _ if sql.contains("ON SCHEMA") => "no Moodle tables with the prefix 'mdl_' can be seen",
        _ => "CREATE TEMPORARY TABLES",
    };
    name.to_owned()
}

/// The statement that revokes a grant.
pub fn revoke(grant: &str) -> String {
    let (what, whom) = grant.strip_prefix("GRANT ").unwrap().rsplit_once(" TO ").unwrap();
    format!("REVOKE {what} FROM {whom}")
}

/// enrold's own tables can be created with the rights of `for_migrate` and no others.
async fn migrating_needs_no_more(mut site: Site) {
    load_sample(&mut site.conn).await.unwrap();
    for table in [
        "enrold_schema",
        "enrold_lease",
        "enrold_run",
        "enrold_task",
        "enrold_change",
        "enrold_completion",
        "enrold_error",
        "enrold_outbox",
        "enrold_set_member",
        "enrold_set_absent",
        "enrold_letter",
        "enrold_notice",
        "enrold_waiting",
    ] {
        site.conn.command(&format!("DROP TABLE {table}")).await.unwrap();
    }
    let account = Account::make(&mut site).await;
    give(&mut site, &grants::for_migrate(account.dialect, &account.grantee)).await;
    let mut conn = account.engine.database.connect().await.unwrap();
    assert!(!migrate(&mut conn, NOW).await.unwrap().is_empty());
    conn.close().await;
    give(&mut site, &account.rights()).await;
    let findings = account.examine().await;
    assert!(can_work(&findings), "{findings:#?}");
    let file = site.write("operation,username,course,role,timestart,timeend\nadd,simona26,L1-MATH-101,student,,\n");
    assert_applied(&account.engine.import(&file, false).await.unwrap(), State::Done);
    account.remove(&mut site).await;
}
