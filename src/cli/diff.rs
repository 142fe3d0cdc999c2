//! `enrold diff SOURCE`: what the next set of a source would do now; nothing is written.
//! It must not know how a set is fetched or compared.

use std::path::PathBuf;

use crate::cli::{Exit, Setting, operator, output};

/// The arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The source: a section [sources.NAME] of the configuration
    source: String,
    /// The files of a source of files, or their manifest; a second database is read by itself
    files: Vec<PathBuf>,
    /// One table as CSV, nothing else: the users concerned, or the courses or cohorts
    #[arg(
        long,
        value_name = "TABLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "people",
        conflicts_with = "json"
    )]
    csv: Option<output::Table>,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<Exit> {
    let report = setting.front()?.diff(&operator(), &options.source, options.files).await?;
    match options.csv {
        Some(table) => output::table(setting, table, &report)?,
        None => setting.show(&report),
    }
    Ok(Exit::of_report(&report))
}
