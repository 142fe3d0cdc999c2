//! Rules against the databases: named cases of spec availability 8, and random trees over random users against a model.
//! It must not know how a rule becomes SQL: it compares the users who meet the condition.

use std::collections::BTreeSet;

use enrold::db::{Params, Value};
use enrold::moodle::site::Site as Settings;
use enrold::rules::availability::{Facts, Predicate, read};

use crate::availability_model::{COURSE, MEMBERS, Model, Random, rule};
use crate::campus::{context, course, role, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    random_rules_let_in_whom_the_model_does,
    fields_compare_byte_by_byte,
    wildcards_and_quotes_are_plain_characters,
    custom_fields_fall_back_to_their_default,
    trees_join_as_moodle_does,
    an_empty_tree_lets_everybody_in,
    cohorts_badges_and_grades,
    groups_and_groupings_are_those_of_the_course,
    who_sees_all_groups_passes_even_under_not,
    completions_of_activities_and_courses,
    languages_of_course_and_user,
    a_disabled_condition_plugin_is_refused,
);

impl Site {
    /// The users among `u1…u9` who meet the rule in `c1`, as numbers.
    async fn let_in(&mut self, text: &str) -> BTreeSet<i64> {
        self.let_into(text, 1).await
    }

    async fn let_into(&mut self, text: &str, whither: i64) -> BTreeSet<i64> {
        let predicate = self.predicate(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        let asked = "SELECT u.id FROM {user} u, (SELECT :courseid AS courseid, :contextid AS contextid) v
            WHERE u.id > 10 AND :rule";
        let params = Params::new().with("courseid", course(whither)).with("contextid", context(whither));
        let params = predicate.bind(params);
        let yes: BTreeSet<i64> =
            self.conn.rows(asked, &params).await.unwrap().iter().map(|row| row.int(0) - user(0)).collect();
        let unasked = asked.replace(":rule", "NOT :rule");
        let no = self.conn.rows(&unasked, &params).await.unwrap().len();
        assert_eq!(yes.len() + no, MEMBERS as usize, "{text} is NULL for somebody");
        yes
    }

    async fn predicate(&mut self, text: &str) -> Result<Predicate, String> {
        let settings = Settings::read(&mut self.conn).await.unwrap();
        let facts = Facts::read(&mut self.conn, &settings).await.unwrap();
        let tree = read(text).map_err(|error| error.to_string())?;
        Predicate::of(tree.as_ref(), &facts, self.conn.dialect(), NOW).map_err(|error| error.to_string())
    }

    pub async fn profile(&mut self, who: i64, column: &'static str, value: &str) {
        let params = Params::new().with("id", user(who)).with("value", value);
        self.conn.exec(&format!("UPDATE {{user}} SET {column} = :value WHERE id = :id"), &params).await.unwrap();
    }

    pub async fn field(&mut self, id: i64, shortname: &str, default: Option<&str>) {
        let mut row = vec![("id", id.into()), ("shortname", shortname.into()), ("datatype", "text".into())];
        row.extend(default.map(|text| ("defaultdata", Value::from(text))));
        self.insert("user_info_field", &row).await;
    }

    pub async fn field_value(&mut self, who: i64, field: i64, value: &str) {
        let row = [("userid", user(who).into()), ("fieldid", field.into()), ("data", value.into())];
        self.insert("user_info_data", &row).await;
    }
}

fn of(numbers: impl IntoIterator<Item = i64>) -> BTreeSet<i64> {
    numbers.into_iter().collect()
}

fn profile(sf: &str, op: &str, value: &str) -> String {
    let value = serde_json::Value::from(value);
    format!(r#"{{"type":"profile","sf":"{sf}","op":"{op}","v":{value}}}"#)
}

fn custom(cf: &str, op: &str, value: Option<&str>) -> String {
    let value = value.map(|text| format!(r#","v":{}"#, serde_json::Value::from(text))).unwrap_or_default();
    format!(r#"{{"type":"profile","cf":"{cf}","op":"{op}"{value}}}"#)
}

fn joined(op: &str, parts: &[&str]) -> String {
    format!(r#"{{"op":"{op}","c":[{}]}}"#, parts.join(","))
}

async fn random_rules_let_in_whom_the_model_does(mut site: Site) {
    site.campus().await;
    let mut random = Random::of(20_261_122);
    let model = Model::random(&mut random);
    for (table, row) in model.rows() {
        site.insert(table, &row).await;
    }
    for (who, column, value) in model.profiles() {
        site.profile(who, column, &value).await;
    }
    site.sql(&format!("UPDATE {{course}} SET lang = 'de' WHERE id = {COURSE}")).await;
    let (mut some, mut halves) = (0, 0);
    for _ in 0..250 {
        let tree = model.random_tree(&mut random, 0);
        let text = tree.root();
        let found = site.let_in(&text).await;
        assert_eq!(found, model.let_in(&tree), "{text}");
        some += usize::from(!found.is_empty());
        halves += usize::from(!found.is_empty() && found.len() < MEMBERS as usize);
    }
    assert!(some > 100 && halves > 60, "the rules tell users apart: {some}, {halves}");
}

/// Scenarios 15 to 17.
async fn fields_compare_byte_by_byte(mut site: Site) {
    site.campus().await;
    let values = ["Maths", "maths", "Mäths", "Maths ", " Maths", "", "0", "Ma\u{308}ths", "ß"];
    for (who, value) in (1..).zip(values) {
        site.profile(who, "department", value).await;
    }
    let mut asked = async |op: &str, value: &str| site.let_in(&rule(&profile("department", op, value))).await;
    assert_eq!(asked("isequalto", "Maths").await, of([1]));
    assert_eq!(asked("isequalto", "Maths ").await, of([4]));
    assert_eq!(asked("isequalto", "Mäths").await, of([3]), "not its decomposed twin");
    assert_eq!(asked("isequalto", "ss").await, of([]));
    assert_eq!(asked("isequalto", "").await, of([6]));
    assert_eq!(asked("contains", "ths").await, of([1, 2, 3, 4, 5, 8]));
    assert_eq!(asked("contains", "m").await, of([2]));
    assert_eq!(asked("contains", "").await, of(1..=9));
    assert_eq!(asked("doesnotcontain", "M").await, of([2, 6, 7, 9]));
    assert_eq!(asked("doesnotcontain", "0").await, of(1..=9), "0 is empty, and so contains nothing");
    assert_eq!(asked("doesnotcontain", "").await, of([6, 7]));
    assert_eq!(asked("startswith", "Ma").await, of([1, 4, 8]));
    assert_eq!(asked("startswith", "Maths and more").await, of([]));
    assert_eq!(asked("startswith", "").await, of(1..=9));
    assert_eq!(asked("endswith", "ths").await, of([1, 2, 3, 5, 8]));
    assert_eq!(asked("endswith", " ").await, of([4]));
    assert_eq!(asked("endswith", "and more Maths").await, of([]));
    assert_eq!(asked("endswith", "").await, of([6]));
    let empty = r#"{"type":"profile","sf":"department","op":"isempty"}"#;
    assert_eq!(site.let_in(&rule(empty)).await, of([6, 7]));
    assert_eq!(site.let_in(&rule(&joined("!|", &[empty]))).await, of([1, 2, 3, 4, 5, 8, 9]));
}

async fn wildcards_and_quotes_are_plain_characters(mut site: Site) {
    site.campus().await;
    let values = ["100%", "1000", "a_b", "aXb", "it's", "back\\slash", "a\"b", ":id {user}", "😀"];
    for (who, value) in (1..).zip(values) {
        site.profile(who, "city", value).await;
    }
    for (who, value) in (1..).zip(values) {
        for op in ["isequalto", "contains", "startswith", "endswith"] {
            assert_eq!(site.let_in(&rule(&profile("city", op, value))).await, of([who]), "{op} {value}");
        }
    }
    assert_eq!(site.let_in(&rule(&profile("city", "contains", "%"))).await, of([1]));
    assert_eq!(site.let_in(&rule(&profile("city", "startswith", "a_"))).await, of([3]));
    assert_eq!(site.let_in(&rule(&profile("city", "contains", "\\"))).await, of([6]));
}

/// Scenarios 14 and 19.
async fn custom_fields_fall_back_to_their_default(mut site: Site) {
    site.campus().await;
    site.field(1, "frog", None).await;
    site.field(2, "slime", Some("Slimy")).await;
    site.field_value(1, 1, "poison dart").await;
    site.field_value(2, 1, "").await;
    site.field_value(1, 2, "dry").await;
    site.field_value(2, 2, "").await;
    let mut asked = async |cf: &str, op: &str, value| site.let_in(&rule(&custom(cf, op, value))).await;
    assert_eq!(asked("frog", "isnotempty", None).await, of([1]));
    assert_eq!(asked("frog", "isempty", None).await, of(2..=9));
    assert_eq!(asked("slime", "startswith", Some("Sli")).await, of(3..=9));
    assert_eq!(asked("slime", "isempty", None).await, of([2]));
    assert_eq!(asked("slime", "isequalto", Some("dry")).await, of([1]));
    assert_eq!(asked("slime", "doesnotcontain", Some("l")).await, of([1, 2]));
    site.sql("DELETE FROM {user_info_data} WHERE fieldid = 1").await;
    assert_eq!(site.let_in(&rule(&custom("frog", "isempty", None))).await, of(1..=9));
    let unknown = site.predicate(&rule(&custom("toad", "isempty", None))).await.unwrap_err();
    assert_eq!(unknown, "the custom profile field \"toad\" does not exist");
}

/// Scenarios 4 to 9: each operator, with one true and one false condition.
async fn trees_join_as_moodle_does(mut site: Site) {
    site.campus().await;
    let (yes, no) = (profile("username", "startswith", "u"), profile("username", "startswith", "x"));
    let expected = [
        ("&", [true, true], true),
        ("&", [true, false], false),
        ("|", [true, false], true),
        ("|", [false, false], false),
        ("!&", [true, true], false),
        ("!&", [true, false], true),
        ("!&", [false, false], true),
        ("!|", [true, false], false),
        ("!|", [true, true], false),
        ("!|", [false, false], true),
    ];
    for (op, truths, holds) in expected {
        let parts = truths.map(|truth| if truth { yes.as_str() } else { no.as_str() });
        let tree = joined(op, &parts);
        let everybody = of(1..=9);
        assert_eq!(site.let_in(&rule(&tree)).await == everybody, holds, "{op} {truths:?}");
        let twice = joined("!&", &[&joined("!&", &[&tree])]);
        assert_eq!(site.let_in(&rule(&twice)).await == everybody, holds, "{op} {truths:?} under two NOTs");
        let once = joined("!&", &[&tree]);
        assert_eq!(site.let_in(&rule(&once)).await == everybody, !holds, "{op} {truths:?} under NOT");
    }
}

/// Scenarios 3 and 10: under NOT too.
async fn an_empty_tree_lets_everybody_in(mut site: Site) {
    site.campus().await;
    for text in ["", "0", r#"{"op":"&","c":[],"showc":[]}"#, r#"{"op":"!|","c":[],"showc":[]}"#] {
        assert_eq!(site.let_in(text).await, of(1..=9), "{text}");
    }
    let nobody = profile("username", "isequalto", "x");
    assert_eq!(site.let_in(&rule(&joined("!&", &[&joined("|", &[])]))).await, of(1..=9));
    assert_eq!(site.let_in(&rule(&joined("|", &[&joined("!|", &[]), &nobody]))).await, of(1..=9));
}

/// Scenarios 20 and 21, and those of badge and grade.
async fn cohorts_badges_and_grades(mut site: Site) {
    site.campus().await;
    for (id, home) in [(7, 1), (8, 3)] {
        site.insert("cohort", &[("id", id.into()), ("contextid", home.into())]).await;
    }
    for (cohort, who) in [(7, 1), (7, 2), (8, 3), (99, 4)] {
        site.insert("cohort_members", &[("cohortid", cohort.into()), ("userid", user(who).into())]).await;
    }
    let cohort = r#"{"type":"cohort","id":7}"#;
    assert_eq!(site.let_in(&rule(cohort)).await, of([1, 2]));
    assert_eq!(site.let_in(&rule(&joined("!&", &[cohort]))).await, of(3..=9));
    assert_eq!(site.let_in(&rule(r#"{"type":"cohort"}"#)).await, of([1, 2]), "of the system's cohorts");
    for (badge, kind) in [(5, 1), (6, 2)] {
        site.insert("badge", &[("id", badge.into()), ("type", kind.into())]).await;
        site.insert("badge_issued", &[("badgeid", badge.into()), ("userid", user(badge - 2).into())]).await;
    }
    let course_badge = r#"{"type":"badge","id":6}"#;
    assert_eq!(site.let_in(&rule(r#"{"type":"badge","id":5}"#)).await, of([3]));
    assert_eq!(site.let_in(&rule(course_badge)).await, of([4]));
    site.insert("config", &[("name", "badges_allowcoursebadges".into()), ("value", "0".into())]).await;
    assert_eq!(site.let_in(&rule(course_badge)).await, of([]));
    site.allow("manager", "moodle/badges:manageglobalsettings").await;
    site.role_in(9, 1, "manager").await;
    assert_eq!(site.let_in(&rule(&joined("!&", &[r#"{"type":"badge","id":5}"#]))).await, of([1, 2, 4, 5, 6, 7, 8, 9]));
    assert_eq!(site.let_in(&rule(r#"{"type":"badge","id":5}"#)).await, of([3, 9]));

    for (who, grade, lowest, highest) in
        [(1, 50, 0, 100), (2, 49, 0, 100), (3, 15, 10, 20), (4, 5, 5, 5), (5, 80, 0, 100)]
    {
        let row = [
            ("itemid", 40.into()),
            ("userid", user(who).into()),
            ("finalgrade", grade.into()),
            ("rawgrademin", lowest.into()),
            ("rawgrademax", highest.into()),
        ];
        site.insert("grade_grades", &row).await;
    }
    site.insert("grade_grades", &[("itemid", 40.into()), ("userid", user(6).into())]).await;
    let grade = |rest: &str| rule(&format!(r#"{{"type":"grade","id":40{rest}}}"#));
    assert_eq!(site.let_in(&grade("")).await, of([1, 2, 3, 5]));
    assert_eq!(site.let_in(&grade(r#","min":50"#)).await, of([1, 3, 5]));
    assert_eq!(site.let_in(&grade(r#","min":49.5,"max":80"#)).await, of([1, 3]));
    let below = joined("!&", &[r#"{"type":"grade","id":40,"min":50}"#]);
    assert_eq!(site.let_in(&rule(&below)).await, of([2, 4, 6, 7, 8, 9]), "no grade is not enough, so NOT holds");
}

impl Site {
    /// Allows a capability to a role at system level.
    async fn allow(&mut self, shortname: &str, capability: &str) {
        let row = [
            ("contextid", 1.into()),
            ("roleid", role(shortname).into()),
            ("capability", capability.into()),
            ("permission", 1.into()),
        ];
        self.insert("role_capabilities", &row).await;
    }

    async fn role_in(&mut self, who: i64, context: i64, shortname: &str) {
        let row = [("roleid", role(shortname).into()), ("contextid", context.into()), ("userid", user(who).into())];
        self.insert("role_assignments", &row).await;
    }

    async fn group_of(&mut self, id: i64, whither: i64, members: &[i64]) {
        self.insert("groups", &[("id", id.into()), ("courseid", course(whither).into())]).await;
        for who in members {
            self.insert("groups_members", &[("groupid", id.into()), ("userid", user(*who).into())]).await;
        }
    }
}

/// Scenario 12, checked for one user at a time.
async fn groups_and_groupings_are_those_of_the_course(mut site: Site) {
    site.campus().await;
    site.group_of(1, 1, &[1, 2]).await;
    site.group_of(2, 1, &[3]).await;
    site.group_of(3, 2, &[4]).await;
    for group in [2, 3] {
        site.insert("groupings_groups", &[("groupingid", 6.into()), ("groupid", group.into())]).await;
    }
    assert_eq!(site.let_in(&rule(r#"{"type":"group","id":1}"#)).await, of([1, 2]));
    assert_eq!(site.let_in(&rule(r#"{"type":"group","id":3}"#)).await, of([]), "a group of another course");
    assert_eq!(site.let_in(&rule(r#"{"type":"group","id":-1}"#)).await, of([]));
    assert_eq!(site.let_in(&rule(r#"{"type":"group"}"#)).await, of([1, 2, 3]));
    assert_eq!(site.let_into(&rule(r#"{"type":"group"}"#), 2).await, of([4]));
    assert_eq!(site.let_in(&rule(r#"{"type":"grouping","id":6}"#)).await, of([3]));
    let (one, two) = (r#"{"type":"group","id":1}"#, r#"{"type":"group","id":2}"#);
    assert_eq!(site.let_in(&rule(&joined("!|", &[one, two]))).await, of(4..=9));
}

async fn who_sees_all_groups_passes_even_under_not(mut site: Site) {
    site.campus().await;
    site.group_of(1, 1, &[1, 2]).await;
    site.allow("editingteacher", "moodle/site:accessallgroups").await;
    site.has_role(5, 1, "editingteacher", "manual").await;
    site.has_role(6, 2, "editingteacher", "manual").await;
    site.has_role_below(7, 1, "editingteacher").await;
    site.role_in(8, 3, "editingteacher").await;
    site.has_role(9, 1, "student", "manual").await;
    let group = r#"{"type":"group","id":1}"#;
    assert_eq!(site.let_in(&rule(group)).await, of([1, 2, 5, 8]));
    assert_eq!(site.let_in(&rule(&joined("!&", &[group]))).await, of([3, 4, 5, 6, 7, 8, 9]));
    assert_eq!(site.let_in(&rule(&joined("!&", &[r#"{"type":"grouping","id":1}"#]))).await, of(1..=9));
}

async fn completions_of_activities_and_courses(mut site: Site) {
    site.campus().await;
    for (id, whither, to_remove) in [(50, 1, 0), (51, 2, 0), (52, 1, 1)] {
        let row = [("id", id.into()), ("course", course(whither).into()), ("deletioninprogress", to_remove.into())];
        site.insert("course_modules", &row).await;
        for (who, state) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
            let row =
                [("coursemoduleid", id.into()), ("userid", user(who).into()), ("completionstate", i64::into(state))];
            site.insert("course_modules_completion", &row).await;
        }
    }
    let activity = |module: i64, state: i64| format!(r#"{{"type":"completion","cm":{module},"e":{state}}}"#);
    assert_eq!(site.let_in(&rule(&activity(50, 0))).await, of([1, 4, 5, 6, 7, 8, 9]));
    assert_eq!(site.let_in(&rule(&activity(50, 1))).await, of([2, 3]));
    assert_eq!(site.let_in(&rule(&activity(50, 2))).await, of([3]));
    assert_eq!(site.let_in(&rule(&activity(50, 3))).await, of([4]));
    assert_eq!(site.let_in(&rule(&joined("!&", &[&activity(50, 2)]))).await, of([1, 2, 4, 5, 6, 7, 8, 9]));
    for gone in [51, 52, 53] {
        assert_eq!(site.let_in(&rule(&activity(gone, 0))).await, of([]), "{gone}");
        assert_eq!(site.let_in(&rule(&joined("!&", &[&activity(gone, 0)]))).await, of([]), "{gone} under NOT");
    }
    for (who, whither, time) in [(1, 1, 5), (2, 2, 5), (3, 1, 0)] {
        let row = [("userid", user(who).into()), ("course", course(whither).into()), ("timecompleted", time.into())];
        site.insert("course_completions", &row).await;
    }
    site.insert("course_completions", &[("userid", user(4).into()), ("course", course(1).into())]).await;
    let completed = |id: &str| format!(r#"{{"type":"coursecompleted","id":"{id}"}}"#);
    assert_eq!(site.let_in(&rule(&completed("1"))).await, of([1]));
    assert_eq!(site.let_into(&rule(&completed("1")), 2).await, of([2]));
    assert_eq!(site.let_in(&rule(&completed("0"))).await, of(2..=9));
    assert_eq!(site.let_in(&rule(&joined("!&", &[&completed("")]))).await, of([1]));
    for state in [0, 1] {
        let other = format!(r#"{{"type":"othercompleted","cm":{},"e":{state}}}"#, course(2));
        assert_eq!(site.let_in(&rule(&other)).await, of([2]), "what is expected is not looked at");
        assert_eq!(site.let_in(&rule(&joined("!&", &[&other]))).await, of([2]), "nor is NOT");
    }
}

async fn languages_of_course_and_user(mut site: Site) {
    site.campus().await;
    site.profile(1, "lang", "fr").await;
    site.profile(2, "lang", "FR").await;
    let french = r#"{"type":"language","id":"fr"}"#;
    assert_eq!(site.let_in(&rule(french)).await, of([1]));
    assert_eq!(site.let_in(&rule(&joined("!&", &[french]))).await, of(2..=9));
    site.sql(&format!("UPDATE {{course}} SET lang = 'fr' WHERE id = {COURSE}")).await;
    assert_eq!(site.let_in(&rule(french)).await, of(1..=9));
    assert_eq!(site.let_into(&rule(french), 2).await, of([1]));
}

async fn a_disabled_condition_plugin_is_refused(mut site: Site) {
    site.campus().await;
    let setting = |plugin: &str, value: &str| {
        [("plugin", Value::from(plugin)), ("name", "disabled".into()), ("value", value.into())]
    };
    site.insert("config_plugins", &setting("availability_cohort", "1")).await;
    site.insert("config_plugins", &setting("availability_badge", "0")).await;
    let refused = site.predicate(&rule(r#"{"type":"cohort","id":7}"#)).await.unwrap_err();
    assert_eq!(refused, "the condition \"cohort\" is disabled on this site");
    assert_eq!(site.let_in(&rule(r#"{"type":"badge","id":7}"#)).await, of([]));
}
