//! The rows of a set whose user, course or cohort is not known, and what each of them protects.
//! It must not read a database: `protect` brings keys of the site, and writes what comes out.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use crate::config::UnknownProtects;
use crate::staging::likeness::{fold, forms, is_damaged};

/// The most rows that are held in memory; of those beyond, everybody in the course or cohort is protected.
const MOST: usize = 50_000;

/// Where the user of a row is: a course or cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Spot {
    /// The site's, by its id.
    Known(i64),
    /// A key that names none, by its number.
    Key(usize),
    /// It cannot be told: a reference of an archive is broken.
    Lost,
}

/// The user of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// An account is found: only the place matters.
    Found,
    /// A key that names no account.
    Key(String),
    /// A key of a row that was not staged, so that it is not looked up yet.
    Unseen(String),
    /// A reference of an archive is broken.
    Lost,
}

/// The rows, as far as they were collected.
#[derive(Debug, Default)]
pub struct Unresolved {
    rows: Vec<(Who, Spot)>,
    /// The places of rows that are not held.
    full: BTreeSet<Spot>,
    keys: Vec<String>,
    /// The numbers of the keys, by their hash: the texts are held once.
    numbers: HashMap<u64, usize>,
    hasher: RandomState,
}

impl Unresolved {
    /// True if no row was collected.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.full.is_empty()
    }

    /// Adds a row that was refused before it was staged. What is empty in it is blank, or cannot be told if one of its
    /// references is `broken`.
    pub fn refused(&mut self, user: &str, place: &str, broken: bool) {
        let who = match user.trim() {
            "" | "0" if !broken => return,
            "" => Who::Lost,
            user => Who::Unseen(user.to_owned()),
        };
        match place.trim() {
            "" | "0" if !broken => {}
            "" => self.add(who, Spot::Lost),
            place => {
                let spot = self.key(place);
                self.add(who, spot);
            }
        }
    }

    /// Adds a staged row: the key of its user, empty if an account is found; the key of its course or cohort, or else
    /// its id.
    pub fn staged(&mut self, user: String, place: &str, id: i64) {
        let who = if user.is_empty() { Who::Found } else { Who::Key(user) };
        match (place, id) {
            // Several are named: all of them are spared already.
            ("", 0) => {}
            ("", id) => self.add(who, Spot::Known(id)),
            (place, _) => {
                let spot = self.key(place);
                self.add(who, spot);
            }
        }
    }

    fn key(&mut self, place: &str) -> Spot {
        let hash = self.hasher.hash_one(place);
        match self.numbers.get(&hash) {
            Some(number) if self.keys[*number] == place => Spot::Key(*number),
            None if self.keys.len() < MOST => {
                self.numbers.insert(hash, self.keys.len());
                self.keys.push(place.to_owned());
                Spot::Key(self.keys.len() - 1)
            }
            _ => Spot::Lost,
        }
    }

    /// The number of a key that rows name a place with.
    fn number(&self, place: &str) -> Option<usize> {
        let number = *self.numbers.get(&self.hasher.hash_one(place))?;
        (self.keys[number] == place).then_some(number)
    }

    fn add(&mut self, who: Who, spot: Spot) {
        if self.rows.len() < MOST {
            self.rows.push((who, spot));
        } else {
            self.full.insert(spot);
        }
    }

    /// Whether any user must be looked up among the accounts ([`Unresolved::exist`]).
    pub fn has_unseen(&self) -> bool {
        self.rows.iter().any(|(who, _)| matches!(who, Who::Unseen(_)))
    }

    /// Says which keys of rows that were not staged name accounts, in lower case; all others name none.
    pub fn exist(&mut self, accounts: &BTreeSet<String>) {
        for (who, _) in &mut self.rows {
            if let Who::Unseen(key) = who {
                *who = if accounts.contains(&key.to_lowercase()) { Who::Found } else { Who::Key(std::mem::take(key)) };
            }
        }
    }

    /// Whether any place must be looked for among those of the source ([`Places`]).
    pub fn has_keys(&self) -> bool {
        let open = |spot: &Spot| !matches!(spot, Spot::Known(_));
        self.rows.iter().any(|(_, spot)| open(spot)) || self.full.iter().any(open)
    }
}

/// The forms of many keys, without their texts: what has the same hash by chance is taken for alike, and protected.
#[derive(Debug, Default)]
struct Forms {
    numbers: Vec<(u64, usize)>,
    hasher: RandomState,
}

impl Forms {
    fn of<'a>(keys: impl Iterator<Item = &'a str>) -> Self {
        let hasher = RandomState::new();
        let hash = |key| forms(key).into_iter().map(|form| hasher.hash_one(form));
        let mut numbers: Vec<(u64, usize)> =
            keys.enumerate().flat_map(|(number, key)| hash(key).map(move |hash| (hash, number))).collect();
        numbers.sort_unstable();
        Self { numbers, hasher }
    }

    /// The numbers of the keys that this key of the site is like.
    fn like(&self, key: &str) -> impl Iterator<Item = usize> + '_ {
        let hash = self.hasher.hash_one(fold(key));
        let from = self.numbers.partition_point(|(form, _)| *form < hash);
        self.numbers[from..].iter().take_while(move |(form, _)| *form == hash).map(|(_, number)| *number)
    }
}

/// The places of a source, and which of them the keys of rows are like.
#[derive(Debug)]
pub struct Places {
    forms: Forms,
    found: BTreeMap<usize, i64>,
    alike: BTreeMap<usize, Vec<i64>>,
    unnamed: Vec<i64>,
}

impl Places {
    /// The places that the keys of these rows may mean: none yet.
    pub fn of(rows: &Unresolved) -> Self {
        let forms = Forms::of(rows.keys.iter().map(String::as_str));
        Self { forms, found: BTreeMap::new(), alike: BTreeMap::new(), unnamed: Vec::new() }
    }

    /// Adds a place of the source with its key; `named` if a row of the set names it.
    pub fn add(&mut self, rows: &Unresolved, id: i64, key: &str, named: bool) {
        if !named {
            self.unnamed.push(id);
        }
        if let Some(number) = rows.number(key.trim()) {
            self.found.insert(number, id);
        }
        for number in self.forms.like(key) {
            self.alike.entry(number).or_default().push(id);
        }
    }
}

/// What the rows protect.
#[derive(Debug, Default)]
pub struct Protected {
    /// Places in which nobody loses anything.
    pub places: BTreeSet<i64>,
    /// Keys of places that are damaged and like none: whoever is named with one loses nothing anywhere.
    pub damaged: Vec<String>,
    /// A place and a user who loses nothing there.
    pub pairs: BTreeSet<(i64, i64)>,
    users: Vec<User>,
    forms: Forms,
}

#[derive(Debug)]
struct User {
    key: String,
    place: i64,
    alike: bool,
}

impl Protected {
    /// Decides by the places what is whole; users whose accounts are still to be found are held for
    /// [`Protected::account`].
    pub fn of(rows: Unresolved, places: &Places, protects: UnknownProtects) -> Self {
        let mut protected = Self::default();
        for (number, key) in rows.keys.into_iter().enumerate() {
            match (places.found.get(&number), places.alike.get(&number)) {
                (Some(_), _) => {}
                (None, Some(alike)) => protected.places.extend(alike),
                (None, None) if is_damaged(&key) => {
                    protected.places.extend(&places.unnamed);
                    protected.damaged.push(key);
                }
                (None, None) => {}
            }
        }
        let at = |spot: Spot| match spot {
            Spot::Known(id) => Some(id),
            Spot::Key(number) => places.found.get(&number).copied(),
            Spot::Lost => None,
        };
        protected.places.extend(rows.full.iter().filter_map(|spot| at(*spot)));
        let lost = rows.full.contains(&Spot::Lost) || rows.rows.iter().any(|(_, spot)| *spot == Spot::Lost);
        if lost {
            protected.places.extend(&places.unnamed);
        }
        for (who, spot) in rows.rows {
            let Some(place) = at(spot) else { continue };
            match who {
                Who::Found => {}
                Who::Lost => {
                    protected.places.insert(place);
                }
                Who::Key(_) | Who::Unseen(_) if protects == UnknownProtects::Place => {
                    protected.places.insert(place);
                }
                Who::Key(key) | Who::Unseen(key) => protected.users.push(User { key, place, alike: false }),
            }
        }
        protected
    }

    /// The places where a user must be found, without the `spared` ones and those that are protected as a whole; makes
    /// ready for [`Protected::account`].
    pub fn open(&mut self, spared: &BTreeSet<i64>) -> BTreeSet<i64> {
        let whole = &self.places;
        self.users.retain(|user| !whole.contains(&user.place) && !spared.contains(&user.place));
        self.forms = Forms::of(self.users.iter().map(|user| user.key.as_str()));
        self.users.iter().map(|user| user.place).collect()
    }

    /// An account that would lose something in a place, with its key.
    pub fn account(&mut self, place: i64, id: i64, key: &str) {
        for number in self.forms.like(key) {
            let user = &mut self.users[number];
            if user.place == place {
                user.alike = true;
                self.pairs.insert((place, id));
            }
        }
    }

    /// Protects the places of users who are damaged and like none of the accounts.
    pub fn finish(&mut self) {
        let lost = self.users.iter().filter(|user| !user.alike && is_damaged(&user.key));
        self.places.extend(lost.map(|user| user.place));
        let places = &self.places;
        self.pairs.retain(|(place, _)| !places.contains(place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The courses 1 (named, `c1`), 2 (`Médecine`) and 3 (`c3`) of a source, and accounts in them.
    fn protected(rows: Unresolved, protects: UnknownProtects) -> (Vec<i64>, Vec<(i64, i64)>, Vec<String>) {
        let mut places = Places::of(&rows);
        [(1, "c1", true), (2, "Médecine", false), (3, "c3", false)]
            .into_iter()
            .for_each(|(id, key, named)| places.add(&rows, id, key, named));
        let mut protected = Protected::of(rows, &places, protects);
        protected.open(&BTreeSet::new());
        for (place, id, key) in [(1, 11, "0011"), (1, 12, "müller"), (2, 11, "0011")] {
            protected.account(place, id, key);
        }
        protected.finish();
        let (places, pairs) = (protected.places.into_iter().collect(), protected.pairs.into_iter().collect());
        (places, pairs, protected.damaged)
    }

    fn row(user: &str, place: &str, id: i64) -> Unresolved {
        let mut rows = Unresolved::default();
        rows.staged(user.to_owned(), place, id);
        rows
    }

    #[test]
    fn each_kind_of_row_protects_its_own() {
        let nothing = (vec![], vec![], vec![]);
        for (user, place, id, expected) in [
            ("nobody", "", 1, nothing.clone()),
            ("nobody", "nowhere", 0, nothing.clone()),
            ("", "nowhere", 0, nothing.clone()),
            ("11", "", 1, (vec![], vec![(1, 11)], vec![])),
            ("MÃ¼ller", "", 1, (vec![], vec![(1, 12)], vec![])),
            ("1.1E+01", "", 1, (vec![1], vec![], vec![])),
            ("nobody", "MÃ©decine", 0, (vec![2], vec![], vec![])),
            ("", "M\u{fffd}decine", 0, (vec![2, 3], vec![], vec!["M\u{fffd}decine".to_owned()])),
            ("11", "", 0, nothing.clone()),
        ] {
            assert_eq!(protected(row(user, place, id), UnknownProtects::Likely), expected, "{user} {place} {id}");
        }
        assert_eq!(protected(row("nobody", "", 1), UnknownProtects::Place).0, [1]);
        assert_eq!(protected(row("", "nowhere", 0), UnknownProtects::Place), nothing);
    }

    #[test]
    fn a_row_that_was_not_staged_is_looked_up_first() {
        let refused = |user: &str, place: &str, broken: bool, accounts: &[&str]| {
            let mut rows = Unresolved::default();
            rows.refused(user, place, broken);
            rows.exist(&accounts.iter().map(|key| (*key).to_owned()).collect());
            protected(rows, UnknownProtects::Likely)
        };
        assert_eq!(refused("11", "c1", false, &[]).1, [(1, 11)]);
        assert_eq!(refused("1E+01", "c1", false, &["1e+01"]).0, [0; 0], "there is such an account");
        assert_eq!(refused("1E+01", "c1", false, &[]).0, [1]);
        assert_eq!(refused("", "c1", true, &[]).0, [1], "a broken reference");
        assert_eq!(refused("", "c1", false, &[]).0, [0; 0], "a blank user");
        assert_eq!(refused("u1", "", true, &["u1"]).0, [2, 3]);
        assert_eq!(refused("u1", "", false, &["u1"]).0, [0; 0], "a blank course");
        assert_eq!(refused("u1", "Me\u{301}decine", false, &["u1"]).0, [2]);
    }

    #[test]
    fn what_is_too_much_protects_the_place() {
        let mut rows = Unresolved::default();
        for number in 0..MOST + 1 {
            rows.staged(format!("n{number}"), "", 1);
        }
        assert_eq!((rows.rows.len(), protected(rows, UnknownProtects::Likely).0), (MOST, vec![1]));
    }
}
