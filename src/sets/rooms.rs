//! Values of a set that do not fit the site: the room of the columns that they go to, and the rows that are applied
//! without such a value. It must not refuse a row; `stage` does.

use crate::change::context::RunContext;
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table};
use crate::moodle::room::Room;
use crate::problem::{Code, PlaceKind, shown};
use crate::sets::Terms;
use crate::staging::resolve::{KEY_WIDTH, resolved};

/// Rows that are applied without a value, with what is reported of each.
const SET_INCOMPLETE: Table =
    Table::new("set_incomplete", &[int("line"), text("code", 40), text("value", 255), text("hint", 255)])
        .primary("line");

/// The room of the columns that the values of a row go to.
#[derive(Clone, Copy, Debug)]
pub struct Rooms {
    /// The course's key, or the cohort's.
    pub container: Room,
    /// The group's name or idnumber, or the name of a cohort.
    pub group: Room,
}

impl Rooms {
    /// The rooms for a set of these terms.
    pub fn of(ctx: &RunContext<'_>, terms: &Terms) -> Self {
        let of = |table: &str, column: &str| Room::of(ctx.site, table, column, KEY_WIDTH);
        let any = Room { width: KEY_WIDTH };
        match (terms.cohorts, terms.cohort_key, terms.group_by_idnumber) {
            // A cohort without a name gets its key as its name.
            (true, "idnumber", _) => {
                Self { container: of("cohort", "idnumber").and(of("cohort", "name")), group: of("cohort", "name") }
            }
            (true, "name", _) => Self { container: of("cohort", "name"), group: of("cohort", "name") },
            (true, ..) => Self { container: any, group: of("cohort", "name") },
            // A group that is made for an idnumber gets it as its name, too.
            (false, _, true) => Self { container: any, group: of("groups", "idnumber").and(of("groups", "name")) },
            (false, _, false) => Self { container: any, group: of("groups", "name") },
        }
    }
}

/// A value of a row that is left out; the rest of the row is applied.
#[derive(Clone, Debug)]
pub struct LeftOut {
    code: Code,
    value: String,
    hint: String,
}

impl LeftOut {
    /// The value of the column `name` of a set, if it does not fit.
    pub fn unless_it_fits(room: Room, name: &str, value: &str) -> Option<Self> {
        let code = room.fits(value).err()?;
        Some(Self { code, value: shown(value), hint: format!("{name} {}", room.width) })
    }
}

/// Loads the lines of rows that are applied without a value, with the problem to report for each.
pub struct Incomplete {
    rows: Bulk,
    any: bool,
}

impl Incomplete {
    /// Makes the table `set_incomplete`.
    pub fn open(ctx: &mut RunContext<'_>) -> Self {
        ctx.conn.declare(&SET_INCOMPLETE);
        Self { rows: Bulk::into(ctx.conn.dialect(), &SET_INCOMPLETE), any: false }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The database's error.
    pub async fn add(&mut self, ctx: &mut RunContext<'_>, line: u64, left_out: &LeftOut) -> Result<(), DbError> {
        self.any = true;
        let LeftOut { code, value, hint } = left_out;
        let row = [Field::Int(line as i64), Field::Text(code.as_str()), Field::Text(value), Field::Text(hint)];
        self.rows.push(ctx.conn, &row).await
    }

    /// Sends the remaining rows; true if any row was added.
    ///
    /// # Errors
    /// The database's error.
    pub async fn finish(self, ctx: &mut RunContext<'_>) -> Result<bool, DbError> {
        self.rows.finish(ctx.conn).await?;
        Ok(self.any)
    }
}

/// Reports these rows, except those that have a problem already, which matters more.
///
/// # Errors
/// The database's error.
pub async fn report(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let select = "SELECT t.line AS number, t.code, t.value, t.hint FROM [set_incomplete] t";
    let params = ctx.params();
    ctx.report_new(PlaceKind::Line, select, params).await
}

/// Adds the users whose group is left out to `set_ungrouped`, so that they keep their groups. One statement.
///
/// # Errors
/// The database's error.
pub async fn keep_groups(ctx: &mut RunContext<'_>, never: &[i64]) -> Result<(), DbError> {
    let sql = ctx.conn.dialect().insert_absent(
        "[set_ungrouped]",
        "",
        "SELECT DISTINCT u.userid, k.courseid FROM [set_incomplete] t JOIN [stage_line] l ON l.line = t.line
            JOIN [stage_user] u ON u.ukey = l.ukey JOIN [stage_course] k ON k.ckey = l.ckey WHERE :resolved",
    );
    ctx.conn.exec(&sql, &resolved(Params::new(), never)).await.map(|_| ())
}
