//! Tells what kind of file a file is, by its name and its header, and with which options it is read.
//! It must not read rows, nor decide what becomes of the file.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::config::{FileKind, Profile, Settings};
use crate::disk::RegularFile;
use crate::files::names::matches;
use crate::files::{Head, NEEDED, traits};
use crate::problem::{Code, Problem, shown};

/// What a file is.
#[derive(Clone, Debug)]
pub enum Told {
    /// A flat file; so is a file without any header, because Moodle's own form has none.
    Flat,
    /// A file of a kind that has options, with them.
    Profiled(Arc<Profile>),
    /// It is refused as a whole.
    Refused(Problem),
}

impl Told {
    /// The place of the file among those that are complete together.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Profiled(profile) => traits(profile.kind).rank,
            Self::Flat | Self::Refused(_) => traits(FileKind::FlatFile).rank,
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
    if kinds == [FileKind::FlatFile] {
        return Ok(of_two_kinds(&enabled, name, &head));
    }
    let fitting: Named = enabled.into_iter().filter(|(_, profile)| head.fits(profile.kind, &profile.columns)).collect();
    let others = fitting.values().map(|profile| profile.kind);
    kinds.extend(others);
    kinds.sort_unstable_by_key(|kind| *kind as u8);
    kinds.dedup();
    Ok(match (kinds.as_slice(), fitting.len()) {
        ([], _) => of_no_profile(name, &head),
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
        [FileKind::FlatFile] => {
            of_two_kinds(&all.into_iter().filter(|(_, profile)| profile.enabled).collect(), name, &head)
        }
        [kind] => of_kind(*kind),
        [] => {
            let fitting: Named =
                all.into_iter().filter(|(_, profile)| head.fits(profile.kind, &profile.columns)).collect();
            match fitting.len() {
                0 => by_own_name(name, &head).map_or_else(|| flat(&head), of_kind),
                1 => chosen(&fitting),
                _ => ambiguous(name, fitting.keys()),
            }
        }
        several => fits(name, several),
    })
}

/// A file whose header is one of a flat file: `cmd,rolename,cid,uid` is of kind `enrolments` if one of these
/// profiles is.
fn of_two_kinds(profiles: &Named, name: &str, head: &Head) -> Told {
    let fits = |profile: &Profile| profile.kind == FileKind::Enrolments && head.fits(profile.kind, &profile.columns);
    let fitting: Named =
        profiles.iter().filter(|(_, profile)| fits(profile)).map(|(name, profile)| (*name, *profile)).collect();
    match fitting.len() {
        0 => Told::Flat,
        1 => chosen(&fitting),
        _ => ambiguous(name, fitting.keys()),
    }
}

type Named<'a> = BTreeMap<&'a String, &'a Profile>;

/// The profile with a pattern that matches the name.
fn by_name(profiles: &Named, name: &str) -> Option<Told> {
    let matching = profiles.iter().filter(|(_, profile)| patterns(profile).any(|pattern| matches(pattern, name)));
    let matching: Named = matching.map(|(name, profile)| (*name, *profile)).collect();
    match matching.len() {
        0 => None,
        1 => Some(chosen(&matching)),
        _ => Some(ambiguous(name, matching.keys())),
    }
}

/// The names of files of a profile: its own, or those of its kind.
pub fn patterns(profile: &Profile) -> impl Iterator<Item = &str> {
    let own = traits(profile.kind).names.iter().copied().filter(|_| profile.files.is_empty());
    profile.files.iter().map(String::as_str).chain(own)
}

/// A dropped file whose header fits no kind and no profile: a flat file, unless its name is that of a kind without
/// header.
fn of_no_profile(name: &str, head: &Head) -> Told {
    match by_own_name(name, head) {
        Some(kind) => Told::Refused(Problem::new(0, Code::KindNotAllowed, kind.as_str(), "[profiles.NAME]")),
        None => flat(head),
    }
}

/// The kind without header whose files have such names, unless the file has a record of a flat file.
fn by_own_name(name: &str, head: &Head) -> Option<FileKind> {
    let mut kinds = FileKind::WORDS.iter().filter_map(|word| FileKind::from_word(word));
    let named = kinds.find(|kind| traits(*kind).names.iter().any(|pattern| matches(pattern, name)));
    named.filter(|_| !head.is_native())
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
