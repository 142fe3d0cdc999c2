//! Tells what kind of file a file is, by its name and its header, and with which options it is read.
//! It must not read rows, nor decide what becomes of the file.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::patterns::matches;
use crate::config::{FileKind, Profile, Settings};
use crate::disk::RegularFile;
use crate::files::{Head, NEEDED};
use crate::problem::{Code, Problem, shown};

/// What a file is.
#[derive(Clone, Debug)]
pub enum Told {
    /// A flat file; so is a file without any header, because Moodle's own form has none.
    Flat,
    /// A users file or a cohort file, with its options.
    Profiled(Arc<Profile>),
    /// It is refused as a whole.
    Refused(Problem),
}

impl Told {
    /// The place of the file among those that are complete together: an account must be there before it is a member,
    /// and a cohort before it has members.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Profiled(profile) => match profile.kind {
                FileKind::Users => 0,
                FileKind::Cohorts => 1,
                FileKind::CohortMembers => 2,
                FileKind::Enrolments => 3,
            },
            Self::Flat | Self::Refused(_) => 3,
        }
    }
}

/// What a dropped file is: only kinds are taken of which a profile is enabled. A name that matches a profile decides,
/// else the header.
///
/// # Errors
/// The file cannot be read.
pub fn of_dropped(settings: &Settings, name: &str, file: &RegularFile) -> io::Result<Told> {
    let enabled: Named = settings.profiles.iter().filter(|(_, profile)| profile.enabled).collect();
    if let Some(told) = by_name(&enabled, name) {
        return Ok(told);
    }
    let head = head(settings, file)?;
    let mut kinds = head.kinds();
    if kinds == [FileKind::Enrolments] {
        return Ok(Told::Flat);
    }
    let fitting: Named = enabled.into_iter().filter(|(_, profile)| head.fits(profile.kind, &profile.columns)).collect();
    let others = fitting.values().map(|profile| profile.kind);
    kinds.extend(others);
    kinds.sort_unstable_by_key(|kind| *kind as u8);
    kinds.dedup();
    Ok(match (kinds.as_slice(), fitting.len()) {
        ([], _) => flat(&head),
        ([_], 1) => chosen(&fitting),
        ([kind], 0) => Told::Refused(Problem::new(0, Code::KindNotAllowed, kind.as_str(), "[profiles.NAME]")),
        ([_], _) => ambiguous(name, fitting.keys()),
        (several, _) => fits(name, several),
    })
}

/// What a file is that an operator names: a name that matches a profile of `kind`, enabled or not, decides, else
/// `kind`, else the header. Without a profile it has the options of its kind.
///
/// # Errors
/// The file cannot be read; it is not, if name or kind tell.
pub fn of_given(
    settings: &Settings,
    name: &str,
    file: io::Result<RegularFile>,
    kind: Option<FileKind>,
) -> io::Result<Told> {
    let asked = |profile: &&Profile| kind.is_none_or(|kind| profile.kind == kind);
    let all: Named = settings.profiles.iter().filter(|(_, profile)| asked(profile)).collect();
    if let Some(told) = by_name(&all, name) {
        return Ok(told);
    }
    let of_kind = |kind| Told::Profiled(Arc::new(Profile::of(kind)));
    if let Some(kind) = kind {
        return Ok(of_kind(kind));
    }
    let head = head(settings, &file?)?;
    Ok(match head.kinds().as_slice() {
        [FileKind::Enrolments] => Told::Flat,
        [kind] => of_kind(*kind),
        [] => {
            let fitting: Named =
                all.into_iter().filter(|(_, profile)| head.fits(profile.kind, &profile.columns)).collect();
            match fitting.len() {
                0 => flat(&head),
                1 => chosen(&fitting),
                _ => ambiguous(name, fitting.keys()),
            }
        }
        several => fits(name, several),
    })
}

type Named<'a> = BTreeMap<&'a String, &'a Profile>;

/// The profile with a pattern that matches the name.
fn by_name(profiles: &Named, name: &str) -> Option<Told> {
    let matching = profiles.iter().filter(|(_, profile)| profile.files.iter().any(|pattern| matches(pattern, name)));
    let matching: Named = matching.map(|(name, profile)| (*name, *profile)).collect();
    match matching.len() {
        0 => None,
        1 => Some(chosen(&matching)),
        _ => Some(ambiguous(name, matching.keys())),
    }
}

/// A flat file, unless its header says that it is something else.
fn flat(head: &Head) -> Told {
    head.unfit().map_or(Told::Flat, |header| Told::Refused(Problem::new(0, Code::KindUnknown, header, NEEDED)))
}

fn chosen(profiles: &Named) -> Told {
    profiles.values().next().map_or(Told::Flat, |profile| Told::Profiled(Arc::new((*profile).clone())))
}

fn ambiguous<'a>(name: &str, profiles: impl Iterator<Item = &'a &'a String>) -> Told {
    let profiles: Vec<String> = profiles.map(|profile| format!("profiles.{profile}")).collect();
    Told::Refused(Problem::new(0, Code::KindUnknown, shown(name), profiles.join(", ")))
}

fn fits(name: &str, kinds: &[FileKind]) -> Told {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    Told::Refused(Problem::new(0, Code::KindUnknown, shown(name), kinds.join(", ")))
}

fn head(settings: &Settings, file: &RegularFile) -> io::Result<Head> {
    Ok(Head::of(&file.beginning(Head::LENGTH)?, settings.flatfile.encoding_fallback))
}
