//! `enrold diff SOURCE`: what the next set of a source would do now; nothing is written.
//! It must not know how a set is fetched or compared.

use std::path::{Path, PathBuf};

use crate::cli::{Exit, Setting, progress};

/// The words of `diff`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The source: a section [sources.NAME] of the configuration
    source: String,
    /// The files of a source of files, or their manifest; a second database is read by itself
    files: Vec<PathBuf>,
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let engine = setting.engine(progress::watch(setting.quiet || setting.json))?;
    let files: Vec<&Path> = options.files.iter().map(PathBuf::as_path).collect();
    let report = match files.as_slice() {
        [] => engine.sync_source(&options.source, true).await?,
        files => engine.import_set(&options.source, files, true).await?,
    };
    progress::clear(setting.quiet || setting.json);
    setting.show(&report);
    Ok(Exit::of_report(&report))
}
