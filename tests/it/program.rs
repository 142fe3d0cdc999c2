//! The real program as a child process: its arguments, exit code, answer and log.
//! It must not know what a command does.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use enrold::db::Dialect;
use enrold::moodle::install::load_sample;
use serde_json::Value as Json;

use crate::doctor_rights::url;
use crate::servers::run_on;
use crate::site::{NOW, Site};

/// The program with a working directory and the arguments before every command.
#[derive(Clone)]
pub struct Program {
    /// The working directory.
    pub dir: PathBuf,
    now: Option<i64>,
    words: Vec<String>,
    env: Vec<(String, String)>,
}

/// The result of a command.
pub struct Answer {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub log: String,
}

impl Program {
    /// The program in a directory, at the clock of the tests, without any setting of the test.
    pub fn bare(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), now: Some(NOW), words: Vec::new(), env: Vec::new() }
    }

    /// The program on a site, with the default guard. The tasks of rules, expirations and lines that wait are off, so that
    /// a daemon runs only the dropped files; a test of tasks enables what it needs ([`Program::minding`]). No line waits.
    pub fn on(site: &Site) -> Self {
        let engine = site.engine();
        let state = &engine.settings.state.path;
        let dir = state.parent().unwrap_or(state);
        let program = Self::bare(dir)
            .with("--set", &format!("database.url={}", url(&engine)))
            .with("--set", &format!("state.path={}", state.display()))
            .set("waiting.days=0");
        let tasks = ["waiting", "cohort", "category", "coursecompleted", "autoenrol", "meta", "expirations"];
        tasks.into_iter().fold(program, |program, task| program.set(&format!("tasks.{task}.enabled=false")))
    }

    /// Switches on the tasks of these names.
    pub fn minding(self, tasks: &[&str]) -> Self {
        tasks.iter().fold(self, |program, task| program.set(&format!("tasks.{task}.enabled=true")))
    }

    /// The same program at another time.
    pub fn at(&self, now: i64) -> Self {
        Self { now: Some(now), ..self.clone() }
    }

    /// The same program with the real clock.
    pub fn by_the_real_clock(&self) -> Self {
        Self { now: None, ..self.clone() }
    }

    /// Puts an option before every command.
    pub fn with(mut self, option: &str, value: &str) -> Self {
        self.words.extend([option.to_owned(), value.to_owned()]);
        self
    }

    /// Sets a key of the configuration.
    pub fn set(self, assignment: &str) -> Self {
        self.with("--set", assignment)
    }

    /// Sets an environment variable; the environment is empty otherwise.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file into the working directory.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs a command without a terminal.
    pub fn run(&self, words: &[&str]) -> Answer {
        let output = self.command(words).output().unwrap();
        Answer {
            code: output.status.code().expect("the program ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            log: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A command, not yet started.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
        command.args(self.now()).args(&self.words).args(words);
        command.current_dir(&self.dir).stdin(Stdio::null());
        command.env_clear().envs(self.env.iter().cloned());
        command
    }

    fn now(&self) -> Option<String> {
        self.now.map(|now| format!("--now={now}"))
    }

    /// Runs a command with `--json`: standard output is exactly one document.
    pub fn json(&self, words: &[&str]) -> (i32, Json) {
        let answer = self.run(&[&["--json"], words].concat());
        let document = serde_json::from_str(&answer.out)
            .unwrap_or_else(|error| panic!("{words:?}: {error} in {:?}; log: {}", answer.out, answer.log));
        (answer.code, document)
    }

    /// Runs a command on its own terminal, provided by `script` of util-linux, and types an answer.
    pub fn typed(&self, words: &[&str], answer: &str) -> Answer {
        let now = self.now();
        let program = [env!("CARGO_BIN_EXE_enrold")].into_iter().chain(now.iter().map(String::as_str));
        let all = program.chain(self.words.iter().map(String::as_str)).chain(words.iter().copied());
        let line: Vec<String> = all.map(|word| format!("'{word}'")).collect();
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]).current_dir(&self.dir);
        for language in ["LC_ALL", "LC_MESSAGES", "LANG"] {
            command.env_remove(language);
        }
        command
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .envs(self.env.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("script, of util-linux (Debian: bsdutils)");
        // The terminal buffers what is typed; its input stays open until the program has ended.
        let mut keyboard = child.stdin.take().unwrap();
        writeln!(keyboard, "{answer}").unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = child.wait().unwrap().code().expect("the program ends by itself");
        Answer { code, out, log: String::new() }
    }
}

impl Answer {
    /// Fails with the whole output unless the exit code is this one; returns the answer.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; stdout:\n{}\nstderr:\n{}", self.out, self.log);
        self
    }

    /// Fails unless standard output contains all of these texts.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text), "{text:?} is not in:\n{}", self.out);
        }
        self
    }

    /// Fails unless standard error contains all of these texts.
    #[track_caller]
    pub fn logs(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.log.contains(text), "{text:?} is not in the log:\n{}", self.log);
        }
        self
    }
}

/// A file of the sample directory.
pub fn sample(name: &str) -> String {
    format!("{}/sample-sync-dir/{name}", env!("CARGO_MANIFEST_DIR"))
}

impl Site {
    /// Loads the sample site into the empty tables, and returns the program on it.
    pub async fn sampled(&mut self) -> Program {
        load_sample(&mut self.conn).await.unwrap();
        Program::on(self)
    }
}

/// Runs a body on the sample site in SQLite.
pub fn on_the_sample<F, T>(body: F)
where
    F: FnOnce(Site, Program) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    run_on(Dialect::Lite, async move |mut site: Site| {
        let program = site.sampled().await;
        body(site, program).await;
    });
}
