//! `enrold import FILE`: preview and question on a terminal, then the run and its report.
//! It must not read the file itself.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use crate::cli::{Exit, Setting, operator, output};
use crate::config::{CourseKey, UserKey};
use crate::files::Kind;
use crate::front::{Given, Misuse};
use crate::outcome::State;
use crate::report::words::pick;

/// The arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file to apply; with --source also several that are one set, or its manifest
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The files are a full set of this source
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "user_key", "course_key"])]
    source: Option<String>,
    /// Walk the whole way and roll back: nothing is changed
    #[arg(long)]
    simulate: bool,
    /// Do not ask on a terminal
    #[arg(long)]
    yes: bool,
    /// header or native; by default the first line tells
    #[arg(
        long,
        value_name = "KIND",
        value_parser = |text: &str| text.parse::<Kind>().map_err(|_| "use header or native")
    )]
    kind: Option<Kind>,
    /// What the user column holds: username, idnumber, email, id
    #[arg(
        long,
        value_name = "K",
        value_parser = |text: &str| UserKey::from_word(text).ok_or("use username, idnumber, email or id")
    )]
    user_key: Option<UserKey>,
    /// What the course column holds: shortname, idnumber, id
    #[arg(
        long,
        value_name = "K",
        value_parser = |text: &str| CourseKey::from_word(text).ok_or("use shortname, idnumber or id")
    )]
    course_key: Option<CourseKey>,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<Exit> {
    let (front, who) = (setting.front()?, operator());
    let Options { files, source, simulate, yes, kind, user_key, course_key } = options;
    let given = match (source, files.as_slice()) {
        (Some(source), _) => Given::Set { source, files },
        (None, [file]) => Given::File { path: file.clone(), kind, user_key, course_key },
        (None, _) => {
            return Err(Misuse("name one file; only a set of a source has several (--source NAME)".to_owned()).into());
        }
    };
    if !yes && !simulate && !setting.json && std::io::stdin().is_terminal() {
        let preview = front.import(&who, &given, true).await?;
        output::report(&preview, setting.locale());
        if preview.state != State::Simulated {
            return Ok(Exit::of_report(&preview));
        }
        if !confirmed(setting)? {
            return Ok(Exit::Failed);
        }
    }
    let report = front.import(&who, &given, simulate).await?;
    setting.show(&report);
    front.send_after().await;
    Ok(Exit::of_report(&report))
}

pub(super) fn confirmed(setting: &Setting) -> anyhow::Result<bool> {
    let question = pick(setting.locale(), "Apply this? [y/N] ", "Appliquer ? [o/N] ");
    print!("{question}");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "o" | "oui"))
}
