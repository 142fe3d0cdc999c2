//! The paths of Rust sources as arrows between files: `use` trees, paths in code, and their targets through re-exports.
//! It must not know which arrows are allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

/// A path from one file to the file that defines its target. Files are relative to `src`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
}

impl Arrow {
    pub fn source_room(&self) -> &str {
        room_of(&self.from)
    }

    pub fn target_room(&self) -> &str {
        room_of(&self.to)
    }
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.from, self.to)
    }
}

fn room_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

type Segments = Vec<String>;

/// One name that a `use` imports into a module: the name and its path.
struct Import {
    name: String,
    path: Segments,
    public: bool,
}

struct Module {
    file: String,
    imports: Vec<Import>,
    /// Paths in the code, each with two segments or more, as written.
    paths: Vec<Segments>,
}

/// Modules by their path from the crate root.
#[derive(Default)]
pub struct Sources(BTreeMap<Segments, Module>);

impl Sources {
    /// Reads all `.rs` files below a directory.
    pub fn read(src: &Path) -> Self {
        let mut sources = Self::default();
        let mut directories = vec![src.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let below = path.strip_prefix(src).unwrap().to_str().unwrap();
                    sources.add(below, &fs::read_to_string(&path).unwrap());
                }
            }
        }
        sources
    }

    /// Adds a file with this path below `src`.
    pub fn add(&mut self, file: &str, text: &str) {
        let mut module: Segments = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        let code = code_of(text);
        let (mut imports, mut rest) = (Vec::new(), String::new());
        let mut remaining = code.as_str();
        while let Some(at) = find_use(remaining) {
            let statement = &remaining[at..];
            let end = statement.find(';').unwrap_or(statement.len());
            let before = &remaining[..at];
            let public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
            rest.push_str(before);
            tree(&statement["use ".len()..end], &[], public, &mut imports);
            remaining = &statement[end..];
        }
        rest.push_str(remaining);
        self.0.insert(module, Module { file: file.to_owned(), imports, paths: paths_in(&rest) });
    }

    /// The rooms: the first segments of all modules.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|module| room_of(&module.file)).filter(|room| *room != "lib")
    }

    /// Every arrow between two files, except those of the crate root.
    pub fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = BTreeSet::new();
        for (at, module) in self.0.iter().filter(|(at, _)| !at.is_empty()) {
            let imported = module.imports.iter().filter_map(|import| self.absolute(at, &import.path));
            let named = module.paths.iter().filter_map(|path| self.absolute(at, path));
            for path in imported.chain(named) {
                let target = &self.0[&self.definition(&path, 0)];
                if target.file != module.file && target.file != "lib.rs" {
                    arrows.insert(Arrow { from: module.file.clone(), to: target.file.clone() });
                }
            }
        }
        arrows.into_iter().collect()
    }

    /// A path as written in a module, resolved from the crate root; `None` if it leads to another crate.
    fn absolute(&self, at: &[String], path: &[String]) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        let join = |base: &[String]| [base, rest].concat();
        match first.as_str() {
            "crate" | "enrold" => Some(rest.to_vec()),
            "self" => Some(join(at)),
            "super" => {
                let above = path.iter().take_while(|segment| *segment == "super").count();
                Some([&at[..at.len().saturating_sub(above)], &path[above..]].concat())
            }
            name => {
                let below = [at, std::slice::from_ref(first)].concat();
                if self.0.contains_key(&below) {
                    return Some(join(&below));
                }
                let import = self.0.get(at)?.imports.iter().find(|import| import.name == name)?;
                // An import whose name is its own crate's name would recurse without end.
                let base = (import.path.first() != Some(first)).then(|| self.absolute(at, &import.path)).flatten()?;
                Some(join(&base))
            }
        }
    }

    /// The module that defines the target of a path from the root.
    fn definition(&self, path: &[String], depth: usize) -> Segments {
        assert!(depth < 20, "{path:?} is re-exported in a circle");
        let mut known = path.len();
        while !self.0.contains_key(&path[..known]) {
            if known == 0 {
                return Vec::new();
            }
            known -= 1;
        }
        let (module, rest) = path.split_at(known);
        let Some((name, deeper)) = rest.split_first() else { return module.to_vec() };
        let exports = self.0[module].imports.iter().filter(|import| import.public);
        for export in exports.filter(|export| export.name == *name) {
            if let Some(base) = self.absolute(module, &export.path) {
                return self.definition(&[base.as_slice(), deeper].concat(), depth + 1);
            }
        }
        module.to_vec()
    }
}

/// The code without comments, strings and characters.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let raw = ["r\"", "r#\"", "r##\""].into_iter().find(|start| rest.starts_with(*start));
        let in_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let (Some(start), false) = (raw, in_word) {
            let end = format!("\"{}", "#".repeat(start.len() - 2));
            start.len() + rest[start.len()..].find(&end).map_or(rest.len() - start.len(), |at| at + end.len())
        } else if character == '"' {
            string_length(rest)
        } else if rest.starts_with("'\\''") {
            4
        } else if rest.starts_with("'\"'") {
            3
        } else {
            code.push(character);
            character.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The position of the next `use` that is a whole word.
fn find_use(code: &str) -> Option<usize> {
    code.match_indices("use ").map(|(at, _)| at).find(|at| {
        !code[..*at]
            .ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '\'' || before == '#')
    })
}

/// The imports of one `use` tree.
fn tree(text: &str, base: &[String], public: bool, imports: &mut Vec<Import>) {
    let text = text.trim();
    if let Some(open) = text.find('{') {
        let base = [base, &segments(text[..open].trim_end_matches("::"))].concat();
        let body = &text[open + 1..text.rfind('}').unwrap_or(text.len())];
        let (mut depth, mut start) = (0, 0);
        for (at, character) in body.char_indices().chain([(body.len(), ',')]) {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    tree(&body[start..at], &base, public, imports);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let (path, alias) = text.split_once(" as ").map_or((text, None), |(path, alias)| (path, Some(alias.trim())));
    let mut path = [base, &segments(path)].concat();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self" || last == "*") {
        path.pop();
    }
    let Some(last) = path.last() else { return };
    imports.push(Import { name: alias.unwrap_or(last).to_owned(), path, public });
}

fn segments(path: &str) -> Segments {
    path.split("::").map(|segment| segment.trim().to_owned()).filter(|segment| !segment.is_empty()).collect()
}

/// All paths of two segments or more in code.
fn paths_in(code: &str) -> Vec<Segments> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut paths = BTreeSet::new();
    let mut path = Segments::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_word) {
        if !rest[..start].trim().eq("::") {
            path.clear();
        }
        rest = &rest[start..];
        let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        path.push(rest[..end].to_owned());
        rest = &rest[end..];
        if !rest.trim_start().starts_with("::") && path.len() > 1 {
            paths.insert(path.clone());
        }
    }
    paths.into_iter().collect()
}
