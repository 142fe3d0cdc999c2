//! `enrold import` of users files and cohort files: how the kind is told, options of one run, refusals.
//! It must not test what a row does to the tables; the tests of the accounts do.

use serde_json::json;

use crate::program::{Program, on_the_sample};
use crate::site::Site;

const USERS: &str = "username;lastname;firstname;email\n600001;Durand-Test;Léa;lea@example.org\n";
const COHORTS: &str = "name,idnumber\nLicence 1,L1\n";
const MEMBERS: &str = "cmd;cidnumber;userid\nadd;absent;absent\n";
const TWO: &str = "username,email,userid,cid\na,a@example.org,a,c\n";

fn read_as(program: &Program, words: &[&str]) -> String {
    let (_, report) = program.json(&[&["import", "--simulate"], words].concat());
    report["read_as"]["kind"].as_str().unwrap_or_else(|| panic!("{words:?}: {report}")).to_owned()
}

/// The kind is the named one, else that of the header; columns of a profile may tell it too.
#[test]
fn the_header_tells_the_kind_of_a_file() {
    on_the_sample(async |_: Site, program| {
        for (name, text, kind) in
            [("u.csv", USERS, "users"), ("c.csv", COHORTS, "cohorts"), ("m.csv", MEMBERS, "cohort-members")]
        {
            program.write(name, text);
            assert_eq!(read_as(&program, &[name]), kind);
        }
        assert_eq!(read_as(&program, &["--kind", "users", "--option", "match=email", "u.csv"]), "users");
        let (code, report) = program.json(&["import", "--kind", "cohorts", "u.csv"]);
        assert_eq!((code, &report["problems"][0]["code"]), (1, &json!("column-missing")), "{report}");
        program.write("dossiers.csv", "Dossier;Adresse\n600001;lea@example.org\n");
        let named = program.clone().set("profiles.p.columns.Dossier=username").set("profiles.p.columns.Adresse=email");
        assert_eq!(read_as(&named, &["dossiers.csv"]), "users");
        program.write("other.csv", "Dossier;Adresse;name\n600001;lea@example.org;Durand\n");
        assert_eq!(read_as(&named, &["--profile", "p", "other.csv"]), "users");
    });
}

/// The name of a file comes before its header, and belongs to one profile.
#[test]
fn a_profile_is_found_by_the_name_of_the_file() {
    on_the_sample(async |_: Site, program| {
        program.write("promo-1.csv", "username,name,firstname,email\na,A,A,a@example.org\n");
        let named = program.clone().set("profiles.p.files=promo-*.csv").set("profiles.p.enabled=no");
        assert_eq!(read_as(&named, &["promo-1.csv"]), "users", "a command uses a profile that is switched off");
        assert_eq!(read_as(&named, &["--kind", "cohorts", "promo-1.csv"]), "cohorts", "the profile is of users");
        let two = named.clone().set("profiles.q.files=*-1.csv");
        let (code, report) = two.json(&["import", "promo-1.csv"]);
        assert_eq!((code, &report["state"]), (1, &json!("failed")));
        assert_eq!(report["problems"][0]["code"], "kind-unknown");
        assert_eq!(report["problems"][0]["hint"], "profiles.p, profiles.q");
        assert_eq!(read_as(&two, &["--profile", "q", "promo-1.csv"]), "users");
    });
}

#[test]
fn a_header_that_fits_two_kinds_is_refused() {
    on_the_sample(async |mut site: Site, program| {
        let before = site.dump().await;
        program.write("two.csv", TWO);
        let (code, report) = program.json(&["import", "two.csv"]);
        assert_eq!((code, &report["state"]), (1, &json!("failed")));
        assert_eq!(report["problems"][0]["code"], "kind-unknown");
        assert_eq!(report["problems"][0]["hint"], "users, cohort-members");
        program.clone().set("locale=fr").run(&["import", "two.csv"]).ends(1).says(&["son type est incertain"]);
        site.nothing_changed(&before, "a file of two kinds").await;
    });
}

/// A header that fits nothing is no flat file, whose lines would all be errors: the file is refused as a whole.
#[test]
fn a_header_of_no_kind_is_refused() {
    on_the_sample(async |mut site: Site, program| {
        let before = site.dump().await;
        for (name, text, header) in [
            ("marks.csv", "mark;coursename;idnumber\nA;B;C\n", "?, coursename, idnumber"),
            ("titled.csv", "Export\nlogin,colour\nx,red\n", "login, ?"),
            ("without.csv", "600001;Durand;Léa;lea@example.org\n", "?, ?, ?, ?"),
        ] {
            program.write(name, text);
            let (code, report) = program.json(&["import", name]);
            assert_eq!((code, &report["state"], &report["errors"]), (1, &json!("failed"), &json!(1)), "{name}");
            let told = &report["problems"][0];
            assert_eq!((&told["code"], &told["value"]), (&json!("kind-unknown"), &json!(header)), "{name}");
            assert!(told["hint"].as_str().unwrap().contains("users: username, lastname, firstname, email"), "{told}");
            let (code, checked) = program.json(&["check", name]);
            assert_eq!((code, &checked["rejected"]["code"]), (1, &json!("kind-unknown")), "{name}");
            program.run(&["check", name]).ends(1).says(&["is that of no kind of file"]);
            program.clone().set("locale=fr").run(&["check", name]).ends(1).says(&["n'est celui d'aucun type"]);
        }
        assert_eq!(read_as(&program, &["--kind", "native", "marks.csv"]), "native");
        for (name, text, kind) in [
            ("a.csv", "Liste;;;\nOpération;Utilisateur;Cours;Rôle\nadd;oharas26;L1-ECO-101;student\n", "header"),
            ("b.txt", "x;student;22612011;ELP5210\nadd;student;22612011;ELP5210\n", "native"),
            ("c.txt", "x;student;22612011;ELP5210\n", "native"),
            ("d.txt", "what is this\n", "native"),
        ] {
            program.write(name, text);
            assert_eq!(read_as(&program, &[name]), kind, "{name}");
        }
        let (_, report) =
            program.json(&["import", "--simulate", program.write("e.csv", "user,course\n").to_str().unwrap()]);
        assert_eq!(report["problems"][0]["code"], "column-missing", "a header of flat files, and what it lacks");
        site.nothing_changed(&before, "files of no kind").await;
    });
}

/// The context of new cohorts must be one; tool_sync's comments may stand before the header.
#[test]
fn options_and_comments_of_cohort_files() {
    on_the_sample(async |mut site: Site, program| {
        let before = site.dump().await;
        program.write("u.csv", "username,lastname,firstname,email,cohort1\na,A,A,a@example.org,new\n");
        program.write("c.csv", COHORTS);
        let new = ["--option", "create_cohorts=yes", "--option", "context_id=99999"];
        for words in [&["import", "--kind", "cohorts", "c.csv"], &["import", "--kind", "users", "u.csv"]] {
            let (code, report) = program.json(&[&words[..], &new].concat());
            assert_eq!((code, &report["problems"][0]["code"]), (1, &json!("context-unknown")), "{report}");
        }
        program.write("m.csv", "# groups, of 2026\n(TD)\ncmd;cidnumber;userid\n-;;\nadd;PASS-2026;absent\n");
        let (code, report) = program.json(&["import", "--simulate", "m.csv"]);
        assert_eq!((code, &report["problems"][0]["code"]), (4, &json!("user-unknown")), "{report}");
        assert_eq!((&report["problems"][0]["line"], &report["read_as"]["delimiter"]), (&json!(5), &json!(";")));
        let (_, checked) = program.json(&["check", "m.csv"]);
        assert_eq!(checked["header"], json!(["cmd", "cidnumber", "userid"]));
        site.nothing_changed(&before, "what is refused or simulated").await;
    });
}

/// Users files do not need the method of flat files; other programs rely on these exit codes.
#[test]
fn options_are_checked_before_anything_is_read() {
    on_the_sample(async |mut site: Site, program| {
        site.sql("UPDATE {config} SET value = 'manual' WHERE name = 'enrol_plugins_enabled'").await;
        program.write("u.csv", USERS);
        program.write("c.csv", COHORTS);
        program.write("f.csv", "operation,username,course,role\n");
        let options = ["--option", "operation=add-update", "--option", "update=file", "--option", "default.city=Caen"];
        let words = [&["import", "--simulate", "--yes", "--kind", "users", "u.csv"], &options[..]].concat();
        let (code, report) = program.json(&words);
        assert_eq!((code, &report["state"]), (0, &json!("simulated")), "{report}");
        for (words, told) in [
            (
                &["--kind", "users", "--option", "operation=all", "u.csv"][..],
                "expected one of add, add-all, add-update, update",
            ),
            (&["--option", "renam=yes", "u.csv"], "unknown option renam; the nearest is rename"),
            (&["--option", "update=file", "u.csv"], "use operation add-update or update"),
            (&["--option", "rename=yes", "c.csv"], "is an option of kind users, and the kind here is cohorts"),
            (
                &["--user-key", "id", "u.csv"],
                "is an option of kinds cohorts, cohort-members, course-list, group-members, enrolments, convert and renew",
            ),
            (
                &["--course-key", "id", "u.csv"],
                "option course_key: is an option of kinds course-list, course-text, methods, course-methods, groups, groupings, group-members, enrolments, convert and renew",
            ),
            (&["--option", "rename=yes", "f.csv"], "this is a flat file, which has no options"),
            (&["--kind", "native", "--option", "rename=yes", "u.csv"], "this is a flat file, which has no options"),
            (&["--profile", "p", "u.csv"], "there is no profile p"),
            (&["--kind", "people", "u.csv"], "use header, native, users, cohorts, cohort-members"),
            (&["--option", "mode=simulate", "u.csv"], "option mode is about dropped files only"),
            (&["--option", "default.colour=red", "u.csv"], "option default.colour: there is no default for it"),
            (&["--option", "rename", "u.csv"], "KEY"),
            (&["--source", "s", "--kind", "users", "u.csv"], "--source"),
        ] {
            let answer = program.run(&[&["import"], words].concat()).ends(2);
            assert!(answer.log.contains(told), "{words:?}: {}", answer.log);
        }
        let of_users = program.clone().set("profiles.p.kind=users");
        let answer = of_users.run(&["import", "--profile", "p", "--kind", "cohorts", "c.csv"]).ends(2);
        assert!(answer.log.contains("profile p is of kind users"), "{}", answer.log);
    });
}

/// `check` knows every kind, without a database.
#[test]
fn check_reads_every_kind() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path());
    program.write("u.csv", "username;lastname;firstname;email;password\na;A;B;a@example.org;geheim\nb;B;B;B;B;B\n");
    program.write("m.csv", "cmd;cidnumber;userid;colour\nadd;c;u;red\nfoo;c;u;\n");
    program.write("two.csv", TWO);
    program.write("bad.csv", "username,firstname,lastname,email,colour\na,A,B,a@example.org,red\n");
    let (code, checked) = program.json(&["check", "u.csv"]);
    assert_eq!((code, &checked["kind"], &checked["delimiter"]), (4, &json!("users"), &json!(";")), "{checked}");
    assert_eq!((&checked["records"], &checked["problems"][0]["code"]), (&json!(2), &json!("row-ragged")));
    assert!(!checked.to_string().contains("geheim"));
    let (code, checked) = program.json(&["check", "m.csv"]);
    let codes: Vec<_> = checked["problems"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect();
    assert_eq!((code, codes), (4, vec![json!("column-ignored"), json!("bad-verb")]), "{checked}");
    let (code, checked) = program.json(&["check", "--kind", "cohorts", "m.csv"]);
    assert_eq!((code, &checked["rejected"]["code"]), (1, &json!("column-missing")));
    // Options decide which column finds the accounts.
    program.write("mails.csv", "email,city\na@example.org,Caen\n");
    let check = ["check", "--kind", "users", "mails.csv", "--option"];
    for (one, code) in [("match=email", 0), ("default.username=%f", 0), ("match=username", 1)] {
        let answer = program.json(&[&check[..], &["operation=update", "--option", one]].concat());
        assert_eq!(answer.0, code, "{one}: {}", answer.1);
        // What a new account needs.
        assert_eq!(program.json(&[&check[..], &["operation=add", "--option", one]].concat()).0, 1);
    }
    let (code, checked) = program.json(&["check", "--kind", "users", "mails.csv"]);
    assert_eq!((code, &checked["rejected"]["code"]), (1, &json!("column-missing")));
    let answer = program.run(&["check", "--option", "colour=red", "u.csv"]).ends(2);
    assert!(answer.log.contains("colour"), "{}", answer.log);
    let (code, checked) = program.json(&["check", "two.csv"]);
    assert_eq!((code, &checked["rejected"]["code"]), (1, &json!("kind-unknown")));
    let (code, checked) = program.json(&["check", "bad.csv"]);
    assert_eq!((code, &checked["rejected"]["code"]), (1, &json!("column-unknown")));
    let (code, _) = program.set("profiles.p.kind=cohorts").json(&["check", "--profile", "p", "two.csv"]);
    assert_eq!(code, 1, "a header of users files");
}

/// On a terminal the rows are shown as they are understood before anything is asked; a password is not.
#[test]
fn import_shows_the_first_rows_before_it_asks() {
    on_the_sample(async |mut site: Site, program| {
        let before = site.dump().await;
        let text =
            "identifiant;nom;prénom;courriel;mot de passe;cohort1\n600001;Durand;Léa;lea@example.org;geheim;L1\n";
        program.write("u.csv", text);
        let answer = program.typed(&["import", "u.csv"], "n").ends(1);
        let row = "line 2: username 600001, email lea@example.org, firstname Léa, lastname";
        let answer = answer.says(&["u.csv, kind users", row, "Durand, password ***, cohort1 L1", "Apply this? [y/N]"]);
        assert!(!answer.out.contains("geheim"), "{}", answer.out);
        program.write("m.csv", "cmd;cid;userid\ndel;L1;abc\n");
        let members = program.clone().set("locale=fr").typed(&["import", "m.csv"], "n").ends(1);
        members.says(&["m.csv, forme cohort-members", "ligne 2: del, cohort L1, user abc"]);
        site.nothing_changed(&before, "a preview").await;
    });
}
