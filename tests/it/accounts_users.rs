//! Users files on the small campus: which account a row means, what it may change, and what is left alone.
//! It must not repeat the golden cases.

use std::sync::Arc;

use enrold::accounts::password::Hasher;
use enrold::change::inverse::take_back;
use enrold::config::{BlankCell, FileKind, MatchBy, Operation, Profile, Update};
use enrold::db::{Columns, Params};
use enrold::moodle::site::Site as Settings;
use enrold::outcome::{Note, Report, State};
use enrold::problem::Code;
use enrold::run::Import;

use crate::campus::user;
use crate::dump::{EFFECTS, assert_same, without, without_passwords};
use crate::rebuild::rebuild;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    rows_about_one_account_are_applied_in_their_order,
    what_a_later_row_replaces_is_not_written,
    what_is_refused_later_replaces_nothing,
    a_method_of_others_leaves_no_password,
    defaults_are_for_columns_that_the_file_does_not_have,
    sessions_end_with_a_suspension_and_a_deletion,
    only_the_changed_columns_are_set_back,
    user_names_with_capitals_are_found,
    protected_accounts_are_left_alone,
    blank_cells_keep_or_erase,
    new_names_and_old_ones_in_one_file,
    addresses_are_one_in_any_case,
    options_that_contradict_each_other_refuse_the_file,
    statements_do_not_grow_with_rows,
);

/// A profile that adds and updates accounts from the file.
fn profile() -> Profile {
    Profile { operation: Operation::AddUpdate, update: Update::File, ..Profile::of(FileKind::Users) }
}

impl Site {
    /// Imports a users file, simulated first; the journal leads back, and the same file again changes nothing.
    pub async fn users(&mut self, profile: &Profile, text: &str) -> Report {
        self.reset_sequences().await;
        let file = self.users_file(profile, text);
        let before = self.dump().await;
        let rehearsal = self.engine().import(&file, true).await.unwrap();
        self.nothing_changed(&before, "a simulated import").await;
        let since = self.last_run().await;
        let report = self.engine().import(&file, false).await.unwrap();
        assert_eq!(rehearsal.counts, report.counts, "the rehearsal announced what was done");
        let after = self.dump().await;
        let rebuilt = rebuild(&mut self.conn, since, &after).await;
        let spared = [EFFECTS[0], EFFECTS[1], "sessions"];
        let told = |dump| without_passwords(without(dump, &spared));
        assert_same(&told(before), &told(rebuilt), "rebuilt from the journal");
        self.engine().import(&file, false).await.unwrap();
        self.nothing_changed(&after, "the same file again").await;
        report
    }

    /// The same without proofs.
    pub async fn users_once(&mut self, profile: &Profile, text: &str) -> Report {
        self.reset_sequences().await;
        let file = self.users_file(profile, text);
        self.engine().import(&file, false).await.unwrap()
    }

    /// The order to import a text as a users file.
    pub fn users_file(&mut self, profile: &Profile, text: &str) -> Import {
        Import { profile: Some(Arc::new(profile.clone())), ..self.write(text) }
    }

    /// Values of the accounts under a condition, in the order of their ids.
    async fn accounts(&mut self, columns: &str, condition: &str) -> Vec<String> {
        let sql = format!("SELECT {columns} FROM {{user}} u WHERE {condition} ORDER BY u.id");
        let rows = self.conn.rows(&sql, &Params::new()).await.unwrap();
        rows.iter().map(|row| (0..row.0.len()).map(|at| row.text(at)).collect::<Vec<_>>().join(" ")).collect()
    }

    async fn session(&mut self, number: i64) {
        let sid = format!("sid{number}");
        self.insert("sessions", &[("sid", sid.into()), ("userid", user(number).into())]).await;
    }
}

async fn rows_about_one_account_are_applied_in_their_order(mut site: Site) {
    site.campus().await;
    let report = site
        .users(
            &profile(),
            "username,firstname,lastname,email,city\nnew,Nina,Un,new@example.org,Caen\nnew,Nina,Deux,,\n\
             new,,,,Rouen\nother,O,O,other@example.org,\n",
        )
        .await;
    assert_eq!(report.state, State::Done);
    assert_eq!(report.counts["user.add"], 2);
    assert_eq!(report.counts["user.update"], 2);
    let of = "username IN ('new', 'other')";
    assert_eq!(site.accounts("username, lastname, city", of).await, ["new Deux Rouen", "other O "]);
}

async fn what_a_later_row_replaces_is_not_written(mut site: Site) {
    site.campus().await;
    site.session(1).await;
    let profile = Profile { password_update: true, delete: Some(true), rename: Some(true), ..profile() };
    let text = "username,oldusername,city,suspended,password,deleted\nu1,,Caen,1,One-2026,\nu1,,Rouen,0,Two-2026,\n\
                u1,,,,,\nn2,u2,Caen,,,\nu3,,Caen,,,\nu3,,,,,1\n";
    let report = site.users_once(&profile, text).await;
    let count = |kind: &str| report.counts.get(kind).copied().unwrap_or(0);
    assert_eq!([count("user.update"), count("user.suspend"), count("user.remove")], [3, 0, 1]);
    assert_eq!(site.accounts("username, city, suspended", &format!("id = {}", user(1))).await, ["u1 Rouen 0"]);
    assert_eq!(site.count("sessions").await, 1);
    assert_eq!(site.accounts("city", "deleted = 1").await, ["Caen"], "a deletion replaces nothing");
    let pair = site.accounts("password", &format!("id = {}", user(1))).await.remove(0);
    let settings = Settings::read(&mut site.conn).await.unwrap();
    assert_eq!(Hasher::of(&settings, Vec::new()).fit(vec![("Two-2026".into(), pair)]).await, [true]);
    // A later row that is refused replaces nothing; one that is not is the last word.
    let text = "username,city,email\nu4,Caen,a4@example.org\nu4,Rouen,u5@example.com\nu6,Caen,a6@example.org\n\
                u6,Rouen,b6@example.org\n";
    let report = site.users(&profile, text).await;
    assert_eq!(site.errors(&report).await, ["3 email-taken"]);
    let both = site.accounts("city, email", &format!("id IN ({}, {})", user(4), user(6))).await;
    assert_eq!(both, ["Caen a4@example.org", "Rouen b6@example.org"]);
    let again =
        site.users_once(&profile, "username,city,suspended,password\nu1,Caen,1,One\nu1,Rouen,0,Two-2026\n").await;
    assert!(again.counts.is_empty(), "{:?}", again.counts);
    // The same with addresses that nobody else has, and with those that are not written.
    let text = "username,city,email\nu1,Caen,a1@example.org\nu1,Rouen,b1@example.org\nu1,,c1@example.org\n";
    for change_email in [true, false] {
        let profile = Profile { change_email: Some(change_email), ..profile.clone() };
        site.users(&profile, text).await;
        assert!(site.users_once(&profile, text).await.counts.is_empty(), "change_email = {change_email}");
    }
}

async fn what_is_refused_later_replaces_nothing(mut site: Site) {
    site.campus().await;
    let city = format!("id = {}", user(1));
    site.set("flatfile.max_steps", "2");
    let report = site.users(&profile(), "username,city,department\nu1,Caen,\nu1,,x\nu1,Rouen,\n").await;
    assert_eq!(site.errors(&report).await, ["4 too-many-steps"]);
    assert_eq!(site.accounts("city, department", &city).await, ["Caen x"]);
    let by_mail = Profile { match_by: MatchBy::Email, ..profile() };
    let text = "username,city,email\n,Bayeux,u1@example.com\nu2,Rouen,u1@example.com\n";
    let report = site.users(&by_mail, text).await;
    assert_eq!(site.errors(&report).await, ["3 username-taken"]);
    assert_eq!(site.accounts("city", &city).await, ["Bayeux"]);
    // A blank cell erases a city, but no language.
    let erases = Profile { blank: BlankCell::Erase, ..profile() };
    site.users(&erases, "username,city,lang\nu1,Caen,fr\nu1,,\n").await;
    assert_eq!(site.accounts("city, lang", &city).await, [" fr"]);
}

async fn a_method_of_others_leaves_no_password(mut site: Site) {
    site.campus().await;
    let created = |name: &'static str| [("userid", user(1).into()), ("name", name.into()), ("value", "1".into())];
    site.insert("user_preferences", &created("create_password")).await;
    site.insert("user_preferences", &created("auth_forcepasswordchange")).await;
    site.sql("UPDATE {user} SET password = 'x', auth = 'manual'").await;
    site.users_once(&profile(), "username,auth\nu1,ldap\nu2,\nu3,nologin\n").await;
    let now = site.accounts("username, auth, password", &format!("id BETWEEN {} AND {}", user(1), user(3))).await;
    assert_eq!(now, ["u1 ldap not cached", "u2 manual x", "u3 nologin x"]);
    assert_eq!(site.count("user_preferences").await, 0);
}

async fn defaults_are_for_columns_that_the_file_does_not_have(mut site: Site) {
    site.campus().await;
    let default = [("city", "Caen"), ("department", "%u"), ("username", "%-f.%-l")];
    let default = default.map(|(column, value)| (column.to_owned(), value.to_owned())).into();
    let profile = Profile { update: Update::FileAndDefaults, default, ..profile() };
    let text = "username,firstname,lastname,email,city\n,Ada,Un,n1@example.org,\nu1,,,,Rouen\n";
    site.users(&profile, text).await;
    let written = site.accounts("username, city, department", "department <> ''").await;
    assert_eq!(written, ["u1 Rouen u1", "ada.un  ada.un"]);
}

async fn sessions_end_with_a_suspension_and_a_deletion(mut site: Site) {
    site.campus().await;
    for number in 1..=4 {
        site.session(number).await;
    }
    let profile = Profile { delete: Some(true), ..profile() };
    let report = site
        .users_once(&profile, "username,suspended,deleted,auth\nu1,1,,\nu2,,yes,\nu3,,,nologin\nu4,no,0,manual\n")
        .await;
    assert_eq!(report.errors, 0);
    // Who gets the method `nologin` is suspended, too.
    let counts = ["user.suspend", "user.remove", "user.update"].map(|kind| report.counts.get(kind).copied());
    assert_eq!(counts, [Some(2), Some(1), None]);
    let left = site.conn.rows("SELECT userid FROM {sessions}", &Params::new()).await.unwrap();
    assert_eq!(left.iter().map(|row| row.int(0)).collect::<Vec<_>>(), [user(4)]);
    let gone = site.accounts("username, email, idnumber", "deleted = 1").await;
    assert_eq!(gone, [format!("u2@example.com.{NOW} 270c1b084f3f146eb5787075158d9c53 ")]);
}

async fn only_the_changed_columns_are_set_back(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET city = 'Caen', phone1 = '1'").await;
    let text = "username,city,phone1\nu1,Rouen,2\nu2,Rouen,2\nu3,Caen,2\n";
    let report = site.users_once(&profile(), text).await;
    assert_eq!(report.counts["user.update"], 3);
    // Somebody changes a column that the file did not change, and one that it did.
    site.sql(&format!("UPDATE {{user}} SET country = 'DE', timemodified = 5 WHERE id = {}", user(1))).await;
    site.sql(&format!("UPDATE {{user}} SET phone1 = '3' WHERE id = {}", user(2))).await;
    let columns = Columns::read(&mut site.conn).await.unwrap();
    let back = take_back(&mut site.conn, &columns, report.run).await.unwrap();
    assert_eq!(
        back.iter().map(|step| (step.kind.name, step.changes, step.rows)).collect::<Vec<_>>(),
        [("user.update", 3, 2)]
    );
    let now = site.accounts("username, city, phone1, country", "id < 14 AND id > 10").await;
    assert_eq!(now, ["u1 Caen 1 DE", "u2 Rouen 3 ", "u3 Caen 1 "]);
}

async fn user_names_with_capitals_are_found(mut site: Site) {
    site.campus().await;
    site.sql(&format!("UPDATE {{user}} SET username = 'U1' WHERE id = {}", user(1))).await;
    let report = site.users(&profile(), "username,firstname,lastname,email,city\nu1,A,B,u1@example.com,Caen\n").await;
    assert_eq!((report.errors, report.counts.len()), (0, 1));
    assert_eq!(site.accounts("username, city", "city <> ''").await, ["U1 Caen"]);
}

async fn protected_accounts_are_left_alone(mut site: Site) {
    site.campus().await;
    site.sql(&format!("UPDATE {{user}} SET mnethostid = 7 WHERE id = {}", user(1))).await;
    let profile = Profile { match_by: MatchBy::Email, delete: Some(true), ..profile() };
    let report = site
        .users(
            &profile,
            "email,username,city,deleted\nu1@example.com,,Caen,\nadmin@example.com,,Caen,\nadmin@example.com,,,1\n\
             x@example.com,guest,Caen,\n",
        )
        .await;
    let codes = ["2 account-foreign", "3 account-protected", "4 account-protected", "5 account-protected"];
    assert_eq!(site.errors(&report).await, codes);
    assert!(report.counts.is_empty());
}

async fn blank_cells_keep_or_erase(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET city = 'Caen', auth = 'manual'").await;
    let text = "username,city,auth,email\nu1,,,\n";
    let report = site.users(&profile(), text).await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
    let erasing = Profile { blank: BlankCell::Erase, ..profile() };
    site.users(&erasing, text).await;
    assert_eq!(site.accounts("username, city, auth, email", &format!("id = {}", user(1))).await, ["u1  manual "]);
}

async fn new_names_and_old_ones_in_one_file(mut site: Site) {
    site.campus().await;
    let profile = Profile { rename: Some(true), ..profile() };
    // The second row means the account by its new name; the third makes an account of the name that is free again.
    let text = "username,oldusername,firstname,lastname,email,city\nn1,u1,,,,\nn1,,,,,Caen\nu1,,A,B,free@example.org,\n\
                u2,u3,,,,\n";
    let report = site.users_once(&profile, text).await;
    assert_eq!(site.errors(&report).await, ["5 username-taken"]);
    assert_eq!(report.counts["user.rename"], 1);
    assert_eq!(site.accounts("username, city", &format!("id = {}", user(1))).await, ["n1 Caen"]);
    assert_eq!(site.accounts("username", "email = 'free@example.org'").await, ["u1"]);
}

async fn addresses_are_one_in_any_case(mut site: Site) {
    site.campus().await;
    let text = "username,firstname,lastname,email\na,A,A,É@example.org\nb,B,B,é@EXAMPLE.org\nc,C,C,U1@example.com\n\
                u1,A,A,U1@EXAMPLE.COM\nu2,A,A,u1@example.com\n";
    let report = site.users(&profile(), text).await;
    assert_eq!(site.errors(&report).await, ["3 email-taken", "4 email-taken", "6 email-taken"]);
    let kept = site.accounts("email", &format!("id = {}", user(1))).await;
    assert_eq!(kept, ["u1@example.com"], "another case is no change");
}

async fn options_that_contradict_each_other_refuse_the_file(mut site: Site) {
    site.campus().await;
    let before = site.dump().await;
    let profile = Profile { update: Update::File, ..Profile::of(FileKind::Users) };
    let file = site.users_file(&profile, "username,firstname,lastname,email\nx,A,B,x@example.org\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!((report.state, report.problems[0].code), (State::Failed, Code::OptionsConflict));
    assert_eq!(report.problems[0].hint, "operation = add");
    site.nothing_changed(&before, "refused").await;
    let skipping = site.users(&Profile::of(FileKind::Users), "username,firstname,lastname,email\nu1,A,B,x@y\n").await;
    assert_eq!(skipping.notes, [Note::AccountsExist(1)]);
    let liked = "username,firstname,lastname,email,interests\nu1,A,B,x@y,\"maths, chimie\"\nu2,A,B,x@y,\n";
    let skipping = site.users(&Profile::of(FileKind::Users), liked).await;
    assert_eq!(skipping.notes, [Note::InterestsOff(1), Note::AccountsExist(2)]);
}

async fn statements_do_not_grow_with_rows(mut site: Site) {
    site.campus().await;
    site.set("run.lease_ttl", "3600");
    let header = "username,firstname,lastname,email,city\n";
    let rows =
        |from: i64, to: i64| -> String { (from..to).map(|n| format!("p{n},P,N{n},p{n}@example.org,Caen\n")).collect() };
    let few = site.users_once(&profile(), &format!("{header}{}", rows(0, 10))).await;
    let many = site.users_once(&profile(), &format!("{header}{}", rows(10, 410))).await;
    assert_eq!((few.counts["user.add"], many.counts["user.add"]), (10, 400));
    assert!(
        many.statements <= few.statements + 4,
        "{} statements for 400 rows, {} for 10",
        many.statements,
        few.statements
    );
}
