//! The ledger of completions between runs: old, new, again, late, closed, waiting, removed.
//! It must not test what an enrolment brings with it.

use enrold::outcome::{Note, State};
use enrold::run::SyncOrder;

use crate::completions::{DAY, chain};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    who_had_completed_before_is_left_alone,
    backfill_takes_in_who_was_left_out,
    backfill_looks_at_one_course_and_at_the_window,
    who_was_removed_stays_removed,
    a_date_in_the_past_is_news_all_the_same,
    completed_again_after_a_reset,
    what_moodle_did_first_stands,
    the_window_is_that_of_first_sight,
    a_late_run_loses_nobody,
    a_later_start_is_judged_by_the_window_of_its_day,
    delays_by_site_and_by_pair,
    a_young_instance_knows_its_own_completions,
    another_source_is_seen_anew,
    a_held_run_takes_the_ledger_back,
);

async fn who_had_completed_before_is_left_alone(mut site: Site) {
    site.chained(&[]).await;
    site.completes(1, 1, NOW - DAY).await;
    site.leads(2, 1).await;
    site.lead_on().await;
    assert_eq!(site.ledger().await, ["u1 c2<c1 old"]);
    site.completes(2, 1, NOW - 10 * DAY).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u2 c2<c1"]);
}

async fn backfill_takes_in_who_was_left_out(mut site: Site) {
    site.chained(&[]).await;
    for who in 1..=5 {
        site.completes(who, 1, NOW - 50).await;
    }
    site.leads(2, 1).await;
    // u2 is active in the target by hand, u3 suspended, u4 enrolled by the method; the account of u5 is deleted.
    site.enrolled(2, 2, "manual").await;
    site.enrolled(3, 2, "manual").await;
    site.sql("UPDATE {user_enrolments} SET status = 1 WHERE userid = 13").await;
    site.enrolled_by(4, chain(2, 1), 0, (0, 0)).await;
    site.lead_on().await;
    assert_eq!(
        site.ledger().await,
        ["u1 c2<c1 old", "u2 c2<c1 old", "u3 c2<c1 old", "u4 c2<c1 enrolled", "u5 c2<c1 old"]
    );
    site.deleted(5).await;
    let report = site.backfill(None).await;
    assert_eq!(report.source, "--backfill");
    assert_eq!(site.led().await, ["u1 c2<c1", "u3 c2<c1", "u4 c2<c1 0..0"]);
    assert_eq!(
        site.ledger().await[..4],
        ["u1 c2<c1 enrolled", "u2 c2<c1 old", "u3 c2<c1 enrolled", "u4 c2<c1 enrolled"]
    );
}

async fn backfill_looks_at_one_course_and_at_the_window(mut site: Site) {
    site.chained(&[]).await;
    site.completes(1, 1, NOW - 50).await;
    site.leads(2, 1).await;
    site.leads(3, 1).await;
    site.lead_on().await;
    site.sets(chain(2, 1), "enrolenddate", Some(NOW - 10)).await;
    site.backfill(Some(2)).await;
    assert_eq!(site.led().await, [""; 0], "the window is closed now, whenever the completion was");
    assert_eq!(site.ledger().await, ["u1 c2<c1 old", "u1 c3<c1 old"]);
    site.sets(chain(2, 1), "enrolenddate", Some(0)).await;
    site.lead_on().await;
    assert_eq!(site.led().await, [""; 0], "and it is not caught up by itself");
    site.backfill(Some(2)).await;
    assert_eq!(site.led().await, ["u1 c2<c1"]);
    assert_eq!(site.ledger().await, ["u1 c2<c1 enrolled", "u1 c3<c1 old"]);
}

async fn who_was_removed_stays_removed(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.completes(1, 1, NOW).await;
    site.lead_on().await;
    site.unenrolled(1, chain(2, 1)).await;
    site.sql("DELETE FROM {role_assignments}").await;
    site.lead_on().await;
    site.backfill(None).await;
    assert_eq!(site.led().await, [""; 0]);
    assert_eq!(site.ledger().await, ["u1 c2<c1 enrolled"]);
}

async fn a_date_in_the_past_is_news_all_the_same(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sql("INSERT INTO {course_completions} (userid, course, timeenrolled, timestarted, reaggregate) VALUES (11, 21, 0, 0, 1)")
        .await;
    site.lead_on().await;
    assert_eq!(site.ledger().await, [""; 0]);
    site.sql("UPDATE {course_completions} SET timecompleted = 100").await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1"]);
}

async fn completed_again_after_a_reset(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sets(chain(2, 1), "enrolperiod", Some(DAY)).await;
    for who in 1..=3 {
        site.completes(who, 1, NOW).await;
    }
    site.lead_on().await;
    site.unenrolled(2, chain(2, 1)).await;
    site.sql("DELETE FROM {role_assignments} WHERE userid = 12").await;
    for who in 1..=3 {
        site.loses_completion(who, 1).await;
    }
    site.at(NOW + 100);
    site.lead_on().await;
    assert_eq!(site.led().await.len(), 2, "a lost completion takes nothing back");
    // The criteria of u3 give the same date again: this is no new completion.
    site.completes(1, 1, NOW + 200).await;
    site.completes(2, 1, NOW + 200).await;
    site.completes(3, 1, NOW).await;
    site.at(NOW + 300);
    site.lead_on().await;
    assert_eq!(
        site.led().await,
        ["u1 c2<c1 now+300..now+86700", "u2 c2<c1 now+300..now+86700", "u3 c2<c1 now+0..now+86400"]
    );
    assert_eq!(site.roles().await.len(), 3);
}

async fn what_moodle_did_first_stands(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.completes(1, 1, NOW - 100).await;
    site.enrolled_by(1, chain(2, 1), 0, (NOW - 60, 0)).await;
    site.sql(&format!("UPDATE {{user_enrolments}} SET timemodified = {}", NOW - 60)).await;
    let report = site.lead_on().await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
    assert_eq!(site.ledger().await, ["u1 c2<c1 enrolled"]);
    site.unenrolled(1, chain(2, 1)).await;
    site.lead_on().await;
    assert_eq!(site.led().await, [""; 0]);
}

async fn the_window_is_that_of_first_sight(mut site: Site) {
    site.chained(&[(2, 1), (3, 1)]).await;
    site.sets(chain(2, 1), "enrolstartdate", Some(NOW + 100)).await;
    site.sets(chain(3, 1), "enrolstartdate", Some(NOW - 100)).await;
    // The completion is before both starts; enrold finds it within the window of c3.
    site.completes(1, 1, NOW - 200).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c3<c1"]);
    assert_eq!(site.ledger().await, ["u1 c2<c1 closed", "u1 c3<c1 enrolled"]);
    site.at(NOW + 200);
    site.lead_on().await;
    assert_eq!(site.led().await.len(), 1, "what lay outside is not caught up");
}

async fn a_late_run_loses_nobody(mut site: Site) {
    site.chained(&[(2, 1), (3, 1)]).await;
    site.sets(chain(2, 1), "enrolenddate", Some(NOW - 100)).await;
    site.sets(chain(3, 1), "enrolenddate", Some(NOW - 300)).await;
    site.completes(1, 1, NOW - 200).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1"]);
    assert_eq!(site.ledger().await, ["u1 c2<c1 enrolled", "u1 c3<c1 closed"]);
}

async fn a_later_start_is_judged_by_the_window_of_its_day(mut site: Site) {
    site.chained(&[(2, 1), (3, 1), (4, 1)]).await;
    for number in 2..=4 {
        site.sets(chain(number, 1), "customint4", Some(NOW + 500)).await;
    }
    site.sets(chain(2, 1), "enrolstartdate", Some(NOW + 100)).await;
    site.sets(chain(3, 1), "enrolenddate", Some(NOW + 400)).await;
    site.sets(chain(4, 1), "enrolenddate", Some(NOW + 600)).await;
    site.completes(1, 1, NOW - 10).await;
    site.lead_on().await;
    assert_eq!(site.ledger().await, ["u1 c2<c1 waiting", "u1 c3<c1 waiting", "u1 c4<c1 waiting"]);
    site.at(NOW + 1000);
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1 now+500..0", "u1 c4<c1 now+500..0"]);
    assert_eq!(site.ledger().await[1], "u1 c3<c1 closed");
}

async fn delays_by_site_and_by_pair(mut site: Site) {
    site.set("coursecompleted.delay", "2d");
    site.set("coursecompleted.delays", "c1 -> c3 = 1h\nc1 -> c4 = 0\nc9 -> c4 = 1d");
    site.chained(&[(2, 1), (3, 1), (4, 1), (5, 1)]).await;
    site.sets(chain(5, 1), "customint4", Some(NOW - 7)).await;
    site.sets(chain(3, 1), "enrolperiod", Some(DAY)).await;
    site.completes(1, 1, NOW - 600).await;
    let report = site.lead_on().await;
    assert_eq!(report.notes, [Note::DelayOfNoCourse("c9".to_owned())]);
    assert_eq!(site.led().await, ["u1 c4<c1", "u1 c5<c1 now-7..0"]);
    site.at(NOW + 3600);
    site.lead_on().await;
    assert_eq!(site.led().await[0], "u1 c3<c1 now+3000..now+89400", "completion and delay, whenever the run comes");
    site.at(NOW + 2 * DAY - 601);
    site.lead_on().await;
    assert_eq!(site.led().await.len(), 3);
    site.at(NOW + 2 * DAY);
    site.lead_on().await;
    assert_eq!(site.led().await[0], "u1 c2<c1 now+172200..0");
}

async fn a_young_instance_knows_its_own_completions(mut site: Site) {
    site.chained(&[]).await;
    site.completes(1, 1, NOW - 300).await;
    site.leads(2, 1).await;
    site.sets(chain(2, 1), "timecreated", Some(NOW - 200)).await;
    site.completes(2, 1, NOW - 100).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u2 c2<c1"]);
    assert_eq!(site.ledger().await, ["u1 c2<c1 old", "u2 c2<c1 enrolled"]);
}

async fn another_source_is_seen_anew(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.completes(1, 1, NOW).await;
    site.completes(2, 3, NOW).await;
    site.lead_on().await;
    site.sets(chain(2, 1), "customint1", Some(23)).await;
    site.lead_on().await;
    site.completes(3, 1, NOW).await;
    site.lead_on().await;
    site.sets(chain(2, 1), "customint1", Some(21)).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1"]);
    assert_eq!(site.ledger().await, ["u1 c2<c1 enrolled", "u2 c2<c3 old", "u3 c2<c1 old"]);
    site.completes(4, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1", "u4 c2<c1"]);
}

async fn a_held_run_takes_the_ledger_back(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "1");
    for who in 1..=3 {
        site.completes(who, 1, NOW).await;
    }
    let order = SyncOrder::of("coursecompleted");
    let held = site.engine().sync(&order, false).await.unwrap();
    assert_eq!(held.state, State::Held);
    assert_eq!((site.led().await.len(), site.ledger().await.len()), (0, 0));
    let report = site.engine().approve(held.run).await.unwrap();
    assert_eq!(report.state, State::Done);
    assert_eq!(site.led().await, ["u1 c2<c1", "u2 c2<c1", "u3 c2<c1"]);
}
