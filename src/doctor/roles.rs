//! Checks which roles files and sources may give on this site, and whether the configured lists match its roles. It
//! must not change a list, nor know the format of a file.

use crate::config::{RoleEntry, RoleList, Source, Target};
use crate::doctor::finding::{Finding, words};
use crate::moodle::site::Site;

/// Archetypes whose roles reach beyond teaching and learning in a course.
const POWERFUL: [&str; 2] = ["manager", "coursecreator"];

/// The roles of flat files in the drop directory.
pub(super) fn of_flat_files(list: &RoleList, site: &Site) -> Vec<Finding> {
    of_list(list, "flatfile.roles", ("dropped flat files", "les fichiers plats déposés"), site, "")
}

/// The roles of a source: of its dropped files, and of its second database where the operator lists some.
pub(super) fn of_source(name: &str, source: &Source, site: &Site) -> Vec<Finding> {
    if source.target == Target::Cohorts || (source.files.is_empty() && !source.lists_roles()) {
        return Vec::new();
    }
    let (en, fr) = (format!("sets of the source {name}"), format!("les lots de la source {name}"));
    of_list(&source.allowed_roles(), &format!("sources.{name}.roles"), (&en, &fr), site, &source.default_role)
}

fn of_list(list: &RoleList, key: &str, (en, fr): (&str, &str), site: &Site, default_role: &str) -> Vec<Finding> {
    let given = site.roles.iter().filter(|role| list.covers(&role.shortname, &role.archetype));
    let shown: Vec<&str> = given.clone().map(|role| role.shortname.as_str()).collect();
    let powerful: Vec<&str> = given
        .filter(|role| POWERFUL.contains(&role.archetype.trim().to_lowercase().as_str()))
        .map(|role| role.shortname.as_str())
        .collect();
    let wide = !powerful.is_empty() || list.entries().contains(&RoleEntry::Any);
    let first = if wide { wide_list(key, en, fr, &powerful, &shown) } else { narrow_list(key, en, fr, &shown) };
    std::iter::once(first).chain(unknown(list, key, site, default_role)).collect()
}

fn narrow_list(key: &str, en: &str, fr: &str, shown: &[&str]) -> Finding {
    let list = shown.join(", ");
    let (no_en, no_fr) = if shown.is_empty() { ("no role at all", "aucun rôle") } else { ("", "") };
    Finding::ok(
        "roles-allowed",
        words(format!("roles that {en} may give ({key}): {list}{no_en}"), ""),
        words(format!("rôles que peuvent donner {fr} ({key}) : {list}{no_fr}"), ""),
    )
}

fn wide_list(key: &str, en: &str, fr: &str, powerful: &[&str], shown: &[&str]) -> Finding {
    let list = if powerful.is_empty() { shown.join(", ") } else { powerful.join(", ") };
    Finding::warning(
        "roles-allowed",
        words(
            format!("{en} may give roles that reach beyond teaching and learning ({key}): {list}"),
            format!(
                "whoever may write these files can make anybody a manager; name in {key} only the roles that they need"
            ),
        ),
        words(
            format!("{fr} peuvent donner des rôles qui dépassent l'enseignement et l'étude ({key}) : {list}"),
            format!(
                "qui peut écrire ces fichiers peut faire de n'importe qui un gestionnaire ; ne nommez dans {key} que \
                 les rôles nécessaires"
            ),
        ),
    )
}

/// Entries that match no role of this site; an unknown default role has a finding of its own.
fn unknown(list: &RoleList, key: &str, site: &Site, default_role: &str) -> Option<Finding> {
    let means_nobody = |entry: &&RoleEntry| match entry {
        // A site may have no role of its own, or none of one of Moodle's archetypes.
        RoleEntry::Any => false,
        RoleEntry::Shortname(name) if *name == default_role.trim().to_lowercase() => false,
        RoleEntry::Archetype(name) if name.is_empty() || ARCHETYPES.contains(&name.as_str()) => false,
        entry => !site.roles.iter().any(|role| entry.covers(&role.shortname, &role.archetype)),
    };
    let entries: Vec<String> = list.entries().iter().filter(means_nobody).map(ToString::to_string).collect();
    (!entries.is_empty()).then(|| {
        let entries = entries.join(", ");
        Finding::warning(
            "roles-unknown",
            words(
                format!("{key} allows roles that this site does not have: {entries}"),
                "write a short name as in Site administration > Users > Permissions > Define roles, or @ and an \
                 archetype",
            ),
            words(
                format!("{key} permet des rôles que ce site n'a pas : {entries}"),
                "écrivez un nom abrégé comme dans Administration du site > Utilisateurs > Permissions > Définition des \
                 rôles, ou @ et un archétype",
            ),
        )
    })
}

/// Moodle's archetypes (`get_role_archetypes()`).
const ARCHETYPES: [&str; 8] =
    ["manager", "coursecreator", "editingteacher", "teacher", "student", "guest", "user", "frontpage"];
