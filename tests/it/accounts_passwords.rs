//! The passwords of accounts that a users file makes or changes: who generates, stores and mails them, and which
//! accounts get none.
//! It must not test how a mail is sent.

use enrold::accounts::password::Hasher;
use enrold::config::{FileKind, ForceChange, Operation, PasswordFrom, Profile, Update};
use enrold::db::{Params, Row};
use enrold::moodle::site::Site as Settings;
use enrold::outcome::State;

use crate::campus::{set, user};
use crate::mails_queue::with_mails;
use crate::mails_send::round;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, send_through};

on_each_database!(
    enrold_generates_and_mails_what_the_file_does_not_give,
    nobody_is_told_a_password_that_is_not_mailed,
    moodle_generates_and_mails_by_default,
    only_applied_files_mail_passwords,
    a_password_of_a_later_row_is_not_overwritten_by_a_mail,
    no_hash_stands_in_the_journal,
    accounts_of_directories_get_no_password,
    what_a_directory_locks_stays,
    accounts_that_the_configuration_protects_are_left_alone,
);

const TWO: &str = "username,firstname,lastname,email,auth,password\nn1,Ève,Un,n1@example.org,,\n\
                   n2,Bo,Deux,n2@example.org,manual,\nn3,Al,Trois,n3@example.org,ldap,\n\
                   n4,Cy,Quatre,n4@example.org,,Given-2026\n";

fn profile() -> Profile {
    Profile {
        operation: Operation::AddUpdate,
        update: Update::File,
        password: PasswordFrom::Create,
        ..Profile::of(FileKind::Users)
    }
}

impl Site {
    async fn enable_auths(&mut self) {
        self.insert("config", &[("name", "auth".into()), ("value", "email,ldap".into())]).await;
    }

    /// The new accounts, with their preferences: user name, auth, password, preferences.
    async fn with_preferences(&mut self) -> Vec<[String; 4]> {
        let sql = "SELECT u.username, u.auth, u.password, p.name, p.value
             FROM {user} u LEFT JOIN {user_preferences} p ON p.userid = u.id
              AND p.name IN ('create_password', 'auth_forcepasswordchange')
            WHERE u.email LIKE '%@example.org' ORDER BY u.username, p.name";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let preference =
            |row: &Row| if row.text(3).is_empty() { String::new() } else { format!("{}={}", row.text(3), row.text(4)) };
        rows.iter().map(|row| [row.text(0), row.text(1), row.text(2), preference(row)]).collect()
    }

    /// Whether each password is that of the account's hash.
    pub async fn accepts(&mut self, pairs: &[(&str, &str)]) -> Vec<bool> {
        let settings = Settings::read(&mut self.conn).await.unwrap();
        let mut all = Vec::new();
        for (username, password) in pairs {
            let sql = format!("SELECT u.password FROM {{user}} u WHERE u.username = '{username}'");
            let hash = self.conn.rows(&sql, &Params::new()).await.unwrap()[0].text(0);
            all.push(((*password).into(), hash));
        }
        Hasher::of(&settings, Vec::new()).fit(all).await
    }

    async fn mails_of_passwords(&mut self) -> i64 {
        self.conn.number("SELECT COUNT(*) FROM {enrold_outbox} WHERE kind = 'password'", &Params::new()).await.unwrap()
    }
}

async fn enrold_generates_and_mails_what_the_file_does_not_give(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    with_mails(&mut site).await;
    send_through(&mut site, &server);
    site.enable_auths().await;
    site.set("accounts.password_mail", "enrold");
    let report = site.users(&profile(), TWO).await;
    assert_eq!((report.state, report.counts["user.add"], report.counts["preference.add"]), (State::Done, 4, 2));
    assert_eq!(site.mails_of_passwords().await, 2);
    let accounts = site.with_preferences().await;
    let told: Vec<[&str; 3]> = accounts.iter().map(|[name, auth, _, preference]| [&**name, auth, preference]).collect();
    let forced = "auth_forcepasswordchange=1";
    assert_eq!(told, [["n1", "manual", forced], ["n2", "manual", forced], ["n3", "ldap", ""], ["n4", "manual", ""]]);
    assert_eq!(accounts[2][2], "not cached");
    assert_eq!(round(&mut site, NOW).await.unwrap().sent, 2);
    let mut letters: Vec<String> = server.taken().iter().map(|mail| mail.body()).collect();
    letters.sort_by_key(|letter| letter.contains("User name: n2"));
    let password = |letter: &str| {
        let (_, rest) = letter.split_once("Password: ").unwrap_or_else(|| panic!("{letter}"));
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let (one, two) = (password(&letters[0]), password(&letters[1]));
    let fit = site.accepts(&[("n1", &one), ("n2", &two), ("n1", &two), ("n4", "Given-2026")]).await;
    assert_eq!(fit, [true, true, false, true]);
}

async fn nobody_is_told_a_password_that_is_not_mailed(mut site: Site) {
    with_mails(&mut site).await;
    site.set("accounts.password_mail", "none");
    site.users(&profile(), TWO).await;
    let accounts = site.with_preferences().await;
    assert!(accounts[0][2].starts_with("$6$") && accounts[1][2].starts_with("$6$"), "{accounts:?}");
    assert_ne!(accounts[0][2], accounts[1][2]);
    assert_eq!([&accounts[0][3], &accounts[1][3]], ["auth_forcepasswordchange=1"; 2]);
    assert_eq!(site.mails_of_passwords().await, 0);
}

async fn moodle_generates_and_mails_by_default(mut site: Site) {
    with_mails(&mut site).await;
    site.users(&profile(), TWO).await;
    let accounts = site.with_preferences().await;
    assert_eq!(accounts[0][2..], ["to be generated", "create_password=1"]);
    // While enrold sends no mails, Moodle mails the passwords.
    site.set("smtp.enabled", "false");
    site.set("accounts.password_mail", "enrold");
    site.users(&profile(), "username,firstname,lastname,email\no1,A,B,o1@example.org\n").await;
    assert_eq!(site.with_preferences().await.last().unwrap()[2..], ["to be generated", "create_password=1"]);
    assert_eq!(site.mails_of_passwords().await, 0);
}

async fn only_applied_files_mail_passwords(mut site: Site) {
    with_mails(&mut site).await;
    for (key, value) in
        [("accounts.password_mail", "enrold"), ("guard.mode", "hold"), ("guard.accounts.creations_max", "1")]
    {
        site.set(key, value);
    }
    site.reset_sequences().await;
    let file = site.users_file(&profile(), TWO);
    let rehearsal = site.engine().import(&file, true).await.unwrap();
    let held = site.engine().import(&file, false).await.unwrap();
    assert_eq!((held.state, &held.counts), (State::Held, &rehearsal.counts));
    assert_eq!(site.mails_of_passwords().await, 0);
    site.engine().approve(held.run).await.unwrap();
    assert_eq!(site.mails_of_passwords().await, 2);
}

async fn a_password_of_a_later_row_is_not_overwritten_by_a_mail(mut site: Site) {
    with_mails(&mut site).await;
    site.set("accounts.password_mail", "enrold");
    let profile = Profile { password_update: true, delete: Some(true), ..profile() };
    let text = "username,firstname,lastname,email,password,deleted\nn1,A,B,n1@example.org,,\nn1,,,,Given-2026,\n\
                n2,A,B,n2@example.org,,\nn2,,,,,1\n";
    let report = site.users_once(&profile, text).await;
    assert_eq!(report.errors, 0);
    assert_eq!(site.accepts(&[("n1", "Given-2026")]).await, [true]);
    assert_eq!(site.mails_of_passwords().await, 0, "neither has the generated password");
}

async fn no_hash_stands_in_the_journal(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET password = '$6$rounds=5000$old', timemodified = 5 WHERE username = 'u1'").await;
    let profile = Profile { password_update: true, force_change: ForceChange::All, ..profile() };
    let text = "username,password,city\nu1,Other-2026,\nu2,Other-2026,Caen\n";
    let report = site.users_once(&profile, text).await;
    assert_eq!((report.counts["user.update"], report.counts["preference.add"]), (2, 2));
    let sql = "SELECT c.oldrow, c.newrow FROM {enrold_change} c WHERE c.kind = 'user.update' ORDER BY c.seq";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    let journal: Vec<String> = rows.iter().map(|row| format!("{} {}", row.text(0), row.text(1))).collect();
    assert!(journal.iter().all(|row| !row.contains("$6$") && !row.contains("password")), "{journal:?}");
    assert_eq!(site.accepts(&[("u1", "Other-2026"), ("u2", "Other-2026")]).await, [true, true]);
    let changed = "SELECT COUNT(*) FROM {user} u WHERE u.username IN ('u1', 'u2') AND u.timemodified = :now";
    assert_eq!(site.conn.number(changed, &Params::new().with("now", NOW)).await.unwrap(), 2);
    let again = site.users_once(&profile, text).await;
    assert!(again.counts.is_empty(), "{:?}", again.counts);
    // Without the option the password stays, and need not be changed.
    let kept = Profile { password_update: false, ..profile };
    site.sql("DELETE FROM {user_preferences}").await;
    let report = site.users_once(&kept, "username,password,city\nu1,Third-2026,Rouen\n").await;
    assert_eq!((report.counts.len(), report.counts["user.update"]), (1, 1), "{:?}", report.counts);
    assert_eq!(site.accepts(&[("u1", "Other-2026")]).await, [true]);
}

impl Site {
    async fn text(&mut self, columns: &str, username: &str) -> String {
        let sql = format!("SELECT {columns} FROM {{user}} u WHERE u.username = '{username}'");
        let row = &self.conn.rows(&sql, &Params::new()).await.unwrap()[0];
        (0..row.0.len()).map(|at| row.text(at)).collect::<Vec<_>>().join("|")
    }
}

async fn accounts_of_directories_get_no_password(mut site: Site) {
    site.campus().await;
    site.enable_auths().await;
    site.sql("UPDATE {user} SET auth = 'email', password = 'old' WHERE username IN ('u1', 'u2')").await;
    site.set("accounts.foreign_auth", "email");
    let profile =
        Profile { password_update: true, force_change: ForceChange::All, change_auth: Some(true), ..profile() };
    let text = "username,firstname,lastname,email,auth,password\nn1,A,B,n1@example.org,email,Given-2026\n\
                n2,A,B,n2@example.org,email,\nu1,,,,,Given-2026\nu2,,,,manual,Given-2026\nu3,,,,email,Given-2026\n";
    let report = site.users_once(&profile, text).await;
    assert_eq!(report.errors, 0);
    for (name, stored) in [("n1", "not cached"), ("n2", "not cached"), ("u1", "old"), ("u3", "not cached")] {
        assert_eq!(site.text("u.password", name).await, stored, "{name}");
    }
    assert_eq!(site.accepts(&[("u2", "Given-2026")]).await, [true], "it is no account of the directory any more");
    let forced = "SELECT COUNT(*) FROM {user_preferences} p JOIN {user} u ON u.id = p.userid WHERE u.username <> 'u2'";
    assert_eq!(site.conn.number(forced, &Params::new()).await.unwrap(), 0);
}

async fn what_a_directory_locks_stays(mut site: Site) {
    site.campus().await;
    for (field, lock) in [
        ("field_lock_lastname", "locked"),
        ("field_lock_institution", "locked"),
        ("field_lock_city", "unlockedifempty"),
        ("field_lock_firstname", "unlocked"),
        ("field_lock_profile_field_faculty", "locked"),
    ] {
        site.insert("config_plugins", &set("auth_ldap", field, lock)).await;
    }
    for (id, name) in [(1, "faculty"), (2, "open")] {
        let field = [("id", id.into()), ("shortname", name.into()), ("datatype", "text".into())];
        site.insert("user_info_field", &field).await;
    }
    site.enable_auths().await;
    site.sql("UPDATE {user} SET auth = 'ldap', lastname = 'Old' WHERE username = 'u1'").await;
    site.sql("UPDATE {user} SET auth = 'manual', lastname = 'Old' WHERE username IN ('u2', 'u3')").await;
    let profile = Profile { change_auth: Some(true), ..profile() };
    let head = "username,firstname,lastname,institution,city,auth,email,profile_field_faculty,profile_field_open\n";
    let rows = "u1,New,New,New,Caen,,,x,y\nu2,New,New,New,Caen,,,x,y\nu3,New,New,New,Caen,ldap,,x,y\n\
                n1,New,New,New,Caen,ldap,n1@example.org,x,y\n";
    let report = site.users(&profile, &format!("{head}{rows}")).await;
    assert_eq!(report.errors, 0);
    let columns = "u.firstname, u.lastname, u.institution, u.city";
    for (name, expected) in [
        ("u1", "New|Old||Caen"),
        ("u2", "New|New|New|Caen"),
        ("u3", "New|Old||Caen"),
        // An account cannot do without a name.
        ("n1", "New|New||Caen"),
    ] {
        assert_eq!(site.text(columns, name).await, expected, "{name}");
    }
    let fields = site
        .lines(
            "SELECT u.username, f.shortname, d.data FROM {user_info_data} d JOIN {user} u ON u.id = d.userid
               JOIN {user_info_field} f ON f.id = d.fieldid WHERE d.data <> ''",
            |row| [0, 1, 2].map(|at| row.text(at)).join(" "),
        )
        .await;
    assert_eq!(fields, ["n1 open y", "u1 open y", "u2 faculty x", "u2 open y", "u3 open y"]);
    // What is filled is locked now; another method may change all.
    site.users(&profile, &format!("{head}u1,,,,Rouen,,,,\n")).await;
    assert_eq!(site.text("u.city", "u1").await, "Caen");
    site.set("accounts.foreign_auth", "cas");
    site.users(&profile, &format!("{head}u1,,New,,Rouen,,,,\n")).await;
    assert_eq!(site.text(columns, "u1").await, "New|New||Rouen");
}

async fn accounts_that_the_configuration_protects_are_left_alone(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET username = 'U2' WHERE username = 'u2'").await;
    site.set("accounts.protected", "U1, u2,nobody");
    let profile = Profile { rename: Some(true), delete: Some(true), ..profile() };
    let before = site.dump().await;
    let text = "username,oldusername,deleted,city,cohort1,course1\nu1,,,Caen,k,c1\nu2,,,Caen,,\nx,u1,,,,\nu1,,1,,,\n";
    let report = site.users(&profile, text).await;
    let codes = ["2", "3", "4", "5"].map(|line| format!("{line} account-protected"));
    assert_eq!(site.errors(&report).await, codes);
    assert!(report.problems[0].hint == "accounts.protected", "{:?}", report.problems);
    site.nothing_changed(&before, "protected accounts").await;
    site.users(&profile, "username,city\nu3,Caen\n").await;
    assert_eq!(site.text("u.city", "u3").await, "Caen");
    assert_eq!(site.text("u.id", "u3").await, user(3).to_string());
}
