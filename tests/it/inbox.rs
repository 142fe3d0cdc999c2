//! Shared helpers for tests of the drop directory: files to drop, their runs, a daemon in its own namespaces.
//! It must not know what a single test expects.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use enrold::db::Params;
use serde_json::Value as Json;

use crate::program::Program;
use crate::running::Running;
use crate::site::Site;

/// The header of the files.
pub const HEADER: &str = "operation,username,course,role\n";

/// A file that is applied without an error.
pub fn good(user: &str) -> String {
    format!("{HEADER}add,{user},L1-MATH-101,student\n")
}

/// A file of one good line and two that fail.
pub fn half_good() -> String {
    format!(
        "{HEADER}add,nobody1,L1-MATH-101,student\nadd,moreaul26,L1-MATH-101,student\nadd,moreaul26,NO-COURSE,student\n"
    )
}

/// The report beside a file.
pub fn report(dir: &Path, name: &str) -> Json {
    let path = dir.join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

impl Site {
    /// All runs of files in order, as `FILE STATE`.
    pub async fn told_runs(&mut self) -> Vec<String> {
        let sql = "SELECT source, state FROM {enrold_run} WHERE kind <> 'sync flatfile' ORDER BY id";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let name = |source: String| source.rsplit('/').next().unwrap_or_default().to_owned();
        rows.iter().map(|row| format!("{} {}", name(row.text(0)), row.text(1))).collect()
    }
}

impl Program {
    /// Starts the daemon and waits until it leads and watches the directory.
    #[track_caller]
    pub fn lead(&self) -> Running {
        let mut daemon = self.start();
        daemon.until_logged("is watched");
        daemon
    }

    /// Starts the daemon through other programs that change its environment; its own command is appended to `words`.
    pub fn start_within(&self, words: &[&str]) -> Running {
        let inbox = self.inbox();
        let whole = self.command(&["--set", &format!("inbox.path={}", inbox.display()), "run"]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(whole.get_program()).args(whole.get_args());
        command.current_dir(&self.dir).stdin(Stdio::null()).env_clear();
        command.envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Running::of(command, inbox)
    }

    /// Starts the daemon with its own file systems, mounted by a script whose first argument is a directory; the test
    /// accesses the drop directory through `/proc` of the process.
    #[track_caller]
    pub fn start_mounted(&self, script: &str, dir: &Path) -> Running {
        let whole = format!("set -e; {script}; shift; exec \"$@\"");
        let dir = dir.display().to_string();
        let words = [&unshare("--mount")[..], &["sh", "-c", &whole, "sh", &dir]].concat();
        let mut daemon = self.start_within(&words);
        daemon.until_logged("is watched");
        daemon.inbox = inside(&daemon, &self.inbox());
        daemon
    }
}

impl Running {
    /// Drops a file by a rename and waits until it is applied, to show that the daemon works.
    #[track_caller]
    pub fn is_well(&mut self, name: &str) {
        let hidden = self.inbox.join(format!(".{name}.sending"));
        std::fs::write(&hidden, good("simona26")).unwrap();
        std::fs::rename(&hidden, self.inbox.join(name)).unwrap();
        self.until_there(&format!("{name}.done"));
    }

    /// Stops the process and waits until all its threads are stopped.
    #[track_caller]
    pub fn stand_still(&mut self) {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.pid());
        let stands = |task: std::fs::DirEntry| {
            // The state follows the name, which ends with a parenthesis.
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        };
        self.until("it stands still", || std::fs::read_dir(&tasks).unwrap().all(|task| stands(task.unwrap())));
    }

    /// Runs a program in the namespaces of the daemon.
    #[track_caller]
    pub fn within(&self, words: &[&str]) {
        let pid = self.pid().to_string();
        let user: &[&str] = if is_root() { &[] } else { &["--user", "--preserve-credentials"] };
        let done = Command::new("nsenter").args(["--target", &pid, "--mount"]).args(user).args(words).status().unwrap();
        assert!(done.success(), "{words:?}: {done}");
    }
}

/// A path in the file system of the daemon.
pub fn inside(daemon: &Running, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", daemon.pid(), path.display()))
}

/// A command prefix for a new namespace of this kind; if the tests do not run as root, also for a user namespace.
pub fn unshare(namespace: &'static str) -> Vec<&'static str> {
    let mut words = vec!["unshare", namespace];
    if !is_root() && namespace != "--user" {
        words.push("--user");
    }
    if words.contains(&"--user") {
        words.push("--map-root-user");
    }
    words
}

/// A command prefix that removes root's capabilities; other accounts have none.
pub fn powerless() -> &'static [&'static str] {
    if is_root() { &["setpriv", "--bounding-set=-all", "--inh-caps=-all"] } else { &["env"] }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
