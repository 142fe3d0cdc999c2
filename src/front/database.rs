//! Creates tables: Moodle's in an empty database, and enrold's own.
//! It must not change Moodle's tables where they exist.

use crate::clock;
use crate::db::{Conn, Database, migrate, schema_version};
use crate::front::Who;
use crate::moodle::install;
use crate::outcome::{RunError, RunResult};

/// What [`init`] created.
pub struct Made {
    /// The number of Moodle's tables.
    pub moodle_tables: usize,
    /// The versions to which enrold's own tables were migrated.
    pub migrations: Vec<i64>,
}

/// Creates in an empty database the Moodle tables that enrold uses and enrold's own, with `sample` also a small French
/// university. A missing file of the embedded database is created.
///
/// # Errors
/// The database serves another Moodle, or does not answer.
pub async fn init(who: &Who, database: Database, sample: bool) -> RunResult<Made> {
    who.asks(format_args!("db init, sample: {sample}"));
    let mut conn = database.creating().connect().await?;
    refuse_second_moodle(&mut conn).await?;
    let moodle_tables = install::create_tables(&mut conn).await?;
    if sample {
        install::load_sample(&mut conn).await?;
    }
    let migrations = migrate(&mut conn, clock::real()).await?;
    conn.close().await;
    Ok(Made { moodle_tables, migrations })
}

/// Checked before any table is created: enrold's tables serve one Moodle only.
async fn refuse_second_moodle(conn: &mut Conn) -> RunResult<()> {
    match schema_version(conn).await? {
        Some((_, prefix)) if prefix != conn.prefix() => Err(RunError::NotReady(format!(
            "this database's enrold tables serve the table prefix '{prefix}', not '{}': one Moodle per database",
            conn.prefix()
        ))),
        _ => Ok(()),
    }
}

/// Creates or migrates enrold's own tables in the database of a Moodle; returns the versions that were reached.
///
/// # Errors
/// There is no Moodle, or the database does not answer.
pub async fn bring_up_to_date(who: &Who, database: &Database) -> RunResult<Vec<i64>> {
    who.asks("db migrate");
    let mut conn = database.connect().await?;
    if !install::present_tables(&mut conn).await?.iter().any(|table| table == "user") {
        return Err(RunError::NotReady(format!(
            "there is no Moodle in this database (no table {}user): check database.url and database.prefix; for an \
             empty database 'enrold db init'",
            conn.prefix()
        )));
    }
    let versions = migrate(&mut conn, clock::real()).await?;
    conn.close().await;
    Ok(versions)
}
