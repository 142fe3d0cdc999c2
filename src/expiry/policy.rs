//! What each enrolment method does with an enrolment whose end has passed, as data: one row per method.
//! It must not run statements; it gives them the fragments that differ by method.

use crate::change::context::RunContext;
use crate::config::{ExpiredAction, RemovalAction as FlatFileAction, Settings, WhenDisabled};
use crate::db::Literal;
use crate::expiry::Methods;
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, Site};
use crate::outcome::Note;

/// Which roles are removed with an enrolment that ends, beside those that the method's instance owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roles {
    /// None: the method owns the roles that it gives.
    Owned,
    /// The role by hand that the instance names, or the user's only one (spec enrol-core 14).
    Named,
    /// All roles by hand in the course and below (spec enrol-core 15).
    ByHand,
}

/// How the enrolments of one method expire.
#[derive(Debug)]
pub struct Policy {
    /// The short name in `enrol.enrol`.
    pub method: &'static str,
    /// The action if the site has no `expiredaction`.
    pub unset: RemovalAction,
    /// Which roles are removed too.
    pub roles: Roles,
    /// The column of `enrol` that holds the seconds of inactivity after which a user is unenrolled, 0 for never.
    pub inactivity: Option<&'static str>,
    /// Moodle's scheduled task that does the same.
    pub twin: Option<&'static str>,
}

/// The methods whose enrolments expire, in the order of Moodle's tasks. An `expiredaction` that is not set is the
/// method's documented default, except for autoenrol (0, unenrol): there it is keep, as in Moodle, because no
/// administrator asked for the loss (spec autoenrol 2). `database` has no page for the setting (spec database 2) and
/// uses Moodle's general default, keep.
pub const POLICIES: [Policy; 6] = [
    Policy {
        method: "manual",
        unset: RemovalAction::Keep,
        roles: Roles::ByHand,
        inactivity: None,
        twin: Some(r"\enrol_manual\task\sync_enrolments"),
    },
    Policy {
        method: "self",
        unset: RemovalAction::Keep,
        roles: Roles::Named,
        inactivity: Some("customint2"),
        twin: Some(r"\enrol_self\task\sync_enrolments"),
    },
    Policy {
        method: method::FLATFILE,
        unset: RemovalAction::SuspendNoRoles,
        roles: Roles::Named,
        inactivity: None,
        twin: Some(method::FLATFILE_TWIN),
    },
    Policy { method: "database", unset: RemovalAction::Keep, roles: Roles::Owned, inactivity: None, twin: None },
    Policy {
        method: "autoenrol",
        unset: RemovalAction::Keep,
        roles: Roles::Named,
        inactivity: Some("customint3"),
        twin: Some(r"\enrol_autoenrol\task\sync_expirations"),
    },
    Policy {
        method: "coursecompleted",
        unset: RemovalAction::SuspendNoRoles,
        roles: Roles::Owned,
        inactivity: None,
        twin: Some(r"\enrol_coursecompleted\task\process_expirations"),
    },
];

/// A policy with its action under the site's settings.
pub(super) struct Due {
    pub policy: &'static Policy,
    pub action: RemovalAction,
}

/// The policies that apply in this run; notes report what is left out and why.
pub(super) fn due(ctx: &mut RunContext<'_>, settings: &Settings, methods: Methods<'_>) -> Vec<Due> {
    let mut due = Vec::new();
    let mut disabled = Vec::new();
    for policy in &POLICIES {
        let wanted = match methods {
            Methods::All if is_on(ctx.site, settings, policy.method) => true,
            Methods::All => {
                disabled.push(policy.method);
                false
            }
            Methods::Only(these) => these.contains(&policy.method),
        };
        if wanted {
            let action = action(ctx.site, settings, policy).unwrap_or_else(|unknown| {
                ctx.notes.push(Note::ExpiryUnknown { method: policy.method.to_owned(), value: unknown });
                RemovalAction::Keep
            });
            due.push(Due { policy, action });
        }
    }
    if !disabled.is_empty() {
        ctx.notes.push(Note::NotExpiring(disabled.join(", ")));
    }
    due
}

fn is_on(site: &Site, settings: &Settings, method: &str) -> bool {
    let anyway = method == method::FLATFILE && settings.flatfile.when_disabled == WhenDisabled::Apply;
    anyway || site.is_enabled(method)
}

/// The action on an elapsed enrolment: enrold's override, else Moodle's setting, else the policy's default. The error
/// is the value of a setting that is none of Moodle's choices.
fn action(site: &Site, settings: &Settings, policy: &Policy) -> Result<RemovalAction, String> {
    let own = match policy.method {
        method::FLATFILE => settings.flatfile.expiredaction.map(flatfile_action),
        method => settings.expirations.expiredaction.get(method).copied().map(configured),
    };
    if let Some(own) = own {
        return Ok(own);
    }
    match site.plugin(&format!("enrol_{}", policy.method), "expiredaction").map(str::trim) {
        None | Some("") => Ok(policy.unset),
        Some(text) => RemovalAction::from_setting(text).ok_or_else(|| text.to_owned()),
    }
}

fn configured(action: ExpiredAction) -> RemovalAction {
    match action {
        ExpiredAction::Unenrol => RemovalAction::Unenrol,
        ExpiredAction::Keep => RemovalAction::Keep,
        ExpiredAction::Suspend => RemovalAction::Suspend,
        ExpiredAction::SuspendNoRoles => RemovalAction::SuspendNoRoles,
    }
}

fn flatfile_action(action: FlatFileAction) -> RemovalAction {
    match action {
        FlatFileAction::Unenrol => RemovalAction::Unenrol,
        FlatFileAction::Keep => RemovalAction::Keep,
        FlatFileAction::SuspendNoRoles => RemovalAction::SuspendNoRoles,
    }
}

/// The methods whose action fulfils `does`, as the inside of `IN (…)`; `''` is no method.
pub(super) fn names(due: &[Due], does: impl Fn(RemovalAction) -> bool) -> String {
    let names: Vec<String> =
        due.iter().filter(|due| does(due.action)).map(|due| Literal::word(due.policy.method).to_string()).collect();
    if names.is_empty() { "''".to_owned() } else { names.join(", ") }
}
