//! Puts off what failed and is tried again, with a pause that doubles each time.
//! It must not know what failed.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::StopWatch;

/// Pauses by key, and the tries of keys that fail by their own fault.
#[derive(Debug)]
pub struct Later {
    shortest: Duration,
    longest: Duration,
    put_off: HashMap<String, Pause>,
    tried: HashMap<String, (StopWatch, u32)>,
}

/// The number of tries of a key that fails by its own fault, and their duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// The number of tries, including the last one.
    pub times: u32,
    /// The time since the first failure.
    pub since: Duration,
}

impl Tries {
    /// Whether there were `tries` tries or more, over the time `over` or longer.
    pub fn are_enough(self, tries: u32, over: Duration) -> bool {
        self.times >= tries && self.since >= over
    }

    /// The pause before the next try: each twice as long as the one before, so that the last of `tries` happens when
    /// `over` has passed.
    pub fn pause(self, tries: u32, over: Duration) -> Duration {
        const LEAST: Duration = Duration::from_secs(1);
        if self.times >= tries {
            return over.saturating_sub(self.since).max(LEAST);
        }
        // The sum of the pauses 1, 2, 4, … is one less than the next pause.
        let all = (tries - 1).min(31);
        let first = (over.as_millis() as u64).div_ceil((1_u64 << all) - 1);
        Duration::from_millis(first.saturating_mul(1 << (self.times.max(1) - 1).min(31))).max(LEAST)
    }
}

#[derive(Debug)]
struct Pause {
    since: StopWatch,
    length: Duration,
}

impl Pause {
    fn left(&self) -> Option<Duration> {
        self.length.checked_sub(Duration::from_millis(self.since.millis())).filter(|left| !left.is_zero())
    }
}

impl Later {
    /// Pauses between two lengths.
    pub fn between(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, put_off: HashMap::new(), tried: HashMap::new() }
    }

    /// Puts a key off, twice as long as the last time; returns the length.
    pub fn put_off(&mut self, key: &str) -> Duration {
        let before = self.put_off.get(key).map(|pause| pause.length * 2);
        let length = before.unwrap_or(self.shortest).min(self.longest);
        self.put_off.insert(key.to_owned(), Pause { since: StopWatch::start(), length });
        length
    }

    /// Puts a key off for `length`.
    pub fn put_off_for(&mut self, key: &str, length: Duration) {
        self.put_off.insert(key.to_owned(), Pause { since: StopWatch::start(), length });
    }

    /// Counts a try of a key that fails by its own fault, until the key is forgotten.
    pub fn tried(&mut self, key: &str) -> Tries {
        let (first, times) = self.tried.entry(key.to_owned()).or_insert_with(|| (StopWatch::start(), 0));
        *times += 1;
        Tries { times: *times, since: Duration::from_millis(first.millis()) }
    }

    /// The remaining pause of a key; `None` if there is none.
    pub fn left(&self, key: &str) -> Option<Duration> {
        self.put_off.get(key).and_then(Pause::left)
    }

    /// Forgets a key that succeeded or is gone; true if it was put off.
    pub fn forget(&mut self, key: &str) -> bool {
        self.tried.remove(key);
        self.put_off.remove(key).is_some()
    }

    /// Ends all pauses, because a change may let the tries succeed.
    pub fn wake(&mut self) {
        self.put_off.clear();
    }

    /// The shortest remaining pause.
    pub fn first(&self) -> Option<Duration> {
        self.put_off.values().filter_map(Pause::left).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_tries_fill_ten_minutes_and_then_it_is_enough() {
        let over = Duration::from_secs(600);
        let (mut since, mut pauses) = (Duration::ZERO, Vec::new());
        for times in 1.. {
            let tries = Tries { times, since };
            if tries.are_enough(5, over) {
                break;
            }
            pauses.push(tries.pause(5, over).as_secs());
            since += tries.pause(5, over);
        }
        assert_eq!(pauses, [40, 80, 160, 320]);
        // A pause was cut short, so `over` has not passed: there is one more try, at its end.
        let early = Tries { times: 5, since: Duration::from_secs(561) };
        assert!(!early.are_enough(5, over));
        assert_eq!(early.pause(5, over), Duration::from_secs(39));
        let one = Tries { times: 1, since: Duration::ZERO };
        assert!(one.are_enough(1, Duration::ZERO) && !one.are_enough(2, Duration::ZERO));
        assert_eq!(one.pause(2, Duration::ZERO), Duration::from_secs(1), "never at once");
        assert!(one.pause(1_000, over) > Duration::ZERO);
    }

    #[test]
    fn tries_are_counted_until_it_succeeds() {
        let mut later = Later::between(Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!([later.tried("a").times, later.tried("a").times, later.tried("b").times], [1, 2, 1]);
        later.wake();
        assert_eq!(later.tried("a").times, 3);
        later.forget("a");
        assert_eq!(later.tried("a").times, 1);
    }

    #[test]
    fn a_pause_doubles_up_to_the_longest_and_begins_anew_after_a_success() {
        let seconds = Duration::from_secs;
        let mut later = Later::between(seconds(60), seconds(200));
        assert_eq!(later.left("a"), None);
        assert_eq!(
            [later.put_off("a"), later.put_off("a"), later.put_off("a")],
            [seconds(60), seconds(120), seconds(200)]
        );
        assert!(later.left("a").is_some_and(|left| left <= seconds(200)));
        assert!(later.left("b").is_none() && later.first().is_some());
        assert!(later.forget("a") && !later.forget("a"));
        assert_eq!((later.left("a"), later.first()), (None, None));
        assert_eq!(later.put_off("a"), seconds(60));
    }
}
