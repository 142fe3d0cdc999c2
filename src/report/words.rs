//! The texts of reports, in English and French: states, kinds of changes, notes, limits.
//! It must not know where they are shown.

use crate::config::{FileKind, Locale};
use crate::outcome::{Breach, Note, Report, State};
use crate::report::{set, table};

/// The text in the given language.
pub fn pick(locale: Locale, english: &str, french: &str) -> String {
    match locale {
        Locale::En => english.to_owned(),
        Locale::Fr => french.to_owned(),
    }
}

/// The text for the state of a run.
pub fn state(state: State, locale: Locale) -> String {
    let (english, french) = match state {
        State::Running => ("running", "en cours"),
        State::Done => ("done", "terminée"),
        State::DoneWithErrors => ("done, but lines failed", "terminée, mais des lignes ont échoué"),
        State::Held => ("HELD, nothing is applied", "SUSPENDUE, rien n'est appliqué"),
        State::Approved => ("held, then approved", "suspendue, puis approuvée"),
        State::Rejected => ("held, then rejected", "suspendue, puis rejetée"),
        State::Failed => ("FAILED, nothing is applied", "ÉCHEC, rien n'est appliqué"),
        State::Interrupted => ("interrupted, nothing was applied", "interrompue, rien n'a été appliqué"),
        State::Simulated => ("simulated, nothing is applied", "simulée, rien n'est appliqué"),
        State::Skipped => ("skipped, nothing is applied", "ignorée, rien n'est appliqué"),
    };
    pick(locale, english, french)
}

/// The first line of a report.
pub fn headline(report: &Report, locale: Locale) -> String {
    let number = match (report.run, locale) {
        (0, _) => String::new(),
        (run, Locale::En) => format!("run {run}, "),
        (run, Locale::Fr) => format!("exécution {run}, "),
    };
    let what = format!("{} {}", report.kind, report.source);
    format!("{number}{}: {}", what.trim_end(), state(report.state, locale))
}

/// The facts of a report: labels and values.
pub fn facts(report: &Report, locale: Locale, catalogue: Catalogue) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    // The table already shows them, rule by rule.
    let of_rules = table::is_whole(&report.rules);
    let mut fact = |english: &str, french: &str, value: String| facts.push((pick(locale, english, french), value));
    if let Some(read) = &report.read_as {
        let delimiter = match read.delimiter.as_str() {
            "" => pick(locale, "delimiter line by line", "séparateur ligne par ligne"),
            found => format!("'{found}'"),
        };
        fact("read as", "lu comme", format!("{}, {}, {delimiter}", read.kind, read.encoding));
        fact("lines", "lignes", format!("{}", report.lines.records));
        // A line of these files may have several problems, also such that fail nothing.
        let profiled = FileKind::from_word(&read.kind).is_some() && report.lines.records > 0;
        let failed = if profiled { report.lines.failed } else { report.errors };
        let failed = failed.saturating_sub(report.lines.waiting);
        fact("failed lines", "lignes en échec", failed.to_string());
        if report.lines.waiting > 0 {
            fact("waiting lines", "lignes en attente", report.lines.waiting.to_string());
        }
        if failed + report.lines.waiting != report.errors {
            fact("problems", "problèmes", report.errors.to_string());
        }
    }
    let planned = matches!(report.state, State::Held | State::Simulated);
    let in_table = |kind: &str| of_rules && catalogue(kind).is_some_and(|words| words.in_table);
    for (kind, count) in report.counts.iter().filter(|(kind, _)| !in_table(kind)) {
        let count =
            if planned { format!("{count} {}", pick(locale, "(planned)", "(prévu)")) } else { count.to_string() };
        facts.push((change(kind, locale, catalogue), count));
    }
    let mut fact = |english: &str, french: &str, value: String| facts.push((pick(locale, english, french), value));
    if report.counts.is_empty() && matches!(report.state, State::Done | State::DoneWithErrors | State::Simulated) {
        fact("changes", "modifications", unchanged(report, locale));
    }
    if report.overtaken > 0 {
        fact("overtaken", "devancées", report.overtaken.to_string());
    }
    if let Some(run) = report.same_bytes_as {
        let what = pick(locale, "same bytes as run", "mêmes octets que l'exécution");
        fact("file", "fichier", format!("{what} {run}"));
    }
    if let Some(meanwhile) = &report.meanwhile {
        let label = pick(locale, "planned when held", "prévu à la suspension");
        let list = meanwhile.planned.iter().map(|(kind, n)| format!("{} {n}", change(kind, locale, catalogue)));
        facts.push((label, list.collect::<Vec<_>>().join(", ")));
        let label = pick(locale, "lines overtaken since", "lignes devancées depuis");
        facts.push((label, meanwhile.overtaken.to_string()));
    }
    facts.push((pick(locale, "milliseconds", "millisecondes"), report.total_ms.to_string()));
    facts
}

/// Why an applied run has changed nothing: all was as desired, or what was not has failed.
fn unchanged(report: &Report, locale: Locale) -> String {
    let lines = &report.lines;
    let (english, french) = match report.errors {
        0 => ("none: everything stood already", "aucune : tout y était déjà"),
        _ if lines.records > 0 && lines.waiting >= lines.records => {
            ("none: every line waits", "aucune : toutes les lignes attendent")
        }
        _ if lines.records > 0 && lines.failed >= lines.records => {
            ("none: every line failed", "aucune : toutes les lignes ont échoué")
        }
        _ => ("none: what did not fail stood already", "aucune : ce qui n'a pas échoué y était déjà"),
    };
    pick(locale, english, french)
}

/// The texts of a kind of change in the catalogue. This module must not depend on the catalogue: the caller passes it.
#[derive(Clone, Copy, Debug)]
pub struct ChangeWords {
    /// Its English text.
    pub english: &'static str,
    /// Its French text.
    pub french: &'static str,
    /// True if a column of the table of rules counts it.
    pub in_table: bool,
}

/// The texts of a kind of change by its name in the journal; `None` for an unknown name.
pub type Catalogue = fn(&str) -> Option<ChangeWords>;

/// The text of a kind of change; its name in the journal, if the catalogue does not have it.
pub fn change(kind: &str, locale: Locale, catalogue: Catalogue) -> String {
    catalogue(kind).map_or_else(|| kind.to_owned(), |words| pick(locale, words.english, words.french))
}

/// The text of a note.
pub fn note(note: &Note, locale: Locale) -> String {
    match (note, locale) {
        (Note::MethodDisabled, Locale::En) => {
            "the enrolment method 'flatfile' is not enabled on this site, so nothing is applied: enable it (Site \
             administration > Plugins > Enrolments > Manage enrol plugins) or set flatfile.when_disabled = \"apply\""
                .to_owned()
        }
        (Note::MethodDisabled, Locale::Fr) => {
            "la méthode d'inscription « flatfile » n'est pas activée sur ce site, rien n'est donc appliqué : \
             activez-la (Administration du site > Plugins > Inscriptions > Gérer les plugins d'inscription) ou réglez \
             flatfile.when_disabled = \"apply\""
                .to_owned()
        }
        (Note::SetsDisabled, Locale::En) => {
            "the enrolment method 'database' (External database), to which full sets belong, is not enabled on this \
             site, so nothing is applied: enable it (Site administration > Plugins > Enrolments > Manage enrol plugins)"
                .to_owned()
        }
        (Note::SetsDisabled, Locale::Fr) => {
            "la méthode d'inscription « database » (base de données externe), à laquelle appartiennent les ensembles \
             complets, n'est pas activée sur ce site, rien n'est donc appliqué : activez-la (Administration du site > \
             Plugins > Inscriptions > Gérer les plugins d'inscription)"
                .to_owned()
        }
        (Note::TwinTask(task), Locale::En) => format!(
            "Moodle's own task {task} is enabled too: switch it off, two programs must not do the same work (Site \
             administration > Server > Tasks > Scheduled tasks); one that only config.php switches off looks enabled \
             here"
        ),
        (Note::TwinTask(task), Locale::Fr) => format!(
            "la tâche {task} de Moodle est aussi active : désactivez-la, deux programmes ne doivent pas faire le même \
             travail (Administration du site > Serveur > Tâches > Tâches programmées) ; celle que seul config.php \
             désactive paraît active ici"
        ),
        (Note::DelayOfNoCourse(course), Locale::En) => format!(
            "coursecompleted.delays names the course \"{course}\", which does not exist: correct the short name in \
             enrold's configuration"
        ),
        (Note::DelayOfNoCourse(course), Locale::Fr) => format!(
            "coursecompleted.delays nomme le cours « {course} », qui n'existe pas : corrigez le nom abrégé dans la \
             configuration d'enrold"
        ),
        (Note::CategoryGone(id), Locale::En) => format!(
            "no category has the id {id}, the default for new courses: they were put into the site's first category; \
             correct the source's default_category and move them"
        ),
        (Note::CategoryGone(id), Locale::Fr) => format!(
            "aucune catégorie n'a l'identifiant {id}, celui prévu pour les nouveaux cours : ils sont dans la première \
             catégorie du site ; corrigez default_category de la source et déplacez-les"
        ),
        (Note::TemplateGone(name), Locale::En) => format!(
            "no course has the short name \"{name}\" of the template: new courses got the site's default settings"
        ),
        (Note::TemplateGone(name), Locale::Fr) => format!(
            "aucun cours n'a le nom abrégé « {name} » du modèle : les nouveaux cours ont les réglages par défaut du \
             site"
        ),
        (Note::AccountsExist(rows), Locale::En) => {
            format!("rows that name accounts that exist, skipped with all that they give (operation = \"add\"): {rows}")
        }
        (Note::AccountsExist(rows), Locale::Fr) => format!(
            "lignes qui nomment des comptes existants, ignorées avec tout ce qu'elles donnent (operation = \"add\") : \
             {rows}"
        ),
        (Note::InterestsOff(rows), Locale::En) => format!(
            "rows with interests, which were not written, because this site has the tags of users switched off (all \
             else of them was): {rows}"
        ),
        (Note::InterestsOff(rows), Locale::Fr) => format!(
            "lignes avec des centres d'intérêt, non écrits parce que ce site a désactivé les tags des utilisateurs \
             (tout le reste l'est) : {rows}"
        ),
        (Note::CoursesMeant { line, written, courses, list }, Locale::En) => {
            format!("line {line}: \"{written}\" means {courses} courses: {list}")
        }
        (Note::CoursesMeant { line, written, courses, list }, Locale::Fr) => {
            format!("ligne {line} : « {written} » désigne {courses} cours : {list}")
        }
        (Note::MethodsUnchanged(rows), Locale::En) => format!("rows that found everything as they say: {rows}"),
        (Note::MethodsUnchanged(rows), Locale::Fr) => format!("lignes sans rien à faire : {rows}"),
        (Note::MethodsRemoved { methods, enrolments, places, list }, Locale::En) => format!(
            "methods removed: {methods}; enrolments that end with them: {enrolments}; people who lose their place in a \
             course: {places}. By method: {list}"
        ),
        (Note::MethodsRemoved { methods, enrolments, places, list }, Locale::Fr) => format!(
            "méthodes supprimées : {methods} ; inscriptions qui s'arrêtent avec elles : {enrolments} ; personnes qui \
             perdent leur place dans un cours : {places}. Par méthode : {list}"
        ),
        (Note::SetupSkipped(statement), Locale::En) => format!(
            "the second database refused \"{statement}\" (setup, or Moodle's dbsetupsql): it was left out, enrold \
             reads UTF-8 anyway; remove it"
        ),
        (Note::SetupSkipped(statement), Locale::Fr) => format!(
            "la seconde base a refusé « {statement} » (setup, ou dbsetupsql de Moodle) : l'instruction a été omise, \
             enrold lit de toute façon de l'UTF-8 ; retirez-la"
        ),
        (Note::EffectsPending(why), Locale::En) => format!(
            "committed, but what follows (flags, log events, the hook's file) is not all written ({why}): the next run \
             goes on with it"
        ),
        (Note::EffectsPending(why), Locale::Fr) => format!(
            "validé, mais la suite (indicateurs, événements, fichier du hook) n'est pas entièrement écrite ({why}) : \
             la prochaine exécution la reprend"
        ),
        (Note::DelIgnored, Locale::En) => "unenrolaction is 'keep' on this site: del lines end nothing".to_owned(),
        (Note::DelIgnored, Locale::Fr) => {
            "le réglage unenrolaction de ce site est « conserver » : les lignes del ne retirent rien".to_owned()
        }
        (Note::ActionUnknown(value), Locale::En) => format!(
            "Moodle's enrol_flatfile/unenrolaction is '{value}', which is none of its choices: del lines end nothing"
        ),
        (Note::ActionUnknown(value), Locale::Fr) => format!(
            "le réglage enrol_flatfile/unenrolaction de Moodle vaut « {value} », hors de ses choix : les lignes del ne \
             retirent rien"
        ),
        (Note::CoursesUnknown { rule, names }, Locale::En) => {
            format!("tasks.{rule}.courses names short names that no course has: {names}")
        }
        (Note::CoursesUnknown { rule, names }, Locale::Fr) => {
            format!("tasks.{rule}.courses nomme des noms abrégés qu'aucun cours ne porte : {names}")
        }
        (Note::LinesSkipped(lines), Locale::En) => {
            format!("these lines stand before the header and were not read: {lines}")
        }
        (Note::LinesSkipped(lines), Locale::Fr) => format!("lignes qui précèdent l'en-tête, non lues : {lines}"),
        (Note::ColumnsIgnored(columns), Locale::En) => {
            format!("columns that are not read; name them in `columns` of the profile if they should be: {columns}")
        }
        (Note::ColumnsIgnored(columns), Locale::Fr) => {
            format!("colonnes non lues ; nommez-les dans `columns` du profil si elles doivent l'être : {columns}")
        }
        (Note::NotExpiring(methods), Locale::En) => {
            format!("not enabled on this site, so their enrolments do not expire: {methods}")
        }
        (Note::NotExpiring(methods), Locale::Fr) => {
            format!("non activées sur ce site, leurs inscriptions n'expirent donc pas : {methods}")
        }
        (Note::ExpiryUnknown { method, value }, Locale::En) => format!(
            "Moodle's enrol_{method}/expiredaction is '{value}', which is none of its choices: enrolments of {method} \
             do not expire"
        ),
        (Note::ExpiryUnknown { method, value }, Locale::Fr) => format!(
            "le réglage enrol_{method}/expiredaction de Moodle vaut « {value} », hors de ses choix : les inscriptions \
             de {method} n'expirent pas"
        ),
        (Note::ProblemsUnkept { kept, of }, Locale::En) => format!(
            "of {of} problems the first {kept} are kept, in the history and in the lists beside the file; the others \
             are counted only (limits.problems)"
        ),
        (Note::ProblemsUnkept { kept, of }, Locale::Fr) => format!(
            "sur {of} problèmes, les {kept} premiers sont conservés, dans l'historique et dans les listes à côté du \
             fichier ; les autres sont seulement comptés (limits.problems)"
        ),
        (Note::NoRoleSynchronised, Locale::En) => {
            "no role has the capability enrol/category:synchronised, so the rule category enrols nobody: allow it to \
             the roles that count (Site administration > Users > Permissions > Define roles), or switch the rule off \
             (tasks.category.enabled = false)"
                .to_owned()
        }
        (Note::NoRoleSynchronised, Locale::Fr) => {
            "aucun rôle n'a la capacité enrol/category:synchronised, la règle category n'inscrit donc personne : \
             accordez-la aux rôles qui comptent (Administration du site > Utilisateurs > Permissions > Définition des \
             rôles), ou désactivez la règle (tasks.category.enabled = false)"
                .to_owned()
        }
        (Note::ApprovedBefore(removed), Locale::En) => format!(
            "{removed} of the unenrolments were approved when the users left the set: the guard did not count them"
        ),
        (Note::ApprovedBefore(removed), Locale::Fr) => format!(
            "{removed} des désinscriptions ont été approuvées quand les utilisateurs ont quitté le lot : la garde \
             ne les a pas comptées"
        ),
        (Note::NobodyConcerned, Locale::En) => {
            "no enrolment is concerned: nobody there has an enabled method, a status and a role that fit".to_owned()
        }
        (Note::NobodyConcerned, Locale::Fr) => {
            "aucune inscription n'est concernée : personne n'y a de méthode activée, \
             de statut et de rôle qui conviennent"
                .to_owned()
        }
        (Note::NotRenewed { suspended, endless, later }, Locale::En) => format!(
            "left as they are: {suspended} suspended, {endless} without an end, {later} with an end that is not earlier"
        ),
        (Note::NotRenewed { suspended, endless, later }, Locale::Fr) => format!(
            "laissées telles quelles : {suspended} suspendues, {endless} sans fin, {later} dont la fin n'est pas \
             antérieure"
        ),
        (Note::NotReactivated(people), Locale::En) => {
            format!("people whose enrolment in the other course is suspended or has ended, and stays so: {people}")
        }
        (Note::NotReactivated(people), Locale::Fr) => {
            format!("personnes dont l'inscription dans l'autre cours est suspendue ou terminée, et le reste : {people}")
        }
        (Note::SourceStays(methods), Locale::En) => {
            format!("methods that stay as they are, because they enrol people who were not converted: {methods}")
        }
        (Note::SourceStays(methods), Locale::Fr) => format!(
            "méthodes laissées telles quelles, parce qu'elles inscrivent des personnes non converties : {methods}"
        ),
        (Note::SourceDisabled(method), Locale::En) => format!(
            "the method {method} is disabled here: whom a later file or set enrols by it has no access, until it is \
             enabled"
        ),
        (Note::SourceDisabled(method), Locale::Fr) => format!(
            "la méthode {method} est désactivée ici : qui y est inscrit ensuite par un fichier ou un extrait n'a pas \
             accès, tant qu'elle n'est pas réactivée"
        ),
        (Note::InParts(parts), Locale::En) => format!("cut by course into {parts} transactions (run.part_rows)"),
        (Note::InParts(parts), Locale::Fr) => format!("découpé par cours en {parts} transactions (run.part_rows)"),
        (Note::Retried(times), Locale::En) => {
            format!("tried again {times} time(s) after a conflict with other writers")
        }
        (Note::Retried(times), Locale::Fr) => format!("repris {times} fois après un conflit avec d'autres écritures"),
    }
}

/// The text of a passed limit.
pub fn breach(breach: &Breach, locale: Locale) -> String {
    if let Some(of_set) = set::breach(breach, locale) {
        return of_set;
    }
    if breach.scope == "accounts" {
        return accounts(breach, locale);
    }
    let what = match breach.what.as_str() {
        "approval" => return approval(breach, locale),
        "removals" => pick(locale, "unenrolments", "désinscriptions"),
        "suspensions" => pick(locale, "suspensions", "suspensions"),
        "creations" => pick(locale, "new enrolments", "nouvelles inscriptions"),
        "failed-lines" => pick(locale, "failed lines", "lignes en échec"),
        "no-roles" => return no_roles(breach, locale),
        _ => {
            return pick(
                locale,
                "guard: the file holds no line to apply",
                "garde : le fichier ne contient aucune ligne à appliquer",
            );
        }
    };
    let place = match (breach.scope.as_str(), locale) {
        ("course", Locale::En) => format!(" in course {}", breach.name),
        ("course", Locale::Fr) => format!(" dans le cours {}", breach.name),
        ("method", Locale::En) => format!(" of method {}", breach.name),
        ("method", Locale::Fr) => format!(" de la méthode {}", breach.name),
        _ => String::new(),
    };
    match locale {
        Locale::En => format!("guard: {} {what}{place}, of {} (limit {})", breach.count, breach.of, breach.limit),
        Locale::Fr => format!("garde : {} {what}{place}, sur {} (seuil {})", breach.count, breach.of, breach.limit),
    }
}

/// The text for a limit on accounts or on members of cohorts.
fn accounts(breach: &Breach, locale: Locale) -> String {
    let what = match breach.what.as_str() {
        "creations" => pick(locale, "new accounts", "nouveaux comptes"),
        "updates" => pick(locale, "accounts updated", "comptes mis à jour"),
        "suspensions" => pick(locale, "accounts suspended", "comptes suspendus"),
        "deletions" => pick(locale, "accounts deleted", "comptes supprimés"),
        "renames" => pick(locale, "user names changed", "identifiants modifiés"),
        "emails" => pick(locale, "e-mail addresses changed", "adresses de courriel modifiées"),
        _ => pick(locale, "members removed from cohorts", "membres retirés de cohortes"),
    };
    let (count, of, limit) = (breach.count, breach.of, &breach.limit);
    let all =
        if breach.what == "members" { pick(locale, "members", "membres") } else { pick(locale, "accounts", "comptes") };
    match locale {
        Locale::En => format!("guard: {count} {what}, of {of} {all} (limit {limit})"),
        Locale::Fr => format!("garde : {count} {what}, sur {of} {all} (seuil {limit})"),
    }
}

/// The text for a file whose profile wants every file approved.
fn approval(breach: &Breach, locale: Locale) -> String {
    let kind = &breach.name;
    match locale {
        Locale::En => format!("each file of kind {kind} waits for an approval (profiles.NAME.mode = \"approve\")"),
        Locale::Fr => {
            format!("chaque fichier de type {kind} attend une approbation (profiles.NAME.mode = \"approve\")")
        }
    }
}

/// The text for a rule that follows roles when there are none: it would remove everything that it made.
fn no_roles(breach: &Breach, locale: Locale) -> String {
    let (rule, count) = (&breach.name, breach.count);
    match locale {
        Locale::En => format!(
            "guard: no role is synchronised, so rule {rule} would remove all its {count} instances with their \
             enrolments; if that is not meant, give a role the capability enrol/category:synchronised again"
        ),
        Locale::Fr => format!(
            "garde : aucun rôle n'est synchronisé, la règle {rule} supprimerait donc ses {count} instances et leurs \
             inscriptions ; si ce n'est pas voulu, redonnez à un rôle la capacité enrol/category:synchronised"
        ),
    }
}

/// The line that counts the problems that are not shown, and how to list them.
pub fn more_problems(more: u64, run: i64, locale: Locale) -> String {
    match locale {
        Locale::En => format!("  … and {more} more: enrold runs {run}"),
        Locale::Fr => format!("  … et {more} de plus : enrold runs {run}"),
    }
}

/// The line that counts all passed limits, where not all are shown.
pub fn more_breaches(all: usize, shown: usize, locale: Locale) -> String {
    let more = all - shown;
    match locale {
        Locale::En => format!("guard: {all} limits are passed in all; {more} of them are not shown here (--json)"),
        Locale::Fr => {
            format!("garde : {all} seuils dépassés en tout ; {more} d'entre eux ne figurent pas ici (--json)")
        }
    }
}

/// The line that counts the problems and changes of a held run that are not shown, and how to list them.
pub fn more_details(more: u64, run: i64, locale: Locale) -> String {
    match locale {
        Locale::En => format!("  … and {more} more problems and changes: enrold --json runs {run}"),
        Locale::Fr => format!("  … et {more} autres problèmes et modifications : enrold --json runs {run}"),
    }
}

/// What to do about a held run.
pub fn held(run: i64, locale: Locale) -> String {
    match locale {
        Locale::En => format!("Look at it: enrold runs {run}\nThen: enrold approve {run}   or   enrold reject {run}"),
        Locale::Fr => {
            format!("Examinez-le : enrold runs {run}\nPuis : enrold approve {run}   ou   enrold reject {run}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the guard compares, by scope.
    const PASSED: [(&str, &[&str]); 14] = [
        ("run", &["removals", "suspensions", "creations"]),
        ("course", &["removals", "suspensions", "creations"]),
        ("method", &["removals", "suspensions", "creations"]),
        ("file", &["failed-lines", "empty", "approval"]),
        ("set", &["empty", "fewer-rows", "more-rows", "unknown", "courses"]),
        ("rule", &["no-roles"]),
        ("cohort", &["removals"]),
        ("cohorts", &["removals"]),
        ("memberships", &["removals"]),
        ("groups", &["removals"]),
        ("group-members", &["removals"]),
        ("bindings", &["removals"]),
        ("disabled-methods", &["removals"]),
        ("accounts", &["creations", "updates", "suspensions", "deletions", "renames", "emails", "members"]),
    ];

    #[test]
    fn every_limit_has_words_of_its_own_in_both_languages() {
        let mut texts = std::collections::BTreeSet::new();
        for (scope, what) in PASSED.iter().flat_map(|(scope, all)| all.iter().map(move |what| (*scope, *what))) {
            let named = ["course", "method", "file", "set", "rule", "cohort"].contains(&scope);
            let name = if named { "NAME" } else { "" };
            let (scope, name, what) = (scope.to_owned(), name.to_owned(), what.to_owned());
            let passed = Breach { scope, name, what, count: 711, of: 933, limit: "42 %".to_owned() };
            for locale in [Locale::En, Locale::Fr] {
                let text = breach(&passed, locale);
                let is_counted = !["empty", "approval"].contains(&passed.what.as_str());
                assert!(!is_counted || text.contains("711"), "{passed:?}: {text}");
                // Both directions of a set's size have the same words.
                assert!(texts.insert(text.clone()) || passed.what == "more-rows", "{passed:?}: {text}");
            }
        }
    }
}
