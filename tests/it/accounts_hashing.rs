//! Passwords of a users file are hashed while no transaction is open.
//! It must not test what else becomes of a password.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use enrold::config::{FileKind, Operation, PasswordFrom, Profile, Update};
use enrold::outcome::{Moment, Observer, State};
use enrold::run::Engine;

use crate::meanwhile::When;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    moodle_writes_while_passwords_are_hashed,
    many_passwords_are_generated_once,
    a_simulation_compares_while_nothing_is_locked,
);

/// More than a run hashes while rows are locked.
const MANY: usize = 70;

fn profile() -> Profile {
    Profile {
        operation: Operation::AddUpdate,
        update: Update::File,
        password_update: true,
        ..Profile::of(FileKind::Users)
    }
}

/// Rows that give each account this password.
fn rows(password: &str) -> String {
    (0..MANY).map(|n| format!("h{n},A,B,h{n}@example.org,{password}\n")).collect()
}

const HEAD: &str = "username,firstname,lastname,email,password\n";

/// An observer that counts how often passwords are hashed outside.
fn counter() -> (Observer, Arc<AtomicU32>) {
    let times = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&times);
    let observer = Observer::new(move |moment| {
        seen.fetch_add(u32::from(moment == Moment::Hashing), Ordering::Relaxed);
        std::future::ready(())
    });
    (observer, times)
}

async fn moodle_writes_while_passwords_are_hashed(mut site: Site) {
    site.campus().await;
    site.reset_sequences().await;
    // One account of the file appears meanwhile.
    let deeds = ["UPDATE {user} SET username = 'h0', email = 'h0@example.org' WHERE username = 'u1'"];
    let (observer, outcome) = site.writer(When::Hashing, &deeds);
    let text = format!("{HEAD}{}{}", rows("First-2026"), rows("Second-2026"));
    let file = site.users_file(&profile(), &text);
    let report = Engine { observer, ..site.engine() }.import(&file, false).await.unwrap();
    outcome.written();
    assert_eq!((report.state, report.notes.len()), (State::Done, 0), "{:?}", report.notes);
    assert_eq!((report.counts["user.add"], report.lines.records), (MANY as i64 - 1, 2 * MANY as u64));
    assert_eq!(
        site.accepts(&[("h0", "Second-2026"), ("h1", "Second-2026"), ("h69", "First-2026")]).await,
        [true, true, false]
    );
    // Every account has another password now, and the row about it that comes later gives one, too.
    let deeds = ["UPDATE {user} SET city = 'Caen' WHERE username = 'h1'"];
    let (observer, outcome) = site.writer(When::Hashing, &deeds);
    let text = format!("{HEAD}{}{}", rows("Third-2026"), rows("Fourth-2026"));
    let file = site.users_file(&profile(), &text);
    let report = Engine { observer, ..site.engine() }.import(&file, false).await.unwrap();
    outcome.written();
    assert_eq!(report.state, State::Done);
    assert_eq!(site.accepts(&[("h0", "Fourth-2026"), ("h69", "Fourth-2026")]).await, [true, true]);
    let cities = "SELECT COUNT(*) FROM {user} u WHERE u.username = 'h1' AND u.city = 'Caen'";
    assert_eq!(site.conn.number(cities, &enrold::db::Params::new()).await.unwrap(), 1);
    let before = site.dump().await;
    let file = site.users_file(&profile(), &format!("{HEAD}{}", rows("Fourth-2026")));
    let report = site.engine().import(&file, false).await.unwrap();
    assert!(report.counts.is_empty(), "{:?}", report.counts);
    site.nothing_changed(&before, "the passwords that the accounts have").await;
}

async fn many_passwords_are_generated_once(mut site: Site) {
    site.set("accounts.password_mail", "none");
    let profile = Profile { password: PasswordFrom::Create, ..profile() };
    let (observer, times) = counter();
    let file = site.users_file(&profile, &format!("{HEAD}{}", rows("")));
    let report = Engine { observer, ..site.engine() }.import(&file, false).await.unwrap();
    assert_eq!((report.counts["user.add"], times.load(Ordering::Relaxed)), (MANY as i64, 1));
    let hashes = site.lines("SELECT DISTINCT u.password FROM {user} u WHERE u.password LIKE '$6$%'", |row| row.text(0));
    assert_eq!(hashes.await.len(), MANY);
}

async fn a_simulation_compares_while_nothing_is_locked(mut site: Site) {
    let few: String = rows("First-2026").lines().take(9).map(|row| format!("{row}\n")).collect();
    for (text, outside) in [(rows("First-2026"), 1), (few.replace("First", "Second"), 0)] {
        let file = site.users_file(&profile(), &format!("{HEAD}{text}"));
        let (observer, times) = counter();
        let report = Engine { observer, ..site.engine() }.import(&file, false).await.unwrap();
        assert_eq!((report.state, times.load(Ordering::Relaxed)), (State::Done, outside));
    }
    let before = site.dump().await;
    let (observer, times) = counter();
    let file = site.users_file(&profile(), &format!("{HEAD}{}", rows("First-2026")));
    let rehearsal = Engine { observer, ..site.engine() }.import(&file, true).await.unwrap();
    assert_eq!((rehearsal.counts["user.update"], times.load(Ordering::Relaxed)), (9, 1));
    site.nothing_changed(&before, "a simulation").await;
}
