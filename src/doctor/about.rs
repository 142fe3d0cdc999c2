//! Names Moodle's version, and settings of Moodle that enrold does not follow: the encoding of its flat file, the rooms
//! of its communication subsystem. It must not judge enrolment methods or tasks.

use crate::config::{EncodingFallback, Settings};
use crate::doctor::finding::{Finding, words};
use crate::moodle::method;
use crate::moodle::site::Site;

/// `config.branch` of the first and of the last version that enrold was compared with.
const COMPARED: [i64; 2] = [401, 501];

/// The findings about the site as a whole.
pub(super) fn examine(site: &Site, settings: &Settings) -> Vec<Finding> {
    [version(site), encoding(site, settings.flatfile.encoding_fallback), communication(site)]
        .into_iter()
        .flatten()
        .collect()
}

/// `None` if the site does not say its version, as a demonstration does not.
fn version(site: &Site) -> Option<Finding> {
    let release = site.config("release").map(str::trim).filter(|text| !text.is_empty())?;
    let (en, fr) = (format!("this is Moodle {release}"), format!("ce site est un Moodle {release}"));
    let [_, last] = COMPARED;
    if site.number("branch", 0) <= last {
        return Some(Finding::ok("moodle-version", words(en, ""), words(fr, "")));
    }
    Some(Finding::warning(
        "moodle-version",
        words(
            format!("{en}, newer than any that enrold was compared with (4.1, 4.5, 5.1)"),
            "look for a newer enrold; until then try a file with --simulate, and compare a course with Moodle's own",
        ),
        words(
            format!("{fr}, plus récent que ceux auxquels enrold a été comparé (4.1, 4.5, 5.1)"),
            "cherchez une version plus récente d'enrold ; d'ici là, essayez un fichier avec --simulate et comparez un \
             cours avec ce que fait Moodle",
        ),
    ))
}

/// Moodle reads its flat file in the encoding of a setting, enrold in the one that it finds in the bytes.
fn encoding(site: &Site, fallback: EncodingFallback) -> Option<Finding> {
    let set = site.plugin(method::FLATFILE_COMPONENT, "encoding").map(str::trim).filter(|text| !text.is_empty())?;
    let known = set.to_ascii_lowercase().replace('_', "-");
    let is_fallback = match fallback {
        EncodingFallback::Windows1252 => ["windows-1252", "cp1252", "iso-8859-1", "latin1"].contains(&known.as_str()),
        EncodingFallback::Iso8859_15 => known == "iso-8859-15",
    };
    if is_fallback || ["utf-8", "utf8", "us-ascii", "ascii"].contains(&known.as_str()) || known.starts_with("utf-16") {
        return None;
    }
    let (en, fr) = match known.as_str() {
        "iso-8859-15" | "windows-1252" | "cp1252" | "iso-8859-1" | "latin1" => {
            let other = if known == "iso-8859-15" { "iso-8859-15" } else { "windows-1252" };
            let set = format!("flatfile.encoding_fallback = \"{other}\"");
            (format!("set {set}, or export as UTF-8"), format!("mettez {set}, ou exportez en UTF-8"))
        }
        _ => ("export as UTF-8".to_owned(), "exportez en UTF-8".to_owned()),
    };
    let reads = fallback.as_str();
    Some(Finding::warning(
        "flatfile-encoding",
        words(
            format!(
                "Moodle's setting enrol_flatfile/encoding is {set}: enrold reads files as UTF-8, UTF-16 with a mark, \
                 else as {reads}, and would misread names in that encoding"
            ),
            en,
        ),
        words(
            format!(
                "le réglage enrol_flatfile/encoding de Moodle est {set} : enrold lit les fichiers en UTF-8, en UTF-16 \
                 avec marque, sinon en {reads}, et lirait mal les noms dans cet encodage"
            ),
            fr,
        ),
    ))
}

/// Rooms of Moodle's communication providers (since 4.2) follow enrolments through PHP.
fn communication(site: &Site) -> Option<Finding> {
    (site.number("enablecommunicationsubsystem", 0) != 0).then(|| {
        Finding::warning(
            "communication",
            words(
                "Moodle's communication subsystem is on: the members of its rooms follow what enrold changes only when \
                 Moodle's task synchronise_providers_task runs, once a week by default",
                "let that task run daily: Site administration > Server > Tasks > Scheduled tasks",
            ),
            words(
                "le sous-système de communication de Moodle est activé : les membres de ses salons ne suivent ce que \
                 change enrold que lorsque la tâche synchronise_providers_task de Moodle s'exécute, une fois par \
                 semaine par défaut",
                "faites tourner cette tâche chaque jour : Administration du site > Serveur > Tâches > Tâches \
                 programmées",
            ),
        )
    })
}
