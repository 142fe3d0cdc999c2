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

/// The owner and the group may read the folder and its files.
const DIRECTORY: u32 = 0o750;
const FILE: u32 = 0o640;

/// Creates the folder and copies the files of another one into its drop directory `sync`.
///
/// # Errors
/// The folder was not created by the demonstration, or an I/O error.
pub fn make_folder(who: &Who, folder: &Path, files: &Path) -> io::Result<()> {
    who.asks(format_args!("demo {}", folder.display()));
    let sources = sources(files)?;
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
    sources.iter().try_for_each(|path| copy_into(&sync, path))
}

/// The files to drop.
fn sources(from: &Path) -> io::Result<Vec<PathBuf>> {
    let why = format!("cannot read {}: start the demonstration in the project's folder", from.display());
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

/// A course with the numbers of its flat-file enrolments.
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

/// The current flat-file enrolments by course.
pub async fn enrolled(database: &Database) -> Result<Vec<Enrolled>, DbError> {
    let mut conn = database.connect().await?;
    let sql = "SELECT c.shortname, c.fullname,
                COUNT(CASE WHEN x.status = 0 THEN 1 END), COUNT(CASE WHEN x.status = 1 THEN 1 END)
           FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'flatfile'
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
