//! Finds the cycles that new meta links would close, over all links of the site and of the file, with bounded work for
//! a whole file. It must not know what a link enrols.

use std::collections::{BTreeMap, BTreeSet};

/// The courses from which each course gets its participants: target and sources.
pub type Links = BTreeMap<i64, BTreeSet<i64>>;

/// How many courses the searches of a file may visit together.
const MOST_VISITS: usize = 3_000_000;

/// The searches of a file.
pub struct Cycles {
    /// The courses that a cycle can have, whichever of the links exist.
    core: BTreeSet<i64>,
    /// How many courses may still be visited.
    visits: usize,
}

/// What a new link would do.
#[derive(Debug, PartialEq, Eq)]
pub enum Closing {
    Nothing,
    /// It would close this cycle: its courses in the direction in which people would go, from the source on.
    Cycle(Vec<i64>),
    /// The links of the file form too many cycles to find out.
    Unknown,
}

impl Cycles {
    /// For links all of which are among these: those of the site, and those that the file names.
    pub fn among(links: &Links) -> Self {
        Self { core: core(links), visits: MOST_VISITS }
    }

    /// What a link from `source` into `target` would do. `lives` says whether a link (target, source) exists.
    ///
    /// Only the core is searched: a chain of links of any length, which is no cycle, costs nothing.
    pub fn closed_by(&mut self, links: &Links, target: i64, source: i64, lives: impl Fn(i64, i64) -> bool) -> Closing {
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
                return Closing::Cycle(path);
            }
            if !self.core.contains(&course) {
                continue;
            }
            for other in links.get(&course).into_iter().flatten() {
                let Some(left) = self.visits.checked_sub(1) else { return Closing::Unknown };
                self.visits = left;
                if lives(course, *other) && !fed.contains_key(other) {
                    fed.insert(*other, course);
                    next.push(*other);
                }
            }
        }
        Closing::Nothing
    }
}

/// The courses that are left when those without a source go, again and again, then those without a target: every cycle
/// is among them.
fn core(links: &Links) -> BTreeSet<i64> {
    let mut targets = Links::new();
    for (target, sources) in links {
        for source in sources {
            targets.entry(*source).or_default().insert(*target);
        }
    }
    let mut core: BTreeSet<i64> = links.keys().chain(targets.keys()).copied().collect();
    for (back, forth) in [(links, &targets), (&targets, links)] {
        let within = |all: &BTreeSet<i64>| all.iter().filter(|course| core.contains(course)).count();
        let mut left: BTreeMap<i64, usize> = back.iter().map(|(course, all)| (*course, within(all))).collect();
        let mut free: Vec<i64> =
            core.iter().copied().filter(|course| left.get(course).is_none_or(|count| *count == 0)).collect();
        while let Some(course) = free.pop() {
            core.remove(&course);
            for other in forth.get(&course).into_iter().flatten() {
                if let Some(count) = left.get_mut(other).filter(|count| **count > 0) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(*other);
                    }
                }
            }
        }
    }
    core
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(i64, i64)]) -> Links {
        let mut links = Links::new();
        for (target, source) in pairs {
            links.entry(*target).or_default().insert(*source);
        }
        links
    }

    #[test]
    fn cycles_of_any_length_are_found() {
        // 2 gets from 1, 3 from 2, 4 from 3; 9 gets from itself.
        let site = [(2, 1), (3, 2), (4, 3), (9, 9)];
        let known = links(&site);
        let all = |_, _| true;
        let closed = |target, source, lives: &dyn Fn(i64, i64) -> bool| {
            let named: Vec<(i64, i64)> = site.iter().copied().chain([(target, source)]).collect();
            Cycles::among(&links(&named)).closed_by(&known, target, source, lives)
        };
        assert_eq!(closed(5, 5, &all), Closing::Cycle(vec![5, 5]));
        assert_eq!(closed(1, 2, &all), Closing::Cycle(vec![2, 1, 2]));
        assert_eq!(closed(1, 4, &all), Closing::Cycle(vec![4, 1, 2, 3, 4]));
        assert_eq!(closed(4, 1, &all), Closing::Nothing);
        assert_eq!(closed(5, 9, &all), Closing::Nothing, "a cycle elsewhere ends the search too");
        let removed = |target, _| target != 3;
        assert_eq!(closed(1, 4, &removed), Closing::Nothing, "a link that is removed closes nothing");
    }

    #[test]
    fn a_chain_costs_nothing_and_many_cycles_end() {
        let chain: Vec<(i64, i64)> = (1..5_000).map(|course| (course + 1, course)).collect();
        let mut known = Links::new();
        let mut cycles = Cycles::among(&links(&chain));
        assert!(cycles.core.is_empty());
        for (target, source) in &chain {
            assert_eq!(cycles.closed_by(&known, *target, *source, |_, _| true), Closing::Nothing);
            known.entry(*target).or_default().insert(*source);
        }
        assert_eq!(cycles.visits, MOST_VISITS);
        // Closed into a circle that is never whole: each search goes around it, until enough is enough.
        let circle: Vec<(i64, i64)> = chain.iter().copied().chain([(1, 5_000)]).collect();
        let mut cycles = Cycles { visits: 20_000, ..Cycles::among(&links(&circle)) };
        let found: Vec<Closing> = (0..9).map(|_| cycles.closed_by(&known, 1, 4_999, |_, _| true)).collect();
        assert!(matches!(found[0], Closing::Cycle(_)));
        assert_eq!(found[8], Closing::Unknown);
    }
}
