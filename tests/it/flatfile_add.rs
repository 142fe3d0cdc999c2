//! `add` lines (spec flatfile 4 and 11.2, 11.4): enrolments, windows and roles are created or changed.
//! It must not test `del`, the buffer's replay or expirations.

use enrold::outcome::State;

use crate::campus::{course, instance, role, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    ten_lines,
    semicolons_and_latin_9,
    an_instance_is_made_once,
    a_disabled_instance_is_used_as_it_is,
    an_enrolment_becomes_active_with_the_new_window,
    roles_of_one_file_add_up,
    duplicate_roles_are_pruned,
    a_disabled_method_applies_nothing,
    forums_subscribe_who_gets_a_role,
    a_name_of_two_roles_names_neither,
);

/// Ten data lines, indented and with a blank line: four enrol, two are buffered, four are refused (flatfile 11.2).
async fn ten_lines(mut site: Site) {
    site.campus().await;
    site.setting("map_4", Some("ucitel")).await;
    site.setting("map_1", Some("")).await;
    site.sql("UPDATE {user} SET idnumber = 'čtyři' WHERE username = 'u4'").await;
    let (past, later, last) = (NOW - 1000, NOW + 1000, NOW + 2000);
    let file = format!(
        "    'add','student','u1','c1'
         \"add\" , \"ucitel\", u2 , c2
         add,manager,u3,c1

         add,student,čtyři,c2,{past}
         add,student,u5,c3,1,2,3
         add,student,u6,c3,1500000020,1500000010
         add,student,u7,c3,0,{last}
         add,student,u8,c3,{later},0
         add,student,u9,c3,{later},{last}
         add,student,,c3
        "
    );
    let report = site.import(&file).await;
    assert_eq!(report.state, State::DoneWithErrors);
    assert_eq!(
        site.errors(&report).await,
        ["3 role-unknown", "6 row-ragged", "7 end-before-start", "11 empty-identifier"]
    );
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 flatfile", "u2 c2 flatfile", "u4 c2 flatfile now-1000..0", "u7 c3 flatfile 0..now+2000"]
    );
    assert_eq!(
        site.roles().await,
        ["u1 c1 student flatfile", "u2 c2 teacher flatfile", "u4 c2 student flatfile", "u7 c3 student flatfile"]
    );
    assert_eq!(site.buffer().await, ["add u8 c3 student now+1000..0", "add u9 c3 student now+1000..now+2000"]);
}

/// The alias of one role is the short name of another: the two forms would give two roles.
async fn a_name_of_two_roles_names_neither(mut site: Site) {
    site.campus().await;
    site.setting("map_3", Some("Teacher")).await;
    site.setting("map_4", Some("")).await;
    site.setting("map_5", Some("etudiant")).await;
    let header = "operation,user,course,role\n";
    let lines = "add,u1,c1,teacher\nadd,u2,c1,TEACHER\nadd,u3,c1,id:4\nadd,u4,c1,editingteacher\nadd,u5,c1,student\nadd,u6,c1,etudiant\n";
    let report = site.import(&format!("{header}{lines}")).await;
    assert_eq!(site.errors(&report).await, ["2 role-ambiguous", "3 role-ambiguous"]);
    assert_eq!(report.problems[0].hint, "teacher = id:4, editingteacher = id:3");
    let given =
        ["u3 c1 teacher flatfile", "u4 c1 editingteacher flatfile", "u5 c1 student flatfile", "u6 c1 student flatfile"];
    assert_eq!(site.roles().await, given);
    // In Moodle's own form short names are no names, but this one is refused all the same.
    let report = site.import("add,teacher,u1,c1\nadd,3,u2,c1\nadd,student,u7,c1\ndel,teacher,u3,c1\n").await;
    assert_eq!(site.errors(&report).await, ["1 role-ambiguous", "3 role-unknown", "4 role-ambiguous"]);
    assert_eq!(site.roles().await.len(), given.len() + 1);
}

/// Another separator in each line, and an old encoding (flatfile 11.4).
async fn semicolons_and_latin_9(mut site: Site) {
    site.campus().await;
    site.set("flatfile.encoding_fallback", "iso-8859-15");
    site.sql("UPDATE {user} SET idnumber = 'œil' WHERE username = 'u1'").await;
    let mut file = b"add;student;".to_vec();
    file.extend([0xBD, b'i', b'l']);
    file.extend(b";c1\nadd;student;u2;c1;0;0\n");
    let report = site.import_bytes(&file).await;
    assert_eq!(report.state, State::Done);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u2 c1 flatfile"]);
}

/// The first line for a course creates the instance, after the others; later files use it (flatfile 4, enrol-core 4).
async fn an_instance_is_made_once(mut site: Site) {
    site.campus().await;
    site.import("add,student,u1,c1\nadd,student,u2,c1\nadd,student,u1,c2\n").await;
    site.import("add,student,u3,c1\n").await;
    let dump = site.dump().await;
    let made: Vec<_> = dump["enrol"].iter().filter(|row| row["enrol"].as_deref() == Some("flatfile")).collect();
    assert_eq!(made.len(), 2);
    for row in made {
        let text = |column: &str| row[column].clone().unwrap_or_default();
        assert_eq!([text("status"), text("sortorder"), text("roleid")], ["0", "1", "0"]);
        assert_eq!([text("timecreated"), text("timemodified")], [NOW.to_string(), NOW.to_string()]);
        assert_eq!(row["customint1"], None);
    }
    let created = site.events().await.iter().filter(|event| *event == "- enrol_instance created").count();
    assert_eq!(created, 2);
}

async fn a_disabled_instance_is_used_as_it_is(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 1, "student").await;
    site.import("add,student,u1,c1\n").await;
    let instances = site.dump().await["enrol"].clone();
    let used = instances.iter().find(|row| row["enrol"].as_deref() == Some("flatfile")).unwrap();
    assert_eq!(used["id"], Some(instance("flatfile", 1).to_string()));
    assert_eq!(used["status"].as_deref(), Some("1"));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
}

/// An existing enrolment becomes active with exactly the window of the line, even without one (flatfile 4).
async fn an_enrolment_becomes_active_with_the_new_window(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    site.enrolled_until(1, 1, "flatfile", NOW + 500).await;
    site.enrolled(2, 1, "flatfile").await;
    site.enrolled(3, 1, "manual").await;
    site.sql("UPDATE {user_enrolments} SET status = 1").await;
    let file = format!("add,student,u1,c1\nadd,student,u2,c1,{},{}\nadd,student,u3,c1\n", NOW - 10, NOW + 10);
    let report = site.import(&file).await;
    assert_eq!(report.counts.get("enrolment.update"), Some(&2));
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 flatfile", "u2 c1 flatfile now-10..now+10", "u3 c1 flatfile", "u3 c1 manual suspended"]
    );
    let dump = site.dump().await;
    let changed = dump["user_enrolments"].iter().find(|row| row["userid"] == Some(user(1).to_string())).unwrap();
    assert_eq!(changed["timecreated"].as_deref(), Some("1"), "an update leaves the time of creation");
    assert_eq!(changed["timemodified"], Some(NOW.to_string()));
    assert_eq!(changed["modifierid"].as_deref(), Some("2"), "the main administrator acts");
}

/// `add` lines of one pair are merged: all their roles, the last window, one enrolment.
async fn roles_of_one_file_add_up(mut site: Site) {
    site.campus().await;
    let file = format!("add,student,u1,c1,0,{}\nadd,teacher,u1,c1\nADD,Student,u1,c1,0,{}\n", NOW + 1, NOW + 2);
    let report = site.import(&file).await;
    assert_eq!(report.counts.get("enrolment.add"), Some(&1));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 0..now+2"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u1 c1 teacher flatfile"]);
    assert_eq!(
        site.events().await,
        ["- enrol_instance created", "u1 user_enrolment created", "u1 role assigned", "u1 role assigned"]
    );
}

/// A role that was assigned twice in a race: the lowest id stays, without an event (enrol-core 8).
async fn duplicate_roles_are_pruned(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    site.enrolled(1, 1, "flatfile").await;
    for _ in 0..3 {
        site.has_role(1, 1, "student", "flatfile").await;
    }
    let lowest = site.dump().await["role_assignments"][0]["id"].clone();
    site.import("add,student,u1,c1\n").await;
    let dump = site.dump().await;
    let left = &dump["role_assignments"];
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"], lowest);
    assert_eq!(left[0]["roleid"], Some(role("student").to_string()));
    assert_eq!(site.events().await, [""; 0]);
}

/// `flatfile` is disabled in a new Moodle: nothing is applied, unless the operator sets it (flatfile 11.1).
async fn a_disabled_method_applies_nothing(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {config} SET value = 'manual,self' WHERE name = 'enrol_plugins_enabled'").await;
    let before = site.dump().await;
    let file = site.write("add,student,u1,c1\n");
    let refused = site.engine().import(&file, false).await;
    assert!(!matches!(&refused, Ok(report) if report.state == State::Done), "nothing is applied, and that is said");
    site.nothing_changed(&before, "the method is disabled").await;
    site.set("flatfile.when_disabled", "apply");
    site.import("add,student,u1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
    assert_eq!(site.count("user_enrolments").await, 1);
    assert_eq!(site.dump().await["enrol"].last().unwrap()["courseid"], Some(course(1).to_string()));
}

/// A forum with initial subscription subscribes users who get a suitable role, once (enrol-core 11).
async fn forums_subscribe_who_gets_a_role(mut site: Site) {
    site.campus().await;
    site.insert("modules", &[("id", 1.into()), ("name", "forum".into())]).await;
    for (number, forcesubscribe) in [(1, 2), (2, 0)] {
        let forum =
            [("id", number.into()), ("course", course(number).into()), ("forcesubscribe", forcesubscribe.into())];
        site.insert("forum", &forum).await;
        let activity = [("id", number), ("course", course(number)), ("module", 1), ("instance", number)];
        site.insert("course_modules", &activity.map(|(column, number)| (column, number.into()))).await;
    }
    let may = [
        ("roleid", role("student").into()),
        ("contextid", 1.into()),
        ("capability", "mod/forum:allowforcesubscribe".into()),
        ("permission", 1.into()),
    ];
    site.insert("role_capabilities", &may).await;
    site.insert("forum_subscriptions", &[("userid", user(2).into()), ("forum", 1.into())]).await;
    site.import("add,student,u1,c1\nadd,student,u2,c1\nadd,teacher,u3,c1\nadd,student,u4,c2\n").await;
    let dump = site.dump().await;
    let subscribed: Vec<_> =
        dump["forum_subscriptions"].iter().map(|row| (row["userid"].clone(), row["forum"].clone())).collect();
    let expected = [2, 1].map(|number| (Some(user(number).to_string()), Some("1".to_owned())));
    assert_eq!(subscribed, expected);
    let told =
        dump["logstore_standard_log"].iter().filter(|row| row["component"].as_deref() == Some("mod_forum")).count();
    assert_eq!(told, 1, "an event for the new subscription alone");
}
