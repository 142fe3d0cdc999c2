//! The catalogue of kinds of change: what every entry must have, and that every database can read its inverse.
//! It must not name the kinds one by one, so that it covers new kinds too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use enrold::change::kind::{Change, Kind, Rank, words};
use enrold::change::kinds::{ALL, RANKS};
use enrold::config::Locale;
use enrold::moodle::tables;
use enrold::report::words::change;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_kind_has_a_name_of_its_own_and_words_in_both_languages() {
    let names: BTreeSet<&str> = ALL.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), ALL.len(), "names are unique");
    for kind in ALL {
        assert!(kind.name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-.".contains(&byte)), "{}", kind.name);
        assert!(kind.name.len() <= 40, "{} fits into the journal", kind.name);
        assert_eq!(Kind::of(kind.name), Some(*kind));
        let said = [Locale::En, Locale::Fr].map(|locale| change(kind.name, locale, words));
        assert!(said.iter().all(|words| !words.is_empty() && words != kind.name), "{}: {said:?}", kind.name);
        assert_ne!(said[0], said[1], "{}", kind.name);
    }
    let said: BTreeSet<&str> = ALL.iter().map(|kind| kind.english).collect();
    assert_eq!(said.len(), ALL.len(), "no two kinds read alike");
    assert_eq!(change("thing.add", Locale::Fr, words), "thing.add", "what nobody knows is shown as it stands");
}

#[test]
fn every_kind_names_columns_that_its_table_has() {
    for kind in ALL {
        let has = |table: &str, column: &str| {
            let known = tables::table(table).unwrap_or_else(|| panic!("{}: {table} is not in tables.txt", kind.name));
            assert!(known.column(column).is_some(), "{}: {table} has no column {column}", kind.name);
        };
        kind.key.iter().for_each(|(own, _)| has(kind.table, own));
        match &kind.change {
            Change::Added { says, named, made, used_by } => {
                says.iter().map(|(own, _)| own).chain(named.iter()).chain(made).for_each(|own| has(kind.table, own));
                for (table, column, own) in *used_by {
                    has(table, column);
                    has(kind.table, own);
                }
            }
            Change::Changed(values) => {
                assert!(!values.is_empty(), "{}", kind.name);
                values.iter().for_each(|(own, ..)| has(kind.table, own));
            }
            Change::Rewritten(columns) => columns.iter().for_each(|own| has(kind.table, own)),
            Change::Removed { alone, .. } => alone.iter().for_each(|own| has(kind.table, own)),
        }
    }
}

/// Groups that must not share a pass: new courses, cohorts, the buffer, and all others.
fn apart(rank: &Rank) -> &'static str {
    match rank.kind.table {
        "enrol" if rank.at < 10 => "courses",
        "user" | "user_info_data" | "user_preferences" | "tag" | "tag_instance" => "accounts",
        "course" | "context" | "course_format_options" | "course_sections" | "course_categories" => "courses",
        "cohort" | "cohort_members" => "cohorts",
        "enrol_flatfile" => "buffer",
        _ => "",
    }
}

#[test]
fn no_two_kinds_of_a_wave_have_the_same_rank() {
    let mut holders: BTreeMap<(&str, i64), &Kind> = BTreeMap::new();
    for rank in RANKS {
        assert!((1..100).contains(&rank.at) && (1..100).contains(&rank.applied), "{rank:?}");
        let other = holders.insert((apart(rank), rank.at), rank.kind);
        assert_eq!(other, None, "rank {} of {}", rank.at, rank.kind.name);
    }
    for kind in ALL {
        let ranks: Vec<i64> = kind.ranks().map(|rank| rank.at).collect();
        assert!(ranks.is_sorted(), "{}: {ranks:?}", kind.name);
    }
}

/// The texts of a source that look like the name of a kind.
fn named(source: &str) -> BTreeSet<String> {
    let deeds = ["add", "remove", "update", "suspend", "rename", "prune", "touch", "sort", "count"];
    let texts = source.split(['"', '\'', '`']);
    let is_kind = |text: &&str| {
        let thing = text.split_once('.').filter(|(_, deed)| deeds.contains(deed)).map(|(thing, _)| thing);
        thing
            .is_some_and(|thing| thing.len() > 2 && thing.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
    };
    texts.filter(is_kind).map(str::to_owned).collect()
}

fn sources(folder: &Path, of: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, of);
        } else if path.extension().is_some_and(|name| name == "rs" || name == "sql") {
            of.push(path);
        }
    }
}

/// Tests name existing kinds only. Within `src` only the catalogue names any: other code uses its entries.
#[test]
fn what_is_named_is_in_the_catalogue() {
    let mut files = Vec::new();
    sources(&root().join("tests/it"), &mut files);
    sources(&root().join("benches"), &mut files);
    let mut seen = 0;
    for file in &files {
        let names = named(&fs::read_to_string(file).unwrap());
        names.iter().for_each(|name| assert!(Kind::of(name).is_some() || name == "thing.add", "{file:?}: {name}"));
        seen += names.len();
    }
    assert!(seen > 100, "the tests name kinds: {seen}");
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for file in files.iter().filter(|file| !file.ends_with("change/kinds.rs") && !file.ends_with("tests.rs")) {
        let names = named(&fs::read_to_string(file).unwrap());
        assert!(names.is_empty(), "{file:?} names {names:?}: ask crate::change::kinds");
    }
}

#[test]
fn the_documents_list_every_kind() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for kind in ALL {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", kind.name)));
        let row = row.unwrap_or_else(|| panic!("docs/architecture.md has no row for {}", kind.name));
        assert!(row.contains(&format!("`{}`", kind.table)), "{row}");
    }
}
