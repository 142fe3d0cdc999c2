//! What a summary tells of the participants of a course: who is new, who has left, who has changed groups, after all
//! changes are taken together. It must not read the database.

use std::collections::BTreeMap;

use crate::config::Locale;
use crate::mail::words;

/// How many people a list names.
const NAMED: usize = 200;

/// One change of one participant, as an outbox row holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The run.
    pub run: i64,
    /// `user.id`.
    pub userid: i64,
    /// The participant's name.
    pub name: String,
    /// The address in a digest of ends; the name of the group.
    pub detail: String,
    /// The end in Unix seconds in a digest of ends; how many lines of a file failed; else one of [`what`].
    pub number: i64,
}

/// What happened to a participant.
pub mod what {
    /// New in the course.
    pub const NEW: i64 = 1;
    /// Has left it.
    pub const LEFT: i64 = 2;
    /// Has joined a group.
    pub const JOINED: i64 = 3;
    /// Has left a group.
    pub const GONE: i64 = 4;
}

/// The three lists of a summary.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub new: Vec<String>,
    pub left: Vec<String>,
    pub regrouped: Vec<String>,
}

#[derive(Default)]
struct Person<'a> {
    name: &'a str,
    /// 1: new, -1: has left, 0: as before.
    came: i64,
    groups: BTreeMap<&'a str, i64>,
}

impl Changes {
    /// What is left of the entries, which are in the order in which they happened: who came and went is not told.
    pub(super) fn of(entries: &[Entry], locale: Locale) -> Self {
        let mut order: Vec<i64> = Vec::new();
        let mut people: BTreeMap<i64, Person<'_>> = BTreeMap::new();
        for entry in entries {
            let person = people.entry(entry.userid).or_insert_with(|| {
                order.push(entry.userid);
                Person::default()
            });
            person.name = &entry.name;
            let step = if matches!(entry.number, what::NEW | what::JOINED) { 1 } else { -1 };
            match entry.number {
                what::NEW | what::LEFT => person.came += step,
                _ => *person.groups.entry(&entry.detail).or_default() += step,
            }
        }
        let mut changes = Self::default();
        for person in order.iter().filter_map(|userid| people.get(userid)) {
            let groups = |sign: i64| -> Vec<&str> {
                person.groups.iter().filter(|(_, net)| **net * sign > 0).map(|(name, _)| *name).collect()
            };
            let (joined, gone) = (groups(1), groups(-1));
            match person.came {
                1.. if joined.is_empty() => changes.new.push(person.name.to_owned()),
                1.. => changes.new.push(format!("{} ({})", person.name, joined.join(", "))),
                ..0 => changes.left.push(person.name.to_owned()),
                0 if joined.is_empty() && gone.is_empty() => {}
                0 => {
                    let regrouped = words::regrouped(&joined, &gone, locale);
                    changes.regrouped.push(match locale {
                        Locale::En => format!("{}: {regrouped}", person.name),
                        Locale::Fr => format!("{} : {regrouped}", person.name),
                    });
                }
            }
        }
        changes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.left.is_empty() && self.regrouped.is_empty()
    }
}

/// A list as a mail shows it: the first names, and how many more there are.
pub(super) fn shortened(mut list: Vec<String>, locale: Locale) -> Vec<String> {
    if list.len() > NAMED {
        let more = list.len() - NAMED;
        list.truncate(NAMED);
        list.push(words::more(more, locale));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(userid: i64, number: i64, detail: &str) -> Entry {
        Entry { run: 1, userid, name: format!("u{userid}"), detail: detail.to_owned(), number }
    }

    #[test]
    fn who_came_and_went_is_not_told() {
        let entries = [
            entry(1, what::NEW, ""),
            entry(1, what::JOINED, "A"),
            entry(2, what::NEW, ""),
            entry(3, what::LEFT, ""),
            entry(4, what::JOINED, "B"),
            entry(4, what::GONE, "A"),
            entry(2, what::LEFT, ""),
            entry(3, what::NEW, ""),
            entry(5, what::JOINED, "A"),
            entry(5, what::GONE, "A"),
            entry(6, what::LEFT, ""),
        ];
        let changes = Changes::of(&entries, Locale::En);
        assert_eq!((changes.new, changes.left), (vec!["u1 (A)".to_owned()], vec!["u6".to_owned()]));
        assert_eq!(changes.regrouped, ["u4: now in B; no longer in A"]);
        assert!(Changes::of(&entries[8..10], Locale::Fr).is_empty());
    }

    #[test]
    fn long_lists_are_shortened() {
        let list = vec!["x".to_owned(); NAMED + 2];
        assert_eq!(shortened(list, Locale::Fr).last().unwrap(), "et 2 autres");
    }
}
