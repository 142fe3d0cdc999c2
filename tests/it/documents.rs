//! README and documents against the program: commands and their options, keys and examples of the configuration,
//! enrold's tables, metrics, exit codes, links, and menu paths of Moodle (these also in the messages of `src`).
//! It must not judge the prose: that is left to the reader.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory};
use enrold::change::kinds;
use enrold::cli::Cli;
use enrold::config::{self, ConfigProblem, Sources};
use enrold::db::{Database, Params};
use enrold::problem::Code;

/// Placeholders that documents use for values of the reader, with the values that the test uses.
const PLACEHOLDERS: [(&str, &str); 6] =
    [("RUN", "12"), ("N", "12"), ("ID", "12"), ("SECONDS", "60"), ("UNIXTIME", "1795731161"), ("K", "idnumber")];

/// Options of other programs that the documents name.
const FOREIGN_OPTIONS: [&str; 2] = ["--uid", "--batch"];

/// Dotted names that look like keys but are fields of the log.
const FIELDS_OF_THE_LOG: [&str; 3] = ["run.id", "run.kind", "run.state"];

/// Pages of Moodle's site administration, as named in Moodle 4.1 to 5.1; further levels may follow.
const MENU: [&str; 11] = [
    "Courses > Course default settings",
    "Plugins > Caching",
    "Plugins > Enrolments > Auto Enrol",
    "Plugins > Enrolments > Cohort sync",
    "Plugins > Enrolments > Course meta link",
    "Plugins > Enrolments > External database",
    "Plugins > Enrolments > Flat file (CSV)",
    "Plugins > Enrolments > Manage enrol plugins",
    "Plugins > Logging",
    "Server > Tasks > Scheduled tasks",
    "Users > Permissions > ",
];
const MENU_FR: [&str; 5] = [
    "Plugins > Inscriptions > Base de données externe",
    "Plugins > Inscriptions > Fichier plat (CSV)",
    "Plugins > Inscriptions > Gérer les plugins d'inscription",
    "Serveur > Tâches > Tâches programmées",
    "Utilisateurs > Permissions > ",
];

/// A document: its blocks of code, its code spans, and the rest.
struct Page {
    name: String,
    text: String,
    blocks: Vec<String>,
    spans: Vec<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (blocks, prose) = divided(&text);
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        Self { name, blocks, spans: prose.iter().flat_map(|paragraph| spans(paragraph)).collect(), text }
    }

    fn code_lines(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().flat_map(|block| block.lines())
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md"), root().join("sample-sync-dir/README.md")];
    let dirs = ["docs", "docs/fr"].map(|dir| fs::read_dir(root().join(dir)).unwrap());
    let docs = dirs.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

/// The blocks of code (fenced, or indented by four) without their indentation, and the paragraphs of prose.
fn divided(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut blocks, mut prose) = (vec![String::new()], vec![String::new()]);
    let (mut fenced, mut in_code, mut after_blank) = (false, false, true);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            blocks.push(String::new());
            continue;
        }
        let blank = line.trim().is_empty();
        in_code = fenced || (line.starts_with("    ") && (in_code || after_blank)) || (in_code && blank);
        if in_code {
            writeln!(blocks.last_mut().unwrap(), "{line}").unwrap();
        } else {
            if !blocks.last().unwrap().is_empty() {
                blocks.push(String::new());
            }
            if blank || line.starts_with('|') {
                prose.push(String::new());
            }
            writeln!(prose.last_mut().unwrap(), "{line}").unwrap();
        }
        after_blank = blank;
    }
    blocks.retain(|block| !block.trim().is_empty());
    (blocks.iter().map(|block| dedented(block)).collect(), prose)
}

fn dedented(block: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let least = block.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    block.lines().map(|line| line.get(least..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The code spans of a paragraph, each on one line.
fn spans(paragraph: &str) -> Vec<String> {
    let one_kind = paragraph.replace("``", "`");
    let inside = one_kind.split('`').skip(1).step_by(2);
    inside.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Panics with all problems.
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

// --- Commands -------------------------------------------------------------------------------------------------------

/// The words after `enrold` of each command in a line of code or a span.
fn commands_in(line: &str) -> Vec<Vec<String>> {
    let line = line.split("  #").next().unwrap_or_default();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    // A line of a crontab: five fields, the account, the command.
    let line = if line.starts_with(|first: char| first == '*' || first.is_ascii_digit()) {
        line.splitn(3, "  ").nth(2).unwrap_or(line)
    } else {
        line
    };
    let parts = line.split(" && ").flat_map(|part| part.split(" | ")).flat_map(|part| part.split(" || "));
    parts.filter_map(|part| words_of(part.trim())).collect()
}

fn words_of(command: &str) -> Option<Vec<String>> {
    let command = command.trim_start_matches("sudo ");
    let rest = ["enrold ", "enroldctl ", "/usr/bin/enrold ", "cargo run -q -- "]
        .iter()
        .find_map(|program| command.strip_prefix(program))?;
    let mut words: Vec<String> = Vec::new();
    for word in rest.split_whitespace() {
        if word.starts_with(['>', '<']) {
            break;
        }
        let word = word.trim_matches(['[', ']', '(', ')', '…', ',', ';']).trim_end_matches("…]");
        let word = word.split(['|', '…']).next().unwrap_or_default();
        let put_in = PLACEHOLDERS.iter().find(|(placeholder, _)| *placeholder == word).map(|(_, value)| *value);
        if !word.is_empty() {
            words.push(put_in.unwrap_or(word).to_owned());
        }
    }
    if words.first().is_some_and(|word| word == "-s") {
        words.drain(..2);
    }
    // `enrold 0.1.0 watches …` and `enrold has stopped` are lines of the log, `enroldctl COMMAND` means any command.
    let first = words.first()?;
    let none = first.starts_with(|c: char| c.is_ascii_digit()) || ["has", "COMMAND"].contains(&first.as_str());
    (!none).then_some(words)
}

/// Parses a command line with clap.
fn parsed(words: &[String]) -> Result<ArgMatches, clap::Error> {
    let line = std::iter::once("enrold").chain(words.iter().map(String::as_str));
    Cli::command().try_get_matches_from(line)
}

/// True if only the end of a command line is missing: prose may write `enrold import` for any file.
fn is_unfinished(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand)
}

/// Rules, tasks and sources that `sync` accepts: those of enrold, and those that an example configures.
fn known_to_sync(pages: &[Page]) -> BTreeSet<String> {
    let jobs = enrold::run::jobs::all().chain(["all", "RULE", "NAME", "database"]).map(str::to_owned);
    let lines = pages.iter().flat_map(Page::code_lines);
    let sources = lines.filter_map(|line| line.strip_prefix("[sources.")?.split([']', '.']).next().map(str::to_owned));
    jobs.chain(sources).collect()
}

#[test]
fn each_command_line_is_one_that_the_program_takes() {
    let pages = pages();
    let known = known_to_sync(&pages);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in &pages {
        let code = page.code_lines().flat_map(commands_in).map(|words| (words, false));
        let spans = page.spans.iter().flat_map(|span| commands_in(span)).map(|words| (words, true));
        for (words, in_prose) in code.chain(spans) {
            seen += 1;
            let line = words.join(" ");
            match parsed(&words) {
                Err(error) if in_prose && is_unfinished(&error) => {}
                Err(error) => wrong.push(format!("{}: enrold {line}: {error}", page.name)),
                Ok(matches) => {
                    let Some(("sync", sync)) = matches.subcommand() else { continue };
                    let jobs = sync.get_many::<String>("jobs").into_iter().flatten();
                    wrong.extend(
                        jobs.filter(|job| !known.contains(*job))
                            .map(|job| format!("{}: enrold {line}: there is no {job}", page.name)),
                    );
                }
            }
        }
    }
    none(&wrong);
    assert!(seen > 100, "only {seen} command lines were found");
}

/// A command without the name of the program (`import --simulate`, `mails retry`).
#[test]
fn each_command_that_is_named_alone_exists() {
    let cli = Cli::command();
    let takes = |span: &str| {
        let words = words_of(&format!("enrold {span}"));
        words.is_none_or(|words| parsed(&words).map_or_else(|error| is_unfinished(&error), |_| true))
    };
    let mut wrong = Vec::new();
    for page in pages() {
        for span in &page.spans {
            let mut words = span.split(' ');
            let Some(command) = words.next().and_then(|word| cli.find_subcommand(word)) else { continue };
            let next = words.next().unwrap_or_default();
            let names_one = next.starts_with("--") || command.find_subcommand(next).is_some();
            if names_one && !takes(span) {
                wrong.push(format!("{}: `{span}` is no command", page.name));
            }
        }
    }
    none(&wrong);
}

fn options(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?)));
    own.chain(command.get_subcommands().flat_map(options)).collect()
}

#[test]
fn each_option_exists() {
    let known = options(&Cli::command());
    let mut wrong = Vec::new();
    for page in pages() {
        for span in page.spans.iter().filter(|span| span.starts_with("--")) {
            let option = span.split([' ', '=']).next().unwrap_or_default();
            if option.len() > 2 && !known.contains(option) && !FOREIGN_OPTIONS.contains(&option) {
                wrong.push(format!("{}: there is no option {option}", page.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn each_exit_code_is_one_of_the_five() {
    let mut wrong = Vec::new();
    for page in pages() {
        let prose = page.text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        for before in ["exit code ", "exits with ", "exit with "] {
            for after in prose.split(before).skip(1) {
                let number: String = after.chars().take_while(char::is_ascii_digit).collect();
                if number.parse::<u32>().is_ok_and(|code| code > 4) {
                    wrong.push(format!("{}: {before}{number}", page.name));
                }
            }
        }
    }
    none(&wrong);
}

// --- Configuration --------------------------------------------------------------------------------------------------

/// The first parts of all keys: `guard`, `tasks`, `sources`.
fn sections() -> BTreeSet<String> {
    let loaded = config::load(&Sources::default()).unwrap();
    let first = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
    let with_dot = loaded.origins.iter().filter(|setting| setting.key.contains('.'));
    with_dot.map(|setting| first(&setting.key)).chain(["sources".to_owned()]).collect()
}

/// True if enrold has the key, or a section with this name.
fn is_key(key: &str) -> bool {
    let sources = Sources { sets: vec![(key.to_owned(), String::new())], ..Sources::default() };
    let unknown = |problem: &ConfigProblem| matches!(problem, ConfigProblem::UnknownKey { .. });
    config::load(&sources).err().is_none_or(|problems| !problems.0.iter().any(unknown))
}

/// The key in a span, with its placeholders filled in; `None` if the span does not look like a key.
fn key_in(span: &str, sections: &BTreeSet<String>) -> Option<String> {
    if let Some(name) = span.strip_prefix("ENROLD__") {
        let whole = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        return (whole && name != "SECTION__KEY").then(|| name.to_lowercase().replace("__", "."));
    }
    let name = span.split([' ', '=']).next().unwrap_or_default();
    let name = name.trim_end_matches(".*").trim_end_matches(".…");
    let formed = name.contains('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let is_file = [".md", ".rs", ".sql", ".csv", ".toml", ".service"].iter().any(|ending| name.ends_with(ending));
    if !formed || is_file || FIELDS_OF_THE_LOG.contains(&name) {
        return None;
    }
    let parts: Vec<&str> = name.split('.').collect();
    if !sections.contains(parts[0]) {
        return None;
    }
    let filled = parts.iter().map(|part| match (*part, parts[0]) {
        (part, _) if !part.chars().all(|c| c.is_ascii_uppercase()) => part,
        (_, "tasks") => "meta",
        (_, "expirations") => "manual",
        _ => "name",
    });
    Some(filled.collect::<Vec<_>>().join("."))
}

#[test]
fn each_key_of_the_configuration_exists() {
    let sections = sections();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for page in pages() {
        for key in page.spans.iter().filter_map(|span| key_in(span, &sections)) {
            if !is_key(&key) {
                wrong.push(format!("{}: there is no key {key}", page.name));
            }
            seen.insert(key);
        }
    }
    none(&wrong);
    assert!(seen.len() > 100, "only {} keys were found", seen.len());
}

/// Operators copy examples: each must be accepted unchanged.
#[test]
fn each_example_of_the_configuration_is_accepted() {
    let sections = sections();
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for block in &page.blocks {
            // A prompt is followed by a command and its output.
            let block = block.split("\n$ ").next().unwrap_or_default();
            let first = block.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
            let section = first.strip_prefix('[').and_then(|rest| rest.split([']', '.']).next());
            if !section.is_some_and(|name| sections.contains(name)) {
                continue;
            }
            seen += 1;
            for after in block.split("credential:").skip(1) {
                let name = after.split('"').next().unwrap_or_default();
                fs::write(dir.path().join(name), "sqlite:records.sqlite").unwrap();
            }
            let file = dir.path().join("example.toml");
            fs::write(&file, block).unwrap();
            let sources = Sources { files: vec![file], credentials: Some(dir.path().to_owned()), ..Sources::default() };
            if let Err(problems) = config::load(&sources) {
                wrong.push(format!("{}: {problems} in\n{block}", page.name));
            }
        }
    }
    none(&wrong);
    assert!(seen > 10, "only {seen} examples were found");
}

// --- Tables and metrics ---------------------------------------------------------------------------------------------

async fn tables() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.sqlite");
    fs::write(&file, "").unwrap();
    let url = format!("sqlite://{}", file.display());
    let database = Database::new(&url, "mdl_", Duration::from_secs(5), Duration::from_secs(5)).unwrap();
    let mut conn = database.connect().await.unwrap();
    enrold::db::migrate(&mut conn, 0).await.unwrap();
    let named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'enrold%'";
    let rows = conn.rows(named, &Params::new()).await.unwrap();
    conn.close().await;
    rows.iter().map(|row| row.text(0)).collect()
}

/// True for a metric of the daemon, with or without the suffix of its type.
fn is_metric(name: &str) -> bool {
    let source = fs::read_to_string(root().join("src/web/metrics.rs")).unwrap();
    let stem = name.trim_start_matches("enrold_");
    let endings = ["", "_total", "_info", "_seconds", "_seconds_bucket", "_seconds_count", "_seconds_sum"];
    let registered = |stem: &str| source.contains(&format!("(\"{stem}\""));
    endings.iter().filter_map(|ending| stem.strip_suffix(ending)).any(registered)
}

#[tokio::test]
async fn each_table_of_enrold_exists_and_they_are_counted() {
    let tables = tables().await;
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for page in pages() {
        for text in page.blocks.iter().chain(&page.spans) {
            let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            for word in words.filter(|word| word.starts_with("enrold_") && *word != "enrold_") {
                if tables.contains(word) {
                    named.insert(word.to_owned());
                } else if !is_metric(word) {
                    wrong.push(format!("{}: {word} is neither a table nor a metric", page.name));
                }
            }
        }
    }
    wrong.extend(tables.difference(&named).map(|table| format!("no document names {table}")));
    none(&wrong);
    let words = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"];
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let said = format!("own {} tables", words[tables.len() - 10]);
    assert!(readme.contains(&said), "the README should say: {said}");
}

/// Every code that a line, a file or a set can have is explained in a document.
#[test]
fn each_code_is_in_a_document() {
    let pages = pages();
    let named = |code: &str| pages.iter().any(|page| page.spans.iter().any(|span| span == code));
    let lacking: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !named(code)).collect();
    assert!(lacking.is_empty(), "no document explains {lacking:?}");
}

/// The table of kinds in the description of the JSON output equals the catalogue.
#[test]
fn each_kind_of_change_is_in_a_document() {
    let page = Page::read(&root().join("docs/operations.md"));
    let lacking: Vec<_> =
        kinds::ALL.iter().map(|kind| kind.name).filter(|name| !page.spans.iter().any(|span| span == name)).collect();
    assert!(lacking.is_empty(), "docs/operations.md lacks {lacking:?}");
}

// --- Links ----------------------------------------------------------------------------------------------------------

/// The anchors of a page: explicit ones, and those that GitHub generates from headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let set = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut anchors: BTreeSet<String> = set.map(str::to_owned).collect();
    let (_, prose) = divided(text);
    for heading in prose.iter().flat_map(|paragraph| paragraph.lines()).filter(|line| line.starts_with('#')) {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

#[test]
fn each_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages().into_iter().chain([Page::read(&root().join("CHANGELOG.md"))]) {
        let path = root().join(&page.name);
        for target in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let led = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            if !led.exists() {
                wrong.push(format!("{}: {target}: no such file", page.name));
            } else if !anchor.is_empty() && !anchors(&fs::read_to_string(&led).unwrap()).contains(anchor) {
                wrong.push(format!("{}: {target}: no such heading", page.name));
            }
        }
    }
    none(&wrong);
}

/// Tests that a page cites as its proof exist: `feeder::no_directory_is_emptied_through_a_link`.
#[test]
fn each_test_that_a_document_names_exists() {
    let mut wrong = Vec::new();
    for page in pages() {
        for span in &page.spans {
            let Some((module, test)) = span.split_once("::") else { continue };
            let formed = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            let file = root().join(format!("tests/it/{module}.rs"));
            if formed(module) && formed(test) && file.exists() {
                let text = fs::read_to_string(&file).unwrap();
                if !text.contains(&format!("fn {test}(")) && !text.contains(&format!("async fn {test}(")) {
                    wrong.push(format!("{}: there is no test {span}", page.name));
                }
            } else if formed(module) && formed(test) && page.name == "docs/security.md" {
                wrong.push(format!("{}: there is no tests/it/{module}.rs", page.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn no_document_is_left_out_of_the_index() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rules = fs::read_to_string(root().join("docs/rules.md")).unwrap();
    for page in pages().iter().filter(|page| page.name.starts_with("docs/")) {
        let file = page.name.trim_start_matches("docs/");
        let led = readme.contains(&format!("({})", page.name)) || rules.contains(&format!("({file})"));
        assert!(led, "neither the README nor docs/rules.md leads to {}", page.name);
    }
}

// --- Moodle's menu --------------------------------------------------------------------------------------------------

/// The examples of files in the documents, with the number of their block in the page and the profile that takes them:
/// dropped under a name that says nothing, each is told to be of its kind.
#[test]
fn each_example_of_a_file_is_known_when_it_is_dropped() {
    use enrold::config::{FileKind, Profile, Settings};
    use enrold::inbox::{Told, of_dropped};
    let examples = [
        ("docs/enrolment-files.md", "cmd;rolename;", FileKind::Enrolments),
        ("docs/methods.md", "operation;method;", FileKind::Methods),
        ("docs/methods.md", "cmd;cohort;course;", FileKind::Methods),
        ("docs/methods.md", "shortname,enrolment_1,", FileKind::CourseMethods),
        ("docs/groups.md", "groupname,coursename,", FileKind::Groups),
        ("docs/groups.md", "courseid,name,type,", FileKind::Groups),
        ("docs/groups.md", "cmd,courseid,groupid,", FileKind::GroupMembers),
    ];
    let dir = std::env::temp_dir().join(format!("enrold-examples-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    for (page, header, kind) in examples {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let (blocks, _) = divided(&text);
        let block = blocks.iter().find_map(|block| {
            let whole: Vec<&str> = block.lines().skip_while(|line| !line.starts_with(header)).collect();
            let example: Vec<&str> = whole.into_iter().take_while(|line| !line.trim().is_empty()).collect();
            (example.len() > 1).then(|| example.join("\n"))
        });
        let block = block.unwrap_or_else(|| panic!("{page} has no example {header}"));
        let path = dir.join("x.csv");
        fs::write(&path, block + "\n").unwrap();
        let file = enrold::disk::Dir::open_named(&path).unwrap();
        // All other kinds are taken as well.
        let mut settings = Settings::default();
        for word in FileKind::WORDS.iter().filter(|word| **word != "flatfile") {
            let profile = Profile::of(FileKind::from_word(word).unwrap());
            settings.profiles.insert((*word).to_owned(), profile);
        }
        match of_dropped(&settings, "x.csv", &file).unwrap() {
            Told::Profiled(told) => assert_eq!(told.kind, kind, "{page} {header}"),
            other => panic!("{page} {header}: {other:?}"),
        }
    }
    fs::remove_dir_all(&dir).unwrap();
}

fn sources_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Menu paths in documents and in messages of the program exist in Moodle under these names.
#[test]
fn menu_paths_are_those_of_moodle() {
    let mut paths: Vec<PathBuf> = pages().iter().map(|page| root().join(&page.name)).collect();
    sources_below(&root().join("src"), &mut paths);
    paths.push(root().join("config/enrold.toml"));
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in paths {
        // A text of the program continues after a backslash.
        let text = fs::read_to_string(&path).unwrap().replace("\\\n", "\n");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (start, known) in [("Site administration > ", &MENU[..]), ("Administration du site > ", &MENU_FR[..])] {
            for rest in text.split(start).skip(1) {
                seen += 1;
                if !known.iter().any(|page| rest.starts_with(page)) {
                    let shown: String = rest.chars().take(60).collect();
                    wrong.push(format!("{}: {start}{shown}", path.display()));
                }
            }
        }
    }
    none(&wrong);
    assert!(seen > 20, "only {seen} menu paths were found");
}

/// The argument of a call, from behind its opening parenthesis: up to the closing one outside a literal.
fn argument(text: &str) -> &str {
    let (mut depth, mut quoted) = (1, false);
    let end = text.find(|c| {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &text[..end.unwrap()]
}

/// Whether a status could be made from a literal of the program, in which braces stand for any text.
fn is_of(status: &str, literal: &str) -> bool {
    let mut parts = literal.split('{').map(|part| part.split_once('}').map_or(part, |(_, after)| after));
    let Some(mut rest) = status.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], part);
    }
    rest.is_empty() || (last.is_empty() && literal.ends_with('}'))
}

/// Each text that the daemon shows in the line `Status` is in the table of one page, and nothing else is.
#[test]
fn each_status_of_the_daemon_is_in_the_table() {
    let mut paths = Vec::new();
    sources_below(&root().join("src/daemon"), &mut paths);
    let mut literals = BTreeSet::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for call in [".working(", ".idle(", ".set_awaits(", "awaits: Mutex::new("] {
            for after in text.split(call).skip(1) {
                let said = argument(after);
                literals.extend(said.split('"').skip(1).step_by(2).map(str::to_owned));
                let is_passed_on = ["", "what", "&self.shared.awaits()"].contains(&said);
                assert!(said.contains('"') || is_passed_on, "{}: {call}{said}) has no text", path.display());
            }
        }
    }
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, table) = page.split_once("\n| status | |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let told: Vec<&str> = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    let untold = literals.iter().filter(|literal| !told.iter().any(|status| is_of(status, literal)));
    let mut wrong: Vec<String> = untold.map(|literal| format!("{literal} is not in docs/operations.md")).collect();
    let unsaid = told.iter().filter(|status| !literals.iter().any(|literal| is_of(status, literal)));
    wrong.extend(unsaid.map(|status| format!("{status} is no status of the daemon")));
    none(&wrong);
    assert!(literals.len() > 8, "{literals:?}");
}
