//! Autoenrol: enrols users who match an instance's rule, and treats those who no longer do as the site is set (spec
//! autoenrol). It must not write Moodle's tables: it fills temporary tables that its SQL reads.

mod groups;
mod instance;
mod matching;
mod name;

use crate::change::context::RunContext;
use crate::change::kinds;
use crate::config::Settings;
use crate::moodle::site::{RemovalAction, Site, id_list};
use crate::reconcile::{Follow, Owner, Pass, Policy, Rule, Taking};

/// The rule.
pub const AUTOENROL: Rule = Rule {
    name: "autoenrol",
    method: "autoenrol",
    twins: &[r"\enrol_autoenrol\task\sync_enrolments"],
    sql: include_str!("../autoenrol.sql"),
    policy,
    prepare: Some(prepare),
    follow_up: None,
};

const COMPONENT: &str = "enrol_autoenrol";

/// `autounenrolaction` for users who no longer match: 0 unenrols, 1 keeps, 2 suspends, 3 suspends without roles; if not
/// set, 0, the plugin's default. `allowunsuspend`: users who match again become active (spec autoenrol 2). Windows are
/// never changed. Administrators and the guest are left alone, as by Moodle's task.
fn policy(site: &Site, _settings: &Settings) -> Policy {
    let on_extra = site.removal_action(COMPONENT, "autounenrolaction", RemovalAction::Unenrol);
    let reactivates = site.plugin(COMPONENT, "allowunsuspend").is_some_and(|value| value.trim() == "1");
    let mut left_alone = site.administrators();
    left_alone.push(site.guest());
    let mut policy = Policy::new(on_extra);
    policy.status = if reactivates { Follow::Reactivate } else { Follow::Never };
    policy.roles = Owner::Nobody;
    policy.groups = Owner::Nobody;
    policy.params = policy
        .params
        .with("unenrols", i64::from(on_extra == RemovalAction::Unenrol))
        .with("drops_roles", i64::from(on_extra == RemovalAction::SuspendNoRoles))
        .with("suspended", &kinds::ENROLMENT_SUSPEND)
        .fragment("status_of_fitting", if reactivates { ENDED_STAYS_SUSPENDED } else { "0" })
        .fragment("left_alone", id_list(&left_alone));
    policy
}

/// An enrolment whose window is over stays suspended: the next expirations would suspend it again.
const ENDED_STAYS_SUSPENDED: &str = "CASE WHEN EXISTS (SELECT 1 FROM {user_enrolments} y WHERE y.enrolid = s.enrolid
    AND y.userid = m.userid AND y.timeend > 0 AND y.timeend < :now) THEN 1 ELSE 0 END";

fn prepare<'a>(ctx: &'a mut RunContext<'_>, pass: &'a Pass<'a>) -> Taking<'a> {
    Box::pin(async move {
        let (instances, facts) = matching::find(ctx, pass).await?;
        matching::admit(ctx, pass, &instances).await?;
        groups::name(ctx, pass, &instances, &facts).await
    })
}
