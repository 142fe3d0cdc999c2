//! `enrold demo`: shows the main job on an embedded database with the sample site, in one folder that it recreates.
//! It must not know what a file enrols.

use std::path::{Path, PathBuf};

use crate::cli::run::{self, Announced};
use crate::cli::{Exit, Setting, log, operator, output};
use crate::config::Sources;
use crate::front::{database, demo};
use crate::report::words::pick;

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The folder to make
    #[arg(default_value = "demo")]
    folder: PathBuf,
    /// Where the files to import are copied from
    #[arg(long, default_value = "sample-sync-dir")]
    files: PathBuf,
    /// End after the files that are there, instead of watching for more
    #[arg(long)]
    once: bool,
}

impl Options {
    /// The settings that put everything into the folder.
    pub(super) fn sets(&self) -> Vec<(String, String)> {
        let within = |name: &str| self.folder.join(name).display().to_string();
        vec![
            ("database.url".to_owned(), format!("sqlite:{}", within("enrold.sqlite"))),
            ("state.path".to_owned(), within("state")),
            ("inbox.path".to_owned(), within("sync")),
            ("inbox.settle".to_owned(), "0".to_owned()),
            ("log.level".to_owned(), "warn".to_owned()),
        ]
    }
}

pub(super) async fn run(
    setting: &Setting,
    options: &Options,
    sources: Sources,
    log: log::Handle,
) -> anyhow::Result<Exit> {
    let who = operator();
    demo::make_folder(&who, &options.folder, &options.files)?;
    database::init(&who, setting.database()?, true).await?;
    let told = Announced::default();
    run::daemon(setting, sources.clone(), log.clone(), Some(told.clone()))?.once().await?;
    if setting.json {
        let reports: Vec<_> =
            told.reports().iter().map(|report| crate::report::document(report, setting.locale())).collect();
        output::json(&serde_json::json!({ "database": database_file(options), "reports": reports }));
    } else {
        summary(setting, options).await?;
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
async fn summary(setting: &Setting, options: &Options) -> anyhow::Result<()> {
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
    // The configuration that comes with the project names the default folder.
    let look = if options.folder == Path::new("demo") {
        "cargo run -q -- --config config/demo.toml".to_owned()
    } else {
        format!("enrold --set database.url=sqlite:{}", database_file(options))
    };
    output::line(&pick(locale, "Look further:", "Pour en voir plus :"));
    output::lines(&format!("  {look} runs\n  {look} runs 6"));
    if !options.once {
        let sync = options.folder.join("sync");
        let watching = pick(
            locale,
            "Now it watches the drop directory until Ctrl-C. In another terminal:",
            "Le répertoire de dépôt est maintenant surveillé, jusqu'à Ctrl-C. Dans un autre terminal :",
        );
        let file = options.files.join("enrols-20261121.csv");
        output::lines(&format!("\n{watching}\n  cp {} {}", file.display(), sync.display()));
    }
    Ok(())
}
