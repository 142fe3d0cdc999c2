//! Users files on the small campus: which account a row means, what it may change, and what is left alone.
//! It must not repeat the golden cases.

use std::sync::Arc;

use enrold::accounts::password::Hasher;
use enrold::change::inverse::take_back;
use enrold::config::{BlankCell, FileKind, MatchBy, Operation, Profile, Update};
use enrold::db::{Columns, Dialect, Params, Value};
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
    names_that_the_database_holds_equal,
    defaults_are_for_columns_that_the_file_does_not_have,
    a_default_address_is_for_one_account,
    sessions_end_with_a_suspension_and_a_deletion,
    only_the_changed_columns_are_set_back,
    a_name_in_use_again_is_not_given_back,
    user_names_with_capitals_are_found,
    protected_accounts_are_left_alone,
    blank_cells_keep_or_erase,
    new_names_and_old_ones_in_one_file,
    addresses_are_one_in_any_case,
    what_helps_nobody_is_told,
    fields_take_what_they_can_hold,
    a_freed_address_is_for_later_rows,
    a_row_without_an_address_frees_none,
    a_freed_name_is_for_later_rows,
    many_rows_free_and_want_one_address,
    rows_beyond_the_steps_free_nothing,
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
        let rebuilt = rebuild(self, since, &after).await;
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
    // A method that is the profile's default.
    let created = |name: &'static str| [("userid", user(2).into()), ("name", name.into()), ("value", "1".into())];
    site.insert("user_preferences", &created("create_password")).await;
    let default = |auth: &str| [("auth".to_owned(), auth.to_owned())].into();
    let defaults = Profile { update: Update::FileAndDefaults, default: default("ldap"), ..profile() };
    site.users_once(&defaults, "username,city\nu2,Caen\n").await;
    let now = site.accounts("username, auth, password", &format!("id = {}", user(2))).await;
    assert_eq!((now, site.count("user_preferences").await), (vec!["u2 ldap not cached".to_owned()], 0));
    let nologin = Profile { default: default("nologin"), ..defaults };
    let report = site.users_once(&nologin, "username,city\nu4,Caen\n").await;
    assert_eq!(report.counts["user.suspend"], 1);
}

async fn names_that_the_database_holds_equal(mut site: Site) {
    site.campus().await;
    site.insert("config", &[("name", "extendedusernamechars".into()), ("value", "1".into())]).await;
    let text = "username,firstname,lastname,email\nzoe,Z,Un,n1@example.org\nzoé,Z,Deux,n2@example.org\n\
                ú1,U,Trois,n3@example.org\nx,X,Quatre,n2@example.org\n";
    let report = site.users(&profile(), text).await;
    let is_like = site.conn.dialect() == Dialect::Maria;
    let (refused, made): (&[&str], &[&str]) = match is_like {
        true => (&["3 username-taken", "4 username-taken"], &["zoe", "x"]),
        false => (&["5 email-taken"], &["zoe", "zoé", "ú1"]),
    };
    assert_eq!(site.errors(&report).await, refused);
    assert_eq!(site.accounts("username", "email LIKE 'n%'").await, made);
    assert_eq!((report.state, report.lines.failed), (State::DoneWithErrors, refused.len() as u64));
    // Two accounts that get such names at once.
    let profile = Profile { match_by: MatchBy::Email, rename: Some(true), ..profile() };
    let text = "email,username\nu2@example.com,ada\nu3@example.com,àda\n";
    let report = site.users(&profile, text).await;
    let renamed = site.accounts("username", &format!("id IN ({}, {})", user(2), user(3))).await;
    let (refused, names): (&[&str], _) =
        if is_like { (&["3 username-taken"], ["ada", "u3"]) } else { (&[], ["ada", "àda"]) };
    assert_eq!(
        (site.errors(&report).await, renamed),
        (refused.iter().map(|code| code.to_string()).collect(), names.map(str::to_owned).to_vec())
    );
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

async fn a_default_address_is_for_one_account(mut site: Site) {
    site.campus().await;
    for (update, who, mail) in
        [(Update::FileAndDefaults, [1, 2], "x@example.org"), (Update::Missing, [3, 4], "y@example.org")]
    {
        let [one, other] = who;
        let of = format!("username IN ('u{one}', 'u{other}')");
        site.sql(&format!("UPDATE {{user}} SET email = '' WHERE {of}")).await;
        let default = [("email".to_owned(), mail.to_owned())].into_iter().collect();
        let profile = Profile { update, default, ..profile() };
        let report = site.users(&profile, &format!("username,city\nu{one},Caen\nu{other},Caen\n")).await;
        assert_eq!(site.errors(&report).await, ["3 email-taken"]);
        assert_eq!(site.accounts("username, email", &of).await, [format!("u{one} {mail}"), format!("u{other} ")]);
        // An address of its own stays.
        site.sql(&format!("UPDATE {{user}} SET email = 'own{other}@example.org' WHERE username = 'u{other}'")).await;
        let report = site.users(&profile, &format!("username,firstname\nu{other},Ada\n")).await;
        assert_eq!(report.errors, 0);
        let own = format!("u{other} own{other}@example.org");
        assert_eq!(site.accounts("username, email", &of).await[1], own);
    }
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

async fn a_name_in_use_again_is_not_given_back(mut site: Site) {
    site.campus().await;
    let profile = Profile { rename: Some(true), delete: Some(true), ..profile() };
    let text = "username,oldusername,deleted\nu1,,1\nx2,u2,\nx3,u3,\nu4,,1\n";
    let report = site.users_once(&profile, text).await;
    site.sql("UPDATE {user} SET username = 'u1' WHERE username = 'u8'").await;
    site.sql("UPDATE {user} SET username = 'u2' WHERE username = 'u9'").await;
    let columns = Columns::read(&mut site.conn).await.unwrap();
    let back = take_back(&mut site.conn, &columns, report.run).await.unwrap();
    let back: Vec<_> = back.iter().map(|step| (step.kind.name, step.changes, step.rows)).collect();
    assert!(back.contains(&("user.remove", 2, 1)) && back.contains(&("user.rename", 2, 1)), "{back:?}");
    let now = site.accounts("username, deleted", &format!("id BETWEEN {} AND {}", user(2), user(4))).await;
    assert_eq!(now, ["x2 0", "u3 0", "u4 0"]);
    assert_eq!(site.accounts("deleted", &format!("id = {}", user(1))).await, ["1"]);
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
    let told = ["2 email-malformed", "3 email-malformed", "3 email-taken", "4 email-taken", "6 email-taken"];
    assert_eq!(site.errors(&report).await, told);
    let kept = site.accounts("email", &format!("id = {}", user(1))).await;
    assert_eq!(kept, ["u1@example.com"], "another case is no change");
}

async fn what_helps_nobody_is_told(mut site: Site) {
    site.campus().await;
    site.sql("DELETE FROM {config} WHERE name = 'auth'").await;
    site.insert("config", &[("name", "auth".into()), ("value", "email,cas".into())]).await;
    let text = "username,firstname,lastname,email,auth\na,A,A,a@b,manual\nb,B,B,b@example.org,ldap\n\
                c,C,C,c@example.org,cas\nd,D,D,d@example.org,nologin\n";
    let report = site.users(&profile(), text).await;
    assert_eq!(site.errors(&report).await, ["2 email-malformed", "3 auth-disabled"]);
    assert_eq!((report.state, report.lines.failed), (State::DoneWithErrors, 0));
    let made = site.accounts("username, email, auth", "username IN ('a', 'b', 'c', 'd')").await;
    assert_eq!(made, ["a a@b manual", "b b@example.org ldap", "c c@example.org cas", "d d@example.org nologin"]);
}

async fn fields_take_what_they_can_hold(mut site: Site) {
    site.campus().await;
    let fields = [("year", "menu", "L1\nL2", ""), ("grant", "checkbox", "", ""), ("born", "datetime", "2000", "2030")];
    let fields = fields.into_iter().chain([("room", "text", "30", "5"), ("more", "text", "30", "")]);
    for (id, (name, kind, one, two)) in (1..).zip(fields) {
        let field = [
            ("id", Value::Int(id)),
            ("shortname", name.into()),
            ("name", name.into()),
            ("datatype", kind.into()),
            ("param1", one.into()),
            ("param2", two.into()),
        ];
        site.insert("user_info_field", &field).await;
    }
    let text = "username,profile_field_year,profile_field_grant,profile_field_born,profile_field_room,\
                profile_field_more\nu1,L2,oui,2001-02-03,Ü1234,longer than five\nu2,l2,0,,B,\nu3,,maybe,,B,\n\
                u4,,,someday,B,\nu5,,,,B12345,\n";
    let report = site.users(&profile(), text).await;
    let told = ["3 field-option-unknown", "4 value-invalid", "5 bad-time", "6 value-too-long"];
    assert_eq!((site.errors(&report).await, report.lines.failed), (told.map(str::to_owned).to_vec(), 3));
    let sql = "SELECT u.username, f.shortname, d.data FROM {user_info_data} d JOIN {user} u ON u.id = d.userid
        JOIN {user_info_field} f ON f.id = d.fieldid WHERE d.data <> '' AND d.data <> '0' ORDER BY u.id, f.id";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    let stored: Vec<String> = rows
        .iter()
        .filter(|row| row.text(1) != "born")
        .map(|row| (0..3).map(|at| row.text(at)).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(stored, ["u1 year L2", "u1 grant 1", "u1 room Ü1234", "u1 more longer than five", "u2 room B"]);
}

async fn a_freed_address_is_for_later_rows(mut site: Site) {
    site.campus().await;
    let profile = Profile { delete: Some(true), ..profile() };
    // A row before the freeing one is refused; a row that is refused frees nothing, nor does it take anything.
    let text = "username,firstname,lastname,email,deleted\nn1,N,One,u1@example.com,\nu1,,,,1\n\
                n2,N,Two,U1@example.com,\nu2,A,B,new@example.org,\nu3,A,B,u2@example.com,\n\
                u4,A,B,u3@example.com,\nn3,N,Three,u4@example.com,\nn4,N,Four,u3@example.com,\n\
                u6,A,B,u5@example.com,\nn5,N,Five,u6@example.com,\n";
    let report = site.users(&profile, text).await;
    let refused = ["2 email-taken", "9 email-taken", "10 email-taken", "11 email-taken"];
    assert_eq!(site.errors(&report).await, refused);
    let now = site.accounts("username, email", "deleted = 0 AND id > 11 AND id < 16 OR username LIKE 'n%'").await;
    let expected = ["u2 new@example.org", "u3 u2@example.com", "u4 u3@example.com", "u5 u5@example.com"];
    assert_eq!(now[..4], expected);
    assert_eq!(now[4..], ["n2 U1@example.com", "n3 u4@example.com"]);
    // A later row replaces no address that is wanted in between.
    let text = "username,firstname,lastname,email\nu5,,,a5@example.org\nn6,N,Six,u5@example.com\nu5,,,b5@example.org\n";
    let report = site.users(&profile, text).await;
    assert_eq!((report.errors, report.counts["user.update"], report.counts["user.add"]), (0, 2, 1));
    // Addresses that stay: nobody else gets them.
    let kept = Profile { change_email: Some(false), delete: Some(false), ..profile };
    let text = "username,firstname,lastname,email,deleted\nu6,,,c6@example.org,\nn7,N,Seven,u6@example.com,\n\
                u7,,,,1\nn8,N,Eight,u7@example.com,\n";
    let report = site.users(&kept, text).await;
    let refused = ["2 change-refused", "3 email-taken", "4 change-refused", "5 email-taken"];
    assert_eq!(site.errors(&report).await, refused);
}

async fn a_row_without_an_address_frees_none(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET email = 'u4@example.com' WHERE username = 'u5'").await;
    let text = "username,lastname,email\nu4,Un,\nu5,,u4@example.com\nu4,Deux,u4@example.com\n";
    let report = site.users(&profile(), text).await;
    assert_eq!((report.errors, report.counts["user.update"]), (0, 1));
}

async fn a_freed_name_is_for_later_rows(mut site: Site) {
    site.campus().await;
    let profile = Profile { match_by: MatchBy::Email, delete: Some(true), rename: Some(true), ..profile() };
    let text = "email,username,firstname,lastname,deleted\nn1@example.org,u1,N,One,\nu1@example.com,,,,1\n\
                n2@example.org,u1,N,Two,\nu2@example.com,x2,,,\nu3@example.com,u2,,,\nn3@example.org,u3,N,Three,\n";
    let report = site.users(&profile, text).await;
    assert_eq!(site.errors(&report).await, ["2 username-taken"]);
    let now = site.accounts("username, email", "deleted = 0 AND email LIKE '%@example.%' AND id > 11").await;
    assert_eq!(now[..2], ["x2 u2@example.com", "u2 u3@example.com"]);
    assert_eq!(now[now.len() - 2..], ["u1 n2@example.org", "u3 n3@example.org"]);
}

/// Every row that frees the address and every row that wants it wait by one turn, not by one for each pair.
async fn many_rows_free_and_want_one_address(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET email = 'all@example.com' WHERE username IN ('u1', 'u2', 'u3')").await;
    let row = |who: i64, n: i64| format!("u{who},,,a{who}n{n}@example.org\n");
    let freeing: String = (0..40).flat_map(|n| (1..4).map(move |who| row(who, n))).collect();
    let wanting: String = (0..2_000).map(|n| format!("n{n},N,N,all@example.com\n")).collect();
    let text = format!("username,firstname,lastname,email\n{freeing}{wanting}");
    let report = site.users_once(&profile(), &text).await;
    assert_eq!((report.counts["user.add"], report.lines.failed), (1, 1_999));
    let now = site.accounts("username, email", "username IN ('u1', 'u2', 'u3') OR username LIKE 'n%'").await;
    let expected = ["u1 a1n39@example.org", "u2 a2n39@example.org", "u3 a3n39@example.org", "n0 all@example.com"];
    assert_eq!(now, expected);
}

async fn rows_beyond_the_steps_free_nothing(mut site: Site) {
    site.campus().await;
    site.set("flatfile.max_steps", "20");
    let row = |n: i64| format!("u1,,,a{n}@example.org\nn{n},N,N,u1@example.com\n");
    let rows: String = (0..1_500).map(row).collect();
    let report = site.users_once(&profile(), &format!("username,firstname,lastname,email\n{rows}")).await;
    assert_eq!((report.counts.get("user.add"), report.lines.failed), (None, 1_480 + 1_500));
    assert_eq!(site.accounts("email", "username = 'u1'").await, ["a19@example.org"]);
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
