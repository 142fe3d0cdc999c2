//! The session on another database: how it is opened, that it only reads, and how long its statements may take.
//! It must not know which statements will come.

use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::conn::Raw;
use super::super::error::DbError;
use super::super::{lite_path, quiet};
use super::{Remote, RemoteError, within};
use crate::clock::StopWatch;

/// Virtual machine steps of SQLite between two looks at the clock.
const STEPS: i32 = 10_000;

/// Connects to the database of a URL, without a word about what it holds.
pub(super) async fn open(url: &str) -> Result<Raw, DbError> {
    use sqlx::ConnectOptions;
    let scheme = url.split(':').next().unwrap_or_default();
    let broken = |error: sqlx::Error| DbError::Url(format!("the URL cannot be read as a {scheme} URL: {error}"));
    let raw = match scheme {
        "sqlite" => {
            let path = lite_path(url);
            if !std::path::Path::new(&path).exists() {
                return Err(DbError::Connect(format!("there is no file {path}")));
            }
            let options = SqliteConnectOptions::new().filename(&path).read_only(true).foreign_keys(false);
            quiet(options.pragma("query_only", "on")).connect().await.map(Raw::Lite)
        }
        "postgres" | "postgresql" => {
            let options = PgConnectOptions::from_str(url).map_err(broken)?.application_name("enrold");
            quiet(options.options([("default_transaction_read_only", "on")])).connect().await.map(Raw::Pg)
        }
        "mysql" | "mariadb" => {
            // The server's own zone and its own `||`: a view or query means there what it means to its authors.
            let options = MySqlConnectOptions::from_str(&url.replacen("mariadb:", "mysql:", 1)).map_err(broken)?;
            let options = options.timezone(None).pipes_as_concat(false).no_engine_substitution(false);
            quiet(options).connect().await.map(Raw::My)
        }
        _ => return Err(DbError::Url("the URL must begin with sqlite:, postgres:// or mysql://".to_owned())),
    };
    raw.map_err(|error| DbError::Connect(error.to_string()))
}

impl Remote {
    /// Reading only from now on; then the operator's statements; then what they must not change, and one snapshot.
    pub(super) async fn settle(&mut self, setup: &[String]) -> Result<(), RemoteError> {
        let millis = self.timeouts.statement.as_millis();
        let seconds = self.timeouts.statement.as_secs();
        let (before, after): (Vec<String>, &[&str]) = match &self.raw {
            Raw::Pg(_) => (
                vec![format!("SET statement_timeout = {millis}")],
                &["SET client_encoding = 'UTF8'", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
            ),
            Raw::My(_) => (
                vec![
                    "SET SESSION TRANSACTION READ ONLY".to_owned(),
                    match self.is_mariadb().await? {
                        true => format!("SET SESSION max_statement_time = {seconds}"),
                        false => format!("SET SESSION max_execution_time = {millis}"),
                    },
                ],
                &[
                    "SET NAMES utf8mb4",
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                ],
            ),
            Raw::Lite(_) => (Vec::new(), &["PRAGMA query_only = on", "BEGIN"]),
        };
        let statements = before.iter().chain(setup).map(String::as_str).chain(after.iter().copied());
        for statement in statements.collect::<Vec<_>>() {
            self.command(statement).await?;
        }
        Ok(())
    }

    pub(super) async fn command(&mut self, sql: &str) -> Result<(), RemoteError> {
        let statement = AssertSqlSafe(sql.to_owned());
        let patience = self.patience();
        let work = async {
            match &mut self.raw {
                Raw::Pg(raw) => sqlx::raw_sql(statement).execute(raw).await.map(|_| ()),
                Raw::My(raw) => sqlx::raw_sql(statement).execute(raw).await.map(|_| ()),
                Raw::Lite(raw) => sqlx::raw_sql(statement).execute(raw).await.map(|_| ()),
            }
        };
        within(patience, work).await?.map_err(|error| DbError::from_sqlx(error, sql).into())
    }

    /// The two name their limit differently.
    async fn is_mariadb(&mut self) -> Result<bool, RemoteError> {
        let sql = "SELECT CAST(VERSION() AS CHAR)";
        let patience = self.patience();
        let Raw::My(raw) = &mut self.raw else {
            return Ok(false);
        };
        let row = within(patience, sqlx::raw_sql(sql).fetch_one(raw)).await?;
        let version = row.and_then(|row| row.try_get_unchecked::<String, _>(0));
        Ok(version.map_err(|error| DbError::from_sqlx(error, sql))?.contains("MariaDB"))
    }

    /// SQLite has no limit of its own: it asks us every few thousand steps of its machine.
    pub(super) async fn limit_lite(&mut self) -> Result<(), RemoteError> {
        let limit = self.timeouts.statement.as_millis();
        let Raw::Lite(raw) = &mut self.raw else {
            return Ok(());
        };
        let mut handle = raw.lock_handle().await.map_err(|error| DbError::from_sqlx(error, ""))?;
        let watch = StopWatch::start();
        handle.set_progress_handler(STEPS, move || u128::from(watch.millis()) < limit);
        Ok(())
    }
}
