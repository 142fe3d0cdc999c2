//! The readers of users files and cohort files on the corpus of `tests/fuzz`, and on mutations of it. It must not know
//! what is proved.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::random_site::Dice;

#[path = "../fuzz/readings.rs"]
mod proofs;

/// Mutations of the corpus in every test run; `ENROLD_TEST_MINUTES` goes on for that long.
const FEW: u64 = 400;

/// Pieces that mean something to a reader.
const PIECES: [&str; 34] = [
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\"",
    "\"\"",
    "\0",
    "\u{feff}",
    "\u{a0}",
    " ",
    "&#44",
    "&#59;",
    "#",
    "é",
    "e\u{301}",
    "username",
    "email",
    "cohort1",
    "course1",
    "enrolperiod1",
    "enroltimestart2",
    "profile_field_",
    "categoryrole1",
    "oldusername",
    "cmd",
    "sync",
    "delcohort",
    "99999999999999999999",
    "-1",
    "2026-02-30 25:61",
    "oui",
    "***",
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Some changes of one file of the corpus: bytes, pieces, and parts of itself or of another.
fn mutated(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let file = |dice: &mut Dice| corpus[dice.below(corpus.len() as i64) as usize].clone();
    let mut bytes = file(dice);
    for _ in 0..=dice.below(6) {
        let end = bytes.len() as i64;
        let from = dice.below(end + 1) as usize;
        let to = (from + dice.below(1 + (end - from as i64).min(24)) as usize).min(bytes.len());
        match dice.below(7) {
            0 => drop(bytes.drain(from..to)),
            1 => drop(bytes.splice(from..to, dice.pick(&PIECES).bytes())),
            2 => drop(bytes.splice(from..from, dice.pick(&PIECES).bytes())),
            3 if from < bytes.len() => bytes[from] = dice.below(256) as u8,
            4 => {
                let part = bytes[from..to].to_vec();
                let at = dice.below(end + 1) as usize;
                drop(bytes.splice(at..at, part));
            }
            5 => {
                let other = file(dice);
                let middle = dice.below(other.len() as i64 + 1) as usize;
                bytes.truncate(from);
                bytes.extend(&other[middle..]);
            }
            _ => {
                let times = 1 + dice.below(300) as usize;
                drop(bytes.splice(from..from, dice.pick(&PIECES).repeat(times).into_bytes()));
            }
        }
    }
    bytes
}

fn prove(target: &str, read: fn(&[u8]) -> Option<u64>, proof: fn(&[u8])) {
    let corpus = corpus(target);
    let known = corpus.iter().filter(|file| read(file).is_some_and(|entries| entries > 0)).count();
    assert!(known * 3 >= corpus.len() * 2, "most of the corpus is read: {known} of {}", corpus.len());
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let minutes = number("ENROLD_TEST_MINUTES").unwrap_or(0);
    let (start, until) = (Instant::now(), Duration::from_secs(60 * minutes));
    let mut dice = Dice::new(number("ENROLD_TEST_SEED").unwrap_or(0));
    let (mut files, mut accepted) = (0, 0);
    for file in corpus.clone() {
        proof(&file);
    }
    while files < FEW || start.elapsed() < until {
        let file = mutated(&mut dice, &corpus);
        match catch_unwind(AssertUnwindSafe(|| proof(&file))) {
            Ok(()) => accepted += u64::from(read(&file).is_some()),
            Err(failure) => {
                eprintln!("{target}: b\"{}\"", file.escape_ascii());
                resume_unwind(failure);
            }
        }
        files += 1;
    }
    println!("{target}: {files} files, {accepted} of them not refused");
    assert!(accepted > files / 10, "{accepted} of {files} are not refused");
}

#[test]
fn any_bytes_as_a_users_file() {
    prove("users", proofs::read_users, proofs::users);
}

#[test]
fn any_bytes_as_a_cohort_file() {
    prove("cohorts", proofs::read_cohorts, proofs::cohorts);
}
