//! Checks the sources of full sets: whether the next set can be read, whether the last ones came, and whether Moodle
//! does the same work. It must not read a row of a set; it queries zero rows of each second database.

use crate::config::{Locale, Settings, Source, Target};
use crate::db::{Conn, DbError};
use crate::doctor::finding::{Finding, words};
use crate::doctor::roles;
use crate::inbox::{is_of_input, overlap};
use crate::moodle::method;
use crate::moodle::site::{Site, zone};
use crate::report::feed;
use crate::sets::feeds;
use crate::source::{probe, with_moodles_settings};

/// The plugin whose settings Moodle's own synchronisation follows.
const PLUGIN: &str = "enrol_database";
/// The settings without which Moodle's plugin does nothing at a login (spec database 6).
const NEEDED: [&str; 4] = ["dbtype", "remoteenroltable", "remotecoursefield", "remoteuserfield"];

/// Examines the enabled sources; with `now` (Unix seconds) also the age of their last sets, which needs the history.
///
/// # Errors
/// The database's error; an error of a second database is a finding.
pub(super) async fn examine(conn: &mut Conn, settings: &Settings, now: Option<i64>) -> Result<Vec<Finding>, DbError> {
    let enabled: Vec<(&str, &Source)> = enabled(settings).collect();
    if enabled.is_empty() {
        return Ok(Vec::new());
    }
    let site = Site::read(conn).await?;
    let mut findings = Vec::new();
    for (name, source) in &enabled {
        let whole = with_moodles_settings(name, source, &site);
        findings.extend(whole.iter().flat_map(|whole| roles::of_source(name, whole, &site)));
        match whole {
            Ok(whole) if whole.files.is_empty() => findings.extend(of_database(name, &whole).await),
            Ok(whole) => findings.extend(of_files(name, &whole, &enabled)),
            Err(error) => findings.push(unreadable(name, &error.to_string())),
        }
        findings.extend(default_role(name, source, &site));
        findings.extend(mails(name, source, settings));
    }
    if let Some(now) = now {
        findings.extend(stale(conn, settings, &site, now).await?);
    }
    findings.extend(method_off(&enabled, &site));
    findings.extend(login(&enabled, &site));
    Ok(findings)
}

fn enabled(settings: &Settings) -> impl Iterator<Item = (&str, &Source)> {
    settings.sources.iter().filter(|(_, source)| source.enabled).map(|(name, source)| (name.as_str(), source))
}

async fn of_database(name: &str, source: &Source) -> Vec<Finding> {
    if source.url.is_none() {
        return vec![unreadable(
            name,
            &format!("no second database is named: neither sources.{name}.url nor Moodle's own settings"),
        )];
    }
    let may_write = match probe(name, source).await {
        Ok(may_write) => may_write,
        Err(error) => return vec![unreadable(name, &error.to_string())],
    };
    let mut findings = vec![Finding::ok(
        "source",
        words(format!("source {name}: its database answers, and has what the settings name"), ""),
        words(format!("source {name} : sa base répond, et a ce que nomment les réglages"), ""),
    )];
    findings.extend(match may_write {
        Some(true) => Some(writing(name)),
        Some(false) => None,
        None => Some(rights_unknown(name)),
    });
    findings
}

fn unreadable(name: &str, reason: &str) -> Finding {
    Finding::error(
        "source",
        words(
            format!("source {name} cannot be read: {reason}"),
            format!("correct sources.{name} or the other side, then try 'enrold diff {name}'; until then no set comes"),
        ),
        words(
            format!("la source {name} ne peut pas être lue : {reason}"),
            format!(
                "corrigez sources.{name} ou l'autre côté, puis essayez « enrold diff {name} » ; d'ici là aucun lot \
                 n'arrive"
            ),
        ),
    )
}

fn writing(name: &str) -> Finding {
    Finding::warning(
        "source-rights",
        words(
            format!("source {name}: its account (for SQLite, enrold's own on the file) may write there"),
            "enrold only reads, in a session that cannot write; give it an account with the right to read alone",
        ),
        words(
            format!("source {name} : son compte (pour SQLite, celui d'enrold sur le fichier) peut y écrire"),
            "enrold ne fait que lire, dans une session qui ne peut pas écrire ; donnez-lui un compte limité à la \
             lecture",
        ),
    )
}

fn rights_unknown(name: &str) -> Finding {
    Finding::warning(
        "source-rights",
        words(
            format!("source {name}: its database does not say whether the account may write there"),
            "let its administrator check that the account has the right to read alone",
        ),
        words(
            format!("source {name} : sa base ne dit pas si le compte peut y écrire"),
            "faites vérifier par son administrateur que le compte est limité à la lecture",
        ),
    )
}

/// Patterns that no dropped file can match, or that two sources share.
fn of_files(name: &str, source: &Source, enabled: &[(&str, &Source)]) -> Vec<Finding> {
    let dead: Vec<&str> = source.files.iter().map(String::as_str).filter(|pattern| !is_of_input(pattern)).collect();
    let shared = |pattern: &&String| {
        let of = |other: &Source| other.files.iter().any(|theirs| is_of_input(theirs) && overlap(pattern, theirs));
        enabled.iter().find(|(other, source)| *other > name && of(source)).map(|(other, _)| *other)
    };
    let mut findings: Vec<Finding> = source
        .files
        .iter()
        .filter(|pattern| is_of_input(pattern))
        .filter_map(|pattern| Some((pattern, shared(&pattern)?)))
        .map(|(pattern, other)| {
            Finding::warning(
                "source-files",
                words(
                    format!("a file may belong to the sources {name} ({pattern}) and {other}: {name} takes it"),
                    format!("give sources.{name}.files and sources.{other}.files names that no file shares"),
                ),
                words(
                    format!("un fichier peut être des sources {name} ({pattern}) et {other} : {name} le prend"),
                    format!(
                        "donnez à sources.{name}.files et sources.{other}.files des noms qu'aucun fichier n'a en commun"
                    ),
                ),
            )
        })
        .collect();
    if dead.is_empty() {
        let list = source.files.join(", ");
        findings.push(Finding::ok(
            "source",
            words(format!("source {name}: takes {list} from the drop directory"), ""),
            words(format!("source {name} : prend {list} dans le répertoire de dépôt"), ""),
        ));
    } else {
        let list = dead.join(", ");
        findings.push(Finding::warning(
            "source-files",
            words(
                format!(
                    "source {name}: no dropped file can be {list} (hidden, a seal, a name of enrold's own, or \
                     elsewhere)"
                ),
                format!("correct sources.{name}.files; docs/drop-directory.md lists the names that are never input"),
            ),
            words(
                format!(
                    "source {name} : aucun fichier déposé ne peut être {list} (caché, un sceau, un nom d'enrold, ou \
                     ailleurs)"
                ),
                format!("corrigez sources.{name}.files ; docs/drop-directory.md dit quels noms ne sont jamais lus"),
            ),
        ));
    }
    findings
}

fn default_role(name: &str, source: &Source, site: &Site) -> Option<Finding> {
    let role = source.default_role.trim();
    let gone = !role.is_empty() && !site.roles.iter().any(|known| known.shortname == role);
    gone.then(|| {
        Finding::warning(
            "source-role",
            words(
                format!("source {name}: no role has the short name '{role}' of its default_role"),
                "rows without a known role are problems until then; name a role as Moodle does",
            ),
            words(
                format!("source {name} : aucun rôle n'a le nom abrégé « {role} » de son default_role"),
                "d'ici là, les lignes sans rôle connu sont des erreurs ; nommez un rôle comme Moodle",
            ),
        )
    })
}

fn mails(name: &str, source: &Source, settings: &Settings) -> Option<Finding> {
    (!source.mail_to.is_empty() && !settings.smtp.enabled).then(|| {
        Finding::warning(
            "source-mails",
            words(
                format!(
                    "source {name} has mail_to, and mails are off: nobody is told of a held, failed or missing set"
                ),
                "configure [smtp] and set smtp.enabled, then try 'enrold mails test ADDRESS'",
            ),
            words(
                format!(
                    "la source {name} a un mail_to, et les courriels sont désactivés : personne n'apprend un lot \
                     retenu, en échec ou absent"
                ),
                "configurez [smtp] et smtp.enabled, puis essayez « enrold mails test ADRESSE »",
            ),
        )
    })
}

async fn stale(conn: &mut Conn, settings: &Settings, site: &Site, now: i64) -> Result<Vec<Finding>, DbError> {
    let of_site = zone(settings, Some(site));
    let mut findings = Vec::new();
    for feed in feeds(conn, settings).await? {
        let Some(source) = settings.sources.get(&feed.source) else { continue };
        let Some(stale) = feed.stale(source, of_site, now, None) else { continue };
        let name = &feed.source;
        let told = |locale| feed::stale(stale, source.timezone.unwrap_or(of_site), locale);
        findings.push(Finding::warning(
            "source-stale",
            words(
                format!("source {name} is stale: {}", told(Locale::En)),
                "look at the system that makes its sets; 'enrold runs' shows held and failed runs",
            ),
            words(
                format!("la source {name} n'est plus à jour : {}", told(Locale::Fr)),
                "vérifiez le système qui produit ses lots ; « enrold runs » montre les lots suspendus ou en échec",
            ),
        ));
    }
    Ok(findings)
}

fn of_enrolments<'a>(enabled: &'a [(&'a str, &'a Source)]) -> impl Iterator<Item = &'a str> {
    enabled.iter().filter(|(_, source)| source.target == Target::Enrolments).map(|(name, _)| *name)
}

fn method_off(enabled: &[(&str, &Source)], site: &Site) -> Option<Finding> {
    let names: Vec<&str> = of_enrolments(enabled).collect();
    (!names.is_empty() && !site.is_enabled(method::DATABASE)).then(|| {
        let list = names.join(", ");
        Finding::warning(
            "source-method",
            words(
                format!("the enrolment method `database` is not enabled in Moodle: sets of {list} are skipped"),
                "enable \"External database\" in Site administration > Plugins > Enrolments > Manage enrol plugins",
            ),
            words(
                format!(
                    "la méthode d'inscription `database` n'est pas activée dans Moodle : les lots de {list} sont \
                     ignorés"
                ),
                "activez « Base de données externe » dans Administration du site > Plugins > Inscriptions > Gérer les \
                 plugins d'inscription",
            ),
        )
    })
}

/// Moodle's plugin queries its second database at each login, even while its task is disabled (spec database 6).
fn login(enabled: &[(&str, &Source)], site: &Site) -> Option<Finding> {
    let filled = |name: &&str| site.plugin(PLUGIN, name).is_some_and(|value| !value.trim().is_empty());
    let mut names = of_enrolments(enabled).peekable();
    names.peek()?;
    if !site.is_enabled(method::DATABASE) || !NEEDED.iter().all(filled) {
        return None;
    }
    let others: Vec<&str> = names.filter(|name| *name != method::DATABASE).collect();
    let (en, fr) = if others.is_empty() {
        (
            "it does the same as the source database, but no limit, time of grace or report holds at a login"
                .to_owned(),
            "elle fait la même chose que la source database, mais sans limite, délai de grâce ni rapport".to_owned(),
        )
    } else {
        let list = others.join(", ");
        (
            format!(
                "it takes the roles that the sources {list} have given for its own, and removes them until the next \
                 night"
            ),
            format!(
                "elle prend pour siens les rôles donnés par les sources {list}, et les retire jusqu'à la nuit suivante"
            ),
        )
    };
    Some(Finding::warning(
        "login-sync",
        words(
            format!(
                "Moodle's own external-database method is set up too and synchronises each user at login, whatever its \
                 task does: {en}"
            ),
            "copy its settings into [sources.database] if enrold is to go on with them, then empty 'Database driver' \
             (dbtype) in Site administration > Plugins > Enrolments > External database; leave the method itself \
             enabled. See docs/full-sets.md, Beside Moodle",
        ),
        words(
            format!(
                "la méthode « Base de données externe » de Moodle est réglée aussi et synchronise chaque utilisateur à \
                 sa connexion, quoi que fasse sa tâche : {fr}"
            ),
            "copiez ses réglages dans [sources.database] si enrold doit les reprendre, puis videz « Pilote de base de \
             données » (dbtype) dans Administration du site > Plugins > Inscriptions > Base de données externe ; \
             laissez la méthode activée. Voyez docs/full-sets.md, Beside Moodle",
        ),
    ))
}
