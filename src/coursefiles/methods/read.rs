//! Reads the rows of a file of methods into memory, and reports those that cannot be used.
//! It must not resolve what they name.

use crate::change::context::RunContext;
use crate::config::{Profile, Settings};
use crate::coursefiles::CourseFile;
use crate::coursefiles::methods::MOST_COURSES;
use crate::disk::blocking;
use crate::files::{FileProblem, MethodEntry, MethodRow, MethodsFile, some_entries, titles_said};
use crate::outcome::{Lines, Note, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows};

/// What was read: the line of each record, and what it says of one method or several.
pub struct Read {
    pub rows: Vec<(u64, Vec<MethodRow>)>,
    pub lines: Lines,
}

/// Reads a file.
///
/// # Errors
/// The error of the reader or of the database.
pub async fn load(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<Read> {
    let unreadable = |problem| FileProblem::ends_run(problem, file.path);
    let fallback = settings.flatfile.encoding_fallback;
    let times = (file.zone, settings.flatfile.small_times);
    let open = || MethodsFile::open(|| file.file.pass(file.sha256), profile, fallback, times);
    let mut reader = blocking(open).map_err(unreadable)?;
    let unread = reader.unread();
    ctx.notes.extend(titles_said(reader.titles()).map(Note::LinesSkipped));
    if !unread.is_empty() {
        ctx.notes.push(Note::ColumnsIgnored(unread.join(", ")));
    }
    let mut read = Read { rows: Vec::new(), lines: Lines::default() };
    let mut problems = Rows::new(ctx.conn.dialect());
    loop {
        let entries = blocking(|| some_entries(|| reader.next_entry())).map_err(unreadable)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            read.lines.records += 1;
            let problem = match entry {
                MethodEntry::Rows(line, rows) if read.rows.len() < MOST_COURSES => {
                    read.rows.push((line, rows));
                    continue;
                }
                MethodEntry::Rows(line, _) => {
                    let lines = read.lines.records.to_string();
                    Problem::new(line, Code::TooManyCourses, lines, MOST_COURSES.to_string())
                }
                MethodEntry::Bad(problem) => problem,
            };
            read.lines.failed += 1;
            let place = (PlaceKind::Line, problem.line as i64);
            problems.add(ctx.conn, &mut ctx.problems, place, &problem).await?;
        }
    }
    problems.finish(ctx.conn).await?;
    Ok(read)
}
