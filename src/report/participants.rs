//! The list of the participants of a course, as teachers know it from Moodle's page, in two languages.
//! It must not know where the list goes.

use chrono::{DateTime, NaiveDateTime};
use chrono_tz::Tz;

use crate::config::Locale;
use crate::files::times::LATEST;
use crate::outcome::{Enrolment, EnrolmentStatus, Participant, RoleHeld};
use crate::report::sheet::{Cell, Sheet};
use crate::report::words::pick;

/// The names of Moodle's roles that a site leaves as they are: short name, English, French.
const ROLES: [(&str, &str, &str); 8] = [
    ("manager", "Manager", "Gestionnaire"),
    ("coursecreator", "Course creator", "Créateur de cours"),
    ("editingteacher", "Teacher", "Enseignant"),
    ("teacher", "Non-editing teacher", "Enseignant non éditeur"),
    ("student", "Student", "Étudiant"),
    ("guest", "Guest", "Visiteur anonyme"),
    ("user", "Authenticated user", "Utilisateur authentifié"),
    ("frontpage", "Authenticated user on the site home", "Utilisateur authentifié sur la page d'accueil"),
];

/// The headings of the list.
const HEADINGS: [(&str, &str); 13] = [
    ("Last name", "Nom de famille"),
    ("First name", "Prénom"),
    ("Username", "Nom d'utilisateur"),
    ("ID number", "Numéro d'identification"),
    ("Email address", "Adresse de courriel"),
    ("Roles", "Rôles"),
    ("Groups", "Groupes"),
    ("Last access to course", "Dernier accès au cours"),
    ("Status", "Statut"),
    ("Method", "Méthode"),
    ("Enrolment starts", "Début de l'inscription"),
    ("Enrolment ends", "Fin de l'inscription"),
    ("Enrolled on", "Inscrit le"),
];

/// The list, a row for each participant, with times in a zone. Of several enrolments the strongest status, all methods,
/// the earliest start and the latest end are shown.
pub fn sheet(people: &[Participant], locale: Locale, zone: Tz) -> Sheet {
    Sheet {
        title: pick(locale, "Participants", "Participants"),
        headings: HEADINGS.map(|(english, french)| pick(locale, english, french)).to_vec(),
        rows: people.iter().map(|person| row(person, locale, zone)).collect(),
    }
}

fn row(person: &Participant, locale: Locale, zone: Tz) -> Vec<Cell> {
    let or_words = |list: Vec<String>, english: &str, french: &str| match list.is_empty() {
        true => Cell::Text(pick(locale, english, french)),
        false => Cell::Text(list.join(", ")),
    };
    let moment = |time: Option<i64>| time.and_then(|time| local(time, zone)).map_or(Cell::text(""), Cell::Moment);
    let roles = person.roles.iter().map(|role| role_name(role, locale)).collect();
    let suspended = match person.account_suspended {
        true => pick(locale, " (account suspended)", " (compte suspendu)"),
        false => String::new(),
    };
    let access = match person.last_access {
        None => Cell::Text(pick(locale, "Never", "Jamais")),
        access => moment(access),
    };
    let mut methods: Vec<String> = person.enrolments.iter().map(|enrolment| enrolment.method.clone()).collect();
    methods.dedup();
    vec![
        Cell::text(&person.lastname),
        Cell::text(&person.firstname),
        Cell::text(&person.username),
        Cell::text(&person.idnumber),
        Cell::text(&person.email),
        or_words(roles, "No roles", "Aucun rôle"),
        or_words(person.groups.clone(), "No groups", "Aucun groupe"),
        access,
        Cell::Text(status(person.status(), locale) + &suspended),
        Cell::Text(methods.join(", ")),
        moment(outermost(&person.enrolments, |enrolment| enrolment.timestart, false)),
        moment(outermost(&person.enrolments, |enrolment| enrolment.timeend, true)),
        moment(person.enrolments.iter().map(|enrolment| enrolment.timecreated).filter(|time| *time > 0).min()),
    ]
}

/// The earliest or the latest of these limits; none if one of the enrolments has none. Those that are suspended count
/// only if all are.
fn outermost(enrolments: &[Enrolment], of: impl Fn(&Enrolment) -> Option<i64>, latest: bool) -> Option<i64> {
    let counts =
        |enrolment: &&Enrolment| matches!(enrolment.status, EnrolmentStatus::Active | EnrolmentStatus::NotCurrent);
    let mut limits: Vec<Option<i64>> = enrolments.iter().filter(counts).map(&of).collect();
    if limits.is_empty() {
        limits = enrolments.iter().map(&of).collect();
    }
    if limits.contains(&None) {
        return None;
    }
    if latest { limits.into_iter().flatten().max() } else { limits.into_iter().flatten().min() }
}

/// A status in words.
pub fn status(status: EnrolmentStatus, locale: Locale) -> String {
    let (english, french) = match status {
        EnrolmentStatus::Active => ("Active", "Active"),
        EnrolmentStatus::NotCurrent => ("Not current", "Non actuelle"),
        EnrolmentStatus::Suspended => ("Suspended", "Suspendue"),
        EnrolmentStatus::MethodDisabled => ("Method disabled", "Méthode désactivée"),
    };
    pick(locale, english, french)
}

/// The name of a role: that of the course or the site, else the usual one.
fn role_name(role: &RoleHeld, locale: Locale) -> String {
    if !role.name.is_empty() {
        return role.name.clone();
    }
    let usual = ROLES.iter().find(|(shortname, ..)| *shortname == role.shortname);
    usual.map_or_else(|| role.shortname.clone(), |(_, english, french)| pick(locale, english, french))
}

fn local(time: i64, zone: Tz) -> Option<NaiveDateTime> {
    // Behind the year 9999 the calendar may end before the zone's time does.
    DateTime::from_timestamp(time, 0).filter(|_| time <= LATEST).map(|at| at.with_timezone(&zone).naive_local())
}
