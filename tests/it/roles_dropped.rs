//! The roles that feeders may assign: by flat files and full sets from the drop directory, the buffer, held files; and
//! no limit for an operator with a shell. It must not test the effects of an assigned role.

use std::fs;

use serde_json::Value as Json;

use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_line_is_refused_alone,
    the_list_says_which,
    a_future_line_does_not_get_around_it,
    what_was_held_is_bound_when_it_is_approved,
    a_refused_row_of_a_set_protects_whom_it_names,
    a_source_has_a_list_of_its_own,
    a_second_database_is_bound_by_a_list_alone,
);

impl Site {
    /// The campus, with a role that the site created, an alias for managers, and a program for dropped files.
    async fn fed(&mut self) -> Program {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        let own = [("id", 9.into()), ("shortname", "tutor".into()), ("sortorder", 9.into())];
        self.insert("role", &own).await;
        self.setting("map_1", Some("chef")).await;
        let program = Program::on(self).set("guard.mode=off").set("inbox.settle=0").set("tasks.flatfile.enabled=false");
        program
            .set("sources.night.user_key=username")
            .set("sources.night.course_key=shortname")
            .set("sources.night.files=night-*.csv")
    }
}

/// Drops a file and processes it: the exit code, and the report of its run.
#[track_caller]
fn dropped(program: &Program, name: &str, text: &str) -> (i32, Json) {
    program.drop_file(name, text);
    let inbox = format!("inbox.path={}", program.inbox().display());
    let (code, told) = program.clone().set(&inbox).json(&["run", "--once"]);
    assert_eq!(told["reports"].as_array().map(Vec::len), Some(1), "{told}");
    (code, told["reports"][0].clone())
}

/// The problems of a report, as `LINE CODE`.
fn refused(report: &Json) -> Vec<String> {
    let problems = report["problems"].as_array().unwrap().iter();
    problems.map(|problem| format!("{} {}", problem["line"], problem["code"].as_str().unwrap())).collect()
}

const LINES: &str = "operation,username,course,role
add,u1,c1,student
add,u2,c1,manager
add,u3,c1,chef
add,u4,c1,1
add,u5,c1,id:2
add,u6,c1,Teacher
del,u7,c1,manager
add,u8,c1,GUEST
add,u9,c1,tutor
";
const NOT_ALLOWED: [&str; 6] = [
    "3 role-not-allowed",
    "4 role-not-allowed",
    "5 role-not-allowed",
    "6 role-not-allowed",
    "8 role-not-allowed",
    "9 role-not-allowed",
];

async fn a_line_is_refused_alone(mut site: Site) {
    let program = site.fed().await;
    let (code, report) = dropped(&program, "a.csv", LINES);
    assert_eq!((code, refused(&report)), (4, NOT_ALLOWED.map(str::to_owned).to_vec()));
    let allowed = ["u1 c1 student flatfile", "u6 c1 teacher flatfile", "u9 c1 tutor flatfile"];
    assert_eq!(site.roles().await, allowed);
    assert_eq!(site.enrolments().await.len(), 3);
    let errors = fs::read_to_string(program.inbox().join("a.csv.errors.csv")).unwrap();
    assert!(errors.contains("role-not-allowed") && errors.contains("flatfile.roles"), "{errors}");
    let before = site.dump().await;
    assert_eq!(refused(&dropped(&program, "b.csv", LINES).1), NOT_ALLOWED);
    site.nothing_changed(&before, "the same lines again").await;
    // The native form, which names roles by alias and number.
    let native = "add,student,u2,c2\nadd,chef,u3,c2\nadd,2,u4,c2\nadd,id:1,u5,c2\ndel,chef,u1,c1\n";
    let all = ["2 role-not-allowed", "3 role-not-allowed", "4 role-not-allowed", "5 role-not-allowed"];
    assert_eq!(refused(&dropped(&program, "c.csv", native).1), all);
    assert_eq!(site.roles().await.len(), 4);

    // An operator with a shell is not limited; a feeder cannot end the operator's enrolments.
    program.write("by-hand.csv", LINES);
    let before = site.dump().await;
    assert_eq!(program.json(&["import", "by-hand.csv", "--simulate"]).1["errors"], 0);
    site.nothing_changed(&before, "a rehearsal").await;
    assert_eq!(program.json(&["import", "by-hand.csv"]).1["errors"], 0);
    let roles = site.roles().await;
    for role in ["u2 c1 manager", "u3 c1 manager", "u4 c1 manager", "u5 c1 coursecreator", "u8 c1 guest"] {
        assert!(roles.contains(&format!("{role} flatfile")), "{role}: {roles:?}");
    }
    let ends = "operation,username,course,role\ndel,u2,c1,manager\ndel,u5,c1,coursecreator\ndel,u1,c1,student\n";
    let (_, report) = dropped(&program, "d.csv", ends);
    assert_eq!(refused(&report), ["2 role-not-allowed", "3 role-not-allowed"]);
    let enrolments = site.enrolments().await;
    assert!(enrolments.contains(&"u2 c1 flatfile".to_owned()), "{enrolments:?}");
    assert!(enrolments.contains(&"u1 c1 flatfile suspended".to_owned()), "{enrolments:?}");
}

/// Nine roles, one line each: the roles that a list allows; each list by itself.
async fn the_list_says_which(mut site: Site) {
    let program = site.fed().await;
    // Moodle stores archetypes in lower case; a plugin may not.
    site.sql("UPDATE {role} SET archetype = 'Student' WHERE shortname = 'student'").await;
    let roles =
        ["manager", "coursecreator", "editingteacher", "teacher", "student", "guest", "user", "frontpage", "tutor"];
    let file: String = roles.iter().map(|role| format!("add,u1,c1,{role}\n")).collect();
    let file = format!("operation,username,course,role\n{file}");
    for (at, (list, expected)) in [
        (None, "editingteacher teacher student tutor"),
        (Some("*"), "manager coursecreator editingteacher teacher student guest user frontpage tutor"),
        (Some("manager"), "manager"),
        (Some(" Manager ,\n@STUDENT"), "manager student"),
        (Some("@none"), "tutor"),
        (Some("@manager,nobody,@nothing"), "manager"),
        (Some(""), ""),
    ]
    .into_iter()
    .enumerate()
    {
        let program = list.map_or(program.clone(), |list| program.clone().set(&format!("flatfile.roles={list}")));
        let (_, report) = dropped(&program, &format!("{at}.csv"), &file);
        let lines = refused(&report);
        let through = (2..).zip(roles).filter(|(line, _)| !lines.contains(&format!("{line} role-not-allowed")));
        let through: Vec<&str> = through.map(|(_, role)| role).collect();
        assert_eq!(through.join(" "), expected, "{list:?}");
    }
}

/// A future line is refused on import; one that was buffered under a wider list is refused when it is due.
async fn a_future_line_does_not_get_around_it(mut site: Site) {
    let program = site.fed().await;
    let at = NOW + 100;
    let lines =
        |user: u32| format!("add,chef,u{user},c1,{at}\nadd,student,u{user},c1,{at}\ndel,chef,u{user},c2,{at}\n");
    let (_, report) = dropped(&program, "a.csv", &lines(1));
    assert_eq!(refused(&report), ["1 role-not-allowed", "3 role-not-allowed"]);
    assert_eq!(site.buffer().await, ["add u1 c1 student now+100..0"]);
    let wide = program.clone().set("flatfile.roles=*");
    assert!(refused(&dropped(&wide, "b.csv", &lines(2)).1).is_empty());
    // Rows that an operator buffered are replayed, even if a drop had buffered the same before.
    assert!(refused(&dropped(&wide, "c.csv", &format!("add,chef,u3,c1,{at}\n")).1).is_empty());
    for text in ["add,chef,u3,c1\ndel,chef,u3,c1\n".to_owned(), format!("add,chef,u3,c1,{at}\nadd,chef,u4,c1,{at}\n")] {
        program.write("by-hand.csv", &text);
        assert_eq!(program.json(&["import", "by-hand.csv"]).1["errors"], 0);
    }
    // Rows that Moodle itself buffered are replayed, too.
    let moodles = [
        ("action", "add".into()),
        ("roleid", 1.into()),
        ("userid", crate::campus::user(5).into()),
        ("courseid", crate::campus::course(1).into()),
        ("timestart", at.into()),
    ];
    site.insert("enrol_flatfile", &moodles).await;
    // A held and approved file counts as a drop as well.
    let guarded = wide.clone().set("guard.mode=hold").set("guard.failed_lines_min=1");
    dropped(&guarded, "d.csv", &format!("add,chef,u6,c1,{at}\nadd,student,nobody,c1\n"));
    let held = site.last_run().await.to_string();
    wide.run(&["approve", &held]).ends(4);
    assert_eq!(site.buffer().await.len(), 8);

    let later = program.at(NOW + 200);
    let before = site.dump().await;
    let (_, rehearsal) = later.json(&["sync", "flatfile", "--simulate"]);
    site.nothing_changed(&before, "a rehearsal").await;
    let (code, report) = later.json(&["sync", "flatfile"]);
    let codes = |report: &Json| refused(report).iter().filter(|line| line.ends_with("role-not-allowed")).count();
    assert_eq!((code, codes(&rehearsal), codes(&report), &report["errors"]), (4, 3, 3, &3.into()));
    assert_eq!(report["problems"][0]["value"], "manager");
    assert_eq!(report["problems"][0]["hint"], "flatfile.roles");
    assert_eq!(site.buffer().await, [""; 0], "they are erased like all that are due");
    let roles = site.roles().await;
    assert_eq!(
        roles,
        [
            "u1 c1 student flatfile",
            "u2 c1 student flatfile",
            "u3 c1 manager flatfile",
            "u4 c1 manager flatfile",
            "u5 c1 manager flatfile",
        ]
    );
    let before = site.dump().await;
    later.run(&["sync", "flatfile"]).ends(0);
    site.nothing_changed(&before, "a second replay").await;
}

/// For dropped files, the list in force at the time of approval applies.
async fn what_was_held_is_bound_when_it_is_approved(mut site: Site) {
    let program = site.fed().await.set("guard.mode=hold").set("guard.failed_lines_min=1");
    let text = "operation,username,course,role\nadd,u1,c1,student\nadd,u2,c1,manager\nadd,nobody,c1,student\n";
    let (code, report) = dropped(&program, "a.csv", text);
    assert_eq!((code, &report["state"]), (3, &"held".into()));
    let held = site.last_run().await.to_string();
    let before = site.dump().await;
    let rehearsed = site.engine().rehearse_approval(held.parse().unwrap()).await.unwrap();
    let codes: Vec<&str> = rehearsed.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["role-not-allowed", "user-unknown"]);
    site.nothing_changed(&before, "a rehearsal").await;
    let (_, report) = program.json(&["approve", &held]);
    assert_eq!(refused(&report), ["3 role-not-allowed", "4 user-unknown"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile"]);
    // The same file by hand, held and approved, is not limited.
    program.write("by-hand.csv", text);
    program.run(&["import", "by-hand.csv"]).ends(3);
    let held = site.last_run().await.to_string();
    assert_eq!(refused(&program.json(&["approve", &held]).1), ["4 user-unknown"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u2 c1 manager flatfile"]);
}

async fn a_refused_row_of_a_set_protects_whom_it_names(mut site: Site) {
    let program = site.fed().await;
    let set = |rows: &str| format!("user,course,role,other\n{rows}");
    let first = set("u1,c1,student,\nu2,c1,manager,\nu3,c1,student,\nu4,c1,manager,1\nu5,c1,tutor,\n");
    program.write("night.csv", &first);
    assert_eq!(program.json(&["import", "--source", "night", "night.csv"]).1["errors"], 0, "by hand");
    let roles = site.roles().await;
    assert_eq!((roles.len(), site.enrolments().await.len()), (5, 4));
    // The set names u2 and u4 with a refused role and u3 not at all; no further user becomes a manager.
    let next = set("u1,c1,student,\nu2,c1,manager,\nu4,c1,manager,1\nu5,c1,tutor,\nu6,c1,manager,\nu1,c1,manager,\n");
    let (code, report) = dropped(&program, "night-1.csv", &next);
    let told: Vec<&Json> = report["problems"].as_array().unwrap().iter().map(|problem| &problem["code"]).collect();
    assert_eq!((code, told), (4, vec![&Json::from("role-not-allowed"); 4]));
    assert!(report["problems"].as_array().unwrap().iter().all(|problem| problem["hint"] == "sources.night.roles"));
    let kept: Vec<String> = roles.into_iter().filter(|role| !role.starts_with("u3")).collect();
    assert_eq!(site.roles().await, kept);
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u5 c1 database"]);
    let before = site.dump().await;
    dropped(&program, "night-2.csv", &next);
    site.nothing_changed(&before, "the same set again").await;
    // A user who is no longer named loses what the set gave, whatever the role.
    assert_eq!(dropped(&program, "night-3.csv", &set("u1,c1,student,\n")).0, 0);
    assert_eq!(site.roles().await, ["u1 c1 student database"]);
}

async fn a_source_has_a_list_of_its_own(mut site: Site) {
    let program = site.fed().await.set("flatfile.roles=manager");
    let set = "user,course,role\nu1,c1,student\nu2,c1,manager\nu3,c1,coursecreator\nu4,c1,\n";
    let given = |program: &Program, name: &str| {
        let (_, report) = dropped(program, name, set);
        let lines: Vec<String> = refused(&report).iter().map(|line| line[..1].to_owned()).collect();
        lines.join("")
    };
    // The operator chose the role for rows without one, so it is allowed.
    let program = program.set("sources.night.default_role=coursecreator");
    assert_eq!(given(&program, "night-1.csv"), "3", "the list of flat files is not that of the source");
    let managers = program.clone().set("sources.night.roles=manager");
    assert_eq!(given(&managers, "night-2.csv"), "2");
    assert_eq!(given(&program.clone().set("sources.night.roles=*"), "night-3.csv"), "");
    assert_eq!(given(&program.clone().set("sources.night.roles=staff = manager"), "night-4.csv"), "3");
    // The same with role ids.
    let by_id = program.set("sources.night.role_key=id");
    let (_, report) = dropped(&by_id, "night-5.csv", "user,course,role\nu1,c1,5\nu2,c1,1\n");
    assert_eq!(refused(&report), ["3 role-not-allowed"]);
    // The same after approval of a held set.
    let held = by_id.clone().set("guard.mode=hold").set("sources.night.guard.unknown_percent=1");
    let (code, _) = dropped(&held, "night-6.csv", "user,course,role\nu1,c1,5\nu2,c1,1\nu3,c1,5\n");
    assert_eq!(code, 3);
    let run = site.last_run().await.to_string();
    assert_eq!(refused(&by_id.json(&["approve", &run]).1), ["3 role-not-allowed"]);
    assert!(!site.roles().await.iter().any(|role| role.starts_with("u2 c1 manager") && role.ends_with("flatfile")));
}

/// The operator connected it, and Moodle's own method assigns every role; but a list for the source limits it.
async fn a_second_database_is_bound_by_a_list_alone(mut site: Site) {
    site.records("database").await;
    let rows = "user,course,role\nu1,c1,student\nu2,c1,manager\n";
    assert_eq!(site.full_set("database", rows).await.errors, 0);
    assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 manager database"]);
    site.set("sources.database.roles", "@student");
    let report = site.full_set("database", "user,course,role\nu1,c1,student\nu2,c1,manager\nu3,c1,manager\n").await;
    assert_eq!(site.errors(&report).await, ["3 role-not-allowed", "4 role-not-allowed"]);
    assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 manager database"], "nobody loses a place by it");
}
