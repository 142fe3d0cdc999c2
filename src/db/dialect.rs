//! Gives the SQL text of everything that differs between the three databases, as named functions.
//! It must not open connections and must not know Moodle's tables.

use super::collation::Collation;
use super::literal::Literal;

/// Up to this many numbers, [`Dialect::among`] gives PostgreSQL an array.
const FEW: i64 = 100;

/// The SQL dialects that enrold speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MariaDB and MySQL.
    Maria,
    /// SQLite, the embedded database.
    Lite,
}

impl Dialect {
    /// The usual name of the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Maria => "MariaDB/MySQL",
            Self::Lite => "SQLite",
        }
    }

    /// A quoted identifier (`user` and `groups` are reserved words in some databases).
    pub fn quote(self, name: &str) -> String {
        match self {
            Self::Maria => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// Unix seconds by the database server's own clock.
    pub fn clock(self) -> &'static str {
        match self {
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)",
            Self::Maria => "UNIX_TIMESTAMP()",
            Self::Lite => "CAST(strftime('%s','now') AS INTEGER)",
        }
    }

    /// A text of digits, as a number.
    pub fn to_int(self, expression: &str) -> String {
        match self {
            Self::Maria => format!("CAST({expression} AS SIGNED)"),
            _ => format!("CAST({expression} AS BIGINT)"),
        }
    }

    /// A number as text.
    pub fn to_text(self, expression: &str) -> String {
        match self {
            Self::Maria => format!("CAST({expression} AS CHAR)"),
            _ => format!("CAST({expression} AS TEXT)"),
        }
    }

    /// Any text as a literal, which may be part of a template.
    pub fn text(self, text: &str) -> Literal {
        Literal::of(self, text)
    }

    /// A text of the site that compares, and can be in a `UNION`, with any other text, by its bytes: on MariaDB two
    /// columns of different collations cannot. It uses no index.
    pub fn neutral(self, column: &str) -> String {
        match self {
            Self::Maria => format!("CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin"),
            _ => column.to_owned(),
        }
    }

    /// One row of `alias` as a JSON object text with these columns.
    pub fn json_row(self, alias: &str, columns: &[String]) -> String {
        let pairs = columns
            .iter()
            .map(|column| format!("{}, {alias}.{}", self.text(column), self.quote(column)))
            .collect::<Vec<_>>()
            .join(", ");
        match self {
            Self::Postgres => format!("CAST(json_build_object({pairs}) AS TEXT)"),
            // JSON_OBJECT of columns with several collations compares with nothing.
            Self::Maria => self.neutral(&format!("JSON_OBJECT({pairs})")),
            Self::Lite => format!("json_object({pairs})"),
        }
    }

    /// A JSON object text with those of these columns whose value is not NULL.
    pub fn json_given(self, members: &[(&str, String)]) -> String {
        let pairs = members.iter().map(|(name, value)| format!("{}, {value}", self.text(name)));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        match self {
            Self::Postgres => format!("CAST(json_strip_nulls(json_build_object({pairs})) AS TEXT)"),
            // A merge removes the members that are null.
            Self::Maria => self.neutral(&format!("JSON_MERGE_PATCH('{{}}', JSON_OBJECT({pairs}))")),
            Self::Lite => format!("json_patch('{{}}', json_object({pairs}))"),
        }
    }

    /// A text as a JSON string, with its quotes.
    pub fn json_quoted(self, text: &str) -> String {
        match self {
            Self::Postgres => format!("CAST(to_json({text}) AS TEXT)"),
            Self::Maria => self.neutral(&format!("JSON_QUOTE({text})")),
            Self::Lite => format!("json_quote({text})"),
        }
    }

    /// A complete row as a JSON object text; `columns` are all columns of its table, `is_int` is true for integers.
    pub fn json_whole_row(self, alias: &str, columns: &[String], is_int: impl Fn(&str) -> bool) -> String {
        if self != Self::Postgres {
            return self.json_row(alias, columns);
        }
        let members = columns.iter().enumerate().map(|(at, column)| {
            let comma = if at > 0 { "," } else { "" };
            let value = format!("{alias}.{}", self.quote(column));
            let value = if is_int(column) { value } else { format!("CAST(to_json({value}) AS TEXT)") };
            format!("{} || {value}", self.text(&format!("{comma}{}:", serde_json::Value::from(column.as_str()))))
        });
        // The same text as row_to_json gives, in a third of the time; row_to_json serves rows with a NULL.
        let members = members.collect::<Vec<_>>().join(" || ");
        format!("COALESCE('{{' || {members} || '}}', CAST(row_to_json({alias}) AS TEXT))")
    }

    /// One member of a JSON object text, as text; `key` is a plain name (letters, digits, `_`).
    pub fn json_text(self, expression: &str, key: &str) -> String {
        match self {
            Self::Postgres => format!("(CAST({expression} AS json)->>'{key}')"),
            Self::Maria => format!("JSON_VALUE({expression}, '$.{key}')"),
            Self::Lite => format!("CAST(json_extract({expression}, '$.{key}') AS TEXT)"),
        }
    }

    /// Several members of a JSON object text, as texts: a join for the `FROM` (with a table named `alias`), and an
    /// expression for each key; `keys` are plain names. PostgreSQL parses the object once for all of them.
    pub fn json_texts(self, expression: &str, alias: &str, keys: &[&str]) -> (String, Vec<String>) {
        if self != Self::Postgres {
            return (String::new(), keys.iter().map(|key| self.json_text(expression, key)).collect());
        }
        let columns = keys.iter().map(|key| format!("{key} TEXT")).collect::<Vec<_>>().join(", ");
        let join =
            format!("LEFT JOIN LATERAL json_to_record(CAST({expression} AS json)) AS {alias}({columns}) ON TRUE");
        (join, keys.iter().map(|key| format!("{alias}.{key}")).collect())
    }

    /// The members of a JSON object text as values of the columns of `table`, with any column names: a join for the
    /// `FROM` (with a row named `alias`), and an expression for each column.
    pub fn json_record(self, expression: &str, alias: &str, table: &str, columns: &[String]) -> (String, Vec<String>) {
        if self == Self::Postgres {
            let join = format!(
                "CROSS JOIN LATERAL json_populate_record(CAST(NULL AS {table}), CAST({expression} AS json)) {alias}"
            );
            return (join, columns.iter().map(|column| format!("{alias}.{}", self.quote(column))).collect());
        }
        let path = |column: &str| self.text(&format!("$.{}", serde_json::Value::from(column)));
        let plain = |column: &str| column.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let value = |column: &String| match self {
            Self::Maria => format!("JSON_VALUE({expression}, {})", path(column)),
            _ if plain(column) => format!("json_extract({expression}, {})", path(column)),
            _ => format!("(SELECT j.value FROM json_each({expression}) j WHERE j.key = {})", self.text(column)),
        };
        (String::new(), columns.iter().map(value).collect())
    }

    /// `DELETE` of the rows of `table` (as `alias`) that join `from` under `condition`, in a form that the database
    /// runs by its indexes (MariaDB never gives `IN (SELECT …)` a semi-join: crates.md 3).
    pub fn delete_joined(self, table: &str, alias: &str, from: &str, condition: &str) -> String {
        match self {
            Self::Postgres => {
                format!("DELETE FROM {table} AS {alias} USING {from} WHERE {condition}")
            }
            Self::Maria => {
                format!("DELETE {alias} FROM {table} AS {alias}, {from} WHERE {condition}")
            }
            Self::Lite => {
                format!(
                    "DELETE FROM {table} WHERE id IN \
                     (SELECT {alias}.id FROM {from} JOIN {table} AS {alias} ON {condition})"
                )
            }
        }
    }

    /// [`Dialect::delete_joined`] followed by `otherwise` and the ids of the deleted rows in parentheses, in one
    /// statement. `None` where the database has no such form; there the rows are locked first. (PostgreSQL locks rows
    /// only for an account that may change them, and enrold requires no right that it can do without.)
    pub fn delete_or(self, table: &str, alias: &str, from: &str, condition: &str, otherwise: &str) -> Option<String> {
        let delete = self.delete_joined(table, alias, from, condition);
        (self == Self::Postgres)
            .then(|| format!("WITH gone AS ({delete} RETURNING {alias}.id) {otherwise} (SELECT gone.id FROM gone)"))
    }

    /// The condition, behind an expression, that it is one of the `count` numbers of a query. PostgreSQL gets few
    /// numbers as an array: it looks them up in an index, or counts in the index alone, even where it joins whole sets
    /// otherwise. It would compare with many one by one.
    pub fn among(self, query: &str, count: i64) -> String {
        if self == Self::Postgres && count <= FEW { format!("= ANY (ARRAY({query}))") } else { format!("IN ({query})") }
    }

    /// `UPDATE` of the rows of `table` (as `alias`) that join `from` under `condition`.
    pub fn update_joined(self, table: &str, alias: &str, set: &[(&str, &str)], from: &str, condition: &str) -> String {
        let list = |before: &str| {
            set.iter().map(|(column, value)| format!("{before}{column} = {value}")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Maria => {
                format!("UPDATE {table} AS {alias}, {from} SET {} WHERE {condition}", list(&format!("{alias}.")))
            }
            _ => format!("UPDATE {table} AS {alias} SET {} FROM {from} WHERE {condition}", list("")),
        }
    }

    /// A query that locks the rows of `table` (as `alias`) that join `from` under `condition` and gives their number;
    /// `None` on SQLite, where a run already holds the only lock.
    pub fn hold_joined(self, table: &str, alias: &str, from: &str, condition: &str) -> Option<String> {
        match self {
            Self::Postgres => Some(format!(
                "SELECT COUNT(*) FROM (SELECT {alias}.id FROM {table} {alias}, {from} WHERE {condition} \
                 FOR UPDATE OF {alias}) held"
            )),
            Self::Maria => {
                Some(format!("SELECT COUNT(*) FROM {table} AS {alias}, {from} WHERE {condition} FOR UPDATE"))
            }
            Self::Lite => None,
        }
    }

    /// `INSERT … SELECT` that skips rows whose unique key exists already. `select` must end in a `WHERE` clause or
    /// `ORDER BY`, or SQLite reads `ON CONFLICT` as a join. For a temporary table, `[name]`, `columns` is empty.
    pub fn insert_absent(self, table: &str, columns: &str, select: &str) -> String {
        let into = if columns.is_empty() { table.to_owned() } else { format!("{table} ({columns})") };
        match self {
            Self::Maria => format!("INSERT IGNORE INTO {into} {select}"),
            _ => format!("INSERT INTO {into} {select} ON CONFLICT DO NOTHING"),
        }
    }

    /// A text of the site in small letters, with the same result under every locale of the server and every collation
    /// of the column. Only letters of ASCII count: a database folds the others by rules of its own.
    pub fn lower(self, column: &str) -> String {
        match self {
            // The collation of the result is the usual one again.
            Self::Postgres => format!("(LOWER({column} COLLATE \"C\") COLLATE \"default\")"),
            Self::Maria => format!("LOWER({})", self.neutral(column)),
            Self::Lite => format!("LOWER({column})"),
        }
    }

    /// The condition that a text of the site has a character outside ASCII.
    pub fn beyond_ascii(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("OCTET_LENGTH({column}) <> CHAR_LENGTH({column})"),
            Self::Maria => format!("LENGTH(CONVERT({column} USING utf8mb4)) <> CHAR_LENGTH({column})"),
            Self::Lite => format!("LENGTH(CAST({column} AS BLOB)) <> LENGTH({column})"),
        }
    }

    /// An exact comparison of a column of the site with a key of enrold, by the column's index. On MariaDB the column's
    /// collation alone would equate `É` and `e`; `BINARY` alone would not use the index.
    pub fn exact(self, column: &str, key: &str, collation: Option<&Collation>) -> String {
        if self != Self::Maria {
            return format!("{column} = {key}");
        }
        match collation {
            Some(collation) if !collation.is_unicode() => {
                let column = self.neutral(column);
                format!("({column} = {key} AND BINARY {column} = BINARY {key})")
            }
            _ => format!("({} AND BINARY {column} = BINARY {key})", self.alike(column, key, collation)),
        }
    }

    /// A comparison of a column of the site with a key of enrold as Moodle makes it: by the column's collation on
    /// MariaDB, exactly elsewhere.
    pub fn alike(self, column: &str, key: &str, collation: Option<&Collation>) -> String {
        match (self, collation) {
            (Self::Maria, Some(collation)) if collation.is_four_bytes() => {
                format!("{column} = {key} COLLATE {collation}")
            }
            // The column holds no characters of four bytes, and converting one is an error inside INSERT … SELECT.
            (Self::Maria, Some(collation)) if collation.is_unicode() => format!(
                "{column} = CONVERT(CASE WHEN {} THEN {key} END USING {}) COLLATE {collation}",
                three_bytes(key),
                collation.charset()
            ),
            _ => format!("{column} = {key}"),
        }
    }

    /// A key of enrold to group by: it groups what Moodle treats as equal in a column of this collation.
    pub fn grouped(self, key: &str, collation: Option<&Collation>) -> String {
        match (self, collation) {
            (Self::Maria, Some(collation)) if collation.is_unicode() => {
                format!("{key} COLLATE {}", collation.of_four_bytes())
            }
            _ => key.to_owned(),
        }
    }

    /// The condition that a text of enrold contains a character that a column of this collation cannot store; `None`
    /// where it can store all (Moodle has no character sets but UTF-8: `doctor` refuses others).
    pub fn unstorable(self, text: &str, collation: Option<&Collation>) -> Option<String> {
        let narrow = collation.is_some_and(|collation| collation.is_unicode() && !collation.is_four_bytes());
        (self == Self::Maria && narrow).then(|| format!("NOT ({})", three_bytes(text)))
    }

    /// A text for a column of this collation, with U+FFFD for what it cannot store. Only for informative texts (the
    /// log).
    pub fn fitting(self, text: &str, collation: Option<&Collation>) -> String {
        match self.unstorable(text, collation) {
            Some(_) => format!("REGEXP_REPLACE({text}, '[^\\x{{1}}-\\x{{FFFF}}]', '\u{fffd}')"),
            None => text.to_owned(),
        }
    }

    /// Equality of two texts of enrold in temporary tables, with their trailing blanks, which MariaDB's collations
    /// ignore.
    pub fn same_text(self, one: &str, other: &str) -> String {
        match self {
            Self::Maria => format!("({one} = {other} AND LENGTH({one}) = LENGTH({other}))"),
            _ => format!("{one} = {other}"),
        }
    }

    /// Equality of bytes, whatever the collation's rules for case, accents or trailing blanks; it uses no index.
    pub fn same_bytes(self, value: &str, key: &str) -> String {
        match self {
            Self::Maria => format!("BINARY {value} = BINARY {key}"),
            _ => format!("{value} = {key}"),
        }
    }

    /// The condition that a text contains the bytes of another, which is not empty.
    pub fn holds_bytes(self, value: &str, key: &str) -> String {
        match self {
            Self::Postgres => format!("strpos({value}, {key}) > 0"),
            Self::Maria => format!("LOCATE(BINARY {key}, BINARY {value}) > 0"),
            Self::Lite => format!("instr({value}, {key}) > 0"),
        }
    }

    /// The condition that a text begins with the bytes of another, which is not empty.
    pub fn begins_with_bytes(self, value: &str, key: &str) -> String {
        match self {
            Self::Maria => format!("LEFT(BINARY {value}, LENGTH({key})) = BINARY {key}"),
            _ => format!("substr({value}, 1, length({key})) = {key}"),
        }
    }

    /// The condition that a text ends with the bytes of another, which is not empty.
    pub fn ends_with_bytes(self, value: &str, key: &str) -> String {
        match self {
            Self::Postgres => format!("right({value}, length({key})) = {key}"),
            Self::Maria => format!("RIGHT(BINARY {value}, LENGTH({key})) = BINARY {key}"),
            Self::Lite => format!("substr({value}, -length({key})) = {key}"),
        }
    }

    /// `DROP` of a temporary table, if it exists.
    pub fn drop_temporary(self, name: &str) -> String {
        match self {
            Self::Postgres => format!("DROP TABLE IF EXISTS pg_temp.{name} CASCADE"),
            Self::Maria => format!("DROP TEMPORARY TABLE IF EXISTS {name}"),
            Self::Lite => format!("DROP TABLE IF EXISTS temp.{name}"),
        }
    }

    /// `CREATE` of a temporary table that lives no longer than the transaction or the session.
    pub fn temporary(self, name: &str, columns: &str) -> String {
        match self {
            Self::Postgres => format!("CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP"),
            Self::Maria => format!(
                "CREATE TEMPORARY TABLE {name} ({columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
            ),
            Self::Lite => format!("CREATE TEMPORARY TABLE {name} ({columns})"),
        }
    }
}

/// The condition that no character of a text takes four bytes in UTF-8: only those take two units of UTF-16.
fn three_bytes(text: &str) -> String {
    format!("LENGTH(CONVERT({text} USING utf16)) = 2 * CHAR_LENGTH({text})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(Dialect::Postgres.quote("mdl_user"), "\"mdl_user\"");
        assert_eq!(Dialect::Maria.quote("groups"), "`groups`");
        assert_eq!(Dialect::Lite.quote("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn joined_delete_names_every_engine() {
        let text = |d: Dialect| d.delete_joined("t", "x", "c", "x.id = c.targetid");
        assert!(text(Dialect::Postgres).contains("USING c"));
        assert!(text(Dialect::Maria).starts_with("DELETE x FROM t AS x, c"));
        assert!(text(Dialect::Lite).contains("IN (SELECT x.id"));
    }
}
