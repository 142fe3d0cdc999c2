//! The test of the architecture: every path in `src` goes down or sideways in the table of rooms of
//! `docs/architecture.md`. It must not know which rooms there are: the table lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::paths::{Arrow, Sources};

/// The floors by room, from the rows `| floor | room, … | …` of the table of rooms, in tenths: 75 is between 7 and 8.
fn floors(document: &str) -> BTreeMap<String, u32> {
    let table = document.split("<!-- rooms -->").nth(1).expect("docs/architecture.md has a table of rooms");
    let mut floors = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Some(floor) = floor(cells[1]) else { continue };
        for room in cells[2].split(['`', ',', ' ']).filter(|room| !room.is_empty()) {
            let room = room.trim_end_matches('/').trim_end_matches(".rs").to_owned();
            assert!(floors.insert(room.clone(), floor).is_none(), "the table has the room {room} twice");
        }
    }
    floors
}

fn floor(cell: &str) -> Option<u32> {
    let (whole, half) = match cell.strip_suffix('½') {
        Some(whole) => (whole, 5),
        None => (cell, 0),
    };
    Some(whole.parse::<u32>().ok()? * 10 + half)
}

const WAYS_IN: u32 = 90;
const PLANNERS: u32 = 60;
/// Floors that only `front`, `inbox` and `doctor` may use.
const ENGINE: std::ops::RangeInclusive<u32> = 40..=70;

/// The violations among the arrows, one line each.
fn faults(floors: &BTreeMap<String, u32>, arrows: &[Arrow]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut rooms: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        let (from, to) = (arrow.source_room(), arrow.target_room());
        let (Some(high), Some(low)) = (floors.get(from), floors.get(to)) else {
            let unknown = if floors.contains_key(from) { to } else { from };
            faults.push(format!("{arrow}: the table of rooms has no room {unknown}"));
            continue;
        };
        if from == to {
            continue;
        }
        rooms.entry(from).or_default().insert(to);
        if low > high {
            faults.push(format!("{arrow}: goes up, from floor {high} to {low} (tenths)"));
        }
        if *high == PLANNERS && *low == PLANNERS {
            faults.push(format!("{arrow}: a planner names another planner"));
        }
        if *high == WAYS_IN && ENGINE.contains(low) {
            faults.push(format!("{arrow}: a way in goes past the front door"));
        }
    }
    faults.extend(circle(&rooms).map(|circle| format!("a circle of rooms: {}", circle.join(" → "))));
    faults
}

/// One cycle of rooms, if there is any.
fn circle(rooms: &BTreeMap<&str, BTreeSet<&str>>) -> Option<Vec<String>> {
    fn walk<'a>(
        room: &'a str,
        rooms: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> bool {
        if let Some(begin) = way.iter().position(|before| *before == room) {
            way.drain(..begin);
            way.push(room);
            return true;
        }
        if !done.insert(room) {
            return false;
        }
        way.push(room);
        if rooms.get(room).is_some_and(|next| next.iter().any(|next| walk(next, rooms, way, done))) {
            return true;
        }
        way.pop();
        false
    }
    let mut done = BTreeSet::new();
    rooms.keys().find_map(|room| {
        let mut way = Vec::new();
        walk(room, rooms, &mut way, &mut done).then(|| way.into_iter().map(str::to_owned).collect())
    })
}

#[test]
fn every_path_goes_down_in_the_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let floors = floors(&fs::read_to_string(root.join("docs/architecture.md")).unwrap());
    let sources = Sources::read(&root.join("src"));
    let arrows = sources.arrows();
    assert!(arrows.len() > 500, "only {} paths were found", arrows.len());
    let faults = faults(&floors, &arrows);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    let rooms: BTreeSet<&str> = sources.rooms().collect();
    let listed: BTreeSet<&str> = floors.keys().map(String::as_str).collect();
    assert_eq!(rooms, listed, "the rooms of src and those of the table");
}

/// The violations in a small crate of five rooms: `cli` on floor 9, `run` on 7, `rules` and `sets` on 6, `db` on 0.
fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
    let floors =
        floors("<!-- rooms -->\n| 9 | `cli/` | |\n| 7 | `run/` | |\n| 6 | `rules/` `sets/` | |\n| 0 | `db.rs` | |\n");
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.add(path, text);
    }
    faults(&floors, &sources.arrows())
}

#[test]
fn the_test_of_the_house_finds_what_it_looks_for() {
    let db = ("db.rs", "pub struct Conn;");
    let run = ("run/mod.rs", "pub mod work;\npub use work::Work;");
    let work = ("run/work.rs", "pub struct Work;");
    let house = |file, text| faults_of(&[db, run, work, (file, text)]);
    assert!(house("run/end.rs", "use crate::db::Conn;\nuse super::work::Work;\n").is_empty());
    assert!(house("rules/mod.rs", "// crate::run\nfn f() { \"use crate::run;\"; r#\"crate::run::x\"# }").is_empty());
    for (file, text, what) in [
        ("rules/mod.rs", "use crate::run::Work;", "rules/mod.rs → run/work.rs: goes up"),
        (
            "rules/mod.rs",
            "use crate::{db, run::{self as engine}};\nfn f() { engine::Work }",
            "rules/mod.rs → run/work.rs: goes up",
        ),
        ("rules/deep.rs", "fn f(work: &super::super::run::Work) {}", "rules/deep.rs → run/work.rs: goes up"),
        ("cli/mod.rs", "use crate::run;", "cli/mod.rs → run/mod.rs: a way in goes past the front door"),
        ("web/mod.rs", "use crate::db::Conn;", "the table of rooms has no room web"),
        ("db.rs", "pub use crate::run::work::Work;", "db.rs → run/work.rs: goes up"),
    ] {
        let faults = house(file, text);
        assert!(faults.iter().any(|fault| fault.contains(what)), "{file} {text}: {faults:?}");
    }
    let through =
        faults_of(&[db, run, work, ("cli/mod.rs", "pub use crate::run::Work;"), ("db.rs", "use crate::cli::Work;")]);
    assert!(through.iter().any(|fault| fault.starts_with("db.rs → run/work.rs: goes up")), "{through:?}");
    let planners = faults_of(&[("rules/mod.rs", "use crate::sets::Set;"), ("sets/mod.rs", "use crate::rules::Rule;")]);
    assert!(planners.iter().any(|fault| fault.contains("names another planner")), "{planners:?}");
    assert!(planners.iter().any(|fault| fault == "a circle of rooms: rules → sets → rules"), "{planners:?}");
}
