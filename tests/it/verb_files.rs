//! Files of kinds `convert` and `renew`: rows about courses and people, carried out as one set.
//! It must not test what a verb does to an enrolment: `verbs_convert` and `verbs_renew` do.

use std::sync::Arc;

use enrold::config::{FileKind, Profile};
use enrold::outcome::{Note, State};
use enrold::run::Import;

use crate::campus::{course, instance, user};
use crate::crowd::member;
use crate::faculty::cohort_instance;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_course_is_converted,
    rows_about_people_convert_only_them,
    a_method_is_removed_where_all_rows_agree,
    ends_by_date_and_by_period,
    rows_that_cannot_be_carried_out,
    a_dropped_file_does_what_it_may,
    what_a_file_does_not_reach,
    ends_beyond_the_calendar_and_automatic_methods_stay,
    too_much_is_held,
    statements_do_not_grow_with_rows,
);

const DAY: i64 = 86_400;

fn converts() -> Profile {
    Profile::of(FileKind::Convert)
}

fn renews() -> Profile {
    Profile::of(FileKind::Renew)
}

impl Site {
    /// The enrolments that are manual.
    async fn by_hand(&mut self) -> Vec<String> {
        let all = self.enrolments().await;
        all.into_iter().filter(|line| line.contains(" manual")).collect()
    }

    /// Two people in `c1` and one in `c2` until tomorrow, by hand; one in `c1` until yesterday, by self.
    async fn terms(&mut self) {
        self.campus().await;
        self.set("site.timezone", "Europe/Paris");
        self.instance("self", 1, 0, "student").await;
        for (who, place) in [(1, 1), (2, 1), (3, 2)] {
            self.enrolled_by(who, instance("manual", place), 0, (5, NOW + DAY)).await;
            self.has_role(who, place, "student", "manual").await;
        }
        self.enrolled_by(4, instance("self", 1), 0, (5, NOW - DAY)).await;
    }

    /// The ends of enrolments, in seconds from now, by user and course.
    async fn all_ends(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, e.courseid, x.timeend FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid
              JOIN {user} u ON u.id = x.userid";
        let number = |id| (1..9).find(|number| course(*number) == id).unwrap();
        self.lines(sql, |row| format!("{} c{} {}", row.text(0), number(row.int(1)), row.int(2) - NOW)).await
    }
}

async fn a_course_is_converted(mut site: Site) {
    site.promotion().await;
    let report = site.users_once(&converts(), "course;method\nc1;cohort\n").await;
    assert_eq!(
        site.by_hand().await,
        ["u1 c1 manual", "u2 c1 manual now-86400..now+86400", "u3 c1 manual suspended", "u4 c1 manual"]
    );
    assert_eq!(site.roles().await.len(), 4);
    assert!(site.group_members().await.iter().all(|member| member.ends_with("manual")));
    assert_eq!(site.instances("cohort").await, ["c1 disabled"]);
    let counts = [("enrolment.add", 4), ("group-member.release", 4), ("instance.suspend", 1), ("role.release", 4)];
    assert_eq!(report.counts, counts.map(|(kind, count)| (kind.to_owned(), count)).into());
    assert_eq!((report.lines.records, report.errors), (1, 0));
    let again = site.users_once(&converts(), "course;method\nc1;cohort\n").await;
    assert!(again.counts.is_empty(), "{:?}", again.counts);
    assert_eq!(site.list_problems(&again).await, ["2 no-method cohort disabled c1"]);
}

async fn rows_about_people_convert_only_them(mut site: Site) {
    site.promotion().await;
    let lines =
        "Cours,Utilisateur,Méthode,Rôle\nc1,u1,cohort,\nc1,u4,cohort,teacher\nc1,u7,cohort,\nc1,U2,Cohort,student\n";
    let report = site.users(&converts(), lines).await;
    let told = ["3 not-participant u4 ", "4 not-participant u7 "];
    assert_eq!(site.list_problems(&report).await, told);
    assert_eq!(site.by_hand().await, ["u1 c1 manual", "u2 c1 manual now-86400..now+86400"]);
    assert_eq!(site.instances("cohort").await, ["c1"], "others depend on it");
    assert_eq!(report.notes, [Note::SourceStays(1)]);
}

async fn a_method_is_removed_where_all_rows_agree(mut site: Site) {
    site.promotion().await;
    let all = |last: &str| {
        format!(
            "course;user;method;source\nc1;u1;cohort;delete\nc1;u2;cohort;delete\nc1;u3;cohort;delete\nc1;u4;cohort;{last}\n"
        )
    };
    site.users_once(&converts(), &all("keep")).await;
    assert_eq!((site.instances("cohort").await, site.by_hand().await.len()), (vec!["c1".to_owned()], 4));
    let report = site.users_once(&converts(), &all("delete")).await;
    assert_eq!(site.instances("cohort").await, Vec::<String>::new());
    assert_eq!((site.enrolments().await.len(), report.counts["enrolment.remove"]), (4, 4));
    let left = format!("SELECT COUNT(*) FROM {{enrol}} e WHERE e.id = {}", cohort_instance(1, 1));
    assert_eq!(site.conn.number(&left, &enrold::db::Params::new()).await.unwrap(), 0);
}

async fn ends_by_date_and_by_period(mut site: Site) {
    site.terms().await;
    // The later of two ends counts; of two rows about the same people the last one.
    let lines = "course,user,method,until,by\nc1,u1,,2026-11-25,\nc1,u1,,,2d\nc1,u1,manual,2026-11-24,\nc2,u3,manual,,1w\n\
                 c1,u4,self,,2d\nc1,u4,manual,,2d\n";
    let report = site.users_once(&renews(), lines).await;
    assert_eq!(site.list_problems(&report).await, ["7 not-participant u4 "]);
    let end = |days: i64| days * DAY + 13 * 3600 - 1;
    let expected = [
        format!("u1 c1 {}", end(3).max(3 * DAY)),
        format!("u2 c1 {DAY}"),
        format!("u3 c2 {}", 8 * DAY),
        format!("u4 c1 {}", 2 * DAY),
    ];
    assert_eq!(site.all_ends().await, expected);
    // A whole course, by a date: twice is once.
    let report = site.users(&renews(), "course;until\nc1;2026-11-30\n").await;
    assert_eq!(report.counts, [("enrolment.update".to_owned(), 3)].into());
    let expected = [
        format!("u1 c1 {}", end(9)),
        format!("u2 c1 {}", end(9)),
        format!("u3 c2 {}", 8 * DAY),
        format!("u4 c1 {}", end(9)),
    ];
    assert_eq!(site.all_ends().await, expected);
}

async fn rows_that_cannot_be_carried_out(mut site: Site) {
    site.terms().await;
    let lines = "course,user,role,method,until,by\nc9,u1,,,2026-12-25,\nc1,nobody,,,2026-12-25,\nc1,u1,king,,2026-12-25,\n\
                 c1,u1,,cohort,2026-12-25,\nc1,u1,,,2026-11-01,\nc1,u1,,,2026-99-99,\nc1,u1,,,,a while\n,u1,,,2026-12-25,\n\
                 c1,,,,2026-12-25,\nc1,u1,,,,\nc1,u1,,man ual,2026-12-25,\nc1,u1,teacher,,2026-12-25,\n";
    let before = site.all_ends().await;
    let report = site.users(&renews(), lines).await;
    let told: Vec<String> = site.list_problems(&report).await;
    let codes: Vec<String> = told.iter().map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "2 course-unknown c9",
        "3 user-unknown nobody",
        "4 role-unknown king",
        "5 no-method cohort",
        "6 end-before-start 2026-11-01",
        "7 bad-time 2026-99-99",
        "8 bad-time a",
        "9 empty-identifier course",
        "10 empty-identifier user",
        "11 empty-identifier until",
        "12 no-method man",
        "13 not-participant u1",
    ];
    assert_eq!(codes, expected);
    assert_eq!(site.all_ends().await, before);
    let report = site.users_once(&converts(), "course,method,source\nc1,manual,\nc1,cohort,burn\nc1,cohort,\n").await;
    let expected = ["2 no-method manual by-hand", "3 bad-verb burn disable, keep, delete", "4 no-method cohort c1"];
    assert_eq!(site.list_problems(&report).await, expected);
}

async fn a_dropped_file_does_what_it_may(mut site: Site) {
    site.promotion().await;
    site.has_role(2, 1, "manager", "manual").await;
    let lines = "course;user;method;source\nc1;u1;cohort;delete\nc1;u2;cohort;\nc1;u4;cohort;\n";
    let report = site.dropped_as("convert-1.csv", &converts(), lines).await;
    let told = ["2 change-refused delete delete", "3 role-not-allowed manager flatfile.roles"];
    assert_eq!(site.list_problems(&report).await, told);
    assert_eq!(site.by_hand().await, ["u4 c1 manual"]);
    let allowed = Profile { delete: Some(true), ..converts() };
    let report = site.dropped_as("convert-2.csv", &allowed, "course;method;source\nc1;cohort;delete\n").await;
    assert_eq!(site.list_problems(&report).await, ["2 role-not-allowed manager flatfile.roles"]);
    assert_eq!(site.by_hand().await, ["u1 c1 manual", "u3 c1 manual suspended", "u4 c1 manual"]);
    assert_eq!(site.instances("cohort").await, ["c1"], "the manager depends on it");
    site.enrolled_by(2, instance("manual", 1), 0, (5, NOW + DAY)).await;
    let report = site.dropped_as("renew-1.csv", &renews(), "course;by\nc1;1y\n").await;
    assert_eq!(site.list_problems(&report).await, ["2 role-not-allowed manager flatfile.roles"]);
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

/// What a damaged header, a site without manual enrolment and an administrator in the course must not lead to.
async fn what_a_file_does_not_reach(mut site: Site) {
    site.promotion().await;
    let before = site.dump().await;
    let nameless = "course;;method\nc1;u1;cohort\n";
    let report = site.users_once(&converts(), nameless).await;
    assert_eq!(site.list_problems(&report).await, ["2 column-unknown  nameless"]);
    site.nothing_changed(&before, "a person without a column").await;
    let by_id = Profile { user_key: enrold::config::UserKey::Id, ..converts() };
    site.sql(&format!("UPDATE {{config}} SET value = '{}' WHERE name = 'siteadmins'", user(2))).await;
    site.enrolled_by(2, instance("manual", 1), 0, (5, NOW + DAY)).await;
    let report = site.users_once(&renews(), "course;until\nc1;2026-11-30\n").await;
    assert_eq!(site.list_problems(&report).await, ["2 not-participant c1 "], "an administrator is left");
    site.sql("UPDATE {config} SET value = 'cohort' WHERE name = 'enrol_plugins_enabled'").await;
    let order = site.users_file(&converts(), "course;method\nc1;cohort\n");
    let report = site.engine().import(&order, false).await.unwrap();
    assert_eq!(report.state, State::Failed);
    assert_eq!(site.instances("cohort").await, ["c1"], "nobody would have access");
    site.sql("UPDATE {config} SET value = 'manual,cohort' WHERE name = 'enrol_plugins_enabled'").await;
    let report = site.users_once(&by_id, "course;method;source\nc1;cohort;garder\n").await;
    assert_eq!((report.errors, site.by_hand().await.len()), (0, 4));
}

async fn ends_beyond_the_calendar_and_automatic_methods_stay(mut site: Site) {
    site.terms().await;
    site.instance("database", 2, 0, "student").await;
    site.enrolled_by(5, instance("database", 2), 0, (5, NOW + DAY)).await;
    site.sql(&format!("UPDATE {{user_enrolments}} SET timeend = 8210266874999 WHERE userid = {}", user(1))).await;
    let before = site.all_ends().await;
    let lines = "course;user;method;by\nc1;u1;;1d\nc2;u5;database;1d\n";
    let report = site.users_once(&renews(), lines).await;
    assert_eq!(site.list_problems(&report).await, ["3 no-method database automatic"]);
    assert_eq!(report.notes, [Note::NotRenewed { suspended: 0, endless: 0, later: 1 }]);
    assert_eq!(site.all_ends().await, before);
}

async fn too_much_is_held(mut site: Site) {
    site.promotion().await;
    site.set("guard.mode", "hold");
    site.set("guard.run.removals_max", "1");
    let before = site.dump().await;
    let report = site.users_once(&converts(), "course;method;source\nc1;cohort;delete\n").await;
    assert_eq!(report.state, State::Held);
    site.nothing_changed(&before, "held").await;
}

async fn statements_do_not_grow_with_rows(mut site: Site) {
    site.crowd(550).await;
    site.gather();
    for number in 1..=550 {
        let row = [
            ("enrolid", instance("manual", 1).into()),
            ("userid", member(number).into()),
            ("timeend", (NOW + DAY).into()),
        ];
        site.insert("user_enrolments", &row).await;
    }
    site.send().await;
    site.reset_sequences().await;
    let mut few = 0;
    for (from, to) in [(1, 50), (51, 550)] {
        let lines: String = (from..=to).map(|number| format!("c1;p{number};{}w\n", number % 9 + 1)).collect();
        let import = Import { profile: Some(Arc::new(renews())), ..site.write(format!("course;user;by\n{lines}")) };
        let report = site.engine().import(&import, false).await.unwrap();
        assert_eq!((report.errors, report.counts["enrolment.update"]), (0, to - from + 1), "{:?}", report.counts);
        match few {
            0 => few = report.statements,
            // The load takes more chunks.
            _ => assert!(report.statements <= few + 8, "{} statements for 500 people, {few} for 50", report.statements),
        }
    }
}
