//! Names in the drop directory: what each sort of name means, in which order files are processed, and the names we
//! give. It must not touch the directory, nor assume that names are UTF-8.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

/// The longest name that file systems allow, in bytes.
const NAME_MAX: usize = 255;
/// Digits of a token.
const TOKEN: usize = 16;
/// Endings of files whose writer has not finished (spec files 1.1).
const UNFINISHED: [&[u8]; 4] = [b".part", b".tmp", b".filepart", b".incomplete"];
/// Endings that we give to files whose outcome is known.
const ENDINGS: [&[u8]; 5] = [b".done", b".failed", b".held", b".rejected", b".simulated"];
/// Endings of the files that we write beside them.
const BESIDE: [&[u8]; 3] = [b".report.json", b".errors.csv", b".retry.csv"];

/// The remote writer's lock (spec files 1.1).
pub const WRITER_LOCK: &str = "alock.txt";
/// The reader's lock: ours, or that of another reader.
pub const READER_LOCK: &str = "lock.txt";

/// What a name says about its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Something to apply.
    Input,
    /// A file that we have claimed: its own name, and the claim's token.
    Working(OsString, String),
    /// `NAME.ok`: the file of this name is complete.
    Marker(OsString),
    /// `alock.txt` or `lock.txt`.
    Lock,
    /// Written by enrold, hidden, or not finished by its writer: never input.
    Aside,
}

/// Classifies a name.
pub fn sort(name: &OsStr) -> Sort {
    let bytes = name.as_bytes();
    if bytes.starts_with(b".") || bytes.starts_with(b"_") {
        return Sort::Aside;
    }
    if name == WRITER_LOCK || name == READER_LOCK {
        return Sort::Lock;
    }
    if let Some((original, token)) = working_parts(bytes) {
        return Sort::Working(original, token);
    }
    if let Some(of) = bytes.strip_suffix(b".ok")
        && !of.is_empty()
    {
        return Sort::Marker(OsStr::from_bytes(of).to_owned());
    }
    let unfinished = UNFINISHED.iter().any(|ending| ends_with_any_case(bytes, ending));
    if unfinished || is_output(bytes) { Sort::Aside } else { Sort::Input }
}

fn is_output(bytes: &[u8]) -> bool {
    bytes.ends_with(b".work")
        || is_done(bytes)
        || BESIDE.iter().any(|ending| bytes.ends_with(ending))
        || ENDINGS.iter().any(|ending| bytes.ends_with(ending) || ends_with_stamp_after(bytes, ending))
}

/// `.done`, or `.done.` and anything: never input.
fn is_done(bytes: &[u8]) -> bool {
    bytes.ends_with(b".done") || bytes.windows(6).any(|part| part == b".done.")
}

/// True for a name that we give to an applied file: `.done`, or `.done.` and a stamp. Other names with `.done.` in them
/// are not input, but we do not remove them either.
pub fn is_done_by_us(bytes: &[u8]) -> bool {
    bytes.ends_with(b".done") || ends_with_stamp_after(bytes, b".done")
}

/// True for a file that we write beside an applied file: report, list of errors, retry file.
pub fn is_beside(bytes: &[u8]) -> bool {
    BESIDE.iter().any(|ending| bytes.ends_with(ending))
}

fn ends_with_any_case(bytes: &[u8], ending: &[u8]) -> bool {
    bytes.len() > ending.len() && bytes[bytes.len() - ending.len()..].eq_ignore_ascii_case(ending)
}

/// `X.held.20261122-021905`, or the same with a number such as `-2` behind it.
fn ends_with_stamp_after(bytes: &[u8], ending: &[u8]) -> bool {
    let mut at = bytes.windows(ending.len()).enumerate().filter(|(_, part)| *part == ending).map(|(at, _)| at);
    at.any(|at| {
        let Some(rest) = bytes[at + ending.len()..].strip_prefix(b".") else { return false };
        let stamp = rest
            .iter()
            .take(15)
            .enumerate()
            .all(|(at, byte)| if at == 8 { *byte == b'-' } else { byte.is_ascii_digit() });
        let more = rest.get(15..).unwrap_or_default();
        rest.len() >= 15 && stamp && (more.is_empty() || is_number_after_dash(more))
    })
}

fn is_number_after_dash(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"-").is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

/// The working name of a claimed file.
pub fn working(name: &OsStr, token: &str) -> OsString {
    fitted(name, &format!(".{token}.work"))
}

fn working_parts(bytes: &[u8]) -> Option<(OsString, String)> {
    let rest = bytes.strip_suffix(b".work")?;
    let dot = rest.len().checked_sub(TOKEN + 1)?;
    let (name, token) = (&rest[..dot], &rest[dot + 1..]);
    let hex = token.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    let whole = rest[dot] == b'.' && hex && !name.is_empty();
    whole.then(|| (OsStr::from_bytes(name).to_owned(), String::from_utf8_lossy(token).into_owned()))
}

/// A name for messages, in one line: control characters are escaped, such as line ends and terminal sequences.
pub fn shown(name: &OsStr) -> String {
    let escaped = |letter: char| letter.is_control().then(|| letter.escape_default().to_string());
    name.to_string_lossy().chars().map(|letter| escaped(letter).unwrap_or_else(|| letter.into())).collect()
}

/// A token that no other claim has.
pub fn new_token(name: &OsStr) -> String {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update(crate::clock::nanos().to_le_bytes());
    hasher.update(std::process::id().to_le_bytes());
    let digits: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..TOKEN].to_owned()
}

/// A name with an ending; a name that would be too long is cut, and gets the digest of the whole to stay unique.
pub fn fitted(name: &OsStr, ending: &str) -> OsString {
    let bytes = name.as_bytes();
    let mut made = if bytes.len() + ending.len() <= NAME_MAX {
        bytes.to_vec()
    } else {
        let digest: String = Sha256::digest(bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let mut cut = NAME_MAX.saturating_sub(ending.len() + digest.len() + 1).min(bytes.len());
        // A character of UTF-8, of four bytes at most, is not cut in two.
        let begin = (0..4).map(|back| cut.saturating_sub(back)).find(|at| bytes[*at] & 0xc0 != 0x80);
        cut = begin.unwrap_or(cut);
        [&bytes[..cut], b"~", digest.as_bytes()].concat()
    };
    made.extend_from_slice(ending.as_bytes());
    OsString::from_vec(made)
}

/// `YYYYMMDD-HHMMSS` in a zone, for names that must not overwrite others.
pub fn stamp(clock: i64, zone: chrono_tz::Tz) -> String {
    let moment = DateTime::from_timestamp(clock, 0).unwrap_or_default().with_timezone(&zone);
    moment.format("%Y%m%d-%H%M%S").to_string()
}

/// The order in which files are processed: kind, stamp in the name (without one, the time of change), time of change in
/// nanoseconds, name (spec files 1.1).
pub fn order(name: &OsStr, mtime_ns: i128) -> (u8, u64, i128, OsString) {
    let changed = DateTime::<Utc>::from_timestamp((mtime_ns / 1_000_000_000) as i64, 0).unwrap_or_default();
    let stamp = stamp_in(name.as_bytes())
        .unwrap_or_else(|| changed.format("%Y%m%d%H%M%S").to_string().parse().unwrap_or_default());
    (rank(name), stamp, mtime_ns, name.to_owned())
}

/// Users before cohorts before links before groups before enrolments before members of groups before lists for one
/// course; a file with any other name counts as enrolments.
fn rank(name: &OsStr) -> u8 {
    const RANKS: [(&[u8], u8); 8] = [
        (b"user", 0),
        (b"cohortscourses", 2),
        (b"enrolmethods", 2),
        (b"cohort", 1),
        (b"groupmembers", 5),
        (b"group", 3),
        (b"course-", 6),
        (b"", 4),
    ];
    let lower = name.as_bytes().to_ascii_lowercase();
    RANKS.iter().find(|(begins, _)| lower.starts_with(begins)).map_or(4, |(_, rank)| *rank)
}

/// The first `YYYYMMDD[-HHMM[SS]]` in a name, as a number of fourteen digits.
fn stamp_in(bytes: &[u8]) -> Option<u64> {
    let mut at = 0;
    while at < bytes.len() {
        let digits = run_of_digits(&bytes[at..]);
        if digits == 0 {
            at += 1;
            continue;
        }
        if digits == 8
            && let Some(day) = day(&bytes[at..at + 8])
        {
            return Some(day * 1_000_000 + time_after(&bytes[at + 8..]));
        }
        at += digits;
    }
    None
}

fn run_of_digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

fn day(digits: &[u8]) -> Option<u64> {
    let (year, month, day) = (number(&digits[..4]), number(&digits[4..6]), number(&digits[6..]));
    let plausible = (1970..3000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    plausible.then(|| number(digits))
}

/// `-HHMM` or `-HHMMSS` (also after `_` or `T`) as six digits; anything else is midnight.
fn time_after(bytes: &[u8]) -> u64 {
    let Some((b'-' | b'_' | b'T', rest)) = bytes.split_first().map(|(first, rest)| (*first, rest)) else { return 0 };
    match run_of_digits(rest) {
        4 => number(&rest[..4]) * 100,
        6 => number(&rest[..6]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(name: &str) -> Sort {
        sort(OsStr::new(name))
    }

    #[test]
    fn our_own_names_and_unfinished_ones_are_never_input() {
        for name in [
            ".hidden.csv",
            "_reports",
            "a.part",
            "a.TMP",
            "a.filepart",
            "a.incomplete",
            "a.csv.work",
            "a.csv.done",
            "a.csv.done.20261122-021905",
            "a.csv.done.x",
            "a.csv.failed",
            "a.csv.failed.20261122-021905-2",
            "a.csv.held",
            "a.csv.held.20261122-021905",
            "a.csv.rejected",
            "a.csv.report.json",
            "a.csv.20261122-021905.report.json",
            "a.csv.errors.csv",
            "a.csv.retry.csv",
        ] {
            assert_eq!(sorted(name), Sort::Aside, "{name}");
        }
        for name in ["alock.txt", "lock.txt"] {
            assert_eq!(sorted(name), Sort::Lock, "{name}");
        }
        for name in
            ["a.csv", "a", "block.txt", "done", "held.csv", "a.held.csv", "a.held.2026", "lock.txt.csv", "a.partial"]
        {
            assert_eq!(sorted(name), Sort::Input, "{name}");
        }
        assert_eq!(sorted("a.csv.ok"), Sort::Marker("a.csv".into()));
        assert_eq!(sort(OsStr::from_bytes(b"\xff\xfe.csv")), Sort::Input);
    }

    #[test]
    fn a_working_name_gives_name_and_token_back() {
        let name = OsStr::from_bytes(b"caf\xe9 .csv");
        let token = new_token(name);
        assert_eq!(sort(&working(name, &token)), Sort::Working(name.to_owned(), token));
        assert_ne!(new_token(name), new_token(name));
    }

    #[test]
    fn a_name_is_shown_in_one_line() {
        assert_eq!(shown(OsStr::from_bytes(b"a\n\x1b[31m\xff \xc3\xa9.csv")), "a\\n\\u{1b}[31m\u{fffd} é.csv");
    }

    #[test]
    fn only_names_of_ours_are_removed_by_age() {
        for name in ["a.csv.done", "a.csv.done.20261122-021905", "a.csv.done.20261122-021905-2", "a.csv.ok.done"] {
            assert!(is_done_by_us(name.as_bytes()), "{name}");
        }
        for name in ["a.done.csv", "a.csv.done.x", "a.csv.held", "done"] {
            assert!(!is_done_by_us(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_stays_apart() {
        let long = "é".repeat(127);
        let other = format!("{}x", "é".repeat(126));
        let (one, two) = (fitted(OsStr::new(&long), ".report.json"), fitted(OsStr::new(&other), ".report.json"));
        assert!(one.len() <= NAME_MAX && one.to_str().is_some_and(|text| text.ends_with(".report.json")));
        assert_ne!(one, two);
        assert_eq!(fitted(OsStr::new("a.csv"), ".done"), "a.csv.done");
    }

    #[test]
    fn files_are_taken_by_kind_then_stamp_then_time_then_name() {
        let second = 1_000_000_000;
        let noon: i128 = 1_795_255_200 * second;
        let mut names = [
            ("enrols-20261122.csv", noon),
            ("groups.csv", noon),
            ("enrols-20261121-2300.csv", noon),
            ("z.txt", noon - 9 * second),
            ("b.txt", noon),
            ("a.txt", noon),
            ("enrols-20261121-230001.csv", noon),
            ("cohorts.csv", noon + second),
            ("cohortscourses.csv", noon),
            ("users-20261122.csv", noon),
        ];
        names.sort_by_key(|(name, mtime)| order(OsStr::new(name), *mtime));
        assert_eq!(
            names.map(|(name, _)| name),
            [
                "users-20261122.csv",
                "cohorts.csv",
                "cohortscourses.csv",
                "groups.csv",
                "z.txt",
                "a.txt",
                "b.txt",
                "enrols-20261121-2300.csv",
                "enrols-20261121-230001.csv",
                "enrols-20261122.csv",
            ]
        );
    }

    #[test]
    fn a_stamp_is_a_day_perhaps_with_a_time() {
        let found = |text: &str| stamp_in(text.as_bytes());
        assert_eq!(found("e-20261122.csv"), Some(20_261_122_000_000));
        assert_eq!(found("e_20261122-0219.csv"), Some(20_261_122_021_900));
        assert_eq!(found("20261122-021905-e"), Some(20_261_122_021_905));
        assert_eq!(found("e-12345678.csv"), None);
        assert_eq!(found("e-202611221.csv"), None);
        assert_eq!(found("e.csv"), None);
    }
}
