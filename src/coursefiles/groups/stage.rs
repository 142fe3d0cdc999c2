//! Reads the rows of a file of groups into memory: it grows with what the file says.
//! It must not resolve courses, groups or groupings.

use crate::change::context::RunContext;
use crate::config::{Profile, Settings};
use crate::coursefiles::{CourseFile, has_unseen, is_plain_html, is_seen, is_sound};
use crate::db::DbError;
use crate::disk::blocking;
use crate::files::{
    CustomColumn, FileProblem, GroupEntry, GroupFile, GroupRow, GroupType, GroupVerb, some_entries, titles_said,
};
use crate::outcome::{Lines, Note, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};

/// What was read.
pub struct Staged {
    pub rows: Vec<GroupRow>,
    pub lines: Lines,
    /// The columns of custom fields.
    pub custom: Vec<CustomColumn>,
    /// The line of the header.
    pub header: u64,
}

/// Loads a file.
///
/// # Errors
/// The error of the reader or of the database.
pub async fn load(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<Staged> {
    let unreadable = |problem| FileProblem::ends_run(problem, file.path);
    let fallback = settings.flatfile.encoding_fallback;
    let open = || GroupFile::open(|| file.file.pass(file.sha256), profile, fallback);
    let mut reader = blocking(open).map_err(unreadable)?;
    ctx.notes.extend(titles_said(reader.titles()).map(Note::LinesSkipped));
    let mut staged = Staged {
        rows: Vec::new(),
        lines: Lines::default(),
        custom: reader.custom.clone(),
        header: reader.header_line(),
    };
    let mut problems = Rows::new(ctx.conn.dialect());
    loop {
        let entries = blocking(|| some_entries(|| reader.next_entry())).map_err(unreadable)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            let told = match entry {
                GroupEntry::Comment => {
                    staged.lines.blank += 1;
                    continue;
                }
                GroupEntry::Bad(problem) => Err(problem),
                GroupEntry::Row(row) => storable(ctx, *row),
            };
            staged.lines.records += 1;
            match told {
                Ok(row) => staged.rows.push(row),
                Err(problem) => {
                    staged.lines.failed += 1;
                    tell(ctx, &mut problems, &problem).await?;
                }
            }
        }
    }
    problems.finish(ctx.conn).await?;
    Ok(staged)
}

async fn tell(ctx: &mut RunContext<'_>, problems: &mut Rows, problem: &Problem) -> Result<(), DbError> {
    problems.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, problem.line as i64), problem).await
}

/// A row whose texts the site's columns can hold.
fn storable(ctx: &RunContext<'_>, row: GroupRow) -> Result<GroupRow, Problem> {
    let table = if row.of == GroupType::Group { "groups" } else { "groupings" };
    let said = &row.said;
    let idnumber = said.idnumber.as_deref().unwrap_or_default();
    let texts = [("name", said.name.as_str()), ("idnumber", idnumber)];
    let description = said.description.as_deref().unwrap_or_default();
    let all = texts.into_iter().chain([("description", description)]);
    let wrong = all.into_iter().find(|(column, text)| !ctx.conn.can_hold(table, column, text));
    if let Some((column, text)) = wrong {
        return Err(Problem::new(row.line, Code::ValueCharset, shown(text), format!("{table}.{column}")));
    }
    if let crate::files::GroupingNamed::Name(name) = &row.grouping
        && !ctx.conn.can_hold("groupings", "name", name)
    {
        return Err(Problem::new(row.line, Code::ValueCharset, shown(name), "groupings.name"));
    }
    // The name is checked where it is given: what exists may be named and removed.
    let fields = said.fields.iter().map(|(_, text)| (is_seen(text), "customfield", text.as_str()));
    let all = [
        (is_sound(idnumber), "idnumber", idnumber),
        (!has_unseen(&said.enrolmentkey), "enrolmentkey", said.enrolmentkey.as_str()),
        (is_plain_html(description), "description", description),
    ];
    let gives = matches!(row.verb, GroupVerb::Add | GroupVerb::Update);
    if let Some((_, column, text)) = all.into_iter().chain(fields).find(|(fits, ..)| gives && !fits) {
        return Err(Problem::new(row.line, Code::ValueUnusable, shown(text), column));
    }
    let field = said.fields.iter().find(|(_, text)| !ctx.conn.can_hold("customfield_data", "value", text));
    match field {
        Some((_, text)) => Err(Problem::new(row.line, Code::ValueCharset, shown(text), "customfield_data.value")),
        None => Ok(row),
    }
}
