//! Notifications of enrolments that end soon (spec enrol-core 15 and 17, autoenrol 7): recipients, time, text, once
//! each. It must not test the delivery to the mail server.

use enrold::db::Params;
use enrold::mail;
use enrold::moodle::site::Site as Settings;
use enrold::run::SyncOrder;

use crate::campus::{instance, role, user};
use crate::expirations::action;
use crate::mails_queue::{at_work, queued, with_mails};
use crate::mails_send::round;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, send_through};

on_each_database!(
    who_is_told_and_in_which_order,
    once_a_day_after_the_hour,
    never_beside_moodle,
    the_texts_in_both_languages,
    a_custom_text_and_its_placeholders,
    a_run_of_expirations_queues_them,
);

const DAY: i64 = 86_400;

/// The campus with `u9` as enroller of c1, whose manual instance notifies five days ahead.
async fn five_days_ahead(site: &mut Site, notifyall: i64) {
    with_mails(site).await;
    site.enrolled(9, 1, "manual").await;
    site.has_role(9, 1, "editingteacher", "manual").await;
    site.has_role(8, 1, "manager", "manual").await;
    for shortname in ["editingteacher", "manager"] {
        let may = [
            ("contextid", 1.into()),
            ("roleid", role(shortname).into()),
            ("capability", "enrol/manual:manage".into()),
            ("permission", 1.into()),
        ];
        site.insert("role_capabilities", &may).await;
    }
    let sql = format!(
        "UPDATE {{enrol}} SET expirynotify = 1, notifyall = {notifyall}, expirythreshold = {} WHERE id = {}",
        5 * DAY,
        instance("manual", 1)
    );
    site.sql(&sql).await;
}

async fn notified(site: &mut Site, now: i64) -> i64 {
    let engine = site.engine();
    let settings = Settings::read(&mut site.conn).await.unwrap();
    let mut work = at_work(&mut site.conn, &settings, engine.settings.guard.clone()).await;
    work.now = now;
    let queued = mail::notify(&mut work, &engine.settings, None).await.unwrap();
    work.conn.commit().await.unwrap();
    queued
}

async fn who_is_told_and_in_which_order(mut site: Site) {
    five_days_ahead(&mut site, 1).await;
    for (who, end) in [
        (1, NOW + 5 * DAY - 60), // the first day of the threshold
        (2, NOW + 4 * DAY),      // exactly the end of the first day
        (3, NOW + 4 * DAY - 1),  // notified before
        (4, NOW + 5 * DAY),      // above the threshold
        (5, NOW - 1),            // already over
        (6, 0),                  // never
        (7, NOW + 5 * DAY - 60), // suspended
    ] {
        site.enrolled_until(who, 1, "manual", end).await;
    }
    site.sql(&format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {}", user(7))).await;
    // The same enrolment in an instance without notifications.
    site.enrolled_until(1, 2, "manual", NOW + DAY).await;
    assert_eq!(notified(&mut site, NOW).await, 3);
    let line = |kind: &str, state: &str, who: i64| format!("{kind} {state} {} u{who}@example.com", user(who));
    assert_eq!(
        queued(&mut site).await,
        [
            line("expiry-user", "queued", 1),
            line("expiry-user", "queued", 2),
            line("expiry-entry", "listed", 1),
            line("expiry-entry", "listed", 2),
            line("expiry-entry", "listed", 3),
            line("expiry-teacher", "queued", 9),
        ]
    );
}

async fn once_a_day_after_the_hour(mut site: Site) {
    five_days_ahead(&mut site, 0).await;
    site.enrolled_until(1, 1, "manual", NOW + 3 * DAY).await;
    let midnight = NOW - 10 * 3_600;
    assert_eq!(notified(&mut site, midnight + 6 * 3_600 - 1).await, 0, "before six");
    assert_eq!(notified(&mut site, midnight + 6 * 3_600).await, 1, "the digest alone: notifyall is off");
    assert_eq!(notified(&mut site, NOW).await, 0, "once a day");
    assert_eq!(notified(&mut site, midnight + 23 * 3_600).await, 0);
    assert_eq!(notified(&mut site, NOW + DAY).await, 1, "the next day again");
    site.set("smtp.enabled", "false");
    assert_eq!(notified(&mut site, NOW + 2 * DAY).await, 0, "mails are off");
    site.set("smtp.enabled", "true");
    assert_eq!(notified(&mut site, NOW + 2 * DAY).await, 1, "and the day is not lost for that");
}

async fn never_beside_moodle(mut site: Site) {
    five_days_ahead(&mut site, 0).await;
    site.enrolled_until(1, 1, "manual", NOW + 3 * DAY).await;
    let last = |value: i64| {
        [("plugin", "enrol_manual".into()), ("name", "expirynotifylast".into()), ("value", value.to_string().into())]
    };
    site.insert("config_plugins", &last(NOW - 3_600)).await;
    assert_eq!(notified(&mut site, NOW).await, 0, "Moodle has told them today");
    let task = [
        ("classname", r"\enrol_manual\task\send_expiry_notifications".into()),
        ("component", "enrol_manual".into()),
        ("disabled", 0.into()),
    ];
    site.insert("task_scheduled", &task).await;
    assert_eq!(notified(&mut site, NOW + DAY).await, 0, "Moodle's own task will");
    site.sql("UPDATE {task_scheduled} SET disabled = 1").await;
    assert_eq!(notified(&mut site, NOW + DAY).await, 1);
}

async fn the_texts_in_both_languages(mut site: Site) {
    five_days_ahead(&mut site, 1).await;
    let server = Server::start(Manners::default()).await;
    send_through(&mut site, &server);
    site.set("site.timezone", "Europe/Paris");
    site.enrolled_until(1, 1, "manual", NOW + 5 * DAY - 60).await;
    site.enrolled_until(2, 1, "manual", NOW + 5 * DAY - 60).await;
    site.sql(&format!("UPDATE {{user}} SET lang = 'fr_ca' WHERE id IN ({}, {})", user(1), user(9))).await;
    site.sql(&format!("UPDATE {{user}} SET lang = 'en' WHERE id = {}", user(2))).await;
    notified(&mut site, NOW).await;
    assert_eq!(round(&mut site, NOW).await.unwrap().sent, 3);
    let taken = server.taken();
    let french = taken[0].body();
    assert!(french.contains("Bonjour Prénom1 Nom,"), "{french}");
    assert!(french.contains("prend fin le 26 novembre 2026 à 10:59"), "{french}");
    assert!(french.contains("adressez-vous à Prénom9 Nom"), "{french}");
    assert_eq!(taken[0].header("Reply-To").unwrap().split('<').nth(1), Some("u9@example.com>"));
    let english = taken[1].body();
    assert!(english.contains("ends on 26 November 2026, 10:59"), "{english}");
    assert_eq!(taken[1].header("Subject").as_deref(), Some("Your enrolment ends soon: c1"));
    let digest = &taken[2];
    assert_eq!(digest.to, "u9@example.com");
    assert_eq!(digest.header("Reply-To"), None);
    let text = digest.body();
    assert!(text.contains("d'ici 5 jours"), "{text}");
    assert!(text.contains("* Prénom1 Nom <u1@example.com>, 26 novembre 2026 à 10:59"), "{text}");
    assert!(text.contains("* Prénom2 Nom <u2@example.com>"), "{text}");
    assert!(text.contains("https://moodle.example.com/user/index.php?id=21"), "{text}");
}

async fn a_custom_text_and_its_placeholders(mut site: Site) {
    with_mails(&mut site).await;
    let server = Server::start(Manners::default()).await;
    send_through(&mut site, &server);
    site.instance("autoenrol", 1, 0, "student").await;
    let text = "<p>Salut <b>{$a->fullname}</b>,</p><p><a href=\"{$a->link}\">{$a-&gt;coursename}</a> {$a->nothing}</p>";
    let id = instance("autoenrol", 1);
    site.sql(&format!("UPDATE {{enrol}} SET customint7 = 3, customtext1 = '{text}' WHERE id = {id}")).await;
    site.sql("UPDATE {course} SET fullname = 'R & D' WHERE shortname = 'c1'").await;
    crate::mails_queue::welcomed(&mut site, "autoenrol", 1, &[1]).await;
    // The text was fixed when the mail was queued.
    site.sql("DELETE FROM {enrol} WHERE enrol = 'autoenrol'").await;
    assert_eq!(round(&mut site, NOW).await.unwrap().sent, 1);
    let mail = &server.taken()[0];
    assert_eq!(mail.header("Subject").as_deref(), Some("Welcome to R & D"));
    assert_eq!(mail.header("Reply-To"), None);
    let body = mail.body();
    let plain = "Salut Prénom1 Nom,\r\n\r\nR & D (https://moodle.example.com/course/view.php?id=21) {$a->nothing}";
    assert!(body.contains(plain), "{body}");
    let html = "<p><a href=\"https://moodle.example.com/course/view.php?id=21\">R &amp; D</a> {$a->nothing}</p>";
    assert!(body.contains(html), "{body}");
}

/// An expired enrolment is not notified as ending soon; a simulation and a run on one course queue nothing.
async fn a_run_of_expirations_queues_them(mut site: Site) {
    five_days_ahead(&mut site, 1).await;
    action(&mut site, "manual", "2").await;
    site.enrolled_until(1, 1, "manual", NOW - 1).await;
    site.enrolled_until(2, 1, "manual", NOW + 5 * DAY - 60).await;
    let all = SyncOrder::of("expirations");
    let of_one = SyncOrder { course: Some("c1".to_owned()), ..all.clone() };
    site.engine().sync(&all, true).await.unwrap();
    site.engine().sync(&of_one, false).await.unwrap();
    assert_eq!(site.count("enrold_outbox").await, 0);
    for _ in 0..2 {
        site.engine().sync(&all, false).await.unwrap();
        let kinds = "SELECT COUNT(*) FROM {enrold_outbox} o WHERE o.kind = 'expiry-user' AND o.userid = :user";
        let of = |who: i64| Params::new().with("user", user(who));
        assert_eq!(site.conn.number(kinds, &of(1)).await.unwrap(), 0);
        assert_eq!(site.conn.number(kinds, &of(2)).await.unwrap(), 1);
        assert_eq!(site.count("enrold_outbox").await, 3, "the mail, the digest and its line");
    }
}
