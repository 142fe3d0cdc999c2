//! Full sets of cohort memberships: added, removed and unaffected members, and consequences in the same run.
//! It must not fetch anything; the rows are in the test.

use enrold::db::Dialect;
use enrold::outcome::State;

use crate::doctor_rights::{Account, assert_applied, give};
use crate::golden_case::set_of;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    rows_are_memberships,
    who_is_no_longer_named_goes_and_is_unenrolled,
    members_by_hand_stay,
    what_another_source_names_stays,
    a_cohort_that_is_not_named_is_left_alone,
    unknown_cohorts_are_told_or_made,
    making_cohorts_needs_no_more_rights,
    cohorts_of_a_component_are_refused_but_for_ones_own,
    keys_of_nobody_protect,
    a_cohort_that_loses_too_many_is_held,
);

impl Site {
    pub async fn promotions(&mut self, source: &str) {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        self.plugin_setting("enrol_cohort", "unenrolaction", Some("0")).await;
        self.promotions_of(source);
    }

    fn promotions_of(&mut self, source: &str) {
        for (key, value) in [("files", "p*.csv"), ("target", "cohorts"), ("user_key", "idnumber")] {
            self.set(&format!("sources.{source}.{key}"), value);
        }
    }

    /// Memberships as `u1 h1`.
    pub async fn members(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, c.name FROM {cohort_members} m JOIN {cohort} c ON c.id = m.cohortid JOIN {user} u ON u.id = m.userid";
        self.lines(sql, |row| format!("{} {}", row.text(0), row.text(1))).await
    }
}

async fn rows_are_memberships(mut site: Site) {
    site.promotions("promo").await;
    site.cohort(1, &[1]).await;
    site.cohort(2, &[]).await;
    site.cohort_link(1, 1, "student").await;
    let report = site.full_set("promo", "user,cohort\nu1,h1\nu2,h1\nu3,h2\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u3 h2"]);
    assert_eq!(report.counts["cohort-member.add"], 2);
    assert_eq!(site.enrolments().await, ["u2 c1 cohort"], "whom the run has changed follows in the same run");
    assert_eq!(site.roles().await, ["u2 c1 student cohort"]);
    let events = site.events().await;
    assert!(events.contains(&"u3 cohort_member added".to_owned()), "{events:?}");
}

async fn who_is_no_longer_named_goes_and_is_unenrolled(mut site: Site) {
    site.promotions("promo").await;
    site.cohort(1, &[]).await;
    site.cohort_link(1, 1, "student").await;
    site.full_set("promo", "user,cohort\nu1,h1\nu2,h1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u2 c1 cohort"]);
    site.full_set("promo", "user,cohort\nu1,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1"]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort"]);
}

async fn members_by_hand_stay(mut site: Site) {
    site.promotions("promo").await;
    site.cohort(1, &[4, 5]).await;
    site.full_set("promo", "user,cohort\nu1,h1\nu5,h1\n").await;
    // A membership that the set named belongs to the source, whoever created it.
    site.full_set("promo", "user,cohort\nu1,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u4 h1"]);
}

async fn what_another_source_names_stays(mut site: Site) {
    site.promotions("promo").await;
    site.promotions_of("sports");
    site.cohort(1, &[]).await;
    site.full_set("promo", "user,cohort\nu1,h1\nu2,h1\n").await;
    site.full_set("sports", "user,cohort\nu2,h1\nu3,h1\n").await;
    site.full_set("promo", "user,cohort\nu1,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u3 h1"]);
    site.full_set("sports", "user,cohort\nu3,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u3 h1"]);
}

async fn a_cohort_that_is_not_named_is_left_alone(mut site: Site) {
    site.promotions("promo").await;
    site.cohort(1, &[]).await;
    site.cohort(2, &[]).await;
    site.full_set("promo", "user,cohort\nu1,h1\nu2,h2\n").await;
    site.full_set("promo", "user,cohort\nu1,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h2"]);
}

async fn unknown_cohorts_are_told_or_made(mut site: Site) {
    site.promotions("promo").await;
    let rows = "user,cohort,name\nu1,L1,Licence 1\nu2,L1,Licence 1\n";
    let report = site.full_set("promo", rows).await;
    assert_eq!((report.errors, report.problems[0].code.as_str()), (2, "cohort-unknown"));
    assert_eq!(site.count("cohort").await, 0);
    site.set("sources.promo.create_cohorts", "true");
    let report = site.full_set("promo", rows).await;
    assert_eq!(site.members().await, ["u1 Licence 1", "u2 Licence 1"]);
    assert_eq!((report.counts["cohort.add"], site.count("cohort").await), (1, 1));
}

async fn making_cohorts_needs_no_more_rights(mut site: Site) {
    site.promotions("promo").await;
    if site.conn.dialect() == Dialect::Lite {
        return;
    }
    site.set("sources.promo.create_cohorts", "true");
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let snapshot = site.write("user,cohort,name\nu1,L1,Licence 1\n").path;
    let report = account.engine.apply_set(&set_of("promo", &snapshot), false).await.unwrap();
    assert_applied(&report, State::Done);
    assert_eq!(site.members().await, ["u1 Licence 1"]);
    account.remove(&mut site).await;
}

async fn cohorts_of_a_component_are_refused_but_for_ones_own(mut site: Site) {
    site.promotions("promo").await;
    site.cohort(1, &[4]).await;
    site.sql("UPDATE {cohort} SET component = 'local_other'").await;
    let report = site.full_set("promo", "user,cohort\nu1,h1\n").await;
    assert_eq!((report.problems[0].code.as_str(), report.problems[0].hint.as_str()), ("cohort-owned", "local_other"));
    assert_eq!(site.members().await, ["u4 h1"]);
    site.set("sources.promo.create_cohorts", "true");
    site.set("sources.promo.cohort_component", "local_promo");
    site.full_set("promo", "user,cohort\nu1,L1\n").await;
    let made =
        site.lines("SELECT name, component FROM {cohort}", |row| format!("{} {}", row.text(0), row.text(1))).await;
    assert_eq!(made, ["L1 local_promo", "h1 local_other"]);
    site.full_set("promo", "user,cohort\nu1,L1\nu2,L1\n").await;
    assert_eq!(site.members().await, ["u1 L1", "u2 L1", "u4 h1"]);
}

async fn keys_of_nobody_protect(mut site: Site) {
    site.promotions("promo").await;
    site.cohort(1, &[]).await;
    site.full_set("promo", "user,cohort\nu1,h1\nu2,h1\n").await;
    site.full_set("promo", "user,cohort\nu1,h1\nU2,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h1"]);
}

async fn a_cohort_that_loses_too_many_is_held(mut site: Site) {
    site.promotions("promo").await;
    site.cohort(1, &[]).await;
    site.full_set("promo", &(1..=9).fold("user,cohort\n".to_owned(), |text, who| format!("{text}u{who},h1\n"))).await;
    site.set("guard.mode", "hold");
    site.set("guard.course.min_members", "5");
    site.set("sources.promo.guard.rows_fewer_percent", "0");
    let report = site.full_set("promo", "user,cohort\nu1,h1\n").await;
    assert_eq!(report.state, State::Held);
    assert!(report.breaches.iter().any(|breach| (breach.scope.as_str(), breach.count, breach.of) == ("cohort", 8, 9)));
    assert_eq!(site.members().await.len(), 9);
}
