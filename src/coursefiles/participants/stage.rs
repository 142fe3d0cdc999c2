//! Loads the users of a file into `stage_line`, and the groups that it names for them into `list_group`.
//! It must not resolve accounts or groups.

use std::collections::BTreeMap;

use crate::change::context::RunContext;
use crate::config::{CourseKey, FileKind, Profile, Settings, UserKey};
use crate::coursefiles::{CourseFile, is_sound};
use crate::db::table::{int, small, text};
use crate::db::{Bulk, DbError, Field, Table};
use crate::disk::blocking;
use crate::files::{FileProblem, ListEntry, ListFile, ListRow, ListVerb, some_entries, traits};
use crate::outcome::{Lines, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::staging::lines::{LIST_LINES, written};
use crate::staging::resolve::{KEY_WIDTH, Keys};

/// The groups that rows name; `clean` is 0 for a name that no group is made with.
pub const LIST_GROUP: Table =
    Table::new("list_group", &[int("line"), int("nth"), text("gname", 255), small("clean")]).joined_by(&["line, nth"]);

/// What was read.
pub struct Staged {
    pub lines: Lines,
    /// Whether a row takes somebody out of the course.
    pub unenrols: bool,
}

/// The key of the users of a file: a text has addresses.
pub fn user_key(profile: &Profile) -> UserKey {
    if profile.kind == FileKind::CourseText { UserKey::Email } else { profile.user_key }
}

/// Loads a file in constant memory.
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
    let (layout, fallback) = (traits(profile.kind).layout, settings.flatfile.encoding_fallback);
    let mut reader = blocking(|| ListFile::open(file.file.pass(file.sha256), layout, fallback)).map_err(unreadable)?;
    ctx.conn.declare(&LIST_LINES);
    ctx.conn.declare(&LIST_GROUP);
    let dialect = ctx.conn.dialect();
    let mut stage = Stage {
        keys: Keys { user: user_key(profile), course: CourseKey::Id },
        groups: match profile.groups.trim() {
            _ if profile.kind == FileKind::CourseText => Groups::OfFile,
            "file" | "" => Groups::OfFile,
            "none" => Groups::None,
            name => Groups::Only(name.to_owned()),
        },
        unenrol: profile.unenrol.unwrap_or(!file.dropped),
        rows: Bulk::into(dialect, &LIST_LINES),
        names: Bulk::into(dialect, &LIST_GROUP),
        problems: Rows::new(dialect),
        known: BTreeMap::new(),
        nth: 0,
        line: 0,
        staged: Staged { lines: Lines::default(), unenrols: false },
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

/// Which groups people join.
enum Groups {
    OfFile,
    None,
    Only(String),
}

struct Stage {
    keys: Keys,
    groups: Groups,
    unenrol: bool,
    rows: Bulk,
    names: Bulk,
    problems: Rows,
    /// By name of a group: whether one may be made with it, or why no group can have it.
    known: BTreeMap<String, Result<bool, Code>>,
    /// The line of the latest row, and how many rows it has so far.
    line: u64,
    nth: i64,
    staged: Staged,
}

impl Stage {
    async fn entry(&mut self, ctx: &mut RunContext<'_>, entry: ListEntry) -> Result<(), DbError> {
        self.staged.lines.records += 1;
        let row = match entry {
            ListEntry::Bad(problem) => return self.refuse(ctx, &problem).await,
            ListEntry::Row(row) => row,
        };
        for problem in &row.problems {
            self.report(ctx, problem).await?;
        }
        if row.verb != ListVerb::Join && !self.unenrol {
            let problem = Problem::new(row.line, Code::ChangeRefused, shown(&row.user), "unenrol");
            return self.refuse(ctx, &problem).await;
        }
        let ukey = match self.keys.user_key(&row.user) {
            Ok(ukey) => ukey,
            Err(code) => {
                let hint = match code {
                    Code::ValueTooLong => format!("user {KEY_WIDTH}"),
                    _ => self.keys.user.as_str().to_owned(),
                };
                return self.refuse(ctx, &Problem::new(row.line, code, shown(&row.user), hint)).await;
            }
        };
        self.nth = if row.line == self.line { self.nth + 1 } else { 1 };
        self.line = row.line;
        self.staged.unenrols |= row.verb == ListVerb::Unenrol;
        let fields = [
            Field::Int(row.line as i64),
            Field::Int(self.nth),
            Field::Int(row.verb as i64),
            Field::Text(&ukey),
            Field::Text(written(&ukey, &row.user)),
        ];
        self.rows.push(ctx.conn, &fields).await?;
        self.groups(ctx, row).await
    }

    async fn groups(&mut self, ctx: &mut RunContext<'_>, row: ListRow) -> Result<(), DbError> {
        let names = match &self.groups {
            Groups::OfFile => row.groups,
            Groups::None => Vec::new(),
            Groups::Only(name) => vec![name.clone()],
        };
        for name in names {
            let known =
                self.known.entry(name.clone()).or_insert_with(|| match ctx.conn.can_hold("groups", "name", &name) {
                    true => Ok(is_sound(&name)),
                    false => Err(Code::ValueCharset),
                });
            match *known {
                Ok(clean) => {
                    let fields = [
                        Field::Int(row.line as i64),
                        Field::Int(self.nth),
                        Field::Text(&name),
                        Field::Int(i64::from(clean)),
                    ];
                    self.names.push(ctx.conn, &fields).await?;
                }
                Err(code) => {
                    let problem = Problem::new(row.line, code, shown(&name), "groups.name");
                    self.report(ctx, &problem).await?;
                }
            }
        }
        Ok(())
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
        self.names.finish(ctx.conn).await?;
        self.problems.finish(ctx.conn).await?;
        ctx.conn.analyse(LIST_LINES.name).await?;
        ctx.conn.analyse(LIST_GROUP.name).await?;
        Ok(self.staged)
    }
}
