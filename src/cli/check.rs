//! `enrold check FILE`: the form of a file and every line that cannot be read, without a database.
//! It must not report a line as right: only the site has its accounts, courses and roles.

use std::path::PathBuf;

use crate::cli::{Exit, Setting, operator, output};
use crate::files::Kind;
use crate::front::check::Check;
use crate::problem::Problem;
use crate::report::words::pick;

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file to look through
    file: PathBuf,
    /// header or native; by default the first line tells
    #[arg(
        long,
        value_name = "KIND",
        value_parser = |text: &str| text.parse::<Kind>().map_err(|_| "use header or native")
    )]
    kind: Option<Kind>,
}

#[derive(serde::Serialize)]
struct Checked {
    file: String,
    kind: String,
    encoding: String,
    byte_order_mark: bool,
    delimiter: String,
    header: Vec<String>,
    lines: u64,
    records: u64,
    blank: u64,
    failed: u64,
    problems: Vec<Announced>,
}

#[derive(serde::Serialize)]
struct Announced {
    #[serde(flatten)]
    problem: Problem,
    message: String,
}

pub(super) fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let check = match Check::of(&operator(), &setting.settings, &options.file, options.kind)? {
        Ok(check) => check,
        Err(problem) => return Ok(rejected(setting, options, problem)),
    };
    let scan = &check.scan;
    let mut checked = Checked {
        file: options.file.display().to_string(),
        kind: scan.kind.to_string(),
        encoding: scan.encoding.to_string(),
        byte_order_mark: scan.bom,
        delimiter: scan.delimiter.map(|delimiter| delimiter.to_string()).unwrap_or_default(),
        header: scan.header.clone(),
        lines: scan.lines,
        records: 0,
        blank: 0,
        failed: 0,
        problems: Vec::new(),
    };
    if !setting.json {
        describe(setting, &checked);
    }
    let counts = check.problems(|problem| {
        let message = problem.text(setting.locale());
        if setting.json {
            checked.problems.push(Announced { problem, message });
        } else {
            output::problem(problem.code.as_str(), &message);
        }
    })?;
    (checked.records, checked.blank, checked.failed) = (counts.records, counts.blank, counts.failed);
    if setting.json {
        output::json(&checked);
    } else {
        let words = pick(setting.locale(), "lines, of which cannot be read:", "lignes, dont illisibles :");
        output::line(&format!("{} {words} {}", checked.records, checked.failed));
    }
    Ok(if counts.failed > 0 || counts.records == 0 { Exit::RowErrors } else { Exit::Done })
}

fn describe(setting: &Setting, checked: &Checked) {
    let locale = setting.locale();
    output::line(&checked.file);
    let fact = |english: &str, french: &str, value: &str| {
        output::line(&format!("  {:<18} {value}", pick(locale, english, french)));
    };
    fact("kind", "forme", &checked.kind);
    fact("encoding", "encodage", &checked.encoding);
    let each = pick(locale, "decided line by line", "décidé ligne par ligne");
    fact("delimiter", "séparateur", if checked.delimiter.is_empty() { &each } else { &checked.delimiter });
    if !checked.header.is_empty() {
        fact("header", "en-tête", &checked.header.join(" | "));
    }
}

fn rejected(setting: &Setting, options: &Options, problem: Problem) -> Exit {
    let message = problem.text(setting.locale());
    if setting.json {
        let file = options.file.display().to_string();
        output::json(&serde_json::json!({ "file": file, "rejected": Announced { problem, message } }));
    } else {
        output::line(&options.file.display().to_string());
        output::problem(problem.code.as_str(), &message);
    }
    Exit::Failed
}
