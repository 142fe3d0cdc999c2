//! `enrold sync RULE`: does the work of a rule now.
//! It must not know what a rule does.

use crate::cli::{Exit, Setting, mails, progress};

/// The words of `sync`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which rule
    #[arg(value_enum)]
    rule: Rule,
    /// Walk the whole way and roll back: nothing is changed
    #[arg(long)]
    simulate: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Rule {
    /// Due rows of the buffer of future lines, then expired enrolments
    Flatfile,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<Exit> {
    let engine = setting.engine(progress::watch(setting.quiet || setting.json))?;
    let report = match options.rule {
        Rule::Flatfile => engine.sync_flatfile(options.simulate).await?,
    };
    progress::clear(setting.quiet || setting.json);
    setting.show(&report);
    mails::after(setting).await;
    Ok(Exit::of_report(&report))
}
