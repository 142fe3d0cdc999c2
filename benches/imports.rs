//! Imports on a site of a benchmark: the file, the run, and the reset of the site.
//! It must not measure anything.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use enrold::db::{Dialect, Params};
use enrold::outcome::Report;
use enrold::run::Import;

use crate::site::{Bench, Outcome};

impl Bench {
    pub async fn import(&self, path: &Path) -> Outcome<Report> {
        Ok(self.engine.import(&Import { path: path.to_owned(), ..Import::default() }, false).await?)
    }

    /// Resets the site to the state before any file.
    pub async fn empty(&self) -> Outcome<()> {
        let mut conn = self.engine.database.connect().await?;
        for table in [
            "user_enrolments",
            "role_assignments",
            "cache_flags",
            "logstore_standard_log",
            "enrold_change",
            "enrold_run",
        ] {
            conn.exec(&format!("DELETE FROM {{{table}}}"), &Params::new()).await?;
        }
        conn.exec("DELETE FROM {enrol} WHERE enrol = 'flatfile'", &Params::new()).await?;
        if conn.dialect() == Dialect::Postgres {
            for command in ["VACUUM FULL", "ANALYZE", "CHECKPOINT"] {
                conn.command(command).await?;
            }
        }
        conn.close().await;
        Ok(())
    }
}

/// A file with an `add` line for every user in every course.
pub fn file(folder: &Path, users: i64, courses: i64) -> Outcome<PathBuf> {
    let path = folder.join(format!("{users}x{courses}.csv"));
    let mut text = "operation,username,course,role,timestart,timeend\n".to_owned();
    for user in 1..=users {
        for course in 1..=courses {
            writeln!(text, "add,u{user},c{course},student,0,0")?;
        }
    }
    std::fs::write(&path, text)?;
    Ok(path)
}
