//! The real daemon as a child process: started, given files, observed, stopped or killed.
//! It must not know what a file asks for.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::program::Program;

/// How long a test waits before it fails and shows the log.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the last log lines of an ended daemon are waited for.
const LAST_LINES: Duration = Duration::from_secs(5);

/// A daemon under test, killed when the value is dropped.
pub struct Running {
    child: Child,
    /// The drop directory.
    pub inbox: PathBuf,
    log: Arc<Mutex<String>>,
    /// Closed after the last line of the log is read.
    heard: Mutex<Receiver<()>>,
}

impl Program {
    /// The drop directory of the daemon: `sync` in the program's directory, created if missing.
    pub fn inbox(&self) -> PathBuf {
        let inbox = self.dir.join("sync");
        std::fs::create_dir_all(&inbox).unwrap();
        inbox
    }

    /// Drops a file like a careful feeder: complete, by a rename.
    pub fn drop_file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let hidden = self.inbox().join(format!(".{name}.sending"));
        std::fs::write(&hidden, bytes).unwrap();
        let path = self.inbox().join(name);
        std::fs::rename(hidden, &path).unwrap();
        path
    }

    /// Starts `enrold run`.
    pub fn start(&self) -> Running {
        self.start_with(&["run"])
    }

    /// Starts a command that runs until it is stopped.
    pub fn start_with(&self, words: &[&str]) -> Running {
        let inbox = format!("inbox.path={}", self.inbox().display());
        self.spawn(&[&["--set", &inbox], words].concat(), Stdio::null())
    }

    /// Starts a command without setting the drop directory; its standard output goes to `out`.
    pub fn spawn(&self, words: &[&str], out: Stdio) -> Running {
        let inbox = self.inbox();
        let mut command: Command = self.command(words);
        command.stdout(out);
        Running::answering(command, inbox)
    }
}

impl Running {
    /// Starts a command whose drop directory is at `inbox` for the test.
    pub fn of(mut command: Command, inbox: PathBuf) -> Running {
        command.stdout(Stdio::null());
        Self::answering(command, inbox)
    }

    /// The same, with the command's own standard output.
    fn answering(mut command: Command, inbox: PathBuf) -> Running {
        command.stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        let (hearing, heard) = channel::<()>();
        std::thread::spawn(move || {
            let _hearing = hearing;
            for line in lines.lines().map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Running { child, inbox, log, heard: Mutex::new(heard) }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a condition; fails with the log on a timeout, or if the daemon ends before.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(is_so(), "the daemon ended ({status}) before {what}; its log:\n{}", self.log());
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} did not come; the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a condition or the end of the daemon; returns its exit status if the end comes first.
    #[track_caller]
    pub fn ends_before(&mut self, what: &str, mut is_so: impl FnMut() -> bool) -> Option<ExitStatus> {
        let begun = Instant::now();
        while !is_so() {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            assert!(begun.elapsed() < PATIENCE, "{what} did not come; the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Waits until a file exists in the drop directory.
    #[track_caller]
    pub fn until_there(&mut self, name: &str) -> PathBuf {
        let path = self.inbox.join(name);
        self.until(name, || path.exists());
        path
    }

    /// Waits until the log contains a text.
    #[track_caller]
    pub fn until_logged(&mut self, text: &str) {
        self.until_logged_often(1, text);
    }

    /// Waits until the log contains a text this many times.
    #[track_caller]
    pub fn until_logged_often(&mut self, times: usize, text: &str) {
        let log = Arc::clone(&self.log);
        self.until(&format!("{text:?} in the log"), move || log.lock().unwrap().matches(text).count() >= times);
    }

    /// The same for a daemon that may be killed before.
    #[track_caller]
    pub fn until_logged_or_ended(&mut self, text: &str) {
        let log = Arc::clone(&self.log);
        self.ends_before(&format!("{text:?} in the log"), move || log.lock().unwrap().contains(text));
    }

    /// Sends a signal by its name: TERM, HUP, KILL, STOP, CONT.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "kill -s {name}");
    }

    /// Waits until the daemon ends.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // Its last lines may still be in the pipe; another process may hold the pipe open.
                let _ = self.heard.lock().unwrap().recv_timeout(LAST_LINES);
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the daemon does not end; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops it by SIGTERM; it must exit with code 0.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "the log:\n{}", self.log());
        self.log()
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
