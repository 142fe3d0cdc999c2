//! The keys of section `tasks`: every task has the same few keys, a task of a rule has more.
//! It must not know what a task does.

use super::{Key, Kind, MANY, Unset, choice, defaulted, flag, text};
use crate::config::forms;
use crate::config::sections::{CatchUp, WhenOff};

/// A key that falls back to a more general key where it is not set.
const fn general(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, unset: Unset::General }
}

/// The keys of every task: enabled, schedule, zone, and the handling of missed times.
macro_rules! task {
    ($task:literal) => {
        [
            flag(concat!("tasks.", $task, ".enabled")),
            text(concat!("tasks.", $task, ".schedule"), forms::schedule),
            general(concat!("tasks.", $task, ".timezone"), Kind::Text(forms::timezone)),
            choice(concat!("tasks.", $task, ".catch_up"), CatchUp::WORDS),
        ]
    };
}

/// The key of a rule task: what happens while the method is disabled in Moodle.
macro_rules! rule {
    ($task:literal) => {
        [choice(concat!("tasks.", $task, ".when_disabled"), WhenOff::WORDS)]
    };
}

/// The keys of a task that works on courses: which courses, and the limits.
macro_rules! minding {
    ($task:literal) => {
        [
            defaulted(concat!("tasks.", $task, ".courses"), Kind::Names),
            general(concat!("tasks.", $task, ".guard.removals_max"), Kind::Whole(0, MANY, "rows")),
            general(concat!("tasks.", $task, ".guard.removals_percent"), Kind::Whole(0, 100, "percent")),
            general(concat!("tasks.", $task, ".guard.suspensions_max"), Kind::Whole(0, MANY, "rows")),
            general(concat!("tasks.", $task, ".guard.suspensions_percent"), Kind::Whole(0, 100, "percent")),
            general(concat!("tasks.", $task, ".guard.creations_max"), Kind::Whole(0, MANY, "rows")),
            general(concat!("tasks.", $task, ".guard.creations_percent"), Kind::Whole(0, MANY, "percent")),
            general(concat!("tasks.", $task, ".guard.at_least"), Kind::Whole(0, MANY, "rows")),
        ]
    };
}

/// The keys of all tasks, in the order of the reference.
pub(super) fn keys() -> Vec<Key> {
    let mut keys = task!("flatfile").to_vec();
    macro_rules! of_rule {
        ($task:literal) => {
            keys.extend(task!($task).into_iter().chain(rule!($task)).chain(minding!($task)))
        };
    }
    of_rule!("cohort");
    of_rule!("category");
    of_rule!("coursecompleted");
    of_rule!("autoenrol");
    of_rule!("meta");
    keys.extend(task!("expirations").into_iter().chain(minding!("expirations")));
    keys.extend(task!("waiting"));
    keys.extend(task!("waiting_report"));
    keys.extend(task!("retention"));
    keys
}
