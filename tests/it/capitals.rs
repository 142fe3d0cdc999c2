//! Accounts whose user name or address is stored with capitals: files and sets reach them in any case, on each database.
//! It must not test keys that are compared exactly.

use enrold::config::UserKey;
use enrold::db::Dialect;
use enrold::outcome::{Report, State};
use enrold::run::Import;

use crate::servers::{on_each_database, run_on};
use crate::site::Site;

on_each_database!(
    a_name_is_found_in_any_case,
    the_name_in_small_letters_comes_first,
    an_address_is_found_in_any_case,
    a_set_reaches_it_and_a_protected_one_stays,
    a_message_shows_the_value_as_it_was_written,
    many_unknown_names_need_no_more_statements,
);

impl Site {
    /// An account with this user name; its idnumber is `xID`.
    async fn named(&mut self, id: i64, username: &str, email: &str) {
        let row = [
            ("id", id.into()),
            ("username", username.into()),
            ("idnumber", format!("x{id}").into()),
            ("mnethostid", 1.into()),
            ("confirmed", 1.into()),
            ("email", email.into()),
        ];
        self.insert("user", &row).await;
    }
}

/// The lines of a file with a header that adds these users to `c1`.
fn adding(users: &[&str]) -> String {
    users.iter().fold("operation,user,course,role\n".to_owned(), |text, user| format!("{text}add,{user},c1,student\n"))
}

/// `CODE VALUE` of each problem.
fn told(report: &Report) -> Vec<String> {
    report.problems.iter().map(|told| format!("{} {}", told.code.as_str(), told.value)).collect()
}

async fn a_name_is_found_in_any_case(mut site: Site) {
    site.campus().await;
    site.named(61, "Camel.Case@Example.org", "").await;
    site.named(62, "ÉLODIE.Łoś", "").await;
    for (camel, elodie) in [
        ("Camel.Case@Example.org", "ÉLODIE.Łoś"),
        ("camel.case@example.org", "élodie.łoś"),
        ("CAMEL.CASE@EXAMPLE.ORG", "Élodie.ŁOŚ"),
    ] {
        let report = site.import(&adding(&[camel, "u1", elodie])).await;
        assert_eq!((report.state, report.errors), (State::Done, 0), "{camel}: {:?}", told(&report));
        let expected = ["Camel.Case@Example.org c1 flatfile", "u1 c1 flatfile", "ÉLODIE.Łoś c1 flatfile"];
        assert_eq!(site.enrolments().await, expected);
        site.sql("DELETE FROM {user_enrolments}").await;
        site.sql("DELETE FROM {role_assignments}").await;
    }
    // Accents count, and so does being an account of this site.
    site.named(63, "REMOTE", "").await;
    site.sql("UPDATE {user} SET mnethostid = 2 WHERE id = 63").await;
    site.named(64, "GONE", "").await;
    site.sql("UPDATE {user} SET deleted = 1 WHERE id = 64").await;
    let report = site.import(&adding(&["elodie.los", "remote", "gone"])).await;
    assert_eq!(told(&report), ["user-unknown elodie.los", "user-unknown remote", "user-unknown gone"]);
}

/// The name in small letters is the one that Moodle itself finds; of several others none is chosen.
async fn the_name_in_small_letters_comes_first(mut site: Site) {
    site.campus().await;
    if site.conn.dialect() == Dialect::Maria {
        // Moodle's index of the names allows two of them under a collation that tells capitals.
        site.sql("ALTER TABLE {user} MODIFY username VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL")
            .await;
    }
    site.named(61, "twin", "").await;
    site.named(62, "Twin", "").await;
    site.named(63, "Both", "").await;
    site.named(64, "BOTH", "").await;
    let report = site.import(&adding(&["TWIN", "both"])).await;
    assert_eq!(told(&report), ["user-ambiguous both"]);
    assert_eq!(report.problems[0].hint, "2");
    assert_eq!(site.enrolments().await, ["twin c1 flatfile"]);
}

/// A collation under which MariaDB does not find a capital by the index.
#[test]
fn a_collation_that_tells_capitals() {
    for collation in ["utf8mb4_bin", "utf8mb4_turkish_ci"] {
        run_on(Dialect::Maria, async move |mut site: Site| {
            site.campus().await;
            site.sql(&format!(
                "ALTER TABLE {{user}} MODIFY username VARCHAR(100) CHARACTER SET utf8mb4 COLLATE {collation} NOT NULL"
            ))
            .await;
            site.named(61, "INÉS.I", "").await;
            let report = site.import(&adding(&["inés.i"])).await;
            assert_eq!(told(&report), [""; 0], "{collation}");
            assert_eq!(site.enrolments().await, ["INÉS.I c1 flatfile"]);
        });
    }
}

async fn an_address_is_found_in_any_case(mut site: Site) {
    site.campus().await;
    site.named(61, "a", "Élodie@Example.org").await;
    site.named(62, "b", "INFO@Example.org").await;
    site.named(63, "c", "two@example.org").await;
    site.named(64, "d", "TWO@example.org").await;
    let file = site.write(adding(&["ÉLODIE@example.org", "info@EXAMPLE.org", "Two@example.org"]));
    let file = Import { user_key: Some(UserKey::Email), ..file };
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!(told(&report), ["user-ambiguous Two@example.org"]);
    assert_eq!(site.enrolments().await, ["a c1 flatfile", "b c1 flatfile"]);
}

async fn a_set_reaches_it_and_a_protected_one_stays(mut site: Site) {
    site.records("database").await;
    site.set("sources.database.user_key", "username");
    site.set("sources.database.protected", "camel.CASE, ÉLODIE");
    site.named(61, "Camel.Case", "").await;
    site.named(62, "Other", "").await;
    site.named(63, "Élodie", "").await;
    site.full_set("database", "user,course\nCAMEL.case,c1\nOther,c1\nother,c2\nélodie,c1\nu1,c1\n").await;
    let everybody =
        ["Camel.Case c1 database", "Other c1 database", "Other c2 database", "u1 c1 database", "Élodie c1 database"];
    assert_eq!(site.enrolments().await, everybody);
    site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!(site.enrolments().await, ["Camel.Case c1 database", "u1 c1 database", "Élodie c1 database"]);
}

async fn a_message_shows_the_value_as_it_was_written(mut site: Site) {
    site.records("database").await;
    site.set("sources.database.user_key", "username");
    let report = site.import_once(&adding(&["Nobody.Here", "nobody.there", "ADMIN"])).await;
    let expected = ["user-unknown Nobody.Here", "user-unknown nobody.there", "account-protected ADMIN"];
    assert_eq!(told(&report), expected);
    let report = site.full_set("database", "user,course,status\nNobody.Here,c1,1\nu1,c1,0\n").await;
    assert_eq!(told(&report), ["user-unknown Nobody.Here"]);
    assert_eq!(site.enrolments().await, ["u1 c1 database"]);
    for (key, value) in [("files", "p*.csv"), ("target", "cohorts"), ("user_key", "username")] {
        site.set(&format!("sources.promo.{key}"), value);
    }
    site.cohort(1, &[]).await;
    let report = site.full_set("promo", "user,cohort\nNobody.Here,h1\nU1,h1\n").await;
    assert_eq!(told(&report), ["user-unknown Nobody.Here"]);
    assert_eq!(site.members().await, ["u1 h1"]);
}

async fn many_unknown_names_need_no_more_statements(mut site: Site) {
    site.campus().await;
    site.set("run.lease_ttl", "3600");
    let names = |count: usize| (0..count).map(|number| format!("New{number}")).collect::<Vec<_>>();
    let mut statements = Vec::new();
    for count in [1, 400] {
        let names = names(count);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let report = site.import_once(&adding(&names)).await;
        assert_eq!(report.errors as usize, count);
        statements.push(report.statements);
    }
    // The variants of 400 names may fill a second chunk.
    assert!(statements[1] <= statements[0] + 1, "statements for 1 and for 400 unknown names: {statements:?}");
}
