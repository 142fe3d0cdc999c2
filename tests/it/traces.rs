//! A sample site in which one student has a row in every table that the end of an enrolment can change.
//! It must not run anything.

use enrold::db::Params;
use enrold::moodle::install::load_sample;

use crate::site::Site;

/// A sample site with rows of one student in all these tables.
pub async fn site_with_traces(site: &mut Site) {
    load_sample(&mut site.conn).await.unwrap();
    site.setting("unenrolaction", Some("0")).await;
    site.setting("expiredaction", Some("0")).await;
    let none = Params::new();
    let user = site.conn.number("SELECT id FROM {user} WHERE username = 'petitl25'", &none).await.unwrap();
    let course = site.conn.number("SELECT id FROM {course} WHERE shortname = 'L1-MATH-101'", &none).await.unwrap();
    let context = format!("SELECT id FROM {{context}} WHERE contextlevel = 50 AND instanceid = {course}");
    let context = site.conn.number(&context, &none).await.unwrap();
    let (item, group, forum, talk) = (9001, 9002, 9003, 9004);
    let at = |name: &'static str, value: i64| (name, value.into());
    let text = |name: &'static str, value: &str| (name, value.into());
    site.insert("grade_items", &[at("id", item), at("courseid", course)]).await;
    site.insert("grade_grades", &[at("itemid", item), at("userid", user)]).await;
    site.insert("groups", &[at("id", group), at("courseid", course), text("name", "G")]).await;
    site.insert("groups_members", &[at("groupid", group), at("userid", user)]).await;
    let of_group = [
        at("id", talk),
        text("component", "core_group"),
        text("itemtype", "groups"),
        at("itemid", group),
        at("contextid", context),
    ];
    site.insert("message_conversations", &of_group).await;
    site.insert("message_conversation_members", &[at("conversationid", talk), at("userid", user)]).await;
    site.insert("forum", &[at("id", forum), at("course", course)]).await;
    for table in ["forum_subscriptions", "forum_digests"] {
        site.insert(table, &[at("userid", user), at("forum", forum)]).await;
    }
    for table in ["forum_track_prefs", "forum_read"] {
        site.insert(table, &[at("userid", user), at("forumid", forum)]).await;
    }
    let seen = format!("DELETE FROM {{user_lastaccess}} WHERE userid = {user} AND courseid = {course}");
    site.sql(&seen).await;
    site.insert("user_lastaccess", &[at("userid", user), at("courseid", course)]).await;
    site.reset_sequences().await;
}
