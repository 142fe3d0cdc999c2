//! Reads a table, view or query of a second database into a snapshot: streamed, with trimmed values.
//! It must not know what the values mean; a value that is not text ends the read, and no file is left.

use std::path::Path;

use secrecy::ExposeSecret;

use super::snapshot::{Snapshot, SnapshotError, SnapshotWriter, canonical_columns};
use crate::config::{SetColumns, Source};
use crate::db::{Remote, RemoteError, RemoteRows, RemoteTimeouts};
use crate::files::{CELL_LIMIT, NAME_LIMIT, cut_to};

/// Why a source cannot be fetched; nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The second database cannot be reached, or not read as the configuration says.
    #[error("source {source_name}: {error}")]
    Remote {
        /// The source.
        source_name: String,
        /// What is wrong.
        error: RemoteError,
    },
    /// The snapshot cannot be written in the state directory.
    #[error("source {source_name}: {error}")]
    Snapshot {
        /// The source.
        source_name: String,
        /// What is wrong.
        error: SnapshotError,
    },
    /// The configuration names no database, no table, or too few columns.
    #[error("source {source_name}: set sources.{source_name}.{key}; without it there is nothing to fetch")]
    Unset {
        /// The source.
        source_name: String,
        /// The key below `sources.NAME.`.
        key: &'static str,
    },
}

/// The error that ends the stream.
enum Stop {
    Remote(RemoteError),
    Snapshot(SnapshotError),
}

impl From<RemoteError> for Stop {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl From<SnapshotError> for Stop {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error)
    }
}

/// The columns of a snapshot of the table of courses, in their order; all but the first two may be missing.
const COURSE_COLUMNS: [&str; 6] = ["fullname", "shortname", "idnumber", "category", "startdate", "enddate"];

/// Reads the whole set of a source into a snapshot under `state`; `now` (Unix seconds) becomes part of its name.
///
/// Rows are distinct and in the order of their bytes, so the same data gives the same file.
///
/// # Errors
/// Any [`SourceError`]; no file is left then.
pub async fn fetch(source_name: &str, source: &Source, state: &Path, now: i64) -> Result<Snapshot, SourceError> {
    let (from, canonical, remote) = wanted(source_name, source)?;
    let goal = Goal { state, directory: source_name.to_owned(), now, canonical, room: CELL_LIMIT };
    read(source_name, source, from, &remote, goal).await
}

/// What is read of a source: the table or query, the canonical columns, and their names in it.
type Wanted<'a> = (RemoteRows<'a>, Vec<&'static str>, Vec<&'a str>);

fn wanted<'a>(source_name: &str, source: &'a Source) -> Result<Wanted<'a>, SourceError> {
    let unset = |key| SourceError::Unset { source_name: source_name.to_owned(), key };
    let from = match (source.table.trim(), source.query.trim()) {
        ("", "") => return Err(unset("table")),
        ("", query) => RemoteRows::Query(query),
        (table, _) => RemoteRows::Table(table),
    };
    let (canonical, remote) = chosen(source).map_err(unset)?;
    Ok((from, canonical, remote))
}

/// The same for its table of courses; `None` if it has none.
fn wanted_courses<'a>(source_name: &str, source: &'a Source) -> Result<Option<Wanted<'a>>, SourceError> {
    let unset = |key| SourceError::Unset { source_name: source_name.to_owned(), key };
    let courses = &source.courses;
    if courses.table.trim().is_empty() {
        return Ok(None);
    }
    let [fullname, shortname] = [&courses.fullname, &courses.shortname];
    let names = [fullname, shortname, &courses.idnumber, &courses.category, &courses.startdate, &courses.enddate];
    let names = names.map(|name| name.trim());
    match names {
        ["", ..] => return Err(unset("courses.fullname")),
        [_, "", ..] => return Err(unset("courses.shortname")),
        _ => {}
    }
    let pairs = COURSE_COLUMNS.into_iter().zip(names);
    let (canonical, remote): (Vec<_>, Vec<_>) = pairs.filter(|(_, remote)| !remote.is_empty()).unzip();
    Ok(Some((RemoteRows::Table(&courses.table), canonical, remote)))
}

/// Runs the queries of a fetch on the second database of a source, but for zero rows. Returns whether its account could
/// write there, `None` if this cannot be determined.
///
/// # Errors
/// As [`fetch`].
pub async fn probe(source_name: &str, source: &Source) -> Result<Option<bool>, SourceError> {
    let (from, _, remote) = wanted(source_name, source)?;
    let courses = wanted_courses(source_name, source)?;
    let url = source.url.as_ref();
    let url = url.ok_or_else(|| SourceError::Unset { source_name: source_name.to_owned(), key: "url" })?;
    let work = async {
        let mut session = Remote::connect(url.expose_secret(), timeouts(source), &source.setup).await?;
        session.probe(from, &remote).await?;
        if let Some((from, _, remote)) = courses {
            session.probe(from, &remote).await?;
        }
        let may_write = session.may_write(from, url.expose_secret()).await;
        session.close().await;
        Ok(may_write)
    };
    work.await.map_err(|error| SourceError::Remote { source_name: source_name.to_owned(), error })
}

/// Reads the table of courses ([`crate::config::CourseTable`]) into a snapshot of `fullname`, `shortname` and, where
/// configured, `idnumber`, `category` and the two dates; `None` if the source has no such table.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_courses(
    source_name: &str,
    source: &Source,
    state: &Path,
    now: i64,
) -> Result<Option<Snapshot>, SourceError> {
    let Some((from, canonical, remote)) = wanted_courses(source_name, source)? else { return Ok(None) };
    let goal = Goal { state, directory: format!("{source_name}/courses"), now, canonical, room: NAME_LIMIT };
    read(source_name, source, from, &remote, goal).await.map(Some)
}

/// Where a snapshot goes, and its header.
struct Goal<'a> {
    state: &'a Path,
    directory: String,
    now: i64,
    canonical: Vec<&'static str>,
    /// The width, in characters, of the widest Moodle column that a value is compared with or written to.
    room: usize,
}

fn timeouts(source: &Source) -> RemoteTimeouts {
    RemoteTimeouts { connect: source.connect_timeout, statement: source.statement_timeout }
}

async fn read(
    source_name: &str,
    source: &Source,
    from: RemoteRows<'_>,
    remote: &[&str],
    goal: Goal<'_>,
) -> Result<Snapshot, SourceError> {
    let url = source.url.as_ref();
    let url = url.ok_or_else(|| SourceError::Unset { source_name: source_name.to_owned(), key: "url" })?;
    let work = async {
        let mut session = Remote::connect(url.expose_secret(), timeouts(source), &source.setup).await?;
        let mut writer = SnapshotWriter::begin(goal.state, &goal.directory, &goal.canonical, goal.now)?;
        session
            .each(from, remote, |cells| {
                let texts: Vec<&str> =
                    cells.iter().map(|cell| cut_to(cell.as_deref().unwrap_or_default().trim(), goal.room)).collect();
                writer.row(&texts).map_err(Stop::from)
            })
            .await?;
        let skipped_setup = session.skipped().to_vec();
        session.close().await;
        Ok(Snapshot { skipped_setup, ..writer.finish()? })
    };
    work.await.map_err(|stop| match stop {
        Stop::Remote(error) => SourceError::Remote { source_name: source_name.to_owned(), error },
        Stop::Snapshot(error) => SourceError::Snapshot { source_name: source_name.to_owned(), error },
    })
}

/// The canonical columns that the source configures, and their names in its table; or the key of a required one.
fn chosen(source: &Source) -> Result<(Vec<&'static str>, Vec<&str>), &'static str> {
    let columns = &source.columns;
    let of = |canonical: &&'static str| (*canonical, named(columns, canonical));
    let pairs: Vec<_> = canonical_columns(source.target).iter().map(of).collect();
    let needed = [("user", "columns.user"), ("course", "columns.course"), ("cohort", "columns.cohort")];
    for (column, key) in needed {
        if pairs.contains(&(column, "")) {
            return Err(key);
        }
    }
    Ok(pairs.into_iter().filter(|(_, remote)| !remote.is_empty()).unzip())
}

fn named<'a>(columns: &'a SetColumns, canonical: &str) -> &'a str {
    let name = match canonical {
        "user" => &columns.user,
        "course" => &columns.course,
        "role" => &columns.role,
        "group" => &columns.group,
        "other" => &columns.other,
        "timestart" => &columns.timestart,
        "timeend" => &columns.timeend,
        "status" => &columns.status,
        "cohort" => &columns.cohort,
        _ => &columns.name,
    };
    name.trim()
}
