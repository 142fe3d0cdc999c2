//! Checks the enabled profiles of users files and cohort files: whether a dropped file can be theirs, and theirs only.
//! It must not look at the drop directory, nor at the database.

use crate::config::{Profile, Settings, Source};
use crate::doctor::finding::{Finding, words};
use crate::files::{Layout, traits};
use crate::inbox::{is_of_input, overlap, patterns};

/// Examines the enabled profiles.
pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let enabled: Vec<(&str, &Profile)> = (settings.profiles.iter())
        .filter(|(_, profile)| profile.enabled)
        .map(|(name, profile)| (name.as_str(), profile))
        .collect();
    let mut findings = Vec::new();
    for (name, profile) in &enabled {
        findings.push(takes(name, profile));
        findings.extend(patterns(profile).filter(|pattern| !is_of_input(pattern)).map(|dead| never(name, dead)));
        for pattern in patterns(profile).filter(|pattern| is_of_input(pattern)) {
            let of = |other: &str| is_of_input(other) && overlap(pattern, other);
            let other = enabled.iter().find(|(other, profile)| *other > *name && patterns(profile).any(of));
            findings.extend(other.map(|(other, _)| shared(name, pattern, other)));
            let of = |source: &Source| source.enabled && source.files.iter().any(|other| of(other));
            let source = settings.sources.iter().find(|(_, source)| of(source));
            findings.extend(source.map(|(source, _)| of_source(name, pattern, source)));
        }
        if !profile.mail_to.is_empty() && !settings.smtp.enabled {
            findings.push(mails(name));
        }
    }
    findings
}

fn takes(name: &str, profile: &Profile) -> Finding {
    let (kind, mode) = (profile.kind, profile.mode);
    let files = patterns(profile).collect::<Vec<_>>().join(", ");
    let headed = matches!(traits(kind).layout, Layout::Header(_));
    let (named, nommes) = match (files.is_empty(), headed) {
        (true, _) => ("known by their headers".to_owned(), "reconnus à leur en-tête".to_owned()),
        (false, true) => {
            (format!("named {files}, or known by their headers"), format!("nommés {files}, ou reconnus à leur en-tête"))
        }
        (false, false) => (format!("named {files}"), format!("nommés {files}")),
    };
    Finding::ok(
        "profile",
        words(format!("profile {name}: dropped files of kind {kind}, {named} (mode {mode})"), ""),
        words(format!("profil {name} : les fichiers déposés de type {kind}, {nommes} (mode {mode})"), ""),
    )
}

fn never(name: &str, pattern: &str) -> Finding {
    Finding::warning(
        "profile-files",
        words(
            format!(
                "profile {name}: no dropped file can be {pattern} (hidden, a seal, a name of enrold's own, or \
                 elsewhere)"
            ),
            format!("correct profiles.{name}.files; docs/drop-directory.md lists the names that are never input"),
        ),
        words(
            format!(
                "profil {name} : aucun fichier déposé ne peut être {pattern} (caché, un sceau, un nom d'enrold, ou \
                 ailleurs)"
            ),
            format!("corrigez profiles.{name}.files ; docs/drop-directory.md dit quels noms ne sont jamais lus"),
        ),
    )
}

fn shared(name: &str, pattern: &str, other: &str) -> Finding {
    Finding::warning(
        "profile-files",
        words(
            format!("a file may belong to the profiles {name} ({pattern}) and {other}: such a file is refused"),
            format!("give profiles.{name}.files and profiles.{other}.files names that no file shares"),
        ),
        words(
            format!("un fichier peut être des profils {name} ({pattern}) et {other} : un tel fichier est refusé"),
            format!("donnez à profiles.{name}.files et profiles.{other}.files des noms qu'aucun fichier n'a en commun"),
        ),
    )
}

fn of_source(name: &str, pattern: &str, source: &str) -> Finding {
    Finding::warning(
        "profile-files",
        words(
            format!("a file may belong to the profile {name} ({pattern}) and to the source {source}, which takes it"),
            format!("give profiles.{name}.files and sources.{source}.files names that no file shares"),
        ),
        words(
            format!("un fichier peut être du profil {name} ({pattern}) et de la source {source}, qui alors le prend"),
            format!("donnez à profiles.{name}.files et sources.{source}.files des noms qu'aucun fichier n'a en commun"),
        ),
    )
}

fn mails(name: &str) -> Finding {
    Finding::warning(
        "profile-mails",
        words(
            format!("profile {name} has mail_to, and mails are off: nobody is told what became of a file"),
            "configure [smtp] and set smtp.enabled, then try 'enrold mails test ADDRESS'",
        ),
        words(
            format!("le profil {name} a un mail_to, et les courriels sont désactivés : personne n'est informé"),
            "configurez [smtp] et smtp.enabled, puis essayez « enrold mails test ADRESSE »",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Locale, Sources, load};

    #[test]
    fn names_of_files_belong_to_one_profile() {
        let found = |sets: &[(&str, &str)]| {
            let sets = sets.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let loaded = load(&Sources { sets, ..Sources::default() }).unwrap();
            let findings = examine(&loaded.settings);
            findings.iter().map(|finding| format!("{} {}", finding.code, finding.text(Locale::En))).collect::<Vec<_>>()
        };
        let told = found(&[("profiles.a.files", "promo-*.csv")]);
        assert!(told[0].contains("files of kind users, named promo-*.csv, or known by their headers (mode apply)"));
        let found = |sets: &[(&str, &str)]| -> Vec<String> {
            found(sets).into_iter().filter(|finding| !finding.starts_with("profile profile")).collect()
        };
        let a = [("profiles.a.files", "promo-*.csv,.hidden"), ("profiles.a.mail_to", "a@example.org")];
        assert!(found(&[("profiles.a.files", "promo-*.csv"), ("profiles.b.files", "cohorts*.csv")]).is_empty());
        let alone = found(&a);
        assert!(alone[0].starts_with("profile-files profile a: no dropped file can be .hidden"), "{alone:?}");
        assert!(alone[1].starts_with("profile-mails profile a has mail_to"), "{alone:?}");
        let two = found(&[&a[..1], &[("profiles.b.files", "*-2.csv")]].concat());
        assert!(two[1].contains("profiles a (promo-*.csv) and b: such a file is refused"), "{two:?}");
        let off = found(&[&a[..1], &[("profiles.b.files", "*-2.csv"), ("profiles.b.enabled", "no")]].concat());
        assert_eq!(off.len(), 1, "{off:?}");
        let source = [("sources.s.files", "*.csv"), ("sources.s.default_role", "student")];
        let taken = found(&[&a[..1], &source].concat());
        assert!(taken[1].contains("the source s, which takes it"), "{taken:?}");
    }
}
