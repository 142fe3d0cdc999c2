//! `enrold db init` and `enrold db migrate`: create or change tables.
//! It must not know which tables there are.

use crate::cli::{Exit, Setting, operator, output};
use crate::front::database;

/// The arguments of `db`.
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
    let (database, who) = (setting.database()?, operator());
    let versions = match command {
        Command::Init { sample } => {
            let made = database::init(&who, database, *sample).await?;
            done.insert("moodle_tables".to_owned(), made.moodle_tables.into());
            done.insert("sample".to_owned(), (*sample).into());
            made.migrations
        }
        Command::Migrate => database::bring_up_to_date(&who, &database).await?,
    };
    done.insert("migrations".to_owned(), versions.into());
    if setting.json {
        output::json(&done);
    } else {
        for (what, value) in &done {
            output::line(&format!("{what}: {value}"));
        }
    }
    Ok(Exit::Done)
}
