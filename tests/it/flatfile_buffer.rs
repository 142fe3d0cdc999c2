//! Lines with a start in the future (spec flatfile 5 and 11.3): stored in Moodle's own buffer, replayed when due.
//! It must not test the effects of replayed lines beyond the fact that they have them.

use crate::campus::{course, role, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_due_row_is_replayed,
    due_means_before_the_clock,
    the_same_file_is_kept_once,
    a_line_of_today_erases_what_was_planned,
    a_future_del_waits_too,
    rows_that_lead_nowhere_go,
    a_deleted_user_stops_nobody,
);

/// A row whose start is moved to the past is replayed by the next sync, with its window (flatfile 11.3).
async fn a_due_row_is_replayed(mut site: Site) {
    site.campus().await;
    site.import(&format!("add,student,u1,c1,{},{}\nadd,student,u2,c1,{}\n", NOW + 100, NOW + 900, NOW + 200)).await;
    site.sync().await;
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.dump().await["enrol"].len(), 3, "no instance before it is needed");
    site.at(NOW + 150);
    site.sync().await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile now+100..now+900"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile"]);
    assert_eq!(site.buffer().await, ["add u2 c1 student now+200..0"]);
}

/// A line that starts now is applied now; a row that starts now waits for the next second (flatfile 9).
async fn due_means_before_the_clock(mut site: Site) {
    site.campus().await;
    site.import(&format!("add,student,u1,c1,{NOW}\nadd,student,u2,c1,{}\n", NOW + 1)).await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile now+0..0"]);
    site.at(NOW + 1);
    site.sync().await;
    assert_eq!(site.buffer().await, ["add u2 c1 student now+1..0"]);
    site.at(NOW + 2);
    site.sync().await;
    assert_eq!(site.buffer().await, [""; 0]);
}

/// Moodle stores a future line again with each delivery of the file; enrold stores it once.
async fn the_same_file_is_kept_once(mut site: Site) {
    site.campus().await;
    let line = format!("add,student,u1,c1,{}\n", NOW + 100);
    site.import(&format!("{line}{line}")).await;
    site.import(&line).await;
    assert_eq!(site.buffer().await, ["add u1 c1 student now+100..0"]);
}

/// An immediate `add` or `del` erases the buffered rows of its user, course and role, and only these (flatfile 4, 6.1).
async fn a_line_of_today_erases_what_was_planned(mut site: Site) {
    site.campus().await;
    let at = NOW + 100;
    site.import(&format!(
        "add,student,u1,c1,{at}\nadd,teacher,u1,c1,{at}\ndel,student,u1,c1,{at}\nadd,student,u1,c2,{at}\nadd,student,u2,c1,{at}\n"
    ))
    .await;
    assert_eq!(site.buffer().await.len(), 5);
    site.import("add,student,u1,c1\n").await;
    assert_eq!(
        site.buffer().await,
        ["add u1 c1 teacher now+100..0", "add u1 c2 student now+100..0", "add u2 c1 student now+100..0"]
    );
    site.setting("unenrolaction", Some("1")).await;
    site.import("del,student,u2,c1\n").await;
    assert_eq!(site.buffer().await, ["add u1 c1 teacher now+100..0", "add u1 c2 student now+100..0"]);
}

async fn a_future_del_waits_too(mut site: Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    site.import("add,student,u1,c1\n").await;
    site.import(&format!("del,student,u1,c1,{}\n", NOW + 100)).await;
    assert_eq!(site.buffer().await, ["del u1 c1 student now+100..0"]);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
    site.at(NOW + 101);
    site.sync().await;
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.count("enrol_flatfile").await, 0);
}

/// A row whose user or course no longer exists is removed (flatfile 5).
async fn rows_that_lead_nowhere_go(mut site: Site) {
    site.campus().await;
    for (who, whither) in [(999, course(1)), (user(1), 999), (user(2), course(1))] {
        site.planned(who, whither, NOW - 10).await;
    }
    site.sync().await;
    assert_eq!(site.count("enrol_flatfile").await, 0);
    assert_eq!(site.enrolments().await, ["u2 c1 flatfile now-10..0"]);
}

/// In Moodle a deleted user in the buffer makes the task fail and the other rows wait; here only that row is removed.
async fn a_deleted_user_stops_nobody(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET deleted = 1 WHERE username = 'u1'").await;
    for number in [1, 2, 3] {
        site.planned(user(number), course(1), NOW - 10).await;
    }
    site.sync().await;
    assert_eq!(site.count("enrol_flatfile").await, 0);
    assert_eq!(site.enrolments().await, ["u2 c1 flatfile now-10..0", "u3 c1 flatfile now-10..0"]);
}

impl Site {
    /// A row of the buffer: `add`, student.
    async fn planned(&mut self, userid: i64, courseid: i64, timestart: i64) {
        let row = [
            ("action", "add".into()),
            ("roleid", role("student").into()),
            ("userid", userid.into()),
            ("courseid", courseid.into()),
            ("timestart", timestart.into()),
        ];
        self.insert("enrol_flatfile", &row).await;
    }
}
