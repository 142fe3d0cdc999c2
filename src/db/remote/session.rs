//! Opens the session on another database, makes it read-only and limits the time of its statements.
//! It must not know which statements follow.

use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::conn::Raw;
use super::super::error::{DbError, told};
use super::super::{lite_path, quiet};
use super::{Remote, RemoteError, setup, within};
use crate::clock::StopWatch;

/// Virtual machine steps of SQLite between two checks of the clock.
const STEPS: i32 = 10_000;

/// Connects to the database of a URL; no error contains the URL.
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
            // Keeps the server's time zone and its meaning of `||`: a view or query then means what its authors meant.
            let options = MySqlConnectOptions::from_str(&url.replacen("mariadb:", "mysql:", 1)).map_err(broken)?;
            let options = options.timezone(None).pipes_as_concat(false).no_engine_substitution(false);
            quiet(options).connect().await.map(Raw::My)
        }
        _ => return Err(DbError::Url("the URL must begin with sqlite:, postgres:// or mysql://".to_owned())),
    };
    raw.map_err(|error| DbError::Connect(told(&error)))
}

impl Remote {
    /// Makes the session read-only, sends the operator's statements, then the settings that must hold, and takes a
    /// snapshot.
    ///
    /// Defaults of the server, its roles and poolers are reset before the operator's statements, which may set them on
    /// purpose for the view that is read; the encoding is set after them.
    pub(super) async fn settle(&mut self, setup: &[String]) -> Result<(), RemoteError> {
        let millis = self.timeouts.statement.as_millis();
        let seconds = self.timeouts.statement.as_secs();
        let (before, encoding, after): (Vec<String>, &str, &[&str]) = match &self.raw {
            Raw::Pg(_) => (
                vec![format!(
                    "SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = 0;
                     SET standard_conforming_strings = on; SET \"DateStyle\" = 'ISO, MDY';
                     SET transform_null_equals = off"
                )],
                "SET client_encoding = 'UTF8'",
                &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
            ),
            Raw::My(_) => (
                vec![
                    "SET SESSION TRANSACTION READ ONLY".to_owned(),
                    "SET SESSION sql_select_limit = 18446744073709551615, SESSION sql_big_selects = 1,
                        SESSION sql_auto_is_null = 0, SESSION autocommit = 1, SESSION completion_type = 0,
                        SESSION net_write_timeout = GREATEST(@@net_write_timeout, 600)
                        /*M!100300 , SESSION idle_transaction_timeout = 0,
                        SESSION idle_readonly_transaction_timeout = 0 */"
                        .to_owned(),
                    match self.is_mariadb().await? {
                        true => format!("SET SESSION max_statement_time = {seconds}"),
                        false => format!("SET SESSION max_execution_time = {millis}"),
                    },
                ],
                "SET NAMES utf8mb4",
                &[
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                ],
            ),
            Raw::Lite(_) => (Vec::new(), "PRAGMA query_only = on", &["BEGIN"]),
        };
        for statement in &before {
            self.command(statement).await?;
        }
        for statement in setup.iter().flat_map(|statements| setup::pieces(statements)) {
            let outcome = self.command(statement).await;
            if setup::is_about_encodings(statement) {
                if matches!(outcome, Err(RemoteError::Db(DbError::Other { .. }))) {
                    self.skipped.push(statement.to_owned());
                } else {
                    outcome?;
                }
                // The next statement is sent in UTF-8.
                self.command(encoding).await?;
            } else {
                outcome?;
            }
        }
        self.command(encoding).await?;
        for statement in after {
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

    /// MariaDB and MySQL have different names for their time limit.
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

    /// Limits the time of SQLite's statements: it has no limit of its own, but calls a handler every [`STEPS`] steps.
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
