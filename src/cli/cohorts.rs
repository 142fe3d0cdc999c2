//! `enrold cohorts`: the cohorts of the site, or one with its members.
//! It must not find anything out itself.

use anyhow::anyhow;
use serde_json::json;

use crate::cli::{Exit, Setting, lists, operator, output};
use crate::config::Locale;
use crate::front::{CohortMember, CohortRow};
use crate::outcome::Observer;
use crate::report::sheet::{Cell, Sheet};
use crate::report::words::pick;

/// The arguments of `cohorts`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The idnumber of a cohort, its name, or its id: with its members
    cohort: Option<String>,
    /// As CSV; with a cohort, its members
    #[arg(long)]
    csv: bool,
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    lists::one_form(setting, options.csv)?;
    let front = setting.front_observed(Observer::none())?;
    let Some(key) = &options.cohort else {
        let cohorts = front.cohorts(&operator()).await?;
        if setting.json {
            output::json(&cohorts);
        } else {
            lists::print(&cohorts_sheet(&cohorts, setting.locale()), options.csv)?;
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
    if options.csv {
        let all: Vec<CohortMember> = found.into_iter().flat_map(|(_, members)| members).collect();
        lists::print(&people_sheet(&all, setting.locale()), true)?;
        return Ok(Exit::Done);
    }
    for (cohort, members) in &found {
        lists::columns(&cohorts_sheet(std::slice::from_ref(cohort), setting.locale()));
        output::line("");
        lists::columns(&people_sheet(members, setting.locale()));
    }
    Ok(Exit::Done)
}

fn cohorts_sheet(cohorts: &[CohortRow], locale: Locale) -> Sheet {
    let headings = [
        ("idnumber", "identifiant"),
        ("name", "nom"),
        ("category", "catégorie"),
        ("members", "membres"),
        ("methods", "méthodes"),
        ("visible", "visible"),
        ("component", "composant"),
        ("id", "id"),
    ];
    let row = |cohort: &CohortRow| {
        let system = || pick(locale, "(system)", "(système)");
        vec![
            Cell::text(&cohort.idnumber),
            Cell::text(&cohort.name),
            Cell::Text(if cohort.category.is_empty() { system() } else { cohort.category.clone() }),
            Cell::Number(cohort.members),
            Cell::Number(cohort.methods),
            Cell::Text(if cohort.visible { pick(locale, "yes", "oui") } else { pick(locale, "no", "non") }),
            Cell::text(&cohort.component),
            Cell::Number(cohort.id),
        ]
    };
    Sheet {
        title: pick(locale, "Cohorts", "Cohortes"),
        headings: headings.map(|(english, french)| pick(locale, english, french)).to_vec(),
        rows: cohorts.iter().map(row).collect(),
    }
}

fn people_sheet(members: &[CohortMember], locale: Locale) -> Sheet {
    let headings = [
        ("username", "nom d'utilisateur"),
        ("idnumber", "identifiant"),
        ("last name", "nom"),
        ("first name", "prénom"),
    ];
    let row = |member: &CohortMember| {
        let suspended = if member.suspended { pick(locale, " (suspended)", " (suspendu)") } else { String::new() };
        let username = format!("{}{suspended}", member.username);
        [&username, &member.idnumber, &member.lastname, &member.firstname].map(Cell::text).to_vec()
    };
    Sheet {
        title: pick(locale, "Members", "Membres"),
        headings: headings.map(|(english, french)| pick(locale, english, french)).to_vec(),
        rows: members.iter().map(row).collect(),
    }
}
