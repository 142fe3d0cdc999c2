//! Rows of full sets that wait for their user: the next good set of their source replaces them, and whose account
//! exists is enrolled as that set would have done (spec undo-explain 5). It must not test rows of files, commands or lists.

use enrold::config::{FileKind, Operation, Profile};
use enrold::outcome::{Report, State};
use enrold::run::SyncOrder;
use serde_json::json;

use crate::golden_case::set_of;
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_row_waits_for_its_account,
    the_next_set_replaces_all_rows,
    a_repeated_row_waits_longer,
    two_sources_have_their_own_rows,
    groups_states_and_windows_are_as_in_the_night,
    other_users_have_roles_only,
    a_member_waits_for_his_account,
    nobody_takes_a_place_by_registering_a_name,
    waiting_rows_count_as_unknown,
    a_held_set_keeps_nothing_and_its_approval_does,
    a_set_that_nobody_resolves_is_held,
    a_role_that_is_not_allowed_any_more,
    the_run_that_makes_the_account_enrols,
    a_disabled_method_lets_rows_wait,
    a_source_that_is_not_in_use_enrols_nobody,
    rows_of_hidden_courses_do_not_wait,
    rows_without_a_place_and_ids_do_not_wait,
    too_many_do_not_wait,
    many_rows_take_no_more_statements,
    any_order_of_sets_and_accounts_ends_as_the_night,
    rows_name_their_file_and_line,
);

const DAY: i64 = 86_400;

impl Site {
    /// A source whose rows name users and courses by idnumber and wait for a fortnight.
    async fn records_that_wait(&mut self) {
        self.records("apogee").await;
        self.reset_sequences().await;
        self.set("waiting.days", "14");
    }

    /// Applies what waits, with proofs; then the same set again changes nothing.
    async fn pass_as_the_night(&mut self, source: &str, rows: &str) -> Report {
        assert!(self.engine().finds_waiting().await.unwrap());
        let report = self.sync_jobs(&SyncOrder::of("waiting")).await;
        assert!(!self.engine().finds_waiting().await.unwrap());
        self.the_night_changes_nothing(source, rows).await;
        report
    }

    async fn the_night_changes_nothing(&mut self, source: &str, rows: &str) {
        let before = self.dump().await;
        self.set_once(source, rows).await;
        self.nothing_changed(&before, "the set of the night").await;
    }

    pub async fn set_once(&mut self, source: &str, rows: &str) -> Report {
        let snapshot = self.write(rows).path;
        self.engine().apply_set(&set_of(source, &snapshot), false).await.unwrap()
    }
}

async fn a_row_waits_for_its_account(mut site: Site) {
    site.records_that_wait().await;
    let rows = "user,course,role\nu1,c1,student\nn-eve,c1,student\nn-eve,c1,teacher\nn-ann,c2,\nn-eve,c1,student\n";
    let report = site.full_set("apogee", rows).await;
    assert_eq!((report.state, report.lines.failed, report.lines.waiting), (State::DoneWithErrors, 4, 4));
    assert_eq!(site.errors(&report).await, ["3 waiting", "4 waiting", "5 waiting", "6 waiting"]);
    let until = format!("{} user-unknown idnumber", NOW + 14 * DAY);
    assert_eq!((&*report.problems[0].value, &*report.problems[0].hint), ("n-eve", &*until));
    let waits = ["n-eve c1 user waiting", "n-eve c1 user waiting", "n-ann c2 user waiting"];
    assert_eq!(site.waiting().await, waits, "rows that say the same wait once");
    assert!(!site.engine().finds_waiting().await.unwrap());
    site.new_account(900, "eve", "manual").await;
    let report = site.pass_as_the_night("apogee", rows).await;
    assert_eq!((report.counts["enrolment.add"], report.counts["role.add"]), (1, 2));
    assert_eq!(site.enrolments().await, ["eve c1 database", "u1 c1 database"]);
    let roles = ["eve c1 student database", "eve c1 teacher database", "u1 c1 student database"];
    assert_eq!(site.roles().await, roles);
    let waits = ["n-eve c1 user applied", "n-eve c1 user applied", "n-ann c2 user waiting"];
    assert_eq!(site.waiting().await, waits);
}

async fn the_next_set_replaces_all_rows(mut site: Site) {
    site.records_that_wait().await;
    site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\nn-b,c1\nn-c,c1\n").await;
    site.new_account(900, "a", "manual").await;
    let report = site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\nn-b,c1\nn-b,c2\n").await;
    let waits = ["n-a c1 user superseded", "n-b c1 user waiting", "n-c c1 user superseded", "n-b c2 user waiting"];
    assert_eq!(site.waiting().await, waits);
    assert_eq!(
        (site.enrolments().await, report.lines.waiting),
        (vec!["a c1 database".to_owned(), "u1 c1 database".to_owned()], 2)
    );
    site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\n").await;
    assert!(!site.waiting().await.iter().any(|row| row.ends_with("waiting")));
}

async fn a_repeated_row_waits_longer(mut site: Site) {
    site.records_that_wait().await;
    let rows = format!("user,course,timeend\nu1,c1,\nn-a,c1,\nn-b,c1,{}\n", NOW + 15 * DAY);
    site.full_set("apogee", &rows).await;
    site.at(NOW + 10 * DAY);
    site.full_set("apogee", &rows).await;
    let sql = "SELECT w.expires, w.state FROM {enrold_waiting} w ORDER BY w.id";
    let kept = site.lines(sql, |row| format!("{} {}", (row.int(0) - NOW) / DAY, row.text(1))).await;
    assert_eq!(kept, ["15 waiting", "24 waiting"], "never beyond its own end");
    site.at(NOW + 20 * DAY);
    site.new_account(900, "a", "manual").await;
    site.new_account(901, "b", "manual").await;
    site.pass().await;
    assert_eq!(site.enrolments().await.len(), 2, "one of the rows has ended");
}

async fn two_sources_have_their_own_rows(mut site: Site) {
    site.records_that_wait().await;
    for (key, value) in
        [("files", "y*.csv"), ("user_key", "idnumber"), ("course_key", "shortname"), ("default_role", "teacher")]
    {
        site.set(&format!("sources.staff.{key}"), value);
    }
    let (students, teachers) = ("user,course\nu1,c1\nn-a,c1\n", "user,course\nu2,c1\nn-a,c1\nn-b,c1\n");
    site.full_set("apogee", students).await;
    site.full_set("staff", teachers).await;
    site.new_account(900, "a", "manual").await;
    let report = site.sync_jobs(&SyncOrder::of("waiting")).await;
    assert_eq!((report.counts["enrolment.add"], report.counts["role.add"]), (2, 2));
    site.the_night_changes_nothing("apogee", students).await;
    site.the_night_changes_nothing("staff", teachers).await;
    site.full_set("apogee", "user,course\nu1,c1\n").await;
    let waits = ["n-a c1 user applied", "n-a c1 user applied", "n-b c1 user waiting"];
    assert_eq!(site.waiting().await, waits, "another source's rows stay");
    assert_eq!(site.roles().await, ["a c1 teacher database", "u1 c1 student database", "u2 c1 teacher database"]);
}

async fn groups_states_and_windows_are_as_in_the_night(mut site: Site) {
    site.records_that_wait().await;
    site.set("sources.apogee.create_groups", "true");
    let (from, to) = (NOW - DAY, NOW + 90 * DAY);
    let rows = format!(
        "user,course,role,group,status,timestart,timeend\nu1,c1,student,TD 1,0,{from},{to}\nn-a,c1,student,TD 1,0,{from},{to}\n\
         n-a,c1,student,Équipe,0,{from},{to}\nn-b,c1,student,TD 2,1,0,0\n"
    );
    site.full_set("apogee", &rows).await;
    site.new_account(900, "a", "manual").await;
    site.new_account(901, "b", "manual").await;
    let report = site.pass_as_the_night("apogee", &rows).await;
    assert_eq!((report.counts["group.add"], report.counts["group-member.add"]), (2, 3));
    let sql = "SELECT u.username, g.name FROM {groups_members} m JOIN {groups} g ON g.id = m.groupid JOIN {user} u ON u.id = m.userid";
    let members = site.lines(sql, |row| format!("{} {}", row.text(0), row.text(1))).await;
    assert_eq!(members, ["a TD 1", "a Équipe", "b TD 2", "u1 TD 1"]);
    let sql =
        "SELECT u.username, x.status, x.timestart, x.timeend FROM {user_enrolments} x JOIN {user} u ON u.id = x.userid";
    let windows = site
        .lines(sql, |row| format!("{} {} {} {}", row.text(0), row.int(1), row.int(2) - from, row.int(3) - to))
        .await;
    assert_eq!(windows, ["a 0 0 0".to_owned(), format!("b 1 {} {}", -from, -to), "u1 0 0 0".to_owned()]);
}

async fn other_users_have_roles_only(mut site: Site) {
    site.records_that_wait().await;
    let rows = "user,course,role,other\nu1,c1,student,0\nn-a,c1,teacher,1\n";
    site.full_set("apogee", rows).await;
    site.new_account(900, "a", "manual").await;
    site.pass_as_the_night("apogee", rows).await;
    assert_eq!(site.enrolments().await, ["u1 c1 database"]);
    assert_eq!(site.roles().await, ["a c1 teacher database", "u1 c1 student database"]);
}

async fn a_member_waits_for_his_account(mut site: Site) {
    site.promotions("promo").await;
    site.reset_sequences().await;
    site.set("waiting.days", "14");
    site.cohort(1, &[4]).await;
    site.cohort_link(1, 1, "student").await;
    let rows = "user,cohort\nu1,h1\nn-a,h1\nn-b,h1\nn-b,nowhere\n";
    let report = site.full_set("promo", rows).await;
    assert_eq!((report.lines.failed, report.lines.waiting), (3, 2));
    assert_eq!(site.errors(&report).await, ["3 waiting", "4 waiting", "5 user-unknown"]);
    site.new_account(900, "a", "manual").await;
    let report = site.pass_as_the_night("promo", rows).await;
    assert_eq!((report.counts["cohort-member.add"], report.counts["enrolment.add"]), (1, 1));
    assert_eq!(site.members().await, ["a h1", "u1 h1", "u4 h1"]);
    assert_eq!(site.enrolments().await, ["a c1 cohort", "u1 c1 cohort"]);
    assert_eq!(site.waiting().await, ["n-a h1 user applied", "n-b h1 user waiting"]);
    // The member is the source's: whom its set names no more leaves.
    site.full_set("promo", "user,cohort\nu1,h1\nu2,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u4 h1"]);
}

async fn nobody_takes_a_place_by_registering_a_name(mut site: Site) {
    site.records_that_wait().await;
    site.set("sources.apogee.user_key", "username");
    site.full_set("apogee", "user,course\nu1,c1\neve,c1\nann,c1\n").await;
    site.new_account(900, "eve", "email").await;
    site.new_account(901, "ann", "manual").await;
    site.sql("UPDATE {user} SET confirmed = 0 WHERE id = 901").await;
    assert!(!site.engine().finds_waiting().await.unwrap());
    site.pass().await;
    assert_eq!(site.enrolments().await, ["u1 c1 database"]);
    assert_eq!(site.waiting().await, ["eve c1 user waiting", "ann c1 user waiting"]);
}

async fn waiting_rows_count_as_unknown(mut site: Site) {
    site.records_that_wait().await;
    site.set("guard.mode", "hold");
    site.set("sources.apogee.guard.unknown_percent", "40");
    let rows = "user,course\nu1,c1\nu2,c1\nn-a,c1\nn-b,c1\n";
    let report = site.full_set("apogee", rows).await;
    assert_eq!((report.state, report.lines.waiting), (State::Held, 2), "the report says how many would wait");
    assert_eq!(site.waiting().await, [""; 0]);
    site.set("sources.apogee.waiting_expected", "true");
    let report = site.full_set("apogee", rows).await;
    assert_eq!((report.state, report.lines.waiting), (State::DoneWithErrors, 2));
    site.set("sources.apogee.waiting_days", "0");
    site.set("sources.apogee.guard.unknown_percent", "0");
    let report = site.full_set("apogee", rows).await;
    assert_eq!(site.errors(&report).await, ["4 user-unknown", "5 user-unknown"]);
    assert_eq!(site.waiting().await, ["n-a c1 user superseded", "n-b c1 user superseded"]);
}

async fn a_held_set_keeps_nothing_and_its_approval_does(mut site: Site) {
    site.records_that_wait().await;
    site.set("guard.mode", "hold");
    site.set("sources.apogee.guard.unknown_percent", "40");
    let held = site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\n").await;
    assert_eq!((held.state, site.waiting().await.len()), (State::Held, 0));
    let report = site.engine().approve(held.run).await.unwrap();
    assert_eq!((report.state, site.waiting().await), (State::DoneWithErrors, vec!["n-a c1 user waiting".to_owned()]));
    let held = site.full_set("apogee", "user,course\nu1,c1\nn-b,c1\n").await;
    site.engine().reject(held.run).await.unwrap();
    assert_eq!(site.waiting().await, ["n-a c1 user waiting"]);
}

async fn a_set_that_nobody_resolves_is_held(mut site: Site) {
    site.records_that_wait().await;
    site.set("guard.mode", "hold");
    site.set("sources.apogee.waiting_expected", "true");
    let report = site.full_set("apogee", "user,course\nn-a,c1\nn-b,c1\n").await;
    assert_eq!((report.state, site.waiting().await.len()), (State::Held, 0));
}

async fn a_role_that_is_not_allowed_any_more(mut site: Site) {
    site.records_that_wait().await;
    site.full_set("apogee", "user,course,role\nu1,c1,student\nn-a,c1,teacher\nn-a,c1,student\n").await;
    site.set("sources.apogee.roles", "student");
    site.new_account(900, "a", "manual").await;
    let report = site.pass().await;
    assert_eq!((report.state, report.problems[0].code.as_str()), (State::DoneWithErrors, "role-not-allowed"));
    assert_eq!(site.roles().await, ["a c1 student database", "u1 c1 student database"]);
    assert_eq!(site.waiting().await, ["n-a c1 user cancelled", "n-a c1 user applied"]);
}

async fn the_run_that_makes_the_account_enrols(mut site: Site) {
    site.records_that_wait().await;
    site.set("sources.apogee.user_key", "username");
    site.full_set("apogee", "user,course\nu1,c1\nnew1,c1\nlate,c1\n").await;
    let profile = Profile { operation: Operation::AddUpdate, ..Profile::of(FileKind::Users) };
    let report = site.users(&profile, "username,firstname,lastname,email\nnew1,A,B,new1@example.org\n").await;
    assert_eq!((report.counts["user.add"], report.counts["enrolment.add"]), (1, 1), "{:?}", report.counts);
    assert_eq!(site.enrolments().await, ["new1 c1 database", "u1 c1 database"]);
    assert_eq!(site.waiting().await, ["new1 c1 user applied", "late c1 user waiting"]);
}

async fn a_disabled_method_lets_rows_wait(mut site: Site) {
    site.records_that_wait().await;
    site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\n").await;
    site.new_account(900, "a", "manual").await;
    site.methods("manual").await;
    assert!(!site.engine().finds_waiting().await.unwrap());
    site.pass().await;
    assert_eq!((site.enrolments().await.len(), site.waiting().await), (1, vec!["n-a c1 user waiting".to_owned()]));
}

async fn a_source_that_is_not_in_use_enrols_nobody(mut site: Site) {
    site.records_that_wait().await;
    site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\n").await;
    site.new_account(900, "a", "manual").await;
    site.set("sources.apogee.enabled", "false");
    assert!(!site.engine().finds_waiting().await.unwrap());
    site.pass().await;
    site.set("sources.apogee.enabled", "true");
    site.sql("UPDATE {enrold_waiting} SET source = 'gone'").await;
    assert!(!site.engine().finds_waiting().await.unwrap());
    let report = site.pass().await;
    assert_eq!((report.state, site.waiting().await), (State::Done, vec!["n-a c1 user waiting".to_owned()]));
    site.sql("UPDATE {enrold_waiting} SET source = 'apogee'").await;
    assert!(site.engine().finds_waiting().await.unwrap());
}

async fn rows_of_hidden_courses_do_not_wait(mut site: Site) {
    site.records_that_wait().await;
    site.set("sources.apogee.ignore_hidden_courses", "true");
    site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\nn-a,c2\n").await;
    site.sql("UPDATE {course} SET visible = 0 WHERE shortname = 'c2'").await;
    site.new_account(900, "a", "manual").await;
    site.pass().await;
    assert_eq!(site.enrolments().await, ["a c1 database", "u1 c1 database"]);
    assert_eq!(site.waiting().await, ["n-a c1 user applied", "n-a c2 user cancelled"]);
    let report = site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\nn-b,c2\n").await;
    assert_eq!(site.errors(&report).await, ["4 user-unknown"]);
}

async fn rows_without_a_place_and_ids_do_not_wait(mut site: Site) {
    site.records_that_wait().await;
    let report = site.full_set("apogee", &format!("user,course,timeend\nu1,c1,\nn-a,c9,\nn-a,c1,{}\n", NOW - 1)).await;
    assert_eq!(site.errors(&report).await, ["3 user-unknown", "4 user-unknown"]);
    site.set("sources.apogee.user_key", "id");
    site.set("sources.apogee.guard.unknown_percent", "0");
    let report = site.full_set("apogee", "user,course\n901,c1\n").await;
    assert_eq!((site.errors(&report).await, site.waiting().await.len()), (vec!["2 user-unknown".to_owned()], 0));
}

async fn too_many_do_not_wait(mut site: Site) {
    site.records_that_wait().await;
    site.set("waiting.max", "2");
    let report = site.full_set("apogee", "user,course\nu1,c1\nn-a,c1\nn-b,c1\nn-c,c1\n").await;
    assert_eq!(site.errors(&report).await, ["3 waiting", "4 waiting", "5 waiting-full"]);
    site.full_set("apogee", "user,course\nu1,c1\nn-b,c1\nn-c,c1\n").await;
    let waits = ["n-a c1 user superseded", "n-b c1 user waiting", "n-c c1 user waiting"];
    assert_eq!(site.waiting().await, waits, "rows that are replaced make room");
}

async fn many_rows_take_no_more_statements(mut site: Site) {
    site.records_that_wait().await;
    let (mut taken, mut set) = (Vec::new(), "user,course\nu1,c1\n".to_owned());
    site.set_once("apogee", &set).await;
    for (of, count) in [(1, 20), (2, 100)] {
        set += &(0..count).map(|n| format!("n-w{of}-{n},c1\n")).collect::<String>();
        let kept = site.set_once("apogee", &set).await;
        site.gather();
        for n in 0..count {
            site.new_account(1_000 * of + n, &format!("w{of}-{n}"), "manual").await;
        }
        site.send().await;
        let report = site.pass().await;
        assert_eq!(report.counts["enrolment.add"], count);
        taken.push((kept.statements, report.statements));
    }
    assert_eq!(taken[1], taken[0]);
}

/// The rows of a set are sorted before they are staged; who reads the list looks into the files that were sent.
async fn rows_name_their_file_and_line(mut site: Site) {
    site.records_that_wait().await;
    let program = Program::on(&site).set("waiting.days=14").set("guard.mode=off");
    let keys = ["files=a*.csv, b*.csv", "user_key=idnumber", "course_key=idnumber", "default_role=student"];
    let program = keys.iter().fold(program, |program, key| program.set(&format!("sources.apogee.{key}")));
    program.write("a.csv", "user,course\nu1,c1\nn-z,c1\nn-a,c1\n");
    program.write("b.csv", "user,course\nu2,c1\nu3,c1\nu4,c1\nn-m,c2\n");
    let (code, report) = program.json(&["import", "--yes", "--source", "apogee", "a.csv", "b.csv"]);
    assert_eq!((code, &report["lines"]["waiting"]), (4, &json!(3)), "{report}");
    let rows = program.json(&["waiting"]).1;
    let told =
        rows.as_array().unwrap().iter().map(|row| (row["user"].clone(), row["file"].clone(), row["line"].clone()));
    let mut told: Vec<String> = told.map(|(user, file, line)| format!("{user} {file}:{line}")).collect();
    told.sort();
    assert_eq!(told, ["\"n-a\" \"a.csv\":4", "\"n-m\" \"b.csv\":5", "\"n-z\" \"a.csv\":3"]);
    program.run(&["waiting"]).ends(0).says(&["apogee a.csv:4", "apogee b.csv:5"]);
    // A row that fails when its account exists names the same place.
    site.sql("UPDATE {role} SET shortname = 'pupil' WHERE shortname = 'student'").await;
    site.new_account(900, "m", "manual").await;
    let program = program.set("sources.apogee.roles=teacher");
    let problem = program.json(&["sync", "waiting"]).1["problems"][0].clone();
    assert_eq!(
        (&problem["code"], &problem["file"], &problem["line"]),
        (&json!("role-not-allowed"), &json!("b.csv"), &json!(5))
    );
}

/// Sets of two sources, accounts and passes in some orders: after each pass the last set of each source, sent again,
/// changes nothing.
async fn any_order_of_sets_and_accounts_ends_as_the_night(mut site: Site) {
    site.records_that_wait().await;
    site.set("guard.mode", "off");
    for (key, value) in
        [("files", "y*.csv"), ("user_key", "username"), ("course_key", "shortname"), ("default_role", "teacher")]
    {
        site.set(&format!("sources.staff.{key}"), value);
    }
    let mut random = 7_u64;
    let mut next = |of: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % of
    };
    let (mut last, mut made) = ([String::new(), String::new()], 0);
    for _ in 0..24 {
        match next(4) {
            0 | 1 => {
                let of = next(2) as usize;
                let prefix = ["n-", ""][of];
                let mut rows = "user,course,role,group\nu1,c1,,\n".replace("u1", ["u1", "u1"][of]);
                for _ in 0..next(6) {
                    let role = ["student", "teacher", ""][next(3) as usize];
                    rows += &format!("{prefix}p{},c{},{role},\n", next(8), 1 + next(2));
                }
                site.set_once(["apogee", "staff"][of], &rows).await;
                last[of] = rows;
            }
            2 if made < 8 => {
                site.new_account(900 + made, &format!("p{made}"), "manual").await;
                made += 1;
            }
            _ => {
                site.pass().await;
                for (of, source) in ["apogee", "staff"].into_iter().enumerate().filter(|(of, _)| !last[*of].is_empty())
                {
                    site.the_night_changes_nothing(source, &last[of]).await;
                }
            }
        }
    }
}
