//! The welcome of manual instances of Moodle 4.5: once for each new active enrolment by a users file. It must not test
//! how the enrolment is made.

use enrold::config::{FileKind, Operation, Profile};

use crate::campus::{instance, user};
use crate::mails_queue::{queued, with_mails};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a_new_active_enrolment_is_welcomed_once);

async fn a_new_active_enrolment_is_welcomed_once(mut site: Site) {
    with_mails(&mut site).await;
    let profile = Profile { operation: Operation::Update, ..Profile::of(FileKind::Users) };
    let file = "username,course1,enrolstatus1\nu1,c1,\nu2,c1,\nu3,c1,0\nu4,c1,1\nu1,c1,\nu5,c1,0\n";
    site.enrolled(2, 1, "manual").await;
    site.enrolled(3, 1, "manual").await;
    site.sql(&format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {}", user(3))).await;
    let id = instance("manual", 1);
    site.sql(&format!("UPDATE {{enrol}} SET customint1 = 0 WHERE id = {id}")).await;
    site.users(&profile, "username,course1\nu6,c1\n").await;
    assert!(queued(&mut site).await.is_empty(), "the instance welcomes nobody");
    site.sql(&format!("UPDATE {{enrol}} SET customint1 = 1 WHERE id = {id}")).await;
    // A file is simulated, imported, and imported again.
    site.users(&profile, file).await;
    let told = [1, 5].map(|who| format!("welcome queued {} u{who}@example.com", user(who)));
    assert_eq!(queued(&mut site).await, told, "not who was there, was suspended there, or is suspended from the start");
    site.users(&profile, file).await;
    assert_eq!(queued(&mut site).await.len(), 2);
}
