//! What a row of a users file gives besides the account: cohorts, courses, groups, roles.
//! It must not test accounts, nor the reading of the file.

use enrold::config::{FileKind, Operation, Profile};
use enrold::db::Params;
use enrold::disk::Dir;
use enrold::outcome::Report;
use enrold::run::{Dropped, Import};

use crate::campus::{context, instance, role, since_now, user};
use crate::faculty::cohort;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    cohorts_by_id_idnumber_and_name,
    unknown_cohorts_are_made_once,
    roles_of_courses,
    a_default_role_is_bound_too,
    dates_that_the_file_does_not_give_stay,
    a_status_is_set_and_kept,
    the_last_row_decides_a_course,
    groups_are_found_or_made_once,
    only_enrolled_accounts_join_groups,
    conversations_of_groups_are_joined,
    the_front_page_has_roles_only,
    what_is_wrong_stops_nothing_else,
    system_and_category_roles,
    the_last_word_about_a_role_counts,
    a_dropped_file_gives_what_it_may,
    statements_do_not_grow_with_rows,
);

/// The day of [`NOW`] begins in UTC.
const TODAY: i64 = NOW - 36_000;
const DAY: i64 = 86_400;

/// A profile for accounts that exist and do not change.
fn profile() -> Profile {
    Profile { operation: Operation::Update, ..Profile::of(FileKind::Users) }
}

/// Imports a users file; the proofs are those of [`Site::users`].
async fn gives(site: &mut Site, profile: &Profile, text: &str) -> (Report, Vec<String>) {
    let report = site.users(profile, text).await;
    let problems = site.problems(&report).await;
    (report, problems)
}

impl Site {
    /// The problems of a run as `LINE CODE VALUE HINT`.
    async fn problems(&mut self, report: &Report) -> Vec<String> {
        let sql = "SELECT number, code, value, hint FROM {enrold_error} WHERE run = :run";
        let rows = self.conn.rows(sql, &Params::new().with("run", report.run)).await.unwrap();
        let line = |row: &enrold::db::Row| format!("{} {} {} {}", row.int(0), row.text(1), row.text(2), row.text(3));
        let mut problems: Vec<(i64, String)> = rows.iter().map(|row| (row.int(0), line(row))).collect();
        problems.sort();
        problems.into_iter().map(|(_, problem)| problem).collect()
    }

    /// Imports a text as a file of the drop directory.
    async fn dropped(&mut self, profile: &Profile, text: &str) -> Vec<String> {
        let import = self.users_file(profile, text);
        let file = Ok(Dir::open_named(&import.path).unwrap());
        let token = import.path.display().to_string();
        let dropped = Dropped { shown: token.clone(), token, file, again: false };
        let report = self.engine().import(&Import { dropped: Some(dropped), ..import }, false).await.unwrap();
        self.problems(&report).await
    }

    /// The roles in the system and in categories as `u1 10 manager`.
    async fn high_roles(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, k.contextlevel, r.shortname FROM {role_assignments} a
            JOIN {user} u ON u.id = a.userid JOIN {role} r ON r.id = a.roleid
            JOIN {context} k ON k.id = a.contextid AND k.contextlevel < 50";
        self.lines(sql, |row| format!("{} {} {}", row.text(0), row.int(1), row.text(2))).await
    }

    /// The windows of enrolments as `u1 c1 from..to`, in days from today, `-` for 0.
    async fn windows(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, c.shortname, x.status, x.timestart, x.timeend FROM {user_enrolments} x
            JOIN {user} u ON u.id = x.userid JOIN {enrol} e ON e.id = x.enrolid JOIN {course} c ON c.id = e.courseid";
        let days = |time: i64| match time {
            0 => "-".to_owned(),
            time if (time - TODAY) % DAY == 0 => ((time - TODAY) / DAY).to_string(),
            time => since_now(time),
        };
        self.lines(sql, |row| {
            let status = if row.int(2) == 1 { " suspended" } else { "" };
            format!("{} {}{status} {}..{}", row.text(0), row.text(1), days(row.int(3)), days(row.int(4)))
        })
        .await
    }
}

async fn cohorts_by_id_idnumber_and_name(mut site: Site) {
    site.campus().await;
    site.cohort(1, &[1]).await;
    site.cohort(2, &[]).await;
    site.sql("UPDATE {cohort} SET name = 'Licence 2', idnumber = '4242' WHERE name = 'h2'").await;
    site.cohort(3, &[]).await;
    site.sql("UPDATE {cohort} SET component = 'local_other' WHERE name = 'h3'").await;
    let by_id = cohort(1);
    let rows = format!(
        "username,cohort1,cohort2\nu1,h1,\nu2,{by_id},idnumber:4242\nu3,4242,name:Licence 2\nu4,Licence 2,h3\n\
         u5,h1,h1\nu6,id:999,H1\n"
    );
    let (_, problems) = gives(&mut site, &profile(), &rows).await;
    assert_eq!(site.members().await, ["u1 h1", "u2 Licence 2", "u2 h1", "u3 Licence 2", "u5 h1"]);
    assert_eq!(
        problems,
        [
            "4 cohort-unknown 4242 id",
            "5 cohort-owned h3 local_other",
            "5 cohort-unknown Licence 2 idnumber",
            "7 cohort-unknown 999 id",
            "7 cohort-unknown H1 idnumber",
        ]
    );
}

async fn unknown_cohorts_are_made_once(mut site: Site) {
    site.campus().await;
    let rows = "username,cohort1,cohort2\nu1,L1,name:Master\nu2,L1,77\nu3,idnumber:L1,Master\n";
    let (given, problems) = gives(&mut site, &Profile { create_cohorts: true, ..profile() }, rows).await;
    assert_eq!(problems, ["3 cohort-unknown 77 id"]);
    let sql = "SELECT name, idnumber, contextid, visible FROM {cohort}";
    let lines = site.lines(sql, |r| format!("{}|{}|{}|{}", r.text(0), r.text(1), r.int(2), r.int(3))).await;
    assert_eq!(lines, ["L1|L1|1|1", "Master|Master|1|1"]);
    assert_eq!(site.members().await, ["u1 L1", "u1 Master", "u2 L1", "u3 L1", "u3 Master"]);
    assert_eq!((given.counts["cohort.add"], given.counts["cohort-member.add"]), (2, 5));
}

async fn roles_of_courses(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {enrol} SET status = 1 WHERE courseid = 23").await;
    let rows = "username,course1,role1,type1,course2\nu1,c1,,,c3\nu2,c1,teacher,,\nu3,c1,3,,\nu4,c1,,2,\nu5,c1,,3,\n\
                u6,c1,id:5,,\nu7,c1,Teacher,,\nu8,c1,coursecreator,,\nu9,C1,,,\n";
    let (_, problems) = gives(&mut site, &profile(), rows).await;
    let expected = [
        "u1 c1 student manual",
        "u1 c3 student manual",
        "u2 c1 teacher manual",
        "u3 c1 editingteacher manual",
        "u4 c1 editingteacher manual",
        "u5 c1 teacher manual",
        "u6 c1 student manual",
    ];
    assert_eq!(site.roles().await, expected);
    assert_eq!(site.enrolments().await.len(), 7);
    let usable = "manager, editingteacher, teacher, student";
    let expected = [
        format!("8 role-unknown Teacher {usable}"),
        format!("9 role-unknown coursecreator {usable}"),
        "10 course-unknown C1 shortname".to_owned(),
    ];
    assert_eq!(problems, expected);
}

async fn a_default_role_is_bound_too(mut site: Site) {
    site.campus().await;
    let to = |id: i64, shortname: &str| format!("UPDATE {{enrol}} SET roleid = {} WHERE id = {id}", role(shortname));
    site.sql(&to(instance("manual", 1), "guest")).await;
    site.sql(&to(instance("manual", 2), "manager")).await;
    let rows = "username,course1,course2\nu1,c1,c2\n";
    let (_, problems) = gives(&mut site, &profile(), rows).await;
    assert_eq!(problems, ["2 role-unknown guest manager, editingteacher, teacher, student"]);
    assert_eq!(site.roles().await, ["u1 c2 manager manual"]);
}

async fn dates_that_the_file_does_not_give_stay(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {enrol} SET enrolperiod = 864000 WHERE courseid = 22").await;
    for (who, start, end) in [(1, 0, 0), (2, NOW - DAY, NOW + DAY), (3, 0, 0), (4, 0, NOW + DAY), (5, 7 * DAY, 9 * DAY)]
    {
        site.enrolled(who, 2, "manual").await;
        let sql = "UPDATE {user_enrolments} SET timestart = :start, timeend = :end WHERE userid = :who";
        let params = Params::new().with("start", start).with("end", end).with("who", user(who));
        site.conn.exec(sql, &params).await.unwrap();
    }
    let at = |days: i64| TODAY + days * DAY;
    let rows = format!(
        "username,course1,enrolperiod1,enroltimestart1\nu1,c2,,\nu2,c2,,\nu3,c2,7,\nu4,c2,,{}\nu5,c2,,{}\nu6,c2,,\n\
         u7,c2,-1,\nu8,c2,3,{}\nu9,c1,,\n",
        at(-2),
        at(2),
        at(4)
    );
    let (_, problems) = gives(&mut site, &profile(), &rows).await;
    assert_eq!(problems, [""; 0]);
    let expected = [
        "u1 c2 -..-",
        "u2 c2 now-86400..now+86400",
        "u3 c2 0..7",
        "u4 c2 -2..now+86400",
        // The old end has passed when the new start comes: the period of the instance counts.
        "u5 c2 2..12",
        "u6 c2 0..10",
        "u7 c2 0..-",
        "u8 c2 4..7",
        "u9 c1 0..-",
    ];
    assert_eq!(site.windows().await, expected);
    // On another day the file says the same.
    site.at(NOW + 3 * DAY);
    let again = gives(&mut site, &profile(), &rows).await;
    assert!(again.0.counts.is_empty(), "{:?}", again.0.counts);
}

async fn a_status_is_set_and_kept(mut site: Site) {
    site.campus().await;
    for who in [1, 2, 3] {
        site.enrolled(who, 1, "manual").await;
    }
    site.sql("UPDATE {user_enrolments} SET status = 1 WHERE userid IN (12, 13)").await;
    let rows = "username,course1,enrolstatus1\nu1,c1,1\nu2,c1,\nu3,c1,0\nu4,c1,1\nu5,c1,\n";
    let (given, _) = gives(&mut site, &profile(), rows).await;
    let expected = ["u1 c1 suspended -..-", "u2 c1 suspended -..-", "u3 c1 -..-", "u4 c1 suspended 0..-", "u5 c1 0..-"];
    assert_eq!(site.windows().await, expected);
    let count = |kind: &str| given.counts.get(kind).copied().unwrap_or(0);
    assert_eq!([count("enrolment.add"), count("enrolment.update"), count("enrolment.suspend")], [2, 1, 1]);
}

async fn the_last_row_decides_a_course(mut site: Site) {
    site.campus().await;
    let rows = format!(
        "username,course1,role1,enrolperiod1,enroltimestart1,course2,role2,enrolperiod2\n\
         u1,c1,student,5,{TODAY},c1,teacher,7\nu1,c1,,,,,,\n"
    );
    let (given, _) = gives(&mut site, &profile(), &rows).await;
    assert_eq!(site.windows().await, ["u1 c1 0..7"]);
    assert_eq!(site.roles().await, ["u1 c1 student manual", "u1 c1 teacher manual"]);
    assert_eq!((given.counts["enrolment.add"], given.counts["role.add"]), (1, 2));
}

async fn groups_are_found_or_made_once(mut site: Site) {
    site.campus().await;
    for (id, course, name, idnumber) in [(1, 21, "A", "ga"), (2, 21, "2024", ""), (3, 22, "A", ""), (4, 21, "B", "")] {
        let row = [
            ("id", id.into()),
            ("courseid", course.into()),
            ("name", name.into()),
            ("idnumber", idnumber.into()),
            ("timemodified", 1.into()),
        ];
        site.insert("groups", &row).await;
    }
    let twin = [("id", 5.into()), ("courseid", 21.into()), ("name", "B".into()), ("idnumber", "".into())];
    site.insert("groups", &twin).await;
    site.reset_sequences_of(&["groups"]).await;
    let long = "x".repeat(255);
    let rows = format!(
        "username,course1,group1,course2,group2\nu1,c1,A,c2,A\nu2,c1,1,c1,2024\nu3,c1,Équipe,c1,équipe\n\
         u4,c1,Équipe,c1,2025\nu5,c1,2025,c1,3\nu6,c1,idnumber:ga,c1,idnumber:gb\nu7,c1,B,c1,id:999\n\
         u8,c1,{long},c1,name:7\n"
    );
    let (_, problems) = gives(&mut site, &profile(), &rows).await;
    let sql = "SELECT c.shortname, g.name, u.username FROM {groups_members} m JOIN {user} u ON u.id = m.userid
        JOIN {groups} g ON g.id = m.groupid JOIN {course} c ON c.id = g.courseid ORDER BY 1, 2, 3";
    let lines = site.lines(sql, |row| format!("{} {} {}", row.text(0), row.text(1), row.text(2))).await;
    let expected = [
        "c1 2024 u2",
        "c1 2025 u4",
        "c1 2025 u5",
        // The id of a group of another course is no id here.
        "c1 3 u5",
        "c1 7 u8",
        "c1 A u1",
        "c1 A u2",
        "c1 A u6",
        "c1 Équipe u3",
        "c1 Équipe u4",
        "c1 équipe u3",
        "c2 A u1",
    ];
    assert_eq!(lines, expected);
    let shown = format!("9 value-too-long {long} group 254");
    let expected =
        ["7 group-unknown idnumber:gb c1", "8 group-ambiguous B c1", "8 group-unknown id:999 c1", shown.as_str()];
    assert_eq!(problems, expected);
    let sql = "SELECT COUNT(*) FROM {groups} WHERE timemodified < :now";
    let old = site.conn.number(sql, &Params::new().with("now", NOW)).await.unwrap();
    assert_eq!(old, 2, "those of the name B; the others have new members");
}

async fn only_enrolled_accounts_join_groups(mut site: Site) {
    site.campus().await;
    site.sql("DELETE FROM {enrol} WHERE courseid IN (21, 22)").await;
    site.instance("self", 1, 1, "student").await;
    site.enrolled(1, 1, "self").await;
    let rows = "username,course1,group1,course2,group2\nu1,c1,G,c2,G\nu2,c1,H,,\n";
    let (_, problems) = gives(&mut site, &profile(), rows).await;
    let expected = [
        "2 group-not-enrolled G c2",
        "2 no-method manual c1",
        "2 no-method manual c2",
        "3 group-not-enrolled H c1",
        "3 no-method manual c1",
    ];
    assert_eq!(problems, expected);
    assert_eq!(site.group_members().await, ["u1 G manual"]);
    assert_eq!(site.count("groups").await, 1);
    // The method is off on the whole site.
    site.sql("UPDATE {config} SET value = 'guest,self' WHERE name = 'enrol_plugins_enabled'").await;
    let (_, problems) = gives(&mut site, &profile(), "username,course1,group1\nu1,c3,\n").await;
    assert_eq!(problems, ["2 no-method manual c3"]);
}

async fn conversations_of_groups_are_joined(mut site: Site) {
    site.campus().await;
    site.insert("groups", &[("id", 1.into()), ("courseid", 21.into()), ("name", "A".into())]).await;
    let conversation = [
        ("id", 1.into()),
        ("type", 2.into()),
        ("component", "core_group".into()),
        ("itemtype", "groups".into()),
        ("itemid", 1.into()),
        ("contextid", context(1).into()),
    ];
    site.insert("message_conversations", &conversation).await;
    gives(&mut site, &profile(), "username,course1,group1\nu1,c1,A\n").await;
    assert_eq!(site.count("message_conversation_members").await, 1);
}

async fn the_front_page_has_roles_only(mut site: Site) {
    site.campus().await;
    let rows = "username,course1,role1,group1\nu1,front,teacher,\nu2,front,,G\nu3,front,,\n";
    let (_, problems) = gives(&mut site, &profile(), rows).await;
    assert_eq!(site.roles().await, ["u1 front teacher manual"]);
    assert_eq!(site.group_members().await, ["u2 G manual"]);
    assert_eq!((site.count("user_enrolments").await, problems), (0, vec!["4 empty-identifier role1 ".to_owned()]));
}

async fn what_is_wrong_stops_nothing_else(mut site: Site) {
    site.campus().await;
    site.cohort(1, &[]).await;
    let rows = "username,cohort1,cohort2,course1,role1,group1,course2,sysrole1\nu1,none,h1,c1,none,G,c2,none\n";
    let (_, problems) = gives(&mut site, &profile(), rows).await;
    assert_eq!(site.members().await, ["u1 h1"]);
    assert_eq!(site.enrolments().await.len(), 1);
    assert_eq!(site.count("groups").await, 0, "a wrong role skips the group");
    let expected = [
        "2 cohort-unknown none idnumber",
        "2 role-unknown none manager, coursecreator",
        "2 role-unknown none manager, editingteacher, teacher, student",
    ];
    assert_eq!(problems, expected);
}

async fn system_and_category_roles(mut site: Site) {
    site.campus().await;
    let category = |id: i64, idnumber: &str| [("id", id.into()), ("name", "x".into()), ("idnumber", idnumber.into())];
    site.insert("course_categories", &category(1, "cat")).await;
    let sql = "INSERT INTO {role_assignments} (roleid, contextid, userid, component, itemid, timemodified, modifierid, \
               sortorder) VALUES (2, 1, 12, '', 0, 1, 2, 0), (2, 1, 19, 'local_x', 0, 1, 2, 0)";
    site.sql(sql).await;
    let rows = "username,sysrole1,category1,categoryrole1\nu1,manager,cat,\nu2,-coursecreator,cat,coursecreator\n\
                u3,student,none,manager\nu4,1,cat,student\nu9,-coursecreator,,manager\n";
    let (_, problems) = gives(&mut site, &profile(), rows).await;
    let expected = ["u1 10 manager", "u2 40 coursecreator", "u4 10 manager", "u9 10 coursecreator"];
    assert_eq!(site.high_roles().await, expected);
    let usable = "manager, coursecreator";
    let expected = [
        "2 empty-identifier categoryrole1 ".to_owned(),
        "4 category-unusable none 0".to_owned(),
        format!("4 role-unknown student {usable}"),
        format!("5 role-unknown student {usable}"),
        "6 empty-identifier category1 ".to_owned(),
    ];
    assert_eq!(problems, expected);
}

async fn the_last_word_about_a_role_counts(mut site: Site) {
    site.campus().await;
    let rows = "username,sysrole1,sysrole2\nu1,manager,-manager\nu2,-manager,manager\nu3,manager,\nu3,-1,\n";
    gives(&mut site, &profile(), rows).await;
    assert_eq!(site.high_roles().await, ["u2 10 manager"]);
}

async fn a_dropped_file_gives_what_it_may(mut site: Site) {
    site.campus().await;
    site.insert("course_categories", &[("id", 1.into()), ("name", "x".into()), ("idnumber", "cat".into())]).await;
    let rows = "username,course1,role1,sysrole1,category1,categoryrole1\nu1,c1,manager,,,\n\
                u2,c1,student,coursecreator,cat,manager\n";
    let problems = site.dropped(&profile(), rows).await;
    assert_eq!((site.roles().await, site.high_roles().await), (vec!["u2 c1 student manual".to_owned()], Vec::new()));
    let expected = [
        "2 role-not-allowed manager flatfile.roles",
        "3 change-refused categoryrole1 category_roles",
        "3 change-refused sysrole1 system_roles",
    ];
    assert_eq!(problems, expected);
    let profile = Profile { system_roles: Some(true), category_roles: Some(true), ..profile() };
    let problems = site.dropped(&profile, rows).await;
    let expected = [
        "2 role-not-allowed manager flatfile.roles",
        "3 role-not-allowed coursecreator flatfile.roles",
        "3 role-not-allowed manager flatfile.roles",
    ];
    assert_eq!(problems, expected);
}

async fn statements_do_not_grow_with_rows(mut site: Site) {
    site.campus().await;
    site.cohort(1, &[]).await;
    site.set("run.lease_ttl", "3600");
    let rows = |users: std::ops::RangeInclusive<i64>| {
        let rows: String = users.map(|user| format!("u{user},h1,c1,student,G1,c2,,G2\n")).collect();
        format!("username,cohort1,course1,role1,group1,course2,role2,group2\n{rows}")
    };
    let few = site.users_once(&profile(), &rows(1..=2)).await.statements;
    // No group is new.
    let many = site.users_once(&profile(), &rows(3..=9)).await.statements;
    assert!(many <= few, "{many} > {few}");
}
