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
    // A line of a set is no order that could be given again: the next set says all.
    let text = if claimed.is_set { None } else { Some(Text::open(claimed, run, settings)?) };
    let lines = if claimed.is_set { Vec::new() } else { problems.lines().await? };
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

    /// `line,code,message,raw`: a record per problem, in UTF-8; of a set `file,line,code,message`, for its rows stand in
    /// several files and are no orders.
    async fn errors(
        &self,
        text: Option<&Text>,
        problems: &mut Problems,
        lines: &[u64],
        locale: Locale,
    ) -> Result<(), EndingError> {
        let raw = text.map(|text| text.raw(lines.iter().copied())).transpose()?;
        let mut raw = raw.map(Iterator::peekable);
        let mut draft = self.draft(".errors.csv")?;
        let claimed = self.claimed.path.display().to_string();
        let header: &[u8] = if raw.is_some() { b"line,code,message,raw\n" } else { b"file,line,code,message\n" };
        draft.write_all(header).map_err(|error| draft.cannot(error))?;
        let mut page = problems.after(None).await?;
        while let Some((last, _)) = page.last() {
            let last = *last;
            let mut out = csv::Writer::from_writer(&mut draft);
            let mut written = Ok(());
            for (_, problem) in &page {
                let number = problem.line.to_string();
                let code = problem.code.as_str();
                let record = match &mut raw {
                    None => {
                        // The line has a column of its own.
                        let message = Problem { file: String::new(), line: 0, ..problem.clone() }.text(locale);
                        out.write_record([&problem.file, &number, code, &message])
                    }
                    Some(raw) => {
                        let same = raw.next_if(|line| line.as_ref().map_or(true, |line| line.line == problem.line));
                        let line = same.transpose().map_err(|error| RunError::from_file(error, &claimed))?;
                        let line = line.map(|line| line.text).unwrap_or_default();
                        out.write_record([&number, code, &problem.text(locale), &line])
                    }
                };
                written = written.and(record);
            }
            let flushed = written.map_err(std::io::Error::from).and_then(|()| out.flush());
            drop(out);
            flushed.map_err(|error| draft.cannot(error))?;
            page = problems.after(Some(last)).await?;
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

    /// The next problems after a key, each with its own; from the first without one.
    async fn after(&mut self, key: Option<i64>) -> Result<Vec<(i64, Problem)>, EndingError> {
        match self {
            Self::Kept(problems) => {
                let all = (0i64..).zip(problems.iter());
                let rest = all.skip_while(|(at, _)| key.is_some_and(|key| *at <= key));
                Ok(rest.take(PAGE).map(|(at, problem)| (at, problem.clone())).collect())
            }
            Self::Paged { conn, run } => Ok(problems_after(conn, *run, key.unwrap_or(i64::MIN), PAGE as i64).await?),
        }
    }

    /// The lines of all problems that have one, ascending.
    async fn lines(&mut self) -> Result<Vec<u64>, EndingError> {
        let (mut lines, mut key) = (Vec::new(), None);
        loop {
            let page = self.after(key).await?;
            let Some((last, _)) = page.last() else { return Ok(lines) };
            key = Some(*last);
            lines.extend(page.iter().map(|(_, problem)| problem.line).filter(|line| *line > 0));
        }
    }
}
