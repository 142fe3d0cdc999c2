//! `enrold db init` and `enrold db migrate`: tables.
//! It must not touch a database in which Moodle's tables stand, but for enrold's own.

use crate::cli::{Exit, Setting, output};
use crate::clock;
use crate::db::migrate;
use crate::moodle::install;

/// The words of `db`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create the Moodle tables that enrold uses in an empty database, and enrold's own
    Init {
        /// Add the sample site: a small French university
        #[arg(long)]
        sample: bool,
    },
    /// Create or change enrold's own tables only
    Migrate,
}

pub(super) async fn run(setting: &Setting, command: &Command) -> anyhow::Result<Exit> {
    let mut done = serde_json::Map::new();
    let database = setting.database()?;
    let mut conn = match command {
        Command::Init { .. } => database.creating().connect().await?,
        Command::Migrate => database.connect().await?,
    };
    if matches!(command, Command::Migrate)
        && !install::present_tables(&mut conn).await?.iter().any(|table| table == "user")
    {
        anyhow::bail!(
            "there is no Moodle in this database (no table {}user): check database.url and database.prefix; for an empty database 'enrold db init'",
            conn.prefix()
        );
    }
    if let Command::Init { sample } = command {
        let tables = install::create_tables(&mut conn).await?;
        done.insert("moodle_tables".to_owned(), tables.into());
        if *sample {
            install::load_sample(&mut conn).await?;
        }
        done.insert("sample".to_owned(), (*sample).into());
    }
    let versions = migrate(&mut conn, clock::real()).await?;
    conn.close().await;
    done.insert("migrations".to_owned(), versions.clone().into());
    if setting.json {
        output::json(&done);
    } else {
        for (what, value) in &done {
            output::line(&format!("{what}: {value}"));
        }
    }
    Ok(Exit::Done)
}
