//! What lies beside a file after its run: the report, the list of errors, and the failed lines to try again.
//! It must not rename the file itself.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::draft::Draft;
use super::{Claimed, EndingError, InboxError, names, read_regular};
use crate::config::{Locale, Settings};
use crate::db::{Conn, Database};
use crate::fault;
use crate::files::{self, FileProblem, Kind, RawLines, Reading, Scan};
use crate::report::{self, Problem};
use crate::run::hold::Shelf;
use crate::run::{Report, RunError, State, problems_after};

/// The largest report that is read to see whose it is: it holds at most a few hundred problems.
const REPORT: u64 = 16 << 20;
/// Problems held in memory at a time.
const PAGE: usize = 10_000;

/// Writes the report of a run beside its file and, when lines failed, the list of errors and the retry file. Written
/// again after a crash, they take the place of the first ones. Gives what stands between the file's name and each ending,
/// which was free behind `word` too: names that belong together look so.
///
/// # Errors
/// The directory's or the database's; then all is written at the next try.
pub(super) async fn write(
    database: &Database,
    settings: &Settings,
    claimed: &Claimed,
    run: &Report,
    stamp: &str,
    word: Option<&str>,
) -> Result<String, EndingError> {
    let beside = Beside::choose(claimed, stamp, word);
    beside.report(run, settings)?;
    fault::step("report-written");
    if run.errors == 0 || run.state == State::Failed {
        beside.without_lists()?;
        return Ok(beside.between);
    }
    let mut problems = Problems::of(database, settings, run).await?;
    let lines = problems.lines().await?;
    // A line of a set is no order that could be given again: the next set says all.
    let text = if claimed.is_set { None } else { Some(Text::open(claimed, run, settings)?) };
    beside.errors(text.as_ref(), &mut problems, &lines, settings.locale).await?;
    fault::step("errors-written");
    if let Some(text) = &text {
        beside.retry(text, lines)?;
    }
    fault::step("retry-written");
    Ok(beside.between)
}

/// Where the lists of one drop go: its name, with what stands between it and their endings.
struct Beside<'a> {
    claimed: &'a Claimed,
    between: String,
}

impl<'a> Beside<'a> {
    /// The first names under which nothing of another drop lies; those of an earlier try for the same drop are its own.
    fn choose(claimed: &'a Claimed, stamp: &str, word: Option<&str>) -> Self {
        let mut beside = Self { claimed, between: String::new() };
        let mut number = 1;
        while !beside.is_free_or_own(word) {
            beside.between = if number == 1 { format!(".{stamp}") } else { format!(".{stamp}-{number}") };
            number += 1;
        }
        beside
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.claimed.dir.join(names::fitted(&self.claimed.name, &format!("{}{ending}", self.between)))
    }

    fn is_free_or_own(&self, word: Option<&str>) -> bool {
        if let Some(bytes) = read_regular(&self.path(".report.json"), REPORT) {
            let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            return document["drop"]["token"] == self.claimed.token.as_str();
        }
        let free = |path: PathBuf| path.symlink_metadata().is_err();
        let named = word
            .map(|word| self.claimed.dir.join(names::fitted(&self.claimed.name, &format!("{word}{}", self.between))));
        named.is_none_or(free)
            && [".report.json", ".errors.csv", ".retry.csv"].iter().all(|ending| free(self.path(ending)))
    }

    fn draft(&self, ending: &str) -> Result<Draft, EndingError> {
        Ok(Draft::begin(self.path(ending), &self.claimed.token)?)
    }

    fn report(&self, run: &Report, settings: &Settings) -> Result<(), EndingError> {
        let mut document = report::document(run, settings.locale);
        document["drop"] =
            serde_json::json!({ "name": self.claimed.name.to_string_lossy(), "token": self.claimed.token });
        let mut draft = self.draft(".report.json")?;
        writeln!(draft, "{document:#}").map_err(|error| draft.cannot(error))?;
        Ok(draft.finish()?)
    }

    /// No line failed: the lists of the same drop, when it was held with failed lines, say nothing any more.
    fn without_lists(&self) -> Result<(), EndingError> {
        for path in [".errors.csv", ".retry.csv"].map(|ending| self.path(ending)) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(InboxError::new("cannot remove", &path, error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// `line,code,message,raw`: a record per problem, in UTF-8.
    async fn errors(
        &self,
        text: Option<&Text>,
        problems: &mut Problems,
        lines: &[u64],
        locale: Locale,
    ) -> Result<(), EndingError> {
        let raw = text.map(|text| text.raw(lines.iter().copied())).transpose()?;
        let mut raw = raw.into_iter().flatten().peekable();
        let mut draft = self.draft(".errors.csv")?;
        let claimed = self.claimed.path.display().to_string();
        draft.write_all(b"line,code,message,raw\n").map_err(|error| draft.cannot(error))?;
        let mut page = problems.after(-1).await?;
        while let Some(last) = page.last().map(|problem| problem.line as i64) {
            let mut out = csv::Writer::from_writer(&mut draft);
            let mut written = Ok(());
            for problem in &page {
                let same = raw.next_if(|line| line.as_ref().map_or(true, |line| line.line == problem.line));
                let line =
                    same.transpose().map_err(|error| RunError::from_file(error, &claimed))?.map(|line| line.text);
                let number = problem.line.to_string();
                let message = problem.text(locale);
                let record = [&number, problem.code.as_str(), &message, line.as_deref().unwrap_or_default()];
                written = written.and_then(|()| out.write_record(record));
            }
            let flushed = written.map_err(std::io::Error::from).and_then(|()| out.flush());
            drop(out);
            flushed.map_err(|error| draft.cannot(error))?;
            page = problems.after(last).await?;
        }
        Ok(draft.finish()?)
    }

    /// The header, if there is one, and the failed lines as they were written: becomes input when it is renamed. A line
    /// that is too long to be read is left out; it stands in the file itself.
    fn retry(&self, text: &Text, lines: Vec<u64>) -> Result<(), EndingError> {
        let header = Some(text.scan.header_line).filter(|line| *line > 0);
        let mut draft = self.draft(".retry.csv")?;
        for line in text.raw(header.into_iter().chain(lines))? {
            let line = line.map_err(|error| text.refused(error))?;
            if !line.cut {
                writeln!(draft, "{}", line.text).map_err(|error| draft.cannot(error))?;
            }
        }
        Ok(draft.finish()?)
    }
}

/// The file itself, to copy its lines as they were written.
struct Text {
    file: File,
    scan: Scan,
    path: String,
}

impl Text {
    fn open(claimed: &Claimed, run: &Report, settings: &Settings) -> Result<Self, EndingError> {
        let path = claimed.path.display().to_string();
        let mut file =
            File::open(&claimed.path).map_err(|error| InboxError::new("cannot read again", &claimed.path, error))?;
        let kind = run.read_as.as_ref().and_then(|read| read.kind.parse::<Kind>().ok());
        // Only times need a zone, and none is read here.
        let reading = Reading { kind, fallback: settings.flatfile.encoding_fallback, zone: chrono_tz::UTC };
        match files::scan(&mut file, &reading) {
            Ok(scan) => Ok(Self { file, scan, path }),
            Err(problem) => Err(RunError::from_file(problem, &path).into()),
        }
    }

    fn raw<L>(&self, lines: L) -> Result<RawLines<&File, L::IntoIter>, EndingError>
    where
        L: IntoIterator<Item = u64>,
    {
        files::raw_lines(&self.file, &self.scan, lines).map_err(|problem| self.refused(problem))
    }

    fn refused(&self, problem: FileProblem) -> EndingError {
        RunError::from_file(problem, &self.path).into()
    }
}

/// The problems of a run: those that the report holds, those of a held run in the state directory, or page by page from
/// the database.
enum Problems {
    Kept(Vec<Problem>),
    Paged { conn: Conn, run: i64 },
}

impl Problems {
    async fn of(database: &Database, settings: &Settings, run: &Report) -> Result<Self, EndingError> {
        if run.errors == run.problems.len() as u64 {
            return Ok(Self::Kept(run.problems.clone()));
        }
        if matches!(run.state, State::Held | State::Rejected) {
            return Ok(Self::Kept(Shelf::of(&settings.state.path, run.run).problems()?));
        }
        let conn = database.connect().await.map_err(RunError::from)?;
        Ok(Self::Paged { conn, run: run.run })
    }

    /// The next problems after a line.
    async fn after(&mut self, line: i64) -> Result<Vec<Problem>, EndingError> {
        match self {
            Self::Kept(problems) => {
                let from = problems.partition_point(|problem| problem.line as i64 <= line);
                Ok(problems[from..].iter().take(PAGE).cloned().collect())
            }
            Self::Paged { conn, run } => Ok(problems_after(conn, *run, line, PAGE as i64).await?),
        }
    }

    /// The lines of all problems, ascending.
    async fn lines(&mut self) -> Result<Vec<u64>, EndingError> {
        let mut lines: Vec<u64> = Vec::new();
        loop {
            let page = self.after(lines.last().map_or(-1, |line| *line as i64)).await?;
            if page.is_empty() {
                return Ok(lines);
            }
            lines.extend(page.iter().map(|problem| problem.line));
        }
    }
}
