//! Files of enrolment methods on the small campus: which methods are added, changed and removed, and who is enrolled by
//! them in the same run. It must not test how rows are read.

use std::sync::Arc;

use enrold::config::{CohortKey, CourseKey, FileKind, Profile};
use enrold::db::Params;
use enrold::disk::Dir;
use enrold::outcome::{Note, Report, State};
use enrold::run::{Dropped, Import};

use crate::campus::{context, course, role};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    methods_are_added_and_their_members_enrolled,
    methods_change_and_are_disabled_and_enabled,
    links_follow_the_methods_of_their_source,
    a_removed_method_names_who_loses_a_place,
    who_moves_from_one_method_to_another_keeps_the_place,
    too_many_who_lose_their_place_are_held,
    globs_and_categories_mean_many_courses,
    a_file_means_so_many_courses_at_most,
    what_gets_another_role_is_not_added_again,
    cycles_are_refused_with_their_names,
    each_row_is_applied_as_a_whole_or_not_at_all,
    values_that_name_nothing,
    a_dropped_file_gives_the_roles_that_it_may,
    a_dropped_file_opens_no_course,
    a_dropped_upload_copies_no_role_that_it_may_not_give,
    a_dropped_file_removes_methods_if_its_profile_says_so,
    too_many_in_disabled_methods_are_held,
    groups_and_methods_have_names_that_pages_show,
    commands_of_tool_sync,
    columns_of_a_course_upload,
    a_course_upload_removes_a_method,
    statements_do_not_grow_with_rows,
);

const HEADER: &str = "operation;method;shortname;metacohort;disabled;group;role;newrole;name;startdate;enddate\n";

fn methods() -> Profile {
    Profile { create_groups: true, ..Profile::of(FileKind::Methods) }
}

impl Site {
    /// Imports rows of methods with the proofs of [`Site::users`]; gives the report and its problems.
    async fn methods_by(&mut self, rows: &str) -> (Report, Vec<String>) {
        self.methods_as(&methods(), &format!("{HEADER}{}", whole(rows))).await
    }

    async fn methods_as(&mut self, profile: &Profile, text: &str) -> (Report, Vec<String>) {
        let report = self.users(profile, text).await;
        let told = self.method_problems(&report).await;
        (report, told)
    }

    async fn method_problems(&mut self, report: &Report) -> Vec<String> {
        let sql = "SELECT number, code, value, hint FROM {enrold_error} WHERE run = :run";
        let rows = self.conn.rows(sql, &Params::new().with("run", report.run)).await.unwrap();
        let line = |row: &enrold::db::Row| format!("{} {} {} {}", row.int(0), row.text(1), row.text(2), row.text(3));
        let mut told: Vec<(i64, String)> = rows.iter().map(|row| (row.int(0), line(row))).collect();
        told.sort();
        told.into_iter().map(|(_, problem)| problem.trim_end().to_owned()).collect()
    }

    async fn dropped_methods(&mut self, rows: &str) -> (Report, Vec<String>) {
        self.dropped_methods_as(&methods(), &format!("{HEADER}{}", whole(rows))).await
    }

    async fn dropped_methods_as(&mut self, profile: &Profile, text: &str) -> (Report, Vec<String>) {
        let import = self.users_file(profile, text);
        let file = Ok(Dir::open_named(&import.path).unwrap());
        let token = import.path.display().to_string();
        let dropped = Dropped { shown: "/sync/methods.csv".to_owned(), token, file, again: false };
        let report = self.engine().import(&Import { dropped: Some(dropped), ..import }, false).await.unwrap();
        let told = self.method_problems(&report).await;
        (report, told)
    }

    /// Methods but the manual ones as `c1 cohort h1 student`, with ` disabled` and ` group G` where they apply.
    async fn method_list(&mut self) -> Vec<String> {
        let sql =
            "SELECT s.shortname, e.enrol, COALESCE(h.idnumber, o.shortname, '-'), COALESCE(r.shortname, '-'), e.status,
                COALESCE(g.name, '') FROM {enrol} e JOIN {course} s ON s.id = e.courseid
            LEFT JOIN {cohort} h ON e.enrol = 'cohort' AND h.id = e.customint1
            LEFT JOIN {course} o ON e.enrol = 'meta' AND o.id = e.customint1
            LEFT JOIN {role} r ON r.id = e.roleid LEFT JOIN {groups} g ON g.id = e.customint2
           WHERE e.enrol <> 'manual'";
        self.lines(sql, |row| {
            let disabled = if row.int(4) == 1 { " disabled" } else { "" };
            let group = if row.text(5).is_empty() { String::new() } else { format!(" group {}", row.text(5)) };
            format!("{} {} {} {}{disabled}{group}", row.text(0), row.text(1), row.text(2), row.text(3))
        })
        .await
    }
}

/// Rows of a few cells, with the cells that they lack.
fn whole(rows: &str) -> String {
    rows.lines()
        .map(|row| format!("{row}{}\n", ";".repeat(10_usize.saturating_sub(row.matches(';').count()))))
        .collect()
}

fn removed(report: &Report) -> Option<(u64, i64, i64, &str)> {
    report.notes.iter().find_map(|note| match note {
        Note::MethodsRemoved { methods, enrolments, places, list } => {
            Some((*methods, *enrolments, *places, list.as_str()))
        }
        _ => None,
    })
}

async fn methods_are_added_and_their_members_enrolled(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2]).await;
    site.cohort(2, &[3]).await;
    site.group(1, 1).await;
    site.enrolled(4, 2, "manual").await;
    site.has_role(4, 2, "student", "manual").await;
    let rows = "add;cohort;c1;h1;;TD 1;;;Promotion;2026-09-01;2027-06-30\nadd;cohort;c1;h2;0;g1;teacher\nadd;meta;c3;c2;;*new\n\
                add;cohort;c2;h2;1;\nadd;cohort;c2;h1;;*new;5\n";
    let (report, told) = site.methods_by(rows).await;
    assert_eq!((report.state, told), (State::Done, Vec::new()));
    assert_eq!((report.counts["instance.add"], report.counts["group.add"]), (5, 3));
    let methods = [
        "c1 cohort h1 student group TD 1",
        "c1 cohort h2 teacher group g1",
        "c2 cohort h1 student group h1",
        "c2 cohort h2 student disabled",
        "c3 meta c2 student group c2",
    ];
    assert_eq!(site.method_list().await, methods);
    let enrolments = [
        "u1 c1 cohort",
        "u1 c2 cohort",
        "u1 c3 meta",
        "u2 c1 cohort",
        "u2 c2 cohort",
        "u2 c3 meta",
        "u3 c1 cohort",
        "u4 c2 manual",
        "u4 c3 meta",
    ];
    assert_eq!(site.enrolments().await, enrolments);
    assert_eq!(site.group_members().await.len(), 8);
    let sql = "SELECT e.name, e.enrolstartdate, e.enrolenddate FROM {enrol} e WHERE e.name = 'Promotion'";
    assert_eq!(site.lines(sql, |row| format!("{} {}", row.int(1), row.int(2))).await.len(), 1);
}

async fn methods_change_and_are_disabled_and_enabled(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2]).await;
    site.cohort_link(1, 1, "student").await;
    site.cohort_link(2, 1, "student").await;
    site.rule("cohort").await;
    let (report, told) = site.methods_by("disable;cohort;c1;h1\nupd;cohort;c2;h1;;Équipe;;teacher;Deux;;\n").await;
    assert_eq!((told, report.counts["instance.update"]), (Vec::new(), 2));
    assert_eq!(site.method_list().await, ["c1 cohort h1 student disabled", "c2 cohort h1 teacher group Équipe"]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u1 c2 cohort", "u2 c1 cohort", "u2 c2 cohort"]);
    assert_eq!(site.roles().await, ["u1 c2 teacher cohort", "u2 c2 teacher cohort"]);
    assert_eq!(site.group_members().await, ["u1 Équipe cohort", "u2 Équipe cohort"]);
    let (_, told) = site.methods_by("enable;cohort;c1;h1\nmodify;cohort;c2;h1;1;-;teacher\n").await;
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(site.method_list().await, ["c1 cohort h1 student", "c2 cohort h1 teacher disabled"]);
    assert_eq!(site.roles().await, ["u1 c1 student cohort", "u2 c1 student cohort"]);
    assert_eq!(site.group_members().await, Vec::<String>::new());
    // A row that says less changes less; what is as it says is left alone.
    let (report, told) = site.methods_by("upd;cohort;c2;h1;;;teacher\nadd;cohort;c1;h1\n").await;
    assert_eq!((told, report.counts.len()), (Vec::new(), 0));
    assert!(report.notes.contains(&Note::MethodsUnchanged(2)), "{:?}", report.notes);
}

async fn links_follow_the_methods_of_their_source(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.link(2, 1).await;
    site.rule("cohort").await;
    site.rule("meta").await;
    assert_eq!(site.roles().await, ["u1 c1 student cohort", "u1 c2 student meta"]);
    let (_, told) = site.methods_by("disable;cohort;c1;h1\n").await;
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u1 c2 meta suspended"]);
    assert_eq!(site.roles().await, Vec::<String>::new());
    // A link by hand has no role of its own, and is found all the same.
    site.methods_by("enable;cohort;c1;h1\ndisable;meta;c2;c1;;;teacher\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u1 c2 meta"]);
    assert_eq!(site.roles().await, ["u1 c1 student cohort"]);
}

async fn a_removed_method_names_who_loses_a_place(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2, 3]).await;
    site.cohort_link(1, 1, "student").await;
    site.cohort_link(2, 1, "student").await;
    site.rule("cohort").await;
    site.enrolled(1, 1, "manual").await;
    site.has_role(1, 1, "student", "manual").await;
    let (report, told) = site.methods_by("delete;cohort;c1;h1\n").await;
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(removed(&report), Some((1, 3, 2, "c1 cohort (2)")));
    assert_eq!((report.counts["instance.remove"], report.counts["enrolment.remove"]), (1, 3));
    assert_eq!(site.enrolments().await, ["u1 c1 manual", "u1 c2 cohort", "u2 c2 cohort", "u3 c2 cohort"]);
    assert_eq!(site.method_list().await, ["c2 cohort h1 student"]);
    let (_, told) = site.methods_by("supprimer;cohort;c1;h1;;;*\n").await;
    assert_eq!(told, ["2 method-missing cohort h1 (*) c1"]);
}

async fn who_moves_from_one_method_to_another_keeps_the_place(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.cohort(2, &[1, 2]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    let (report, told) = site.methods_by("del;cohort;c1;h1\nadd;cohort;c1;h2\n").await;
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(removed(&report), Some((1, 1, 0, "c1 cohort (0)")));
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u2 c1 cohort"]);
    // What is removed and added again was never gone.
    let (report, _) = site.methods_by("del;cohort;c1;h2\nadd;cohort;c1;h2;1\n").await;
    assert_eq!(removed(&report), None);
    assert_eq!(site.method_list().await, ["c1 cohort h2 student disabled"]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u2 c1 cohort"]);
}

async fn too_many_who_lose_their_place_are_held(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let report = site.users_once(&methods(), &format!("{HEADER}{}", whole("delete;cohort;c1;h1\n"))).await;
    assert_eq!(report.state, State::Held);
    assert_eq!(removed(&report), Some((1, 8, 8, "c1 cohort (8)")));
    site.nothing_changed(&before, "held").await;
}

async fn globs_and_categories_mean_many_courses(mut site: Site) {
    site.cohort_campus().await;
    site.courses_up_to(12).await;
    site.category(7, 0).await;
    site.reset_sequences().await;
    site.sql(&format!("UPDATE {{course}} SET category = 7 WHERE id IN ({}, {})", course(11), course(12))).await;
    site.sql("UPDATE {course_categories} SET name = 'L1', parent = 1 WHERE id = 7").await;
    site.cohort(1, &[1]).await;
    site.cohort(2, &[2]).await;
    let (report, told) = site.methods_by("add;cohort;c1?;h1\nadd;cohort;Sciences / L1;h2\n").await;
    assert_eq!(told, Vec::<String>::new());
    let expected = [
        "c10 cohort h1 student",
        "c11 cohort h1 student",
        "c11 cohort h2 student",
        "c12 cohort h1 student",
        "c12 cohort h2 student",
    ];
    assert_eq!(site.method_list().await, expected);
    let meant: Vec<String> = (report.notes.iter())
        .filter_map(|note| match note {
            Note::CoursesMeant { line, written, courses, list } => Some(format!("{line} {written} {courses} {list}")),
            _ => None,
        })
        .collect();
    assert_eq!(meant, ["2 c1? 3 c10, c11, c12", "3 Sciences / L1 2 c11, c12"]);
    // Courses of a pattern that lack the method are left out; if all lack it, the row is wrong.
    let (report, told) =
        site.methods_by("del;cohort;c*;h2\ndel;cohort;c?;h1\nadd;cohort;x*;h1\nadd;cohort;L1/;h1\n").await;
    let wrong = ["3 method-missing cohort h1 c?", "4 course-unknown x* shortname", "5 course-unknown L1/ shortname"];
    assert_eq!((told, report.counts["instance.remove"]), (wrong.map(str::to_owned).to_vec(), 2));
    let (report, _) = site.methods_by("del;cohort;Sciences/;h1\n").await;
    assert_eq!(report.counts["instance.remove"], 3, "of the categories below too");
}

async fn a_file_means_so_many_courses_at_most(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    let long = format!("{}c1", "*".repeat(300));
    let rows: String = (0..1_001).map(|n| format!("delete;cohort;c?*{n}*;h1\n")).collect();
    let report =
        site.users_once(&methods(), &format!("{HEADER}{}", whole(&format!("add;cohort;{long};h1\n{rows}")))).await;
    let told = site.method_problems(&report).await;
    assert!(told[0].starts_with("2 value-too-long") && told[1].starts_with("3 course-unknown"), "{}", told[0]);
    let last: Vec<&str> = told[1_000..].iter().map(|problem| problem.split(' ').nth(1).unwrap()).collect();
    assert_eq!(last, ["too-many-patterns", "too-many-patterns"], "the long one counts too");
    // Of a record that fails later no courses are noted, neither of it nor of what was applied before.
    let (report, told) = site.methods_by("add;cohort;c*;h1\nadd;cohort;c?;h1;1\n").await;
    assert_eq!(told, ["3 method-exists cohort h1 c1"]);
    let meant = report.notes.iter().filter(|note| matches!(note, Note::CoursesMeant { .. })).count();
    assert_eq!(meant, 1);
    let upload =
        "shortname,enrolment_1,enrolment_1_cohortidnumber,enrolment_1_role,enrolment_2\nc*,cohort,h1,teacher,guest\n";
    let (report, told) = site.methods_as(&Profile::of(FileKind::CourseMethods), upload).await;
    assert_eq!((told.len(), report.counts.len()), (1, 0));
    assert!(!report.notes.iter().any(|note| matches!(note, Note::CoursesMeant { .. })), "{:?}", report.notes);
}

async fn what_gets_another_role_is_not_added_again(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2]).await;
    // Each file is proved to change nothing when it comes again.
    let rows = "add;cohort;c1;h1;;TD;student\nupd;cohort;c1;h1;;;student;teacher\nadd;cohort;c*;h1;;;editingteacher\n\
                upd;cohort;c2;h1;1;;editingteacher;student\n";
    let (_, told) = site.methods_by(rows).await;
    assert_eq!(told, Vec::<String>::new());
    let expected = [
        "c1 cohort h1 editingteacher",
        "c1 cohort h1 teacher group TD",
        "c2 cohort h1 student disabled",
        "c3 cohort h1 editingteacher",
    ];
    assert_eq!(site.method_list().await, expected);
    // A new method has the new role at once.
    let (_, told) = site.methods_by("add;cohort;c3;h1;;;student;teacher\n").await;
    assert_eq!((told.len(), site.method_list().await.len()), (0, 5));
    let upload = "shortname,enrolment_1,enrolment_1_cohortidnumber,enrolment_1_role,enrolment_2,\
                  enrolment_2_cohortidnumber,enrolment_2_role\nc2,cohort,h1,teacher,cohort,h1,editingteacher\n";
    let (_, told) = site.methods_as(&Profile::of(FileKind::CourseMethods), upload).await;
    let of_c2 = ["c2 cohort h1 editingteacher", "c2 cohort h1 student disabled", "c2 cohort h1 teacher"];
    assert_eq!((told.len(), &site.method_list().await[2..5]), (0, &of_c2.map(str::to_owned)[..]));
}

async fn cycles_are_refused_with_their_names(mut site: Site) {
    site.cohort_campus().await;
    site.link(2, 1).await;
    let rows = "add;meta;c1;c1\nadd;meta;c1;c2\nadd;meta;c3;c2;1\nadd;meta;c1;c3\nadd;meta;c*;c2\n";
    let (_, told) = site.methods_by(rows).await;
    let cycles = [
        "2 method-cycle c1 -> c1",
        "3 method-cycle c2 -> c1 -> c2",
        "5 method-cycle c3 -> c1 -> c2 -> c3",
        "6 method-cycle c2 -> c1 -> c2",
    ];
    assert_eq!(told, cycles);
    assert_eq!(site.method_list().await, ["c2 meta c1 -", "c3 meta c2 student disabled"]);
    // What the file removes first closes no cycle.
    let report = site.users_once(&methods(), &format!("{HEADER}{}", whole("del;meta;c3;c2\nadd;meta;c1;c3\n"))).await;
    assert_eq!(report.state, State::Done);
    assert_eq!(site.method_list().await, ["c1 meta c3 student", "c2 meta c1 -"]);
}

async fn each_row_is_applied_as_a_whole_or_not_at_all(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.cohort_link(2, 1, "student").await;
    site.rule("cohort").await;
    // c2 has the method, without the group: no course gets it, and no group is made.
    let (report, told) = site.methods_by("add;cohort;c*;h1;;TD\nadd;cohort;c1;h1;;Un\nadd;cohort;c3;h1;;\n").await;
    assert_eq!((told, report.counts["group.add"]), (vec!["2 method-exists cohort h1 c2".to_owned()], 1));
    // A blank group is none, not that of the row before.
    let expected = ["c1 cohort h1 student group Un", "c2 cohort h1 student", "c3 cohort h1 student"];
    assert_eq!(site.method_list().await, expected);
    let none = Profile { create_groups: false, ..methods() };
    let (_, told) = site.methods_as(&none, &format!("{HEADER}{}", whole("upd;cohort;c3;h1;1;Deux\n"))).await;
    assert_eq!(told, ["2 group-unknown Deux c3"]);
    assert_eq!(site.method_list().await, expected);
}

async fn values_that_name_nothing(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    let before = site.dump().await;
    let long = "x".repeat(300);
    let rows = format!(
        "add;cohort;c9;h1\nadd;cohort;c1;h9\nadd;meta;c1;c9\nadd;cohort;c1;h1;;;nobody\nadd;cohort;c1;h1;;;coursecreator\n\
         add;cohort;c1;h1;;A\u{1}B\nadd;cohort;c1;h1;;{long}\nadd;cohort;c\u{7f}1;h1\nadd;cohort;front;h1\n\
         add;cohort;c1;h1;;;;;;2027-01-01;2026-01-01\nadd;cohort;{long};h1\nadd;cohort;c1;{long}\nadd;cohort;*;h1;;;*\n"
    );
    let (_, told) = site.methods_by(&rows).await;
    let codes: Vec<String> =
        told.iter().map(|problem| problem.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "2 course-unknown",
        "3 cohort-unknown",
        "4 course-unknown",
        "5 role-unknown",
        "6 role-unknown",
        "7 value-charset",
        "8 value-too-long",
        "9 course-unknown",
        "10 course-unknown",
        "11 end-before-start",
        "12 course-unknown",
        "13 cohort-unknown",
        "14 role-unknown",
    ];
    assert_eq!(codes, expected);
    site.nothing_changed(&before, "nothing but wrong rows").await;
    site.methods("manual,meta").await;
    let (_, told) = site.methods_by("add;cohort;c1;h1\n").await;
    assert_eq!(told, ["2 no-method cohort c1"], "a method that the site has switched off");
    site.methods("manual,cohort").await;
    let by = Profile { course_key: CourseKey::Idnumber, cohort_key: CohortKey::Name, ..methods() };
    site.sql("UPDATE {cohort} SET idnumber = 'other'").await;
    let (_, told) =
        site.methods_as(&by, &format!("{HEADER}{}", whole("add;cohort;c1;h1\nadd;cohort;c2;other\n"))).await;
    assert_eq!(told, ["3 cohort-unknown other name"]);
}

async fn a_dropped_file_gives_the_roles_that_it_may(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.cohort(2, &[2]).await;
    site.cohort_link(1, 1, "manager").await;
    site.cohort_link(3, 2, "student").await;
    site.rule("cohort").await;
    site.assigned(2, context(3), "manager", ("", 0), 1).await;
    let rows = "add;cohort;c2;h1;;;manager\ndisable;cohort;c1;h1;;;*\ndel;cohort;c1;h1;;;manager\nadd;meta;c2;c1\n\
                upd;cohort;c3;h2;;;;manager\ndel;cohort;c3;h2\nadd;cohort;c2;h1\nadd;meta;c2;c3\n";
    let (_, told) = site.dropped_methods(rows).await;
    let refused: Vec<String> =
        [2, 3, 4, 5, 6, 7, 9].iter().map(|n| format!("{n} role-not-allowed manager flatfile.roles")).collect();
    assert_eq!(told, refused);
    let expected = ["c1 cohort h1 manager", "c2 cohort h1 student", "c3 cohort h2 student"];
    assert_eq!(site.method_list().await, expected);
    let (_, told) = site.methods_by("disable;cohort;c1;h1;;;*\n").await;
    assert_eq!(told, Vec::<String>::new(), "an operator may");
}

async fn a_dropped_file_opens_no_course(mut site: Site) {
    site.cohort_campus().await;
    // By that of c1 one becomes a manager.
    site.instance("self", 1, 1, "manager").await;
    site.instance("self", 2, 1, "student").await;
    site.instance("self", 3, 1, "student").await;
    site.instance("guest", 3, 1, "student").await;
    site.sql("UPDATE {enrol} SET roleid = 0 WHERE enrol = 'guest'").await;
    let profile = Profile::of(FileKind::CourseMethods);
    let text = "shortname,enrolment_1,enrolment_1_disable\nc1,self,0\nc2,self,0\nc3,self,0\nc3,guest,0\n";
    let opened = ["c2 self - student", "c3 guest - -", "c3 self - student"];
    let closed =
        |list: Vec<String>| list.into_iter().filter(|method| !method.ends_with("disabled")).collect::<Vec<_>>();
    let (_, told) = site.dropped_methods_as(&profile, text).await;
    let manager = "2 role-not-allowed manager flatfile.roles".to_owned();
    let of_self = [3, 4].map(|n| format!("{n} change-refused self open_courses"));
    let guest = "5 change-refused guest open_courses".to_owned();
    assert_eq!(told, [vec![manager.clone()], of_self.to_vec(), vec![guest]].concat());
    assert_eq!(closed(site.method_list().await), [""; 0]);
    let allowed = Profile { open_courses: Some(true), ..profile.clone() };
    assert_eq!(site.dropped_methods_as(&allowed, text).await.1, [manager]);
    assert_eq!(closed(site.method_list().await), opened);

    // By a command: unless the site wants keys.
    site.sql("UPDATE {enrol} SET status = 1 WHERE enrol = 'self'").await;
    site.plugin_setting("enrol_self", "requirepassword", Some("1")).await;
    let text = "shortname,enrolment_1,enrolment_1_disable\nc2,self,0\n";
    assert_eq!(site.methods_as(&profile, text).await.1, ["2 change-refused self open_courses"]);
    site.plugin_setting("enrol_self", "requirepassword", Some("0")).await;
    assert_eq!(site.methods_as(&profile, text).await.1, [""; 0]);

    // One that is enabled already: its dates and its role say who comes in as what.
    site.sql("UPDATE {enrol} SET enrolenddate = 7 WHERE enrol = 'self'").await;
    let text = "shortname,enrolment_1,enrolment_1_role,enrolment_1_enddate,enrolment_1_name\nc2,self,,-,\n\
        c2,self,teacher,,\nc2,self,,,Nom\n";
    let (_, told) = site.dropped_methods_as(&profile, text).await;
    assert_eq!(told, ["2 change-refused self open_courses", "3 change-refused self (teacher) open_courses"]);
}

/// The row names no source: the only link of the course is meant.
async fn a_dropped_upload_copies_no_role_that_it_may_not_give(mut site: Site) {
    site.cohort_campus().await;
    site.enrolled(1, 1, "manual").await;
    site.has_role(1, 1, "manager", "manual").await;
    let (_, told) = site.methods_by("add;meta;c2;c1;1\n").await;
    assert_eq!(told, Vec::<String>::new());
    let profile = Profile::of(FileKind::CourseMethods);
    let text = "shortname,enrolment_1,enrolment_1_disable\nc2,meta,0\n";
    let (_, told) = site.dropped_methods_as(&profile, text).await;
    assert_eq!(told, ["2 role-not-allowed manager flatfile.roles"]);
    assert_eq!(site.method_list().await, ["c2 meta c1 student disabled"]);
    assert_eq!(site.enrolments().await, ["u1 c1 manual"]);
}

async fn a_dropped_file_removes_methods_if_its_profile_says_so(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    let text = format!("{HEADER}{}", whole("delete;cohort;c1;h1\n"));
    let (_, told) = site.dropped_methods_as(&methods(), &text).await;
    assert_eq!(told, ["2 change-refused cohort h1 delete"]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort"]);
    let (_, told) = site.dropped_methods_as(&Profile { delete: Some(true), ..methods() }, &text).await;
    assert_eq!(told, Vec::<String>::new());
    assert!(site.enrolments().await.is_empty());
}

async fn too_many_in_disabled_methods_are_held(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let report = site.users_once(&methods(), &format!("{HEADER}{}", whole("disable;cohort;c1;h1;;;*\n"))).await;
    assert_eq!((report.state, report.breaches[0].scope.as_str()), (State::Held, "disabled-methods"));
    site.nothing_changed(&before, "held").await;
}

async fn groups_and_methods_have_names_that_pages_show(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.cohort(2, &[2]).await;
    site.cohort(3, &[3]).await;
    site.sql("UPDATE {cohort} SET name = ' ' WHERE idnumber = 'h1'").await;
    site.sql("UPDATE {cohort} SET name = '<b>x</b>' WHERE idnumber = 'h2'").await;
    let rows = "add;cohort;c1;h1;;*new\nadd;cohort;c1;h2;;*new\nadd;cohort;c1;h3;;<b>G</b>\n\
        add;cohort;c1;h3;;A\u{202e}B\nadd;cohort;c1;h3;;;;;<i>x</i>\n";
    let (_, told) = site.methods_by(rows).await;
    let codes: Vec<String> = told.iter().map(|told| told.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = ["2 value-unusable", "3 value-unusable", "4 group-unknown", "5 group-unknown", "6 value-unusable"];
    assert_eq!(codes, expected);
    assert_eq!((site.count("groups").await, site.enrolments().await.len()), (0, 0));
    // A course upload may leave the cohort unsaid.
    assert_eq!(site.methods_by("add;cohort;c1;h3\n").await.1, Vec::<String>::new());
    let profile = Profile::of(FileKind::CourseMethods);
    let (_, told) = site.methods_as(&profile, "shortname,enrolment_1,enrolment_1_addtogroup\nc1,cohort,1\n").await;
    assert_eq!(told, ["2 empty-identifier cohortidnumber"]);
    assert_eq!(site.count("groups").await, 0);
}

async fn commands_of_tool_sync(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    let header = "cmd;cohort;course;enrol;role;makegroup\n";
    let by = |rows: &str| format!("{header}{rows}");
    let (_, told) = site.methods_as(&methods(), &by("add;h1;c1;cohort;student;1\nadd;h1;c2;;;\n")).await;
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(site.method_list().await, ["c1 cohort h1 student group h1", "c2 cohort h1 student"]);
    site.methods_as(&methods(), &by("del;h1;c1;cohort;*;\nfulldel;h1;c2;;;\n")).await;
    assert_eq!(site.method_list().await, ["c1 cohort h1 student disabled group h1"]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort"]);
    assert_eq!(site.roles().await, Vec::<String>::new());
    site.methods_as(&methods(), &by("add;h1;c1;;;\n")).await;
    assert_eq!(site.roles().await, ["u1 c1 student cohort"], "it is enabled again");
}

async fn columns_of_a_course_upload(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.enrolled(2, 1, "manual").await;
    site.has_role(2, 1, "student", "manual").await;
    let profile = Profile::of(FileKind::CourseMethods);
    let text = "shortname,fullname,enrolment_1,enrolment_1_enrolperiod,enrolment_1_role,enrolment_2,\
                enrolment_2_cohortidnumber,enrolment_2_role,enrolment_2_addtogroup,enrolment_3,enrolment_3_metacoursename\n\
                c1,x,manual,30 days,teacher,cohort,h1,,yes,,\nc2,x,,,,,,,,meta,c1\nc3,x,manual,,,cohort,h9,,,,\n\
                c3,x,nosuch,,,,,,,,\nc3,x,guest,,,,,,,,\n";
    let (report, told) = site.methods_as(&profile, text).await;
    assert_eq!(told, ["4 cohort-unknown h9 idnumber", "5 no-method nosuch c3", "6 no-method guest c3"]);
    assert!(report.notes.contains(&Note::ColumnsIgnored("fullname".to_owned())), "{:?}", report.notes);
    assert_eq!(site.method_list().await, ["c1 cohort h1 student group h1", "c2 meta c1 -"]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u1 c2 meta", "u2 c1 manual", "u2 c2 meta"]);
    let sql = format!(
        "SELECT s.shortname, e.enrolperiod FROM {{enrol}} e JOIN {{course}} s ON s.id = e.courseid
          WHERE e.enrol = 'manual' AND e.roleid = {}",
        role("teacher")
    );
    assert_eq!(site.lines(&sql, |row| format!("{} {}", row.text(0), row.int(1))).await, ["c1 2592000"]);
    let (_, told) =
        site.methods_as(&profile, "shortname,enrolment_1,enrolment_1_disable\nc1,cohort,1\nc3,cohort,1\n").await;
    assert_eq!(told, ["3 empty-identifier cohortidnumber"]);
    assert_eq!(site.method_list().await, ["c1 cohort h1 student disabled group h1", "c2 meta c1 -"]);
}

async fn a_course_upload_removes_a_method(mut site: Site) {
    site.cohort_campus().await;
    for who in 1..=2 {
        site.enrolled(who, 1, "manual").await;
        site.has_role(who, 1, "student", "manual").await;
    }
    site.group(1, 1).await;
    site.in_group(1, 1, ("", 0)).await;
    let profile = Profile::of(FileKind::CourseMethods);
    let report = site.users(&profile, "shortname,enrolment_1,enrolment_1_delete\nc1,manual,1\n").await;
    assert_eq!(removed(&report), Some((1, 2, 2, "c1 manual (2)")));
    assert_eq!((site.enrolments().await, site.roles().await, site.group_members().await), Default::default());
    assert_eq!(site.instances("manual").await, ["c2", "c3"]);
}

async fn statements_do_not_grow_with_rows(mut site: Site) {
    site.cohort_campus().await;
    site.set("run.lease_ttl", "3600");
    site.courses_up_to(99).await;
    for number in 1..=4 {
        site.cohort(number, &[number, number + 1]).await;
    }
    site.reset_sequences().await;
    let rows = |verb: &str, from: i64, to: i64| -> String {
        let of_course = |c: i64| {
            let cohorts = (1..=4).map(move |h| format!("{verb};cohort;c{c};h{h};;G{h}\n"));
            cohorts.chain([format!("{verb};meta;c{c};c1;;\n")]).collect::<String>()
        };
        (from..=to).map(of_course).collect()
    };
    let mut few: Vec<u64> = Vec::new();
    for (from, to) in [(2, 11), (12, 99)] {
        for (at, verb) in ["add", "disable", "delete"].into_iter().enumerate() {
            let text = format!("{HEADER}{}", whole(&rows(verb, from, to)));
            let import = Import { profile: Some(Arc::new(methods())), ..site.write(text) };
            let report = site.engine().import(&import, false).await.unwrap();
            assert_eq!(report.errors, 0, "{:?}", report.problems);
            match few.get(at) {
                None => few.push(report.statements),
                // Each load of 500 rows is a statement: there are at most six loads.
                Some(few) => assert!(report.statements <= few + 6, "{verb}: {} and {few}", report.statements),
            }
        }
    }
}
