//! Determines which complete files are full sets, of which source, which files of a set are present, and which of the
//! other files come first. It must not rename a file, nor know what the rows of a set say.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;

use super::kinds::{self, Told};
use super::{Found, Scanned, names, set_files};
use crate::config::{SetFormat, Settings, Source};
use crate::disk::{Dir, Status, is_stopped};
use crate::files::names::matches;
use crate::sets::{Readiness, readiness};
use crate::source::bundle::{MANIFEST, SEAL};

/// A complete file, and the source whose full set it is; `None` for any other file.
#[derive(Clone, Debug)]
pub struct Job {
    /// The file; of a set with a manifest, the manifest.
    pub found: Found,
    /// The source.
    pub source: Option<String>,
}

/// Why files wait, by name.
pub type Reasons = Vec<(String, String)>;

/// The state of incomplete sets between two scans.
#[derive(Debug, Default)]
pub struct Sets {
    waiting: HashMap<OsString, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    why: String,
    /// The status of its files; while it is unchanged, they are not read again.
    stands: Stands,
}

/// The status of each file of a set; `None` if it could not be read.
type Stands = Vec<Option<Status>>;

impl Sets {
    /// Classifies the complete files of a scan; waiting ones are left out. Also returns the reasons, by name, for those
    /// that begin to wait, or wait for something else.
    ///
    /// # Errors
    /// Reading was stopped: the program ends.
    pub fn jobs(&mut self, settings: &Settings, scanned: &Scanned) -> io::Result<(Vec<Job>, Reasons)> {
        let sources: Vec<_> = settings.sources.iter().filter(|(_, source)| source.enabled).collect();
        if sources.iter().all(|(_, source)| source.files.is_empty()) {
            let flat = |found: &Found| Job { found: found.clone(), source: None };
            return Ok((in_order(settings, scanned, scanned.ready.iter().map(flat).collect())?, Vec::new()));
        }
        let directory = Directory::of(settings, scanned)?;
        let (mut jobs, mut told, mut waiting) = (Vec::new(), Vec::new(), HashMap::new());
        for found in &scanned.ready {
            let name = own_name(found);
            let before = self.waiting.remove(name);
            match directory.meaning(found, before.as_ref())? {
                Meaning::Flat => jobs.push(Job { found: found.clone(), source: None }),
                Meaning::Set(source) => jobs.push(Job { found: found.clone(), source: Some(source.to_owned()) }),
                Meaning::OfAnother => {}
                Meaning::Waits(why, stands) => {
                    if before.is_none_or(|before| before.why != why) {
                        told.push((names::shown(name), why.clone()));
                    }
                    waiting.insert(name.to_owned(), Waiting { why, stands });
                }
            }
        }
        self.waiting = waiting;
        Ok((in_order(settings, scanned, jobs)?, told))
    }
}

/// Users files first, then cohort files, then all others in their order; files that were claimed before stay in front.
/// Without a profile the drop directory takes neither, and no file is read.
fn in_order(settings: &Settings, scanned: &Scanned, jobs: Vec<Job>) -> io::Result<Vec<Job>> {
    if settings.profiles.values().all(|profile| !profile.enabled) {
        return Ok(jobs);
    }
    let told = |job: &Job| match scanned.dir.open_file(&job.found.name) {
        Ok(file) if job.source.is_none() => kinds::of_dropped(settings, &own_name(&job.found).to_string_lossy(), &file),
        // The run of a file that cannot be opened reports why.
        _ => Ok(Told::Flat),
    };
    let mut ranked = Vec::with_capacity(jobs.len());
    for job in jobs {
        let rank = match told(&job) {
            Err(error) if is_stopped(&error) => return Err(error),
            told => told.unwrap_or(Told::Flat).rank(),
        };
        ranked.push((job.found.working.is_none(), rank, job));
    }
    ranked.sort_by_key(|(unclaimed, rank, _)| (*unclaimed, *rank));
    Ok(ranked.into_iter().map(|(_, _, job)| job).collect())
}

enum Meaning<'a> {
    Flat,
    Set(&'a str),
    /// It belongs to the set of another file, and is processed with that one.
    OfAnother,
    Waits(String, Stands),
}

/// The drop directory at one scan.
struct Directory<'a> {
    settings: &'a Settings,
    dir: &'a Dir,
    /// The names of complete files that are not claimed.
    ready: HashSet<&'a OsStr>,
    /// The manifests of sets by their present names: the source, and the names in the manifest.
    manifests: BTreeMap<&'a OsStr, (&'a str, Vec<OsString>)>,
    /// Sources of which a manifest is being written.
    written: HashSet<&'a str>,
}

impl<'a> Directory<'a> {
    fn of(settings: &'a Settings, scanned: &'a Scanned) -> io::Result<Self> {
        let ready = scanned.ready.iter().filter(|found| found.working.is_none()).map(|found| found.name.as_os_str());
        let mut directory = Self {
            settings,
            dir: &scanned.dir,
            ready: ready.collect(),
            manifests: BTreeMap::new(),
            written: HashSet::new(),
        };
        for found in &scanned.ready {
            directory.read_manifest(&found.name, own_name(found))?;
        }
        for name in &scanned.settling {
            if let Some(source) = directory.read_manifest(name, name)? {
                directory.written.insert(source);
            }
        }
        Ok(directory)
    }

    /// Reads the file if it is a manifest of a source: one that matches its own name, or a name in it.
    fn read_manifest(&mut self, name: &'a OsStr, own: &OsStr) -> io::Result<Option<&'a str>> {
        if !own.to_string_lossy().ends_with(MANIFEST) {
            return Ok(None);
        }
        let fallback = self.settings.flatfile.encoding_fallback;
        let named = match self.dir.open_file(name).and_then(|file| set_files::named(&file, fallback)) {
            Err(error) if is_stopped(&error) => return Err(error),
            // A file that cannot be opened or read (a link, a pipe) names nothing; its run reports why.
            named => named.unwrap_or_default(),
        };
        let names: Vec<OsString> = named.into_iter().map(|(name, _)| name.into()).collect();
        let source = self.source(own).or_else(|| names.iter().find_map(|name| self.source(name)));
        let Some((source, _)) = source.filter(|(_, settings)| settings.format == SetFormat::Csv) else {
            return Ok(None);
        };
        self.manifests.insert(name, (source, names));
        Ok(Some(source))
    }

    /// The source to which a name belongs: the first, by name of source, with a pattern that matches.
    fn source(&self, name: &OsStr) -> Option<(&'a str, &'a Source)> {
        let name = name.to_string_lossy();
        let mut enabled = self.settings.sources.iter().filter(|(_, source)| source.enabled);
        let found = enabled.find(|(_, source)| source.files.iter().any(|pattern| matches(pattern, &name)))?;
        Some((found.0.as_str(), found.1))
    }

    fn meaning(&self, found: &Found, before: Option<&Waiting>) -> io::Result<Meaning<'a>> {
        let own = own_name(found);
        let manifest = self.manifests.get(found.name.as_os_str());
        if found.working.is_none()
            && manifest.is_none()
            && self.manifests.values().any(|(_, named)| named.iter().any(|name| name == own))
        {
            return Ok(Meaning::OfAnother);
        }
        let source = manifest.map(|(source, _)| *source).or_else(|| self.source(own).map(|(name, _)| name));
        let Some(source) = source else { return Ok(Meaning::Flat) };
        if found.working.is_some() {
            return Ok(Meaning::Set(source));
        }
        Ok(match manifest {
            Some((_, named)) => {
                let lacks = named.iter().find(|name| !self.ready.contains(name.as_os_str()));
                match lacks {
                    Some(name) => Meaning::Waits(format!("{} is not there yet", names::shown(name)), Vec::new()),
                    None => self.inspect(source, own, named, before)?,
                }
            }
            None if self.written.contains(source) => Meaning::OfAnother,
            None if self.needs_manifest(source) => Meaning::Waits("no manifest names it yet".to_owned(), Vec::new()),
            None => self.inspect(source, own, &[names::fitted(own, SEAL)], before)?,
        })
    }

    /// Checks the bytes against the announcement; again only when the status of a file of the set has changed.
    fn inspect(
        &self,
        source: &'a str,
        own: &OsStr,
        others: &[OsString],
        before: Option<&Waiting>,
    ) -> io::Result<Meaning<'a>> {
        let all = std::iter::once(own).chain(others.iter().map(OsString::as_os_str));
        let stands: Stands = all.map(|name| self.dir.status(name).ok()).collect();
        if let Some(before) = before.filter(|before| stand_alike(&before.stands, &stands)) {
            return Ok(Meaning::Waits(before.why.clone(), stands));
        }
        let Some(settings) = self.settings.sources.get(source) else { return Ok(Meaning::Flat) };
        let fallback = self.settings.flatfile.encoding_fallback;
        Ok(match readiness(settings, fallback, self.dir.open_file(own), self.dir, own)? {
            // The run reports a file that cannot be read.
            Readiness::Whole(_) | Readiness::Archive | Readiness::Broken(_) | Readiness::Spreadsheet(_) => {
                Meaning::Set(source)
            }
            Readiness::Lacks(why) => Meaning::Waits(why, stands),
        })
    }

    /// Whether a source requires a manifest, as its patterns name manifests: a part of a set looks like a set.
    fn needs_manifest(&self, source: &str) -> bool {
        let patterns = self.settings.sources.get(source).map(|source| source.files.as_slice()).unwrap_or_default();
        patterns.iter().any(|pattern| pattern.ends_with(MANIFEST))
    }
}

fn stand_alike(before: &Stands, now: &Stands) -> bool {
    let alike = |(before, now): (&Option<Status>, &Option<Status>)| match (before, now) {
        (Some(before), Some(now)) => before.stands_as(now),
        (None, None) => true,
        _ => false,
    };
    before.len() == now.len() && before.iter().zip(now).all(alike)
}

fn own_name(found: &Found) -> &OsStr {
    found.working.as_ref().map_or(&found.name, |(name, _)| name)
}
