//! `enrold check FILE`: the kind of a file and every line that cannot be read, without a database.
//! It must not report a line as right: only the site has its accounts, courses and roles.

use std::path::PathBuf;

use crate::cli::import::{kinds, said_kind};
use crate::cli::{Exit, Setting, key_value, operator, output};
use crate::files::FileProblem;
use crate::front::check::Check;
use crate::front::{GivenFile, Said, SaidKind};
use crate::problem::Problem;
use crate::report::words::pick;

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file to look through
    file: PathBuf,
    /// header or native (flat files), or a kind with options; by default name and first line tell
    #[arg(long, value_name = "KIND", value_parser = said_kind, long_help = kinds())]
    kind: Option<SaidKind>,
    /// A file of any kind but a flat file has the options of this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// An option of such a file, in place of its profile's; several are allowed
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    option: Vec<(String, String)>,
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
    let (profile, given) = (options.profile.clone(), options.option.clone());
    let said = Said { kind: options.kind, profile, options: given, ..Said::default() };
    let given = GivenFile::of(&setting.settings, options.file.clone(), said)?;
    let check = match Check::of(&operator(), &setting.settings, given)? {
        Ok(check) => check,
        Err(problem) => return Ok(rejected(setting, options, problem)),
    };
    let scan = &check.scan;
    let mut checked = Checked {
        file: options.file.display().to_string(),
        kind: check.kind.to_owned(),
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
    let counts = check.problems(&mut |problem: Problem| {
        let message = problem.text(setting.locale());
        if setting.json {
            checked.problems.push(Announced { problem, message });
        } else {
            output::problem(problem.code.as_str(), &message);
        }
    });
    let counts = match counts {
        Err(FileProblem::Rejected(problem)) => return Ok(rejected(setting, options, problem)),
        counts => counts?,
    };
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
