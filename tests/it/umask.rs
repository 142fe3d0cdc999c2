//! The modes of all files that enrold creates, under any umask of the caller.
//! It must not test what feeders read: lists have modes of their own, tested with the drop directory.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::inbox::{HEADER, good};
use crate::program::{Answer, Program, sample};
use crate::running::Running;

/// Command lines start with these umasks; a service has 0027.
const UMASKS: [&str; 3] = ["000", "027", "077"];

/// A command with a umask.
fn under(umask: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).arg(command.get_program());
    shell.args(command.get_args()).current_dir(command.get_current_dir().unwrap()).env_clear().stdin(Stdio::null());
    shell
}

fn run(umask: &str, program: &Program, words: &[&str]) -> Answer {
    let output = under(umask, &program.command(words)).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code().unwrap(), out: text(output.stdout), log: text(output.stderr) }
}

/// Everything below a directory.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// Fails if other accounts have any access below a directory, or the group more than reading, except files meant for
/// it. Returns the names.
#[track_caller]
fn closed(umask: &str, dir: &Path, made_by_test: &[&Path]) -> Vec<String> {
    let mut names = Vec::new();
    for path in below(dir) {
        // A file that disappears meanwhile (a draft, a scratch file) is seen by another pass or exists only briefly.
        let Ok(found) = path.symlink_metadata() else { continue };
        if made_by_test.contains(&path.as_path()) {
            continue;
        }
        let mode = found.mode() & 0o7777;
        let name = path.display().to_string();
        let (is_spooled, is_socket) = (name.contains("/spool/"), found.file_type().is_socket());
        if is_spooled || is_socket {
            assert_eq!(mode, 0o660, "umask {umask}: {name}");
        } else {
            let allowed = if found.is_dir() { 0o750 } else { 0o640 };
            assert_eq!(mode & !allowed, 0, "umask {umask}: {name} has {mode:o}");
            let owner = if found.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode & owner, owner, "umask {umask}: {name} has {mode:o}");
        }
        names.push(name);
    }
    names
}

/// A site created by `db init`, a daemon on it, and all that writes files: a hook, a source, a held run.
#[test]
fn an_embedded_site_is_closed() {
    for umask in UMASKS {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let spool = dir.join("spool");
        fs::create_dir(&spool).unwrap();
        let set = |key: &str, path: &Path| format!("{key}={}", path.display());
        let program = Program::bare(dir)
            .set(&format!("database.url=sqlite:{}", dir.join("site.sqlite").display()))
            .set(&set("state.path", &dir.join("state")))
            .set(&set("hook.spool", &spool))
            .set(&format!("http.listen=unix:{}", dir.join("http.sock").display()))
            .set("sources.paper.files=set*.csv")
            .set("sources.paper.target=cohorts")
            .set("sources.paper.user_key=username")
            .set("sources.paper.create_cohorts=true")
            .set("guard.mode=hold");
        let inbox = program.inbox();
        run(umask, &program, &["db", "init", "--sample"]).ends(0);
        let mut before = vec![spool.clone(), inbox.clone()];
        let made = closed(umask, dir, &before.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        assert!(made.iter().any(|name| name.ends_with("/site.sqlite")), "{made:?}");

        let set_of_night = program.write("set.csv", "user,cohort\nmoreaul26,night\n");
        let leaving = program.write("empty.csv", "");
        let coming = program.write("coming.csv", good("moreaul26"));
        before.extend([set_of_night, leaving, coming]);
        let daemon = program.command(&["--set", &set("inbox.path", &inbox), "run"]);
        let mut daemon = Running::of(under(umask, &daemon), inbox.clone());
        daemon.until_logged("is watched");
        run(umask, &program, &["import", "coming.csv"]).ends(0);
        run(umask, &program, &["import", "empty.csv"]).ends(3);
        run(umask, &program, &["import", "--yes", "--source", "paper", "set.csv"]).ends(0);
        run(umask, &program, &["doctor"]);
        program.drop_file("dropped.csv", format!("{HEADER}del,moreaul26,L1-MATH-101,student\n"));
        daemon.until_there("dropped.csv.done");
        before.extend(below(&inbox));
        let made = closed(umask, dir, &before.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        for part in ["site.sqlite-wal", "site.sqlite-shm", "/state/held/", "/state/sets/", "/spool/", "http.sock"] {
            assert!(made.iter().any(|name| name.contains(part)), "umask {umask}: no {part} among {made:?}");
        }
        daemon.stop();
    }
}

#[test]
fn the_demonstration_is_closed() {
    for umask in UMASKS {
        let home = tempfile::tempdir().unwrap();
        let files = Path::new(&sample("")).display().to_string();
        let program = Program::bare(home.path());
        run(umask, &program, &["demo", "--once", "--files", &files]);
        let made = closed(umask, home.path(), &[]);
        for part in ["demo/enrold.sqlite", "demo/sync/", "demo/.enrold-demo"] {
            assert!(made.iter().any(|name| name.contains(part)), "umask {umask}: no {part} among {made:?}");
        }
    }
}

/// Stricter modes set by an administrator are kept, and an existing database is not changed.
#[test]
fn what_is_there_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("site.sqlite");
    for (before, after) in [(0o600, 0o600), (0o666, 0o640)] {
        drop(fs::remove_file(&file));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(before)).unwrap();
        let program = Program::bare(home.path()).set(&format!("database.url=sqlite:{}", file.display()));
        run("000", &program, &["db", "init"]).ends(0);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, after);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        run("000", &program, &["db", "init"]);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o644);
        run("000", &program, &["doctor"]).says(&["open-file", "chmod 0640"]);
    }
}
