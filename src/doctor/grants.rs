//! Gives the least rights of enrold's database account, as the statements that a database administrator runs.
//! It must not know which rights an account holds; `docs/installation-database.md` shows the same statements.

use crate::db::Dialect;
use crate::doctor::needs::{ACCOUNTS, COURSES, GROUPS, NEEDS, Need};

/// The place and the account of the grants.
#[derive(Clone, Debug)]
pub struct Grantee {
    /// The database's name.
    pub database: String,
    /// The schema of Moodle's tables on PostgreSQL.
    pub schema: String,
    /// The prefix of Moodle's table names.
    pub prefix: String,
    /// The account: a role on PostgreSQL, `user@host` on MariaDB and MySQL.
    pub account: String,
}

/// One statement and the table that it is about (without prefix), if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The table; `None` for the database or the schema.
    pub table: Option<&'static str>,
    /// The statement, without a semicolon.
    pub sql: String,
}

impl Grantee {
    fn to(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Maria => {
                let (user, host) = self.account.rsplit_once('@').unwrap_or((&self.account, "%"));
                let quoted = |name: &str| format!("'{}'", name.replace('\'', "''"));
                format!("{}@{}", quoted(user), quoted(host))
            }
            _ => dialect.quote(&self.account),
        }
    }

    fn place(&self, dialect: Dialect, name: &str) -> String {
        let home = if dialect == Dialect::Maria { &self.database } else { &self.schema };
        format!("{}.{}", dialect.quote(home), dialect.quote(name))
    }

    fn grant(&self, dialect: Dialect, rights: &str, on: &str) -> String {
        format!("GRANT {rights} ON {on} TO {}", self.to(dialect))
    }

    /// The quoted database. On MariaDB its name is a pattern in GRANT: `_` and `%` need a backslash to mean themselves.
    fn whole_database(&self, dialect: Dialect) -> String {
        let name = match dialect {
            Dialect::Maria => self.database.replace('_', "\\_").replace('%', "\\%"),
            _ => self.database.clone(),
        };
        dialect.quote(&name)
    }
}

/// The grants for all runs; `has` is true for an optional table (without prefix) that the site has. enrold's own tables
/// must exist already: [`for_migrate`] and `enrold db migrate` come first.
pub fn for_runs(dialect: Dialect, grantee: &Grantee, has: impl Fn(&str) -> bool) -> Vec<Grant> {
    let general = |rights: &str, on: String| Grant { table: None, sql: grantee.grant(dialect, rights, &on) };
    let database = grantee.whole_database(dialect);
    let mut grants = match dialect {
        Dialect::Lite => return Vec::new(),
        Dialect::Postgres => vec![
            general("CONNECT, TEMPORARY", format!("DATABASE {database}")),
            general("USAGE", format!("SCHEMA {}", dialect.quote(&grantee.schema))),
        ],
        Dialect::Maria => vec![general("CREATE TEMPORARY TABLES", format!("{database}.*"))],
    };
    grants.extend(of(dialect, grantee, NEEDS.iter().filter(|need| !need.optional || has(need.table))));
    grants
}

/// The grants for creating courses, beside [`for_runs`].
pub fn for_courses(dialect: Dialect, grantee: &Grantee) -> Vec<Grant> {
    further(dialect, grantee, COURSES)
}

/// The grants for users files and cohort files, beside [`for_runs`].
pub fn for_accounts(dialect: Dialect, grantee: &Grantee) -> Vec<Grant> {
    further(dialect, grantee, ACCOUNTS)
}

/// The grants for files of groups, groupings and their members, beside [`for_runs`].
pub fn for_groups(dialect: Dialect, grantee: &Grantee) -> Vec<Grant> {
    further(dialect, grantee, GROUPS)
}

fn further(dialect: Dialect, grantee: &Grantee, needs: &'static [Need]) -> Vec<Grant> {
    match dialect {
        Dialect::Lite => Vec::new(),
        _ => of(dialect, grantee, needs.iter()),
    }
}

fn of(dialect: Dialect, grantee: &Grantee, needs: impl Iterator<Item = &'static Need>) -> Vec<Grant> {
    let mut grants = Vec::new();
    for need in needs {
        let name = need.full_name(&grantee.prefix);
        let on = grantee.place(dialect, &name);
        grants.push(Grant { table: Some(need.table), sql: grantee.grant(dialect, &rights(need), &on) });
        if dialect == Dialect::Postgres && numbers_its_rows(need) {
            let sequence = grantee.place(dialect, &format!("{name}_id_seq"));
            let sql = grantee.grant(dialect, "USAGE", &format!("SEQUENCE {sequence}"));
            grants.push(Grant { table: Some(need.table), sql });
        }
    }
    grants
}

/// The grants for `enrold db migrate`, once and after each update of enrold with migrations.
pub fn for_migrate(dialect: Dialect, grantee: &Grantee) -> Vec<Grant> {
    let general = |rights: &str, on: String| Grant { table: None, sql: grantee.grant(dialect, rights, &on) };
    match dialect {
        Dialect::Lite => Vec::new(),
        Dialect::Postgres => vec![
            general("CONNECT", format!("DATABASE {}", dialect.quote(&grantee.database))),
            general("USAGE, CREATE", format!("SCHEMA {}", dialect.quote(&grantee.schema))),
        ],
        Dialect::Maria => {
            let own = NEEDS.iter().filter(|need| need.is_own()).map(|need| {
                let rights = match need.table {
                    "enrold_schema" => "SELECT, INSERT, CREATE",
                    "enrold_lease" => "INSERT, CREATE",
                    "enrold_run" => "SELECT, CREATE",
                    "enrold_error" => "SELECT, INSERT, UPDATE, CREATE, ALTER",
                    "enrold_change" | "enrold_set_absent" | "enrold_waiting" => "CREATE, ALTER",
                    _ => "CREATE",
                };
                Grant {
                    table: Some(need.table),
                    sql: grantee.grant(dialect, rights, &grantee.place(dialect, need.table)),
                }
            });
            own.collect()
        }
    }
}

/// True if inserted rows take their id from the table's own sequence.
pub(super) fn numbers_its_rows(need: &Need) -> bool {
    !need.insert.is_empty() && !need.is_own()
}

fn rights(need: &Need) -> String {
    let mut rights = Vec::new();
    if need.whole_rows {
        rights.push("SELECT".to_owned());
    } else if !need.read.is_empty() {
        rights.push(format!("SELECT ({})", need.read.join(", ")));
    }
    if !need.insert.is_empty() {
        rights.push("INSERT".to_owned());
    }
    if !need.update.is_empty() {
        rights.push(format!("UPDATE ({})", need.update.join(", ")));
    }
    if need.delete {
        rights.push("DELETE".to_owned());
    }
    rights.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../../docs/installation-database.md");

    fn grantee(account: &str) -> Grantee {
        Grantee {
            database: "moodle".to_owned(),
            schema: "public".to_owned(),
            prefix: "mdl_".to_owned(),
            account: account.to_owned(),
        }
    }

    fn block(grants: &[Grant]) -> String {
        grants.iter().map(|grant| format!("    {};\n", grant.sql)).collect()
    }

    #[test]
    fn the_page_for_operators_shows_these_statements() {
        for (dialect, account) in [(Dialect::Postgres, "enrold"), (Dialect::Maria, "enrold@localhost")] {
            let grantee = grantee(account);
            let runs = for_runs(dialect, &grantee, |_| true);
            let further =
                [for_courses(dialect, &grantee), for_accounts(dialect, &grantee), for_groups(dialect, &grantee)];
            for grants in [for_migrate(dialect, &grantee), runs].into_iter().chain(further) {
                let block = block(&grants);
                assert!(DOCS.contains(&block), "docs/installation-database.md should hold:\n{block}");
            }
        }
    }

    #[test]
    fn the_page_for_operators_says_what_each_table_is_for() {
        for need in NEEDS.iter().chain(COURSES).chain(ACCOUNTS).chain(GROUPS) {
            assert!(DOCS.contains(&format!("`{}`", need.table)), "{} is not explained", need.table);
        }
    }

    #[test]
    fn names_are_quoted_for_the_engine() {
        let mut odd = grantee("o'hara@%");
        odd.database = "my_moodle".to_owned();
        let sql = &for_runs(Dialect::Maria, &odd, |_| false)[0].sql;
        assert_eq!(sql, "GRANT CREATE TEMPORARY TABLES ON `my\\_moodle`.* TO 'o''hara'@'%'");
        assert!(for_runs(Dialect::Lite, &odd, |_| true).is_empty());
    }

    #[test]
    fn tables_that_the_site_does_not_have_are_left_out() {
        let few = for_runs(Dialect::Maria, &grantee("e@h"), |table| table == "forum");
        assert!(few.iter().any(|grant| grant.table == Some("forum")));
        assert!(!few.iter().any(|grant| grant.table == Some("forum_read")));
    }
}
