//! More users than a small step has: a cohort with many joining and leaving members, and its instances in courses.
//! It must not run anything.

use crate::campus::role;
use crate::site::Site;

/// `user.id` of the first of them.
pub const FIRST: i64 = 10_001;

/// `user.id` of `p1`, `p2` and so on of a [`Site::crowd`].
pub const fn member(number: i64) -> i64 {
    5_000 + number
}

impl Site {
    /// The campus with this many more users, `p1`, `p2` and so on, and a lease that outlasts a slow machine: for counts of
    /// statements.
    pub async fn crowd(&mut self, people: i64) {
        self.campus().await;
        self.set("run.lease_ttl", "3600");
        self.gather();
        for number in 1..=people {
            let name = format!("p{number}");
            let row = [
                ("id", member(number).into()),
                ("username", name.as_str().into()),
                ("mnethostid", 1.into()),
                ("confirmed", 1.into()),
            ];
            self.insert("user", &row).await;
        }
        self.send().await;
        self.reset_sequences().await;
    }

    /// The campus with this many more users, and cohort instances in some of its courses.
    pub async fn crowd_for_cohort(&mut self, people: i64, courses: &[i64]) {
        self.campus().await;
        self.sql("UPDATE {config} SET value = 'manual,cohort' WHERE name = 'enrol_plugins_enabled'").await;
        let people: Vec<String> =
            (FIRST..FIRST + people).map(|who| format!("({who}, 'p{who}', 1, 1, 'p{who}@example.com')")).collect();
        for some in people.chunks(500) {
            let rows = some.join(", ");
            self.sql(&format!("INSERT INTO {{user}} (id, username, mnethostid, confirmed, email) VALUES {rows}")).await;
        }
        self.sql("INSERT INTO {cohort} (id, contextid, name, descriptionformat, component, timecreated, timemodified) VALUES (1, 1, 'all', 0, '', 1, 1)").await;
        for course in courses {
            self.instance("cohort", *course, 0, "student").await;
        }
        let student = role("student");
        let of_cohort = "UPDATE {enrol} SET customint1 = 1, customint2 = 0, roleid =";
        self.sql(&format!("{of_cohort} {student} WHERE enrol = 'cohort'")).await;
    }

    /// This many users, beginning with the `from`-th, join the cohort.
    pub async fn join_cohort(&mut self, from: i64, people: i64) {
        let from = FIRST + from;
        self.sql(&format!(
            "INSERT INTO {{cohort_members}} (cohortid, userid, timeadded) SELECT 1, u.id, 1 FROM {{user}} u WHERE u.id >= {from} AND u.id < {}",
            from + people
        ))
        .await;
    }
}
