//! Which names the groups and groupings have at the end that rows of a file add or rename, if later rows rename them.
//! It must not decide what is added or renamed.

use std::collections::BTreeMap;

use crate::config::FileGroupKey;
use crate::coursefiles::groups::items::{Place, Terms};
use crate::files::{GroupRow, GroupType, GroupVerb};
use crate::problem::Problem;

/// By what a row that renames something knows it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Name(String),
    Idnumber(String),
}

/// For each row that adds or renames something, the name that later rows give it; `None`: it keeps that of the row. By
/// it the same file finds the next time what it made.
pub fn ends(terms: &Terms, rows: &[(GroupRow, Result<Place, Problem>)]) -> Vec<Option<String>> {
    let mut later: BTreeMap<(GroupType, i64, Known), String> = BTreeMap::new();
    let mut ends = Vec::new();
    // From the last row on: a name that a row gives may be changed by those after it.
    for (row, place) in rows.iter().rev() {
        let Ok(place) = place else {
            ends.push(None);
            continue;
        };
        let key = |known| (row.of, place.courseid, known);
        let end = |later: &BTreeMap<_, String>, name: &str| later.get(&key(Known::Name(name.to_owned()))).cloned();
        let name = row.said.name.as_str();
        let idnumber = row.said.idnumber.as_deref().unwrap_or_default();
        let adds = row.verb == GroupVerb::Add && row.update.is_empty();
        let changed = match (row.update.as_str(), terms.key) {
            _ if adds || name.is_empty() || matches!(row.verb, GroupVerb::Empty | GroupVerb::Delete) => None,
            ("", _) if idnumber.is_empty() => None,
            ("", _) => Some(Known::Idnumber(idnumber.to_owned())),
            (named, FileGroupKey::Idnumber) => Some(Known::Idnumber(named.to_owned())),
            (named, FileGroupKey::Name) if named != name => Some(Known::Name(named.to_owned())),
            (_, FileGroupKey::Name | FileGroupKey::Id) => None,
        };
        let by_idnumber = || later.get(&key(Known::Idnumber(idnumber.to_owned()))).cloned();
        let last = match adds {
            true => end(&later, name).or_else(by_idnumber),
            false => changed.is_some().then(|| end(&later, name).unwrap_or_else(|| name.to_owned())),
        };
        if let Some((known, last)) = changed.zip(last.clone()) {
            later.insert(key(known), last);
        }
        ends.push(last.filter(|last| last != name));
    }
    ends.reverse();
    ends
}
