//! Meta links: users enrolled in the source course by another method are enrolled in the target too (spec meta).
//! It must not write enrolments: it gives the desired rows, and reports links whose source is gone.

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

/// `unenrolaction`: 0 unenrols, 1 keeps, 2 suspends, 3 suspends without roles; if not set, 3, as Moodle documents (spec
/// meta 1). With 2 no role is ever removed. Status and window always follow the source.
fn policy(site: &Site, _settings: &Settings) -> Policy {
    let on_extra = site.removal_action(COMPONENT, "unenrolaction", RemovalAction::SuspendNoRoles);
    let suspends = matches!(on_extra, RemovalAction::Suspend | RemovalAction::SuspendNoRoles);
    let params = evidence(site)
        .with("removes_roles", i64::from(on_extra != RemovalAction::Suspend))
        .with("unenrols", i64::from(on_extra == RemovalAction::Unenrol))
        .with("suspends", i64::from(suspends));
    Policy {
        status: Follow::Always,
        dates: true,
        newcomers_join_first: true,
        staged: true,
        params,
        ..Policy::new(on_extra)
    }
}

/// The evidence in the source: enrolments by enabled methods except meta, and roles given by hand or by these methods.
fn evidence(site: &Site) -> Params {
    let methods: Vec<&str> = site.enabled_methods().filter(|method| *method != META.method).collect();
    let sources = methods.iter().filter_map(|method| Literal::plain(method));
    let components = methods.iter().filter_map(|method| Literal::plain(&format!("enrol_{method}")));
    let not_copied = site.plugin(COMPONENT, "nosyncroleids").unwrap_or_default();
    let not_copied: Vec<i64> = not_copied.split(',').filter_map(|id| id.trim().parse().ok()).collect();
    // Begins with '': an empty list is invalid SQL, no method has this name, and roles by hand have this component.
    let list = |texts: Vec<Literal>| texts.iter().fold("''".to_owned(), |list, text| format!("{list}, {text}"));
    Params::new()
        .fragment("sources", list(sources.collect()))
        .fragment("components", list(components.collect()))
        .fragment("not_copied", id_list(&not_copied))
        .fragment("held", if lets_all_in(site) { "1" } else { HELD })
}

/// `syncall`: if not set, users without a role in the source are enrolled too (spec meta 1).
fn lets_all_in(site: &Site) -> bool {
    !matches!(site.plugin(COMPONENT, "syncall").map(str::trim), Some("0" | ""))
}

/// Whether a user of the source has a role there: 1 for a copied role, 0 for other roles only, NULL for none.
const HELD: &str = "(SELECT MAX(CASE WHEN r.component IN (:components) THEN 1 ELSE 0 END)
     FROM {role_assignments} r :by_user
    WHERE r.userid = x.userid AND r.contextid :whole = ok.id AND {~r.component} <> :component
      AND {#r.roleid} NOT IN (:not_copied))";

/// Reports enabled links whose source course is gone as problems of the run, except in a pass that follows other
/// changes; they enrol and remove no users. Moodle itself disables such a link, unless it is set to remove it.
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
