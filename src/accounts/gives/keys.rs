//! Reads how a cell names a cohort or a group: by its id, its idnumber or its name (spec files 1.3).
//! It must not look anything up.

use crate::change::context::RunContext;
use crate::db::table::{small, text};
use crate::db::{Bulk, DbError, Field, Params, Table};
use crate::moodle::room::Room;
use crate::problem::Code;

/// The texts of cells, each once, with what they name; `code` and `hint` where nothing can have that name.
pub const GIVEN_KEY: Table = Table::new(
    "given_key",
    &[text("given", 255), small("how"), text("label", 255), text("code", 100), text("hint", 255)],
)
.joined_by(&["given"]);

/// How a text names a row, as in the column `how`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By `id`.
    Id = 0,
    /// By `idnumber`.
    Idnumber = 1,
    /// By `name`.
    Name = 2,
    /// By `id`, or by `name` if there is no such id.
    IdOrName = 3,
}

/// What a text means that has no prefix.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// The table that it names rows of.
    pub table: &'static str,
    /// What it is called in messages.
    pub column: &'static str,
    /// All digits.
    pub digits: How,
    /// Any other text.
    pub other: How,
}

impl Plain {
    /// How a text names a row, and by what: `id:`, `idnumber:` and `name:` say it themselves.
    fn read(self, given: &str) -> (How, String) {
        let prefixes = [("id:", How::Id), ("idnumber:", How::Idnumber), ("name:", How::Name)];
        let prefixed = prefixes.iter().find_map(|(prefix, how)| Some((*how, given.strip_prefix(prefix)?.trim())));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (how, label) = prefixed.unwrap_or((if is_number(given) { self.digits } else { self.other }, given));
        // Ids are compared as texts.
        let label = match (how, label.parse::<u64>()) {
            (How::Id, Ok(number)) => number.to_string(),
            _ => label.to_owned(),
        };
        (how, label)
    }
}

/// Fills `given_key` with the texts of a select, each once.
///
/// # Errors
/// The database's error.
pub async fn load(ctx: &mut RunContext<'_>, plain: Plain, texts: &str) -> Result<(), DbError> {
    ctx.conn.declare(&GIVEN_KEY);
    let given: Vec<String> = ctx.conn.rows(texts, &Params::new()).await?.iter().map(|row| row.text(0)).collect();
    let room = |column| Room::of(ctx.site, plain.table, column, 255);
    let (name, idnumber) = (room("name"), room("name").and(room("idnumber")));
    let mut rows = Bulk::into(ctx.conn.dialect(), &GIVEN_KEY);
    for given in &given {
        let (how, label) = plain.read(given);
        let (column, room) = match how {
            How::Idnumber => ("idnumber", idnumber),
            _ => ("name", name),
        };
        let (code, hint) = if room.fits(&label).is_err() {
            (Code::ValueTooLong.as_str(), format!("{} {}", plain.column, room.width))
        } else if !ctx.conn.can_hold(plain.table, column, &label) {
            (Code::ValueCharset.as_str(), format!("{}.{column}", plain.table))
        } else {
            ("", String::new())
        };
        let row =
            [Field::Text(given), Field::Int(how as i64), Field::Text(&label), Field::Text(code), Field::Text(&hint)];
        rows.push(ctx.conn, &row).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(GIVEN_KEY.name).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_says_how() {
        let cohort = Plain { table: "cohort", column: "cohort", digits: How::Id, other: How::Idnumber };
        let group = Plain { table: "groups", column: "group", digits: How::IdOrName, other: How::Name };
        for (plain, given, how, label) in [
            (cohort, "007", How::Id, "7"),
            (cohort, "L1", How::Idnumber, "L1"),
            (cohort, "idnumber:4242", How::Idnumber, "4242"),
            (cohort, "name: Licence 1", How::Name, "Licence 1"),
            (cohort, "id:", How::Id, ""),
            (cohort, "99999999999999999999999", How::Id, "99999999999999999999999"),
            (group, "2024", How::IdOrName, "2024"),
            (group, "id:2024", How::Id, "2024"),
            (group, "TD 1", How::Name, "TD 1"),
        ] {
            assert_eq!(plain.read(given), (how, label.to_owned()), "{given}");
        }
    }
}
