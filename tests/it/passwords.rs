//! Passwords stand nowhere in clear: dropped files, lists, held copies, mails, the state directory, core dumps.
//! It must not test what a users file does to accounts.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use enrold::config::{FileKind, Profile};
use enrold::db::Params;
use enrold::disk::Dir;
use enrold::fault::OF_A_MASKED_FILE;
use enrold::mail::{self, Generated, store};
use enrold::moodle::site::Site as Settings;
use enrold::outcome::Claim;
use enrold::run::history;
use enrold::run::hold::{Held, HeldStore};
use serde_json::json;

use crate::campus::user;
use crate::mails_queue::{at_work, with_mails};
use crate::mails_send::{round, states};
use crate::program::on_the_sample;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, Trouble, send_through};

on_each_database!(
    a_held_copy_is_sealed_until_it_is_decided,
    a_password_is_mailed_once_and_erased,
    a_mail_that_waits_for_a_person_keeps_its_password_sealed,
);

const FILE: &str = "username;lastname;firstname;email;Password\r\np1;Test;Un;p1@example.org;Secret-2026\r\n";
const MASKED: &str = "username;lastname;firstname;email;Password\np1;Test;Un;p1@example.org;***\n";

/// The files below a directory that hold this text.
pub fn holding(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// The names of a dropped file that ended.
fn last_names(inbox: &Path, dropped: &str) -> Vec<String> {
    let others = [".work", ".report.json", ".errors.csv", ".retry.csv"];
    let is_last = |name: &String| {
        name.strip_prefix(dropped)
            .is_some_and(|rest| rest.starts_with('.') && !others.iter().any(|end| rest.ends_with(end)))
    };
    names(inbox).into_iter().filter(is_last).collect()
}

/// Every file that a header shows to hold passwords gets its last name as a copy without them, whatever becomes of it.
#[test]
fn a_dropped_file_gets_its_last_name_without_passwords() {
    on_the_sample(async |_, program| {
        let path = program.inbox().join(".users.csv");
        fs::write(&path, FILE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let changed = UNIX_EPOCH + Duration::new(NOW as u64 - 4_000, 123_000_000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
        fs::rename(&path, program.inbox().join("users.csv")).unwrap();
        // Its lines are those of a flat file, of which one is understood: so its lists quote them.
        program.drop_file("flat.csv", "password;role;user;course\nadd;student;nobody;c1\nSecret-2026;student;x;y\n");
        let mut daemon = program.lead();
        let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        let inbox = daemon.inbox.clone();
        for name in ["users.csv", "flat.csv"] {
            daemon.until("the last name", || last_names(&inbox, name).len() == 1);
        }
        daemon.until_there("flat.csv.report.json");
        for list in names(&inbox).into_iter().filter(|name| name.starts_with("flat.csv.") && name.ends_with("s.csv")) {
            assert!(fs::read_to_string(inbox.join(list)).unwrap().contains("***;student;x;y"));
        }
        let log = daemon.stop();
        let name = last_names(&inbox, "users.csv").remove(0);
        let status = fs::metadata(inbox.join(&name)).unwrap();
        assert_eq!(fs::read_to_string(inbox.join(&name)).unwrap(), MASKED);
        assert_eq!((status.mode() & 0o777, status.modified().unwrap()), (0o640, changed));
        assert_eq!(holding(&program.dir, "Secret-2026"), [""; 0]);
        assert!(!log.contains("Secret-2026"), "{log}");
        assert!(names(&program.dir.join("state/masked")).is_empty());
    });
}

/// A kill between the steps leaves neither two files nor a password.
#[test]
fn a_kill_while_passwords_are_masked() {
    on_the_sample(async |_, program| {
        for (number, step) in OF_A_MASKED_FILE.iter().enumerate() {
            let name = format!("users-{number}.csv");
            program.drop_file(&name, FILE.replace("p1", &format!("p{number}")));
            let mut killed = program.clone().env("ENROLD_KILL_AT", step).start();
            assert_eq!(killed.ended().signal(), Some(9), "{step}: {}", killed.log());
            let mut daemon = program.lead();
            let inbox = daemon.inbox.clone();
            let is_working = |name: &String| name.ends_with(".work");
            daemon.until("the last name", || {
                last_names(&inbox, &name).len() == 1 && !names(&inbox).iter().any(is_working)
            });
            daemon.stop();
            let masked = MASKED.replace("p1", &format!("p{number}"));
            let last = last_names(&inbox, &name).remove(0);
            assert_eq!(fs::read_to_string(inbox.join(last)).unwrap(), masked, "{step}");
            let left: Vec<String> = names(&inbox).into_iter().filter(|name| name.starts_with('.')).collect();
            assert_eq!(left, [""; 0], "{step}");
            assert_eq!(names(&program.dir.join("state/masked")), [""; 0], "{step}");
        }
        assert_eq!(holding(&program.dir, "Secret-2026"), [""; 0]);
    });
}

/// A held users file, as a run leaves it.
async fn held(site: &mut Site) -> (i64, HeldStore) {
    site.reset_sequences().await;
    let state = site.engine().settings.state.path.clone();
    let path = site.dir.join("users.csv");
    fs::write(&path, FILE).unwrap();
    let file = Dir::open_named(&path).unwrap();
    let (sha256, _) = file.digest().unwrap();
    let claim = Claim { sha256: sha256.clone(), ..Claim::of(file.opened()) };
    let run = history::open(&mut site.conn, "import", "users.csv", NOW, None, Some(&claim)).await.unwrap();
    let order = json!({ "kind": "import", "source": "users.csv", "sha256": sha256 });
    let mut held: Held = serde_json::from_value(order).unwrap();
    held.profile = Some(Profile::of(FileKind::Users));
    let store = HeldStore::of(&state, run);
    store.keep(&mut held, Some(&file), None, &mut site.conn, run, false).await.unwrap();
    site.sql(&format!("UPDATE {{enrold_run}} SET state = 'held', counts = '{{}}' WHERE id = {run}")).await;
    fs::remove_file(path).unwrap();
    (run, store)
}

async fn a_held_copy_is_sealed_until_it_is_decided(mut site: Site) {
    site.campus().await;
    let state = site.engine().settings.state.path.clone();
    let (run, store) = held(&mut site).await;
    assert_eq!(holding(&site.dir, "Secret-2026"), [""; 0]);
    assert!(store.order().unwrap().profile.is_some());
    let mut content = String::new();
    store.open_bytes(1 << 20).unwrap().cursor().read_to_string(&mut content).unwrap();
    assert_eq!(content, FILE);
    // Neither a copy of another run, nor one without its key, is applied.
    let sealed = |run: i64| state.join(format!("held/{run}/bytes.sealed"));
    let (other, _) = held(&mut site).await;
    let own = fs::read(sealed(run)).unwrap();
    fs::copy(sealed(other), sealed(run)).unwrap();
    store.order().unwrap_err();
    fs::write(sealed(run), own).unwrap();
    fs::rename(state.join("key"), state.join("away")).unwrap();
    store.order().unwrap_err();
    fs::rename(state.join("away"), state.join("key")).unwrap();
    store.order().unwrap();

    site.engine().approve(run).await.unwrap();
    site.engine().reject(other).await.unwrap();
    assert!(!sealed(run).exists() && !sealed(other).exists());
    assert_eq!(holding(&site.dir, "Secret-2026"), [""; 0]);
}

/// Queues the mails of two generated passwords.
async fn queued(site: &mut Site, whom: &[i64]) -> i64 {
    let engine = site.engine();
    let settings = Settings::read(&mut site.conn).await.unwrap();
    let mut ctx = at_work(&mut site.conn, &settings, engine.settings.guard.clone()).await;
    let generated = |number: &i64| Generated { userid: user(*number), password: format!("Secret-{number}<&").into() };
    let queued = mail::passwords(&mut ctx, &engine.settings, whom.iter().map(generated).collect()).await.unwrap();
    site.conn.commit().await.unwrap();
    queued
}

async fn letters(site: &mut Site) -> Vec<String> {
    let rows = site.conn.rows("SELECT data FROM {enrold_letter} ORDER BY enrolid", &Params::new()).await.unwrap();
    rows.iter().map(|row| row.text(0)).collect()
}

async fn a_password_is_mailed_once_and_erased(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    with_mails(&mut site).await;
    assert_eq!(queued(&mut site, &[]).await, 0);
    send_through(&mut site, &server);
    site.sql(&format!("UPDATE {{user}} SET emailstop = 1 WHERE id = {}", user(3))).await;
    site.sql(&format!("UPDATE {{user}} SET lang = 'fr' WHERE id = {}", user(2))).await;
    assert_eq!(queued(&mut site, &[1, 2, 3]).await, 3);
    let sealed = letters(&mut site).await;
    assert!(sealed.len() == 3 && sealed.iter().all(|data| !data.contains("Secret")), "{sealed:?}");
    assert_eq!(holding(&site.dir, "Secret-1"), [""; 0]);
    let sent = round(&mut site, NOW).await.unwrap();
    assert_eq!((sent.sent, sent.skipped, sent.waiting), (2, 1, 0));
    let [english, french] = [0, 1].map(|at| server.taken()[at].body());
    assert!(english.contains("User name: u1") && english.contains("Password: Secret-1<&"), "{english}");
    assert!(english.contains("https://moodle.example.com/login/index.php"), "{english}");
    assert!(french.contains("Mot de passe : Secret-2<&"), "{french}");
    assert_eq!(letters(&mut site).await, [""; 0]);
    assert_eq!(states(&mut site).await, ["sent", "sent", "skipped emailstop"]);
    assert_eq!(round(&mut site, NOW + 60).await, None);
}

async fn a_mail_that_waits_for_a_person_keeps_its_password_sealed(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    with_mails(&mut site).await;
    send_through(&mut site, &server);
    server.trouble("u1@example.com", &[Trouble::Recipient("550 5.1.1 nobody of that name")]);
    assert_eq!(queued(&mut site, &[1, 2]).await, 2);
    let state = site.engine().settings.state.path.clone();
    assert_eq!(round(&mut site, NOW).await.unwrap().failed, 1);
    assert_eq!(letters(&mut site).await.len(), 1);
    store::retry(&mut site.conn, &[], NOW + 60, NOW + 9_000).await.unwrap();
    // Without the key nothing is sent that tells no password.
    fs::rename(state.join("key"), state.join("away")).unwrap();
    assert_eq!(round(&mut site, NOW + 60).await.unwrap().failed, 1);
    let told = states(&mut site).await;
    assert!(told[0].contains("its password cannot be opened") && server.taken().len() == 1, "{told:?}");
    fs::rename(state.join("away"), state.join("key")).unwrap();
    store::retry(&mut site.conn, &[], NOW + 120, NOW + 9_000).await.unwrap();
    assert_eq!(round(&mut site, NOW + 120).await.unwrap().sent, 1);
    assert!(server.taken()[1].body().contains("Password: Secret-1<&"));
    assert_eq!(letters(&mut site).await, [""; 0]);
}
