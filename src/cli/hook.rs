//! `enrold hook -- COMMAND`: hands each file of the spool to the site's own command, as the web user.
//! It must not read the configuration or the database, which hold what the web user may not read.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{Exit, operator};
use crate::front::hook::{Hook, hand_over_all};

/// The arguments of `hook`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The spool: hook.spool of the configuration, which this command does not read
    #[arg(long, value_name = "DIR", default_value = "/var/spool/enrold")]
    spool: PathBuf,
    /// How long COMMAND may take for one file; then it is killed with all that it started
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// The command and its arguments: it gets the file on standard input, and ENROLD_RUN and ENROLD_SPOOL_FILE
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<Exit> {
    let Options { spool, timeout, command } = options;
    let hook = Hook { spool, timeout: Duration::from_secs(timeout), command };
    let all_ours = hand_over_all(&operator(), &hook).await?;
    Ok(if all_ours { Exit::Done } else { Exit::RowErrors })
}
