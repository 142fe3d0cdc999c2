//! The held store: the plan and a copy of the bytes of a held run in the state directory, verified when it is approved.
//! It must not know the guard's limits or interpret the journal: a plan is lines of JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Profile;
use crate::db::{Conn, Params, statement};
use crate::disk::{Dir, RegularFile, Sealer, StateKey, blocking, digest_of, is_changed, own};
use crate::files::names::PASSWORD;
use crate::files::{Fallback, FileProblem, Masking};
use crate::outcome::{AffectedUser, OneRosterBase, People, RunError, RunResult};
use crate::problem::{self, Problem};
use crate::run::{SyncOrder, people};
use crate::sets::SetOrder;
use crate::source::SetProblem;
use crate::verbs::VerbOrder;

const PLAN: &str = statement(include_str!("hold.sql"), "plan");

/// The order of a held run, which is repeated when the run is approved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Held {
    /// `import`, `sync flatfile`, `sync cohort`, …
    pub kind: String,
    /// The jobs of a run without a file.
    #[serde(default)]
    pub jobs: Vec<String>,
    /// The only course of such a run.
    #[serde(default)]
    pub course: Option<String>,
    /// Whether completions from before their instance count in it.
    #[serde(default)]
    pub backfill: bool,
    /// The file's path when it was read.
    pub source: String,
    /// The digest of the bytes, for a file.
    pub sha256: Option<String>,
    /// The form in which the flat file was read.
    pub form: Option<String>,
    /// The user key with which it was read.
    pub user_key: Option<String>,
    /// The course key with which it was read.
    pub course_key: Option<String>,
    /// The options of the users file or cohort file.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// The source of a full set.
    #[serde(default)]
    pub set: Option<String>,
    /// The digest of the table of courses that came with the set, if one did.
    #[serde(default)]
    pub courses: Option<String>,
    /// The files of the set, if it came from files; the list of origins refers to them by index from 0.
    #[serde(default)]
    pub files: Option<Vec<String>>,
    /// Rows of a full set that could not be read, with their problems.
    #[serde(default)]
    pub unread: Vec<SetProblem>,
    /// The base for the next delta, if the set is a OneRoster archive.
    #[serde(default, rename = "roster")]
    pub oneroster_base: Option<OneRosterBase>,
    /// The order of a verb.
    #[serde(default)]
    pub verb: Option<VerbOrder>,
}

impl Held {
    /// The order of a run without a file.
    pub fn sync_order(&self) -> SyncOrder {
        let Self { jobs, course, backfill, .. } = self.clone();
        SyncOrder { jobs, course, backfill, defers: false }
    }
}

/// The directory of one held run.
#[derive(Clone, Debug)]
pub struct HeldStore {
    path: PathBuf,
    state: PathBuf,
    run: i64,
}

impl HeldStore {
    /// The directory of a run below the state directory; it is not created yet.
    pub fn of(state: &Path, run: i64) -> Self {
        Self { path: state.join("held").join(run.to_string()), state: state.to_owned(), run }
    }

    /// The numbers of the runs in the held store.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn kept(state: &Path) -> std::io::Result<Vec<i64>> {
        Ok(own::names(&state.join("held"))?.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
    }

    /// Removes the directory of the run.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn remove(&self) -> std::io::Result<()> {
        own::remove_directory(&self.path)
    }

    /// The copy of the bytes, if it is not sealed.
    pub fn bytes(&self) -> PathBuf {
        self.path.join("bytes")
    }

    /// The sealed copy of the bytes of a file that may hold passwords.
    fn sealed(&self) -> PathBuf {
        self.path.join("bytes.sealed")
    }

    /// What the sealed copy is sealed for.
    fn context(&self) -> String {
        format!("held {}", self.run)
    }

    /// The copy of the bytes, opened if it is sealed, with at most `limit` of them.
    ///
    /// # Errors
    /// The state directory's error; the sealed copy cannot be opened with its key.
    pub fn open_bytes(&self, limit: u64) -> std::io::Result<RegularFile> {
        if own::is_there(&self.sealed()) {
            return Dir::open_sealed(&self.sealed(), limit, &StateKey::open(&self.state)?, &self.context());
        }
        Dir::open_within(&self.bytes(), limit)
    }

    /// Removes the sealed copy, because the run is decided.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn forget_sealed(&self) -> std::io::Result<()> {
        own::remove(&self.sealed())
    }

    /// The copy of the table of courses.
    pub fn courses(&self) -> PathBuf {
        self.path.join("courses.csv")
    }

    /// The copy of the list of origins: the file and line of each row of a set.
    pub fn origins(&self) -> PathBuf {
        self.path.join("origins.csv")
    }

    /// Removes the table of courses, because its courses are not created any more.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn forget_courses(&self) -> std::io::Result<()> {
        own::remove(&self.courses())
    }

    /// The plan, one JSON object per change.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.jsonl")
    }

    /// The users whom the run concerns, one JSON object each.
    pub fn people(&self) -> PathBuf {
        self.path.join("people.jsonl")
    }

    /// The failed lines, one JSON object each.
    pub fn errors(&self) -> PathBuf {
        self.path.join("errors.jsonl")
    }

    /// Stores the order, the bytes and the plan of a run before its rollback, the users whom it concerns, and the files
    /// that came with a set. `foreseen`: nothing was planned, the users come from a comparison. Returns the users.
    ///
    /// # Errors
    /// The state directory's error, or the database's.
    pub async fn keep(
        &self,
        held: &mut Held,
        file: Option<&RegularFile>,
        set: Option<&SetOrder>,
        conn: &mut Conn,
        run: i64,
        foreseen: bool,
    ) -> RunResult<People> {
        // Copies hold personal data: no other account may read them.
        self.io(own::make_directories(&self.path))?;
        if let Some(courses) = set.and_then(|set| set.courses.as_ref()) {
            self.copy(courses, &self.courses())?;
            held.courses = Some(self.digest_of(&self.courses())?);
        }
        if let Some(origins) = set.and_then(|set| set.origins.as_ref()) {
            self.copy(&origins.list, &self.origins())?;
            held.files = Some(origins.files.clone());
        }
        let order = serde_json::to_vec_pretty(&*held).map_err(|error| self.failure(error.into()))?;
        self.io(write_synced(&self.path.join("order.json"), |out| out.write_all(&order)))?;
        if let (Some(file), Some(sha256)) = (file, &held.sha256) {
            // At its end the pass verifies that these are the bytes from which the run planned.
            let mut pass = file.pass(sha256);
            let copied = blocking(|| match held.profile.is_some() || (set.is_none() && has_passwords(file)?) {
                true => self.seal(&mut pass),
                false => write_synced(&self.bytes(), |out| std::io::copy(&mut pass, out).map(|_| ())),
            });
            copied.map_err(|error| match error {
                error if is_changed(&error) => RunError::Changed(held.source.clone()),
                error => self.failure(error),
            })?;
        }
        let params = Params::new().with("run", run);
        self.spool(
            conn,
            PLAN,
            &params,
            &self.plan(),
            &["seq", "kind", "line", "userid", "courseid", "enrolid", "roleid", "username", "course", "role"],
        )
        .await?;
        let mut lines = Lines::begin(self, &self.errors())?;
        problem::each(conn, run, |problem| {
            lines.add(&serde_json::to_value(problem).unwrap_or_default());
            Ok(())
        })
        .await?;
        lines.end()?;
        let (mut people, mut lines) = (People::default(), Lines::begin(self, &self.people())?);
        people::each(conn, run, foreseen, |user| {
            lines.add(&serde_json::to_value(&user).unwrap_or_default());
            people.add(user);
        })
        .await?;
        lines.end()?;
        Ok(people)
    }

    async fn spool(&self, conn: &mut Conn, sql: &str, params: &Params, path: &Path, names: &[&str]) -> RunResult<()> {
        let mut lines = Lines::begin(self, path)?;
        conn.each(sql, params, |row| {
            let cell = |(at, name): (usize, &&str)| {
                let value = match &row.0[at] {
                    crate::db::Cell::Int(number) => (*number).into(),
                    _ => row.text(at).into(),
                };
                ((*name).to_owned(), value)
            };
            lines.add(&serde_json::Value::Object(names.iter().enumerate().map(cell).collect()));
            Ok(())
        })
        .await?;
        lines.end()
    }

    /// Reads the order of the run and verifies the digests of the copies.
    ///
    /// # Errors
    /// The state directory's error; a copy with another digest is refused.
    pub fn order(&self) -> RunResult<Held> {
        let text = self.io(read_text(&self.path.join("order.json")))?;
        let held: Held = serde_json::from_str(&text).map_err(|error| self.failure(error.into()))?;
        let bytes = || self.io(self.open_bytes(u64::MAX).and_then(|file| file.digest())).map(|(digest, _)| digest);
        let courses = || self.digest_of(&self.courses());
        let copies: [(PathBuf, &dyn Fn() -> RunResult<String>, _); 2] =
            [(self.bytes(), &bytes, &held.sha256), (self.courses(), &courses, &held.courses)];
        for (path, digest, wanted) in copies.iter().filter_map(|(path, digest, it)| Some((path, digest, it.as_ref()?)))
        {
            let found = digest()?;
            if found != *wanted {
                return Err(RunError::Undecidable(format!(
                    "the kept copy {} has changed (sha256 {found} instead of {wanted}): it is not applied; drop the \
                     file again",
                    path.display()
                )));
            }
        }
        Ok(held)
    }

    /// The number of changes in the stored plan, by kind.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn planned(&self) -> RunResult<BTreeMap<String, i64>> {
        let mut counts = BTreeMap::new();
        for change in self.lines(&self.plan())? {
            let kind = change["kind"].as_str().unwrap_or_default().to_owned();
            *counts.entry(kind).or_default() += 1;
        }
        Ok(counts)
    }

    /// The failed lines of the held run, by line.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn problems(&self) -> RunResult<Vec<Problem>> {
        let kept = self.lines(&self.errors())?.into_iter();
        kept.map(|line| serde_json::from_value(line).map_err(|error| self.failure(error.into()))).collect()
    }

    /// Passes the users whom the held run concerns to `tell`. A run that an earlier version held has none.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn each_user(&self, mut tell: impl FnMut(AffectedUser)) -> RunResult<()> {
        let file = match own::open(&self.people()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            opened => self.io(opened)?,
        };
        for line in BufReader::new(file).lines() {
            tell(serde_json::from_str(&self.io(line)?).map_err(|error| self.failure(error.into()))?);
        }
        Ok(())
    }

    /// The JSON objects of a file of the held store.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn lines(&self, path: &Path) -> RunResult<Vec<serde_json::Value>> {
        let file = self.io(own::open(path))?;
        BufReader::new(file)
            .lines()
            .map(|line| {
                let line = self.io(line)?;
                serde_json::from_str(&line).map_err(|error| self.failure(error.into()))
            })
            .collect()
    }

    fn digest_of(&self, path: &Path) -> RunResult<String> {
        self.io(own::open(path).and_then(|mut file| digest_of(&mut file))).map(|(digest, _)| digest)
    }

    fn seal(&self, from: &mut impl Read) -> std::io::Result<()> {
        let key = StateKey::made(&self.state)?;
        write_synced(&self.sealed(), |out| {
            let mut sealer = Sealer::begin(out, &key, &self.context())?;
            std::io::copy(from, &mut sealer)?;
            sealer.finish().map(|_| ())
        })
    }

    fn copy(&self, from: &Path, to: &Path) -> RunResult<()> {
        self.io(own::open(from).and_then(|mut file| write_synced(to, |out| std::io::copy(&mut file, out).map(|_| ()))))
    }

    fn io<T>(&self, result: std::io::Result<T>) -> RunResult<T> {
        result.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: std::io::Error) -> RunError {
        RunError::State { path: self.path.display().to_string(), error }
    }
}

/// A file of the held store that is written line by line, each a JSON value.
struct Lines<'a> {
    store: &'a HeldStore,
    out: BufWriter<File>,
    failed: Option<std::io::Error>,
}

impl<'a> Lines<'a> {
    fn begin(store: &'a HeldStore, path: &Path) -> RunResult<Self> {
        Ok(Self { store, out: BufWriter::new(store.io(own::create(path))?), failed: None })
    }

    /// Keeps the first failure, which `end` returns.
    fn add(&mut self, value: &serde_json::Value) {
        if let Err(error) = writeln!(self.out, "{value}") {
            self.failed.get_or_insert(error);
        }
    }

    fn end(mut self) -> RunResult<()> {
        if let Some(error) = self.failed {
            return Err(self.store.failure(error));
        }
        self.store.io(self.out.flush().and_then(|()| self.out.get_ref().sync_all()))
    }
}

/// Whether a file that is read as a flat file has a column with passwords all the same.
fn has_passwords(file: &RegularFile) -> std::io::Result<bool> {
    match Masking::find(&mut file.cursor(), PASSWORD, Fallback::Windows1252) {
        Ok(masking) => Ok(masking.is_some_and(|masking| masking.hides())),
        Err(FileProblem::Io(error)) => Err(error),
        Err(FileProblem::Rejected(_)) => Ok(false),
    }
}

fn write_synced(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut out = own::create(path)?;
    write(&mut out)?;
    out.sync_all()
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    own::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}
