//! `enrold diff SOURCE`: what the next set of a source would do now; nothing is written.
//! It must not know how a set is fetched or compared.

use std::path::PathBuf;

use crate::cli::{Exit, Setting, operator};

/// The arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The source: a section [sources.NAME] of the configuration
    source: String,
    /// The files of a source of files, or their manifest; a second database is read by itself
    files: Vec<PathBuf>,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<Exit> {
    let report = setting.front()?.diff(&operator(), &options.source, options.files).await?;
    setting.show(&report);
    Ok(Exit::of_report(&report))
}
