//! What an approval of departures covers when their grace period ends: these removals and what follows, and no others.
//! It must not test when users are suspended and removed; `sets` does.

use enrold::outcome::{Note, Report, State};

use crate::golden_case::set_of;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    an_approved_departure_is_not_held_again,
    a_departure_that_was_not_approved_counts,
    a_rejected_run_covers_nothing,
    who_leaves_again_needs_another_approval,
    a_set_without_grace_ends_what_was_approved,
    what_follows_an_approved_departure_is_covered,
);

const DAY: i64 = 86_400;

/// Absences: the user and the held run that was approved.
async fn absences(site: &mut Site) -> Vec<String> {
    let sql = "SELECT u.username, a.approved FROM {enrold_set_absent} a JOIN {user} u ON u.id = a.userid";
    let mut lines = site.lines(sql, |row| format!("{} {}", row.text(0), row.int(1))).await;
    lines.sort();
    lines
}

/// A set of the first users in the first course.
fn first(users: i64) -> String {
    (1..=users).fold("user,course\n".to_owned(), |text, number| format!("{text}u{number},c1\n"))
}

/// The count and the total of a passed limit on the removals of the run.
fn removals(report: &Report) -> Option<(i64, i64)> {
    let of_run =
        |breach: &&enrold::outcome::Breach| (breach.scope.as_str(), breach.what.as_str()) == ("run", "removals");
    report.breaches.iter().find(of_run).map(|breach| (breach.count, breach.of))
}

impl Site {
    /// Nine users in one course of four, three days of grace, at most two suspensions and removals in a run.
    async fn nine_with_grace(&mut self) {
        self.records("database").await;
        self.courses_up_to(4).await;
        for (key, value) in [
            ("sources.database.removal_grace", "3d"),
            ("sources.database.guard.rows_fewer_percent", "0"),
            ("sources.database.guard.rows_more_percent", "0"),
            ("guard.mode", "hold"),
            ("guard.run.suspensions_max", "2"),
            ("guard.run.removals_max", "2"),
        ] {
            self.set(key, value);
        }
        self.full_set("database", &first(9)).await;
    }

    /// A set that is held, simulated by `approve --simulate` without a trace, and approved.
    async fn approved(&mut self, rows: &str) -> i64 {
        let held = self.full_set("database", rows).await;
        assert_eq!(held.state, State::Held);
        let before = absences(self).await;
        let rehearsal = self.engine().rehearse_approval(held.run).await.unwrap();
        assert_eq!((rehearsal.state, absences(self).await), (State::Simulated, before));
        let report = self.engine().approve(held.run).await.unwrap();
        assert_eq!(report.state, State::Done);
        held.run
    }

    /// A set that only a guard without limits applies.
    async fn warned(&mut self, rows: &str) {
        self.set("guard.mode", "warn");
        assert_eq!(self.full_set("database", rows).await.state, State::Done);
        self.set("guard.mode", "hold");
    }
}

async fn an_approved_departure_is_not_held_again(mut site: Site) {
    site.nine_with_grace().await;
    let run = site.approved(&first(4)).await;
    let approved: Vec<String> = (5..=9).map(|number| format!("u{number} {run}")).collect();
    assert_eq!(absences(&mut site).await, approved);
    site.at(NOW + 3 * DAY);
    let report = site.full_set("database", &first(4)).await;
    assert_eq!((report.state, report.rules[0].removed, report.breaches.len()), (State::Done, 5, 0));
    assert!(report.notes.contains(&Note::ApprovedBefore(5)), "{:?}", report.notes);
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u3 c1 database", "u4 c1 database"]);
    assert!(absences(&mut site).await.is_empty());
}

async fn a_departure_that_was_not_approved_counts(mut site: Site) {
    site.nine_with_grace().await;
    let run = site.approved(&first(6)).await;
    // Two and then one are within the limits.
    site.at(NOW + DAY);
    assert_eq!(site.full_set("database", &first(4)).await.state, State::Done);
    site.at(NOW + 2 * DAY);
    assert_eq!(site.full_set("database", &first(3)).await.state, State::Done);
    let (old, new) = (format!("u7 {run}"), "u4 0".to_owned());
    assert!(absences(&mut site).await.contains(&old) && absences(&mut site).await.contains(&new));
    site.at(NOW + 5 * DAY);
    let held = site.full_set("database", &first(3)).await;
    assert_eq!((held.state, removals(&held)), (State::Held, Some((3, 9))), "{:?}", held.breaches);
    site.engine().reject(held.run).await.unwrap();
    // At the limit it is not held.
    site.set("guard.run.removals_max", "3");
    let report = site.full_set("database", &first(3)).await;
    assert_eq!((report.state, report.rules[0].removed), (State::Done, 6));
    assert!(report.notes.contains(&Note::ApprovedBefore(3)), "{:?}", report.notes);
    assert_eq!((site.enrolments().await.len(), absences(&mut site).await.len()), (3, 0));
}

async fn a_rejected_run_covers_nothing(mut site: Site) {
    site.nine_with_grace().await;
    let held = site.full_set("database", &first(6)).await;
    site.engine().reject(held.run).await.unwrap();
    assert!(absences(&mut site).await.is_empty());
    site.warned(&first(6)).await;
    assert_eq!(absences(&mut site).await, ["u7 0", "u8 0", "u9 0"]);
    site.at(NOW + 3 * DAY);
    let held = site.full_set("database", &first(6)).await;
    assert_eq!((held.state, removals(&held)), (State::Held, Some((3, 9))));
}

async fn who_leaves_again_needs_another_approval(mut site: Site) {
    site.nine_with_grace().await;
    let run = site.approved(&first(6)).await;
    site.at(NOW + DAY);
    // Only the ninth is still absent.
    site.full_set("database", &first(8)).await;
    assert_eq!(absences(&mut site).await, [format!("u9 {run}")]);
    site.at(NOW + 2 * DAY);
    let held = site.full_set("database", &first(5)).await;
    assert_eq!(held.state, State::Held, "three leave again");
    site.warned(&first(5)).await;
    assert_eq!(
        absences(&mut site).await,
        ["u6 0".to_owned(), "u7 0".to_owned(), "u8 0".to_owned(), format!("u9 {run}")]
    );
    site.at(NOW + 5 * DAY);
    let held = site.full_set("database", &first(5)).await;
    assert_eq!((held.state, removals(&held)), (State::Held, Some((3, 9))));
}

async fn a_set_without_grace_ends_what_was_approved(mut site: Site) {
    site.nine_with_grace().await;
    site.approved(&first(6)).await;
    // Nobody notes who is back while the source only suspends.
    site.set("sources.database.unenrolaction", "suspend");
    site.full_set("database", &first(9)).await;
    site.set("sources.database.unenrolaction", "unenrol");
    site.warned(&first(6)).await;
    assert_eq!(absences(&mut site).await, ["u7 0", "u8 0", "u9 0"]);
    site.at(NOW + 3 * DAY);
    assert_eq!(site.full_set("database", &first(6)).await.state, State::Held);
}

async fn what_follows_an_approved_departure_is_covered(mut site: Site) {
    site.nine_with_grace().await;
    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    site.link(3, 1).await;
    site.link(4, 1).await;
    let (all, six) = (format!("{}u9,c2\n", first(9)), first(6));
    site.warned(&all).await;
    site.approved(&format!("{six}u9,c2\n")).await;
    // The ninth then leaves a course that is linked to none; nobody has approved that.
    site.at(NOW + DAY);
    assert_eq!(site.full_set("database", &six).await.state, State::Done);
    // What follows for a user counts if one of the departures does.
    site.at(NOW + 4 * DAY);
    let order = set_of("database", &site.write(&six).path);
    let report = site.engine().apply_set(&order, true).await.unwrap();
    assert_eq!(
        (report.would_hold, removals(&report).map(|(count, _)| count)),
        (true, Some(3)),
        "{:?}",
        report.breaches
    );
    site.at(NOW + 3 * DAY);
    let report = site.full_set("database", &six).await;
    assert_eq!((report.state, report.rules[0].removed, report.rules[1].removed), (State::Done, 3, 6));
    let ninth: Vec<String> = site.enrolments().await.into_iter().filter(|line| line.starts_with("u9 ")).collect();
    assert_eq!(ninth, ["u9 c2 database suspended"]);
}
