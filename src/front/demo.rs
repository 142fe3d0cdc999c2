//! The demonstration: creates a folder with the files to import, and reads the enrolments that result.
//! It must not touch a folder that it did not create.

#![allow(clippy::disallowed_methods, reason = "the folder of the demonstration, and the sample files")]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::db::{Database, DbError, Params};
use crate::disk::own;
use crate::front::{Who, failed};

/// The file that marks a folder as created by the demonstration.
const MARK: &str = ".enrold-demo";

/// The configuration of the demonstration, in its folder.
const CONFIG: &str = "enrold.toml";

/// The source of the full set among the files of the program.
pub const SOURCE: &str = "scolarite";

macro_rules! embedded {
    ($($path:literal as $name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../sample-sync-dir/", $path)) as &[u8])),+]
    };
}

/// The files that are part of the program: those of `sample-sync-dir`, one that is held, a full set, a list of new
/// students, and members of a cohort.
const EMBEDDED: &[(&str, &[u8])] = embedded![
    "enrols-20261121.csv" as "enrols-20261121.csv",
    "enrols-erreurs-20261121.csv" as "enrols-erreurs-20261121.csv",
    "enrols_scolarite-20261121.csv" as "enrols_scolarite-20261121.csv",
    "flatfile-20261121.txt" as "flatfile-20261121.txt",
    "flatfile-erreurs-20261121.txt" as "flatfile-erreurs-20261121.txt",
    "course-L3-ANG-301.20261121.csv" as "course-L3-ANG-301.20261121.csv",
    "demo/enrols-20261122.csv" as "enrols-20261122.csv",
    "demo/scolarite-20261122.csv" as "scolarite-20261122.csv",
    "demo/parcoursup-20261122.csv" as "parcoursup-20261122.csv",
    "demo/cohortes-20261122.csv" as "cohortes-20261122.csv",
];

/// The owner and the group may read the folder and its files.
const DIRECTORY: u32 = 0o750;
const FILE: u32 = 0o640;

/// Creates the folder, with the configuration `settings` of its own, and puts files into its drop directory `sync`: the
/// csv and txt files of the directory `files`, or those that are part of the program.
///
/// # Errors
/// The folder was not created by the demonstration, or an I/O error.
pub fn make_folder(who: &Who, folder: &Path, files: Option<&Path>, settings: &str) -> io::Result<()> {
    who.asks(format_args!("demo {}", folder.display()));
    let sources = files.map(sources).transpose()?;
    if folder.exists() {
        if !folder.join(MARK).exists() {
            let problem = format!("{} exists and was not made by 'enrold demo': name another folder", folder.display());
            return Err(io::Error::other(problem));
        }
        fs::remove_dir_all(folder).map_err(failed(format_args!("cannot remove {}", folder.display())))?;
    }
    let sync = folder.join("sync");
    own::make_directories_with(&sync, DIRECTORY).map_err(failed(format_args!("cannot make {}", sync.display())))?;
    own::create_with(&folder.join(MARK), FILE)?.write_all(b"made by 'enrold demo', which may remove this folder\n")?;
    own::create_with(&folder.join(CONFIG), FILE)?.write_all(settings.as_bytes())?;
    match sources {
        Some(paths) => paths.iter().try_for_each(|path| copy_into(&sync, path)),
        None => EMBEDDED.iter().try_for_each(|(name, bytes)| {
            let written = own::create_with(&sync.join(name), FILE).and_then(|mut file| file.write_all(bytes));
            written.map_err(failed(format_args!("cannot write {name}")))
        }),
    }
}

/// The path of the configuration in the folder of a demonstration.
pub fn config_of(folder: &Path) -> PathBuf {
    folder.join(CONFIG)
}

/// Enables the method of full sets on the sample site, which has it off as every Moodle.
///
/// # Errors
/// The database's error.
pub async fn enable_sets(database: &Database) -> Result<(), DbError> {
    let mut conn = database.connect().await?;
    let sql = "UPDATE {config} SET value = value || ',database' WHERE name = 'enrol_plugins_enabled'";
    conn.exec(sql, &Params::new()).await?;
    conn.close().await;
    Ok(())
}

/// The files to drop.
fn sources(from: &Path) -> io::Result<Vec<PathBuf>> {
    let why = format!("cannot read {}", from.display());
    let mut sources = Vec::new();
    for entry in fs::read_dir(from).map_err(failed(why))? {
        let path = entry?.path();
        if matches!(path.extension().and_then(|ending| ending.to_str()), Some("csv" | "txt")) {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

fn copy_into(folder: &Path, path: &Path) -> io::Result<()> {
    let to = folder.join(path.file_name().unwrap_or_default());
    let copied = fs::File::open(path).and_then(|mut from| io::copy(&mut from, &mut own::create_with(&to, FILE)?));
    copied.map(|_| ()).map_err(failed(format_args!("cannot copy {}", path.display())))
}

/// A course with the numbers of its enrolments by files: lines and full sets.
pub struct Enrolled {
    /// Its short name.
    pub shortname: String,
    /// Its full name.
    pub fullname: String,
    /// Active enrolments.
    pub active: i64,
    /// Suspended ones.
    pub suspended: i64,
}

/// The current enrolments by files, by course.
pub async fn enrolled(database: &Database) -> Result<Vec<Enrolled>, DbError> {
    let mut conn = database.connect().await?;
    let sql = "SELECT c.shortname, c.fullname,
                COUNT(CASE WHEN x.status = 0 THEN 1 END), COUNT(CASE WHEN x.status = 1 THEN 1 END)
           FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol IN ('flatfile', 'database')
           JOIN {course} c ON c.id = e.courseid
          GROUP BY c.shortname, c.fullname ORDER BY c.shortname";
    let rows = conn.rows(sql, &Params::new()).await?;
    conn.close().await;
    let enrolled = rows.iter().map(|row| Enrolled {
        shortname: row.text(0),
        fullname: row.text(1),
        active: row.int(2),
        suspended: row.int(3),
    });
    Ok(enrolled.collect())
}
