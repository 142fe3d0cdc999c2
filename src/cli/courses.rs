//! `enrold courses`: the courses of the site, with their methods and counts.
//! It must not find anything out itself.

use chrono::DateTime;
use chrono_tz::Tz;

use crate::cli::{Exit, Setting, lists, operator, output};
use crate::config::Locale;
use crate::front::{CourseMethod, CourseRow};
use crate::outcome::Observer;
use crate::report::sheet::{Cell, Sheet};
use crate::report::words::pick;

/// The arguments of `courses`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// As CSV
    #[arg(long)]
    csv: bool,
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    lists::one_form(setting, options.csv)?;
    let front = setting.front_observed(Observer::none())?;
    let (courses, zone) = front.courses(&operator()).await?;
    if setting.json {
        output::json(&courses);
    } else {
        lists::print(&sheet(&courses, setting.locale(), zone), options.csv)?;
    }
    Ok(Exit::Done)
}

fn sheet(courses: &[CourseRow], locale: Locale, zone: Tz) -> Sheet {
    let headings = [
        ("short name", "nom abrégé"),
        ("full name", "nom complet"),
        ("idnumber", "identifiant"),
        ("category", "catégorie"),
        ("visible", "visible"),
        ("starts", "début"),
        ("ends", "fin"),
        ("participants", "participants"),
        ("methods", "méthodes"),
        ("id", "id"),
    ];
    let date = |date: Option<i64>| {
        let local = date.and_then(|date| DateTime::from_timestamp(date, 0)).map(|date| date.with_timezone(&zone));
        Cell::Text(local.map(|date| date.format("%Y-%m-%d").to_string()).unwrap_or_default())
    };
    let row = |course: &CourseRow| {
        vec![
            Cell::text(&course.shortname),
            Cell::text(&course.fullname),
            Cell::text(&course.idnumber),
            Cell::text(&course.category),
            Cell::Text(if course.visible { pick(locale, "yes", "oui") } else { pick(locale, "no", "non") }),
            date(course.startdate),
            date(course.enddate),
            Cell::Number(course.participants),
            Cell::Text(course.methods.iter().map(|of| method(of, locale)).collect::<Vec<_>>().join(", ")),
            Cell::Number(course.id),
        ]
    };
    Sheet {
        title: pick(locale, "Courses", "Cours"),
        headings: headings.map(|(english, french)| pick(locale, english, french)).to_vec(),
        rows: courses.iter().map(row).collect(),
    }
}

/// A method with its enrolments: `cohort 28`, `2 cohort 56` for two instances, `self 0 (disabled)`.
fn method(of: &CourseMethod, locale: Locale) -> String {
    let several = if of.instances > 1 { format!("{} ", of.instances) } else { String::new() };
    let disabled = if of.enabled { String::new() } else { pick(locale, " (disabled)", " (désactivée)") };
    format!("{several}{} {}{disabled}", of.method, of.enrolments)
}
