//! The doctor's findings on sources of full sets: second databases, files, mails, missing sets, Moodle beside enrold.
//! It must not fetch a set.

use enrold::config::Locale;
use enrold::db::Dialect;
use enrold::doctor::{Finding, Level, can_work};
use enrold::moodle::install::load_sample;

use crate::campus::set;
use crate::doctor::examine;
use crate::doctor_rights::{Account, url};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a_second_database, an_account_that_only_reads, what_its_settings_say, moodle_beside_it);

/// The findings of this code, as `LEVEL text`.
fn told(findings: &[Finding], code: &str) -> Vec<String> {
    let of = |finding: &&Finding| finding.code == code;
    findings.iter().filter(of).map(|finding| format!("{:?} {}", finding.level, finding.text(Locale::En))).collect()
}

impl Site {
    /// A sample site with the method enabled, and the source `x`, which reads the table `records` of the same database.
    async fn reading(&mut self) {
        load_sample(&mut self.conn).await.unwrap();
        self.sql("UPDATE {config} SET value = 'manual,flatfile,database' WHERE name = 'enrol_plugins_enabled'").await;
        self.conn.literal("CREATE TABLE records (who VARCHAR(9), place VARCHAR(9))").await.unwrap();
        let url = url(&self.engine());
        self.set("sources.x.url", &url);
        for (key, value) in [("table", "records"), ("columns.user", "who"), ("columns.course", "place")] {
            self.set(&format!("sources.x.{key}"), value);
        }
    }
}

async fn a_second_database(mut site: Site) {
    site.reading().await;
    let findings = examine(&site).await;
    assert!(can_work(&findings), "{findings:#?}");
    assert_eq!(told(&findings, "source"), ["Ok source x: its database answers, and has what the settings name"]);
    assert_eq!(told(&findings, "source-rights").len(), 1, "it is the site's own account");
    for (key, value, expected) in [
        ("columns.role", "part", "there is no column part; there are: who, place"),
        ("table", "nothing", "nothing"),
        ("courses.table", "no_courses", "no_courses"),
        ("url", "sqlite:/nowhere/at/all.sqlite", "there is no file /nowhere/at/all.sqlite"),
        ("url", "postgres://reader:geheim@127.0.0.1:1/records", "cannot connect"),
    ] {
        let before = site.engine().settings.sources["x"].clone();
        site.set(&format!("sources.x.{key}"), value);
        let findings = examine(&site).await;
        let text = told(&findings, "source").concat();
        assert!(text.starts_with("Error source x cannot be read: ") && text.contains(expected), "{key}: {text}");
        assert!(text.contains("'enrold diff x'") && !text.contains("geheim"), "{text}");
        assert!(!can_work(&findings));
        let back = match key {
            "columns.role" => before.columns.role,
            "table" => before.table,
            "courses.table" => before.courses.table,
            _ => url(&site.engine()),
        };
        site.set(&format!("sources.x.{key}"), if key == "url" { value } else { &back });
    }
    site.set("sources.x.enabled", "false");
    assert!(told(&examine(&site).await, "source").is_empty());
}

async fn an_account_that_only_reads(mut site: Site) {
    site.reading().await;
    if site.conn.dialect() == Dialect::Lite {
        return;
    }
    let account = Account::make(&mut site).await;
    let (name, rest) = (account.grantee.account.clone(), &account.grantee);
    let grants = match account.dialect {
        Dialect::Postgres => vec![
            format!("GRANT CONNECT ON DATABASE {} TO {name}", rest.database),
            format!("GRANT USAGE ON SCHEMA public TO {name}"),
            format!("GRANT SELECT ON records TO {name}"),
        ],
        _ => vec![format!(
            "GRANT SELECT ON {}.records TO '{}'@'127.0.0.1'",
            rest.database,
            name.split('@').next().unwrap()
        )],
    };
    for grant in &grants {
        site.conn.command(grant).await.unwrap();
    }
    site.set("sources.x.url", &url(&account.engine));
    let findings = examine(&site).await;
    assert_eq!((told(&findings, "source").len(), told(&findings, "source-rights").len()), (1, 0));
    assert!(told(&findings, "source")[0].starts_with("Ok"), "{findings:#?}");
    site.conn.command(&grants[grants.len() - 1].replace("SELECT", "UPDATE")).await.unwrap();
    assert_eq!(told(&examine(&site).await, "source-rights").len(), 1);
    // A missing right to read is reported before the first fetch fails.
    site.conn.command(&grants[grants.len() - 1].replace("GRANT", "REVOKE").replace(" TO ", " FROM ")).await.unwrap();
    assert!(told(&examine(&site).await, "source")[0].starts_with("Error"));
    account.remove(&mut site).await;
}

async fn what_its_settings_say(mut site: Site) {
    site.reading().await;
    let codes = ["source-role", "source-mails", "source-stale", "source-files", "source-method", "login-sync"];
    let findings = examine(&site).await;
    assert!(codes.iter().all(|code| told(&findings, code).is_empty()), "{findings:#?}");
    site.set("sources.x.default_role", "etudiant");
    site.set("sources.x.mail_to", "it@example.org");
    site.set("sources.x.expected_by", "06:30");
    for (source, files) in [("a", "night-*.csv"), ("b", "*.csv"), ("c", "in/set.csv")] {
        site.set(&format!("sources.{source}.files"), files);
    }
    let findings = examine(&site).await;
    assert!(can_work(&findings), "{findings:#?}");
    for (code, text) in [
        ("source-role", "no role has the short name 'etudiant'"),
        ("source-mails", "mails are off"),
        ("source-stale", "source x is stale: no good set has ever come"),
    ] {
        let told = told(&findings, code);
        assert!(told.len() == 1 && told[0].starts_with("Warning") && told[0].contains(text), "{code}: {told:?}");
    }
    let files = told(&findings, "source-files");
    assert!(files[0].contains("sources a (night-*.csv) and b: a takes it"), "{files:?}");
    assert!(files[1].contains("source c: no dropped file can be in/set.csv") && files.len() == 2, "{files:?}");
    site.set("smtp.enabled", "true");
    assert!(told(&examine(&site).await, "source-mails").is_empty());
    site.sql("UPDATE {config} SET value = 'manual,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
    let off = told(&examine(&site).await, "source-method");
    assert!(off.len() == 1 && off[0].contains("sets of a, b, c, x are skipped"), "{off:?}");
}

/// Moodle queries its second database at each login, even if its task is disabled.
async fn moodle_beside_it(mut site: Site) {
    site.reading().await;
    for name in ["remoteenroltable", "remotecoursefield", "remoteuserfield"] {
        site.insert("config_plugins", &set("enrol_database", name, "x")).await;
    }
    assert!(told(&examine(&site).await, "login-sync").is_empty(), "without a driver it asks nothing");
    site.insert("config_plugins", &set("enrol_database", "dbtype", "mysqli")).await;
    let findings = examine(&site).await;
    let login = told(&findings, "login-sync");
    assert!(login.len() == 1 && login[0].contains("the roles that the sources x have given"), "{login:?}");
    assert!(login[0].contains("dbtype") && can_work(&findings));
    // The source `database` does what Moodle does itself.
    let own = url(&site.engine());
    site.set("sources.x.enabled", "false");
    for (key, value) in
        [("url", own.as_str()), ("table", "records"), ("columns.user", "who"), ("columns.course", "place")]
    {
        site.set(&format!("sources.database.{key}"), value);
    }
    let sql = "UPDATE {task_scheduled} SET disabled = 0 WHERE component = 'enrol_database'";
    site.sql("DELETE FROM {task_scheduled} WHERE component = 'enrol_database'").await;
    let task = [
        ("component", "enrol_database".into()),
        ("classname", r"\enrol_database\task\sync_enrolments".into()),
        ("disabled", 1.into()),
    ];
    site.insert("task_scheduled", &task).await;
    let findings = examine(&site).await;
    let login = told(&findings, "login-sync");
    assert!(login.len() == 1 && login[0].contains("the same as the source database"), "{login:?}");
    assert_eq!(told(&findings, "twin-task").len(), 1);
    assert!(told(&findings, "twin-task")[0].starts_with("Ok"));
    site.sql(sql).await;
    let findings = examine(&site).await;
    let twin = told(&findings, "twin-task").concat();
    assert!(twin.starts_with("Warning") && twin.contains("sources.database.enabled = false"), "{twin}");
    let level = findings.iter().find(|finding| finding.code == "login-sync").unwrap().level;
    assert_eq!(level, Level::Warning);
}
