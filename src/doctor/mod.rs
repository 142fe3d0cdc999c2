//! Checks whether enrold can work here: the database, the site's tables, the account's rights, Moodle's settings and
//! enrold's directories, with advice for each. It must not change anything, nor show a password.

#![allow(clippy::disallowed_methods, reason = "it looks at files of enrold and of the operator")]

pub mod grants;
pub mod needs;

mod about;
mod catalogue;
mod collations;
mod feeders;
mod finding;
mod mails;
mod moodle;
mod own;
mod place;
mod private;
mod profiles;
mod rights;
mod roles;
mod server;
mod sources;
mod tables;
mod tasks;
mod unit;
mod waiting;

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use crate::config::{DoneMode, FileKind, Settings, Source};
use crate::db::{Conn, Database, DbError, Params};
use crate::moodle::method;
use catalogue::Catalogue;
use finding::words;
use needs::Further;

pub use finding::{Finding, Level, Words, can_work, verdict};
pub use private::open_files;
pub use tables::is_of_least_rights;

/// Examines everything; findings come in the order in which an operator would fix them. `now` (Unix seconds) serves to
/// compute the age of the last sets.
pub async fn run(database: &Database, settings: &Settings, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(mut conn) = reach(database, settings, &mut findings).await {
        if let Err(error) = examine(&mut conn, settings, now, &mut findings).await {
            findings.push(broken_off(&error));
        }
        conn.close().await;
    }
    findings.extend(profiles::examine(settings));
    findings.push(place::state(&settings.state.path));
    findings.push(place::inbox(&settings.inbox.path));
    if settings.inbox.done_mode == DoneMode::Archive {
        findings.push(place::archive(&settings.state.path.join(&settings.inbox.archive)));
    }
    findings.extend(settings.hook.spool().map(place::spool));
    findings
}

/// Whether this process has the account and the sandbox of the service that reads the same configuration; `None` if no
/// such service is installed. `files` are those that `--config` names.
pub fn service(files: &[PathBuf]) -> Option<Finding> {
    let root = Path::new("/");
    unit::of(root, files).map(|unit| unit.finding(root))
}

/// Whether the drop directory has lost the group or the mode by which feeders leave files there. `files` are those that
/// `--config` names.
pub fn feeders(settings: &Settings, files: &[PathBuf]) -> Option<Finding> {
    let root = Path::new("/");
    let state = unit::of(root, files).map(|_| settings.state.path.as_path());
    feeders::examine(root, &settings.inbox.path, state)
}

async fn reach(database: &Database, settings: &Settings, findings: &mut Vec<Finding>) -> Option<Conn> {
    // A missing file has a finding of its own, with advice in both languages.
    if let Some(file) = database.file().filter(|file| !file.exists()) {
        let shown = file.display();
        findings.push(Finding::error(
            "database",
            words(
                format!("the database file {shown} does not exist"),
                "correct database.url, or make one with 'enrold db init'",
            ),
            words(
                format!("le fichier de base de données {shown} n'existe pas"),
                "corrigez database.url, ou créez-en un avec « enrold db init »",
            ),
        ));
        return None;
    }
    let address = match database.file() {
        Some(file) => file.display().to_string(),
        None => place::address(settings.database.url.expose_secret()),
    };
    match database.connect().await {
        Ok(conn) => {
            findings.push(Finding::ok(
                "database",
                words(format!("connected to {address}"), ""),
                words(format!("connexion à {address} établie"), ""),
            ));
            Some(conn)
        }
        Err(error) => {
            findings.push(Finding::error(
                "database",
                words(
                    format!("{address}: {error}"),
                    "check database.url, that the server runs and lets this host in, and the account's password",
                ),
                words(
                    format!("{address} : {error}"),
                    "vérifiez database.url, que le serveur tourne et accepte cette machine, et le mot de passe du \
                     compte",
                ),
            ));
            None
        }
    }
}

async fn examine(conn: &mut Conn, settings: &Settings, now: i64, findings: &mut Vec<Finding>) -> Result<(), DbError> {
    findings.extend(server::examine(conn).await?);
    let catalogue = Catalogue::read(conn).await?;
    if let Some(finding) = tables::no_moodle(conn, &catalogue) {
        findings.push(finding);
        return Ok(());
    }
    findings.extend(collations::examine(conn).await?);
    let grantee = tables::grantee(conn).await?;
    let own = catalogue.table("enrold_schema").is_some();
    let further = Further {
        courses: makes_courses(conn, settings).await?,
        accounts: takes(settings, &OF_ACCOUNTS),
        groups: takes(settings, &OF_GROUPS),
    };
    let mut gaps = rights::gaps(conn, &catalogue, own, further).await?;
    if own && tables::may_read(&gaps, "enrold_schema") && own::is_outdated(conn).await? {
        // The migration adds these columns.
        gaps.retain(|gap| !(gap.need.is_own() && matches!(gap.lack, rights::Lack::Column(_))));
    }
    let general = rights::general(conn).await?;
    findings.extend(tables::of_gaps(conn, &grantee, &gaps, &general, own, further));
    findings.extend(tables::writable(conn).await);
    if own {
        if tables::may_read(&gaps, "enrold_schema") {
            findings.push(own::version(conn, &grantee).await?);
        }
        if tables::may_read(&gaps, "enrold_run") {
            findings.extend(own::runs(conn).await?);
        }
    }
    let read = ["config", "config_plugins", "role", "context", "user", "course", "task_scheduled"];
    if read.iter().all(|table| tables::may_read(&gaps, table)) {
        findings.extend(moodle::examine(conn, settings).await?);
        if own && tables::may_read(&gaps, "enrold_waiting") {
            findings.extend(waiting::examine(conn, settings).await?);
        }
        let history = own && tables::may_read(&gaps, "enrold_run");
        findings.extend(sources::examine(conn, settings, history.then_some(now)).await?);
        if tables::may_read(&gaps, "enrol") {
            let outbox = own && tables::may_read(&gaps, "enrold_outbox");
            findings.extend(mails::examine(conn, settings, outbox).await?);
        }
    }
    Ok(())
}

/// The kinds of file that change accounts, cohorts and methods: they need rights of their own.
const OF_ACCOUNTS: [FileKind; 5] =
    [FileKind::Users, FileKind::Cohorts, FileKind::CohortMembers, FileKind::Methods, FileKind::CourseMethods];
/// The kinds of file that change groups: they need rights of their own.
const OF_GROUPS: [FileKind; 3] = [FileKind::Groups, FileKind::Groupings, FileKind::GroupMembers];

/// Whether a profile of one of these kinds is enabled.
fn takes(settings: &Settings, kinds: &[FileKind]) -> bool {
    settings.profiles.values().any(|profile| profile.enabled && kinds.contains(&profile.kind))
}

/// Whether a source creates courses: from a table in its own settings, or in Moodle's settings.
async fn makes_courses(conn: &mut Conn, settings: &Settings) -> Result<bool, DbError> {
    if settings.sources.values().any(|source| source.enabled && !source.courses.table.trim().is_empty()) {
        return Ok(true);
    }
    let asks_moodle = |source: &Source| source.enabled && source.files.is_empty() && !source.gives("courses.table");
    let sql = "SELECT COUNT(*) FROM {config_plugins}
         WHERE plugin = 'enrol_database' AND name = 'newcoursetable' AND value <> ''";
    if !settings.sources.get(method::DATABASE).is_some_and(asks_moodle) {
        return Ok(false);
    }
    match conn.number(sql, &Params::new()).await {
        // An account without the right to read it gets a finding for that anyway.
        Err(DbError::Other { of_server: true, .. }) => Ok(false),
        tables => Ok(tables? > 0),
    }
}

fn broken_off(error: &DbError) -> Finding {
    Finding::error(
        "broken-off",
        words(
            format!("the examination of the database broke off: {error}"),
            "put right what is said above, then try again",
        ),
        words(
            format!("l'examen de la base s'est interrompu : {error}"),
            "corrigez ce qui est dit plus haut, puis réessayez",
        ),
    )
}
