//! Checks the database server: its version, its variables, its clock.
//! It must not know Moodle; pure functions judge the server's answers, so that every case is tested without a server.

use std::collections::BTreeMap;

use crate::clock;
use crate::db::{Conn, DbError, Dialect, Params};
use crate::doctor::finding::{Finding, words};

/// Seconds that the clocks of database and host may differ.
const CLOCK_SECONDS: i64 = 5;

/// A server program and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    engine: Engine,
    /// Major, minor, patch.
    number: [u32; 3],
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    PostgreSql,
    MariaDb,
    MySql,
    Sqlite,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::PostgreSql => "PostgreSQL",
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// The oldest version that has what enrold's SQL uses.
    fn oldest(self) -> [u32; 3] {
        match self {
            Self::PostgreSql => [12, 0, 0],
            Self::MariaDb => [10, 6, 0],
            Self::MySql => [8, 0, 31],
            Self::Sqlite => [0, 0, 0],
        }
    }
}

impl Version {
    fn read(dialect: Dialect, text: &str) -> Self {
        let engine = match dialect {
            Dialect::Postgres => Engine::PostgreSql,
            Dialect::Lite => Engine::Sqlite,
            Dialect::Maria if text.contains("MariaDB") => Engine::MariaDb,
            Dialect::Maria => Engine::MySql,
        };
        let digits = text.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        let mut number = [0; 3];
        for (place, part) in number.iter_mut().zip(digits.split('.')) {
            *place = part.parse().unwrap_or(0);
        }
        Self { engine, number, text: digits.to_owned() }
    }

    /// True for the versions on which every test of enrold runs.
    fn is_tested(&self) -> bool {
        match self.engine {
            Engine::PostgreSql => self.number[0] == 15,
            Engine::MariaDb => self.number[..2] == [10, 11],
            Engine::MySql => false,
            Engine::Sqlite => true,
        }
    }

    fn finding(&self) -> Finding {
        let name = format!("{} {}", self.engine.name(), self.text);
        let [major, minor, patch] = self.engine.oldest();
        if self.number < self.engine.oldest() {
            let oldest = match self.engine {
                Engine::PostgreSql => format!("{major}"),
                Engine::MySql => format!("{major}.{minor}.{patch}"),
                _ => format!("{major}.{minor}"),
            };
            return Finding::error(
                "version",
                words(format!("{name} is too old"), format!("upgrade it to {oldest} or later")),
                words(format!("{name} est trop ancien"), format!("passez à la version {oldest} ou plus récente")),
            );
        }
        if self.is_tested() {
            return Finding::ok("version", words(format!("{name}, tested"), ""), words(format!("{name}, testé"), ""));
        }
        Finding::warning(
            "version",
            words(
                format!("{name} is expected to work but is not tested (tested: PostgreSQL 15, MariaDB 10.11, SQLite)"),
                "try enrold on a copy of the site first",
            ),
            words(
                format!("{name} devrait convenir mais n'est pas testé (testés : PostgreSQL 15, MariaDB 10.11, SQLite)"),
                "essayez d'abord enrold sur une copie du site",
            ),
        )
    }
}

/// Examines the server behind a connection.
///
/// # Errors
/// The database's error.
pub(super) async fn examine(conn: &mut Conn) -> Result<Vec<Finding>, DbError> {
    let none = Params::new();
    let sql = match conn.dialect() {
        Dialect::Postgres => "SELECT current_setting('server_version')",
        Dialect::Maria => "SELECT VERSION()",
        Dialect::Lite => "SELECT sqlite_version()",
    };
    let text = conn.row(sql, &none).await?.map(|row| row.text(0)).unwrap_or_default();
    let mut findings = vec![Version::read(conn.dialect(), &text).finding()];
    match conn.dialect() {
        Dialect::Maria => findings.extend(of_variables(&variables(conn).await?)),
        Dialect::Postgres => {
            let row = conn.row("SELECT current_setting('transaction_read_only')", &none).await?;
            let read_only = row.is_some_and(|row| row.text(0) == "on");
            findings.push(if read_only { is_read_only(None) } else { isolation_is_ours() });
        }
        Dialect::Lite => {}
    }
    findings.push(clock_finding(clock_ahead(conn).await?));
    Ok(findings)
}

type Variables = BTreeMap<String, String>;

async fn variables(conn: &mut Conn) -> Result<Variables, DbError> {
    let wanted =
        "SHOW SESSION VARIABLES WHERE Variable_name IN ('binlog_format', 'log_bin', 'innodb_autoinc_lock_mode',
        'innodb_flush_log_at_trx_commit', 'read_only', 'transaction_isolation', 'tx_isolation', 'wsrep_on',
        'wsrep_max_ws_rows', 'wsrep_max_ws_size')";
    let mut variables: Variables =
        conn.rows(wanted, &Params::new()).await?.iter().map(|row| (row.text(0), row.text(1))).collect();
    let status = conn.rows("SHOW STATUS LIKE 'wsrep_cluster_size'", &Params::new()).await?;
    variables.extend(status.iter().map(|row| (row.text(0), row.text(1))));
    Ok(variables)
}

/// What the variables of a MariaDB or MySQL session mean for enrold.
fn of_variables(variables: &Variables) -> Vec<Finding> {
    let is = |name: &str, value: &str| variables.get(name).is_some_and(|text| text.eq_ignore_ascii_case(value));
    let value = |name: &str| variables.get(name).map_or("?", String::as_str);
    let mut findings = Vec::new();
    if is("read_only", "ON") {
        findings.push(is_read_only(None));
    }
    if is("tx_isolation", "READ-COMMITTED") || is("transaction_isolation", "READ-COMMITTED") {
        findings.push(isolation_is_ours());
    } else {
        findings.push(Finding::error(
            "isolation",
            words(
                "the server does not give enrold's sessions READ COMMITTED",
                "look for an init_connect or a proxy that sets tx_isolation",
            ),
            words(
                "le serveur ne donne pas READ COMMITTED aux sessions d'enrold",
                "cherchez un init_connect ou un mandataire (proxy) qui fixe tx_isolation",
            ),
        ));
    }
    if is("log_bin", "ON") && is("binlog_format", "STATEMENT") {
        findings.push(Finding::error(
            "binlog-format",
            words(
                "binlog_format = STATEMENT refuses every write under READ COMMITTED",
                "set binlog_format = ROW (or MIXED) in the server's configuration",
            ),
            words(
                "binlog_format = STATEMENT refuse toute écriture sous READ COMMITTED",
                "mettez binlog_format = ROW (ou MIXED) dans la configuration du serveur",
            ),
        ));
    }
    findings.extend(autoinc(value("innodb_autoinc_lock_mode")));
    findings.extend(flush(value("innodb_flush_log_at_trx_commit")));
    if is("wsrep_on", "ON") {
        let size = value("wsrep_cluster_size");
        let (rows, bytes) = (value("wsrep_max_ws_rows"), value("wsrep_max_ws_size"));
        findings.push(Finding::warning(
            "galera",
            words(
                format!(
                    "Galera cluster of {size} nodes: a run is one transaction, and the cluster refuses one beyond \
                     wsrep_max_ws_rows = {rows} (0 = no limit) or wsrep_max_ws_size = {bytes} bytes"
                ),
                "name one node in database.url, not a balancer that spreads writes; let wsrep_max_ws_size hold the \
                 largest run, or send smaller files",
            ),
            words(
                format!(
                    "grappe Galera de {size} nœuds : une exécution est une seule transaction, et la grappe la refuse \
                     au-delà de wsrep_max_ws_rows = {rows} (0 = sans limite) ou wsrep_max_ws_size = {bytes} octets"
                ),
                "nommez un seul nœud dans database.url, pas un répartiteur qui disperse les écritures ; que \
                 wsrep_max_ws_size contienne la plus grande exécution, ou déposez des fichiers plus petits",
            ),
        ));
    }
    findings
}

fn autoinc(mode: &str) -> Option<Finding> {
    let en = |todo: &str| {
        words(
            format!(
                "innodb_autoinc_lock_mode = {mode}: while a run inserts into a table, Moodle's own inserts into it wait"
            ),
            todo,
        )
    };
    let fr = |todo: &str| {
        words(
            format!(
                "innodb_autoinc_lock_mode = {mode} : pendant qu'une exécution insère dans une table, les insertions de \
                 Moodle y attendent"
            ),
            todo,
        )
    };
    match mode {
        "0" => Some(Finding::warning(
            "autoinc",
            en("set it to 2, with binlog_format = ROW"),
            fr("mettez-le à 2, avec binlog_format = ROW"),
        )),
        "1" => Some(Finding::ok(
            "autoinc",
            en("it is short, because enrold writes the log in chunks; 2 (with binlog_format = ROW) avoids it"),
            fr("c'est bref, car enrold écrit le journal par morceaux ; 2 (avec binlog_format = ROW) l'évite"),
        )),
        _ => None,
    }
}

/// A file is renamed to its outcome after the commit: a power cut may keep the name and lose the commit.
fn flush(mode: &str) -> Option<Finding> {
    (mode != "1" && mode != "?").then(|| {
        Finding::ok(
            "durability",
            words(
                format!("innodb_flush_log_at_trx_commit = {mode}: a power cut may take the commits of the last second"),
                "after one, compare 'enrold runs' with the newest .done files and drop again what is missing; 1 avoids \
                 it",
            ),
            words(
                format!(
                    "innodb_flush_log_at_trx_commit = {mode} : une coupure de courant peut emporter les validations de \
                     la dernière seconde"
                ),
                "après une coupure, comparez « enrold runs » aux derniers fichiers .done et redéposez ce qui manque ; \
                 1 l'évite",
            ),
        )
    })
}

fn isolation_is_ours() -> Finding {
    Finding::ok(
        "isolation",
        words("transactions run under READ COMMITTED", ""),
        words("les transactions s'exécutent sous READ COMMITTED", ""),
    )
}

pub(super) fn is_read_only(error: Option<&DbError>) -> Finding {
    let (en, fr) = error.map_or_else(Default::default, |error| (format!(": {error}"), format!(" : {error}")));
    Finding::error(
        "read-only",
        words(
            format!("the database takes no writes{en}"),
            "name the primary server in database.url, not a replica, or make the file writable",
        ),
        words(
            format!("la base n'accepte pas d'écriture{fr}"),
            "nommez le serveur principal dans database.url, pas un réplica, ou rendez le fichier accessible en \
             écriture",
        ),
    )
}

/// How many seconds the database's clock is ahead of the host's, at least.
async fn clock_ahead(conn: &mut Conn) -> Result<i64, DbError> {
    let params = Params::new().fragment("clock", conn.dialect().clock());
    let before = clock::real();
    let theirs = conn.number("SELECT :clock", &params).await?;
    let after = clock::real();
    Ok(if theirs < before { theirs - before } else { (theirs - after).max(0) })
}

fn clock_finding(ahead: i64) -> Finding {
    if ahead.abs() <= CLOCK_SECONDS {
        return Finding::ok(
            "clock",
            words("the clocks of the database and of this host agree", ""),
            words("les horloges de la base et de cette machine concordent", ""),
        );
    }
    let (seconds, en, fr) =
        if ahead > 0 { (ahead, "ahead of", "en avance sur") } else { (-ahead, "behind", "en retard sur") };
    Finding::warning(
        "clock",
        words(
            format!(
                "the database's clock is {seconds} s {en} this host's: leases take the one, Moodle's sessions see the \
                 other"
            ),
            "synchronise both (NTP, chrony)",
        ),
        words(
            format!(
                "l'horloge de la base est {seconds} s {fr} celle de cette machine : les verrous suivent l'une, les \
                 sessions de Moodle l'autre"
            ),
            "synchronisez les deux (NTP, chrony)",
        ),
    )
}

#[cfg(test)]
mod tests;
