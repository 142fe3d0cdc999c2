//! What a dropped users file may do: nothing of what is off until its profile names it, nothing to accounts with power,
//! and nothing by hostile cells.
//! It must not test what the same rows do in a file that an operator imports.

use enrold::db::Params;
use serde_json::Value as Json;

use crate::campus::{context, role, user};
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    what_no_profile_names_is_off,
    what_is_refused_is_told_beside_what_is_wrong,
    each_option_opens_its_own_change,
    roles_are_limited_in_every_column,
    accounts_with_power_are_left_alone,
    names_that_are_swapped_or_stolen_are_refused,
    hostile_cells_are_texts,
    long_cells_cost_their_part_only,
    nobody_with_another_role_loses_an_enrolment,
    addresses_of_others_are_not_taken,
    an_account_that_is_deleted_may_be_made_again,
);

/// A program that takes users files which add and update, and no more.
async fn feeding(site: &mut Site) -> Program {
    site.campus().await;
    site.insert(
        "course_categories",
        &[("id", 1.into()), ("name", "K".into()), ("idnumber", "k".into()), ("path", "/1".into())],
    )
    .await;
    site.sql("UPDATE {user} SET firstname = 'F', lastname = 'L', auth = 'manual', password = 'kept'").await;
    site.reset_sequences().await;
    let program = Program::on(site).set("inbox.settle=0").set("tasks.flatfile.enabled=false").set("guard.mode=off");
    program.set("profiles.u.kind=users").set("profiles.u.operation=add-update").set("profiles.u.update=file")
}

/// Drops a file and processes it: the problems as `LINE CODE HINT`.
#[track_caller]
fn dropped(program: &Program, name: &str, text: impl AsRef<[u8]>) -> (Json, Vec<String>) {
    program.drop_file(name, text);
    let program = program.clone().set(&format!("inbox.path={}", program.inbox().display()));
    let (_, told) = program.json(&["run", "--once"]);
    assert_eq!(told["reports"].as_array().map(Vec::len), Some(1), "{told}");
    let report = told["reports"][0].clone();
    let problem = |problem: &Json| {
        let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", problem["line"], text("code"), text("hint")).trim_end().to_owned()
    };
    let problems = report["problems"].as_array().unwrap().iter().map(problem).collect();
    (report, problems)
}

impl Site {
    /// `username|firstname|email|auth|suspended|deleted|password` of an account.
    async fn account_now(&mut self, number: i64) -> String {
        let sql = format!(
            "SELECT u.username, u.firstname, u.email, u.auth, u.suspended, u.deleted, u.password FROM {{user}} u
              WHERE u.id = {number}"
        );
        let row = &self.conn.rows(&sql, &Params::new()).await.unwrap()[0];
        (0..7).map(|at| row.text(at)).collect::<Vec<_>>().join("|")
    }

    async fn above(&mut self) -> i64 {
        let sql = "SELECT COUNT(*) FROM {role_assignments} r JOIN {context} x ON x.id = r.contextid
            WHERE x.contextlevel IN (10, 40)";
        self.conn.number(sql, &Params::new()).await.unwrap()
    }
}

const HEAD: &str =
    "username;oldusername;deleted;suspended;password;email;auth;firstname;sysrole1;category1;categoryrole1\n";
const ROWS: &str = "x1;u1;;;;;;;;;\nu2;;1;;;;;;;;\nu3;;;1;;;;C;;;\nu4;;;;Secret-2026;;;D;;;\nu5;;;;;new@example.org;;E;;;\n\
                    u6;;;;;;nologin;F6;;;\nu7;;;;;;;G;manager;;\nu8;;;;;;;H;;k;manager\n";

async fn what_no_profile_names_is_off(mut site: Site) {
    let program = feeding(&mut site).await;
    let (_, problems) = dropped(&program, "a.csv", format!("{HEAD}{ROWS}"));
    let off = [
        "2 change-refused rename",
        "3 change-refused delete",
        "4 change-refused suspend",
        "5 change-refused password_update",
        "6 change-refused change_email",
        "7 change-refused change_auth",
        "8 change-refused system_roles",
        "9 change-refused category_roles",
    ];
    assert_eq!(problems, off);
    for (number, expected) in [
        (1, "u1|F|u1@example.com|manual|0|0|kept"),
        (2, "u2|F|u2@example.com|manual|0|0|kept"),
        (3, "u3|C|u3@example.com|manual|0|0|kept"),
        (4, "u4|D|u4@example.com|manual|0|0|kept"),
        (5, "u5|E|u5@example.com|manual|0|0|kept"),
        (6, "u6|F6|u6@example.com|manual|0|0|kept"),
        (7, "u7|G|u7@example.com|manual|0|0|kept"),
    ] {
        assert_eq!(site.account_now(user(number)).await, expected);
    }
    assert_eq!(site.above().await, 0);
    // A new account gets no password of the file either.
    let text =
        "username;firstname;lastname;email;password\nn1;A;B;n1@example.org;Secret-2026\nn2;A;B;n2@example.org;\n";
    let (report, problems) = dropped(&program, "b.csv", text);
    assert_eq!(
        (&report["counts"]["user.add"], problems),
        (&2.into(), vec!["2 change-refused give_password".to_owned()])
    );
    let made = site.lines("SELECT u.password FROM {user} u WHERE u.username IN ('n1', 'n2')", |row| row.text(0)).await;
    assert_eq!(made, ["to be generated"; 2]);
    // Passwords of new accounts are not those of others; an account without one in Moodle lacks nothing.
    site.sql(&format!("UPDATE {{user}} SET auth = 'ldap' WHERE id = {}", user(5))).await;
    let program = program.set("profiles.u.give_password=yes");
    let (_, problems) = dropped(&program, "c.csv", "username;password\nu4;Secret-2026\nu5;Secret-2026\nu6;\n");
    assert_eq!(problems, ["2 change-refused password_update"]);
    assert!(site.account_now(user(4)).await.ends_with("|kept"));
}

async fn what_is_refused_is_told_beside_what_is_wrong(mut site: Site) {
    let program = feeding(&mut site).await;
    let (report, mut problems) = dropped(&program, "a.csv", "username;email;firstname\nu5;a@b;E\n");
    problems.sort();
    assert_eq!(problems, ["2 change-refused change_email", "2 email-malformed"]);
    assert_eq!((&report["lines"]["failed"], &report["counts"]["user.update"]), (&0.into(), &1.into()));
    assert_eq!(site.account_now(user(5)).await, "u5|E|u5@example.com|manual|0|0|kept");
}

async fn each_option_opens_its_own_change(mut site: Site) {
    let program = feeding(&mut site).await.set("flatfile.roles=student,manager");
    let options = [
        "rename",
        "delete",
        "suspend",
        "password_update",
        "change_email",
        "change_auth",
        "system_roles",
        "category_roles",
    ];
    for (at, option) in options.iter().enumerate() {
        let before = site.dump().await;
        let open = program.clone().set(&format!("profiles.u.{option}=yes"));
        let row = format!("{HEAD}{}\n", ROWS.lines().nth(at).unwrap());
        let (report, problems) = dropped(&open, &format!("{option}.csv"), row);
        assert_eq!(problems, [""; 0], "{option}: {report}");
        assert_ne!(before, site.dump().await, "{option}");
    }
    let now = [1, 2, 3, 5, 6].map(user);
    let mut accounts = Vec::new();
    for number in now {
        accounts.push(site.account_now(number).await);
    }
    assert_eq!(accounts[0], "x1|F|u1@example.com|manual|0|0|kept");
    assert!(
        accounts[1].starts_with(&format!("u2@example.com.{NOW}|")) && accounts[1].ends_with("|0|1|kept"),
        "{}",
        accounts[1]
    );
    assert_eq!(accounts[2], "u3|C|u3@example.com|manual|1|0|kept");
    assert_eq!(accounts[3], "u5|E|new@example.org|manual|0|0|kept");
    assert_eq!(accounts[4], "u6|F6|u6@example.com|nologin|0|0|kept");
    assert!(site.account_now(user(4)).await.contains("|$6$"));
    assert_eq!(site.above().await, 2);
}

async fn roles_are_limited_in_every_column(mut site: Site) {
    let program = feeding(&mut site).await.set("profiles.u.system_roles=yes").set("profiles.u.category_roles=yes");
    let program = program.set("flatfile.roles=student");
    let text = "username;course1;role1;sysrole1;category1;categoryrole1\nu1;c1;manager;;;\nu2;c1;editingteacher;;;\n\
                u3;;;manager;;\nu4;;;;k;manager\nu5;c1;student;;;\nu6;c1;1;;;\nu7;;;-manager;;\n";
    let (_, problems) = dropped(&program, "a.csv", text);
    let codes: Vec<&str> =
        problems.iter().map(|problem| problem.rsplit_once(' ').map_or("", |(code, _)| code)).collect();
    let refused = ["2", "3", "4", "5", "7", "8"].map(|line| format!("{line} role-not-allowed"));
    assert_eq!(codes, refused, "{problems:?}");
    assert_eq!(site.roles().await, ["u5 c1 student manual"]);
    assert_eq!(site.above().await, 0);
}

async fn accounts_with_power_are_left_alone(mut site: Site) {
    let program = feeding(&mut site).await;
    let options = ["rename", "delete", "suspend", "password_update", "change_email", "change_auth", "give_password"];
    let program = options.iter().fold(program, |program, option| program.set(&format!("profiles.u.{option}=yes")));
    let program = program.set("profiles.u.create_cohorts=yes");
    site.assigned(1, 1, "coursecreator", ("", 0), NOW).await;
    site.assigned(2, 3, "manager", ("", 0), NOW).await;
    site.sql(&format!("UPDATE {{user}} SET mnethostid = 7 WHERE id = {}", user(3))).await;
    let before = site.dump().await;
    let head = "username;oldusername;deleted;suspended;password;email;auth;firstname;cohort1\n";
    let rows: String = ["u1", "u2", "admin"]
        .iter()
        .flat_map(|name| {
            [
                format!("x{name};{name};;;;;;;\n"),
                format!("{name};;1;;;;;;\n"),
                format!("{name};;;1;;;;;\n"),
                format!("{name};;;;Secret-2026;;;;\n"),
                format!("{name};;;;;new-{name}@example.org;;;\n"),
                format!("{name};;;;;;nologin;;\n"),
                format!("{name};;;;;;;New;k\n"),
            ]
        })
        .collect();
    let (_, problems) =
        dropped(&program, "a.csv", format!("{head}{rows}guest;;1;;;;;;\nx;guest;;;;;;;\nu3;;1;;;;;;\n"));
    let lines = |from: usize, to: usize, code: &'static str| (from..=to).map(move |line| format!("{line} {code}"));
    let expected: Vec<String> = lines(2, 15, "account-foreign role")
        .chain(lines(16, 24, "account-protected"))
        .chain(lines(25, 25, "user-unknown username"))
        .collect();
    let mut sorted = problems.clone();
    sorted.sort_by_key(|problem| problem.split(' ').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(sorted, expected);
    site.nothing_changed(&before, "accounts with power").await;
    // By their address they are no other accounts.
    let by_mail = program.clone().set("profiles.u.match=email");
    let text = "email;username;firstname;deleted\nADMIN@EXAMPLE.com;other;New;\nu1@example.com;other;New;\n\
                u2@example.com;;;1\nu3@example.com;;New;\n";
    let (_, problems) = dropped(&by_mail, "b.csv", text);
    assert_eq!(
        problems,
        ["2 account-protected", "3 account-foreign role", "4 account-foreign role", "5 account-foreign host"]
    );
    site.nothing_changed(&before, "by their addresses").await;
}

async fn names_that_are_swapped_or_stolen_are_refused(mut site: Site) {
    let program = feeding(&mut site).await.set("profiles.u.rename=yes");
    let before = site.dump().await;
    let text = "username;oldusername\nu2;u1\nu1;u2\nadmin;u3\nGuest;u4\nÀdmin;u5\n";
    let (_, problems) = dropped(&program, "a.csv", text);
    let codes: Vec<&str> = problems.iter().map(|problem| problem.as_str()).collect();
    assert_eq!(codes[..3], ["2 username-taken", "3 username-taken", "4 username-taken"]);
    assert!(codes.contains(&"5 account-protected"), "{codes:?}");
    // The name of the last row is another one once it is standardised.
    site.sql(&format!("UPDATE {{user}} SET username = 'u5' WHERE id = {}", user(5))).await;
    site.nothing_changed(&before, "swapped names").await;
    // Through a free name it works: rows about one account are applied in their order.
    let text = "username;oldusername\nfree;u1\nu1;u2\nu2;free\n";
    let (report, problems) = dropped(&program, "b.csv", text);
    assert_eq!((problems.len(), &report["counts"]["user.rename"]), (0, &3.into()));
    assert!(site.account_now(user(1)).await.starts_with("u2|") && site.account_now(user(2)).await.starts_with("u1|"));
}

async fn hostile_cells_are_texts(mut site: Site) {
    let program = feeding(&mut site).await;
    let evil = "'); DELETE FROM mdl_user; -- \\' \" :run {user} [account_now] %s $1 ?";
    let quoted = evil.replace('"', "\"\"");
    let long = "x".repeat(300);
    let text = format!(
        "username;firstname;lastname;email;cohort1;course1;role1;group1\n\
         h1;\"{quoted}\";\"{quoted}\";h1@example.org;\"{quoted}\";\"{quoted}\";\"{quoted}\";\"{quoted}\"\n\
         \"{quoted}\";A;B;h2@example.org;;;;\n{long};A;B;h3@example.org;;;;\nh4;{long};B;h4@example.org;;;;\n\
         h5;A;B;\"{quoted}\";;;;\nh6;A\u{202e};B\u{0};h6@example.org;;;;\n"
    );
    let accounts = site.count("user").await;
    let (report, _) = dropped(&program, "nul.csv", &text);
    assert_eq!(report["state"], "failed", "a NUL refuses the file");
    assert_eq!(site.count("user").await, accounts);
    let (report, problems) = dropped(&program, "a.csv", text.replace('\u{0}', ""));
    assert!(problems.iter().any(|problem| problem.starts_with("4 value-too-long")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.starts_with("5 value-too-long")), "{problems:?}");
    assert_eq!(report["state"], "done-with-errors");
    let stored = site.lines("SELECT u.firstname FROM {user} u WHERE u.username = 'h1'", |row| row.text(0)).await;
    assert_eq!(stored, [evil]);
    assert!(site.count("user").await > accounts);
    assert_eq!(site.account_now(2).await, "admin|F|admin@example.com|manual|0|0|kept");
    // The same row a thousand times is one account, and does not take a thousand steps.
    let same = "h7;A;B;h7@example.org\n".repeat(1_000);
    let (report, problems) = dropped(&program, "same.csv", format!("username;firstname;lastname;email\n{same}"));
    assert_eq!(report["counts"]["user.add"], 1);
    assert!(problems.iter().all(|problem| problem.contains("too-many-steps")), "{}", problems[0]);
}

async fn long_cells_cost_their_part_only(mut site: Site) {
    let program = feeding(&mut site).await;
    let long = "é".repeat(300);
    let text = format!(
        "username;firstname;lastname;email;cohort1;course1;role1;group1;deleted\nh1;A;B;h1@x.org;{long};;;;\n\
         h2;A;B;h2@x.org;;{long};;;\nh3;A;B;h3@x.org;;c1;{long};;\nh4;A;B;h4@x.org;;c1;student;{long};\n\
         {long}h5;A;B;h5@x.org;;;;;\nh6;<b>A</b>;B;h6@x.org;;;;;\n7E+05;A;B;h7@x.org;;;;;\nh8;A;B;h8@x.org;;;;;\n"
    );
    let (report, mut problems) = dropped(&program, "long.csv", &text);
    problems.retain(|problem| !problem.starts_with("3 ") || problem.contains("too-long"));
    assert_eq!(report["counts"]["user.add"], 5, "{problems:?}");
    for expected in ["2 value-too-long cohort1 255", "3 value-too-long course1 255", "4 value-too-long role1 255"] {
        assert!(problems.contains(&expected.to_owned()), "{expected} of {problems:?}");
    }
    for expected in ["5 value-too-long group1 255", "6 username-invalid", "7 value-invalid", "8 username-invalid"] {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected} of {problems:?}");
    }
}

async fn nobody_with_another_role_loses_an_enrolment(mut site: Site) {
    let program = feeding(&mut site).await.set("flatfile.roles=student");
    let text = "username;course1;role1;enrolstatus1\nu1;c1;student;\nu2;c1;student;\n";
    dropped(&program, "a.csv", text);
    let manager = role("manager");
    let of_course = context(1);
    site.sql(&format!(
        "INSERT INTO {{role_assignments}} (roleid, contextid, userid, component, itemid, timemodified)
         VALUES ({manager}, {of_course}, {}, '', 0, 0)",
        user(1)
    ))
    .await;
    let (_, problems) =
        dropped(&program, "b.csv", "username;course1;role1;enrolstatus1\nu1;c1;student;1\nu2;c1;student;1\n");
    assert_eq!(problems, ["2 role-not-allowed flatfile.roles"]);
    let suspended = site.lines("SELECT userid FROM {user_enrolments} WHERE status = 1", |row| row.text(0)).await;
    assert_eq!(suspended, [user(2).to_string()]);
}

async fn addresses_of_others_are_not_taken(mut site: Site) {
    let program = feeding(&mut site).await.set("profiles.u.change_email=yes");
    site.sql(&format!("UPDATE {{user}} SET email = 'É.Léa@example.com' WHERE id = {}", user(9))).await;
    let text = "username;firstname;lastname;email\nu1;;;ADMIN@example.COM\nn1;A;B;Admin@Example.com\nn2;A;B;é.léa@EXAMPLE.com\n\
                n3;A;B;e.lea@example.com\nu2;;;u3@example.com\nu3;;;u2@example.com\nn4;A;B; admin@example.com \n";
    let (_, problems) = dropped(&program, "a.csv", text);
    let (malformed, taken): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.ends_with("malformed"));
    assert_eq!(malformed, ["4 email-malformed"]);
    assert_eq!(taken, ["2", "3", "4", "6", "7", "8"].map(|line| format!("{line} email-taken")));
    // Letters with an accent are others, as in Moodle.
    let made = site.lines("SELECT u.username FROM {user} u WHERE u.username LIKE 'n%'", |row| row.text(0)).await;
    assert_eq!(made, ["n3"]);
    assert!(site.account_now(2).await.contains("|admin@example.com|"));
}

async fn an_account_that_is_deleted_may_be_made_again(mut site: Site) {
    let program = feeding(&mut site).await.set("profiles.u.delete=yes");
    let text =
        "username;deleted;firstname;lastname;email\nu1;1;;;\nu1;;A;B;u1@example.com\nu1;1;;;\nu1;;C;D;u1@example.com\n";
    let (report, problems) = dropped(&program, "a.csv", text);
    assert_eq!(problems, [""; 0]);
    assert_eq!((&report["counts"]["user.remove"], &report["counts"]["user.add"]), (&2.into(), &2.into()));
    let alive = site
        .lines("SELECT u.firstname FROM {user} u WHERE u.username = 'u1' AND u.deleted = 0", |row| row.text(0))
        .await;
    assert_eq!(alive, ["C"]);
    assert!(site.account_now(user(1)).await.contains("|0|1|"));
}
