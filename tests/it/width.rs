//! The width of the sources: rustfmt silently skips an expression with a line that it cannot break.
//! It must not check any other formatting: `cargo fmt --check` does.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// As in `rustfmt.toml`.
const WIDTH: usize = 120;

fn sources_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_line_is_wider_than_rustfmt_can_break() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources_below(&root.join("src"), &mut files);
    files.sort();
    let (mut count, mut wide) = (0, String::new());
    for file in &files {
        for (at, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
            let width = line.chars().count();
            if width > WIDTH {
                count += 1;
                writeln!(wide, "{}:{}: {width}", file.strip_prefix(root).unwrap().display(), at + 1).unwrap();
            }
        }
    }
    assert_eq!(count, 0, "lines over {WIDTH} characters: {count}\n{wide}");
}
