//! Renders SQL templates: `{table}` becomes the site's quoted table name, `[table]` a temporary table, `{=column}` a
//! text that compares with any other, `:name` a number, a fragment or a text. It must not know connections or what the
//! statements mean.

use std::borrow::Cow;

use super::dialect::Dialect;
use super::literal::Literal;
use super::table::Table;

/// A value for a `:name` in a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, written into the statement.
    Int(i64),
    /// A text: bound on SQLite, a [`Literal`] for the servers.
    Text(String),
    /// A fragment of SQL made by [`Dialect`]'s functions; it may hold `{table}` and `:name` itself.
    Sql(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// The named parameters of one statement.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(Cow<'static, str>, Value)>);

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces one parameter.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let name = name.into();
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
        self
    }

    /// Adds or replaces a fragment of SQL.
    pub fn fragment(self, name: &'static str, sql: impl Into<String>) -> Self {
        self.with(name, Value::Sql(sql.into()))
    }

    /// Adds all of `others`, which replace parameters of the same name.
    pub fn and(self, others: Self) -> Self {
        others.0.into_iter().fold(self, |params, (name, value)| params.with(name, value))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// A statement rendered for one database, with its texts in the order of the placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The SQL text.
    pub sql: String,
    /// The texts to bind, on SQLite.
    pub texts: Vec<String>,
    /// The temporary tables that it names, each as often as it is named.
    pub tables: Vec<String>,
    /// If it is a plain `INSERT INTO [table] SELECT …`: the table, and the offset at which the select begins.
    pub fills: Option<(String, usize)>,
}

/// An error in a template: a bug in enrold, never an error of the user.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A parameter without a value.
    #[error("the SQL template misses the parameter :{0}")]
    Parameter(String),
    /// A temporary table that is not declared.
    #[error("the SQL template names the temporary table {0}, which nobody has declared")]
    Table(String),
}

/// What a template is rendered with.
struct Source<'a> {
    dialect: Dialect,
    prefix: &'a str,
    params: [&'a Params; 2],
    tables: &'a dyn Fn(&str) -> Option<&'a Table>,
}

/// Renders a template for a dialect and a table prefix.
///
/// Tables named `enrold_…` have no prefix, all others get the site's. `{=c.name}` is a column of the site in the form
/// of [`Dialect::neutral`]. `[pair]` is one of the temporary `tables`; behind `INSERT INTO` its column list is added.
/// `{#r.itemid}` is a number and `{~r.component}` a text for which no index is used. Quoted texts and identifiers are
/// unchanged; comments, from `--` to the end of the line, are removed.
///
/// A parameter that `params` lack is taken from `common`.
pub fn render<'a>(
    template: &str,
    dialect: Dialect,
    prefix: &'a str,
    params: &'a Params,
    common: &'a Params,
    tables: &'a dyn Fn(&str) -> Option<&'a Table>,
) -> Result<Statement, TemplateError> {
    let sql = String::with_capacity(template.len() + 64);
    let mut statement = Statement { sql, texts: Vec::new(), tables: Vec::new(), fills: None };
    render_into(template, &Source { dialect, prefix, params: [params, common], tables }, &mut statement)?;
    Ok(statement)
}

/// Renders the table names of a statement that has no parameters but may hold `:` anywhere.
pub fn render_tables(template: &str, dialect: Dialect, prefix: &str) -> String {
    let mut sql = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'{')) {
        sql.push_str(&rest[..at]);
        let tail = &rest[at..];
        rest = match tail.as_bytes()[0] {
            quote @ (b'\'' | b'"' | b'`') => copy_quoted(tail, quote, &mut sql),
            _ => copy_table(tail, dialect, prefix, &mut sql),
        };
    }
    sql.push_str(rest);
    sql
}

fn render_into(template: &str, source: &Source<'_>, out: &mut Statement) -> Result<(), TemplateError> {
    let mut rest = template;
    let is_mark = |byte| matches!(byte, b'\'' | b'"' | b'`' | b'{' | b'[' | b':' | b'-');
    while let Some(at) = rest.bytes().position(is_mark) {
        out.sql.push_str(&rest[..at]);
        let tail = &rest[at..];
        rest = match tail.as_bytes()[0] {
            // A comment may contain any of these characters. Comments before the statement leave no blanks.
            b'-' if tail.starts_with("--") => {
                let after = tail.find('\n').map_or("", |end| &tail[end..]);
                if out.sql.is_empty() { after.trim_start() } else { after }
            }
            b'-' => {
                out.sql.push('-');
                &tail[1..]
            }
            quote @ (b'\'' | b'"' | b'`') => copy_quoted(tail, quote, &mut out.sql),
            b'{' => copy_table(tail, source.dialect, source.prefix, &mut out.sql),
            b'[' => copy_temporary(tail, source, out)?,
            _ => copy_parameter(tail, source, out)?,
        };
    }
    out.sql.push_str(rest);
    Ok(())
}

/// Writes the name of a temporary table, behind `INTO` with the list of its columns.
fn copy_temporary<'a>(tail: &'a str, source: &Source<'_>, out: &mut Statement) -> Result<&'a str, TemplateError> {
    const FILLS: &str = "INTO ";
    let end = tail.find(']').unwrap_or(tail.len());
    let name = &tail[1..end];
    let table = (source.tables)(name).ok_or_else(|| TemplateError::Table(name.to_owned()))?;
    let filled = out.sql.ends_with(FILLS);
    out.tables.push(name.to_owned());
    out.sql.push_str(name);
    if filled {
        let alone = out.sql.strip_prefix("INSERT INTO ") == Some(name);
        out.sql.push_str(&format!(" ({})", table.columns()));
        out.fills = alone.then(|| (name.to_owned(), out.sql.len() + 1));
    }
    Ok(tail.get(end + 1..).unwrap_or(""))
}

/// Copies a quoted text or identifier. A doubled quote ends it and begins another, with the same result.
fn copy_quoted<'a>(tail: &'a str, quote: u8, sql: &mut String) -> &'a str {
    let end = tail[1..].find(char::from(quote)).map_or(tail.len(), |at| at + 2);
    sql.push_str(&tail[..end]);
    &tail[end..]
}

fn copy_table<'a>(tail: &'a str, dialect: Dialect, prefix: &str, sql: &mut String) -> &'a str {
    let end = tail.find('}').unwrap_or(tail.len());
    let name = tail[1..end].trim();
    if let Some(column) = name.strip_prefix('=') {
        sql.push_str(&dialect.neutral(column));
        return tail.get(end + 1..).unwrap_or("");
    }
    if let Some(unindexed) = name.strip_prefix('#').map(|column| format!("{column} + 0")) {
        sql.push_str(&unindexed);
        return tail.get(end + 1..).unwrap_or("");
    }
    if let Some(unindexed) = name.strip_prefix('~').map(|column| format!("{column} || ''")) {
        sql.push_str(&unindexed);
        return tail.get(end + 1..).unwrap_or("");
    }
    let full = if name.starts_with("enrold_") { name.to_owned() } else { format!("{prefix}{name}") };
    sql.push_str(&dialect.quote(&full));
    tail.get(end + 1..).unwrap_or("")
}

fn copy_parameter<'a>(tail: &'a str, source: &Source<'_>, out: &mut Statement) -> Result<&'a str, TemplateError> {
    let end = 1 + tail[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(tail.len() - 1);
    let name = &tail[1..end];
    if name.is_empty() {
        out.sql.push(':');
        return Ok(&tail[1..]);
    }
    match source
        .params
        .iter()
        .find_map(|params| params.get(name))
        .ok_or_else(|| TemplateError::Parameter(name.to_owned()))?
    {
        Value::Int(number) if *number < 0 => out.sql.push_str(&format!("({number})")),
        Value::Int(number) => out.sql.push_str(&number.to_string()),
        Value::Sql(fragment) => render_into(fragment, source, out)?,
        Value::Text(text) if source.dialect == Dialect::Lite => {
            out.texts.push(text.clone());
            out.sql.push('?');
        }
        Value::Text(text) => out.sql.push_str(Literal::of(source.dialect, text).as_sql()),
    }
    Ok(&tail[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::table::int;

    fn sql(dialect: Dialect, template: &str, params: Params) -> Statement {
        render(template, dialect, "mdl_", &params, &Params::new(), &|_| None).unwrap()
    }

    #[test]
    fn remarks_are_left_out() {
        let got = sql(Dialect::Lite, "SELECT a - 1 -- nobody's {user} :x\n  FROM {user} -- end", Params::new());
        assert_eq!(got.sql, "SELECT a - 1 \n  FROM \"mdl_user\" ");
        assert_eq!(sql(Dialect::Lite, "-- One.\n-- Two.\nDELETE", Params::new()).sql, "DELETE");
    }

    #[test]
    fn a_temporary_table_is_known_and_brings_its_columns_where_it_is_filled() {
        const PAIR: Table = Table::new("pair", &[int("userid"), int("courseid")]);
        let tables = |name: &str| (name == "pair").then_some(&PAIR);
        let none = Params::new();
        let got = |template: &str| render(template, Dialect::Postgres, "mdl_", &none, &none, &tables);
        let filled = got("INSERT INTO [pair] SELECT 1, 2").unwrap();
        assert_eq!(filled.sql, "INSERT INTO pair (userid, courseid) SELECT 1, 2");
        assert_eq!(
            filled.fills.as_ref().map(|(name, at)| (name.as_str(), &filled.sql[*at..])),
            Some(("pair", "SELECT 1, 2"))
        );
        let inside = got("WITH a AS (INSERT INTO [pair] SELECT 1, 2 RETURNING 1) SELECT '[x]' FROM [pair] p").unwrap();
        assert!(inside.sql.ends_with("SELECT '[x]' FROM pair p") && inside.fills.is_none());
        assert_eq!(inside.tables, ["pair", "pair"]);
        assert_eq!(
            got("SELECT 1 FROM [other]").unwrap_err().to_string(),
            "the SQL template names the temporary table other, which nobody has declared"
        );
    }

    #[test]
    fn columns_by_which_no_index_is_used() {
        let got = sql(Dialect::Maria, "{#r.itemid} = 1 AND {~r.component} = ''", Params::new());
        assert_eq!(got.sql, "r.itemid + 0 = 1 AND r.component || '' = ''");
    }

    #[test]
    fn tables_and_parameters() {
        let params = Params::new().with("id", 7).with("name", "O'Hara");
        let got =
            sql(Dialect::Postgres, "SELECT id FROM {user} WHERE id = :id AND username = :name AND a <> ':id'", params);
        assert_eq!(got.sql, "SELECT id FROM \"mdl_user\" WHERE id = 7 AND username = 'O''Hara' AND a <> ':id'");
        assert!(got.texts.is_empty());
    }

    #[test]
    fn own_tables_have_no_prefix_and_fragments_are_rendered() {
        let params = Params::new().fragment("cond", "x.id = :id").with("id", -1);
        let got = sql(Dialect::Maria, "SELECT 1 FROM {enrold_run} x WHERE :cond", params);
        assert_eq!(got.sql, "SELECT 1 FROM `enrold_run` x WHERE x.id = (-1)");
    }

    #[test]
    fn quoted_identifiers_are_no_template() {
        for (dialect, name) in [
            (Dialect::Postgres, r#""we'ird:col{x}--""y""#),
            (Dialect::Maria, "`we'ird:col{x}--``y`"),
            (Dialect::Lite, r#""we'ird:col{x}--""y""#),
        ] {
            let template = format!("SELECT x.{name}, :id FROM {{user}} x -- '");
            let got = sql(dialect, &template, Params::new().with("id", 7));
            let user = dialect.quote("mdl_user");
            assert_eq!(got.sql, format!("SELECT x.{name}, 7 FROM {user} x "));
            assert_eq!(dialect.quote(&name[1..name.len() - 1].replace("\"\"", "\"").replace("``", "`")), name);
            assert_eq!(
                render_tables(&format!("SELECT {name} FROM {{user}}"), dialect, "mdl_"),
                format!("SELECT {name} FROM {user}")
            );
        }
    }

    #[test]
    fn columns_of_the_site_are_made_comparable_on_mariadb() {
        let of = |dialect| sql(dialect, "SELECT {=c.name} FROM {config} c", Params::new()).sql;
        assert_eq!(of(Dialect::Maria), "SELECT CONVERT(c.name USING utf8mb4) COLLATE utf8mb4_bin FROM `mdl_config` c");
        assert_eq!(of(Dialect::Lite), "SELECT c.name FROM \"mdl_config\" c");
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let error = render("SELECT :x", Dialect::Lite, "", &Params::new(), &Params::new(), &|_| None).unwrap_err();
        assert_eq!(error.to_string(), "the SQL template misses the parameter :x");
    }
}
