//! Loads a snapshot's rows into the temporary table `stage_line` and reports the others, in constant memory.
//! It must not resolve accounts or courses: that is one query afterwards.

use std::collections::HashMap;
use std::io::BufReader;

use crate::change::context::RunContext;
use crate::config::{CourseKey, UnknownProtects, UserKey};
use crate::db::table::text;
use crate::db::{Bulk, DbError, Field, Table};
use crate::disk::RegularFile;
use crate::files::times::{self, Bound};
use crate::files::{CELL_LIMIT, flags};
use crate::outcome::{Lines, Moment, RunError, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::sets::rooms::{Incomplete, LeftOut, Rooms};
use crate::sets::unresolved::Unresolved;
use crate::sets::{SetOrder, Terms};
use crate::source::SetProblem;
use crate::staging::likeness;
use crate::staging::lines::{SET_LINES, written};
use crate::staging::resolve::{KEY_WIDTH, fits};

/// User keys of rows that cannot be used.
pub(super) const SET_UNREAD: Table = Table::new("set_unread", &[text("ukey", KEY_WIDTH)]);
/// The columns of a row with only a user, a container and a role; the columns `DETAILS` then have their defaults.
const PLAIN: [&str; 5] = ["line", "ukey", "ckey", "roleid", "written"];
const DETAILS: [&str; 5] = ["gkey", "other", "status", "timestart", "timeend"];

/// Which columns a snapshot has.
#[derive(Clone, Debug)]
pub struct Header {
    user: usize,
    /// The course, or the cohort.
    container: usize,
    name: Option<usize>,
    role: Option<usize>,
    group: Option<usize>,
    other: Option<usize>,
    timestart: Option<usize>,
    timeend: Option<usize>,
    status: Option<usize>,
    /// Whether the set has start or end times.
    pub has_dates: bool,
    /// Whether the set has states.
    pub has_status: bool,
    /// Whether the set has rows of "other users".
    pub has_others: bool,
    /// Whether the order of the rows proves that no user is named twice in a course.
    pub each_once: bool,
    /// Whether rows are applied without a value that does not fit the site: these are in `set_incomplete`.
    pub has_incomplete: bool,
}

impl Header {
    fn of(record: &csv::StringRecord, container: &str, path: &str) -> RunResult<Self> {
        let at = |name: &str| record.iter().position(|column| column == name);
        let missing = |name: &str| {
            let found = record.iter().collect::<Vec<_>>().join(", ");
            RunError::Rejected(Problem::new(1, Code::ColumnMissing, format!("{name} ({path})"), found))
        };
        let (timestart, timeend, status) = (at("timestart"), at("timeend"), at("status"));
        Ok(Self {
            user: at("user").ok_or_else(|| missing("user"))?,
            container: at(container).ok_or_else(|| missing(container))?,
            name: at("name"),
            role: at("role"),
            group: at("group"),
            other: at("other"),
            has_dates: timestart.is_some() || timeend.is_some(),
            has_status: status.is_some(),
            has_others: false,
            each_once: false,
            has_incomplete: false,
            timestart,
            timeend,
            status,
        })
    }
}

impl Header {
    /// Whether rows may have more than a user, a container and a role.
    fn has_details(&self) -> bool {
        [self.name, self.group, self.other, self.timestart, self.timeend, self.status].iter().any(Option::is_some)
    }
}

/// Loads a snapshot from its beginning; gives the rows that were refused, as far as they protect anybody.
///
/// # Errors
/// A snapshot that is no CSV or lacks a column, or the database's error.
pub async fn load(
    ctx: &mut RunContext<'_>,
    terms: &Terms,
    order: &SetOrder,
    file: &RegularFile,
) -> RunResult<(Header, Lines, Unresolved)> {
    let path = &order.snapshot.display().to_string();
    let unreadable = |error: std::io::Error| RunError::Unreadable { path: path.to_owned(), error };
    let broken = |error: csv::Error| unreadable(std::io::Error::other(error));
    let mut reader = csv::ReaderBuilder::new().from_reader(BufReader::new(file.cursor()));
    let mut header = Header::of(reader.headers().map_err(broken)?, terms.container(), path)?;
    let rooms = Rooms::of(ctx, terms);
    let mut stage = Stage::open(ctx, &header).await?;
    let mut record = csv::StringRecord::new();
    let mut words = RoleWords::default();
    let (mut rows, mut dated, mut stated) = (0, false, false);
    // The order proves nothing for ids: 7 and 07 are the same.
    header.each_once = terms.keys.user != UserKey::Id && terms.keys.course != CourseKey::Id;
    let mut last = (String::new(), String::new());
    while reader.read_record(&mut record).map_err(broken)? {
        rows += 1;
        let line = record.position().map_or(rows + 1, csv::Position::line);
        match row(&header, terms, &rooms, &record).and_then(|row| words.check(terms, row)) {
            Ok(row) => {
                dated |= row.timestart != 0 || row.timeend != 0;
                stated |= !optional(&header, &record).is_empty();
                if let Some(value) = &row.unknown_role {
                    ctx.default_roles.count(value);
                }
                header.has_others |= row.other;
                stage.row(ctx, line, &row).await?;
                if let Some(left_out) = &row.left_out {
                    stage.incomplete.add(ctx, line, left_out).await?;
                }
                let next = (row.container, row.user);
                header.each_once &= last < next;
                last = next;
            }
            Err((code, value, hint)) => {
                stage.problem(ctx, &Problem::new(line, code, value, hint)).await?;
                // The user that it names is not absent.
                let cell = |at: usize| record.get(at).unwrap_or_default();
                stage.spare(ctx, cell(header.user)).await?;
                stage.refused.refused(cell(header.user), cell(header.container), false);
            }
        }
        if rows % 10_000 == 0 {
            let done = record.position().map_or(0, csv::Position::byte);
            ctx.observer.reached(Moment::Read { done, of: file.opened().size }).await;
        }
    }
    // A column that is empty in every row counts as missing: windows and states are left alone.
    header.has_dates &= dated;
    header.has_status &= stated;
    stage.unread(ctx, &order.unread).await?;
    let rows = rows + order.unread.iter().filter(|row| !row.taken).count() as u64;
    let failed = stage.failed;
    let refused = std::mem::take(&mut stage.refused);
    header.has_incomplete = stage.finish(ctx).await?;
    Ok((header, Lines { physical: rows + 1, blank: 0, records: rows, failed, waiting: 0 }, refused))
}

/// The state in a row.
fn optional<'a>(header: &Header, record: &'a csv::StringRecord) -> &'a str {
    header.status.and_then(|at| record.get(at)).unwrap_or_default().trim()
}

/// One row, read.
#[derive(Default)]
struct SetRow {
    user: String,
    /// The user as the row writes it, if it differs.
    written: String,
    /// The course, or the cohort.
    container: String,
    /// The group, or a cohort's name.
    group: String,
    roleid: i64,
    /// The role text of the row, if it is unknown and the default role is used.
    unknown_role: Option<String>,
    other: bool,
    suspended: bool,
    timestart: i64,
    timeend: i64,
    /// A value that does not fit the site.
    left_out: Option<LeftOut>,
}

type Refused = (Code, String, String);

/// A value without blanks around it. One that its reader has cut keeps them: with them it is longer than the limit.
pub(super) fn trimmed(value: &str, limit: usize) -> &str {
    if value.len() > limit && value.chars().count() > limit { value } else { value.trim() }
}

fn row(header: &Header, terms: &Terms, rooms: &Rooms, record: &csv::StringRecord) -> Result<SetRow, Refused> {
    let cell = |at: usize| trimmed(record.get(at).unwrap_or_default(), CELL_LIMIT);
    let optional = |at: Option<usize>| at.map_or("", cell);
    let filled = |name: &str, text: &str| match text {
        // Moodle treats "0" as empty too (spec database 3).
        "" | "0" => Err((Code::EmptyIdentifier, name.to_owned(), String::new())),
        _ => Ok(()),
    };
    let (user, container) = (cell(header.user), cell(header.container));
    filled("user", user)?;
    filled(terms.container(), container)?;
    let refused = |code: Code, column: &str, width: usize, text: &str| {
        let hint = match code {
            Code::UserUnknown => terms.keys.user.as_str().to_owned(),
            Code::CourseUnknown => terms.keys.course.as_str().to_owned(),
            _ => format!("{column} {width}"),
        };
        (code, shown(text), hint)
    };
    let key = terms.keys.user_key(user).map_err(|code| refused(code, "user", KEY_WIDTH, user))?;
    let written = written(&key, user).to_owned();
    let user = key;
    let column = terms.container();
    rooms.container.fits(container).map_err(|code| refused(code, column, rooms.container.width, container))?;
    // A name or a group that does not fit is left out, so that the user keeps the enrolment or membership.
    let roomy = |name: &str, at: Option<usize>| match LeftOut::unless_it_fits(rooms.group, name, optional(at)) {
        None => (optional(at).to_owned(), None),
        left_out => (String::new(), left_out),
    };
    if terms.cohorts {
        let (group, left_out) = roomy("name", header.name);
        return Ok(SetRow { user, written, container: container.to_owned(), group, left_out, ..SetRow::default() });
    }
    terms.keys.may_name_course(container).map_err(|code| refused(code, column, KEY_WIDTH, container))?;
    let (role_name, other) = (optional(header.role), optional(header.other));
    for (name, text) in [("role", role_name), ("other", other)] {
        fits(text).map_err(|code| refused(code, name, KEY_WIDTH, text))?;
    }
    let time = |at: Option<usize>, bound| {
        let text = optional(at);
        times::parse(text, bound, terms.zone, terms.small_times).map_err(|hint| (Code::BadTime, shown(text), hint))
    };
    let (timestart, timeend) = (time(header.timestart, Bound::Start)?, time(header.timeend, Bound::End)?);
    if timeend != 0 && timeend < timestart {
        let texts = (shown(optional(header.timeend)), shown(optional(header.timestart)));
        return Err((Code::EndBeforeStart, texts.0, texts.1));
    }
    let (roleid, unknown_role) = role(terms, role_name)?;
    let (group, left_out) = roomy("group", header.group);
    Ok(SetRow {
        user,
        written,
        container: container.to_owned(),
        group,
        roleid,
        unknown_role,
        // Any other text is the related user, as in Moodle.
        other: flags::parse(other).unwrap_or(true),
        suspended: suspended(optional(header.status))?,
        timestart,
        timeend,
        left_out,
    })
}

/// The role of a row: the one that it names, else the default one (spec database 5), with the text of an unknown one.
/// Without a default it is an error, as is a role that the source may not give.
fn role(terms: &Terms, name: &str) -> Result<(i64, Option<String>), Refused> {
    let says_none = matches!(name, "" | "0");
    match terms.roles.get(name).filter(|_| !says_none) {
        Some(id) if !terms.allowed.allows(*id) => {
            Err((Code::RoleNotAllowed, name.to_owned(), terms.allowed.key().to_owned()))
        }
        Some(id) => Ok((*id, None)),
        None if terms.default_role == 0 => Err((Code::RoleUnknown, shown(name), String::new())),
        None => Ok((terms.default_role, (!says_none).then(|| name.to_owned()))),
    }
}

/// Which of the unknown role texts of a set are damaged or like a role, other than by their case: the default would
/// take the place of a role that the user has.
#[derive(Default)]
struct RoleWords(HashMap<String, bool>);

impl RoleWords {
    /// The most texts that are held.
    const MOST: usize = 1_000;

    /// Refuses a row with such a text.
    fn check(&mut self, terms: &Terms, row: SetRow) -> Result<SetRow, Refused> {
        let Some(name) = row.unknown_role.as_ref().filter(|_| terms.unknown_protects != UnknownProtects::Off) else {
            return Ok(row);
        };
        if !self.0.contains_key(name) {
            if self.0.len() == Self::MOST {
                self.0.clear();
            }
            self.0.insert(name.clone(), may_mean_another(terms, name));
        }
        if self.0[name] { Err((Code::RoleUnknown, shown(name), String::new())) } else { Ok(row) }
    }
}

fn may_mean_another(terms: &Terms, name: &str) -> bool {
    let forms = likeness::forms(name);
    let alike = |role: &String| forms.contains(&likeness::fold(role)) && role.to_lowercase() != name.to_lowercase();
    likeness::is_damaged(name) || terms.roles.keys().any(alike)
}

fn suspended(word: &str) -> Result<bool, Refused> {
    match word.to_lowercase().as_str() {
        "active" | "actif" => Ok(false),
        "suspended" | "suspendu" => Ok(true),
        other => flags::parse(other).ok_or_else(|| (Code::BadVerb, shown(word), "0, active, 1, suspended".to_owned())),
    }
}

struct Stage {
    lines: Bulk,
    /// How many columns are loaded.
    width: usize,
    errors: Rows,
    unread: Bulk,
    refused: Unresolved,
    incomplete: Incomplete,
    failed: u64,
}

impl Stage {
    async fn open(ctx: &mut RunContext<'_>, header: &Header) -> Result<Self, DbError> {
        ctx.conn.declare(&SET_LINES);
        ctx.conn.declare(&SET_UNREAD);
        let dialect = ctx.conn.dialect();
        let details: &[&str] = if header.has_details() { &DETAILS } else { &[] };
        let columns = [&PLAIN, details].concat();
        Ok(Self {
            lines: Bulk::into_some(dialect, &SET_LINES, &columns),
            width: columns.len(),
            errors: Rows::new(dialect),
            unread: Bulk::into(dialect, &SET_UNREAD),
            refused: Unresolved::default(),
            incomplete: Incomplete::open(ctx),
            failed: 0,
        })
    }

    async fn row(&mut self, ctx: &mut RunContext<'_>, line: u64, row: &SetRow) -> Result<(), DbError> {
        let fields = [
            Field::Int(line as i64),
            Field::Text(&row.user),
            Field::Text(&row.container),
            Field::Int(row.roleid),
            Field::Text(&row.written),
            Field::Text(&row.group),
            Field::Int(i64::from(row.other)),
            Field::Int(i64::from(row.suspended)),
            Field::Int(row.timestart),
            Field::Int(row.timeend),
        ];
        self.lines.push(ctx.conn, &fields[..self.width]).await
    }

    async fn problem(&mut self, ctx: &mut RunContext<'_>, problem: &Problem) -> Result<(), DbError> {
        self.failed += 1;
        self.errors.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, problem.line as i64), problem).await
    }

    /// Reports problems of the files with the name of their file. Users of rows that are not in the snapshot are
    /// spared.
    async fn unread(&mut self, ctx: &mut RunContext<'_>, unread: &[SetProblem]) -> Result<(), DbError> {
        let mut errors = Rows::new(ctx.conn.dialect());
        for (number, row) in (1i64..).zip(unread) {
            if !row.taken {
                self.spare(ctx, &row.user).await?;
                match &row.scraps {
                    None => self.refused.refused(&row.user, &row.place, row.broken),
                    Some(scraps) => {
                        for value in scraps.values.iter().chain(scraps.rest.iter().map(|(user, _)| user)) {
                            self.spare(ctx, value).await?;
                        }
                        self.refused.torn(&row.user, scraps);
                    }
                }
            }
            self.failed += u64::from(!row.taken);
            let problem = row.problem.clone().in_file(row.file.as_str());
            errors.add(ctx.conn, &mut ctx.problems, (PlaceKind::Unread, number), &problem).await?;
        }
        errors.finish(ctx.conn).await
    }

    /// Spares the accounts with this key, without regard to case: they lose nothing by this set.
    async fn spare(&mut self, ctx: &mut RunContext<'_>, user: &str) -> Result<(), DbError> {
        let key = user.trim().to_lowercase();
        // No account has a longer key.
        if key.is_empty() || key.chars().count() > KEY_WIDTH {
            return Ok(());
        }
        self.unread.push(ctx.conn, &[Field::Text(&key)]).await
    }

    /// Sends the remaining rows; true if rows are applied without a value.
    async fn finish(self, ctx: &mut RunContext<'_>) -> Result<bool, DbError> {
        let incomplete = self.incomplete.finish(ctx).await?;
        self.lines.finish(ctx.conn).await?;
        self.errors.finish(ctx.conn).await?;
        self.unread.finish(ctx.conn).await?;
        ctx.conn.analyse(SET_LINES.name).await?;
        Ok(incomplete)
    }
}
