//! `enrold import FILE`: preview and question on a terminal, then the run and its report.
//! It must not read the file itself.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use crate::cli::{Exit, Setting, key_value, operator, output};
use crate::config::{CourseKey, UserKey};
use crate::front::check::Check;
use crate::front::{Given, GivenFile, Misuse, Said, SaidKind};
use crate::outcome::State;
use crate::report::words::pick;

/// How many rows a preview shows.
const FIRST: usize = 5;

/// The arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file to apply; with --source also several that are one set, or its manifest
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The files are a full set of this source
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "user_key", "course_key", "profile", "option"])]
    source: Option<String>,
    /// Walk the whole way and roll back: nothing is changed
    #[arg(long)]
    simulate: bool,
    /// Do not ask on a terminal
    #[arg(long)]
    yes: bool,
    /// header or native (flat files), or a kind with options; by default name and first line tell
    #[arg(long, value_name = "KIND", value_parser = said_kind, long_help = kinds())]
    kind: Option<SaidKind>,
    /// A file of any kind but a flat file has the options of this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// An option of such a file, in place of its profile's; several are allowed
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    option: Vec<(String, String)>,
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
    #[command(flatten)]
    chosen: Chosen,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<Exit> {
    let (front, who) = (setting.front()?, operator());
    let Options { files, source, simulate, yes, kind, profile, mut option, user_key, course_key, chosen } = options;
    option.extend(chosen.options());
    let given = match (source, files.as_slice()) {
        (Some(source), _) => Given::Set { source, files },
        (None, [file]) => {
            let said = Said { kind, profile, options: option, user_key, course_key };
            Given::File(GivenFile::of(&setting.settings, file.clone(), said)?)
        }
        (None, _) => {
            return Err(Misuse("name one file; only a set of a source has several (--source NAME)".to_owned()).into());
        }
    };
    if !yes && !simulate && !setting.json && std::io::stdin().is_terminal() {
        if let Given::File(file) = &given {
            preview(setting, file)?;
        }
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

/// Shows the kind of a file and its first rows as they are understood. What cannot be read is told by the simulation.
fn preview(setting: &Setting, file: &GivenFile) -> anyhow::Result<()> {
    let Ok(Ok(check)) = Check::of(&operator(), &setting.settings, file.clone()) else { return Ok(()) };
    let Ok(first) = check.first(FIRST) else { return Ok(()) };
    let locale = setting.locale();
    let kind = pick(locale, "kind", "forme");
    output::line(&format!("{}, {kind} {}", file.path.display(), check.kind));
    for (line, said) in first {
        output::line(&format!("  {} {line}: {said}", pick(locale, "line", "ligne")));
    }
    Ok(())
}

/// What `--help` says of `--kind`.
pub(super) fn kinds() -> String {
    let words = SaidKind::words();
    format!("{words}; header and native are the forms of flat files. By default name and first line tell")
}

/// The options of kinds that have an argument of their own, as a profile has them.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Chosen {
    /// The course of the file, by its key
    #[arg(long, value_name = "COURSE", conflicts_with = "source")]
    course: Option<String>,
    /// Short name of the role that people get; none: nobody is enrolled
    #[arg(long, value_name = "ROLE", conflicts_with = "source")]
    role: Option<String>,
    /// The groups that people join: file (those that it names), none, or the name of one that exists
    #[arg(long, value_name = "GROUPS", conflicts_with = "source")]
    groups: Option<String>,
    /// Make the groups that the course lacks
    #[arg(long, conflicts_with = "source")]
    create_groups: bool,
}

impl Chosen {
    /// As options of the file.
    fn options(self) -> Vec<(String, String)> {
        let create = self.create_groups.then(|| "yes".to_owned());
        let all = [("course", self.course), ("role", self.role), ("groups", self.groups), ("create_groups", create)];
        all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// A kind of file, by its word.
pub(super) fn said_kind(word: &str) -> Result<SaidKind, String> {
    SaidKind::from_word(word).ok_or_else(|| format!("use {}", SaidKind::words()))
}

pub(super) fn confirmed(setting: &Setting) -> anyhow::Result<bool> {
    let question = pick(setting.locale(), "Apply this? [y/N] ", "Appliquer ? [o/N] ");
    print!("{question}");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "o" | "oui"))
}
