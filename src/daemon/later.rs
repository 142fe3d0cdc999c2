//! What failed and is tried again, after a pause that doubles each time.
//! It must not know what failed.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::StopWatch;

/// Pauses by key.
#[derive(Debug)]
pub struct Later {
    shortest: Duration,
    longest: Duration,
    put_off: HashMap<String, Pause>,
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
        Self { shortest, longest, put_off: HashMap::new() }
    }

    /// Puts something off, twice as long as the last time; gives for how long.
    pub fn put_off(&mut self, key: &str) -> Duration {
        let before = self.put_off.get(key).map(|pause| pause.length * 2);
        let length = before.unwrap_or(self.shortest).min(self.longest);
        self.put_off.insert(key.to_owned(), Pause { since: StopWatch::start(), length });
        length
    }

    /// How long it is put off from now on; `None` if its time has come.
    pub fn left(&self, key: &str) -> Option<Duration> {
        self.put_off.get(key).and_then(Pause::left)
    }

    /// It succeeded, or is gone; true if it had been put off.
    pub fn forget(&mut self, key: &str) -> bool {
        self.put_off.remove(key).is_some()
    }

    /// Something has changed that may let all of it succeed: the time of everything has come.
    pub fn wake(&mut self) {
        self.put_off.clear();
    }

    /// How long until the first thing that is put off.
    pub fn first(&self) -> Option<Duration> {
        self.put_off.values().filter_map(Pause::left).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
