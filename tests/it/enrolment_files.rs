//! Enrolment files on the small campus: orders about one person in one course, in their order.
//! It must not test how lines are read.

use std::sync::Arc;

use enrold::config::{FileKind, Profile};
use enrold::outcome::State;
use enrold::run::Import;

use crate::campus::user;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    orders_are_applied_in_their_order,
    enrolments_keep_their_dates,
    a_shift_swaps_what_was_given_by_hand,
    groups_change_by_what_differs,
    a_dropped_file_does_what_it_may,
    a_dropped_file_takes_nobody_out_of_a_group,
    too_many_who_leave_groups_are_held,
    too_much_is_held,
    statements_do_not_grow_with_orders,
);

fn profile() -> Profile {
    Profile::of(FileKind::Enrolments)
}

async fn orders_are_applied_in_their_order(mut site: Site) {
    site.campus().await;
    site.enrolled(3, 1, "manual").await;
    site.has_role(3, 1, "student", "manual").await;
    site.set("flatfile.max_steps", "3");
    let lines = "cmd;rolename;cid;uid;enrol\nadd;student;c1;u1;\nshift;teacher;c1;u1;manual\ndel;;c1;u2;\n\
        add;student;c1;u2;manual\ndel;nobody;c1;u3;manual\nadd;student;c2;u4;cohort\nadd;;c2;u4;\n\
        add;student;c2;u5;\nadd;student;c2;u5;\nadd;student;c2;u5;\nadd;student;c2;u5;\n";
    let report = site.users_once(&profile(), lines).await;
    let mut told = vec!["7 no-method cohort c2".to_owned(), "8 empty-identifier rolename ".to_owned()];
    told.extend((9..=12).map(|line| format!("{line} too-many-steps u5, c2 3")));
    assert_eq!(site.list_problems(&report).await, told);
    assert_eq!(site.enrolments().await, ["u1 c1 manual now+0..0", "u2 c1 manual now+0..0"]);
    assert_eq!(site.roles().await, ["u1 c1 teacher manual", "u2 c1 student manual"]);
}

async fn enrolments_keep_their_dates(mut site: Site) {
    site.campus().await;
    site.enrolled_until(1, 1, "manual", NOW - 1).await;
    site.enrolled_until(2, 1, "manual", NOW + 600).await;
    site.sql(&format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {}", user(2))).await;
    let lines = format!(
        "rolename,cid,uid,enrol,start,end\nstudent,c1,u1,manual,,\nstudent,c1,u2,,,\nstudent,c1,u3,,{},{}\n\
         student,c1,u4,,2026-02-01,2026-01-01\n",
        NOW - 60,
        NOW + 60
    );
    let report = site.users(&profile(), &lines).await;
    assert_eq!(site.list_problems(&report).await, ["5 end-before-start 2026-01-01 2026-02-01"]);
    let expected = ["u1 c1 manual", "u2 c1 manual 0..now+600", "u3 c1 manual now-60..now+60"];
    assert_eq!(site.enrolments().await, expected);
}

async fn a_shift_swaps_what_was_given_by_hand(mut site: Site) {
    site.campus().await;
    site.enrolled(1, 1, "manual").await;
    site.has_role(1, 1, "student", "manual").await;
    site.has_role(1, 1, "student", "cohort").await;
    site.enrolled_until(2, 1, "manual", NOW + 600).await;
    site.has_role(2, 1, "teacher", "manual").await;
    let lines = "cmd,rolename,cid,uid,enrol\nshift,teacher,c1,u1,manual\nshift,student,c1,u2,manual\n";
    assert_eq!(site.users(&profile(), lines).await.errors, 0);
    assert_eq!(site.enrolments().await, ["u1 c1 manual", "u2 c1 manual 0..now+600"]);
    assert_eq!(site.roles().await, ["u1 c1 student cohort", "u1 c1 teacher manual", "u2 c1 student manual"]);
}

async fn groups_change_by_what_differs(mut site: Site) {
    site.campus().await;
    for number in 1..=3 {
        site.group(number, 1).await;
    }
    let header = "cmd;rolename;cid;uid;enrol;gcmd;g1;g2\n";
    let lines =
        "add;student;c1;u1;;gadd;g1;g2\nadd;student;c1;u2;;gadd;g1;Inconnu\nadd;student;c1;u3;;gaddcreate;TD é;\n";
    let report = site.users(&profile(), &format!("{header}{lines}")).await;
    assert_eq!(site.list_problems(&report).await, ["3 group-unknown Inconnu c1"]);
    assert_eq!(site.group_members().await, ["u1 g1 manual", "u1 g2 manual", "u2 g1 manual", "u3 TD é manual"]);
    site.sql(&format!("UPDATE {{groups_members}} SET component = 'enrol_x' WHERE userid = {}", user(3))).await;
    let lines = "add;student;c1;u1;;greplace;g2;g3\nadd;student;c1;u2;;greplace;g3;Inconnu\n\
        add;student;c1;u3;;greplacecreate;Neuf;g1\nadd;student;c1;u4;;gdel;g1;\nadd;student;c1;u5;;greplace;;\n\
        add;student;c1;u6;;move;g1;\n";
    let report = site.users(&profile(), &format!("{header}{lines}")).await;
    let told = [
        "3 group-unknown Inconnu c1",
        "6 empty-identifier g1 ",
        "7 bad-verb move gadd, gaddcreate, gdel, greplace, greplacecreate",
    ];
    assert_eq!(site.list_problems(&report).await, told);
    let expected =
        ["u1 g2 manual", "u1 g3 manual", "u2 g1 manual", "u2 g3 manual", "u3 Neuf manual", "u3 TD é x", "u3 g1 manual"];
    assert_eq!(site.group_members().await, expected);
    let outside = "rolename;cid;uid;gcmd;g1\nstudent;c1;u7;gaddcreate;Vide\n";
    let report = site.users(&profile(), outside).await;
    assert_eq!(site.list_problems(&report).await, ["2 group-not-enrolled Vide c1"]);
}

async fn a_dropped_file_does_what_it_may(mut site: Site) {
    site.campus().await;
    site.enrolled(1, 1, "manual").await;
    site.has_role(1, 1, "manager", "manual").await;
    site.enrolled(2, 1, "manual").await;
    site.has_role(2, 1, "student", "manual").await;
    let lines = "cmd,rolename,cid,uid,enrol,gcmd,g1\nadd,manager,c1,u3,,,\nshift,student,c1,u1,,,\ndel,,c1,u1,,,\n\
        del,,c1,u2,,,\nadd,student,c1,u4,,gaddcreate,Neuf\n";
    let report = site.dropped_as("a.csv", &profile(), lines).await;
    let told = [
        "2 role-not-allowed manager flatfile.roles",
        "3 change-refused u1 unenrol",
        "4 change-refused u1 unenrol",
        "5 change-refused u2 unenrol",
        "6 group-unknown Neuf c1",
    ];
    assert_eq!(site.list_problems(&report).await, told);
    let allowed = Profile { unenrol: Some(true), create_groups: true, ..profile() };
    let report = site.dropped_as("b.csv", &allowed, lines).await;
    let told = (2..=4).map(|line| format!("{line} role-not-allowed manager flatfile.roles")).collect::<Vec<_>>();
    assert_eq!(site.list_problems(&report).await, told);
    assert_eq!(site.roles().await, ["u1 c1 manager manual", "u4 c1 student manual"]);
    assert_eq!(site.group_members().await, ["u4 Neuf manual"]);
}

/// What takes people out of groups needs the permission that `del` needs, and nobody joins a group by leaving a course.
async fn a_dropped_file_takes_nobody_out_of_a_group(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    for who in [1, 2, 3] {
        site.enrolled(who, 1, "manual").await;
        site.in_group(who, 1, ("", 0)).await;
    }
    let lines = "cmd,rolename,cid,uid,enrol,gcmd,g1\nadd,student,c1,u1,,gdel,g1\nadd,student,c1,u2,,greplace,g1\n\
        add,student,c1,u3,,greplacecreate,Neuf\nadd,student,c1,u4,,gadd,g1\ndel,,c1,u1,,gaddcreate,Vide\n";
    let before = site.group_members().await;
    let report = site.dropped_as("a.csv", &profile(), lines).await;
    let mut told: Vec<String> = (2..=4).map(|n| format!("{n} change-refused u{} unenrol", n - 1)).collect();
    told.push("6 bad-verb gaddcreate gdel".to_owned());
    assert_eq!(site.list_problems(&report).await, told);
    assert_eq!((site.enrolments().await.len(), site.count("groups").await), (4, 1));
    assert_eq!(site.group_members().await, [before, vec!["u4 g1 manual".to_owned()]].concat());
    let allowed = Profile { unenrol: Some(true), create_groups: true, ..profile() };
    site.dropped_as("b.csv", &allowed, lines).await;
    assert_eq!(site.group_members().await, ["u2 g1 manual", "u3 Neuf manual", "u4 g1 manual"]);
    assert_eq!(site.count("groups").await, 2);
}

/// Each pair of person and course may have several orders: the guard adds up what they take away.
async fn too_many_who_leave_groups_are_held(mut site: Site) {
    site.campus().await;
    for number in [1, 2] {
        site.group(number, 1).await;
        for who in 1..=8 {
            site.in_group(who, number, ("", 0)).await;
        }
    }
    for who in 1..=8 {
        site.enrolled(who, 1, "manual").await;
        site.has_role(who, 1, "student", "manual").await;
    }
    site.set("guard.mode", "hold");
    site.set("guard.run.removals_max", "12");
    site.set("guard.run.removals_percent", "0");
    let before = site.dump().await;
    let lines: String = (1..=8)
        .map(|who| format!("add,student,c1,u{who},manual,gdel,g1\nadd,student,c1,u{who},manual,gdel,g2\n"))
        .collect();
    let report = site.users_once(&profile(), &format!("cmd,rolename,cid,uid,enrol,gcmd,g1\n{lines}")).await;
    assert_eq!(report.state, State::Held);
    assert_eq!(report.breaches[0].scope, "group-members");
    site.nothing_changed(&before, "held").await;
}

async fn too_much_is_held(mut site: Site) {
    site.campus().await;
    for who in 1..=8 {
        site.enrolled(who, 1, "manual").await;
    }
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let out: String = (1..=8).map(|who| format!("del,,c1,u{who},manual\n")).collect();
    let wrong: String = (1..=40).map(|who| format!("add,student,c1,nobody{who},manual\n")).collect();
    for lines in [out, wrong] {
        let report = site.users_once(&profile(), &format!("cmd,rolename,cid,uid,enrol\n{lines}")).await;
        assert_eq!(report.state, State::Held);
        site.nothing_changed(&before, "held").await;
    }
}

async fn statements_do_not_grow_with_orders(mut site: Site) {
    site.crowd(550).await;
    let mut few = 0;
    for (from, to) in [(1, 50), (51, 550)] {
        let row =
            |n: i64| format!("add;student;c1;p{n};;gaddcreate;G{};H{}\nshift;teacher;c1;p{n};;;;\n", n % 7, n % 3);
        let lines: String = (from..=to).map(row).collect();
        let text = format!("cmd;rolename;cid;uid;enrol;gcmd;g1;g2\n{lines}");
        let import = Import { profile: Some(Arc::new(profile())), ..site.write(text) };
        let report = site.engine().import(&import, false).await.unwrap();
        assert_eq!((report.errors, report.counts["enrolment.add"]), (0, to - from + 1), "{:?}", report.counts);
        match few {
            0 => few = report.statements,
            // The load takes more chunks.
            _ => assert!(report.statements <= few + 8, "{} statements for 500 people, {few} for 50", report.statements),
        }
    }
}
