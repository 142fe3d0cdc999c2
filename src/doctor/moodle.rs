//! Checks the site's own settings and rows: methods, tasks, roles, time zone, keys that are not unique.
//! It must not change a setting; findings name the page in Moodle to change it.

use std::collections::BTreeMap;

use crate::config::{CourseKey, Settings, UserKey, WhenDisabled};
use crate::db::{Conn, DbError, Dialect, Params};
use crate::doctor::about;
use crate::doctor::finding::{Finding, Level, words};
use crate::doctor::roles::of_flat_files;
use crate::doctor::tasks;
use crate::moodle::method;
use crate::moodle::site::Site;

/// Examines the site.
///
/// # Errors
/// The database's error.
pub(super) async fn examine(conn: &mut Conn, settings: &Settings) -> Result<Vec<Finding>, DbError> {
    let site = Site::read(conn).await?;
    let mut findings = about::examine(&site, settings);
    findings.push(enabled(&site, settings));
    findings.extend(tasks::examine(conn, &site, settings).await?);
    findings.extend(actor(&site));
    findings.push(zone(&site, settings));
    findings.extend(roles(&site));
    findings.extend(of_flat_files(&settings.flatfile.roles, &site));
    findings.extend(twice(conn, settings).await?);
    Ok(findings)
}

fn enabled(site: &Site, settings: &Settings) -> Finding {
    if site.is_enabled(method::FLATFILE) {
        return Finding::ok(
            "method",
            words("the enrolment method `flatfile` is enabled in Moodle", ""),
            words("la méthode d'inscription `flatfile` est activée dans Moodle", ""),
        );
    }
    let (level, en, fr) = match settings.flatfile.when_disabled {
        WhenDisabled::Wait => (Level::Error, "nothing is applied", "rien n'est appliqué"),
        WhenDisabled::Apply => (
            Level::Warning,
            "files are applied (flatfile.when_disabled = apply), but Moodle lets nobody into a course by them",
            "les fichiers sont appliqués (flatfile.when_disabled = apply), mais ils n'ouvrent aucun cours dans Moodle",
        ),
    };
    let finding = Finding::ok(
        "method",
        words(
            format!("the enrolment method `flatfile` is not enabled in Moodle (its default): {en}"),
            "enable \"Flat file (CSV)\" in Site administration > Plugins > Enrolments > Manage enrol plugins",
        ),
        words(
            format!("la méthode d'inscription `flatfile` n'est pas activée dans Moodle (son défaut) : {fr}"),
            "activez « Fichier plat (CSV) » dans Administration du site > Plugins > Inscriptions > Gérer les plugins \
             d'inscription",
        ),
    );
    Finding { level, ..finding }
}

fn actor(site: &Site) -> Option<Finding> {
    (site.actor == 0).then(|| {
        Finding::warning(
            "actor",
            words(
                "no living account in Moodle's setting `siteadmins`: changes will be logged as nobody's",
                "name an administrator in Site administration > Users > Permissions > Site administrators",
            ),
            words(
                "aucun compte valide dans le réglage `siteadmins` de Moodle : les changements seront journalisés sans \
                 auteur",
                "nommez un administrateur dans Administration du site > Utilisateurs > Permissions > Administrateurs \
                 du site",
            ),
        )
    })
}

fn zone(site: &Site, settings: &Settings) -> Finding {
    let ok = |name: &str, of_en: &str, of_fr: &str| {
        Finding::ok(
            "timezone",
            words(format!("dates without a zone are read in {name} ({of_en})"), ""),
            words(format!("les dates sans fuseau sont lues en {name} ({of_fr})"), ""),
        )
    };
    if let Some(zone) = settings.site.timezone {
        return ok(zone.name(), "site.timezone", "site.timezone");
    }
    match site.timezone().map(|name| (name, name.parse::<chrono_tz::Tz>())) {
        Some((name, Ok(_))) => ok(name, "Moodle's setting", "réglage de Moodle"),
        found => {
            let name = found.map_or("99", |(name, _)| name);
            Finding::warning(
                "timezone",
                words(
                    format!("Moodle's `timezone` is {name}, which names no zone: dates without a zone are read as UTC"),
                    "set site.timezone (for example \"Europe/Paris\")",
                ),
                words(
                    format!(
                        "le `timezone` de Moodle est {name}, qui ne désigne aucun fuseau : les dates sans fuseau sont \
                         lues en UTC"
                    ),
                    "fixez site.timezone (par exemple \"Europe/Paris\")",
                ),
            )
        }
    }
}

/// Names of roles in files, as [`Site::flatfile_roles`] reads them: which are switched off, which several roles have,
/// which mean another role as a short name.
fn roles(site: &Site) -> Vec<Finding> {
    let mut claims: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut off = Vec::new();
    for role in &site.roles {
        let alias = site
            .plugin(method::FLATFILE_COMPONENT, &format!("map_{}", role.id))
            .unwrap_or(&role.shortname)
            .trim()
            .to_lowercase();
        if alias.is_empty() {
            off.push(role.shortname.as_str());
        } else {
            claims.entry(alias).or_default().push(&role.shortname);
        }
    }
    let ambiguous = site.ambiguous_roles();
    let twice: Vec<String> = claims
        .iter()
        .filter(|(alias, roles)| roles.len() > 1 && !ambiguous.contains_key(*alias))
        .map(|(alias, roles)| format!("{alias} ({})", roles.join(", ")))
        .collect();
    let mut findings = Vec::new();
    if !twice.is_empty() {
        let list = twice.join("; ");
        findings.push(Finding::warning(
            "role-alias-twice",
            words(
                format!("several roles have the same name in flat files, the first one gets the lines: {list}"),
                "give each its own in Site administration > Plugins > Enrolments > Flat file (CSV)",
            ),
            words(
                format!(
                    "plusieurs rôles portent le même nom dans les fichiers plats, le premier reçoit les lignes : {list}"
                ),
                "donnez à chacun le sien dans Administration du site > Plugins > Inscriptions > Fichier plat (CSV)",
            ),
        ));
    }
    if !ambiguous.is_empty() {
        let list = ambiguous.iter().map(|(alias, both)| format!("{alias} ({both})")).collect::<Vec<_>>().join("; ");
        findings.push(Finding::warning(
            "role-ambiguous",
            words(
                format!(
                    "names in flat files that are the short name of one role and the alias of another, whose lines \
                     will be refused: {list}"
                ),
                "give the second another alias in Site administration > Plugins > Enrolments > Flat file (CSV)",
            ),
            words(
                format!(
                    "noms qui, dans les fichiers plats, sont le nom abrégé d'un rôle et l'alias d'un autre, dont les \
                     lignes seront refusées : {list}"
                ),
                "donnez au second un autre alias dans Administration du site > Plugins > Inscriptions > Fichier plat \
                 (CSV)",
            ),
        ));
    }
    if !off.is_empty() {
        let list = off.join(", ");
        findings.push(Finding::warning(
            "role-alias-off",
            words(
                format!("roles without a name in flat files of Moodle's own form, whose lines will be refused: {list}"),
                "give them one in Site administration > Plugins > Enrolments > Flat file (CSV) if files name them",
            ),
            words(
                format!(
                    "rôles sans nom dans les fichiers plats au format de Moodle, dont les lignes seront refusées : \
                     {list}"
                ),
                "donnez-leur un nom dans Administration du site > Plugins > Inscriptions > Fichier plat (CSV) si des \
                 fichiers les désignent",
            ),
        ));
    }
    findings
}

/// Keys that several accounts or courses share: lines that name them are refused.
async fn twice(conn: &mut Conn, settings: &Settings) -> Result<Vec<Finding>, DbError> {
    let forms = [&settings.flatfile.header, &settings.flatfile.native];
    let kinds = [
        (
            "user-idnumber-twice",
            "{user}",
            "x.deleted = 0 AND",
            "accounts",
            "comptes",
            forms.iter().any(|form| form.user_key == UserKey::Idnumber),
        ),
        (
            "course-idnumber-twice",
            "{course}",
            "",
            "courses",
            "cours",
            forms.iter().any(|form| form.course_key == CourseKey::Idnumber),
        ),
    ];
    let mut findings = Vec::new();
    for (code, table, living, en, fr, used) in kinds {
        // Keys are compared exactly, whatever the site's collation.
        let key = if conn.dialect() == Dialect::Maria { "BINARY x.idnumber" } else { "x.idnumber" };
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT COUNT(*) AS n FROM {table} x
                                   WHERE {living} x.idnumber <> '' GROUP BY {key} HAVING COUNT(*) > 1) t"
        );
        let count = conn.number(&sql, &Params::new()).await?;
        if count > 0 {
            let finding = Finding::ok(
                code,
                words(
                    format!("idnumbers that several {en} share: {count}; lines that name them are refused"),
                    "give each its own",
                ),
                words(
                    format!(
                        "numéros d'identification (idnumber) que plusieurs {fr} partagent : {count} ; les lignes qui \
                         les nomment sont refusées"
                    ),
                    "donnez à chacun le sien",
                ),
            );
            findings.push(Finding { level: if used { Level::Warning } else { Level::Ok }, ..finding });
        }
    }
    Ok(findings)
}
