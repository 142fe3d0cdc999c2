//! `enrold participants COURSE`: the list of the participants of a course.
//! It must not find anything out itself.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::{Exit, Setting, lists, operator, output};
use crate::config::CourseKey;
use crate::front::ParticipantFilter;
use crate::outcome::{EnrolmentStatus, Observer};
use crate::report::participants;

/// The arguments of `participants`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The short name of the course
    course: String,
    #[command(flatten)]
    key: lists::Key,
    /// Only who has this role in the course, by its short name; several are allowed
    #[arg(long, value_name = "SHORTNAME")]
    role: Vec<String>,
    /// Only members of this group, by its name; several are allowed
    #[arg(long, value_name = "NAME", conflicts_with = "no_group")]
    group: Vec<String>,
    /// Only who is in no group
    #[arg(long)]
    no_group: bool,
    /// Only who is enrolled by this method (manual, cohort, self, …); several are allowed
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,
    /// Only enrolments of this status: active, not-current, suspended, method-disabled; several are allowed
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Vec<EnrolmentStatus>,
    #[command(flatten)]
    form: Form,
}

/// The form of the list.
#[derive(Debug, clap::Args)]
struct Form {
    /// As CSV
    #[arg(long, conflicts_with_all = ["xlsx", "ods"])]
    csv: bool,
    /// As a workbook for Excel
    #[arg(long, conflicts_with = "ods")]
    xlsx: bool,
    /// As a document of LibreOffice Calc
    #[arg(long)]
    ods: bool,
    /// Write it to this file, which only this account may read, and not to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn status(word: &str) -> Result<EnrolmentStatus, String> {
    let known = || EnrolmentStatus::ALL.map(EnrolmentStatus::as_str).join(", ");
    EnrolmentStatus::ALL.into_iter().find(|status| status.as_str() == word).ok_or_else(|| format!("use {}", known()))
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let Options { course, key, role, group, no_group, method, status, form } = options;
    lists::one_form(setting, form.csv || form.xlsx || form.ods || form.output.is_some())?;
    let front = setting.front_observed(Observer::none())?;
    let filter = ParticipantFilter {
        roles: role.clone(),
        groups: group.clone(),
        ungrouped: *no_group,
        methods: method.clone(),
        statuses: status.clone(),
    };
    let key: CourseKey = key.course_key;
    let found = front.participants(&operator(), (key, course), &filter).await?;
    let sheet = participants::sheet(&found.people, setting.locale(), found.zone);
    let to = form.output.as_deref();
    match form {
        _ if setting.json => output::json(&json!({ "course": found.course, "participants": found.people })),
        Form { csv: true, .. } => lists::put(sheet.csv().as_bytes(), to, false)?,
        Form { xlsx: true, .. } => lists::put(&sheet.xlsx().map_err(anyhow::Error::msg)?, to, true)?,
        Form { ods: true, .. } => lists::put(&sheet.ods().map_err(anyhow::Error::msg)?, to, true)?,
        Form { output: Some(_), .. } => lists::put(sheet.csv().as_bytes(), to, false)?,
        _ => lists::columns(&sheet),
    }
    Ok(Exit::Done)
}
