//! The results of the rules of a run as a table: one row per rule, and below it the rules that followed.
//! It must not know what a rule does, or where the table is shown.

use crate::config::Locale;
use crate::outcome::{RuleReport, Skipped};
use crate::report::columns;
use crate::report::words::pick;

/// The number of columns after the name.
const NUMBERS: usize = 9;

type Cells = [String; NUMBERS];

/// True if the table covers all changes to enrolments, roles and groups: rules or tasks were ordered.
pub fn is_whole(rules: &[RuleReport]) -> bool {
    rules.iter().any(|rule| !rule.consequence)
}

/// The lines of the table, which fit `width` if there is one; none where no rule took part.
pub fn lines(rules: &[RuleReport], locale: Locale, width: Option<usize>) -> Vec<String> {
    if rules.is_empty() {
        return Vec::new();
    }
    let heading =
        if is_whole(rules) { pick(locale, "rule", "règle") } else { pick(locale, "what followed", "conséquences") };
    let rows: Vec<columns::Row> = std::iter::once((heading, Ok(headings(locale).to_vec())))
        .chain(rules.iter().map(|rule| (name(rule), row(rule, locale).map(|cells| cells.to_vec()))))
        .collect();
    columns::lines(&rows, width)
}

/// The name, with a mark in front if the rule followed.
fn name(rule: &RuleReport) -> String {
    if rule.consequence { format!("> {}", rule.rule) } else { rule.rule.clone() }
}

/// The numbers of a rule, or why it was skipped; for a disabled method also how many roles were removed.
fn row(rule: &RuleReport, locale: Locale) -> Result<Cells, String> {
    if let Some(why) = rule.skipped {
        let dropped = match (rule.roles_removed, locale) {
            (0, _) => String::new(),
            (roles, Locale::En) => format!("; {roles} roles that it gave are taken away (when_disabled = drop_roles)"),
            (roles, Locale::Fr) => {
                format!(" ; {roles} rôles donnés par elle sont retirés (when_disabled = drop_roles)")
            }
        };
        return Err(skipped(&rule.rule, why, locale) + &dropped);
    }
    let number = |count: i64| if count == 0 { "-".to_owned() } else { count.to_string() };
    Ok([
        rule.checked.to_string(),
        number(rule.added),
        number(rule.reactivated),
        number(rule.changed),
        number(rule.suspended),
        number(rule.removed),
        both(rule.roles_added, rule.roles_removed),
        both(rule.groups_added, rule.groups_removed),
        format!("{}.{}", rule.millis / 1000, rule.millis % 1000 / 100),
    ])
}

fn both(added: i64, removed: i64) -> String {
    match (added, removed) {
        (0, 0) => "-".to_owned(),
        (added, 0) => format!("+{added}"),
        (0, removed) => format!("-{removed}"),
        (added, removed) => format!("+{added} -{removed}"),
    }
}

fn headings(locale: Locale) -> Cells {
    [
        ("checked", "examinées"),
        ("added", "ajoutées"),
        ("reactivated", "réactivées"),
        ("changed", "modifiées"),
        ("suspended", "suspendues"),
        ("removed", "retirées"),
        ("roles", "rôles"),
        ("groups", "groupes"),
        ("seconds", "secondes"),
    ]
    .map(|(english, french)| pick(locale, english, french))
}

fn skipped(rule: &str, why: Skipped, locale: Locale) -> String {
    match (why, locale) {
        (Skipped::MethodDisabled, Locale::En) => "skipped: the method is not enabled in Moodle".to_owned(),
        (Skipped::MethodDisabled, Locale::Fr) => "omise : la méthode n'est pas activée dans Moodle".to_owned(),
        (Skipped::TaskDisabled, Locale::En) => {
            format!("skipped: tasks.{rule}.enabled = false; 'enrold sync {rule}' runs it")
        }
        (Skipped::TaskDisabled, Locale::Fr) => {
            format!("omise : tasks.{rule}.enabled = false ; « enrold sync {rule} » l'exécute")
        }
        (Skipped::OtherCourses, Locale::En) => {
            format!("skipped: tasks.{rule}.courses names none of the courses asked for")
        }
        (Skipped::OtherCourses, Locale::Fr) => {
            format!("omise : tasks.{rule}.courses ne nomme aucun des cours demandés")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str) -> RuleReport {
        RuleReport { rule: name.to_owned(), checked: 1200, ..RuleReport::default() }
    }

    #[test]
    fn what_followed_stands_below_and_moved_in() {
        let cohort =
            RuleReport { added: 3, removed: 1, roles_added: 3, roles_removed: 1, millis: 1260, ..rule("cohort") };
        let meta = RuleReport { consequence: true, suspended: 1, roles_removed: 1, groups_added: 10, ..rule("meta") };
        assert_eq!(
            lines(&[cohort, meta], Locale::En, None),
            [
                "rule    checked  added  reactivated  changed  suspended  removed  roles  groups  seconds",
                "cohort     1200      3            -        -          -        1  +3 -1       -      1.2",
                "> meta     1200      -            -        -          1        -     -1     +10      0.0",
            ]
        );
    }

    #[test]
    fn a_terminal_has_the_columns_that_say_something() {
        let cohort = RuleReport { added: 3, removed: 1, roles_added: 3, roles_removed: 1, ..rule("coursecompleted") };
        let skipped = RuleReport { skipped: Some(Skipped::TaskDisabled), ..rule("meta") };
        let shown = lines(&[cohort, skipped.clone()], Locale::Fr, Some(78));
        assert_eq!(shown[0], "règle            examinées  ajoutées  retirées  rôles  secondes");
        assert!(shown.iter().all(|line| line.chars().count() <= 78), "{shown:#?}");
        assert_eq!(shown.len(), 4, "{shown:#?}");
        let each = RuleReport {
            added: 1_000_000,
            reactivated: 1,
            changed: 1,
            suspended: 1,
            removed: 1,
            roles_added: 100_000,
            roles_removed: 100_000,
            groups_added: 1,
            ..rule("coursecompleted")
        };
        let shown = lines(&[each], Locale::Fr, Some(78));
        assert!(shown.iter().all(|line| line.chars().count() <= 78), "{shown:#?}");
    }

    #[test]
    fn what_a_file_left_behind_has_a_heading_of_its_own() {
        let meta = RuleReport { consequence: true, added: 1, ..rule("meta") };
        let french = lines(&[meta], Locale::Fr, None);
        assert!(french[0].starts_with("conséquences  examinées  ajoutées"), "{french:?}");
        assert!(french[1].starts_with("> meta             1200         1"), "{french:?}");
        assert_eq!(lines(&[], Locale::En, None), Vec::<String>::new());
    }

    #[test]
    fn a_rule_that_was_skipped_says_why() {
        let skipped = |why, roles_removed| RuleReport { skipped: Some(why), roles_removed, ..rule("cohort") };
        for (rule, locale, expected) in [
            (skipped(Skipped::MethodDisabled, 0), Locale::En, "cohort  skipped: the method is not enabled in Moodle"),
            (
                skipped(Skipped::MethodDisabled, 8),
                Locale::Fr,
                "cohort  omise : la méthode n'est pas activée dans Moodle ; 8 rôles",
            ),
            (
                skipped(Skipped::TaskDisabled, 0),
                Locale::En,
                "cohort  skipped: tasks.cohort.enabled = false; 'enrold sync cohort'",
            ),
            (
                skipped(Skipped::OtherCourses, 0),
                Locale::Fr,
                "cohort  omise : tasks.cohort.courses ne nomme aucun des cours demandés",
            ),
        ] {
            let table = lines(&[rule], locale, None);
            assert!(table[1].starts_with(expected), "{table:?}");
        }
    }
}
