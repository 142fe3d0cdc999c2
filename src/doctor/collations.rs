//! Finds texts with another collation than the rest of the site, or without room for every character.
//! It must not convert anything; enrold works with every collation of UTF-8.

use std::collections::BTreeMap;

use crate::db::{Conn, DbError, Dialect, Params};
use crate::doctor::finding::{Finding, words};
use crate::doctor::needs::NEEDS;

/// The collation of enrold's own tables.
const OWN: &str = "utf8mb4_bin";

/// One text column of a table that enrold uses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TextColumn {
    table: String,
    column: String,
    collation: String,
}

/// Examines the collations of the tables that enrold uses, and the encoding of the database.
///
/// # Errors
/// The database's error.
pub(super) async fn examine(conn: &mut Conn) -> Result<Vec<Finding>, DbError> {
    match conn.dialect() {
        Dialect::Lite => Ok(Vec::new()),
        Dialect::Postgres => {
            let row = conn.row("SELECT current_setting('server_encoding')", &Params::new()).await?;
            Ok(row
                .map(|row| row.text(0))
                .filter(|encoding| encoding != "UTF8")
                .as_deref()
                .map(encoding)
                .into_iter()
                .collect())
        }
        Dialect::Maria => {
            let sql = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(collation_name AS CHAR)
                  FROM information_schema.columns WHERE table_schema = DATABASE() AND collation_name IS NOT NULL
                 ORDER BY table_name, ordinal_position";
            let mut columns = Vec::new();
            conn.each(sql, &Params::new(), |row| {
                columns.push(TextColumn { table: row.text(0), column: row.text(1), collation: row.text(2) });
                Ok(())
            })
            .await?;
            let prefix = conn.prefix();
            let is_used = |column: &TextColumn, own| {
                NEEDS.iter().any(|need| need.is_own() == own && need.full_name(prefix) == column.table)
            };
            let of = |own| columns.iter().filter(|column| is_used(column, own)).cloned().collect::<Vec<_>>();
            Ok(of_site(&of(false)).into_iter().chain(of_own(&of(true))).collect())
        }
    }
}

fn encoding(found: &str) -> Finding {
    Finding::error(
        "encoding",
        words(
            format!(
                "the database has the encoding {found}: names with other characters cannot be stored, and Moodle needs \
                 UTF8"
            ),
            "dump the site and restore it into a database with ENCODING 'UTF8'",
        ),
        words(
            format!(
                "la base a l'encodage {found} : les noms qui ont d'autres caractères ne peuvent pas être enregistrés, \
                 et Moodle demande UTF8"
            ),
            "sauvegardez le site et restaurez-le dans une base créée avec ENCODING 'UTF8'",
        ),
    )
}

/// Findings on the collations of the site's tables: other rules than most, no room for every character, not UTF-8.
fn of_site(columns: &[TextColumn]) -> Vec<Finding> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for column in columns {
        *counts.entry(&column.collation).or_default() += 1;
    }
    let Some((most, _)) = counts.iter().max_by_key(|(_, count)| **count) else {
        return Vec::new();
    };
    // The most frequent rules, with room for every character.
    let wide = format!("utf8mb4_{}", most.split_once('_').map_or("unicode_ci", |(_, rules)| rules));
    let charset = |column: &TextColumn| column.collation.split('_').next().unwrap_or_default().to_owned();
    let narrow = list(columns, |column| matches!(charset(column).as_str(), "utf8mb3" | "utf8"));
    let foreign = list(columns, |column| !charset(column).starts_with("utf8"));
    let others = list(columns, |column| column.collation != *most);
    let mut findings = Vec::new();
    if !foreign.is_empty() {
        findings.push(Finding::error(
            "charset",
            words(
                format!("columns that are not UTF-8: {foreign}; what they cannot store fails the run"),
                "convert them to utf8mb4 (php admin/cli/mysql_collation.php)",
            ),
            words(
                format!(
                    "colonnes qui ne sont pas en UTF-8 : {foreign} ; ce qu'elles ne peuvent pas enregistrer fait \
                     échouer l'exécution"
                ),
                "convertissez-les en utf8mb4 (php admin/cli/mysql_collation.php)",
            ),
        ));
    }
    if !narrow.is_empty() {
        findings.push(Finding::warning(
            "charset",
            words(
                format!(
                    "columns without room for characters of four bytes, such as emoji: {narrow}; names with one are \
                     told as value-charset, the rest is applied"
                ),
                "convert them to utf8mb4 (php admin/cli/mysql_collation.php --collation=utf8mb4_unicode_ci)",
            ),
            words(
                format!(
                    "colonnes sans place pour les caractères de quatre octets, comme les emoji : {narrow} ; les noms \
                     qui en ont sont signalés (value-charset), le reste est appliqué"
                ),
                "convertissez-les en utf8mb4 (php admin/cli/mysql_collation.php --collation=utf8mb4_unicode_ci)",
            ),
        ));
    }
    if !others.is_empty() {
        findings.push(Finding::warning(
            "collation",
            words(
                format!(
                    "most columns compare under {most}, but not: {others}; enrold works with them, Moodle itself may \
                     not"
                ),
                format!("php admin/cli/mysql_collation.php --collation={wide}"),
            ),
            words(
                format!(
                    "la plupart des colonnes se comparent sous {most}, mais pas : {others} ; enrold s'en accommode, \
                     Moodle peut-être pas"
                ),
                format!("php admin/cli/mysql_collation.php --collation={wide}"),
            ),
        ));
    }
    findings
}

/// enrold's own tables that are older than their present collation.
fn of_own(columns: &[TextColumn]) -> Option<Finding> {
    let others = list(columns, |column| column.collation != OWN);
    if others.is_empty() {
        return None;
    }
    let mut tables: Vec<&str> =
        columns.iter().filter(|column| column.collation != OWN).map(|column| column.table.as_str()).collect();
    tables.dedup();
    let convert = |table: &&str| {
        format!("ALTER TABLE {} CONVERT TO CHARACTER SET utf8mb4 COLLATE {OWN}", Dialect::Maria.quote(table))
    };
    let finding = Finding::warning(
        "own-collation",
        words(
            format!(
                "tables of enrold do not compare under {OWN}: {others}; on a site of mixed collations, or for an \
                 emoji, runs may fail"
            ),
            "let an administrator of the database run, while no run is under way:",
        ),
        words(
            format!(
                "des tables d'enrold ne se comparent pas sous {OWN} : {others} ; sur un site aux interclassements \
                 mêlés, ou pour un emoji, des exécutions peuvent échouer"
            ),
            "faites exécuter par un administrateur de la base, hors de toute exécution :",
        ),
    );
    Some(finding.with(tables.iter().map(convert).collect()))
}

/// The matching columns, by table, with their collation: the table's name alone if all of its texts match.
fn list(columns: &[TextColumn], is_so: impl Fn(&TextColumn) -> bool) -> String {
    let mut groups: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for column in columns.iter().filter(|column| is_so(column)) {
        groups.entry((&column.table, &column.collation)).or_default().push(&column.column);
    }
    let all = |table: &str| columns.iter().filter(|column| column.table == table).count();
    let shown = groups.iter().map(|((table, collation), which)| match which.len() == all(table) {
        true => format!("{table} ({collation})"),
        false => format!("{table}.{} ({collation})", which.join(&format!(", {table}."))),
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn column(table: &str, column: &str, collation: &str) -> TextColumn {
        TextColumn { table: table.to_owned(), column: column.to_owned(), collation: collation.to_owned() }
    }

    fn site(collation: &str) -> Vec<TextColumn> {
        vec![
            column("mdl_course", "fullname", "utf8mb4_unicode_ci"),
            column("mdl_course", "shortname", "utf8mb4_unicode_ci"),
            column("mdl_user", "email", "utf8mb4_unicode_ci"),
            column("mdl_user", "username", collation),
        ]
    }

    fn codes(findings: &[Finding]) -> Vec<(Level, &'static str)> {
        findings.iter().map(|finding| (finding.level, finding.code)).collect()
    }

    #[test]
    fn what_differs_is_named() {
        assert_eq!(codes(&of_site(&site("utf8mb4_unicode_ci"))), []);
        let mixed = of_site(&site("utf8mb4_general_ci"));
        assert_eq!(codes(&mixed), [(Level::Warning, "collation")]);
        assert!(mixed[0].en.found.contains("but not: mdl_user.username (utf8mb4_general_ci);"), "{mixed:?}");
        let narrow = of_site(&site("utf8mb3_unicode_ci"));
        assert_eq!(codes(&narrow), [(Level::Warning, "charset"), (Level::Warning, "collation")]);
        let foreign = of_site(&site("latin1_swedish_ci"));
        assert_eq!(codes(&foreign)[0], (Level::Error, "charset"));
        let whole = [column("mdl_user", "email", "utf8_bin"), column("mdl_user", "username", "utf8_bin")];
        assert!(of_site(&whole)[0].fr.found.contains(": mdl_user (utf8_bin) ;"), "{:?}", of_site(&whole));
    }

    #[test]
    fn own_tables_have_their_remedy() {
        assert_eq!(of_own(&[column("enrold_run", "kind", OWN)]), None);
        let old = [column("enrold_run", "kind", "utf8mb3_bin"), column("enrold_run", "state", "utf8mb3_bin")];
        let finding = of_own(&old).unwrap();
        assert_eq!(
            finding.statements,
            ["ALTER TABLE `enrold_run` CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"]
        );
    }
}
