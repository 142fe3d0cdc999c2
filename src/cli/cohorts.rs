//! `enrold cohorts`: the cohorts of the site, or one with its members.
//! It must not find anything out itself.

use anyhow::anyhow;
use serde_json::json;

use crate::cli::{Exit, Setting, operator, output};
use crate::config::Locale;
use crate::front::{CohortMember, CohortRow};
use crate::outcome::Observer;
use crate::report::words::pick;

/// The arguments of `cohorts`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The idnumber of a cohort, its name, or its id: with its members
    cohort: Option<String>,
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let front = setting.front_observed(Observer::none())?;
    let Some(key) = &options.cohort else {
        let cohorts = front.cohorts(&operator()).await?;
        if setting.json {
            output::json(&cohorts);
        } else {
            table(&cohorts, setting.locale());
        }
        return Ok(Exit::Done);
    };
    let found = front.cohort(&operator(), key).await?;
    if found.is_empty() {
        return Err(anyhow!("no cohort has the idnumber, the name or the id \"{key}\""));
    }
    if setting.json {
        let document =
            |(cohort, members): &(CohortRow, Vec<CohortMember>)| json!({ "cohort": cohort, "members": members });
        output::json(&found.iter().map(document).collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    for (cohort, members) in &found {
        table(std::slice::from_ref(cohort), setting.locale());
        output::line("");
        people(members, setting.locale());
    }
    Ok(Exit::Done)
}

fn table(cohorts: &[CohortRow], locale: Locale) {
    let headings = [
        ("idnumber", "identifiant"),
        ("name", "nom"),
        ("category", "catégorie"),
        ("members", "membres"),
        ("visible", "visible"),
        ("component", "composant"),
        ("id", "id"),
    ];
    let mut lines = vec![headings.map(|(english, french)| pick(locale, english, french))];
    lines.extend(cohorts.iter().map(|cohort| {
        [
            or_none(&cohort.idnumber),
            cohort.name.clone(),
            if cohort.category.is_empty() { pick(locale, "(system)", "(système)") } else { cohort.category.clone() },
            cohort.members.to_string(),
            if cohort.visible { pick(locale, "yes", "oui") } else { pick(locale, "no", "non") },
            or_none(&cohort.component),
            cohort.id.to_string(),
        ]
    }));
    output::columns(&lines);
}

fn people(members: &[CohortMember], locale: Locale) {
    let headings = [
        ("username", "nom d'utilisateur"),
        ("idnumber", "identifiant"),
        ("last name", "nom"),
        ("first name", "prénom"),
    ];
    let mut lines = vec![headings.map(|(english, french)| pick(locale, english, french))];
    lines.extend(members.iter().map(|member| {
        let suspended = if member.suspended { pick(locale, " (suspended)", " (suspendu)") } else { String::new() };
        let username = format!("{}{suspended}", member.username);
        [username, or_none(&member.idnumber), member.lastname.clone(), member.firstname.clone()]
    }));
    output::columns(&lines);
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}
