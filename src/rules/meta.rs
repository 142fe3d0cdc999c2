//! Meta links: who is enrolled in the source course by another method is enrolled in the target too (spec meta).
//! It must not write enrolments: it says what is desired, and tells of links that lead nowhere.

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::db::{Literal, Params};
use crate::moodle::site::{RemovalAction, Site, id_list};
use crate::problem::PlaceKind;
use crate::reconcile::{Follow, Pass, Policy, Rule, Taking};

/// The rule.
pub const META: Rule = Rule {
    name: "meta",
    method: "meta",
    twins: &[r"\enrol_meta\task\enrol_meta_sync"],
    sql: include_str!("meta.sql"),
    policy,
    prepare: Some(report_gone_sources),
    follow_up: None,
};

const COMPONENT: &str = "enrol_meta";

/// `unenrolaction`: 0 unenrols, 1 keeps, 2 suspends, 3 suspends without roles; not set, 3, which is what Moodle
/// documents (spec meta 1). With 2 no role is ever taken. Status and window are always those of the source.
fn policy(site: &Site, _settings: &Settings) -> Policy {
    let on_extra = site.removal_action(COMPONENT, "unenrolaction", RemovalAction::SuspendNoRoles);
    let params = evidence(site).with("removes_roles", i64::from(on_extra != RemovalAction::Suspend));
    Policy {
        status: Follow::Always,
        dates: true,
        newcomers_join_first: true,
        staged: true,
        params,
        ..Policy::new(on_extra)
    }
}

/// What counts as being in the source: the enabled methods but meta itself, and roles given by hand or by them.
fn evidence(site: &Site) -> Params {
    let methods: Vec<&str> = site.enabled_methods().filter(|method| *method != META.method).collect();
    let sources = methods.iter().filter_map(|method| Literal::plain(method));
    let components = methods.iter().filter_map(|method| Literal::plain(&format!("enrol_{method}")));
    let not_copied = site.plugin(COMPONENT, "nosyncroleids").unwrap_or_default();
    let not_copied: Vec<i64> = not_copied.split(',').filter_map(|id| id.trim().parse().ok()).collect();
    // An empty list would be no SQL; no method has no name, and a role by hand has no component.
    let list = |texts: Vec<Literal>| texts.iter().fold("''".to_owned(), |list, text| format!("{list}, {text}"));
    Params::new()
        .fragment("sources", list(sources.collect()))
        .fragment("components", list(components.collect()))
        .fragment("not_copied", id_list(&not_copied))
        .fragment("held", if lets_all_in(site) { "1" } else { HELD })
}

/// `syncall`: not set, who has no role in the source is enrolled too (spec meta 1).
fn lets_all_in(site: &Site) -> bool {
    !matches!(site.plugin(COMPONENT, "syncall").map(str::trim), Some("0" | ""))
}

/// Whether a user of the source holds a role there: 1 one that is copied, 0 others only, NULL none at all.
const HELD: &str = "(SELECT MAX(CASE WHEN r.component IN (:components) THEN 1 ELSE 0 END)
     FROM {role_assignments} r :by_user
    WHERE r.userid = x.userid AND r.contextid :whole = ok.id AND {~r.component} <> :component
      AND {#r.roleid} NOT IN (:not_copied))";

/// Enabled links whose source course is gone are told as problems of the run, in a pass that was asked for; nobody is
/// enrolled or removed by them. Moodle itself disables such a link, unless it is set to remove it.
fn report_gone_sources<'a>(ctx: &'a mut RunContext<'_>, pass: &'a Pass<'a>) -> Taking<'a> {
    Box::pin(async move {
        if pass.filter.users {
            return Ok(());
        }
        let source = ctx.conn.dialect().to_text("COALESCE(e.customint1, 0)");
        let params = pass.params(ctx).fragment("source", source);
        ctx.report_problems(
            PlaceKind::Instance,
            "SELECT e.id AS number, 'source-gone' AS code, k.shortname AS value, :source AS hint
                   FROM {enrol} e
                   JOIN {course} k ON k.id = e.courseid
                   LEFT JOIN {course} o ON o.id = e.customint1
                   LEFT JOIN {context} ok ON ok.contextlevel = 50 AND ok.instanceid = o.id
                  WHERE e.enrol = :method AND e.status = 0 AND ok.id IS NULL AND e.courseid :among_courses",
            params,
        )
        .await?;
        Ok(())
    })
}
