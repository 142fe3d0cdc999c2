//! The orders of a file of kind `convert` or `renew`: all rows are resolved and carried out as one set.
//! It must not read bytes, nor carry out a row by itself.

use std::collections::BTreeMap;

use crate::change::context::RunContext;
use crate::change::{end, enrol, groups};
use crate::config::{FileKind, Profile, Settings, SmallTimes};
use crate::db::table::{int, small, text};
use crate::db::{Bulk, Field, Table, statement};
use crate::disk::blocking;
use crate::files::times::{self, Bound};
use crate::files::{FileProblem, VerbEntry, VerbFile, VerbRow, some_entries, titles_said};
use crate::moodle::method;
use crate::moodle::site::id_list;
use crate::outcome::{Lines, Moment, Note, RunError, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, hint, shown};
use crate::staging::lines::{WRITTEN, written};
use crate::staging::resolve::{self, KEY_WIDTH, Keys};
use crate::staging::{AllowedRoles, CourseFile, hints};
use crate::verbs::order::SourceFate;
use crate::verbs::{Facts, Period, convert, people, renew};

/// The widest name of a method (`enrol.enrol`).
const METHOD_WIDTH: usize = 20;
/// The most different periods of a file: the calendar is reckoned for each of them and each end.
const MOST_PERIODS: usize = 20;
/// What `source` may say, for messages.
const FATES: &str = "disable, keep, delete";

/// The rows: `ukey` is empty for everybody, `roleid` 0 for any role. A new end is `until`, or the
/// period of this number.
const VERB_LINES: Table = Table::new(
    "stage_line",
    &[
        int("line"),
        text("ukey", KEY_WIDTH),
        text("ckey", KEY_WIDTH),
        text("written", KEY_WIDTH),
        int("roleid"),
        text("method", METHOD_WIDTH),
        int("until"),
        small("period"),
        small("fate"),
    ],
);
/// The rows that can be carried out; of those that say the same of whom they concern the last one.
const VERB_ROW: Table = Table::new(
    "verb_row",
    &[
        int("line"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("roleid"),
        text("method", METHOD_WIDTH),
        int("until"),
        small("period"),
        small("fate"),
    ],
)
.joined_by(&["courseid"]);
/// The enrolments that each row concerns.
const VERB_HIT: Table = Table::new(
    "verb_hit",
    &[
        int("ueid"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("enrolid"),
        int("line"),
        small("status"),
        int("timestart"),
        int("timeend"),
        int("until"),
        small("period"),
        small("fate"),
        small("barred"),
    ],
)
.joined_by(&["ueid", "line"]);

const REFUSED: &str = statement(include_str!("rows.sql"), "refused rows");
const ROWS: &str = statement(include_str!("rows.sql"), "rows");
const NO_METHOD: &str = statement(include_str!("rows.sql"), "no method");
const HITS: &str = statement(include_str!("rows.sql"), "hits");
const FOREIGN: &str = statement(include_str!("rows.sql"), "foreign roles");
const METHODS: &str = statement(include_str!("rows.sql"), "methods");
const HAS_ROLE: &str = statement(include_str!("rows.sql"), "has role");
const BARRED: &str = statement(include_str!("rows.sql"), "barred");
const MISSED: &str = statement(include_str!("rows.sql"), "missed rows");
const CHOSEN: &str = statement(include_str!("rows.sql"), "chosen");
const USABLE: &str = statement(include_str!("rows.sql"), "usable");

/// Applies a file. Enrolments of an `automatic` method are not renewed. The number of statements does not depend on the
/// number of rows, except for the chunks of the load.
///
/// # Errors
/// The error of the reader or of the database, a file that is refused as a whole, or a limit of the guard.
pub async fn apply_file(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
    automatic: &[&str],
) -> RunResult<()> {
    if profile.kind == FileKind::Convert && !ctx.site.is_enabled(method::MANUAL) {
        return Err(RunError::Rejected(Problem::new(0, Code::NoMethod, method::MANUAL, hint::SITE)));
    }
    let facts = Facts { zone: file.zone, now: ctx.now };
    enrol::prepare(ctx);
    end::prepare(ctx);
    groups::prepare(ctx.conn);
    people::prepare(ctx).await?;
    let (mut lines, periods) = load(ctx, settings, profile, file, (&facts, automatic)).await?;
    lines.failed += find(ctx, settings, profile, file.dropped).await?;
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.failed.min(lines.records));
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    match profile.kind {
        FileKind::Convert => convert::apply_rows(ctx).await,
        _ => renew::apply_rows(ctx, &facts, &periods).await,
    }
}

/// Loads the rows; gives their periods, numbered from 1.
async fn load(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
    (facts, automatic): (&Facts, &[&str]),
) -> RunResult<(Lines, Vec<Period>)> {
    let unreadable = |problem| FileProblem::ends_run(problem, file.path);
    let fallback = settings.flatfile.encoding_fallback;
    let open = || VerbFile::open(file.file.pass(file.sha256), profile, fallback);
    let mut reader = blocking(open).map_err(unreadable)?;
    ctx.notes.extend(titles_said(reader.titles()).map(Note::LinesSkipped));
    ctx.conn.declare(&VERB_LINES);
    let mut stage = Stage {
        keys: Keys { user: profile.user_key, course: profile.course_key },
        kind: profile.kind,
        facts,
        automatic,
        roles: ctx.site.roles.iter().map(|role| (role.shortname.to_lowercase(), role.id)).collect(),
        deletes: profile.delete.unwrap_or(!file.dropped),
        periods: Vec::new(),
    };
    let (mut rows, mut problems) = (Bulk::into(ctx.conn.dialect(), &VERB_LINES), Rows::new(ctx.conn.dialect()));
    let mut lines = Lines::default();
    loop {
        let entries = blocking(|| some_entries(|| reader.next_entry())).map_err(unreadable)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            lines.records += 1;
            let judged = match &entry {
                VerbEntry::Row(row) => stage.judge(row).map(|judged| (row, judged)),
                VerbEntry::Bad(problem) => Err(problem.clone()),
            };
            match judged {
                Ok((row, judged)) => rows.push(ctx.conn, &judged.fields(row)).await?,
                Err(problem) => {
                    lines.failed += 1;
                    let place = (PlaceKind::Line, problem.line as i64);
                    problems.add(ctx.conn, &mut ctx.problems, place, &problem).await?;
                }
            }
        }
    }
    rows.finish(ctx.conn).await?;
    problems.finish(ctx.conn).await?;
    ctx.conn.analyse(VERB_LINES.name).await?;
    Ok((lines, stage.periods))
}

struct Stage<'a> {
    keys: Keys,
    kind: FileKind,
    facts: &'a Facts,
    automatic: &'a [&'a str],
    /// `role.id` by short name in small letters.
    roles: BTreeMap<String, i64>,
    /// Whether a method may be removed.
    deletes: bool,
    periods: Vec<Period>,
}

/// What a row says, as far as it can be told without the site's accounts and courses.
struct Judged {
    ukey: String,
    role: i64,
    until: i64,
    period: usize,
    fate: SourceFate,
}

impl Judged {
    fn fields<'a>(&'a self, row: &'a VerbRow) -> [Field<'a>; 9] {
        [
            Field::Int(row.line as i64),
            Field::Text(&self.ukey),
            Field::Text(&row.course),
            Field::Text(written(&self.ukey, &row.user)),
            Field::Int(self.role),
            Field::Text(&row.method),
            Field::Int(self.until),
            Field::Int(self.period as i64),
            Field::Int(self.fate.number()),
        ]
    }
}

impl Stage<'_> {
    fn judge(&mut self, row: &VerbRow) -> Result<Judged, Problem> {
        let problem = |code, value: &str, hint: &str| Problem::new(row.line, code, shown(value), hint);
        let wide = |code, column: &str, other: &str| match code {
            Code::ValueTooLong => format!("{column} {KEY_WIDTH}"),
            _ => other.to_owned(),
        };
        let ukey = match row.user.as_str() {
            "" => Ok(String::new()),
            user => self.keys.user_key(user),
        };
        let ukey = ukey.map_err(|code| problem(code, &row.user, &wide(code, "user", self.keys.user.as_str())))?;
        let course = self.keys.may_name_course(&row.course);
        course.map_err(|code| problem(code, &row.course, &wide(code, "course", self.keys.course.as_str())))?;
        let role = match row.role.as_str() {
            "" => 0,
            name => *self.roles.get(name).ok_or_else(|| problem(Code::RoleUnknown, name, ""))?,
        };
        self.may_concern(row)?;
        let fate = SourceFate::from_word(&row.source).ok_or_else(|| problem(Code::BadVerb, &row.source, FATES))?;
        if fate == SourceFate::Delete && !self.deletes {
            return Err(problem(Code::ChangeRefused, &row.source, "delete"));
        }
        Ok(Judged { ukey, role, until: self.until(row)?, period: self.period(row)?, fate })
    }

    /// Refuses a method whose enrolments are manual ones already, or whose source says how long they last.
    fn may_concern(&self, row: &VerbRow) -> Result<(), Problem> {
        let method = row.method.as_str();
        let why = match self.kind {
            _ if method.len() > METHOD_WIDTH
                || !method.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') =>
            {
                row.course.as_str()
            }
            FileKind::Convert if method == method::MANUAL => hint::BY_HAND,
            FileKind::Renew if self.automatic.contains(&method) => hint::AUTOMATIC,
            _ => return Ok(()),
        };
        Err(Problem::new(row.line, Code::NoMethod, shown(method), shown(why)))
    }

    /// The new end; 0 if the row does not name it.
    fn until(&self, row: &VerbRow) -> Result<i64, Problem> {
        if row.until.is_empty() {
            return Ok(0);
        }
        let problem = |code, hint: &str| Problem::new(row.line, code, shown(&row.until), hint);
        match times::parse(&row.until, Bound::End, self.facts.zone, SmallTimes::Refuse) {
            Ok(0) => Err(problem(Code::BadTime, times::ACCEPTED)),
            Ok(end) if end <= self.facts.now => Err(problem(Code::EndBeforeStart, hint::PASSED)),
            Ok(end) => Ok(end),
            Err(why) => Err(problem(Code::BadTime, &why)),
        }
    }

    /// The number of the period; 0 if the row does not name one.
    fn period(&mut self, row: &VerbRow) -> Result<usize, Problem> {
        if row.by.is_empty() {
            return Ok(0);
        }
        let problem = |code, hint: &str| Problem::new(row.line, code, shown(&row.by), hint);
        let period: Period =
            row.by.parse().map_err(|_| problem(Code::BadTime, "30d, 2w, 6m, 1y, 30j, 6 mois, 1 an"))?;
        if let Some(at) = self.periods.iter().position(|known| *known == period) {
            return Ok(at + 1);
        }
        if self.periods.len() == MOST_PERIODS {
            return Err(problem(Code::ValueInvalid, &format!("by {MOST_PERIODS} periods that the file has already")));
        }
        self.periods.push(period);
        Ok(self.periods.len())
    }
}

/// Resolves the rows to enrolments; gives the number of rows that are refused.
async fn find(ctx: &mut RunContext<'_>, settings: &Settings, profile: &Profile, dropped: bool) -> RunResult<u64> {
    let keys = Keys { user: profile.user_key, course: profile.course_key };
    resolve::keys(ctx, keys).await?;
    let protected = ctx.site.protected(settings.guard.protect_admins);
    let dialect = ctx.conn.dialect();
    let params = ctx
        .params()
        .with("userkey", keys.user.as_str())
        .with("coursekey", keys.course.as_str())
        .with("disabled", format!("{} ", hint::DISABLED))
        .with("converts", i64::from(profile.kind == FileKind::Convert))
        .fragment("written", WRITTEN)
        .fragment("usercount", dialect.to_text("u.found"))
        .fragment("coursecount", dialect.to_text("k.found"))
        .fragment("protected", id_list(&protected))
        .fragment("known_course", resolve::KNOWN_COURSE)
        .fragment("same_method", dialect.same_text("e.enrol", "r.method"))
        .fragment("usable", USABLE);
    let mut refused = ctx.report_problems(PlaceKind::Line, REFUSED, params.clone()).await?;
    if refused > 0 {
        hints::suggest(ctx, keys).await?;
    }
    ctx.conn.declare(&VERB_ROW);
    ctx.conn.declare(&VERB_HIT);
    ctx.conn.exec(ROWS, &params).await?;
    ctx.conn.analyse(VERB_ROW.name).await?;
    if profile.kind == FileKind::Convert {
        refused += ctx.report_problems(PlaceKind::Line, NO_METHOD, params.clone()).await?;
    }
    let allowed = match dropped {
        true => AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site),
        false => AllowedRoles::any(),
    };
    let params = params
        .with("key", allowed.key())
        .fragment("methods", METHODS)
        .fragment("has_role", HAS_ROLE)
        .fragment("barred", if allowed.ids().is_some() { BARRED } else { "0" })
        .fragment("allowed", id_list(allowed.ids().unwrap_or_default()));
    ctx.conn.exec(HITS, &params).await?;
    ctx.conn.analyse(VERB_HIT.name).await?;
    refused += ctx.report_problems(PlaceKind::Line, MISSED, params.clone()).await?;
    if allowed.ids().is_some() {
        // The other people of the row are done.
        ctx.report_problems(PlaceKind::Line, FOREIGN, params.clone()).await?;
    }
    people::take(ctx, CHOSEN, &params).await?;
    Ok(refused)
}
