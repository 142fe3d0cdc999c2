//! Reads the collations of a site's text columns: on MariaDB each column may have its own. It must not compare
//! anything; [`Dialect`](super::Dialect) makes the SQL.

use std::collections::BTreeMap;
use std::fmt;

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;

/// The tables with a column that is compared with keys of enrold, or receives texts from outside.
const TABLES: [&str; 11] = [
    "cache_flags",
    "cohort",
    "course",
    "course_categories",
    "grade_grades_history",
    "groups",
    "groupings",
    "customfield_data",
    "logstore_standard_log",
    "tag",
    "user",
];

/// The name of a collation of MariaDB or MySQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collation(String);

impl Collation {
    /// The character set: the collation's name begins with it.
    pub fn charset(&self) -> &str {
        self.0.split('_').next().unwrap_or_default()
    }

    /// Whether it can store every character.
    pub fn is_four_bytes(&self) -> bool {
        self.charset() == "utf8mb4"
    }

    /// Whether it is UTF-8, of three bytes (`utf8mb3`, `utf8` before MariaDB 10.6) or four.
    pub fn is_unicode(&self) -> bool {
        matches!(self.charset(), "utf8mb4" | "utf8mb3" | "utf8")
    }

    /// Whether it equates each capital with its small letter. (Those of Turkish do not equate `I` with `i`.)
    pub fn ignores_case(&self) -> bool {
        let turkish = self.0.contains("turkish") || self.0.contains("_tr_");
        self.0.ends_with("_ci") && self.is_unicode() && !turkish
    }

    /// The collation of the same rules for four bytes; an old one that only three bytes have becomes its successor.
    pub fn of_four_bytes(&self) -> String {
        let rules = self.0.split_once('_').map_or("bin", |(_, rules)| rules);
        format!("utf8mb4_{}", rules.replace("general_mysql500_ci", "general_ci"))
    }
}

impl fmt::Display for Collation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The collations of the columns of [`TABLES`]; empty where a database compares all texts alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Collations(BTreeMap<(String, String), Collation>);

impl Collations {
    /// Reads them in one statement, which opens a fixed number of tables.
    pub(super) async fn read(conn: &mut Conn) -> Result<Self, DbError> {
        if conn.dialect() != Dialect::Maria {
            return Ok(Self::default());
        }
        let prefix = conn.prefix().to_owned();
        let name = |table: &&str| conn.dialect().text(&format!("{prefix}{table}")).to_string();
        let names: Vec<String> = TABLES.iter().map(name).collect();
        let params = Params::new().fragment("names", names.join(", "));
        let sql = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(collation_name AS CHAR)
              FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name IN (:names) AND collation_name IS NOT NULL";
        let rows = conn.rows(sql, &params).await?;
        let known = |text: String| text.strip_prefix(&prefix).map(str::to_owned);
        let pairs = rows.iter().filter_map(|row| Some(((known(row.text(0))?, row.text(1)), Collation(row.text(2)))));
        Ok(Self(pairs.collect()))
    }

    /// The collation of a column, whose name may begin with the alias of its table.
    pub(super) fn of(&self, table: &str, column: &str) -> Option<&Collation> {
        debug_assert!(TABLES.contains(&table), "collations of {table} are not read");
        let column = column.rsplit('.').next().unwrap_or(column);
        self.0.get(&(table.to_owned(), column.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collation_says_what_has_room() {
        let of = |name: &str| Collation(name.to_owned());
        for (name, unicode, four, grown) in [
            ("utf8mb4_unicode_ci", true, true, "utf8mb4_unicode_ci"),
            ("utf8mb3_unicode_520_ci", true, false, "utf8mb4_unicode_520_ci"),
            ("utf8_general_mysql500_ci", true, false, "utf8mb4_general_ci"),
            ("utf8mb4_uca1400_ai_ci", true, true, "utf8mb4_uca1400_ai_ci"),
            ("latin1_swedish_ci", false, false, "utf8mb4_swedish_ci"),
        ] {
            let collation = of(name);
            assert_eq!((collation.is_unicode(), collation.is_four_bytes()), (unicode, four), "{name}");
            assert_eq!(collation.of_four_bytes(), grown, "{name}");
        }
    }

    #[test]
    fn a_collation_says_whether_capitals_are_found() {
        let of = |name: &str| Collation(name.to_owned()).ignores_case();
        for name in ["utf8mb4_unicode_ci", "utf8mb3_general_ci", "utf8mb4_0900_ai_ci", "utf8mb4_0900_as_ci"] {
            assert!(of(name), "{name}");
        }
        for name in
            ["utf8mb4_bin", "utf8mb4_0900_as_cs", "utf8mb4_turkish_ci", "utf8mb4_tr_0900_ai_ci", "latin1_swedish_ci"]
        {
            assert!(!of(name), "{name}");
        }
    }

    #[test]
    fn comparisons_follow_the_column() {
        let exact = |name: &str| Dialect::Maria.exact("u.name", "k.ukey", Some(&Collation(name.to_owned())));
        assert_eq!(
            exact("utf8mb4_general_ci"),
            "(u.name = k.ukey COLLATE utf8mb4_general_ci AND BINARY u.name = BINARY k.ukey)"
        );
        let narrow = exact("utf8mb3_bin");
        assert!(narrow.contains("USING utf8mb3) COLLATE utf8mb3_bin AND BINARY"), "{narrow}");
        assert!(exact("latin1_bin").starts_with("(CONVERT(u.name USING utf8mb4) COLLATE utf8mb4_bin = k.ukey"));
        assert_eq!(Dialect::Postgres.exact("u.name", "k.ukey", None), "u.name = k.ukey");
        assert_eq!(Dialect::Lite.unstorable("x", None), None);
    }
}
