//! Files of groups, of groupings and of their members on the small campus: what is made, changed, emptied, removed, and
//! what is refused. It must not test how lines are read.

use std::sync::Arc;

use enrold::config::{FileGroupKey, FileKind, Profile, Update, UserKey};
use enrold::db::Params;
use enrold::outcome::{Report, State};
use enrold::run::Import;

use crate::campus::{context, course, user};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    groups_of_many_courses,
    groupings_by_tool_sync,
    groupings_of_their_own,
    values_change_only_if_told,
    changes_by_a_key,
    conversations_follow,
    visibility_and_participation,
    deleting_needs_a_permission,
    groups_are_emptied_and_removed,
    what_a_file_undoes_is_not_done_again,
    what_is_used_stays,
    hostile_rows,
    texts_that_pages_would_show,
    too_many_groups_leave_groupings,
    members_by_commands,
    members_of_methods_stay,
    groups_by_idnumber_and_id,
    emptied_groups_are_purged,
    too_many_removals_are_held,
    statements_do_not_grow_with_rows,
);

fn groups() -> Profile {
    Profile::of(FileKind::Groups)
}

fn deleting() -> Profile {
    Profile { delete: Some(true), ..groups() }
}

fn members() -> Profile {
    Profile::of(FileKind::GroupMembers)
}

impl Site {
    async fn group_problems(&mut self, report: &Report) -> Vec<String> {
        let sql = "SELECT number, code, value, hint FROM {enrold_error} WHERE run = :run ORDER BY number, code";
        let rows = self.conn.rows(sql, &Params::new().with("run", report.run)).await.unwrap();
        rows.iter().map(|row| format!("{} {} {} {}", row.int(0), row.text(1), row.text(2), row.text(3))).collect()
    }

    /// Imports a text with the proofs of [`Site::users`], and gives its problems.
    async fn grouped(&mut self, profile: &Profile, text: &str) -> Vec<String> {
        let report = self.users(profile, text).await;
        assert!(matches!(report.state, State::Done | State::DoneWithErrors), "{:?}", report.problems);
        self.group_problems(&report).await
    }

    /// Groups as `course name idnumber description`.
    async fn all_groups(&mut self) -> Vec<String> {
        let sql = "SELECT c.shortname, g.name, g.idnumber, COALESCE(g.description, '-') FROM {groups} g
            JOIN {course} c ON c.id = g.courseid";
        self.lines(sql, |row| [0, 1, 2, 3].map(|at| row.text(at)).join("|")).await
    }

    /// Groupings as `course name idnumber: groups`.
    async fn all_groupings(&mut self) -> Vec<String> {
        let sql = "SELECT c.shortname, p.name, p.idnumber, COALESCE(g.name, '') FROM {groupings} p
            JOIN {course} c ON c.id = p.courseid LEFT JOIN {groupings_groups} x ON x.groupingid = p.id
            LEFT JOIN {groups} g ON g.id = x.groupid";
        self.lines(sql, |row| [0, 1, 2, 3].map(|at| row.text(at)).join("|")).await
    }

    /// Conversations as `group enabled member`.
    async fn talks(&mut self) -> Vec<String> {
        let sql = "SELECT v.name, v.enabled, COALESCE(u.username, '') FROM {message_conversations} v
            LEFT JOIN {message_conversation_members} m ON m.conversationid = v.id
            LEFT JOIN {user} u ON u.id = m.userid";
        self.lines(sql, |row| format!("{}|{}|{}", row.text(0), row.int(1), row.text(2))).await
    }
}

async fn groups_of_many_courses(mut site: Site) {
    site.campus().await;
    let file = "groupname;coursename;groupidnumber;description;groupingname\n\
                Équipe A;c1;ea;Un <b>texte</b>;TD\nB;c2;;;TD\nB;c1;ea;;TD\nC;nulle part;;;\nB;c2;;;TP\n";
    let told = site.grouped(&groups(), file).await;
    assert_eq!(told, ["4 group-idnumber-taken ea c1", "5 course-unknown nulle part shortname"]);
    assert_eq!(site.all_groups().await, ["c1|B||", "c1|Équipe A|ea|Un <b>texte</b>", "c2|B||"]);
    assert_eq!(site.all_groupings().await, ["c1|TD||B", "c1|TD||Équipe A", "c2|TD||B", "c2|TP||B"]);
    let events = site.events().await;
    for event in ["group created", "grouping created", "grouping_group assigned"] {
        assert!(events.iter().any(|line| line.contains(event)), "{event}: {events:?}");
    }
}

async fn groupings_by_tool_sync(mut site: Site) {
    site.campus().await;
    let file = "courseid,name,type,idnumber,grouping,selfgrouping,description\n\
                c1,Semestre 1,grouping,s1,,,\n# a remark\nc1,TD 1,,td1,s1,,x\nc1,TD 2,group,td2,s2,,\n\
                c1,TD 3,,td3,,1,\nc1,Autre nom,,td1,,,\n";
    let told = site.grouped(&groups(), file).await;
    assert_eq!(told, ["5 grouping-unknown s2 c1", "7 group-exists Autre nom c1"]);
    assert_eq!(site.all_groups().await, ["c1|TD 1|td1|x", "c1|TD 3|td3|"]);
    assert_eq!(site.all_groupings().await, ["c1|Semestre 1|s1|TD 1", "c1|TD 3||TD 3"]);
}

async fn groupings_of_their_own(mut site: Site) {
    site.campus().await;
    let groupings = Profile::of(FileKind::Groupings);
    let file = "groupingname;coursename;groupingidnumber\nS1;c1;s1\nS2;c2;\n";
    assert!(site.grouped(&groupings, file).await.is_empty());
    assert_eq!(site.all_groupings().await, ["c1|S1|s1|", "c2|S2||"]);
    let delete = Profile { delete: Some(true), ..groupings };
    assert!(site.grouped(&delete, "cmd,courseid,name\ndelete,c1,S1\n").await.is_empty());
    assert_eq!(site.all_groupings().await, ["c2|S2||"]);
    assert!(site.events().await.iter().any(|line| line.contains("grouping deleted")));
}

async fn values_change_only_if_told(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    let file = "groupname,coursename,description,groupidnumber\ng1,c1,Neuf,n1\n";
    assert_eq!(site.grouped(&groups(), file).await, ["2 group-exists g1 c1"]);
    assert_eq!(site.all_groups().await, ["c1|g1||-"]);
    let told = Profile { update: Update::File, ..groups() };
    assert!(site.grouped(&told, file).await.is_empty());
    assert_eq!(site.all_groups().await, ["c1|g1|n1|Neuf"]);
    assert!(site.events().await.iter().any(|line| line.contains("group updated")));
    // An empty cell keeps what is there.
    assert!(site.grouped(&told, "groupname,coursename,description,groupidnumber\ng1,c1,,\n").await.is_empty());
    assert_eq!(site.all_groups().await, ["c1|g1|n1|Neuf"]);
    let update = "cmd,groupname,coursename,description\nupdate,g1,c1,Deux\nupdate,g9,c1,x\n";
    assert_eq!(site.grouped(&groups(), update).await, ["3 group-unknown g9 c1"]);
    assert_eq!(site.all_groups().await, ["c1|g1|n1|Deux"]);
}

async fn changes_by_a_key(mut site: Site) {
    site.campus().await;
    for (number, whither) in [(1, 1), (2, 1), (3, 2)] {
        site.group(number, whither).await;
    }
    site.sql("UPDATE {groups} SET idnumber = 'k1' WHERE name = 'g1'").await;
    let by_idnumber = Profile { group_key: FileGroupKey::Idnumber, ..groups() };
    let file = "courseid,name,idnumber,updateid\nc1,Neuf,k1,k1\nc1,g2,,k9\nc1,g2,k1,k1\n";
    let told = site.grouped(&by_idnumber, file).await;
    assert_eq!(told, ["4 group-exists g2 c1"]);
    assert_eq!(site.all_groups().await, ["c1|Neuf|k1|-", "c1|g2||-", "c2|g3||-"]);
    let by_id = Profile { group_key: FileGroupKey::Id, ..groups() };
    let id = site.conn.number("SELECT id FROM {groups} WHERE name = 'g3'", &Params::new()).await.unwrap();
    let file = format!("courseid,name,updateid\nc2,Trois,{id}\nc1,Ailleurs,{id}\nc1,x,99999\n");
    let told = site.grouped(&by_id, &file).await;
    assert_eq!(told, [format!("3 group-unknown {id} c1"), "4 group-unknown 99999 c1".to_owned()]);
    assert_eq!(site.all_groups().await, ["c1|Neuf|k1|-", "c1|g2||-", "c2|Trois||-"]);
}

async fn conversations_follow(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    for who in [1, 2] {
        site.enrolled(who, 1, "manual").await;
        site.in_group(who, 1, ("", 0)).await;
    }
    let told = Profile { update: Update::File, ..groups() };
    let file = "groupname,coursename,enablemessaging\ng1,c1,oui\nNeuf,c1,1\nMuet,c1,non\n";
    assert!(site.grouped(&told, file).await.is_empty());
    assert_eq!(site.talks().await, ["Neuf|1|", "g1|1|u1", "g1|1|u2"]);
    let row = site.dump().await["message_conversations"][0].clone();
    let expected = [("type", "2"), ("component", "core_group"), ("itemtype", "groups"), ("convhash", "")];
    expected.iter().for_each(|(column, value)| assert_eq!(crate::dump::text(&row, column), *value, "{column}"));
    assert_eq!(crate::dump::text(&row, "contextid"), context(1).to_string());
    let rename = "courseid,name,updateid,enablemessaging\nc1,Nom,g1,\nc1,,Neuf,0\n";
    assert!(site.grouped(&groups(), rename).await.is_empty());
    assert_eq!(site.talks().await, ["Neuf|0|", "Nom|1|u1", "Nom|1|u2"]);
    site.setting_of_site("messaging", "0").await;
    assert!(site.grouped(&told, "groupname,coursename,enablemessaging\nMuet,c1,1\n").await.is_empty());
    assert_eq!(site.talks().await.len(), 3);
    let join = "cmd,courseid,groupid,userid\nadd,c1,Nom,u2\ndel,c1,Nom,u1\n";
    assert!(site.grouped(&members(), join).await.is_empty());
    assert_eq!(site.talks().await, ["Neuf|0|", "Nom|1|u2"]);
}

impl Site {
    async fn setting_of_site(&mut self, name: &str, value: &str) {
        self.insert("config", &[("name", name.into()), ("value", value.into())]).await;
    }
}

async fn visibility_and_participation(mut site: Site) {
    site.campus().await;
    let file =
        "groupname,coursename,visibility,participation\nA,c1,,\nB,c1,members,0\nC,c1,3,\nD,c1,none,1\nE,c1,tous,\n";
    let told = site.grouped(&groups(), file).await;
    let wrong = "6 value-unusable tous visibility: all (0), members (1), own (2), none (3)";
    assert_eq!(told, ["5 value-unusable 1 participation: 0 (visibility)", wrong]);
    let sql = "SELECT name, visibility, participation FROM {groups}";
    let found = site.lines(sql, |row| format!("{} {} {}", row.text(0), row.int(1), row.int(2))).await;
    assert_eq!(found, ["A 0 1", "B 1 0", "C 3 0"]);
}

async fn deleting_needs_a_permission(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    let told = site.grouped(&groups(), "cmd,groupname,coursename\ndelete,g1,c1\nempty,g1,c1\n").await;
    assert_eq!(told, ["2 change-refused g1 delete", "3 change-refused g1 delete"]);
    assert_eq!(site.all_groups().await, ["c1|g1||-"]);
}

async fn groups_are_emptied_and_removed(mut site: Site) {
    site.campus().await;
    for number in 1..=3 {
        site.group(number, 1).await;
        site.in_group(number, number, ("", 0)).await;
        site.in_group(9, number, ("enrol_flatfile", 5)).await;
    }
    let before = "groupname,coursename,groupingname\ng1,c1,TD\ng2,c1,TD\n";
    site.grouped(&groups(), before).await;
    let file = "cmd,groupname,coursename\nempty,g1,c1\ndelete,g2,c1\nadd,g2,c1\nempty,g2,c1\n";
    let told = site.grouped(&deleting(), file).await;
    assert_eq!(told, ["2 group-kept g1 1", "4 group-exists g2 c1", "5 group-unknown g2 c1"]);
    assert_eq!(site.all_groups().await, ["c1|g1||-", "c1|g3||-"]);
    assert_eq!(site.group_members().await, ["u3 g3 manual", "u9 g1 flatfile", "u9 g3 flatfile"]);
    assert_eq!(site.all_groupings().await, ["c1|TD||g1"]);
    let events = site.events().await;
    for event in ["group deleted", "grouping_group unassigned", "group_member removed"] {
        assert!(events.iter().any(|line| line.contains(event)), "{event}: {events:?}");
    }
}

async fn what_a_file_undoes_is_not_done_again(mut site: Site) {
    site.campus().await;
    // Each file is proved to change nothing when it comes again.
    let renamed =
        "cmd,courseid,name,description,updateid,selfgrouping\nadd,c1,A,Un,,1\nupdate,c1,B,,A,\nupdate,c1,C,,B,\n";
    for profile in [groups(), groups(), Profile { update: Update::File, ..groups() }] {
        assert!(site.grouped(&profile, renamed).await.is_empty());
        assert_eq!(site.all_groups().await, ["c1|C||Un"]);
        assert_eq!(site.all_groupings().await, ["c1|A||C"]);
    }
    let by_idnumber = "cmd,groupname,coursename,groupidnumber\nadd,X,c2,k1\nupdate,Y,c2,k1\n";
    assert!(site.grouped(&groups(), by_idnumber).await.is_empty());
    assert_eq!(site.all_groups().await, ["c1|C||Un", "c2|Y|k1|-"]);
    let before = site.dump().await;
    let removed = "cmd,groupname,coursename,groupingname\nadd,Z,c3,\ndelete,Z,c3,\n";
    assert!(site.grouped(&deleting(), removed).await.is_empty());
    site.nothing_changed(&before, "a group that is made and removed").await;
    // Where only the old name is there, it is renamed.
    site.group(1, 3).await;
    assert!(site.grouped(&groups(), "cmd,courseid,name,updateid\nadd,c3,g1,\nupdate,c3,g2,g1\n").await.is_empty());
    assert_eq!(site.all_groups().await[2..], ["c3|g2||-"]);
}

async fn what_is_used_stays(mut site: Site) {
    site.campus().await;
    for number in 1..=4 {
        site.group(number, 1).await;
    }
    let id = |number: i64| format!("(SELECT id FROM {{groups}} WHERE name = 'g{number}')");
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.sql(&format!("UPDATE {{enrol}} SET customint2 = {} WHERE enrol = 'cohort'", id(1))).await;
    let group2 = site.conn.number("SELECT id FROM {groups} WHERE name = 'g2'", &Params::new()).await.unwrap();
    let rule = format!(r#"{{"op":"&","c":[{{"op":"|","c":[{{"type":"group","id":{group2}}}]}}]}}"#);
    let activity = [("course", course(1).into()), ("module", 1.into()), ("availability", rule.as_str().into())];
    site.insert("course_modules", &activity).await;
    let update = Profile { update: Update::File, ..groups() };
    site.grouped(&update, "groupname,coursename,enablemessaging\ng3,c1,1\n").await;
    let file = "cmd,groupname,coursename\ndelete,g1,c1\ndelete,g2,c1\ndelete,g3,c1\ndelete,g4,c1\n";
    let told = site.grouped(&deleting(), file).await;
    let expected = ["2 group-used g1 enrol", "3 group-used g2 availability", "4 group-used g3 message_conversations"];
    assert_eq!(told[..3], expected);
    assert_eq!(site.all_groups().await.len(), 3);
}

async fn hostile_rows(mut site: Site) {
    site.campus().await;
    let long = "x".repeat(255);
    let file = format!(
        "groupname,coursename,groupidnumber\n{long},c1,\n\"a\u{1}b\",c1,\n#N/A,c1,\n  ,c1,n\n\"<script>\",c1,d\nA,c1,d\n\
         A,,\na,c1,\nA,C1,\nÉ,c1,{}\n",
        "9".repeat(101)
    );
    let told: Vec<String> = site.grouped(&groups(), &file).await;
    let codes: Vec<String> = told.iter().map(|told| told.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "2 value-too-long",
        "3 value-unusable",
        "4 value-unusable",
        "5 empty-identifier",
        "6 value-unusable",
        "8 empty-identifier",
        "10 course-unknown",
        "11 value-too-long",
    ];
    assert_eq!(codes, expected);
    assert_eq!(site.all_groups().await, ["c1|A|d|-", "c1|a||-"]);
    let before = site.dump().await;
    let refused = site.users_once(&groups(), "groupname,coursename,colour\nB,c1,red\n").await;
    assert_eq!((refused.state, refused.problems[0].code.as_str()), (State::Failed, "column-unknown"));
    site.nothing_changed(&before, "an unknown column").await;
}

/// Texts that Moodle shows as they are, in every column.
async fn texts_that_pages_would_show(mut site: Site) {
    site.campus().await;
    let file = "groupname,coursename,groupidnumber,description,enrolmentkey,groupingname\n\
        \"A\u{202e}B\",c1,,,,\nA\u{200b},c1,,,,\nB\u{200b}B,c1,,,,\nC,c1,<img src=x onerror=y>,,,\nD,c1,,<script>x</script>,,\n\
        E,c1,,<p onclick=x>y</p>,,\nF,c1,,,k\u{1}y,\nG,c1,,,,<b>TD</b>\nH,c1,,<p>mardi <b>8 h</b></p>,,TD\n";
    let told: Vec<String> = site.grouped(&groups(), file).await;
    let codes: Vec<String> = told.iter().map(|told| told.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected: Vec<String> = [2, 3, 4, 5, 6, 7, 8, 9].iter().map(|n| format!("{n} value-unusable")).collect();
    assert_eq!(codes, expected);
    assert_eq!(site.count("groups").await, 1);
}

async fn too_many_groups_leave_groupings(mut site: Site) {
    site.campus().await;
    let file: String = (1..=8).map(|number| format!("g{number},c1,TD\n")).collect();
    assert!(site.grouped(&groups(), &format!("groupname,coursename,groupingname\n{file}")).await.is_empty());
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let profile = Profile { kind: FileKind::Groupings, ..deleting() };
    let report = site.users_once(&profile, "cmd,groupingname,coursename\nempty,TD,c1\n").await;
    assert_eq!((report.state, report.breaches[0].scope.as_str()), (State::Held, "bindings"));
    site.nothing_changed(&before, "held").await;
}

async fn members_by_commands(mut site: Site) {
    site.campus().await;
    for number in 1..=3 {
        site.group(number, 1).await;
    }
    site.group(4, 2).await;
    for who in 1..=4 {
        site.enrolled(who, 1, "manual").await;
    }
    site.enrolled(1, 2, "manual").await;
    for (who, number) in [(1, 1), (1, 2), (1, 4), (2, 1), (3, 1)] {
        site.in_group(who, number, ("", 0)).await;
    }
    let file = "cmd;courseid;groupid;userid\nshift;c1;g3;u1\ndel;c1;g1;u2\n;c1;g2;u3\nadd;c1;g2;u4\ndel;c1;g2;u4\n\
                add;c1;g2;u5\nadd;c1;rien;u3\nadd;c9;g1;u3\nadd;c1;g1;nobody\nadd;c1;g1;admin\nmove;c1;g1;u3\n";
    let told = site.grouped(&members(), file).await;
    let expected = [
        "7 group-not-enrolled g2 c1",
        "8 group-unknown rien c1",
        "9 course-unknown c9 shortname",
        "10 user-unknown nobody username",
        "11 account-protected admin username",
        "12 bad-verb move add, del, shift",
    ];
    assert_eq!(told, expected);
    assert_eq!(site.group_members().await, ["u1 g3 manual", "u1 g4 manual", "u3 g1 manual", "u3 g2 manual"]);
    // What follows a move in the file counts.
    let file = "cmd,courseid,groupid,userid\nadd,c1,g1,u1\nshift,c1,g2,u1\nadd,c1,g3,u1\n";
    assert!(site.grouped(&members(), file).await.is_empty());
    assert_eq!(site.group_members().await[..2], ["u1 g2 manual", "u1 g3 manual"]);
    site.insert("config_plugins", &crate::campus::set("tool_sync", "version", "2018")).await;
    let file = "courseid,groupid,userid\nc1,g1,u4\n";
    assert!(site.grouped(&members(), file).await.is_empty());
    let sql = "SELECT m.component FROM {groups_members} m WHERE m.userid = :who";
    let params = Params::new().with("who", user(4));
    assert_eq!(site.conn.row(sql, &params).await.unwrap().unwrap().text(0), "tool_sync");
    assert!(site.grouped(&members(), "cmd,courseid,groupid,userid\ndel,c1,g1,u4\n").await.is_empty());
    assert_eq!(site.group_members().await.len(), 5);
}

async fn members_of_methods_stay(mut site: Site) {
    site.campus().await;
    for number in 1..=2 {
        site.group(number, 1).await;
    }
    site.enrolled(1, 1, "manual").await;
    site.in_group(1, 1, ("enrol_cohort", 5)).await;
    let told = site.grouped(&members(), "cmd,courseid,groupid,userid\ndel,c1,g1,u1\n").await;
    assert_eq!(told, ["2 group-kept g1 1"]);
    site.grouped(&members(), "cmd,courseid,groupid,userid\nshift,c1,g2,u1\n").await;
    assert_eq!(site.group_members().await, ["u1 g1 cohort", "u1 g2 manual"]);
}

async fn groups_by_idnumber_and_id(mut site: Site) {
    site.campus().await;
    for (number, whither) in [(1, 1), (2, 1), (3, 2)] {
        site.group(number, whither).await;
    }
    site.enrolled(1, 1, "manual").await;
    site.sql("UPDATE {groups} SET idnumber = 'k1' WHERE courseid > 0 AND name <> 'g2'").await;
    let by_idnumber = Profile {
        group_key: FileGroupKey::Idnumber,
        user_key: UserKey::Idnumber,
        course: "c1".to_owned(),
        ..members()
    };
    let told = site.grouped(&by_idnumber, "groupid,userid\nk1,u1\n").await;
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(site.group_members().await, ["u1 g1 manual"]);
    let id = site.conn.number("SELECT id FROM {groups} WHERE name = 'g2'", &Params::new()).await.unwrap();
    let by_id = Profile { group_key: FileGroupKey::Id, ..members() };
    let file = format!("courseid,groupid,userid\n,{id},u1\nc2,{id},u1\n,x,u1\n");
    let told = site.grouped(&by_id, &file).await;
    assert_eq!(told, [format!("3 group-unknown {id} c2"), "4 group-unknown x ".to_owned()]);
    assert_eq!(site.group_members().await, ["u1 g1 manual", "u1 g2 manual"]);
}

async fn emptied_groups_are_purged(mut site: Site) {
    site.campus().await;
    for number in 1..=4 {
        site.group(number, 1).await;
    }
    for who in 1..=2 {
        site.enrolled(who, 1, "manual").await;
    }
    for (who, number) in [(1, 1), (1, 2), (1, 3), (2, 3)] {
        site.in_group(who, number, ("", 0)).await;
    }
    site.grouped(&groups(), "groupname,coursename,groupingname\ng2,c1,TD\n").await;
    let purging = Profile { purge_groups: true, ..members() };
    let file = "cmd,courseid,groupid,userid\ndel,c1,g1,u1\ndel,c1,g2,u1\ndel,c1,g3,u1\n";
    site.grouped(&purging, file).await;
    // g2 is in a grouping, g3 has another member, g4 was empty before.
    assert_eq!(site.all_groups().await, ["c1|g2||-", "c1|g3||-", "c1|g4||-"]);
}

async fn too_many_removals_are_held(mut site: Site) {
    site.campus().await;
    for number in 1..=30 {
        site.group(number, 1).await;
    }
    site.set("guard.mode", "hold");
    site.set("guard.run.removals_max", "20");
    let before = site.dump().await;
    let file: String = (1..=30).map(|number| format!("delete,g{number},c1\n")).collect();
    let report = site.users_once(&deleting(), &format!("cmd,groupname,coursename\n{file}")).await;
    assert_eq!(report.state, State::Held, "{:?}", report.problems);
    site.nothing_changed(&before, "held").await;
}

async fn statements_do_not_grow_with_rows(mut site: Site) {
    site.campus().await;
    site.set("run.lease_ttl", "3600");
    let file = |from: i64, to: i64| -> String {
        let rows = (from..=to).map(|n| format!("G{n},c{},{},d\n", n % 3 + 1, ["TD", "TP", ""][n as usize % 3]));
        "groupname,coursename,groupingname,description\n".to_owned() + &rows.collect::<String>()
    };
    let mut few = 0;
    for (from, to) in [(1, 50), (51, 550)] {
        let import = Import { profile: Some(Arc::new(groups())), ..site.write(file(from, to)) };
        let report = site.engine().import(&import, false).await.unwrap();
        assert_eq!((report.errors, report.counts["group.add"]), (0, to - from + 1), "{:?}", report.problems);
        match few {
            0 => few = report.statements,
            _ => assert!(report.statements <= few + 4, "{} statements for 500 rows, {few} for 50", report.statements),
        }
    }
    site.enrolled(1, 1, "manual").await;
    let file = |from: i64, to: i64| -> String {
        let rows = (from..=to).filter(|n| n % 3 == 0).map(|n| format!("c1,G{n},u1\n"));
        "courseid,groupid,userid\n".to_owned() + &rows.collect::<String>()
    };
    few = 0;
    for (from, to) in [(1, 60), (61, 540)] {
        let import = Import { profile: Some(Arc::new(members())), ..site.write(file(from, to)) };
        let report = site.engine().import(&import, false).await.unwrap();
        assert_eq!(
            (report.errors, report.counts["group-member.add"]),
            (0, (to - from + 1) / 3),
            "{:?}",
            report.problems
        );
        match few {
            0 => few = report.statements,
            _ => assert!(report.statements <= few + 2, "{} statements for 160 rows, {few} for 20", report.statements),
        }
    }
}
