//! Checks another database without reading its rows: whether it answers, and whether its account may write. It must not
//! change anything there, nor judge the answers.

use sqlx::Row as _;

use super::super::conn::Raw;
use super::super::lite_path;
use super::{Remote, RemoteError, RemoteRows, find, select, within};

/// Rights to change what is read.
const WRITING: [&str; 6] = ["ALL", "INSERT", "UPDATE", "DELETE", "ALTER", "DROP"];

impl Remote {
    /// Queries zero rows of these columns: they exist, and the account may read them.
    ///
    /// # Errors
    /// As [`Remote::each`].
    pub async fn probe(&mut self, from: RemoteRows<'_>, columns: &[&str]) -> Result<(), RemoteError> {
        let described = self.described(from).await?;
        let chosen = columns.iter().map(|name| find(&described, name)).collect::<Result<Vec<_>, _>>()?;
        let sql = format!("{} LIMIT 0", select(self.dialect(), from, &chosen));
        self.limit_lite().await?;
        self.command(&sql).await
    }

    /// Whether the session's account may write to what it reads (SQLite: to the file); `None` where that is not cheaply
    /// known.
    pub async fn may_write(&mut self, from: RemoteRows<'_>, url: &str) -> Option<bool> {
        let patience = self.patience();
        match &mut self.raw {
            Raw::Pg(raw) => {
                let table = match from {
                    RemoteRows::Table(table) => table.trim(),
                    RemoteRows::Query(_) => "",
                };
                let sql = "SELECT r.rolsuper OR COALESCE(
                           has_table_privilege(to_regclass(NULLIF($1, '')), 'INSERT, UPDATE, DELETE, TRUNCATE'), FALSE)
                      FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
                let asked = sqlx::query(sql).bind(table).persistent(false).fetch_one(raw);
                within(patience, asked).await.ok()?.ok()?.try_get::<bool, _>(0).ok()
            }
            Raw::My(raw) => {
                let rows = sqlx::raw_sql("SELECT COALESCE(DATABASE(), '')").fetch_one(&mut *raw);
                let database = within(patience, rows).await.ok()?.ok()?.try_get_unchecked::<String, _>(0).ok()?;
                let grants = within(patience, sqlx::raw_sql("SHOW GRANTS").fetch_all(raw)).await.ok()?.ok()?;
                let texts = grants.iter().map(|row| row.try_get_unchecked::<String, _>(0));
                Some(texts.collect::<Result<Vec<_>, _>>().ok()?.iter().any(|grant| grants_writing(grant, &database)))
            }
            // Does not open the file: closing it would release the locks of every session of this process on it.
            Raw::Lite(_) => Some(rustix::fs::access(lite_path(url), rustix::fs::Access::WRITE_OK).is_ok()),
        }
    }
}

/// Whether a line of SHOW GRANTS grants a right to write in a database.
fn grants_writing(grant: &str, database: &str) -> bool {
    let Some((rights, rest)) = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")) else {
        return false;
    };
    let place = rest.split_once(" TO ").map_or(rest, |(place, _)| place);
    let of = place.split_once('.').map_or(place, |(database, _)| database).trim_matches('`').replace('\\', "");
    let right = |text: &str| WRITING.iter().any(|word| text.trim_start().to_ascii_uppercase().starts_with(word));
    (of == "*" || of.contains('%') || of == database) && rights.split(',').any(right)
}

#[cfg(test)]
mod tests {
    use super::grants_writing;

    #[test]
    fn a_right_to_write_is_seen_where_it_holds() {
        for (grant, expected) in [
            ("GRANT USAGE ON *.* TO `r`@`%` IDENTIFIED BY PASSWORD '*X'", false),
            ("GRANT SELECT, SHOW VIEW ON `records`.* TO `r`@`%`", false),
            ("GRANT SELECT, INSERT (a) ON `records`.`v` TO `r`@`%`", true),
            ("GRANT ALL PRIVILEGES ON *.* TO `r`@`%` WITH GRANT OPTION", true),
            ("GRANT DELETE ON `other`.* TO `r`@`%`", false),
            ("GRANT UPDATE ON `rec\\_ords`.* TO `r`@`%`", false),
            ("GRANT CREATE TEMPORARY TABLES ON `records`.* TO `r`@`%`", false),
            ("GRANT `reader` TO `r`@`%`", false),
        ] {
            assert_eq!(grants_writing(grant, "records"), expected, "{grant}");
        }
        assert!(grants_writing("GRANT UPDATE ON `rec\\_ords`.* TO `r`@`%`", "rec_ords"));
    }
}
