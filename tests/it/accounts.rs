//! Accounts that may not log in: suspended, not confirmed, of the method `nologin`, deleted. Each method treats them
//! alike. It must not test what a method does with other accounts.

use crate::campus::user;
use crate::faculty::category_context;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(only_deleted_accounts_are_not_enrolled);

/// The users enrolled by a method in `cN`.
async fn by(site: &mut Site, method: &str, number: i64) -> Vec<String> {
    let (of, lines) = (format!("c{number} {method}"), site.enrolments().await);
    let of = lines.iter().filter_map(|line| line.split_once(' ').filter(|(_, rest)| rest.starts_with(&of)));
    of.map(|(who, _)| who.to_owned()).collect()
}

/// `tests/it/autoenrol.rs` and `rule_completed.rs` test the same of the two plugins.
async fn only_deleted_accounts_are_not_enrolled(mut site: Site) {
    site.records("x").await;
    for (who, what) in [(1, "suspended = 1"), (2, "confirmed = 0"), (3, "auth = 'nologin'"), (4, "deleted = 1")] {
        site.sql(&format!("UPDATE {{user}} SET {what} WHERE id = {}", user(who))).await;
    }
    let enrolled = ["u1", "u2", "u3", "u5"];
    site.cohort(1, &[1, 2, 3, 4, 5]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    assert_eq!(by(&mut site, "cohort", 1).await, enrolled);

    site.link(2, 1).await;
    site.rule("meta").await;
    assert_eq!(by(&mut site, "meta", 2).await, enrolled);

    site.permits("student", "enrol/category:synchronised", 1, 1).await;
    for who in 1..=5 {
        site.assigned(who, category_context(1), "student", ("", 0), NOW - 500).await;
    }
    site.rule("category").await;
    assert_eq!(by(&mut site, "category", 3).await, enrolled);

    let lines: String = (1..=5).map(|who| format!("add,student,u{who},c3\n")).collect();
    let report = site.import(&lines).await;
    assert_eq!(by(&mut site, "flatfile", 3).await, enrolled);
    assert_eq!(site.errors(&report).await, ["4 user-unknown"]);

    let rows: String = (1..=5).map(|who| format!("u{who},c1,student\n")).collect();
    site.full_set("x", &format!("user,course,role\n{rows}")).await;
    assert_eq!(by(&mut site, "database", 1).await, enrolled);
}
