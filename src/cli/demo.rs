//! `enrold demo`: shows the main job on an embedded database with the sample site, in one folder that it recreates.
//! It must not know what a file enrols.

use std::path::PathBuf;

use crate::cli::run::{self, Announced};
use crate::cli::{Exit, Setting, log, operator, output};
use crate::config::Sources;
use crate::front::{database, demo};
use crate::outcome::{Report, State};
use crate::report::words::pick;

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The folder to make
    #[arg(default_value = "demo")]
    folder: PathBuf,
    /// Copy the files to import from this directory, instead of those that come with the program
    #[arg(long, value_name = "DIRECTORY")]
    files: Option<PathBuf>,
    /// End after the files that are there, instead of watching for more
    #[arg(long)]
    once: bool,
}

impl Options {
    /// The settings that put everything into the folder.
    pub(super) fn sets(&self) -> Vec<(String, String)> {
        let mut sets = self.lasting();
        sets.push(("log.level".to_owned(), "warn".to_owned()));
        sets
    }

    /// Those that later commands on the folder need as well.
    fn lasting(&self) -> Vec<(String, String)> {
        let within = |name: &str| self.folder.join(name).display().to_string();
        let mut sets = vec![
            ("database.url".to_owned(), format!("sqlite:{}", within("enrold.sqlite"))),
            ("state.path".to_owned(), within("state")),
            ("inbox.path".to_owned(), within("sync")),
            ("inbox.settle".to_owned(), "0".to_owned()),
        ];
        // Course lists are among the files of `sample-sync-dir`.
        sets.push(("profiles.cours.kind".to_owned(), "course-list".to_owned()));
        sets.push(("profiles.cours.create_groups".to_owned(), "true".to_owned()));
        if self.files.is_none() {
            let source = |key: &str, value: &str| (format!("sources.{}.{key}", demo::SOURCE), value.to_owned());
            sets.push(source("files", &format!("{}-*.csv", demo::SOURCE)));
            sets.push(source("user_key", "username"));
            sets.push(source("course_key", "shortname"));
            sets.push(source("default_role", "student"));
            let profile = |key: &str, value: &str| (format!("profiles.{key}"), value.to_owned());
            sets.push(profile("parcoursup.kind", "users"));
            sets.push(profile("parcoursup.files", "parcoursup-*.csv"));
            sets.push(profile("parcoursup.columns.Numéro de dossier", "username"));
            sets.push(profile("parcoursup.columns.Code formation", "cohort1"));
            sets.push(profile("parcoursup.columns.*", "-"));
            sets.push(profile("cohortes.kind", "cohort-members"));
            sets.push(profile("cohortes.files", "cohortes-*.csv"));
            sets.push(profile("cohortes.create_cohorts", "true"));
        }
        sets
    }

    /// The same as a configuration file.
    fn configuration(&self) -> String {
        let mut text =
            "# Made by 'enrold demo', for further commands on this folder, from where it was made.\n".to_owned();
        for (key, value) in self.lasting() {
            let key = match key.split_once(".columns.") {
                Some((table, header)) => format!("{table}.columns.{header:?}"),
                None => key,
            };
            let value = match key.ends_with(".files") {
                true => format!("[{value:?}]"),
                false if value == "0" => value,
                false => format!("{value:?}"),
            };
            text += &format!("{key} = {value}\n");
        }
        text
    }
}

pub(super) async fn run(
    setting: &Setting,
    options: &Options,
    sources: Sources,
    log: log::Handle,
) -> anyhow::Result<Exit> {
    let who = operator();
    demo::make_folder(&who, &options.folder, options.files.as_deref(), &options.configuration())?;
    database::init(&who, setting.database()?, true).await?;
    if options.files.is_none() {
        demo::enable_sets(&setting.database()?).await?;
    }
    let told = Announced::default();
    run::daemon(setting, sources.clone(), log.clone(), Some(told.clone()))?.once().await?;
    if setting.json {
        let reports: Vec<_> =
            told.reports().iter().map(|report| crate::report::document(report, setting.locale())).collect();
        output::json(&serde_json::json!({ "database": database_file(options), "reports": reports }));
    } else {
        summary(setting, options, &told.reports()).await?;
    }
    if !options.once {
        run::daemon(setting, sources, log, Some(Announced::default()))?.run().await?;
    }
    Ok(Exit::Done)
}

fn database_file(options: &Options) -> String {
    options.folder.join("enrold.sqlite").display().to_string()
}

/// Prints the enrolments by the files, course by course, and how to see more.
async fn summary(setting: &Setting, options: &Options, reports: &[Report]) -> anyhow::Result<()> {
    let locale = setting.locale();
    output::line(&pick(
        locale,
        "Enrolled by these files now (active, suspended):",
        "Inscrits par ces fichiers (actifs, suspendus) :",
    ));
    for course in demo::enrolled(&setting.database()?).await? {
        let demo::Enrolled { shortname, fullname, active, suspended } = course;
        output::line(&format!("  {shortname:<16} {active:>3} {suspended:>3}  {fullname}"));
    }
    output::line("");
    output::line(&format!(
        "{} {}",
        pick(locale, "The database lies in", "La base de données est dans"),
        database_file(options)
    ));
    let program = std::env::args().next().unwrap_or_else(|| "enrold".to_owned());
    let look = format!("{program} --config {}", demo::config_of(&options.folder).display());
    output::line(&pick(locale, "Look further:", "Pour en voir plus :"));
    output::lines(&format!("  {look} runs\n  {look} runs 6"));
    if let Some(held) = reports.iter().find(|report| report.state == State::Held) {
        output::line(&pick(
            locale,
            "One file waits for a decision. Whom it concerns, and how to decide:",
            "Un fichier attend une décision. Qui il concerne, et comment décider :",
        ));
        output::lines(&format!("  {look} runs {0}\n  {look} approve {0}", held.run));
    }
    if let Some(set) = reports.iter().find(|report| report.set.is_some()) {
        output::line(&pick(locale, "What became of the full set:", "Ce qu'il est advenu de l'ensemble complet :"));
        output::line(&format!("  {look} runs {}", set.run));
    }
    if !options.once {
        let watching = pick(
            locale,
            "Now it watches the drop directory until Ctrl-C. In another terminal:",
            "Le répertoire de dépôt est maintenant surveillé, jusqu'à Ctrl-C. Dans un autre terminal :",
        );
        let sync = options.folder.join("sync").display().to_string();
        output::lines(&format!("\n{watching}\n  cp {sync}/enrols-20261121.csv.done {sync}/again.csv"));
    }
    Ok(())
}
