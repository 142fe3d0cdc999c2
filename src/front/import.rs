//! Applies or simulates files that the operator names: one file, or the files of a full set.
//! It must not ask for a confirmation: the caller simulates first to show the changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{CourseKey, FileKind, Profile, Settings, UserKey};
use crate::disk::{Dir, blocking};
use crate::files::Kind;
use crate::front::{Front, Misuse, Who};
use crate::inbox::{Told, of_given};
use crate::outcome::{Report, RunResult};
use crate::problem::Problem;
use crate::run::Import;

/// The files to import.
#[derive(Clone, Debug)]
pub enum Given {
    /// One file.
    File(GivenFile),
    /// A full set.
    Set {
        /// Its source.
        source: String,
        /// Its files, or their manifest.
        files: Vec<PathBuf>,
    },
}

/// What the operator says about a file.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Its kind.
    pub kind: Option<SaidKind>,
    /// The profile whose options it has.
    pub profile: Option<String>,
    /// Options for this run: the key of a profile, and its value as text.
    pub options: Vec<(String, String)>,
    /// What the user column holds.
    pub user_key: Option<UserKey>,
    /// What the course column holds.
    pub course_key: Option<CourseKey>,
}

/// A kind that the operator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidKind {
    /// A flat file of this form.
    Flat(Kind),
    /// A kind that has options.
    Profiled(FileKind),
}

impl SaidKind {
    /// Every word for a kind.
    pub fn words() -> String {
        [&["header", "native"], &FileKind::WORDS[1..]].concat().join(", ")
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        let flat = word.parse().map(Self::Flat).ok();
        flat.or_else(|| FileKind::from_word(word).filter(|kind| *kind != FileKind::FlatFile).map(Self::Profiled))
    }
}

/// A file whose kind is known, or that is refused because it is not.
#[derive(Clone, Debug)]
pub struct GivenFile {
    /// The file.
    pub path: PathBuf,
    /// The options of a file of another kind; `None` for a flat file.
    pub profile: Option<Arc<Profile>>,
    pub(super) kind: Option<Kind>,
    user_key: Option<UserKey>,
    course_key: Option<CourseKey>,
    /// Why its kind is not known.
    pub refused: Option<Problem>,
}

impl GivenFile {
    /// Determines the kind and the options of a file: the profile that is named, the one whose pattern matches the
    /// name of the file, the kind that is named, or that of the header. A file that cannot be read is a flat file, and
    /// its run reports why.
    ///
    /// # Errors
    /// A profile or an option that there is not, or that does not fit the kind.
    pub fn of(settings: &Settings, path: PathBuf, said: Said) -> Result<Self, Misuse> {
        let Said { kind, profile, mut options, user_key, course_key } = said;
        let told = match (profile, kind) {
            (Some(name), kind) => Told::Profiled(named(settings, &name, kind)?),
            (None, Some(SaidKind::Flat(_))) => Told::Flat,
            (None, kind) => blocking(|| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let file = Dir::open_within(&path, settings.limits.file_bytes());
                let kind = kind.and_then(|kind| if let SaidKind::Profiled(kind) = kind { Some(kind) } else { None });
                of_given(settings, &name, file, kind).unwrap_or(Told::Flat)
            }),
        };
        let flat = Self { path, profile: None, kind: None, user_key, course_key, refused: None };
        match told {
            Told::Flat if !options.is_empty() => {
                let message = "this is a flat file, which has no options (--option); name another kind with --kind";
                Err(Misuse(message.to_owned()))
            }
            Told::Flat => {
                let kind = kind.and_then(|kind| if let SaidKind::Flat(kind) = kind { Some(kind) } else { None });
                Ok(Self { kind, ..flat })
            }
            Told::Profiled(profile) => {
                options.extend(user_key.map(|key| ("user_key".to_owned(), key.as_str().to_owned())));
                options.extend(course_key.map(|key| ("course_key".to_owned(), key.as_str().to_owned())));
                let profile = Some(Arc::new(profile.with(&options).map_err(Misuse)?));
                Ok(Self { profile, user_key: None, course_key: None, ..flat })
            }
            Told::Refused(problem) => Ok(Self { refused: Some(problem), ..flat }),
        }
    }

    fn import(&self) -> Import {
        Import {
            path: self.path.clone(),
            kind: self.kind,
            user_key: self.user_key,
            course_key: self.course_key,
            profile: self.profile.clone(),
            refused: self.refused.clone().map(Box::new),
            dropped: None,
        }
    }
}

/// The options of the profile of this name, which must be of the kind that is named too.
fn named(settings: &Settings, name: &str, kind: Option<SaidKind>) -> Result<Arc<Profile>, Misuse> {
    let known = || settings.profiles.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let profile = settings.profiles.get(name);
    let profile = profile.ok_or_else(|| Misuse(format!("there is no profile {name}; there are: {}", known())))?;
    if kind.is_some_and(|kind| kind != SaidKind::Profiled(profile.kind)) {
        return Err(Misuse(format!("profile {name} is of kind {}; leave --kind out", profile.kind)));
    }
    Ok(Arc::new(profile.clone()))
}

impl Front {
    /// Applies the files and leaves them unchanged; with `simulate` the run is rolled back.
    pub async fn import(&self, who: &Who, given: &Given, simulate: bool) -> RunResult<Report> {
        match given {
            Given::File(file) => {
                who.asks(format_args!("import {}, simulate: {simulate}", file.path.display()));
                self.engine.import(&file.import(), simulate).await
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
