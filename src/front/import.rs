//! Applies or simulates files that the operator names: one flat file, or the files of a full set.
//! It must not ask for a confirmation: the caller simulates first to show the changes.

use std::path::{Path, PathBuf};

use crate::config::{CourseKey, UserKey};
use crate::files::Kind;
use crate::front::{Front, Who};
use crate::outcome::{Report, RunResult};
use crate::run::Import;

/// The files to import.
#[derive(Clone, Debug)]
pub enum Given {
    /// A flat file, with what its content does not state; by default its first line and the settings decide.
    File {
        /// The file.
        path: PathBuf,
        /// Its form.
        kind: Option<Kind>,
        /// What the user column holds.
        user_key: Option<UserKey>,
        /// What the course column holds.
        course_key: Option<CourseKey>,
    },
    /// A full set.
    Set {
        /// Its source.
        source: String,
        /// Its files, or their manifest.
        files: Vec<PathBuf>,
    },
}

impl Front {
    /// Applies the files and leaves them unchanged; with `simulate` the run is rolled back.
    pub async fn import(&self, who: &Who, given: &Given, simulate: bool) -> RunResult<Report> {
        match given {
            Given::File { path, kind, user_key, course_key } => {
                who.asks(format_args!("import {}, simulate: {simulate}", path.display()));
                let (path, kind) = (path.clone(), *kind);
                let import = Import { path, kind, user_key: *user_key, course_key: *course_key, ..Import::default() };
                self.engine.import(&import, simulate).await
            }
            Given::Set { source, files } => {
                who.asks(format_args!("import a set of {source}, simulate: {simulate}"));
                let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
                self.engine.import_set(source, &files, simulate).await
            }
        }
    }

    /// Simulates the next set of a source: the set in these files, or without files that of its second database.
    pub async fn diff(&self, who: &Who, source: &str, files: Vec<PathBuf>) -> RunResult<Report> {
        if files.is_empty() {
            who.asks(format_args!("diff {source}"));
            return self.engine.sync_source(source, true).await;
        }
        self.import(who, &Given::Set { source: source.to_owned(), files }, true).await
    }
}
