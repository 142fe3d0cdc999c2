//! Reads the rows of a cohort file: those that name a user into `stage_line`, what they say of cohorts into memory.
//! It must not resolve accounts or cohorts.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::AccountsFile;
use crate::accounts::cohort_files::decide::{Said, Told};
use crate::accounts::cohort_files::places::Places;
use crate::change::context::RunContext;
use crate::config::{CourseKey, FileKind, Profile, Settings};
use crate::db::{Bulk, DbError, Field};
use crate::disk::blocking;
use crate::files::{CohortEntry, CohortFile, CohortRow, CohortVerb, FileProblem, some_entries, titles_said};
use crate::outcome::{Lines, Note, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::staging::likeness;
use crate::staging::lines::{MEMBER_LINES, written};
use crate::staging::resolve::Keys;

/// What was read.
pub struct Staged {
    /// The rows that decide about cohorts, in their order: of rows that say the same of a cohort only the first.
    pub told: Vec<Told>,
    pub lines: Lines,
    /// Whether the file has a column of idnumbers.
    pub idnumbers: bool,
    /// Whether a row could not be read, so that nobody knows what it says.
    pub unread: bool,
}

/// Loads a file. The memory grows with the cohorts that it names and with what it says of them.
///
/// # Errors
/// The error of the reader or of the database.
pub async fn load(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &AccountsFile<'_>,
    places: &Places,
) -> RunResult<Staged> {
    let unreadable = |problem| FileProblem::ends_run(problem, file.path);
    let fallback = settings.flatfile.encoding_fallback;
    let open = || CohortFile::open(file.file.pass(file.sha256), profile, fallback);
    let mut reader = blocking(open).map_err(unreadable)?;
    ctx.notes.extend(titles_said(reader.titles()).map(Note::LinesSkipped));
    let unread: Vec<String> = reader.unread().into_iter().map(|problem| problem.value).collect();
    if !unread.is_empty() {
        ctx.notes.push(Note::ColumnsIgnored(unread.join(", ")));
    }
    ctx.conn.declare(&MEMBER_LINES);
    let dialect = ctx.conn.dialect();
    let mut stage = Stage {
        members: profile.kind == FileKind::CohortMembers,
        keys: Keys { user: profile.user_key, course: CourseKey::Id },
        themes: themes(ctx).await?,
        places,
        rows: Bulk::into(dialect, &MEMBER_LINES),
        problems: Rows::new(dialect),
        last: BTreeMap::new(),
        staged: Staged { told: Vec::new(), lines: Lines::default(), idnumbers: reader.has_idnumbers(), unread: false },
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
    Ok(stage.finish(ctx).await?)
}

/// The themes that cohorts may have; `None` if the site does not allow any: then the column is not used, as in Moodle.
async fn themes(ctx: &mut RunContext<'_>) -> Result<Option<BTreeSet<String>>, DbError> {
    if ctx.site.number("allowcohortthemes", 0) == 0 {
        return Ok(None);
    }
    let sql = "SELECT p.plugin FROM {config_plugins} p WHERE p.name = 'version' AND p.plugin LIKE 'theme%'";
    let rows = ctx.conn.rows(sql, &ctx.params()).await?;
    Ok(Some(rows.iter().filter_map(|row| row.text(0).strip_prefix("theme_").map(str::to_owned)).collect()))
}

struct Stage<'a> {
    members: bool,
    keys: Keys,
    themes: Option<BTreeSet<String>>,
    places: &'a Places,
    rows: Bulk,
    problems: Rows,
    /// By key: what its last row said, and whether one of its rows was `sync`.
    last: BTreeMap<String, (Said, bool)>,
    staged: Staged,
}

impl Stage<'_> {
    async fn entry(&mut self, ctx: &mut RunContext<'_>, entry: CohortEntry) -> Result<(), DbError> {
        let row = match entry {
            CohortEntry::Comment(cell) => {
                // A spreadsheet's `#N/A` may have been a user.
                self.staged.unread |= likeness::is_damaged(&cell);
                self.staged.lines.blank += 1;
                return Ok(());
            }
            CohortEntry::Bad(problem) => {
                self.staged.lines.records += 1;
                // Of these nothing is known; the others say what they mean, wrongly.
                self.staged.unread = true;
                return self.refuse(ctx, &problem).await;
            }
            CohortEntry::Row(row) => row,
        };
        self.staged.lines.records += 1;
        let (said, wrong) = self.said(&row);
        let said = match said {
            Ok(said) => said,
            Err(problem) => {
                self.staged.unread |= row.verb.describes();
                return self.refuse(ctx, &problem).await;
            }
        };
        for problem in row.warning.iter().chain(&wrong) {
            self.report(ctx, problem).await?;
        }
        if !row.user.is_empty() {
            match self.keys.user_key(&row.user) {
                Ok(ukey) => self.member(ctx, &row, &ukey).await?,
                Err(code) => {
                    let hint = match code {
                        Code::ValueTooLong => format!("userid {}", crate::staging::resolve::KEY_WIDTH),
                        _ => self.keys.user.as_str().to_owned(),
                    };
                    let problem = Problem::new(row.line, code, shown(&row.user), hint);
                    self.staged.unread |= row.verb.describes();
                    self.refuse(ctx, &problem).await?;
                }
            }
        }
        self.tell(&row, said);
        Ok(())
    }

    /// Keeps what a row says of its cohort, unless the rows before it have said the same.
    fn tell(&mut self, row: &CohortRow, said: Said) {
        let (has_user, syncs) = (!row.user.is_empty(), row.verb == CohortVerb::Sync);
        let told = |said| Told { line: row.line, verb: row.verb, key: row.key.clone(), has_user, said };
        match self.last.get_mut(&row.key).filter(|_| self.members) {
            None => {
                if self.members {
                    self.last.insert(row.key.clone(), (said.clone(), syncs));
                }
                self.staged.told.push(told(said));
            }
            Some((last, synced)) => {
                let news = row.verb.describes() && *last != said;
                if !has_user || news || (syncs && !*synced) {
                    *synced |= syncs;
                    if row.verb.describes() {
                        last.clone_from(&said);
                    }
                    self.staged.told.push(told(said));
                }
            }
        }
    }

    async fn member(&mut self, ctx: &mut RunContext<'_>, row: &CohortRow, ukey: &str) -> Result<(), DbError> {
        let fields = [
            Field::Int(row.line as i64),
            Field::Int(row.verb.number()),
            Field::Text(ukey),
            Field::Text(&row.key),
            Field::Text(written(ukey, &row.user)),
        ];
        self.rows.push(ctx.conn, &fields).await
    }

    /// What a row says of its cohort, and what is wrong with the context that it names.
    fn said(&self, row: &CohortRow) -> (Result<Said, Problem>, Option<Problem>) {
        let said = &row.said;
        let theme = match &self.themes {
            None => "",
            Some(themes) if said.theme.is_empty() || themes.contains(&said.theme) => said.theme.as_str(),
            Some(themes) => {
                let known = themes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let hint = format!("theme: {known}");
                return (Err(Problem::new(row.line, Code::ValueUnusable, shown(&said.theme), hint)), None);
            }
        };
        let (contextid, wrong) = match self.places.find(&said.place) {
            Ok(contextid) => (contextid, None),
            Err((column, text)) => (None, Some(Problem::new(row.line, Code::ContextUnknown, shown(&text), column))),
        };
        let said = Said {
            name: said.name.clone(),
            idnumber: said.idnumber.clone(),
            description: said.description.clone(),
            format: said.format,
            visible: said.visible,
            theme: theme.to_owned(),
            component: said.component.clone(),
            contextid,
        };
        (Ok(said), wrong)
    }

    /// Reports a row that is not applied.
    async fn refuse(&mut self, ctx: &mut RunContext<'_>, problem: &Problem) -> Result<(), DbError> {
        self.staged.lines.failed += 1;
        self.report(ctx, problem).await
    }

    async fn report(&mut self, ctx: &mut RunContext<'_>, problem: &Problem) -> Result<(), DbError> {
        self.problems.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, problem.line as i64), problem).await
    }

    async fn finish(self, ctx: &mut RunContext<'_>) -> Result<Staged, DbError> {
        self.rows.finish(ctx.conn).await?;
        self.problems.finish(ctx.conn).await?;
        ctx.conn.analyse(MEMBER_LINES.name).await?;
        Ok(self.staged)
    }
}
