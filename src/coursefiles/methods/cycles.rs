//! Finds the cycles that a new meta link would close, over all links of the site and of the file.
//! It must not know what a link enrols.

use std::collections::{BTreeMap, BTreeSet};

/// The courses from which each course gets its participants: target and sources.
pub type Links = BTreeMap<i64, BTreeSet<i64>>;

/// The courses of the cycle that a link from `source` into `target` would close, in the direction in which people would
/// go, from `source` on; `None` if there is none. `lives` says whether a link (target, source) exists.
pub fn closed_by(links: &Links, target: i64, source: i64, lives: impl Fn(i64, i64) -> bool) -> Option<Vec<i64>> {
    // Backwards from the source: which courses feed it. `fed` is the course that each of them feeds.
    let mut fed: BTreeMap<i64, i64> = BTreeMap::from([(source, target)]);
    let mut next = vec![source];
    while let Some(course) = next.pop() {
        if course == target {
            let mut path = vec![source, target];
            let mut at = target;
            // From the target forwards to the source again.
            while at != source {
                at = fed[&at];
                path.push(at);
            }
            return Some(path);
        }
        for other in links.get(&course).into_iter().flatten() {
            if lives(course, *other) && !fed.contains_key(other) {
                fed.insert(*other, course);
                next.push(*other);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_of_any_length_are_found() {
        // 2 gets from 1, 3 from 2, 4 from 3; 9 gets from itself.
        let links: Links = [(2, 1), (3, 2), (4, 3), (9, 9)].map(|(target, source)| (target, [source].into())).into();
        let all = |_, _| true;
        assert_eq!(closed_by(&links, 5, 5, all), Some(vec![5, 5]));
        assert_eq!(closed_by(&links, 1, 2, all), Some(vec![2, 1, 2]));
        assert_eq!(closed_by(&links, 1, 4, all), Some(vec![4, 1, 2, 3, 4]));
        assert_eq!(closed_by(&links, 4, 1, all), None);
        assert_eq!(closed_by(&links, 5, 9, all), None, "a cycle elsewhere ends the search too");
        assert_eq!(closed_by(&links, 1, 4, |target, _| target != 3), None, "a link that is removed closes nothing");
    }
}
