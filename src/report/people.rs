//! The users whom a run concerns, course by course, as text of a page and as CSV.
//! It must not know how they were found, or where they are shown.

use crate::config::Locale;
use crate::outcome::{AffectedUser, People, PeopleOfPlace, PlaceKind, UserChange, UsersOfChange};
use crate::report::inert;
use crate::report::set::quoted;
use crate::report::width::{WIDTH, wrapped};
use crate::report::words::pick;

/// The most courses or cohorts in the text; the rest is counted.
const PLACES: usize = 20;

/// The most names of one change in one place.
const NAMES: usize = 20;

/// The columns of the CSV.
pub const HEADER: &str = "kind,name,change,username";

/// The lines of the text: each course or cohort, and below it who is removed, suspended, added and so on; none where
/// the run concerns no user.
pub fn lines(people: &People, locale: Locale) -> Vec<String> {
    if people.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![pick(locale, "who is concerned:", "personnes concernées :")];
    for place in people.places.iter().take(PLACES) {
        lines.push(format!("  {} {}", kind(place.kind, locale), place.name).trim_end().to_owned());
        lines.extend(place.changes.iter().flat_map(|change| names(change, locale)));
    }
    let hidden = people.places.iter().skip(PLACES);
    let users = people.more_users + hidden.clone().map(users_of).sum::<u64>();
    let places = people.more_places + hidden.count() as u64;
    if places > 0 {
        lines.push(match locale {
            Locale::En => format!("  … and {places} more courses or cohorts with {users} users"),
            Locale::Fr => format!("  … et {places} autres cours ou cohortes, avec {users} utilisateurs"),
        });
    }
    lines
}

fn users_of(place: &PeopleOfPlace) -> u64 {
    place.changes.iter().map(|change| change.count).sum()
}

fn names(change: &UsersOfChange, locale: Locale) -> Vec<String> {
    let shown = change.users.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>();
    let more = change.count.saturating_sub(shown.len() as u64);
    let more = match (more, locale) {
        (0, _) => String::new(),
        (more, Locale::En) => format!(" and {more} more"),
        (more, Locale::Fr) => format!(" et {more} de plus"),
    };
    let colon = pick(locale, ":", " :");
    let text = format!("    {} {}{colon} {}{more}", change.count, word(change.change, locale), shown.join(", "));
    // Two blanks are left for the indentation of the report.
    wrapped(&text, 6, WIDTH - 2)
}

fn kind(kind: PlaceKind, locale: Locale) -> String {
    match kind {
        PlaceKind::Course => pick(locale, "course", "cours"),
        PlaceKind::Cohort => pick(locale, "cohort", "cohorte"),
        PlaceKind::Accounts => pick(locale, "accounts", "comptes"),
    }
}

fn word(change: UserChange, locale: Locale) -> String {
    let (english, french) = match change {
        UserChange::Removed => ("removed", "à retirer"),
        UserChange::Suspended => ("suspended", "à suspendre"),
        UserChange::RoleRemoved => ("to lose a role", "à priver d'un rôle"),
        UserChange::Added => ("added", "à ajouter"),
        UserChange::Reactivated => ("reactivated", "à réactiver"),
        UserChange::RoleAdded => ("to get a role", "à pourvoir d'un rôle"),
        UserChange::Changed => ("with other dates", "dont les dates changent"),
        UserChange::Groups => ("with other groups", "dont les groupes changent"),
        UserChange::Renamed => ("renamed", "à renommer"),
        UserChange::Addressed => ("with another address", "dont l'adresse change"),
        UserChange::Updated => ("with other values", "dont les valeurs changent"),
    };
    pick(locale, english, french)
}

/// The users as CSV (RFC 4180, UTF-8, with a header), the lines ended by a line feed.
pub fn csv(people: &People) -> String {
    let mut text = format!("{HEADER}\n");
    for place in &people.places {
        for change in &place.changes {
            for username in &change.users {
                text += &row(place.kind, &place.name, change.change, username);
            }
        }
    }
    text
}

/// The line of one user, with its line feed.
pub fn csv_row(user: &AffectedUser) -> String {
    row(user.kind, &user.name, user.change, &user.username)
}

fn row(kind: PlaceKind, name: &str, change: UserChange, username: &str) -> String {
    let kind = match kind {
        PlaceKind::Course => "course",
        PlaceKind::Cohort => "cohort",
        PlaceKind::Accounts => "accounts",
    };
    format!("{kind},{},{},{}\n", quoted(&inert(name)), change.as_str(), quoted(&inert(username)))
}

/// The sentence for a list that names fewer users than the run concerns.
pub fn more_people(more: u64, locale: Locale) -> String {
    match locale {
        Locale::En => format!("{more} more users are concerned and not listed"),
        Locale::Fr => format!("{more} autres utilisateurs sont concernés et ne figurent pas dans la liste"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(places: i64, users: usize) -> People {
        let mut people = People::default();
        for id in 1..=places {
            for number in 0..users {
                people.add(AffectedUser {
                    kind: PlaceKind::Course,
                    id,
                    name: format!("L{id}"),
                    change: if number < 25 { UserChange::Removed } else { UserChange::Added },
                    userid: 0,
                    username: format!("etudiant{number:02}"),
                });
            }
        }
        people
    }

    #[test]
    fn a_page_of_courses_and_names() {
        let english = lines(&people(22, 27), Locale::En);
        assert_eq!(english[..2], ["who is concerned:", "  course L1"]);
        assert!(english[2].starts_with("    25 removed: etudiant00, etudiant01, "), "{english:#?}");
        assert!(english.iter().any(|line| line.ends_with("etudiant19 and 5 more")), "{english:#?}");
        assert!(english.iter().any(|line| line == "    2 added: etudiant25, etudiant26"));
        assert_eq!(english.iter().filter(|line| line.starts_with("  course ")).count(), 20);
        assert_eq!(english.last().unwrap(), "  … and 2 more courses or cohorts with 54 users");
        assert!(english.iter().all(|line| line.chars().count() <= 78), "{english:#?}");
    }

    #[test]
    fn a_page_in_french_and_nothing_for_nobody() {
        let french = lines(&people(1, 2), Locale::Fr);
        assert_eq!(french, ["personnes concernées :", "  cours L1", "    2 à retirer : etudiant00, etudiant01"]);
        assert_eq!(lines(&People::default(), Locale::Fr), Vec::<String>::new());
    }

    #[test]
    fn users_as_csv() {
        let mut people = people(1, 1);
        people.places[0].name = "=L1, a".to_owned();
        assert_eq!(csv(&people), "kind,name,change,username\ncourse,\"'=L1, a\",removed,etudiant00\n");
    }
}
