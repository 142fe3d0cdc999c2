//! The hook: hands each file of the spool to the site's own command.
//! It must not read the configuration or the database, which hold what the web user may not read, and it logs no names.

#![allow(clippy::disallowed_methods, reason = "the spool of the hook, a directory of the operator")]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde::Deserialize;
use tokio::signal::unix::{self, SignalKind};

use crate::front::{Who, failed};
use crate::run::spool::{self, Spooled};

/// What to do with the files of the spool.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The spool.
    pub spool: PathBuf,
    /// How long the command may take for one file; then it is killed with all that it started.
    pub timeout: Duration,
    /// The command and its arguments: it gets the file on standard input, and ENROLD_RUN and ENROLD_SPOOL_FILE.
    pub command: Vec<OsString>,
}

/// The field that every version of the format has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The signals that stop the hook, received from the start on.
struct Stop {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The content of a file in the spool.
enum Found {
    /// What a run changed, and the file, rewound to its start.
    Whole(Spooled, File),
    /// A file of a version that this program does not know.
    Newer(u32),
    /// Not a file of enrold, and why.
    Bad(String),
    /// The file was removed meanwhile.
    Gone,
}

/// Hands over all files of the spool in order; false if some are not enrold's and were put aside. Does nothing while
/// another hook works in the same spool.
///
/// # Errors
/// The spool's error; the command's failure: its file and the later ones stay, so that the order is kept.
pub async fn hand_over_all(who: &Who, hook: &Hook) -> io::Result<bool> {
    let spool = &hook.spool;
    who.asks(format_args!("hand over {}", spool.display()));
    let cannot = format!("cannot use the spool {}", spool.display());
    let lock = File::open(spool).map_err(failed(&cannot))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            tracing::debug!("another hook works in {} already", spool.display());
            return Ok(true);
        }
        Err(TryLockError::Error(error)) => return Err(failed(cannot)(error)),
    }
    let mut stop = Stop::listen()?;
    let mut all_ours = true;
    // A run that commits while the command works on the file of an earlier one is found in the next round.
    loop {
        let waiting = waiting(spool).map_err(failed(&cannot))?;
        if waiting.is_empty() {
            return Ok(all_ours);
        }
        for run in waiting {
            all_ours &= hand_over(hook, run, &mut stop).await?;
        }
    }
}

/// The runs that have a file, in their order.
fn waiting(spool: &Path) -> io::Result<Vec<i64>> {
    let mut runs = Vec::new();
    for entry in fs::read_dir(spool)? {
        runs.extend(entry?.file_name().to_str().and_then(spool::run_of));
    }
    runs.sort_unstable();
    Ok(runs)
}

/// Gives one file to the command and removes it; false if it is not enrold's and was put aside.
///
/// # Errors
/// The command's failure: the file and the later ones stay, so that the order is kept.
async fn hand_over(hook: &Hook, run: i64, stop: &mut Stop) -> io::Result<bool> {
    let path = hook.spool.join(spool::file_name(run));
    let shown = path.display().to_string();
    match open(&path, run).map_err(failed(format_args!("cannot read {shown}")))? {
        Found::Gone => Ok(true),
        Found::Bad(why) => {
            let aside = put_aside(&path).map_err(failed(format_args!("cannot rename {shown}")))?;
            tracing::error!(run.id = run, "{shown} is no file of enrold ({why}): it is now {}", aside.display());
            Ok(false)
        }
        Found::Newer(version) => Err(io::Error::other(format!(
            "{shown} has version {version}, this program knows {}: install the enrold that wrote it; the file waits",
            spool::VERSION
        ))),
        Found::Whole(spooled, file) => {
            let command = start(hook, &path, run, file)?;
            let waits = format!("{shown} waits for the next try");
            let status = finished(command, hook.timeout, stop).await.map_err(failed(&waits))?;
            if !status.success() {
                return Err(io::Error::other(format!("{waits}: the command failed ({status})")));
            }
            fs::remove_file(&path).map_err(failed(format_args!("run {run} is done, but cannot remove {shown}")))?;
            tracing::info!(
                run.id = run,
                "run {run}: the command is done (courses: {}, users: {}, groups: {})",
                spooled.courses.len(),
                spooled.users.len(),
                spooled.groups.len()
            );
            Ok(true)
        }
    }
}

/// Reads and checks one file, without following a link or waiting for a pipe: the web user can write here, too.
fn open(path: &Path, run: i64) -> io::Result<Found> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Gone),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Ok(Found::Bad("a symbolic link".to_owned()));
        }
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Ok(Found::Bad("not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    file.rewind()?;
    if let Ok(Versioned { version }) = serde_json::from_slice(&bytes)
        && version != spool::VERSION
    {
        return Ok(Found::Newer(version));
    }
    Ok(match serde_json::from_slice::<Spooled>(&bytes) {
        Ok(spooled) if spooled.run != run => Found::Bad(format!("it is of run {}", spooled.run)),
        Ok(spooled) => Found::Whole(spooled, file),
        Err(error) => Found::Bad(error.to_string()),
    })
}

/// Renames a file so that it does not block the others; it never overwrites a file.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let mut aside = path.with_extension("json.bad");
    for again in 2.. {
        if fs::symlink_metadata(&aside).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            break;
        }
        aside = path.with_extension(format!("json.{again}.bad"));
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Starts the command as the leader of a process group of its own.
fn start(hook: &Hook, path: &Path, run: i64, file: File) -> io::Result<Child> {
    let (program, arguments) = hook.command.split_first().ok_or_else(|| io::Error::other("no COMMAND"))?;
    Command::new(program)
        .args(arguments)
        .env("ENROLD_RUN", run.to_string())
        .env("ENROLD_SPOOL_FILE", path)
        .stdin(file)
        .process_group(0)
        .spawn()
        .map_err(failed(format_args!("cannot start {}", Path::new(program).display())))
}

/// Waits for the command. After `time` or on a stop signal the command is killed with its process group.
async fn finished(mut command: Child, time: Duration, stop: &mut Stop) -> io::Result<ExitStatus> {
    let pid = Pid::from_child(&command);
    let ended = tokio::task::spawn_blocking(move || {
        // NOWAIT leaves the process in the process table, so that its number is not used again before the kill.
        let seen = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), seen) {}
    });
    let why = tokio::select! {
        _ = ended => return command.wait(),
        () = tokio::time::sleep(time) => format!("the command took more than {} s and was killed", time.as_secs()),
        () = stop.asked() => "the command was killed, because the hook was told to stop".to_owned(),
    };
    let killed = rustix::process::kill_process_group(pid, Signal::KILL);
    killed.map_err(|error| failed("cannot kill the command")(error.into()))?;
    command.wait()?;
    Err(io::Error::other(why))
}
