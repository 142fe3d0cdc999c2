//! Two hundred files of all kinds that wait together, dropped in a random order under random names: two copies of one
//! faculty end in the same state, because files are applied by their kind. It must not test what a row means.

use enrold::db::Dialect;

use crate::campus::course;
use crate::program::Program;
use crate::random_site::Dice;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(files_of_all_kinds_in_any_order);

/// How many files each kind has for each copy, of twelve kinds and two copies; a run on a server takes longer.
fn count(site: &Site) -> usize {
    if site.conn.dialect() == Dialect::Lite { 9 } else { 4 }
}

/// The letters of the copies, which no name of Moodle has.
const COPIES: [&str; 2] = ["q", "z"];

/// The kinds of profiles, besides flat files.
const KINDS: [&str; 11] = [
    "users",
    "cohorts",
    "cohort-members",
    "methods",
    "course-methods",
    "groupings",
    "groups",
    "enrolments",
    "group-members",
    "course-list",
    "course-text",
];

/// The `n`-th file of each kind for a copy: the beginning of its name, and its text. It needs files of the kinds before
/// it, and differs from all others of its kind in what it is about.
fn files(copy: &str, n: usize) -> [(String, String); 12] {
    let c = format!("{copy}c{}", n % 3 + 1);
    let (one, two) = (format!("{copy}u{n}"), format!("{copy}v{n}"));
    let name = |kind: &str| format!("f-{kind}-");
    [
        (
            name("a"),
            format!(
                "username,firstname,lastname,email\n{one},Un,Test,{one}@example.org\n{two},Deux,Test,{two}@example.org\n"
            ),
        ),
        (name("b"), format!("name,idnumber\nPromo {copy}{n},{copy}h{n}\n")),
        (name("c"), format!("cmd,cidnumber,userid\nadd,{copy}h{n},{one}\nadd,{copy}h{n},{two}\n")),
        (
            name("d"),
            format!(
                "operation,method,shortname,metacohort,disabled,group,role\nadd,cohort,{c},{copy}h{n},,*new,student\n"
            ),
        ),
        (
            name("e"),
            format!(
                "shortname,enrolment_1,enrolment_1_cohortidnumber,enrolment_1_role\n{c},cohort,{copy}h{n},teacher\n"
            ),
        ),
        (name("f"), format!("groupingname,coursename,groupingidnumber\nSemestre {n},{c},s{n}\n")),
        (name("g"), format!("courseid,name,type,idnumber,grouping\n{c},TD {n},group,g{n},s{n}\n")),
        (name("h"), format!("operation,user,course,role\nadd,{one},{c},student\nadd,{one},{copy}c1,teacher\n")),
        (name("i"), format!("cmd;rolename;cid;uid;enrol;gcmd;g1\nadd;student;{c};{two};manual;gadd;TD {n}\n")),
        (name("j"), format!("cmd,courseid,groupid,userid\nadd,{c},TD {n},{one}\ndel,{c},TD {n},{two}\n")),
        // The stamp belongs to the name: the key of the course is what comes before it.
        (format!("course-{c}."), format!("{one};Liste {n}\n{two};Liste {n}\n")),
        (format!("course-{c}."), format!("# Texte {n}\n{one}@example.org\n")),
    ]
}

impl Site {
    /// What the files make, by names, with one letter for both copies; the rows of a copy.
    async fn state_of_copy(&mut self, copy: &str) -> Vec<String> {
        let queries = [
            "SELECT 'account', u.username, u.email, u.firstname, u.auth, '' FROM {user} u",
            "SELECT 'member', h.idnumber, h.name, u.username, h.component, '' FROM {cohort} h
               JOIN {cohort_members} m ON m.cohortid = h.id JOIN {user} u ON u.id = m.userid",
            "SELECT 'method', c.shortname, e.enrol, COALESCE(h.idnumber, ''), COALESCE(r.shortname, ''),
                COALESCE(g.name, '') FROM {enrol} e JOIN {course} c ON c.id = e.courseid AND e.status = 0
               LEFT JOIN {cohort} h ON h.id = e.customint1 AND e.enrol = 'cohort'
               LEFT JOIN {role} r ON r.id = e.roleid LEFT JOIN {groups} g ON g.id = e.customint2",
            "SELECT 'enrolment', c.shortname, e.enrol, COALESCE(h.idnumber, ''), u.username,
                CASE WHEN x.status = 0 AND x.timeend = 0 THEN 'active' ELSE 'other' END
               FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid JOIN {course} c ON c.id = e.courseid
               JOIN {user} u ON u.id = x.userid LEFT JOIN {cohort} h ON h.id = e.customint1 AND e.enrol = 'cohort'",
            "SELECT 'role', c.shortname, u.username, r.shortname, y.component, COALESCE(h.idnumber, '')
               FROM {role_assignments} y JOIN {context} o ON o.id = y.contextid AND o.contextlevel = 50
               JOIN {course} c ON c.id = o.instanceid JOIN {user} u ON u.id = y.userid JOIN {role} r ON r.id = y.roleid
               LEFT JOIN {enrol} e ON e.id = y.itemid AND y.component = 'enrol_cohort'
               LEFT JOIN {cohort} h ON h.id = e.customint1",
            "SELECT 'group', c.shortname, g.name, g.idnumber, COALESCE(p.name, ''), COALESCE(p.idnumber, '')
               FROM {groups} g JOIN {course} c ON c.id = g.courseid
               LEFT JOIN {groupings_groups} b ON b.groupid = g.id LEFT JOIN {groupings} p ON p.id = b.groupingid",
            "SELECT 'grouped', c.shortname, g.name, u.username, m.component, '' FROM {groups_members} m
               JOIN {groups} g ON g.id = m.groupid JOIN {course} c ON c.id = g.courseid JOIN {user} u ON u.id = m.userid",
        ];
        let mut all = Vec::new();
        for sql in queries {
            all.extend(self.lines(sql, |row| [0, 1, 2, 3, 4, 5].map(|at| row.text(at)).join("|")).await);
        }
        let own = all.into_iter().filter(|line| line.contains(copy));
        let mut own: Vec<String> = own.map(|line| line.replace(copy, "#")).collect();
        own.sort();
        own
    }
}

async fn files_of_all_kinds_in_any_order(mut site: Site) {
    site.campus().await;
    site.courses_up_to(6).await;
    for (at, copy) in COPIES.iter().enumerate() {
        for number in 1..=3 {
            let id = course(3 * at as i64 + number);
            site.sql(&format!("UPDATE {{course}} SET shortname = '{copy}c{number}' WHERE id = {id}")).await;
        }
    }
    site.reset_sequences().await;
    let mut program = KINDS.iter().fold(Program::on(&site), |program, kind| {
        program.set(&format!("profiles.{}.kind={kind}", kind.replace('-', "_")))
    });
    for switch in ["course_list.create_groups", "course_text.create_groups"] {
        program = program.set(&format!("profiles.{switch}=yes"));
    }
    let program = program.set("guard.mode=off").minding(&["cohort"]);
    let each = count(&site);
    let mut all: Vec<(String, String)> =
        COPIES.iter().flat_map(|copy| (0..each).flat_map(|n| files(copy, n)).collect::<Vec<_>>()).collect();
    assert_eq!(all.len(), 24 * each);
    let dice = &mut Dice::new(3);
    for at in (1..all.len()).rev() {
        all.swap(at, dice.below(at as i64 + 1) as usize);
    }
    // Neither the names within a kind nor the times of the files say anything about their order.
    for (at, (begins, text)) in all.iter().enumerate() {
        let number = (at * 7_919 + 13) % 100_003;
        let ending = if text.starts_with('#') { "txt" } else { "csv" };
        program.drop_file(&format!("{begins}{number:06}.{ending}"), text);
    }
    let inbox = format!("inbox.path={}", program.inbox().display());
    let answer = program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"]);
    let left: Vec<String> = names(&program.inbox())
        .into_iter()
        .filter(|name| !name.ends_with(".done") && !name.ends_with(".report.json"))
        .collect();
    let wrong: Vec<&str> = answer.log.lines().filter(|line| !line.contains(" 0 errors,")).collect();
    assert_eq!((answer.code, left), (0, Vec::new()), "{wrong:#?}");
    let [one, other] = [site.state_of_copy(COPIES[0]).await, site.state_of_copy(COPIES[1]).await];
    assert_eq!(one, other);
    let of = |kind: &str| one.iter().filter(|line| line.starts_with(&format!("{kind}|"))).count();
    let counts = ["account", "member", "method", "group", "grouped"].map(of);
    // In the groups of the methods, of the lists and of the texts, and one of each two in the group of the groups file.
    assert_eq!(counts, [2 * each, 2 * each, 6 + 2 * each, 4 * each, (2 + 1 + 2 + 1) * each]);
    assert!(one.contains(&"grouped|#c1|TD 0|#u0||".to_owned()), "{one:?}");
}
