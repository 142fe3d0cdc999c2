//! `enrold demo`: the main job shown on an embedded database with the sample site, in one folder that it makes anew.
//! It must not touch a folder that it did not make.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::run::{self, Told};
use crate::cli::{Exit, Setting, log, output};
use crate::clock;
use crate::config::Sources;
use crate::db::{Params, migrate};
use crate::disk::own;
use crate::moodle::install;
use crate::report::words::pick;

/// What marks a folder as made by the demonstration.
const MARK: &str = ".enrold-demo";

/// The folder and its files are for whoever shows it, and for the group.
const DIRECTORY: u32 = 0o750;
const FILE: u32 = 0o640;

/// The words of `demo`.
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
    make_folder(options)?;
    let mut conn = setting.database()?.creating().connect().await?;
    install::create_tables(&mut conn).await?;
    install::load_sample(&mut conn).await?;
    migrate(&mut conn, clock::real()).await?;
    let told = Told::default();
    run::daemon(setting, sources.clone(), log.clone(), Some(told.clone()))?.once().await?;
    if setting.json {
        let reports: Vec<_> =
            told.reports().iter().map(|report| crate::report::document(report, setting.locale())).collect();
        output::json(&serde_json::json!({ "database": database_file(options), "reports": reports }));
    } else {
        summary(setting, &mut conn, options).await?;
    }
    conn.close().await;
    if !options.once {
        run::daemon(setting, sources, log, Some(Told::default()))?.run().await?;
    }
    Ok(Exit::Done)
}

fn database_file(options: &Options) -> String {
    options.folder.join("enrold.sqlite").display().to_string()
}

/// Makes the folder and copies the files into its drop directory.
fn make_folder(options: &Options) -> anyhow::Result<()> {
    let folder = &options.folder;
    let sources = sources(&options.files)?;
    if folder.exists() {
        if !folder.join(MARK).exists() {
            bail!("{} exists and was not made by 'enrold demo': name another folder", folder.display());
        }
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let sync = folder.join("sync");
    own::make_directories_with(&sync, DIRECTORY).with_context(|| format!("cannot make {}", sync.display()))?;
    own::create_with(&folder.join(MARK), FILE)?.write_all(b"made by 'enrold demo', which may remove this folder\n")?;
    sources.iter().try_for_each(|path| copy_into(&sync, path))
}

/// The files to drop.
fn sources(from: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = fs::read_dir(from)
        .with_context(|| format!("cannot read {}: start the demonstration in the project's folder", from.display()))?;
    let mut sources = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if matches!(path.extension().and_then(|ending| ending.to_str()), Some("csv" | "txt")) {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

fn copy_into(folder: &Path, path: &Path) -> anyhow::Result<()> {
    let to = folder.join(path.file_name().unwrap_or_default());
    let copied = fs::File::open(path).and_then(|mut from| io::copy(&mut from, &mut own::create_with(&to, FILE)?));
    copied.map(|_| ()).with_context(|| format!("cannot copy {}", path.display()))
}

/// Who is enrolled by the files now, course by course, and where to look further.
async fn summary(setting: &Setting, conn: &mut crate::db::Conn, options: &Options) -> anyhow::Result<()> {
    let locale = setting.locale();
    output::line(&pick(
        locale,
        "Enrolled by these files now (active, suspended):",
        "Inscrits par ces fichiers (actifs, suspendus) :",
    ));
    let rows = conn
        .rows(
            "SELECT c.shortname, c.fullname, COUNT(CASE WHEN x.status = 0 THEN 1 END), COUNT(CASE WHEN x.status = 1 THEN 1 END)
               FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'flatfile' JOIN {course} c ON c.id = e.courseid
              GROUP BY c.shortname, c.fullname ORDER BY c.shortname",
            &Params::new(),
        )
        .await?;
    for row in rows {
        output::line(&format!("  {:<16} {:>3} {:>3}  {}", row.text(0), row.int(2), row.int(3), row.text(1)));
    }
    output::line("");
    output::line(&format!(
        "{} {}",
        pick(locale, "The database lies in", "La base de données est dans"),
        database_file(options)
    ));
    // The folder of the configuration that comes with the project is the usual one.
    let look = if options.folder == Path::new("demo") {
        "cargo run -q -- --config config/demo.toml".to_owned()
    } else {
        format!("enrold --set database.url=sqlite:{}", database_file(options))
    };
    output::line(&pick(locale, "Look further:", "Pour en voir plus :"));
    output::line(&format!("  {look} runs\n  {look} runs 6"));
    if !options.once {
        let sync = options.folder.join("sync");
        let watching = pick(
            locale,
            "Now it watches the drop directory until Ctrl-C. In another terminal:",
            "Le répertoire de dépôt est maintenant surveillé, jusqu'à Ctrl-C. Dans un autre terminal :",
        );
        let file = options.files.join("enrols-20261121.csv");
        output::line(&format!("\n{watching}\n  cp {} {}", file.display(), sync.display()));
    }
    Ok(())
}
