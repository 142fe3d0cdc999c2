//! enrold's own tables, `enrold_*`, made and changed by numbered migrations in the site's database.
//! It must not touch a Moodle table; it works for one Moodle per database.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;

/// The version of enrold's own tables that this program works with.
pub const SCHEMA_VERSION: i64 = 1;

/// One migration: statements in a notation where `LONG` is a text of any length and `OPTIONS` the table options.
const MIGRATIONS: [&[&str]; 1] = [&[
    "CREATE TABLE enrold_lease (
        name VARCHAR(40) NOT NULL PRIMARY KEY, holder VARCHAR(190) NOT NULL, fence BIGINT NOT NULL,
        heartbeat BIGINT NOT NULL, since BIGINT NOT NULL) OPTIONS",
    "CREATE TABLE enrold_run (
        id BIGINT NOT NULL PRIMARY KEY, kind VARCHAR(40) NOT NULL, source LONG NOT NULL, state VARCHAR(20) NOT NULL,
        clock BIGINT NOT NULL, started BIGINT NOT NULL, ended BIGINT, parent BIGINT, version VARCHAR(40) NOT NULL,
        sha256 VARCHAR(64), device BIGINT, inode BIGINT, size BIGINT, mtime BIGINT,
        counts LONG, message LONG, effects SMALLINT NOT NULL, effectseq BIGINT NOT NULL,
        token VARCHAR(40), decision VARCHAR(20), decided BIGINT, parts LONG, partsdone BIGINT) OPTIONS",
    "CREATE TABLE enrold_change (
        run BIGINT NOT NULL, seq BIGINT NOT NULL, kind VARCHAR(40) NOT NULL, state SMALLINT NOT NULL DEFAULT 0,
        cause VARCHAR(40) NOT NULL DEFAULT '', line BIGINT,
        userid BIGINT, courseid BIGINT, enrolid BIGINT, contextid BIGINT, roleid BIGINT,
        component VARCHAR(100), itemid BIGINT, groupid BIGINT, targetid BIGINT,
        status BIGINT, timestart BIGINT, timeend BIGINT, oldstatus BIGINT, oldtimestart BIGINT, oldtimeend BIGINT,
        lastenrol SMALLINT, oldrow LONG, PRIMARY KEY (run, seq)) OPTIONS",
    "CREATE TABLE enrold_error (
        run BIGINT NOT NULL, line BIGINT NOT NULL, code VARCHAR(40) NOT NULL, value LONG, hint LONG,
        file LONG, fileline BIGINT, PRIMARY KEY (run, line)) OPTIONS",
    "CREATE TABLE enrold_task (
        name VARCHAR(40) NOT NULL PRIMARY KEY, started BIGINT NOT NULL, ended BIGINT NOT NULL,
        result VARCHAR(20) NOT NULL, run BIGINT, succeeded BIGINT NOT NULL, message LONG) OPTIONS",
    "CREATE TABLE enrold_completion (
        enrolid BIGINT NOT NULL, courseid BIGINT NOT NULL, userid BIGINT NOT NULL, timecompleted BIGINT NOT NULL,
        state VARCHAR(20) NOT NULL, seen BIGINT NOT NULL, changed BIGINT NOT NULL, run BIGINT NOT NULL,
        PRIMARY KEY (enrolid, courseid, userid)) OPTIONS",
    "CREATE TABLE enrold_set_member (
        source VARCHAR(40) NOT NULL, cohortid BIGINT NOT NULL, userid BIGINT NOT NULL, since BIGINT NOT NULL,
        PRIMARY KEY (source, cohortid, userid)) OPTIONS",
    "CREATE TABLE enrold_set_absent (
        source VARCHAR(40) NOT NULL, enrolid BIGINT NOT NULL, userid BIGINT NOT NULL, since BIGINT NOT NULL,
        PRIMARY KEY (source, enrolid, userid)) OPTIONS",
    "CREATE TABLE enrold_letter (
        run BIGINT NOT NULL, enrolid BIGINT NOT NULL, kind VARCHAR(40) NOT NULL, data LONG NOT NULL,
        PRIMARY KEY (run, enrolid, kind)) OPTIONS",
    "CREATE TABLE enrold_outbox (
        id BIGINT NOT NULL PRIMARY KEY, run BIGINT NOT NULL, kind VARCHAR(40) NOT NULL,
        dedupe VARCHAR(120) NOT NULL UNIQUE, state VARCHAR(20) NOT NULL,
        userid BIGINT NOT NULL, courseid BIGINT NOT NULL, enrolid BIGINT NOT NULL, timeend BIGINT NOT NULL,
        name VARCHAR(255) NOT NULL, address VARCHAR(255) NOT NULL, lang VARCHAR(30) NOT NULL,
        queued BIGINT NOT NULL, expires BIGINT NOT NULL, attempts BIGINT NOT NULL, due BIGINT NOT NULL,
        sent BIGINT NOT NULL, messageid VARCHAR(190), message LONG) OPTIONS",
    "CREATE TABLE enrold_notice (method VARCHAR(40) NOT NULL PRIMARY KEY, queued BIGINT NOT NULL) OPTIONS",
    "INSERT INTO enrold_lease (name, holder, fence, heartbeat, since)
        VALUES ('run', '', 0, 0, 0), ('leader', '', 0, 0, 0), ('mail', '', 0, 0, 0)",
]];

/// What is looked up in a history that only grows: name, table, columns.
const INDEXES: [(&str, &str, &str); 8] = [
    ("enrold_run_state", "enrold_run", "state"),
    ("enrold_run_effects", "enrold_run", "effects"),
    ("enrold_run_sha256", "enrold_run", "sha256"),
    ("enrold_run_token", "enrold_run", "token"),
    ("enrold_run_parent", "enrold_run", "parent"),
    ("enrold_run_inode", "enrold_run", "inode"),
    ("enrold_outbox_state", "enrold_outbox", "state, due"),
    ("enrold_outbox_run", "enrold_outbox", "run, enrolid"),
];

/// The version of enrold's tables in the database and the prefix that they serve; `None` when there are none.
///
/// # Errors
/// The engine's.
pub async fn schema_version(conn: &mut Conn) -> Result<Option<(i64, String)>, DbError> {
    let present = match conn.dialect() {
        Dialect::Postgres => "SELECT COUNT(to_regclass(quote_ident(current_schema()) || '.enrold_schema'))",
        Dialect::Maria => {
            "SELECT COUNT(*) FROM information_schema.tables
              WHERE table_schema = DATABASE() AND table_name = 'enrold_schema'"
        }
        Dialect::Lite => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'enrold_schema'",
    };
    if conn.number(present, &Params::new()).await? == 0 {
        return Ok(None);
    }
    let row = conn.row("SELECT version, prefix FROM enrold_schema ORDER BY version DESC", &Params::new()).await?;
    Ok(row.map(|row| (row.int(0), row.text(1))))
}

/// Brings enrold's own tables to [`SCHEMA_VERSION`] and gives the versions that were applied now.
///
/// # Errors
/// The engine's; a database that serves another prefix, or that a newer enrold has migrated, is refused.
pub async fn migrate(conn: &mut Conn, clock: i64) -> Result<Vec<i64>, DbError> {
    let have = match schema_version(conn).await? {
        None => {
            let options = table_options(conn);
            conn.command(&format!(
                "CREATE TABLE enrold_schema (version BIGINT NOT NULL PRIMARY KEY, prefix VARCHAR(40) NOT NULL, \
                 applied BIGINT NOT NULL) {options}"
            ))
            .await?;
            0
        }
        Some((_, prefix)) if prefix != conn.prefix() => {
            return Err(DbError::other(format!(
                "this database's enrold tables serve the table prefix '{prefix}', not '{}': one Moodle per database",
                conn.prefix()
            )));
        }
        Some((version, _)) => version,
    };
    if have > SCHEMA_VERSION {
        return Err(DbError::other(format!(
            "enrold's tables have version {have}, this program knows {SCHEMA_VERSION}: install the newer enrold"
        )));
    }
    let mut applied = Vec::new();
    for version in have + 1..=SCHEMA_VERSION {
        for statement in MIGRATIONS[version as usize - 1] {
            for sql in dialect_ddl(conn, statement) {
                conn.command(&sql).await?;
            }
        }
        let params =
            Params::new().with("version", version).with("prefix", conn.prefix().to_owned()).with("clock", clock);
        conn.exec("INSERT INTO enrold_schema (version, prefix, applied) VALUES (:version, :prefix, :clock)", &params)
            .await?;
        applied.push(version);
    }
    Ok(applied)
}

/// The statement in the engine's words, with the indexes of the table that it makes: MariaDB takes them with the table
/// (to add one later is a right of its own), the others after it.
fn dialect_ddl(conn: &Conn, statement: &str) -> Vec<String> {
    let maria = conn.dialect() == Dialect::Maria;
    let table = statement.strip_prefix("CREATE TABLE ").and_then(|rest| rest.split_whitespace().next());
    let indexes: Vec<_> = INDEXES.iter().filter(|(_, of, _)| Some(*of) == table).collect();
    let long = if maria { " LONGTEXT" } else { " TEXT" };
    let within: String = indexes.iter().map(|(name, _, columns)| format!(", INDEX {name} ({columns})")).collect();
    let end = format!("{}) {}", if maria { within.as_str() } else { "" }, table_options(conn));
    let mut made = vec![statement.replace(" LONG", long).replace(") OPTIONS", &end)];
    if !maria {
        made.extend(indexes.iter().map(|(name, of, columns)| format!("CREATE INDEX {name} ON {of} ({columns})")));
    }
    made
}

/// On MariaDB enrold's own texts have room for every character and compare with any column of the site, by their bytes.
fn table_options(conn: &Conn) -> &'static str {
    match conn.dialect() {
        Dialect::Maria => "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC",
        Dialect::Postgres | Dialect::Lite => "",
    }
}
