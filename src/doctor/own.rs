//! Checks enrold's own tables: that they exist, their version and prefix, and the runs in them that wait.
//! It must not migrate or decide anything.

use crate::db::{Conn, DbError, Params, SCHEMA_VERSION, schema_version, statement};
use crate::doctor::finding::{Finding, words};
use crate::doctor::grants::{self, Grantee};
use crate::lease::{LEADER, Lease};

/// Examines version and prefix of enrold's own tables, which exist.
///
/// # Errors
/// The database's error.
pub(super) async fn version(conn: &mut Conn, grantee: &Grantee) -> Result<Finding, DbError> {
    let Some((version, prefix)) = schema_version(conn).await? else {
        return Ok(missing());
    };
    if prefix != conn.prefix() {
        return Ok(Finding::error(
            "own-tables",
            words(
                format!("enrold's tables in this database serve the prefix '{prefix}', not '{}'", conn.prefix()),
                "correct database.prefix: one Moodle per database",
            ),
            words(
                format!(
                    "les tables d'enrold dans cette base servent le préfixe « {prefix} », pas « {} »",
                    conn.prefix()
                ),
                "corrigez database.prefix : un seul Moodle par base",
            ),
        ));
    }
    if version == SCHEMA_VERSION {
        return Ok(Finding::ok(
            "own-tables",
            words(format!("enrold's own tables have version {version}"), ""),
            words(format!("les tables propres d'enrold ont la version {version}"), ""),
        ));
    }
    let (en, fr) = if version < SCHEMA_VERSION {
        (
            "run 'enrold db migrate' with an account that has the rights for it",
            "exécutez « enrold db migrate » avec un compte qui en a les droits",
        )
    } else {
        ("install the newer enrold that made them", "installez l'enrold plus récent qui les a faites")
    };
    let rights = if version < SCHEMA_VERSION { grants::for_migrate(conn.dialect(), grantee) } else { Vec::new() };
    let finding = Finding::error(
        "own-tables",
        words(format!("enrold's own tables have version {version}, this program needs {SCHEMA_VERSION}"), en),
        words(
            format!("les tables propres d'enrold ont la version {version}, ce programme demande la {SCHEMA_VERSION}"),
            fr,
        ),
    );
    Ok(finding.with(rights.into_iter().map(|grant| grant.sql).collect()))
}

/// Whether this program has a migration that was not applied.
///
/// # Errors
/// The database's error.
pub(super) async fn is_outdated(conn: &mut Conn) -> Result<bool, DbError> {
    Ok(schema_version(conn).await?.is_some_and(|(version, _)| version < SCHEMA_VERSION))
}

/// The finding for a database without enrold's own tables.
pub(super) fn missing() -> Finding {
    Finding::error(
        "own-tables",
        words(
            "enrold's own tables (enrold_schema, …) are missing, or the account may not read them",
            "run 'enrold db migrate' with an account that has these rights",
        ),
        words(
            "les tables propres d'enrold (enrold_schema, …) manquent, ou le compte n'a pas le droit de les lire",
            "exécutez « enrold db migrate » avec un compte qui a ces droits",
        ),
    )
}

/// Its cost grows with the runs of the history for each interrupted run, of which there are few.
const INTERRUPTED: &str = statement(include_str!("own.sql"), "interrupted runs");

/// The leader, and the runs that wait: held, interrupted and not done again, or with pending effects.
///
/// # Errors
/// The database's error.
pub(super) async fn runs(conn: &mut Conn) -> Result<Vec<Finding>, DbError> {
    let none = Params::new();
    let mut findings = vec![leader(conn).await?];
    let held = conn.number("SELECT COUNT(*) FROM {enrold_run} WHERE state = 'held'", &none).await?;
    if held > 0 {
        findings.push(Finding::ok(
            "runs-held",
            words(format!("runs held: {held}"), "see 'enrold runs', then 'enrold approve RUN' or 'enrold reject RUN'"),
            words(
                format!("exécutions suspendues : {held}"),
                "voyez « enrold runs », puis « enrold approve RUN » ou « enrold reject RUN »",
            ),
        ));
    }
    let unfinished = conn.number(INTERRUPTED, &none).await?;
    if unfinished > 0 {
        findings.push(Finding::ok(
            "runs-interrupted",
            words(
                format!("runs interrupted and not done again: {unfinished}; nothing of them was applied"),
                "see 'enrold runs', and give their files again",
            ),
            words(
                format!("exécutions interrompues et jamais reprises : {unfinished} ; rien n'en a été appliqué"),
                "voyez « enrold runs » et redonnez leurs fichiers",
            ),
        ));
    }
    let effects = conn.number("SELECT COUNT(*) FROM {enrold_run} WHERE effects = 1", &none).await?;
    if effects > 0 {
        findings.push(Finding::ok(
            "effects-pending",
            words(
                format!("runs committed whose session flags and log entries are not all written yet: {effects}"),
                "the next run of enrold writes them",
            ),
            words(
                format!(
                    "exécutions validées dont les marques de session et entrées de journal ne sont pas toutes \
                     écrites : {effects}"
                ),
                "la prochaine exécution d'enrold les écrit",
            ),
        ));
    }
    Ok(findings)
}

/// Whether a daemon holds the leader lease.
async fn leader(conn: &mut Conn) -> Result<Finding, DbError> {
    Ok(match Lease::holder(conn, LEADER).await? {
        Some((holder, seconds)) => Finding::ok(
            "daemon",
            words(format!("the daemon {holder} leads, for {seconds} s"), ""),
            words(format!("le démon {holder} est aux commandes, depuis {seconds} s"), ""),
        ),
        None => Finding::ok(
            "daemon",
            words("no daemon leads this database", "start one with 'enrold run', or work with commands"),
            words("aucun démon n'est aux commandes", "démarrez-en un avec « enrold run », ou travaillez par commandes"),
        ),
    })
}
