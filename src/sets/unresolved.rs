//! The rows of a set whose user, course or cohort is not known, and what each of them protects.
//! It must not read a database: `protect` brings keys of the site, and writes what comes out.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use crate::config::UnknownProtects;
use crate::files::Scraps;
use crate::staging::likeness::{fold, forms, is_damaged};

/// The most rows that are held in memory; of those beyond, everybody in the course or cohort is protected.
const MOST: usize = 50_000;

/// The most torn rows that are held in memory; with more of them, everybody is protected.
const MOST_TORN: usize = 10_000;

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

/// A row whose cells cannot be told apart.
#[derive(Debug)]
struct Torn {
    /// Its user in lower case; empty if it cannot be told, as it may be several rows.
    user: String,
    /// The numbers of the keys that it may name its place with.
    keys: Vec<usize>,
}

/// A key that may name a place.
#[derive(Debug)]
struct PlaceKey {
    text: String,
    /// Whether a row names its place with it.
    named: bool,
}

/// The rows, as far as they were collected.
#[derive(Debug, Default)]
pub struct Unresolved {
    rows: Vec<(Who, Spot)>,
    torn: Vec<Torn>,
    /// The places of rows that are not held.
    full: BTreeSet<Spot>,
    /// Whether a torn row is not held.
    anywhere: bool,
    /// The numbers of the keys of users whose place is not known either: they may name the place.
    crossed: Vec<usize>,
    keys: Vec<PlaceKey>,
    /// The numbers of the keys, by their hash: the texts are held once.
    numbers: HashMap<u64, usize>,
    hasher: RandomState,
}

impl Unresolved {
    /// True if no row was collected.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.torn.is_empty() && self.full.is_empty() && !self.anywhere
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

    /// Adds a row that was refused because its cells cannot be told apart, with the user as far as it can be told.
    pub fn torn(&mut self, user: &str, scraps: &Scraps) {
        self.of_one(if scraps.several { "" } else { user }, &scraps.values);
        if let Some((user, place)) = &scraps.rest {
            self.of_one(user, std::slice::from_ref(place));
        }
    }

    fn of_one(&mut self, user: &str, values: &[String]) {
        let user = user.trim().to_lowercase();
        match values.iter().map(|value| self.number(value)).collect() {
            Some(keys) if self.torn.len() < MOST_TORN => self.torn.push(Torn { user, keys }),
            _ => self.anywhere = true,
        }
    }

    fn key(&mut self, place: &str) -> Spot {
        let Some(number) = self.number(place) else { return Spot::Lost };
        self.keys[number].named = true;
        Spot::Key(number)
    }

    /// The number of a key; `None` if too many are held.
    fn number(&mut self, place: &str) -> Option<usize> {
        if let Some(number) = self.numbers.get(&self.hasher.hash_one(place)) {
            return (self.keys[*number].text == place).then_some(*number);
        }
        if self.keys.len() >= MOST {
            return None;
        }
        self.numbers.insert(self.hasher.hash_one(place), self.keys.len());
        self.keys.push(PlaceKey { text: place.to_owned(), named: false });
        Some(self.keys.len() - 1)
    }

    /// The number of a key that rows have.
    fn known(&self, place: &str) -> Option<usize> {
        let number = *self.numbers.get(&self.hasher.hash_one(place))?;
        (self.keys[number].text == place).then_some(number)
    }

    fn add(&mut self, who: Who, spot: Spot) {
        if self.rows.len() < MOST {
            if let (Who::Key(key) | Who::Unseen(key), Spot::Key(_)) = (&who, spot) {
                let crossed = self.number(key);
                self.crossed.extend(crossed);
            }
            self.rows.push((who, spot));
        } else {
            self.full.insert(spot);
        }
    }

    /// Whether any user must be looked up among the accounts ([`Unresolved::exist`]).
    pub fn has_unseen(&self) -> bool {
        self.rows.iter().any(|(who, _)| matches!(who, Who::Unseen(_))) || !self.torn.is_empty()
    }

    /// Says which keys of rows that were not staged name accounts, in lower case; all others name none.
    pub fn exist(&mut self, accounts: &BTreeSet<String>) {
        // One row of a user who is found means nobody else.
        self.torn.retain(|torn| !accounts.contains(&torn.user));
        for (who, _) in &mut self.rows {
            if let Who::Unseen(key) = who {
                *who = if accounts.contains(&key.to_lowercase()) { Who::Found } else { Who::Key(std::mem::take(key)) };
            }
        }
    }

    /// Whether any place must be looked for among those of the source ([`Places`]).
    pub fn has_keys(&self) -> bool {
        let open = |spot: &Spot| !matches!(spot, Spot::Known(_));
        let any = self.rows.iter().any(|(_, spot)| open(spot)) || self.full.iter().any(open);
        any || !self.torn.is_empty() || self.anywhere
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
    all: Vec<i64>,
}

impl Places {
    /// The places that the keys of these rows may mean: none yet.
    pub fn of(rows: &Unresolved) -> Self {
        let forms = Forms::of(rows.keys.iter().map(|key| key.text.as_str()));
        let (found, alike) = (BTreeMap::new(), BTreeMap::new());
        Self { forms, found, alike, unnamed: Vec::new(), all: Vec::new() }
    }

    /// Adds a place of the source with its key; `named` if a row of the set names it.
    pub fn add(&mut self, rows: &Unresolved, id: i64, key: &str, named: bool) {
        self.all.push(id);
        if !named {
            self.unnamed.push(id);
        }
        if let Some(number) = rows.known(key.trim()) {
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
                _ if !key.named => {}
                (Some(_), _) => {}
                (None, Some(alike)) => protected.places.extend(alike),
                (None, None) if is_damaged(&key.text) => {
                    protected.places.extend(&places.unnamed);
                    protected.damaged.push(key.text);
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
        let found = |key: &usize| places.found.get(key).copied();
        let alike = |key: &usize| places.alike.get(key).into_iter().flatten().copied();
        for key in &rows.crossed {
            match found(key) {
                Some(place) => drop(protected.places.insert(place)),
                None => protected.places.extend(alike(key)),
            }
        }
        let mut lost = rows.full.contains(&Spot::Lost) || rows.rows.iter().any(|(_, spot)| *spot == Spot::Lost);
        for torn in &rows.torn {
            let mut meant: Vec<i64> = torn.keys.iter().filter_map(found).collect();
            if meant.is_empty() {
                meant = torn.keys.iter().flat_map(alike).collect();
            }
            lost |= meant.is_empty();
            protected.places.extend(meant);
        }
        if lost {
            protected.places.extend(&places.unnamed);
        }
        if rows.anywhere {
            protected.places.extend(&places.all);
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
    fn a_torn_row_protects_its_user_or_else_the_places_that_it_names() {
        let torn = |user: &str, values: &[&str], several: bool, accounts: &[&str]| {
            let mut rows = Unresolved::default();
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            rows.torn(user, &Scraps { values, several, rest: None });
            rows.exist(&accounts.iter().map(|key| (*key).to_owned()).collect());
            protected(rows, UnknownProtects::Likely)
        };
        assert_eq!(torn("U1", &["U1", "c1"], false, &["u1"]).0, [0; 0], "the account itself is spared elsewhere");
        assert_eq!(torn("U1", &["U1", "c1"], true, &["u1"]).0, [1], "there may be another row in it");
        assert_eq!(torn("x", &["x", "c1", "c3"], false, &[]).0, [1, 3]);
        assert_eq!(torn("x", &["x", "C1", "M\u{fffd}"], false, &[]), (vec![1], vec![], vec![]), "like one");
        assert_eq!(torn("x", &["x"], false, &[]).0, [2, 3], "it names none");
        assert_eq!(torn("", &[], true, &[]).0, [2, 3]);
        let mut rows = Unresolved::default();
        let rest = Some(("x".to_owned(), "c1".to_owned()));
        rows.torn("u1", &Scraps { values: vec!["u1".to_owned()], several: false, rest });
        rows.exist(&BTreeSet::from(["u1".to_owned()]));
        assert_eq!(protected(rows, UnknownProtects::Likely).0, [1], "the row behind it may be its rest");
        let mut rows = Unresolved::default();
        for number in 0..MOST_TORN + 1 {
            rows.torn("x", &Scraps { values: vec![format!("n{number}")], several: false, rest: None });
        }
        assert_eq!(protected(rows, UnknownProtects::Likely).0, [1, 2, 3]);
    }

    #[test]
    fn a_user_that_is_a_place_protects_it() {
        assert_eq!(protected(row("c1", "11", 0), UnknownProtects::Likely).0, [1]);
        assert_eq!(protected(row("c1", "", 2), UnknownProtects::Likely).0, [0; 0], "its place is known");
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
