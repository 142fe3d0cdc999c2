//! Loads the orders of a file into `stage_line`, and the groups that they name into `order_group`.
//! It must not resolve accounts, courses or groups.

use std::collections::BTreeMap;

use crate::change::context::RunContext;
use crate::config::{ByHand, Profile, Settings};
use crate::coursefiles::{CourseFile, is_sound};
use crate::db::table::{int, small, text};
use crate::db::{Bulk, DbError, Field, Table};
use crate::disk::blocking;
use crate::files::{
    EnrolmentEntry, EnrolmentFile, EnrolmentReading, EnrolmentRow, EnrolmentVerb, FileProblem, GroupOrder,
    some_entries, titles_said,
};
use crate::outcome::{Lines, Note, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::staging::AllowedRoles;
use crate::staging::lines::written;
use crate::staging::resolve::{KEY_WIDTH, Keys};

/// The orders: `op` is the number of the command, `gop` that of the command for groups or 0; `method` is 0 for an order
/// about the role alone, 1 for `manual`, 2 for `self`. A time that is not given is -1.
const ORDER_LINES: Table = Table::new(
    "stage_line",
    &[
        int("line"),
        small("op"),
        int("roleid"),
        text("ukey", KEY_WIDTH),
        text("ckey", KEY_WIDTH),
        text("written", KEY_WIDTH),
        small("method"),
        int("timestart"),
        int("timeend"),
        small("gop"),
    ],
);
/// The groups that orders name; `clean` is 0 for a name that no group is made with.
const ORDER_GROUP: Table =
    Table::new("order_group", &[int("line"), text("gname", 255), small("clean")]).joined_by(&["line"]);

/// Loads a file in constant memory.
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
    let (fallback, small_times) = (settings.flatfile.encoding_fallback, settings.flatfile.small_times);
    let reading = EnrolmentReading { fallback, zone: file.zone, small_times };
    let open = || EnrolmentFile::open(file.file.pass(file.sha256), reading);
    let mut reader = blocking(open).map_err(unreadable)?;
    ctx.notes.extend(titles_said(reader.titles()).map(Note::LinesSkipped));
    let unread: Vec<String> = reader.unread().into_iter().map(|problem| problem.value).collect();
    if !unread.is_empty() {
        ctx.notes.push(Note::ColumnsIgnored(unread.join(", ")));
    }
    ctx.conn.declare(&ORDER_LINES);
    ctx.conn.declare(&ORDER_GROUP);
    let dialect = ctx.conn.dialect();
    let allowed = match file.dropped {
        true => AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site),
        false => AllowedRoles::any(),
    };
    let mut stage = Stage {
        keys: Keys { user: profile.user_key, course: profile.course_key },
        roles: ctx.site.roles.iter().map(|role| (role.shortname.to_lowercase(), role.id)).collect(),
        allowed,
        unenrol: profile.unenrol.unwrap_or(!file.dropped),
        // A dropped file makes groups only if its profile says so.
        creates: !file.dropped || profile.create_groups,
        rows: Bulk::into(dialect, &ORDER_LINES),
        names: Bulk::into(dialect, &ORDER_GROUP),
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
    Ok(stage.finish(ctx).await?)
}

struct Stage {
    keys: Keys,
    /// `role.id` by short name in small letters.
    roles: BTreeMap<String, i64>,
    allowed: AllowedRoles,
    unenrol: bool,
    creates: bool,
    rows: Bulk,
    names: Bulk,
    problems: Rows,
    lines: Lines,
}

impl Stage {
    async fn entry(&mut self, ctx: &mut RunContext<'_>, entry: EnrolmentEntry) -> Result<(), DbError> {
        let row = match entry {
            EnrolmentEntry::Comment => {
                self.lines.blank += 1;
                return Ok(());
            }
            EnrolmentEntry::Bad(problem) => {
                self.lines.records += 1;
                return self.refuse(ctx, &problem).await;
            }
            EnrolmentEntry::Row(row) => row,
        };
        self.lines.records += 1;
        match self.judge(ctx, &row) {
            Ok((roleid, ukey)) => self.stage(ctx, &row, (roleid, &ukey)).await,
            Err(problem) => self.refuse(ctx, &problem).await,
        }
    }

    /// The role and the user key of a row that may be applied.
    fn judge(&self, ctx: &RunContext<'_>, row: &EnrolmentRow) -> Result<(i64, String), Problem> {
        let problem = |code, value: &str, hint: &str| Problem::new(row.line, code, shown(value), hint);
        let leaves = row.groups.as_ref().is_some_and(|(verb, _)| verb.takes_out());
        // A shift takes roles.
        if (row.verb != EnrolmentVerb::Add || leaves) && !self.unenrol {
            return Err(problem(Code::ChangeRefused, &row.user, "unenrol"));
        }
        let roleid = match row.role.as_str() {
            "" => 0,
            name => *self.roles.get(name).ok_or_else(|| problem(Code::RoleUnknown, name, ""))?,
        };
        if roleid != 0 && !self.allowed.allows(roleid) {
            return Err(problem(Code::RoleNotAllowed, &row.role, self.allowed.key()));
        }
        let wide = |code, kind: &str, other: &str| match code {
            Code::ValueTooLong => format!("{kind} {KEY_WIDTH}"),
            _ => other.to_owned(),
        };
        let user = self.keys.user_key(&row.user);
        let ukey = user.map_err(|code| problem(code, &row.user, &wide(code, "user", self.keys.user.as_str())))?;
        let course = self.keys.may_name_course(&row.course);
        course.map_err(|code| problem(code, &row.course, &wide(code, "course", self.keys.course.as_str())))?;
        let names = row.groups.iter().flat_map(|(_, names)| names);
        match names.into_iter().find(|name| !ctx.conn.can_hold("groups", "name", name)) {
            Some(name) => Err(problem(Code::ValueCharset, name, "groups.name")),
            None => Ok((roleid, ukey)),
        }
    }

    async fn stage(
        &mut self,
        ctx: &mut RunContext<'_>,
        row: &EnrolmentRow,
        (roleid, ukey): (i64, &str),
    ) -> Result<(), DbError> {
        let method = match row.method {
            None => 0,
            Some(ByHand::Manual) => 1,
            Some(ByHand::SelfEnrolment) => 2,
        };
        let group_verb = row.groups.as_ref().map(|(verb, _)| match verb {
            GroupOrder::AddCreate if !self.creates => GroupOrder::Add,
            GroupOrder::ReplaceCreate if !self.creates => GroupOrder::Replace,
            verb => *verb,
        });
        let fields = [
            Field::Int(row.line as i64),
            Field::Int(row.verb as i64),
            Field::Int(roleid),
            Field::Text(ukey),
            Field::Text(&row.course),
            Field::Text(written(ukey, &row.user)),
            Field::Int(method),
            Field::Int(row.start.unwrap_or(-1)),
            Field::Int(row.end.unwrap_or(-1)),
            Field::Int(group_verb.map_or(0, |verb| verb as i64)),
        ];
        self.rows.push(ctx.conn, &fields).await?;
        for name in row.groups.iter().flat_map(|(_, names)| names) {
            let clean = is_sound(name);
            let fields = [Field::Int(row.line as i64), Field::Text(name), Field::Int(i64::from(clean))];
            self.names.push(ctx.conn, &fields).await?;
        }
        Ok(())
    }

    /// Reports a row that is not applied.
    async fn refuse(&mut self, ctx: &mut RunContext<'_>, problem: &Problem) -> Result<(), DbError> {
        self.lines.failed += 1;
        self.problems.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, problem.line as i64), problem).await
    }

    async fn finish(self, ctx: &mut RunContext<'_>) -> Result<Lines, DbError> {
        self.rows.finish(ctx.conn).await?;
        self.names.finish(ctx.conn).await?;
        self.problems.finish(ctx.conn).await?;
        ctx.conn.analyse(ORDER_LINES.name).await?;
        ctx.conn.analyse(ORDER_GROUP.name).await?;
        Ok(self.lines)
    }
}
