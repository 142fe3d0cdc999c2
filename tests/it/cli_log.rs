//! The log in its forms, as the real program writes it: text, JSON lines, the journal's own protocol.
//! It must not test what is logged: the tests of each module do.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::program::Program;

/// With `-vv` a task logs its statements.
const WORDS: [&str; 3] = ["-vv", "sync", "flatfile"];

/// The program with the sample site in its working directory.
fn sampled() -> (TempDir, Program) {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path()).set("database.url=sqlite:site.sqlite").set("state.path=state");
    program.run(&["db", "init", "--sample"]).ends(0);
    (dir, program)
}

/// The log of the task in a form, where standard error is not the stream named by `JOURNAL_STREAM`.
fn log(format: &str) -> String {
    let (_dir, program) = sampled();
    let log = program.set(&format!("log.format={format}")).env("JOURNAL_STREAM", "1:1").run(&WORDS).ends(0).log;
    assert!(log.lines().count() > 10, "{log}");
    log
}

#[test]
fn text_lines_have_neither_time_nor_colours_where_nobody_looks() {
    for format in ["text", "auto"] {
        let log = log(format);
        let (asked, statements) = log.split_once('\n').unwrap();
        assert!(asked.starts_with("DEBUG "), "who asks: {log}");
        assert!(statements.lines().all(|line| line.starts_with("TRACE ")), "{log}");
        assert!(!log.contains('\u{1b}'), "{log}");
    }
}

#[test]
fn each_json_line_is_an_object_of_its_own() {
    for line in log("json").lines() {
        let object: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(object["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert!(object["target"].as_str().is_some_and(|target| target.starts_with("enrold::")), "{line}");
        assert!(object["level"].is_string() && object["message"].is_string(), "{line}");
        assert!(object.get("fields").is_none(), "{line}");
    }
}

#[test]
fn a_level_on_the_command_line_is_above_the_configuration() {
    let (_dir, program) = sampled();
    let program = program.set("log.level=trace");
    assert_eq!(program.run(&["-q", "sync", "flatfile"]).ends(0).log, "");
    assert_ne!(program.run(&["sync", "flatfile"]).ends(0).log, "");
}

/// Runs the program in a file system where `/run/systemd/journal` is `journal`, with standard error in a file, and
/// returns the content of that file. `None` if this machine has no user namespaces (some containers).
fn run_beside(journal: &Path, dir: &Path, format: &str) -> Option<String> {
    let view = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-ec", script, "sh"]).current_dir(dir).env_clear();
        command
    };
    if !view("mount -t tmpfs none /run").status().expect("unshare, of util-linux").success() {
        eprintln!("not tested: this machine allows no mount namespace");
        return None;
    }
    let errors = dir.join("stderr");
    let file = File::create(&errors).unwrap();
    let metadata = file.metadata().unwrap();
    let status =
        view("mount -t tmpfs none /run; mkdir /run/systemd; ln -s \"$1\" /run/systemd/journal; shift; exec \"$@\"")
            .arg(journal)
            .arg(env!("CARGO_BIN_EXE_enrold"))
            .args([
                "--set",
                "database.url=sqlite:site.sqlite",
                "--set",
                "state.path=state",
                "--set",
                &format!("log.format={format}"),
            ])
            .args(WORDS)
            .env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()))
            .stderr(file)
            .status()
            .unwrap();
    assert!(status.success());
    Some(std::fs::read_to_string(errors).unwrap())
}

/// The fields of a message of the journal's own protocol: `NAME=value` and a line end, or the name, a line end, the
/// length of the value in 8 bytes, the value, a line end.
fn fields(mut message: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut fields = Vec::new();
    while let Some(end) = message.iter().position(|&byte| byte == b'\n') {
        let (line, rest) = (text(&message[..end]), &message[end + 1..]);
        if let Some((name, value)) = line.split_once('=') {
            fields.push((name.to_owned(), value.to_owned()));
            message = rest;
            continue;
        }
        let (length, rest) = rest.split_at(8);
        let (value, rest) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        fields.push((line, text(value)));
        message = &rest[1..];
    }
    fields
}

#[test]
fn the_journal_gets_fields_and_standard_error_nothing() {
    for format in ["journal", "auto"] {
        let (dir, _program) = sampled();
        let journal = dir.path().join("journal");
        std::fs::create_dir(&journal).unwrap();
        let socket = UnixDatagram::bind(journal.join("socket")).unwrap();
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            std::iter::repeat_with(|| socket.recv(&mut buffer).map(|length| fields(&buffer[..length])).unwrap())
                .take_while(|fields| fields != &[("END".to_owned(), String::new())])
                .collect::<Vec<_>>()
        });
        let log = run_beside(&journal, dir.path(), format);
        let end = UnixDatagram::unbound().unwrap();
        end.send_to(b"END=\n", journal.join("socket")).unwrap();
        let messages = reader.join().unwrap();
        let Some(log) = log else { return };
        assert_eq!(log, "", "{format}");
        assert_eq!(messages[0], [], "the layer asks first whether somebody listens");
        assert!(messages.len() > 10, "{messages:?}");
        for message in &messages[1..] {
            let field = |name: &str| message.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
            assert_eq!(field("SYSLOG_IDENTIFIER"), Some("enrold"));
            assert_eq!(field("PRIORITY"), Some("7"));
            assert!(field("MESSAGE").is_some_and(|text| !text.is_empty()), "{message:?}");
            assert!(field("TARGET").is_some_and(|target| target.starts_with("enrold::")), "{message:?}");
        }
        let timed = |message: &Vec<(String, String)>| message.iter().any(|(name, _)| name == "ENROLD_DURATION_MS");
        assert!(messages.iter().any(timed), "{messages:?}");
    }
}

#[test]
fn without_a_journal_the_log_is_text_and_says_so_once() {
    let (dir, _program) = sampled();
    let Some(log) = run_beside(&dir.path().join("nowhere"), dir.path(), "journal") else { return };
    assert!(log.starts_with(" WARN the journal cannot be reached ("), "{log}");
    assert_eq!(log.matches("the journal cannot be reached").count(), 1);
    assert!(log.lines().count() > 10, "{log}");
}

/// What the program writes on a standard error that is the journal's.
fn in_the_journal(program: &Program, words: &[&str]) -> String {
    let path = program.dir.join("stderr");
    let file = File::create(&path).unwrap();
    let found = file.metadata().unwrap();
    let program = program.clone().env("JOURNAL_STREAM", &format!("{}:{}", found.dev(), found.ino()));
    let status = program.command(words).stderr(file).status().unwrap();
    assert!(!status.success());
    std::fs::read_to_string(path).unwrap()
}

/// So `journalctl -p warning` shows why a service does not start, whether there was a log already or not.
#[test]
fn a_failed_start_is_an_error_in_the_journal() {
    let (_dir, program) = sampled();
    program.write("wrong.toml", "guard.mode = 'perhaps'\nno.such = 1\n");
    let text = in_the_journal(&program, &["--config", "wrong.toml", "run"]);
    assert!(text.lines().count() > 2 && text.lines().all(|line| line.starts_with("<3>")), "{text}");
    assert!(text.starts_with("<3>enrold: the configuration has 2 problems:\n<3>  "), "{text}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let text = in_the_journal(&program.clone().set(&format!("http.listen={port}")).set("inbox.path=."), &["run"]);
    let reason = format!("<3>enrold: http.listen: another program has {port} already");
    assert!(text.lines().any(|line| line.starts_with(&reason)), "{text}");
    let elsewhere = program.clone().set(&format!("http.listen={port}")).set("inbox.path=.").run(&["run"]);
    assert!(
        elsewhere.log.lines().any(|line| line.starts_with("enrold: http.listen")) && !elsewhere.log.contains("<3>"),
        "{}",
        elsewhere.log
    );
}
