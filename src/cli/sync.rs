//! `enrold sync [RULE…|all]`: does the work of rules and tasks now, as one run, and shows the result of each.
//! It must not know what a rule does.

use crate::cli::{Exit, Setting, operator};
use crate::front::{self, SyncRequest};

/// The arguments of `sync`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Rules, `flatfile`, `expirations`; `all` is each rule whose task is enabled; or sources of full sets, which are
    /// fetched first, each in a run of its own
    #[arg(required = true, value_name = "RULE")]
    jobs: Vec<String>,
    /// Look at one course only, by its short name
    #[arg(long, value_name = "SHORTNAME")]
    course: Option<String>,
    /// Completions that were there before their method was count too; of `coursecompleted` only
    #[arg(long)]
    backfill: bool,
    /// Walk the whole way and roll back: nothing is changed
    #[arg(long)]
    simulate: bool,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<Exit> {
    let Options { jobs: words, course, backfill, simulate } = options;
    let asked = front::asked(&setting.settings, SyncRequest { words, course, backfill })?;
    let (front, who) = (setting.front()?, operator());
    let mut exit = Exit::Done;
    for one in &asked {
        let report = front.sync(&who, one, simulate).await?;
        setting.show(&report);
        exit = exit.worse(Exit::of_report(&report));
    }
    front.send_after().await;
    Ok(exit)
}
