//! Gives every template the fragments that choose the index and the order in which a join reads its tables. It must not
//! know statements, nor query more than the names of indexes.

use std::collections::BTreeMap;

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::{Params, Value};

/// The table of role assignments: none of its keys is unique, so a database may choose any of them.
const TABLE: &str = "role_assignments";
const OF_USER: [&str; 3] = ["userid", "contextid", "roleid"];
const OF_ITEM: [&str; 2] = ["component", "itemid"];

/// The fragments for every template:
///
/// - `{role_assignments} r :by_user` with `r.userid = …` and the rest of the key behind `:whole`, as in `r.contextid
///   :whole = …`: a lookup by the user and the whole rest of the key;
/// - `{role_assignments} r :by_item`: a lookup by component and item;
/// - `a :then b ON …`: `a` is read before `b`.
///
/// MariaDB's statistics predate a run that fills a table, and it takes the first of the indexes that seem equal: it
/// would read all assignments of a role, or of a user, for each row. So the index is named; where the site has none of
/// this kind, the rest of the key is hidden from the planner. SQLite prefers the longest key. PostgreSQL has other
/// hints ([`Conn::prefer_hashes`], [`Conn::prefer_indexes`]); for its nested loops the rest of the key is hidden, or it
/// might read a whole course for each user.
pub(super) fn fragments(dialect: Dialect, indexes: &[(String, Vec<String>)]) -> Params {
    let named = |key: &[&str]| match dialect {
        Dialect::Maria => indexes
            .iter()
            .find(|(_, columns)| columns.iter().map(String::as_str).take(key.len()).eq(key.iter().copied())),
        _ => None,
    };
    let hint = |key: &[&str]| {
        named(key).map_or_else(String::new, |(name, _)| format!("FORCE INDEX ({})", dialect.quote(name)))
    };
    let whole = dialect == Dialect::Lite || named(&OF_USER).is_some();
    let then = match dialect {
        Dialect::Postgres => "JOIN",
        Dialect::Maria => "STRAIGHT_JOIN",
        Dialect::Lite => "CROSS JOIN",
    };
    Params::new()
        .fragment("by_user", hint(&OF_USER))
        .fragment("by_item", hint(&OF_ITEM))
        .fragment("whole", if whole { "" } else { "+ 0" })
        .fragment("then", then)
}

/// The indexes of the site's role assignments on MariaDB, with their columns in order; none on the others.
async fn indexes(conn: &mut Conn) -> Result<Vec<(String, Vec<String>)>, DbError> {
    if conn.dialect() != Dialect::Maria {
        return Ok(Vec::new());
    }
    let params = Params::new().with("name", Value::Text(format!("{}{TABLE}", conn.prefix())));
    let sql = "SELECT CAST(index_name AS CHAR), CAST(column_name AS CHAR) FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = :name ORDER BY index_name, seq_in_index";
    let mut indexes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in conn.rows(sql, &params).await? {
        indexes.entry(row.text(0)).or_default().push(row.text(1));
    }
    Ok(indexes.into_iter().collect())
}

impl Conn {
    /// Reads which indexes the fragments can name; one statement on MariaDB, none on the others.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read_paths(&mut self) -> Result<(), DbError> {
        let indexes = indexes(self).await?;
        self.paths = fragments(self.dialect(), &indexes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::fragments;
    use crate::db::Dialect;
    use crate::db::sql::{Params, render};

    const LOOKUP: &str = "SELECT 1 FROM c :then {role_assignments} r :by_user \
        ON r.userid = c.userid AND r.contextid :whole = c.contextid";

    fn sql(dialect: Dialect, indexes: &[(&str, &[&str])]) -> String {
        let owned = |columns: &[&str]| columns.iter().map(|&column| column.to_owned()).collect();
        let indexes: Vec<_> = indexes.iter().map(|(name, columns)| ((*name).to_owned(), owned(columns))).collect();
        render(LOOKUP, dialect, "mdl_", &Params::new(), &fragments(dialect, &indexes), &|_| None).unwrap().sql
    }

    #[test]
    fn mariadb_is_told_the_index_by_the_name_that_the_site_gives_it() {
        let indexes: [(&str, &[&str]); 3] =
            [("by role", &["roleid"]), ("u", &["userid"]), ("my `own`", &["userid", "contextid", "roleid"])];
        assert_eq!(
            sql(Dialect::Maria, &indexes),
            "SELECT 1 FROM c STRAIGHT_JOIN `mdl_role_assignments` r FORCE INDEX (`my ``own```) \
             ON r.userid = c.userid AND r.contextid  = c.contextid"
        );
    }

    #[test]
    fn without_that_index_the_rest_of_the_key_is_hidden() {
        let got = sql(Dialect::Maria, &[("u", &["userid"]), ("c", &["contextid"])]);
        assert!(
            got.ends_with("`mdl_role_assignments` r  ON r.userid = c.userid AND r.contextid + 0 = c.contextid"),
            "{got}"
        );
    }

    #[test]
    fn the_others_are_not_told() {
        assert!(sql(Dialect::Postgres, &[]).contains("c JOIN \"mdl_role_assignments\" r  ON"));
        assert!(sql(Dialect::Postgres, &[]).contains("r.contextid + 0 = c.contextid"));
        assert!(sql(Dialect::Lite, &[]).contains("c CROSS JOIN \"mdl_role_assignments\" r  ON"));
        assert!(sql(Dialect::Lite, &[]).contains("r.contextid  = c.contextid"));
    }
}
