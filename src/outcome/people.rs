//! The users whom a run concerns, by course or cohort, as data for the terminal, JSON and CSV. It must not read the
//! journal, nor format anything for users.

use serde::{Deserialize, Serialize};

use crate::outcome::PlaceKind;

/// How many users a report names; the others are counted.
pub const PEOPLE_KEPT: usize = 10_000;

/// What happens to a user in a course or cohort, or to the account. Of several changes the first one in this order is
/// reported: a user who loses something is never listed as a gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserChange {
    /// The enrolment, the membership or the account is removed.
    Removed,
    /// The enrolment or the account is suspended.
    Suspended,
    /// A role is removed, the enrolment stays.
    RoleRemoved,
    /// The user is enrolled, becomes a member, or gets an account.
    Added,
    /// A suspended enrolment is active again.
    Reactivated,
    /// A role is assigned to a user who is enrolled.
    RoleAdded,
    /// The enrolment gets other dates.
    Changed,
    /// Only groups change.
    Groups,
    /// The account gets another user name.
    Renamed,
    /// Values of the account change, the address among them.
    Addressed,
    /// Other values of the account change.
    Updated,
}

impl UserChange {
    /// All of them, in their order.
    pub const ALL: [Self; 11] = [
        Self::Removed,
        Self::Suspended,
        Self::RoleRemoved,
        Self::Added,
        Self::Reactivated,
        Self::RoleAdded,
        Self::Changed,
        Self::Groups,
        Self::Renamed,
        Self::Addressed,
        Self::Updated,
    ];

    /// The word in JSON and CSV.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Suspended => "suspended",
            Self::RoleRemoved => "role-removed",
            Self::Added => "added",
            Self::Reactivated => "reactivated",
            Self::RoleAdded => "role-added",
            Self::Changed => "changed",
            Self::Groups => "groups",
            Self::Renamed => "renamed",
            Self::Addressed => "addressed",
            Self::Updated => "updated",
        }
    }
}

/// A user with what happens to them in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AffectedUser {
    /// Course or cohort, or the accounts themselves.
    pub kind: PlaceKind,
    /// The id of the course or cohort; 0 for the accounts.
    pub id: i64,
    /// The course's short name; the cohort's idnumber, or its name where it has none; empty for the accounts.
    pub name: String,
    /// What happens.
    pub change: UserChange,
    /// The id of the account.
    pub userid: i64,
    /// Its user name.
    pub username: String,
}

/// The users to whom the same happens in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsersOfChange {
    /// What happens.
    pub change: UserChange,
    /// How many users.
    pub count: u64,
    /// The user names, at most as many as a report names.
    pub users: Vec<String>,
}

/// The users of one course or cohort, or those whose accounts change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeopleOfPlace {
    /// Course or cohort, or the accounts themselves.
    pub kind: PlaceKind,
    /// The id of the course or cohort.
    pub id: i64,
    /// Its name, as in [`AffectedUser`].
    pub name: String,
    /// What happens there, losses first.
    pub changes: Vec<UsersOfChange>,
}

/// The users whom a run concerns, in the order in which they were added: the places that lose most come first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct People {
    /// The places.
    pub places: Vec<PeopleOfPlace>,
    /// Places that are not listed.
    pub more_places: u64,
    /// The users of these places.
    pub more_users: u64,
    #[serde(skip)]
    kept: usize,
    #[serde(skip)]
    beyond: Option<(PlaceKind, i64)>,
}

impl People {
    /// Adds a user; those of one place, and of one change in it, come one after the other.
    pub fn add(&mut self, user: AffectedUser) {
        let AffectedUser { kind, id, name, change, username, .. } = user;
        let full = self.kept >= PEOPLE_KEPT;
        let is_last = self.places.last().is_some_and(|last| (last.kind, last.id) == (kind, id));
        if !is_last && full {
            self.more_users += 1;
            if self.beyond != Some((kind, id)) {
                self.more_places += 1;
                self.beyond = Some((kind, id));
            }
            return;
        }
        if !is_last {
            self.places.push(PeopleOfPlace { kind, id, name, changes: Vec::new() });
        }
        let Some(place) = self.places.last_mut() else { return };
        if place.changes.last().is_none_or(|last| last.change != change) {
            place.changes.push(UsersOfChange { change, count: 0, users: Vec::new() });
        }
        let Some(last) = place.changes.last_mut() else { return };
        last.count += 1;
        if !full {
            last.users.push(username);
            self.kept += 1;
        }
    }

    /// True if the run concerns no user.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many users are counted and not named.
    pub fn unnamed(&self) -> u64 {
        let of = |change: &UsersOfChange| change.count - change.users.len() as u64;
        self.more_users + self.places.iter().flat_map(|place| &place.changes).map(of).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(place: i64, change: UserChange, number: usize) -> AffectedUser {
        let (kind, name) = (PlaceKind::Course, format!("c{place}"));
        AffectedUser { kind, id: place, name, change, userid: number as i64, username: format!("u{number}") }
    }

    #[test]
    fn users_are_grouped_by_place_and_change() {
        let mut people = People::default();
        people.add(user(1, UserChange::Removed, 1));
        people.add(user(1, UserChange::Removed, 2));
        people.add(user(1, UserChange::Added, 3));
        people.add(user(2, UserChange::Added, 1));
        let shown = serde_json::to_value(&people).unwrap();
        assert_eq!(
            shown["places"][0]["changes"],
            serde_json::json!([
                {"change": "removed", "count": 2, "users": ["u1", "u2"]},
                {"change": "added", "count": 1, "users": ["u3"]},
            ])
        );
        assert_eq!((people.places.len(), people.more_places, people.unnamed()), (2, 0, 0));
    }

    #[test]
    fn a_report_names_a_bounded_number_of_users_and_counts_all() {
        let mut people = People::default();
        for number in 0..PEOPLE_KEPT + 3 {
            people.add(user(1, UserChange::Removed, number));
        }
        people.add(user(2, UserChange::Added, 1));
        people.add(user(2, UserChange::Added, 2));
        people.add(user(3, UserChange::Added, 1));
        let removed = &people.places[0].changes[0];
        assert_eq!((removed.count, removed.users.len()), (PEOPLE_KEPT as u64 + 3, PEOPLE_KEPT));
        assert_eq!((people.places.len(), people.more_places, people.more_users, people.unnamed()), (1, 2, 3, 6));
    }

    #[test]
    fn each_change_has_the_word_of_its_json() {
        for change in UserChange::ALL {
            assert_eq!(serde_json::to_value(change).unwrap(), change.as_str());
        }
        assert!(UserChange::ALL.is_sorted());
    }
}
