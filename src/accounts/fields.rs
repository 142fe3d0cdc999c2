//! The site's custom profile fields: what they accept, and the rows that accounts get for them. It must not know the
//! other values of an account.

use crate::accounts::tables::PROFILE_FIELD;
use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::change::rewrite::Rewriting;
use crate::db::{Bulk, DbError, Field, Params, statement};
use crate::files::flags;
use crate::outcome::RunResult;
use crate::problem::{Code, Problem, shown};

/// What a checkbox accepts, for messages.
const FLAG: &str = "0, 1, yes, no, oui, non";

const DIFFERING: &str = statement(include_str!("fields.sql"), "differing");
const MISSING: &str = statement(include_str!("fields.sql"), "missing");

/// A custom profile field.
#[derive(Clone, Debug)]
pub struct ProfileField {
    /// `user_info_field.id`
    pub id: i64,
    name: String,
    kind: String,
    options: Vec<String>,
    /// The most characters of a text field, if the site limits it.
    most: Option<usize>,
}

/// Why a field does not take a text.
pub enum Unusable {
    /// It is none of the options of a menu.
    Option,
    /// It is no value; what is expected.
    Value(&'static str),
    /// It is no time; the hint.
    Time(String),
    /// It has more characters than this.
    TooLong(usize),
}

impl ProfileField {
    /// A text as the field stores it; `time` parses a date.
    ///
    /// # Errors
    /// Why the field does not take it.
    pub fn read(&self, text: &str, time: impl Fn(&str) -> Result<i64, String>) -> Result<String, Unusable> {
        match self.kind.as_str() {
            "menu" if text.is_empty() || self.options.iter().any(|option| option == text) => Ok(text.to_owned()),
            "menu" => Err(Unusable::Option),
            "checkbox" => match flags::parse(text) {
                // A word for nothing is no value.
                Some(false) if !text.is_empty() && !flags::is_no(text) => Err(Unusable::Value(FLAG)),
                Some(flag) => Ok(i64::from(flag).to_string()),
                None => Err(Unusable::Value(FLAG)),
            },
            "text" => match self.most {
                Some(most) if text.chars().count() > most => Err(Unusable::TooLong(most)),
                _ => Ok(text.to_owned()),
            },
            "datetime" => time(text).map(|time| time.to_string()).map_err(Unusable::Time),
            _ => Ok(text.to_owned()),
        }
    }
}

/// The custom profile fields of a site.
pub struct Fields(Vec<ProfileField>);

impl Fields {
    /// All fields: id and short name.
    pub fn all(&self) -> impl Iterator<Item = (i64, &str)> {
        self.0.iter().map(|field| (field.id, field.name.as_str()))
    }

    /// The field of this short name: exactly, or else in any case, as Moodle finds it.
    pub fn of(&self, name: &str) -> Option<&ProfileField> {
        let exact = self.0.iter().find(|field| field.name == name);
        exact.or_else(|| self.0.iter().find(|field| field.name.to_lowercase() == name.to_lowercase()))
    }

    /// The fields, if the site has all that a header names.
    ///
    /// # Errors
    /// `column-unknown`.
    pub fn named_in<'a>(self, mut header: impl Iterator<Item = &'a str>) -> Result<Self, Problem> {
        match header.find(|name| self.of(name).is_none()) {
            Some(name) => {
                let column = shown(&format!("profile_field_{name}"));
                Err(Problem::new(1, Code::ColumnUnknown, column, ""))
            }
            None => Ok(self),
        }
    }
}

/// Reads the fields of the site, a few rows, and fills the temporary table `profile_field`.
///
/// # Errors
/// The database's error.
pub async fn load(ctx: &mut RunContext<'_>) -> Result<Fields, DbError> {
    ctx.conn.declare(&PROFILE_FIELD);
    let sql = "SELECT f.id, f.shortname, f.datatype, COALESCE(f.param1, ''), COALESCE(f.defaultdata, ''),
         COALESCE(f.param2, '')
         FROM {user_info_field} f ORDER BY f.id";
    let (mut fields, mut rows) = (Vec::new(), Bulk::into(ctx.conn.dialect(), &PROFILE_FIELD));
    for row in ctx.conn.rows(sql, &Params::new()).await? {
        let (id, kind, preset) = (row.int(0), row.text(2), row.text(4));
        let preset = match kind.as_str() {
            "datetime" => "0".to_owned(),
            "checkbox" if preset.is_empty() => "0".to_owned(),
            _ => preset,
        };
        let filled = kind != "menu" || !preset.is_empty();
        let cells = [
            Field::Int(id),
            Field::Int(i64::from(filled)),
            Field::Int(i64::from(kind == "textarea")),
            Field::Text(&preset),
        ];
        rows.push(ctx.conn, &cells).await?;
        let options =
            if kind == "menu" { row.text(3).lines().map(|line| line.trim().to_owned()).collect() } else { Vec::new() };
        let most = row.text(5).trim().parse().ok().filter(|most| *most > 0);
        fields.push(ProfileField { id, name: row.text(1), kind, options, most });
    }
    rows.finish(ctx.conn).await?;
    Ok(Fields(fields))
}

/// The condition that a row `n` of `account_now` gives a field of its account `x` another value; `:fill` restricts it
/// to empty ones.
pub const CHANGES: &str = statement(include_str!("fields.sql"), "changes");

/// Writes the fields of the accounts that this pass has made or changed: the values of their rows, and the defaults
/// for fields without a row.
///
/// # Errors
/// The database's error.
pub async fn write(ctx: &mut RunContext<'_>, pass_no: i64, params: &Params) -> RunResult<()> {
    if ctx.conn.is_unmade(PROFILE_FIELD.name) {
        return Ok(());
    }
    let position = Position { pass_no, rank: kinds::CHANGE_FIELD };
    let dialect = ctx.conn.dialect();
    let data = Rewriting::of(dialect, "user_info_data", &[("data", "f.value".to_owned())], &[], &[]);
    let all = params.clone().and(ctx.at(position));
    let differing =
        all.fragment("oldrow", data.oldrow).fragment("newrow", data.newrow).fragment("differs", data.differs);
    let columns = "line, userid, courseid, contextid, itemid, targetid, oldrow, newrow";
    let order = "planned.line, planned.itemid";
    let planned = ctx.journal(position, columns, order, DIFFERING, differing).await?;
    ctx.rewrite_planned(position, planned, &["data"]).await?;

    let position = Position { pass_no, rank: kinds::FILL_FIELD };
    let row = dialect.json_given(&[("data", "CASE WHEN f.line IS NULL THEN p.preset ELSE f.value END".to_owned())]);
    let missing = params.clone().and(ctx.at(position)).fragment("row", row);
    let columns = "line, userid, courseid, contextid, itemid, status, oldrow";
    let planned = ctx.journal(position, columns, order, MISSING, missing).await?;
    if planned == 0 {
        return Ok(());
    }
    let select = format!(
        "SELECT c.userid, c.itemid, {}, c.status FROM {{enrold_change}} c WHERE :here ORDER BY c.seq",
        dialect.json_text("c.oldrow", "data")
    );
    let params = ctx.at(position);
    let applied = ctx
        .conn
        .insert_missing("{user_info_data}", "userid, fieldid, data, dataformat", &select, &params, planned)
        .await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
