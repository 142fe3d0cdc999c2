//! `enrold renew`, `convert`, `copy-participants` and `move-groups`: preview and question on a terminal, then the run.
//! It must not know what a verb does.

use std::io::IsTerminal;
use std::path::PathBuf;

use crate::cli::{Exit, Setting, import, lists, operator, output};
use crate::config::UserKey;
use crate::front::{AskedVerb, VerbRequest, VerbWhat};
use crate::outcome::State;

/// What all verbs have.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    key: lists::Key,
    /// Only who has this role in the course, by its short name
    #[arg(long, value_name = "SHORTNAME")]
    role: Option<String>,
    /// Only the people whom this file names, one in each line
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// What the file names people by: username, idnumber, email, id; by default its first line may tell
    #[arg(
        long,
        value_name = "K",
        requires = "users",
        value_parser = |text: &str| UserKey::from_word(text).ok_or("use username, idnumber, email or id")
    )]
    user_key: Option<UserKey>,
    /// Walk the whole way and roll back: nothing is changed
    #[arg(long)]
    simulate: bool,
    /// Do not ask on a terminal
    #[arg(long)]
    yes: bool,
}

/// The arguments of `renew`.
#[derive(Debug, clap::Args)]
pub struct Renew {
    /// The short name of the course
    course: String,
    /// Only enrolments by this method; several are allowed; by default manual and self
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,
    /// Until the end of this day, or until this moment: 2027-06-30, 2027-06-30 18:00, 30/06/2027
    #[arg(long, value_name = "DATE", required_unless_present = "by", conflicts_with = "by")]
    until: Option<String>,
    /// By this period, from the end that each has, or from now if it has passed: 30d, 2w, 6m, 1y
    #[arg(long, value_name = "PERIOD")]
    by: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `convert`.
#[derive(Debug, clap::Args)]
pub struct Convert {
    /// The short name of the course
    #[arg(required_unless_present = "category", conflicts_with = "category")]
    course: Option<String>,
    /// All courses in this category and below it: its path (Sciences / Chimie), its idnumber or its id
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// The method whose enrolments become manual ones: cohort, database, meta, self, …
    #[arg(long, value_name = "METHOD")]
    from: String,
    /// Only this instance of it (the id in the address of its page), enabled or not
    #[arg(long, value_name = "N", conflicts_with = "category")]
    instance: Option<i64>,
    /// The method stays enabled
    #[arg(long, conflicts_with = "delete_source")]
    keep_source: bool,
    /// The method is removed from the course
    #[arg(long)]
    delete_source: bool,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `copy-participants`.
#[derive(Debug, clap::Args)]
pub struct Copy {
    /// The short name of the course whose participants they are
    course: String,
    /// The short name of the course that they become participants of
    to: String,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `move-groups`.
#[derive(Debug, clap::Args)]
pub struct MoveGroups {
    /// The short name of the course that has the groups
    course: String,
    /// The short name of the course that they pass to
    to: String,
    /// Only this group, by its name; several are allowed
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn renew(setting: &Setting, options: Renew) -> anyhow::Result<Exit> {
    let Renew { course, method, until, by, common } = options;
    run(setting, VerbWhat::Renew { methods: method, until, by }, (Some(course), None), common).await
}

pub(super) async fn convert(setting: &Setting, options: Convert) -> anyhow::Result<Exit> {
    let Convert { course, category, from, instance, keep_source, delete_source, common } = options;
    run(setting, VerbWhat::Convert { from, instance, keep_source, delete_source }, (course, category), common).await
}

pub(super) async fn copy(setting: &Setting, options: Copy) -> anyhow::Result<Exit> {
    let Copy { course, to, common } = options;
    run(setting, VerbWhat::CopyParticipants { to }, (Some(course), None), common).await
}

pub(super) async fn move_groups(setting: &Setting, options: MoveGroups) -> anyhow::Result<Exit> {
    let MoveGroups { course, to, group, common } = options;
    run(setting, VerbWhat::MoveGroups { to, groups: group }, (Some(course), None), common).await
}

/// Simulates and asks on a terminal, then executes.
async fn run(
    setting: &Setting,
    what: VerbWhat,
    (course, category): (Option<String>, Option<String>),
    common: Common,
) -> anyhow::Result<Exit> {
    let Common { key, role, users, user_key, simulate, yes } = common;
    let request = VerbRequest { what, course, course_key: key.course_key, category, role, users, user_key };
    let order = AskedVerb::of(&setting.settings, request)?;
    let (front, who) = (setting.front()?, operator());
    if !yes && !simulate && !setting.json && std::io::stdin().is_terminal() {
        let preview = front.verb(&who, &order, true).await?;
        output::report(&preview, setting.locale());
        if preview.state != State::Simulated || preview.counts.is_empty() {
            return Ok(Exit::of_report(&preview));
        }
        if !import::confirmed(setting)? {
            return Ok(Exit::Failed);
        }
    }
    let report = front.verb(&who, &order, simulate).await?;
    setting.show(&report);
    front.send_after().await;
    Ok(Exit::of_report(&report))
}
