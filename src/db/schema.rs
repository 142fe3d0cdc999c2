//! Creates and changes enrold's own tables, `enrold_*`, by numbered migrations in the site's database.
//! It must not touch a Moodle table; a database has one Moodle.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;

/// The version of enrold's own tables that this program works with.
pub const SCHEMA_VERSION: i64 = 7;

/// The migrations: statements in which `LONG` is a text of any length, `OPTIONS` are the table options, and `;`
/// separates the changes of one `ALTER TABLE`. On MariaDB, which commits each statement, one may be sent a second time.
const MIGRATIONS: [&[&str]; 7] = [TABLES, PLACES, APPROVED, NEW_VALUES, WAITING, WAITING_SETS, WAITING_FILES];

/// Version 1.
const TABLES: &[&str] = &[
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
];

/// Version 2: a problem has a number within its run, and a kind of place with a number there. Version 1 had one number
/// for both: lines and rows of the buffer above 0; instances below it; and, behind offsets, the lines of a table of
/// courses, the rows that are not in the snapshot, and groups or cohorts. An old row keeps it as the number within its
/// run, where it has no meaning.
const PLACES: &[&str] = &[
    "ALTER TABLE enrold_error RENAME COLUMN line TO n; ADD COLUMN place VARCHAR(20) NOT NULL DEFAULT 'line';
        ADD COLUMN number BIGINT NOT NULL DEFAULT 0; ADD INDEX enrold_error_place (run, place, number)",
    // Only runs over the buffer have lines without reading a file.
    "UPDATE enrold_error SET
        place = CASE WHEN n < -2500000000000 AND code = 'value-charset' AND hint = 'cohort.name' THEN 'cohort'
                     WHEN n < -2500000000000 THEN 'group' WHEN n < -1500000000000 THEN 'unread'
                     WHEN n < -500000000000 THEN 'course' WHEN n < 0 THEN 'enrol'
                     WHEN EXISTS (SELECT 1 FROM enrold_run r
                                    WHERE r.id = enrold_error.run AND r.sha256 IS NULL) THEN 'buffer'
                     ELSE 'line' END,
        number = CASE WHEN n < -2500000000000 THEN n + 3000000000000 WHEN n < -1500000000000 THEN n + 2000000000001
                      WHEN n < -500000000000 THEN n + 1000000000000 WHEN n < 0 THEN -n ELSE n END",
];

/// Version 3: an absence names the held run that recorded it when it was approved. Older ones are not approved.
const APPROVED: &[&str] = &["ALTER TABLE enrold_set_absent ADD COLUMN approved BIGINT NOT NULL DEFAULT 0"];

/// Version 4: the new values of a row of which any columns may change.
const NEW_VALUES: &[&str] = &["ALTER TABLE enrold_change ADD COLUMN newrow LONG"];

/// Version 5: lines that wait for an account or a course.
const WAITING: &[&str] = &["CREATE TABLE enrold_waiting (
        id BIGINT NOT NULL PRIMARY KEY, kind VARCHAR(20) NOT NULL, run BIGINT NOT NULL, source LONG NOT NULL,
        line BIGINT NOT NULL, dropped SMALLINT NOT NULL, lacks VARCHAR(20) NOT NULL,
        userkey VARCHAR(20) NOT NULL, ukey VARCHAR(255) NOT NULL, written VARCHAR(255) NOT NULL,
        placekey VARCHAR(20) NOT NULL, pkey VARCHAR(255) NOT NULL, roleid BIGINT NOT NULL,
        timestart BIGINT NOT NULL, timeend BIGINT NOT NULL, created BIGINT NOT NULL, expires BIGINT NOT NULL,
        state VARCHAR(20) NOT NULL, changed BIGINT NOT NULL, byrun BIGINT NOT NULL,
        note VARCHAR(255) NOT NULL) OPTIONS"];

/// Version 6: rows of full sets wait, too, with what they say of a group, a state and "other users".
const WAITING_SETS: &[&str] = &["ALTER TABLE enrold_waiting ADD COLUMN gkey VARCHAR(255) NOT NULL DEFAULT '';
        ADD COLUMN status SMALLINT NOT NULL DEFAULT -1; ADD COLUMN other SMALLINT NOT NULL DEFAULT 0"];

/// Version 7: a waiting row of a set names the file of the set that has its line.
const WAITING_FILES: &[&str] = &["ALTER TABLE enrold_waiting ADD COLUMN file VARCHAR(255) NOT NULL DEFAULT ''"];

/// The indexes for lookups in tables that only grow: name, table, columns.
const INDEXES: [(&str, &str, &str); 11] = [
    ("enrold_run_state", "enrold_run", "state"),
    ("enrold_run_effects", "enrold_run", "effects"),
    ("enrold_run_sha256", "enrold_run", "sha256"),
    ("enrold_run_token", "enrold_run", "token"),
    ("enrold_run_parent", "enrold_run", "parent"),
    ("enrold_run_inode", "enrold_run", "inode"),
    ("enrold_outbox_state", "enrold_outbox", "state, due"),
    ("enrold_outbox_run", "enrold_outbox", "run, enrolid"),
    ("enrold_waiting_user", "enrold_waiting", "state, userkey, ukey"),
    ("enrold_waiting_place", "enrold_waiting", "state, placekey, pkey"),
    ("enrold_waiting_run", "enrold_waiting", "run"),
];

/// The version of enrold's tables in the database and the prefix that they serve; `None` when there are none.
///
/// # Errors
/// The database's error.
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

/// Migrates enrold's own tables to [`SCHEMA_VERSION`] and gives the versions applied now, in one transaction on
/// PostgreSQL and SQLite; on MariaDB it can be repeated after a failure.
///
/// # Errors
/// The database's error; a database that serves another prefix, or that a newer enrold has migrated, is refused.
pub async fn migrate(conn: &mut Conn, clock: i64) -> Result<Vec<i64>, DbError> {
    if conn.dialect() == Dialect::Maria {
        catch_up(conn).await?;
        return apply(conn, clock).await;
    }
    conn.begin().await?;
    let outcome = apply(conn, clock).await;
    match outcome {
        Ok(_) => conn.commit().await?,
        // The first error is more useful than one of the rollback.
        Err(_) => drop(conn.rollback().await),
    }
    outcome
}

/// Waits until a node of a Galera cluster has what the others have committed: one that lags behind would be migrated a
/// second time.
async fn catch_up(conn: &mut Conn) -> Result<(), DbError> {
    let can_wait = "SELECT COUNT(*) FROM information_schema.system_variables WHERE variable_name = 'WSREP_SYNC_WAIT'";
    if conn.number(can_wait, &Params::new()).await? > 0 {
        conn.command("SET SESSION wsrep_sync_wait = 15").await?;
        schema_version(conn).await?;
        conn.command("SET SESSION wsrep_sync_wait = @@GLOBAL.wsrep_sync_wait").await?;
    }
    Ok(())
}

async fn apply(conn: &mut Conn, clock: i64) -> Result<Vec<i64>, DbError> {
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
            if is_done(conn, statement).await? {
                continue;
            }
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

/// Whether an interrupted migration has already made this table, or this change of one: MariaDB makes all of its
/// changes or none.
async fn is_done(conn: &mut Conn, statement: &str) -> Result<bool, DbError> {
    if conn.dialect() != Dialect::Maria {
        return Ok(false);
    }
    if let Some(table) = making(statement) {
        let sql = "SELECT COUNT(*) FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name = :table";
        return Ok(conn.number(sql, &Params::new().with("table", table)).await? > 0);
    }
    let Some((table, changes)) = altering(statement) else { return Ok(false) };
    let added = changes.split("ADD COLUMN ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let params = Params::new().with("table", table).with("added", added.unwrap_or_default());
    let sql = "SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = :table AND column_name = :added";
    Ok(conn.number(sql, &params).await? > 0)
}

/// The table that a statement makes.
fn making(statement: &str) -> Option<&str> {
    statement.strip_prefix("CREATE TABLE ")?.split_whitespace().next()
}

/// The table that a statement changes, and its changes.
fn altering(statement: &str) -> Option<(&str, &str)> {
    statement.strip_prefix("ALTER TABLE ")?.split_once(' ')
}

/// A text of any length.
fn long(dialect: Dialect) -> &'static str {
    if dialect == Dialect::Maria { " LONGTEXT" } else { " TEXT" }
}

/// The changes of a table in the database's dialect: one statement on MariaDB, one for each on the others.
fn altered(dialect: Dialect, table: &str, changes: &str) -> Vec<String> {
    let changes = changes.replace(" LONG", long(dialect));
    let changes = changes.split(';').map(str::trim);
    if dialect == Dialect::Maria {
        return vec![format!("ALTER TABLE {table} {}", changes.collect::<Vec<_>>().join(", "))];
    }
    let one = |change: &str| match change.strip_prefix("ADD INDEX ").and_then(|index| index.split_once(' ')) {
        Some((name, columns)) => format!("CREATE INDEX {name} ON {table} {columns}"),
        None => format!("ALTER TABLE {table} {change}"),
    };
    changes.map(one).collect()
}

/// The statement in the database's dialect, with the indexes of the table that it creates: inside it on MariaDB (adding
/// one later is a right of its own), after it on the others.
fn dialect_ddl(conn: &Conn, statement: &str) -> Vec<String> {
    let maria = conn.dialect() == Dialect::Maria;
    if let Some((table, changes)) = altering(statement) {
        return altered(conn.dialect(), table, changes);
    }
    let table = making(statement);
    let indexes: Vec<_> = INDEXES.iter().filter(|(_, of, _)| Some(*of) == table).collect();
    let within: String = indexes.iter().map(|(name, _, columns)| format!(", INDEX {name} ({columns})")).collect();
    let end = format!("{}) {}", if maria { within.as_str() } else { "" }, table_options(conn));
    let mut made = vec![statement.replace(" LONG", long(conn.dialect())).replace(") OPTIONS", &end)];
    if !maria {
        made.extend(indexes.iter().map(|(name, of, columns)| format!("CREATE INDEX {name} ON {of} ({columns})")));
    }
    made
}

/// On MariaDB enrold's own texts store every character and compare with any column of the site, by their bytes.
fn table_options(conn: &Conn) -> &'static str {
    match conn.dialect() {
        Dialect::Maria => "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC",
        Dialect::Postgres | Dialect::Lite => "",
    }
}
