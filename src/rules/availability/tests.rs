//! Rules are read strictly, equal rules are equal, and a condition keeps its texts apart from its SQL.
//! These tests must not need a database; tests/it/availability.rs runs the SQL.

use std::collections::BTreeMap;

use super::facts::CustomField;
use super::{Facts, Predicate, Refused, Tree, read};
use crate::db::Dialect;

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

fn tree(text: &str) -> Tree {
    read(text).unwrap().unwrap()
}

/// A rule of one condition.
fn rule(condition: &str) -> String {
    format!(r#"{{"op":"&","c":[{condition}],"showc":[true]}}"#)
}

fn facts() -> Facts {
    let field = |id, default: &str, datatype: &str| {
        vec![CustomField { id, default: Some(default.to_owned()), datatype: datatype.to_owned() }]
    };
    let mut custom = BTreeMap::new();
    custom.insert("faculty".to_owned(), field(1, "Arts", "menu"));
    custom.insert("about".to_owned(), field(2, "", "textarea"));
    custom.insert("twice".to_owned(), [field(3, "", "text"), field(4, "", "text")].concat());
    Facts { standard: vec!["department"], custom, ..Facts::default() }
}

fn predicate(text: &str) -> Result<Predicate, Refused> {
    Predicate::of(Some(&tree(text)), &facts(), Dialect::Lite, 1000)
}

fn sql(condition: &str) -> String {
    predicate(&rule(condition)).unwrap().sql
}

#[test]
fn no_text_and_zero_are_no_restriction() {
    assert_eq!(read(""), Ok(None));
    assert_eq!(read("0"), Ok(None));
    let everybody = Predicate::of(None, &facts(), Dialect::Lite, 0).unwrap();
    assert_eq!(everybody.sql, "(1 = 1)");
    assert!(!everybody.by_course);
}

/// Spec availability 8, scenario 1.
#[test]
fn each_structural_error_is_told() {
    assert!(refused("{").starts_with("no valid JSON"));
    assert!(refused(" ").starts_with("no valid JSON"));
    assert_eq!(refused("null"), "the rule: must be an object");
    assert_eq!(refused("[]"), "the rule: must be an object");
    assert_eq!(refused("{}"), "the rule: has no op");
    assert_eq!(refused(r#"{"op":"*"}"#), r#"the rule: op is "*", not one of & | !& !|"#);
    assert_eq!(refused(r#"{"op":"|"}"#), "the rule: has no list c of conditions");
    assert_eq!(refused(r#"{"op":"|","c":{}}"#), "the rule: has no list c of conditions");
    assert_eq!(refused(r#"{"op":"|","c":[]}"#), "the rule: has no show");
    assert_eq!(refused(r#"{"op":"!&","c":[]}"#), "the rule: has no show");
    assert_eq!(refused(r#"{"op":"|","c":[],"show":0}"#), "the rule: show must be true or false");
    assert_eq!(refused(r#"{"op":"&","c":[]}"#), "the rule: has no showc");
    assert_eq!(refused(r#"{"op":"&","c":[],"showc":true}"#), "the rule: showc must be a list");
    assert_eq!(refused(r#"{"op":"!|","c":[],"showc":[true]}"#), "the rule: showc has 1 entries for 0 conditions");
    assert_eq!(refused(r#"{"op":"&","c":[{"op":"|","c":[]}],"showc":[0]}"#), "the rule: showc must hold true or false");
    assert_eq!(refused(&rule("3")), "condition 1: must be an object");
    assert_eq!(refused(&rule(r#"{"op":"|","c":[{"op":"|","c":[7]}]}"#)), "condition 1.1.1: must be an object");
    assert_eq!(refused(&rule(r#"{"op":"|"}"#)), "condition 1: has no list c of conditions");
}

/// Spec availability 8, scenario 2: show and showc are read in the root only.
#[test]
fn nested_operators_are_read() {
    let nested =
        tree(r#"{"op":"&","c":[{"op":"|","c":[]},{"op":"!&","c":[{"op":"!|","c":[]}]}],"showc":[true,false]}"#);
    assert!(nested.every && !nested.negated && nested.children.len() == 2);
}

/// Spec availability 8, scenario 13.
#[test]
fn profile_conditions_are_checked() {
    let profile = |rest: &str| refused(&rule(&format!(r#"{{"type":"profile"{rest}}}"#)));
    assert_eq!(profile(""), "condition 1: has no op");
    assert_eq!(
        profile(r#","op":"like","v":"x","sf":"city""#),
        "condition 1: op \"like\" is not one that profile fields know"
    );
    assert_eq!(profile(r#","op":"isequalto","sf":"city""#), "condition 1: has no v");
    assert_eq!(profile(r#","op":"isequalto","v":3,"sf":"city""#), "condition 1: v must be a text, not 3");
    assert_eq!(profile(r#","op":"isempty","v":"","sf":"city""#), "condition 1: isempty takes no v");
    assert_eq!(profile(r#","op":"isempty""#), "condition 1: names no field: neither sf nor cf");
    assert_eq!(profile(r#","op":"isempty","sf":1"#), "condition 1: sf must be a text, not 1");
    assert_eq!(profile(r#","op":"isempty","sf":"a","cf":"b""#), "condition 1: names two fields: sf and cf");
    assert_eq!(profile(r#","op":"isequalto","v":"\u0000","sf":"city""#), "condition 1: v holds a NUL character");
}

#[test]
fn other_conditions_are_checked() {
    let leaf = |text: &str| refused(&rule(text));
    assert_eq!(leaf(r#"{"type":"date","d":"=","t":1}"#), "condition 1: d must be >= or <");
    assert_eq!(leaf(r#"{"type":"date","d":"<","t":1.5}"#), "condition 1: t must be a whole number, not 1.5");
    assert_eq!(leaf(r#"{"type":"group","id":"7"}"#), "condition 1: id must be a whole number, not \"7\"");
    assert_eq!(
        leaf(r#"{"type":"grouping","activity":true}"#),
        "condition 1: the grouping of an activity means nothing for an enrolment"
    );
    assert_eq!(leaf(r#"{"type":"grouping"}"#), "condition 1: has no id");
    assert_eq!(leaf(r#"{"type":"badge"}"#), "condition 1: has no id");
    assert_eq!(leaf(r#"{"type":"completion","cm":5,"e":4}"#), "condition 1: e is 4, not 0, 1, 2 or 3");
    assert_eq!(
        leaf(r#"{"type":"completion","cm":-1,"e":1}"#),
        "condition 1: the previous activity means nothing for an enrolment"
    );
    assert_eq!(leaf(r#"{"type":"grade","id":5,"min":"50"}"#), "condition 1: min must be a number, not \"50\"");
    assert_eq!(leaf(r#"{"type":"othercompleted","e":1}"#), "condition 1: has no cm");
    assert_eq!(leaf(r#"{"type":"language","id":""}"#), "condition 1: names no language");
    assert_eq!(leaf(r#"{"type":"coursecompleted","id":1}"#), "condition 1: id must be a text, not 1");
}

#[test]
fn unknown_conditions_are_refused_by_name() {
    for name in ["role", "timeelapsed", "response", "quizquestion", "sectioncompleted", "relativedate", ""] {
        let text = rule(&format!(r#"{{"type":"{name}"}}"#));
        assert_eq!(refused(&text), format!("condition 1: the condition {name:?} is not one that enrold knows"));
    }
    assert!(refused(&rule(r#"{"type":5}"#)).contains("\"5\""));
}

#[test]
fn what_the_site_lacks_is_refused() {
    let refused = |text: &str| predicate(&rule(text)).unwrap_err().to_string();
    let field = |cf: &str| format!(r#"{{"type":"profile","cf":"{cf}","op":"isempty"}}"#);
    assert_eq!(refused(&field("nofield")), "the custom profile field \"nofield\" does not exist");
    assert_eq!(refused(&field("Faculty")), "the custom profile field \"Faculty\" does not exist");
    assert!(refused(&field("about")).contains("text area"));
    assert!(refused(&field("twice")).contains("more than once"));
    let standard = r#"{"type":"profile","sf":"password","op":"isempty"}"#;
    assert_eq!(refused(standard), "\"password\" is not a profile field of Moodle");
}

/// Moodle skips the condition, which changes the rule: an emptied rule admits every user (spec availability 3).
#[test]
fn a_disabled_condition_is_refused() {
    let facts = Facts { disabled: ["cohort".to_owned()].into(), ..facts() };
    let tree = tree(&rule(r#"{"type":"cohort","id":7}"#));
    let refused = Predicate::of(Some(&tree), &facts, Dialect::Lite, 0).unwrap_err();
    assert_eq!(refused, Refused::DisabledCondition("cohort".to_owned()));
}

#[test]
fn rules_that_differ_in_what_is_shown_are_equal() {
    let one = r#"{"op":"&","c":[{"type":"cohort","id":7}],"showc":[true]}"#;
    let two = r#"{"showc":[false], "c":[{"id":7,"type":"cohort"}], "op":"&", "extra":1}"#;
    assert_eq!(tree(one), tree(two));
    let grade = |min: &str| tree(&rule(&format!(r#"{{"type":"grade","id":1,"min":{min}}}"#)));
    assert_eq!(grade("50"), grade("50.0"));
}

#[test]
fn texts_are_parameters_never_sql() {
    let nasty = r#"{"type":"profile","sf":"department","op":"contains","v":"a'; DROP TABLE x; -- :id {user}"}"#;
    let predicate = predicate(&rule(nasty)).unwrap();
    assert_eq!(predicate.sql, "(instr(COALESCE(u.department, ''), :rule_text_1) > 0)");
}

#[test]
fn a_default_that_passes_needs_no_row() {
    let of = |value: &str| sql(&format!(r#"{{"type":"profile","cf":"faculty","op":"isequalto","v":"{value}"}}"#));
    assert!(of("Arts").starts_with("(NOT (EXISTS"));
    assert!(of("Law").starts_with("(EXISTS"));
}

#[test]
fn what_is_known_now_is_no_sql() {
    let date = |d: &str, t: i64| sql(&format!(r#"{{"type":"date","d":"{d}","t":{t}}}"#));
    assert_eq!(date(">=", 1000), "(1 = 1)");
    assert_eq!(date(">=", 1001), "(1 = 0)");
    assert_eq!(date("<", 1000), "(1 = 0)");
    assert_eq!(date("<", 1001), "(1 = 1)");
    let never = r#"{"type":"date","d":"<","t":1}"#;
    let both = format!(r#"{{"op":"&","c":[{never},{{"type":"cohort","id":7}}],"showc":[true,true]}}"#);
    assert_eq!(predicate(&both).unwrap().sql, "(1 = 0)");
}

#[test]
fn only_conditions_about_the_course_depend_on_it() {
    let by_course = |text: &str| predicate(&rule(text)).unwrap().by_course;
    assert!(!by_course(r#"{"type":"cohort","id":7}"#));
    assert!(!by_course(r#"{"type":"othercompleted","cm":7,"e":1}"#));
    assert!(!by_course(r#"{"type":"grade","id":7}"#));
    assert!(by_course(r#"{"type":"group"}"#));
    assert!(by_course(r#"{"type":"completion","cm":7,"e":1}"#));
    assert!(by_course(r#"{"type":"coursecompleted","id":"1"}"#));
    assert!(by_course(r#"{"type":"language","id":"en"}"#));
}

#[test]
fn a_rule_of_very_many_conditions_is_refused() {
    let conditions = vec![r#"{"type":"cohort","id":7}"#; 301].join(",");
    let text = format!(r#"{{"op":"|","c":[{conditions}],"show":true}}"#);
    assert_eq!(refused(&text), "more than 300 conditions");
    let deep = "[".repeat(5000);
    assert!(refused(&deep).starts_with("no valid JSON"));
}
