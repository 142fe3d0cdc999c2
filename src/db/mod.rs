//! Connects to the three databases: connections, dialects, SQL templates and bulk loads.
//! It must not know enrolments; it is the only module that uses sqlx.

#![allow(clippy::disallowed_methods, reason = "the file of an embedded database")]

mod bulk;
mod collation;
mod columns;
mod conn;
mod dialect;
mod error;
mod insert;
mod literal;
mod packet;
mod paths;
mod remote;
mod row;
mod schema;
mod scratch;
mod session;
mod sql;
mod statement;
pub mod table;
mod transaction;
mod ways;
mod words;

pub use bulk::{Bulk, Field};
pub use columns::Columns;
pub use conn::Conn;
pub use dialect::Dialect;
pub use error::DbError;
pub use literal::Literal;
pub use remote::{Remote, RemoteError, RemoteRows, RemoteTimeouts};
pub use row::{Cell, Row};
pub use schema::{SCHEMA_VERSION, migrate, schema_version};
pub use sql::{Params, Value};
pub use statement::statement;
pub use table::Table;

use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use conn::Raw;

enum Options {
    Pg(Box<PgConnectOptions>),
    My(Box<MySqlConnectOptions>),
    Lite(Box<SqliteConnectOptions>, PathBuf),
}

/// The location of the site's database and how to connect to it; cheap to share.
pub struct Database {
    options: Options,
    prefix: String,
    lock_timeout: Duration,
    connect_timeout: Duration,
    creating: bool,
    statements: Arc<AtomicU64>,
}

impl Database {
    /// Reads a database URL: `sqlite:PATH`, `postgres://…`, `mysql://…`, `mariadb://…`.
    ///
    /// `lock_timeout` is how long a statement waits for a lock before the run is retried.
    ///
    /// # Errors
    /// [`DbError::Url`], without the URL, which may contain a password.
    pub fn new(url: &str, prefix: &str, lock_timeout: Duration, connect_timeout: Duration) -> Result<Self, DbError> {
        let scheme = url.split(':').next().unwrap_or_default();
        let broken =
            |error: sqlx::Error| DbError::Url(format!("database.url cannot be read as a {scheme} URL: {error}"));
        let options = match scheme {
            "sqlite" => {
                let path = lite_path(url);
                Options::Lite(Box::new(lite_options(&path)), PathBuf::from(path))
            }
            "postgres" | "postgresql" => {
                Options::Pg(Box::new(PgConnectOptions::from_str(url).map_err(broken)?.application_name("enrold")))
            }
            "mysql" | "mariadb" => {
                let url = url.replacen("mariadb:", "mysql:", 1);
                // The driver sets nothing: `session` makes all settings.
                let options = MySqlConnectOptions::from_str(&url).map_err(broken)?;
                let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
                Options::My(Box::new(options.set_names(false)))
            }
            _ => {
                return Err(DbError::Url("database.url must begin with sqlite:, postgres:// or mysql://".to_owned()));
            }
        };
        Ok(Self {
            options,
            prefix: prefix.to_owned(),
            lock_timeout,
            connect_timeout,
            creating: false,
            statements: Arc::new(AtomicU64::new(0)),
        })
    }

    /// Creates a missing SQLite file on connecting. Only for `db init` and tests: elsewhere a missing file is a wrong
    /// path.
    pub fn creating(mut self) -> Self {
        self.creating = true;
        if let Options::Lite(options, _) = &mut self.options {
            **options = options.as_ref().clone().create_if_missing(true);
        }
        self
    }

    /// The dialect of the database that the URL names.
    pub fn dialect(&self) -> Dialect {
        match self.options {
            Options::Pg(_) => Dialect::Postgres,
            Options::My(_) => Dialect::Maria,
            Options::Lite(..) => Dialect::Lite,
        }
    }

    /// The file of the embedded database.
    pub fn file(&self) -> Option<&PathBuf> {
        match &self.options {
            Options::Lite(_, path) => Some(path),
            _ => None,
        }
    }

    /// The number of statements sent through all connections of this value that count them.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Opens a connection with the session settings of a run.
    ///
    /// # Errors
    /// [`DbError::Connect`] when the database cannot be reached.
    pub async fn connect(&self) -> Result<Conn, DbError> {
        self.connect_with(self.lock_timeout).await
    }

    /// [`Database::connect`] with another time limit for locks: a dry run must not make a live site wait.
    ///
    /// # Errors
    /// As [`Database::connect`].
    pub async fn connect_with(&self, lock_timeout: Duration) -> Result<Conn, DbError> {
        self.connect_counting(lock_timeout, Arc::clone(&self.statements)).await
    }

    /// [`Database::connect_with`] without counting the statements: a heartbeat is no progress of a run.
    ///
    /// # Errors
    /// As [`Database::connect`].
    pub async fn connect_uncounted(&self, lock_timeout: Duration) -> Result<Conn, DbError> {
        self.connect_counting(lock_timeout, Arc::default()).await
    }

    async fn connect_counting(&self, lock_timeout: Duration, statements: Arc<AtomicU64>) -> Result<Conn, DbError> {
        if let Options::Lite(_, path) = &self.options
            && !self.creating
            && !path.exists()
        {
            return Err(DbError::Connect(format!(
                "there is no file {}: check database.url, or make a database with 'enrold db init'",
                path.display()
            )));
        }
        if let Options::Lite(_, path) = &self.options
            && self.creating
        {
            make_file(path).map_err(|error| DbError::Connect(format!("cannot make {}: {error}", path.display())))?;
        }
        let opened = tokio::time::timeout(self.connect_timeout, self.open(lock_timeout)).await;
        let raw = match opened {
            Ok(raw) => raw.map_err(|error| DbError::Connect(error::told(&error)))?,
            Err(_) => {
                return Err(DbError::Connect(format!("no answer within {} s", self.connect_timeout.as_secs())));
            }
        };
        let mut conn = Conn::new(raw, &self.prefix, statements);
        session::settle(&mut conn, lock_timeout).await?;
        Ok(conn)
    }

    async fn open(&self, lock_timeout: Duration) -> Result<Raw, sqlx::Error> {
        Ok(match &self.options {
            Options::Pg(options) => Raw::Pg(quiet(options.as_ref().clone()).connect().await?),
            Options::My(options) => Raw::My(quiet(options.as_ref().clone()).connect().await?),
            Options::Lite(options, _) => {
                let options = options.as_ref().clone().busy_timeout(lock_timeout);
                Raw::Lite(sqlx::SqliteConnection::connect_with(&quiet(options)).await?)
            }
        })
    }
}

/// Permissions of the embedded database: its account writes, a group that the site may set reads.
const LITE_MODE: u32 = 0o640;

/// Creates the file of the embedded database with at most [`LITE_MODE`], whatever the umask; SQLite gives `-wal` and
/// `-shm` the same mode. An existing empty file is narrowed to it; a file with a database is not changed.
fn make_file(path: &Path) -> std::io::Result<()> {
    let file = File::options().append(true).create(true).mode(LITE_MODE).open(path)?;
    let found = file.metadata()?;
    if found.len() == 0 {
        file.set_permissions(Permissions::from_mode(found.permissions().mode() & LITE_MODE))?;
    }
    Ok(())
}

fn quiet<O: ConnectOptions>(options: O) -> O {
    options.disable_statement_logging()
}

/// The file that an SQLite URL names.
fn lite_path(url: &str) -> String {
    let written = url.trim_start_matches("sqlite:").trim_start_matches("//");
    written.replace("%3F", "?").replace("%23", "#").replace("%25", "%")
}

fn lite_options(path: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        // Negative: KiB. A million lines must fit in 64 MiB of resident memory.
        .pragma("cache_size", "-8192")
        .pragma("temp_store", "FILE")
}
