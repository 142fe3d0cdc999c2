//! Loads lines into the temporary table `stage_line` and reports the others, in one pass of constant memory.
//! It must not resolve accounts or courses: that is one query afterwards.

use crate::db::{Bulk, Conn, DbError, Field};
use crate::files::{FlatLine, Operation};
use crate::flatfile::roles::Roles;
use crate::problem::{Code, Kept, PlaceKind, Problem, Rows, shown};
use crate::staging::lines::{FILE_LINES, written};
use crate::staging::resolve::{self, KEY_WIDTH, Keys};

/// What was staged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Staged {
    /// Lines in `stage_line`.
    pub lines: u64,
    /// `add` lines among them whose start has come.
    pub adds: u64,
    /// `del` lines among them whose start has come.
    pub dels: u64,
    /// Lines among them whose start is in the future.
    pub future: u64,
    /// Lines refused so far.
    pub errors: u64,
}

/// Loads lines and errors; `finish` must be called.
pub struct Stage<'a> {
    roles: &'a Roles,
    keys: Keys,
    now: i64,
    lines: Bulk,
    errors: Rows,
    staged: Staged,
    kept: &'a mut Kept,
}

impl<'a> Stage<'a> {
    /// Makes `stage_line` and starts loading.
    ///
    /// # Errors
    /// The database's error.
    pub async fn open(
        conn: &mut Conn,
        roles: &'a Roles,
        keys: Keys,
        now: i64,
        kept: &'a mut Kept,
    ) -> Result<Self, DbError> {
        conn.declare(&FILE_LINES);
        let dialect = conn.dialect();
        Ok(Self {
            roles,
            keys,
            now,
            lines: Bulk::into(dialect, &FILE_LINES),
            errors: Rows::new(dialect),
            staged: Staged::default(),
            kept,
        })
    }

    /// Stages one line; a role that is unknown or not allowed, or an impossible key, makes it an error at once. This
    /// holds for `del` too: a sender who may not add a manager may not end a manager's enrolment either.
    ///
    /// # Errors
    /// The database's error.
    pub async fn line(&mut self, conn: &mut Conn, line: &FlatLine) -> Result<(), DbError> {
        let roleid = match self.roles.find(&line.role) {
            Ok(roleid) => roleid,
            Err((Code::RoleUnknown, _)) => {
                let code = resolve::fits(&line.role).err().unwrap_or(Code::RoleUnknown);
                return self.refuse(conn, line.line, code, ("role", &line.role)).await;
            }
            Err((code, hint)) => {
                return self.problem(conn, &Problem::new(line.line, code, shown(&line.role), hint)).await;
            }
        };
        let ukey = match self.keys.user_key(&line.user) {
            Ok(ukey) => ukey,
            Err(code) => return self.refuse(conn, line.line, code, ("user", &line.user)).await,
        };
        if let Err(code) = self.keys.may_name_course(&line.course) {
            return self.refuse(conn, line.line, code, ("course", &line.course)).await;
        }
        let future = line.timestart > self.now;
        let op = match line.operation {
            Operation::Add => 1,
            Operation::Del => 2,
        };
        self.staged.lines += 1;
        match (future, op) {
            (true, _) => self.staged.future += 1,
            (false, 1) => self.staged.adds += 1,
            (false, _) => self.staged.dels += 1,
        }
        let row = [
            Field::Int(line.line as i64),
            Field::Int(op),
            Field::Int(roleid),
            Field::Text(&ukey),
            Field::Text(&line.course),
            Field::Int(line.timestart),
            Field::Int(line.timeend),
            Field::Text(written(&ukey, &line.user)),
        ];
        self.lines.push(conn, &row).await
    }

    /// Records a line that could not be read.
    ///
    /// # Errors
    /// The database's error.
    pub async fn problem(&mut self, conn: &mut Conn, problem: &Problem) -> Result<(), DbError> {
        self.staged.errors += 1;
        self.errors.add(conn, self.kept, (PlaceKind::Line, problem.line as i64), problem).await
    }

    /// Sends the remaining rows.
    ///
    /// # Errors
    /// The database's error.
    pub async fn finish(self, conn: &mut Conn) -> Result<Staged, DbError> {
        self.lines.finish(conn).await?;
        self.errors.finish(conn).await?;
        conn.analyse(FILE_LINES.name).await?;
        Ok(self.staged)
    }

    async fn refuse(
        &mut self,
        conn: &mut Conn,
        line: u64,
        code: Code,
        (column, value): (&str, &str),
    ) -> Result<(), DbError> {
        let problem = Problem::new(line, code, shown(value), self.hint(code, column));
        self.problem(conn, &problem).await
    }

    fn hint(&self, code: Code, column: &str) -> String {
        match code {
            Code::UserUnknown => self.keys.user.as_str().to_owned(),
            Code::CourseUnknown => self.keys.course.as_str().to_owned(),
            Code::ValueTooLong => format!("{column} {KEY_WIDTH}"),
            _ => String::new(),
        }
    }
}
