//! Loads the rows of a file of members of groups into `stage_line`, in constant memory.
//! It must not resolve accounts, courses or groups.

use crate::change::context::RunContext;
use crate::config::{FileGroupKey, Profile, Settings};
use crate::coursefiles::CourseFile;
use crate::db::{Bulk, DbError, Field};
use crate::disk::blocking;
use crate::files::{FileProblem, GroupMemberEntry, GroupMemberFile, GroupMemberRow, some_entries, titles_said};
use crate::outcome::{Lines, Note, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::staging::lines::{GROUP_LINES, written};
use crate::staging::resolve::{KEY_WIDTH, Keys};

/// The most digits of an id.
const DIGITS: usize = 18;

/// Loads a file.
///
/// # Errors
/// The error of the reader or of the database.
pub async fn load(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<Lines> {
    let unreadable = |problem| FileProblem::ends_run(problem, file.path);
    let fallback = settings.flatfile.encoding_fallback;
    let open = || GroupMemberFile::open(file.file.pass(file.sha256), profile, fallback);
    let mut reader = blocking(open).map_err(unreadable)?;
    ctx.notes.extend(titles_said(reader.titles()).map(Note::LinesSkipped));
    ctx.conn.declare(&GROUP_LINES);
    let dialect = ctx.conn.dialect();
    let mut stage = Stage {
        keys: Keys { user: profile.user_key, course: profile.course_key },
        by_id: profile.group_key == FileGroupKey::Id,
        course: profile.course.trim().to_owned(),
        rows: Bulk::into(dialect, &GROUP_LINES),
        problems: Rows::new(dialect),
        lines: Lines::default(),
    };
    loop {
        let entries = blocking(|| some_entries(|| reader.next_entry())).map_err(unreadable)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            stage.entry(ctx, entry).await?;
        }
    }
    stage.rows.finish(ctx.conn).await?;
    stage.problems.finish(ctx.conn).await?;
    ctx.conn.analyse(GROUP_LINES.name).await?;
    Ok(stage.lines)
}

struct Stage {
    keys: Keys,
    /// Whether groups are named by their ids.
    by_id: bool,
    /// The course of rows that name none; may be empty.
    course: String,
    rows: Bulk,
    problems: Rows,
    lines: Lines,
}

impl Stage {
    async fn entry(&mut self, ctx: &mut RunContext<'_>, entry: GroupMemberEntry) -> Result<(), DbError> {
        let told = match entry {
            GroupMemberEntry::Comment => {
                self.lines.blank += 1;
                return Ok(());
            }
            GroupMemberEntry::Bad(problem) => Err(problem),
            GroupMemberEntry::Row(row) => self.keyed(row),
        };
        self.lines.records += 1;
        match told {
            Ok((row, ukey)) => {
                let fields = [
                    Field::Int(row.line as i64),
                    Field::Int(row.verb as i64),
                    Field::Text(&ukey),
                    Field::Text(&row.course),
                    Field::Text(&row.group),
                    Field::Text(written(&ukey, &row.user)),
                ];
                self.rows.push(ctx.conn, &fields).await
            }
            Err(problem) => {
                self.lines.failed += 1;
                let place = (PlaceKind::Line, problem.line as i64);
                self.problems.add(ctx.conn, &mut ctx.problems, place, &problem).await
            }
        }
    }

    /// The row with its course and the key of its user, if all of them can exist.
    fn keyed(&self, mut row: GroupMemberRow) -> Result<(GroupMemberRow, String), Problem> {
        let line = row.line;
        let ukey = self.keys.user_key(&row.user).map_err(|code| {
            let hint = match code {
                Code::ValueTooLong => format!("userid {KEY_WIDTH}"),
                _ => self.keys.user.as_str().to_owned(),
            };
            Problem::new(line, code, shown(&row.user), hint)
        })?;
        if row.course.is_empty() {
            row.course.clone_from(&self.course);
        }
        if !row.course.is_empty() {
            let wrong = |code| Problem::new(line, code, shown(&row.course), self.keys.course.as_str());
            self.keys.may_name_course(&row.course).map_err(wrong)?;
        } else if !self.by_id {
            return Err(Problem::new(line, Code::EmptyIdentifier, "courseid", ""));
        }
        let is_id = row.group.len() <= DIGITS && row.group.bytes().all(|byte| byte.is_ascii_digit());
        if self.by_id && !is_id {
            return Err(Problem::new(line, Code::GroupUnknown, shown(&row.group), row.course));
        }
        Ok((row, ukey))
    }
}
