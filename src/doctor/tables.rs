//! Turns missing tables, columns and rights into findings, with the statements that grant the rights.
//! It must not find gaps itself.

use crate::db::{Conn, DbError, Dialect, Params};
use crate::doctor::catalogue::Catalogue;
use crate::doctor::finding::{Finding, words};
use crate::doctor::grants::{self, Grant, Grantee};
use crate::doctor::needs::{Further, NEEDS};
use crate::doctor::rights::{Gap, Lack};
use crate::doctor::{own, server};

/// The code of the findings that have the statements of all rights.
const LEAST_RIGHTS: &str = "least-rights";

/// True for a finding that lists rights, whether the account has them or not: a text shows it on request only.
pub fn is_of_least_rights(finding: &Finding) -> bool {
    finding.code == LEAST_RIGHTS
}

/// The finding for a database without a visible table of Moodle under the prefix.
pub(super) fn no_moodle(conn: &Conn, catalogue: &Catalogue) -> Option<Finding> {
    let prefix = conn.prefix();
    let sees = |table: &str| catalogue.table(&format!("{prefix}{table}")).is_some();
    if NEEDS.iter().any(|need| !need.is_own() && sees(need.table)) {
        return None;
    }
    let others: Vec<&str> = catalogue.prefixes().into_iter().filter(|other| *other != prefix).collect();
    // A prefix may be empty: without the quotation marks nothing would stand between two commas.
    let quoted = |left: &str, right: &str| {
        others.iter().map(|other| format!("{left}{other}{right}")).collect::<Vec<_>>().join(", ")
    };
    let (en, fr) = match others.as_slice() {
        [] => (
            "name the site's database in database.url and its $CFG->prefix in database.prefix, and give the account \
             its rights (docs/installation-database.md); 'enrold db init' makes the tables in an empty database"
                .to_owned(),
            "nommez la base du site dans database.url et son $CFG->prefix dans database.prefix, et donnez au compte \
             ses droits (docs/installation-database.md) ; « enrold db init » crée les tables dans une base vide"
                .to_owned(),
        ),
        [first, ..] => (
            format!("there are some with the prefix {}: set database.prefix = \"{first}\"", quoted("'", "'")),
            format!("il y en a avec le préfixe {} : mettez database.prefix = \"{first}\"", quoted("« ", " »")),
        ),
    };
    Some(Finding::error(
        "moodle-tables",
        words(format!("no Moodle tables with the prefix '{prefix}' can be seen"), en),
        words(format!("aucune table de Moodle avec le préfixe « {prefix} » n'est visible"), fr),
    ))
}

/// The account of the connection, with its database and schema.
///
/// # Errors
/// The database's error.
pub(super) async fn grantee(conn: &mut Conn) -> Result<Grantee, DbError> {
    let sql = match conn.dialect() {
        Dialect::Postgres => {
            "SELECT CAST(current_database() AS TEXT), CAST(current_schema() AS TEXT), CAST(current_user AS TEXT)"
        }
        Dialect::Maria => "SELECT DATABASE(), '', CURRENT_USER()",
        Dialect::Lite => "SELECT '', '', ''",
    };
    let row = conn.row(sql, &Params::new()).await?;
    let text = |at: usize| row.as_ref().map(|row| row.text(at)).unwrap_or_default();
    Ok(Grantee { database: text(0), schema: text(1), prefix: conn.prefix().to_owned(), account: text(2) })
}

/// True if the account can read all that enrold needs of a table.
pub(super) fn may_read(gaps: &[Gap], table: &str) -> bool {
    !gaps
        .iter()
        .any(|gap| gap.need.table == table && !matches!(&gap.lack, Lack::Right(right) if !right.starts_with("SELECT")))
}

/// The findings for the gaps: tables, columns, rights; then the statements of all rights, even if none is missing.
pub(super) fn of_gaps(
    conn: &Conn,
    grantee: &Grantee,
    gaps: &[Gap],
    general: &[&str],
    own: bool,
    further: Further,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = |gap: &Gap| gap.need.full_name(conn.prefix());
    let absent = |optional: bool| {
        let which = move |gap: &&Gap| gap.lack == Lack::Table && gap.need.optional == optional;
        gaps.iter().filter(which).map(name).collect::<Vec<_>>().join(", ")
    };
    findings.push(required_tables(&absent(false)));
    let optional = absent(true);
    if !optional.is_empty() {
        findings.push(Finding::warning(
            "optional-tables",
            words(
                format!("tables that this site does not have: {optional}"),
                "nothing, if that is so: what they are for is left out",
            ),
            words(
                format!("tables que ce site n'a pas : {optional}"),
                "rien, si c'est voulu : ce à quoi elles servent est omis",
            ),
        ));
    }
    let columns: Vec<String> = gaps
        .iter()
        .filter_map(|gap| match gap.lack {
            Lack::Column(column) => Some(format!("{}.{column}", name(gap))),
            _ => None,
        })
        .collect();
    if !columns.is_empty() {
        let list = columns.join(", ");
        findings.push(Finding::error(
            "columns",
            words(
                format!("columns that enrold needs are missing: {list}"),
                "upgrade Moodle to 3.11 or later, and finish its upgrade",
            ),
            words(
                format!("il manque des colonnes dont enrold a besoin : {list}"),
                "passez à Moodle 3.11 ou plus récent, et terminez sa mise à jour",
            ),
        ));
    }
    if conn.dialect() != Dialect::Lite {
        findings.extend(of_rights(conn, grantee, gaps, general, own, further));
    }
    if !own {
        findings.push(own::missing().with(sql(&grants::for_migrate(conn.dialect(), grantee))));
    }
    findings
}

fn required_tables(absent: &str) -> Finding {
    if absent.is_empty() {
        return Finding::ok(
            "moodle-tables",
            words("all of Moodle's tables that enrold needs are there", ""),
            words("toutes les tables de Moodle dont enrold a besoin sont là", ""),
        );
    }
    Finding::error(
        "moodle-tables",
        words(
            format!("tables that enrold needs are missing: {absent}"),
            "this is no whole Moodle: check database.url and database.prefix",
        ),
        words(
            format!("il manque des tables dont enrold a besoin : {absent}"),
            "ce n'est pas un Moodle complet : vérifiez database.url et database.prefix",
        ),
    )
}

fn of_rights(
    conn: &Conn,
    grantee: &Grantee,
    gaps: &[Gap],
    general: &[&str],
    own: bool,
    further: Further,
) -> Vec<Finding> {
    let absent = |table: &str| gaps.iter().any(|gap| gap.need.table == table && gap.lack == Lack::Table);
    let mut all = grants::for_runs(conn.dialect(), grantee, |table| !absent(table));
    if further.courses {
        all.extend(grants::for_courses(conn.dialect(), grantee));
    }
    let accounts = grants::for_accounts(conn.dialect(), grantee);
    let groups = grants::for_groups(conn.dialect(), grantee);
    let mut denied: Vec<String> = general.iter().map(|right| (*right).to_owned()).collect();
    let mut tables = Vec::new();
    for gap in gaps {
        if let Lack::Right(right) = &gap.lack {
            denied.push(format!("{right} ON {}", gap.need.full_name(conn.prefix())));
            tables.push(gap.need.table);
        }
    }
    let mut findings = Vec::new();
    if denied.is_empty() {
        findings.push(Finding::ok(
            "rights",
            words("the account holds every right that enrold needs", ""),
            words("le compte a tous les droits dont enrold a besoin", ""),
        ));
    } else {
        let list = denied.join("; ");
        let lacking = |grant: &&Grant| match grant.table {
            Some(table) => tables.contains(&table),
            None => general.iter().any(|right| grant.sql.contains(right)),
        };
        let of_accounts = accounts.iter().filter(|_| further.accounts);
        let of_groups = groups.iter().filter(|_| further.groups);
        let statements =
            all.iter().chain(of_accounts).chain(of_groups).filter(lacking).map(|grant| grant.sql.clone()).collect();
        findings.push(
            Finding::error(
                "rights",
                words(format!("the account lacks rights: {list}"), "let an administrator of the database run:"),
                words(
                    format!("il manque des droits au compte : {list}"),
                    "faites exécuter par un administrateur de la base :",
                ),
            )
            .with(statements),
        );
    }
    // Before enrold's tables exist, nothing can be granted on them.
    let grantable = all.iter().filter(|grant| own || grant.table.is_none_or(|table| !table.starts_with("enrold_")));
    findings.push(
        Finding::ok(
            LEAST_RIGHTS,
            words("the least rights with which enrold works:", ""),
            words("les droits minimaux avec lesquels enrold fonctionne :", ""),
        )
        .with(grantable.map(|grant| grant.sql.clone()).collect()),
    );
    findings.push(
        Finding::ok(
            LEAST_RIGHTS,
            words("for users files and cohort files, and only for them, these rights too:", ""),
            words("pour les fichiers de comptes et de cohortes, et pour eux seuls, ces droits en plus :", ""),
        )
        .with(sql(&accounts)),
    );
    findings.push(
        Finding::ok(
            LEAST_RIGHTS,
            words("for files of groups and of their members, and only for them, these rights too:", ""),
            words("pour les fichiers de groupes et de leurs membres, et pour eux seuls, ces droits en plus :", ""),
        )
        .with(sql(&groups)),
    );
    findings
}

fn sql(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(|grant| grant.sql.clone()).collect()
}

/// Checks write access to the embedded database: takes its lock and releases it at once.
pub(super) async fn writable(conn: &mut Conn) -> Option<Finding> {
    if conn.dialect() != Dialect::Lite {
        return None;
    }
    match conn.begin().await {
        Ok(()) => {
            // Nothing was written, so that an error loses nothing.
            drop(conn.rollback().await);
            None
        }
        Err(error) if error.is_transient() => Some(Finding::warning(
            "busy",
            words(
                format!("another program is writing to the database: {error}"),
                "wait for it, or look which one it is",
            ),
            words(format!("un autre programme écrit dans la base : {error}"), "attendez-le, ou cherchez lequel c'est"),
        )),
        Err(error) => Some(server::is_read_only(Some(&error))),
    }
}
