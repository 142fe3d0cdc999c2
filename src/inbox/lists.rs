//! Writes the files beside a file after its run: the report, the list of errors, and the failed lines to try again.
//! It must not rename the file itself.

use std::ffi::OsString;
use std::io::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::draft::Draft;
use super::{Claimed, FileOutcomeError, InboxError, masked, names, read_sha256};
use crate::config::{FileKind, Locale, Settings};
use crate::db::{Conn, Database, DbError};
use crate::disk::{Pass, RegularFile, blocking};
use crate::fault;
use crate::files::{self, FileProblem, Kind, Masking, RawLine, RawLines, Reading, Scan};
use crate::outcome::{Note, Report, RunError, State};
use crate::problem::{self, Code, Problem};
use crate::report::{self, inert, words};
use crate::run::hold::HeldStore;

/// The largest report, in bytes, that is read to identify its drop: it holds at most a few hundred problems.
const REPORT: u64 = 16 << 20;
/// Problems held in memory at a time.
const PAGE: usize = 10_000;
/// The problems that every line of a file gets which is not a flat file.
const OTHER_FORM: [Code; 4] = [Code::BadVerb, Code::RowRagged, Code::RowTooLong, Code::EncodingInvalid];

/// Writes the report of a run beside its file and, when lines failed, the list of errors and the retry file. After a
/// crash they are written again over the first ones. Returns the text between the file's name and each ending, which is
/// free behind `word` too, so that names that belong together look alike.
///
/// # Errors
/// The directory's or the database's error; the next attempt writes everything again.
pub(super) async fn write(
    database: &Database,
    settings: &Settings,
    claimed: &Claimed,
    run: &Report,
    stamp: &str,
    word: Option<&str>,
) -> Result<String, FileOutcomeError> {
    let beside = Beside::choose(claimed, stamp, word);
    let locale = run.locale.unwrap_or(settings.locale);
    beside.report(run, locale)?;
    fault::step("report-written");
    if run.errors == 0 || run.state == State::Failed {
        beside.without(&[".errors.csv", ".retry.csv"])?;
        return Ok(beside.between);
    }
    let mut problems = Problems::of(database, settings, run).await?;
    // A set gets no retry file: its lines cannot be applied alone, and the next set contains them again.
    let text = if claimed.is_set { None } else { blocking(|| Text::open(claimed, run, settings))? };
    let (lines, failed, understood) =
        if claimed.is_set { (Vec::new(), Vec::new(), false) } else { problems.lines().await? };
    // If no line was understood, the file may be anything, so the lists must not show its content.
    let text = text.filter(|_| understood || run.errors < run.lines.records);
    let unkept: u64 = run.unkept.values().sum();
    let cut = (unkept > 0).then(|| Note::ProblemsUnkept { kept: run.errors - unkept.min(run.errors), of: run.errors });
    let cut = cut.map(|note| words::note(&note, locale));
    beside.errors(text.as_ref(), &mut problems, (&lines, cut), locale).await?;
    fault::step("errors-written");
    match &text {
        Some(text) if !failed.is_empty() && text.head().is_some() => blocking(|| beside.retry(text, failed))?,
        _ => beside.without(&[".retry.csv"])?,
    }
    fault::step("retry-written");
    Ok(beside.between)
}

/// The names of the lists of one drop: its name, and the text between it and their endings.
struct Beside<'a> {
    claimed: &'a Claimed,
    between: String,
}

impl<'a> Beside<'a> {
    /// Chooses the first names that no other drop uses; those of an earlier attempt for the same drop are used again.
    fn choose(claimed: &'a Claimed, stamp: &str, word: Option<&str>) -> Self {
        let mut beside = Self { claimed, between: String::new() };
        let mut number = 1;
        while !beside.is_free_or_own(word) {
            beside.between = if number == 1 { format!(".{stamp}") } else { format!(".{stamp}-{number}") };
            number += 1;
        }
        beside
    }

    fn name(&self, ending: &str) -> OsString {
        names::fitted(&self.claimed.name, &format!("{}{ending}", self.between))
    }

    fn is_free_or_own(&self, word: Option<&str>) -> bool {
        let dir = &self.claimed.dir;
        if let Ok(bytes) = dir.open_file(&self.name(".report.json")).and_then(|file| file.beginning(REPORT)) {
            let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            return document["drop"]["mark"] == self.mark();
        }
        let named = word.map(|word| names::fitted(&self.claimed.name, &format!("{word}{}", self.between)));
        named.is_none_or(|name| !dir.has(&name))
            && [".report.json", ".errors.csv", ".retry.csv"].iter().all(|ending| !dir.has(&self.name(ending)))
    }

    /// Identifies this drop's report without showing its token; another file under that token is another drop.
    fn mark(&self) -> String {
        let claim = self.claimed.claim();
        let of = format!("report {} {} {}", self.claimed.token, claim.device, claim.inode);
        format!("{:x}", Sha256::digest(of))[..16].to_owned()
    }

    fn draft(&self, ending: &str) -> Result<Draft, FileOutcomeError> {
        Ok(Draft::begin(&self.claimed.dir, &self.name(ending), &self.claimed.token)?)
    }

    fn report(&self, run: &Report, locale: Locale) -> Result<(), FileOutcomeError> {
        let mut document = report::document(run, locale);
        // Feeders read this file: it names no user who is not in theirs.
        if let Some(report) = document.as_object_mut() {
            report.remove("people");
        }
        document["drop"] = serde_json::json!({ "name": self.claimed.name.to_string_lossy(), "mark": self.mark() });
        let mut draft = self.draft(".report.json")?;
        writeln!(draft, "{document:#}").map_err(|error| draft.cannot(error))?;
        Ok(draft.finish()?)
    }

    /// Removes lists that no longer apply: those of the same drop when it was held with failed lines.
    fn without(&self, endings: &[&str]) -> Result<(), FileOutcomeError> {
        for name in endings.iter().map(|ending| self.name(ending)) {
            match self.claimed.dir.remove(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(InboxError::new("cannot remove", &self.claimed.dir.join(&name), error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes `line,code,message,raw`, a record per problem, in UTF-8; for a set `file,line,code,message`, as its rows
    /// are in several files and cannot be retried. If not all problems are kept, a last record says so. The list is
    /// read mostly in a spreadsheet, so no cell of it is a formula there.
    async fn errors(
        &self,
        text: Option<&Text>,
        problems: &mut Problems,
        (lines, cut): (&[u64], Option<String>),
        locale: Locale,
    ) -> Result<(), FileOutcomeError> {
        let mut raw = text.map(|text| text.raw(lines.iter().copied())).transpose()?;
        let mut ahead: Option<RawLine> = None;
        let mut draft = self.draft(".errors.csv")?;
        let claimed = self.claimed.path().display().to_string();
        let of_set = self.claimed.is_set;
        let header: &[u8] = if of_set { b"file,line,code,message\n" } else { b"line,code,message,raw\n" };
        draft.write_all(header).map_err(|error| draft.cannot(error))?;
        let mut write = |page: &[Problem]| -> Result<(), FileOutcomeError> {
            let mut out = csv::Writer::from_writer(&mut draft);
            let mut record = |problem: &Problem| -> Result<csv::Result<()>, FileOutcomeError> {
                let (number, code) = (problem.line.to_string(), problem.code.as_str());
                if of_set {
                    // The file and the line have columns of their own.
                    let message = Problem { file: String::new(), line: 0, ..problem.clone() }.text(locale);
                    return Ok(out.write_record([&*inert(&problem.file), &number, code, &inert(&message)]));
                }
                if ahead.is_none()
                    && let Some(raw) = &mut raw
                {
                    ahead = raw.next().transpose().map_err(|error| FileProblem::ends_run(error, &claimed))?;
                }
                let line = ahead.take_if(|line| line.line == problem.line).map(|line| line.text).unwrap_or_default();
                Ok(out.write_record([&number, code, &inert(&problem.text(locale)), &inert(&line)]))
            };
            let mut written = Ok(());
            for problem in page {
                written = written.and(record(problem)?);
            }
            let flushed = written.map_err(std::io::Error::from).and_then(|()| out.flush());
            drop(out);
            Ok(flushed.map_err(|error| draft.cannot(error))?)
        };
        problems.each(&mut |page| blocking(|| write(page))).await?;
        if let Some(cut) = cut {
            let mut out = csv::Writer::from_writer(&mut draft);
            let last = if of_set { ["", "", "", &cut] } else { ["", "", &cut, ""] };
            let told = out.write_record(last).map_err(std::io::Error::from).and_then(|()| out.flush());
            drop(out);
            told.map_err(|error| draft.cannot(error))?;
        }
        if let Some(raw) = &mut raw {
            blocking(|| raw.finish()).map_err(|error| FileProblem::ends_run(error, &claimed))?;
        }
        Ok(draft.finish()?)
    }

    /// Writes the header, if there is one, and the failed lines as they were written: input again once renamed. A line
    /// that is too long to be read is left out; it remains in the file itself.
    fn retry(&self, text: &Text, lines: Vec<u64>) -> Result<(), FileOutcomeError> {
        let mut draft = self.draft(".retry.csv")?;
        let mut all: Vec<u64> = text.head().into_iter().flatten().chain(lines).collect();
        all.sort_unstable();
        let mut raw = text.raw(all)?;
        for line in raw.by_ref() {
            let line = line.map_err(|error| text.refused(error))?;
            if !line.cut {
                writeln!(draft, "{}", line.text).map_err(|error| draft.cannot(error))?;
            }
        }
        raw.finish().map_err(|error| text.refused(error))?;
        Ok(draft.finish()?)
    }
}

/// The file itself, to copy its lines as they were written; passwords in them are masked.
struct Text {
    file: RegularFile,
    form: Form,
    path: String,
}

/// How the lines of a file are found.
enum Form {
    Flat(Box<Scan>),
    Table(Box<Masking>),
}

impl Text {
    /// `None` if the file has no line.
    fn open(claimed: &Claimed, run: &Report, settings: &Settings) -> Result<Option<Self>, FileOutcomeError> {
        let path = claimed.path().display().to_string();
        let unreadable = |error| InboxError::new("cannot read again", &claimed.path(), error);
        let file = claimed.open().map_err(unreadable)?;
        let kind = run.read_as.as_ref().and_then(|read| read.kind.parse::<Kind>().ok());
        // A file with passwords may have been read as a flat file, and one that was not read has no other form.
        if let Some(masking) = masked::masking_of(&file, settings, &claimed.path())?
            && (run.read_as.is_none() || masking.hides())
        {
            return Ok(Some(Self { file, form: Form::Table(Box::new(masking)), path }));
        }
        // Only times need a zone, and none is read here.
        let (fallback, small_times) = (settings.flatfile.encoding_fallback, settings.flatfile.small_times);
        let mut scanned = file.pass(read_sha256(run).unwrap_or_default());
        let scan = match &run.read_as {
            Some(read) if kind.is_none() => {
                let kind = FileKind::from_word(&read.kind).unwrap_or(FileKind::Users);
                files::scan_kind(&mut scanned, fallback, kind)
            }
            _ => files::scan(&mut scanned, &Reading { kind, fallback, zone: chrono_tz::UTC, small_times }),
        };
        match scan {
            Ok(scan) => Ok(Some(Self { file, form: Form::Flat(Box::new(scan)), path })),
            Err(problem) => Err(FileProblem::ends_run(problem, &path).into()),
        }
    }

    fn raw<L>(&self, lines: L) -> Result<RawLines<Pass, L::IntoIter>, FileOutcomeError>
    where
        L: IntoIterator<Item = u64>,
    {
        let raw = match &self.form {
            Form::Flat(scan) => files::raw_lines(self.file.pass(&scan.sha256), scan, lines),
            Form::Table(masking) => masking.raw_lines(self.file.pass(masking.sha256()), lines),
        };
        raw.map_err(|problem| self.refused(problem))
    }

    /// The lines that a file of other lines needs too; `None` if they are not known.
    fn head(&self) -> Option<Vec<u64>> {
        match &self.form {
            Form::Flat(scan) => scan.head(),
            Form::Table(masking) => Some(masking.head().collect()),
        }
    }

    fn refused(&self, problem: FileProblem) -> FileOutcomeError {
        FileProblem::ends_run(problem, &self.path).into()
    }
}

/// The problems of a run: those that the report holds, those of a held run in the state directory, or those in the
/// database.
enum Problems {
    Kept(Vec<Problem>),
    Stored { conn: Conn, run: i64 },
}

impl Problems {
    async fn of(database: &Database, settings: &Settings, run: &Report) -> Result<Self, FileOutcomeError> {
        // A simulation keeps no more than its report holds.
        if run.errors == run.problems.len() as u64 || run.state == State::Simulated {
            return Ok(Self::Kept(run.problems.clone()));
        }
        if matches!(run.state, State::Held | State::Rejected) {
            return Ok(Self::Kept(HeldStore::of(&settings.state.path, run.run).problems()?));
        }
        let conn = database.connect().await.map_err(RunError::from)?;
        Ok(Self::Stored { conn, run: run.run })
    }

    /// Passes all problems to `take`, one page at a time.
    async fn each(
        &mut self,
        take: &mut (dyn FnMut(&[Problem]) -> Result<(), FileOutcomeError> + Send),
    ) -> Result<(), FileOutcomeError> {
        let (conn, run) = match self {
            Self::Kept(problems) => return problems.chunks(PAGE).try_for_each(take),
            Self::Stored { conn, run } => (conn, *run),
        };
        let (mut page, mut refused) = (Vec::new(), None);
        let read = problem::each(conn, run, |problem| {
            page.push(problem);
            if page.len() < PAGE {
                return Ok(());
            }
            let taken = take(&page);
            page.clear();
            taken.map_err(|error| {
                refused = Some(error);
                DbError::other("its problems could not be taken")
            })
        });
        let read = read.await;
        if let Some(error) = refused {
            return Err(error);
        }
        read.map_err(RunError::from)?;
        take(&page)
    }

    /// The line numbers of all problems that have one, ascending; those without the lines that wait, which would be
    /// applied twice; and whether any problem shows that a line was understood.
    async fn lines(&mut self) -> Result<(Vec<u64>, Vec<u64>, bool), FileOutcomeError> {
        let (mut lines, mut failed, mut understood) = (Vec::new(), Vec::new(), false);
        let mut look = |page: &[Problem]| {
            understood |= page.iter().any(|problem| !OTHER_FORM.contains(&problem.code));
            for problem in page.iter().filter(|problem| problem.line > 0) {
                lines.push(problem.line);
                if problem.code != Code::Waiting {
                    failed.push(problem.line);
                }
            }
            Ok(())
        };
        self.each(&mut look).await?;
        Ok((lines, failed, understood))
    }
}
