//! The least rights for users files and cohort files: they suffice, the doctor demands them only where such files are
//! taken, and a file that lacks one changes nothing. It must not be a test of the files themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use enrold::config::{FileKind, Locale, Operation, PasswordFrom, Profile, Update};
use enrold::db::{Dialect, Value};
use enrold::disk::Dir;
use enrold::doctor::grants::Grant;
use enrold::doctor::{Finding, Level, can_work, grants};
use enrold::front::{Front, Who};
use enrold::outcome::{Observer, State};
use enrold::run::{Dropped, Engine, Import};

use crate::campus::{role, set, user};
use crate::doctor_rights::{Account, assert_applied, give, revoke};
use crate::servers::run_on;
use crate::site::Site;

#[test]
fn users_and_cohorts_need_no_more_postgresql() {
    run_on(Dialect::Postgres, users_and_cohorts_need_no_more);
}

#[test]
fn users_and_cohorts_need_no_more_mariadb() {
    run_on(Dialect::Maria, users_and_cohorts_need_no_more);
}

#[test]
fn each_right_is_missed_where_such_files_are_taken_postgresql() {
    run_on(Dialect::Postgres, each_right_is_missed_where_such_files_are_taken);
}

#[test]
fn each_right_is_missed_where_such_files_are_taken_mariadb() {
    run_on(Dialect::Maria, each_right_is_missed_where_such_files_are_taken);
}

#[test]
fn a_file_without_a_right_changes_nothing_postgresql() {
    run_on(Dialect::Postgres, a_file_without_a_right_changes_nothing);
}

#[test]
fn a_file_without_a_right_changes_nothing_mariadb() {
    run_on(Dialect::Maria, a_file_without_a_right_changes_nothing);
}

/// A profile that may do all that a users file can.
fn everything() -> Profile {
    Profile {
        operation: Operation::AddUpdate,
        update: Update::FileAndDefaults,
        rename: Some(true),
        delete: Some(true),
        suspend: Some(true),
        change_email: Some(true),
        change_auth: Some(true),
        give_password: Some(true),
        password_update: true,
        password: PasswordFrom::Create,
        system_roles: Some(true),
        category_roles: Some(true),
        create_cohorts: true,
        context_id: 3,
        ..Profile::of(FileKind::Users)
    }
}

/// A file with the cells of its rows that are not empty.
fn file(rows: &[&[(&'static str, &str)]]) -> String {
    let mut columns: Vec<&str> = rows.iter().flat_map(|row| row.iter().map(|(column, _)| *column)).collect();
    columns.sort_unstable();
    columns.dedup();
    let line = |row: &&[(&'static str, &str)]| {
        let cell = |column: &&str| row.iter().find(|(own, _)| own == column).map_or("", |(_, value)| *value);
        columns.iter().map(cell).collect::<Vec<_>>().join(";")
    };
    let head = columns.join(";");
    [head].into_iter().chain(rows.iter().map(line)).map(|line| line + "\n").collect()
}

impl Site {
    /// The campus with a row of `u1` in every table that a deletion changes, tags, profile fields, cohorts and methods.
    async fn registry(&mut self) {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile").await;
        for number in 1..=9 {
            let id = 900 + number;
            self.context(id, 30, user(number), &format!("/1/{id}")).await;
        }
        let category =
            [("id", 1.into()), ("name", "Sciences".into()), ("idnumber", "sci".into()), ("path", "/1".into())];
        self.insert("course_categories", &category).await;
        for (shortname, levels) in [("manager", [10, 40, 50]), ("coursecreator", [10, 40, 50]), ("student", [50, 0, 0])]
        {
            for level in levels.into_iter().filter(|level| *level > 0) {
                self.insert(
                    "role_context_levels",
                    &[("roleid", role(shortname).into()), ("contextlevel", level.into())],
                )
                .await;
            }
        }
        let area =
            [("component", "core".into()), ("itemtype", "user".into()), ("enabled", 1.into()), ("tagcollid", 1.into())];
        self.insert("tag_area", &area).await;
        for (id, shortname, kind) in [(1, "badge", "text"), (2, "site", "text")] {
            let field = [
                ("id", id.into()),
                ("shortname", shortname.into()),
                ("name", shortname.into()),
                ("datatype", kind.into()),
                ("defaultdata", "x".into()),
            ];
            self.insert("user_info_field", &field).await;
        }
        self.cohort(1, &[1, 2]).await;
        self.cohort(2, &[1]).await;
        self.cohort_link(1, 1, "student").await;
        self.cohort_link(2, 2, "student").await;
        self.rule("cohort").await;
        self.group(1, 3).await;
        self.enrolled(1, 3, "manual").await;
        self.in_group(1, 1, ("", 0)).await;
        self.has_role(1, 3, "student", "manual").await;
        for who in [1, 2, 3] {
            let of: (&'static str, Value) = ("userid", user(who).into());
            self.insert("sessions", &[of.clone(), ("sid", format!("s{who}").into())]).await;
            self.insert("external_tokens", &[of.clone(), ("token", "t".into())]).await;
            self.insert("user_password_history", &[of.clone(), ("hash", "h".into())]).await;
            self.insert("user_password_resets", &[of.clone(), ("token", "t".into())]).await;
            self.insert("user_preferences", &[of.clone(), ("name", "create_password".into()), ("value", "0".into())])
                .await;
            self.insert("user_info_data", &[of, ("fieldid", 1.into()), ("data", "old".into())]).await;
        }
        let kept = [("userid", user(4).into()), ("name", "auth_forcepasswordchange".into()), ("value", "0".into())];
        self.insert("user_preferences", &kept).await;
        for (id, name) in [(1, "go"), (2, "maths")] {
            let tag = [("id", id.into()), ("tagcollid", 1.into()), ("name", name.into()), ("rawname", name.into())];
            self.insert("tag", &[&tag[..], &[("userid", 2.into())]].concat()).await;
        }
        for (who, tagid, ordering) in [(1, 1, 0), (5, 1, 0), (5, 2, 1)] {
            let interest = [
                ("tagid", tagid.into()),
                ("component", "core".into()),
                ("itemtype", "user".into()),
                ("itemid", user(who).into()),
                ("contextid", (900 + who).into()),
                ("ordering", ordering.into()),
            ];
            self.insert("tag_instance", &interest).await;
        }
        self.insert("config_plugins", &set("enrol_cohort", "unenrolaction", "0")).await;
        self.reset_sequences().await;
    }

    fn file_of(&mut self, profile: &Profile, text: &str) -> Import {
        Import { profile: Some(Arc::new(profile.clone())), ..self.write(text) }
    }
}

const NEW: [(&str, &str); 3] = [("firstname", "Zoé"), ("lastname", "Élie"), ("lang", "fr")];

/// Users files with every group of columns; the second changes what the first made.
fn users_files() -> [String; 3] {
    let given = [
        &NEW[..],
        &[
            ("username", "n1"),
            ("email", "n1@example.org"),
            ("password", "Generique-2026"),
            ("profile_field_badge", "7"),
            ("interests", "maths, chess"),
            ("description", "D"),
            ("cohort1", "new-cohort"),
            ("cohort2", "h1"),
            ("course1", "c2"),
            ("role1", "student"),
            ("group1", "G"),
            ("enrolperiod1", "10"),
            ("sysrole1", "manager"),
            ("category1", "sci"),
            ("categoryrole1", "manager"),
        ],
    ]
    .concat();
    let generated = [&NEW[..], &[("username", "n2"), ("email", "n2@example.org"), ("interests", "chess")]].concat();
    let deleted = [("username", "u1"), ("deleted", "1")];
    let suspended = [("username", "u2"), ("suspended", "1"), ("city", "Caen"), ("interests", "maths")];
    let renamed = [("username", "r3"), ("oldusername", "u3"), ("profile_field_badge", "8"), ("auth", "nologin")];
    let word = [("username", "u4"), ("password", "weak")];
    let moved = [("username", "u5"), ("interests", "maths, go")];
    let first = file(&[&given, &generated, &deleted, &suspended, &renamed, &word, &moved]);
    let changed = [
        ("username", "n1"),
        ("email", "n1bis@example.org"),
        ("password", "weak"),
        ("interests", "chess, go"),
        ("course1", "c2"),
        ("enrolstatus1", "1"),
        ("sysrole1", "-manager"),
    ];
    [first, file(&[&changed]), file(&[&[("username", "n1"), ("deleted", "1")]])]
}

/// A file of cohorts, and files of members with every command.
fn cohort_files() -> [(FileKind, &'static str); 4] {
    [
        (FileKind::Cohorts, "name,idnumber,description,visible,category_path\nH two,h2,T,no,\nFresh,i7,,,Sciences\n"),
        (
            FileKind::CohortMembers,
            "cmd;cidnumber;cname;userid\nadd;i8;Eight;u5\nadd;h1;;u6\ndel;h1;;u2\nsync;i7;;u5\nadd;h2;;u6\n",
        ),
        (FileKind::CohortMembers, "cmd;cidnumber;cname;userid\nfree;i8;;\nadd;i7;Seven;u6\ndelcohort;h2;;\n"),
        (FileKind::CohortMembers, "cmd;cidnumber;userid\ndelcohort;h1;\n"),
    ]
}

async fn users_and_cohorts_need_no_more(mut site: Site) {
    site.registry().await;
    site.set("smtp.enabled", "true");
    site.set("accounts.password_mail", "enrold");
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    give(&mut site, &grants::for_accounts(account.dialect, &account.grantee)).await;
    let engine = &account.engine;
    let mut kinds = BTreeSet::new();
    for text in users_files() {
        let import = site.file_of(&everything(), &text);
        applied(engine, &import, &mut kinds).await;
    }
    let update = Profile { update: Update::File, create_cohorts: true, ..everything() };
    for (at, (kind, text)) in cohort_files().into_iter().enumerate() {
        if at == 3 {
            // The enrolments stay: the methods of the removed cohort are disabled.
            site.plugin_setting("enrol_cohort", "unenrolaction", Some("3")).await;
        }
        let import = site.file_of(&Profile { kind, ..update.clone() }, text);
        applied(engine, &import, &mut kinds).await;
    }
    for kind in [
        "user.add",
        "user-context.add",
        "user.update",
        "user.rename",
        "user.suspend",
        "user.remove",
        "profile-field.add",
        "profile-field.update",
        "profile-field.remove",
        "preference.add",
        "preference.update",
        "preference.remove",
        "tag.add",
        "tag-instance.add",
        "tag-instance.update",
        "tag-instance.remove",
        "cohort.add",
        "cohort.update",
        "cohort.remove",
        "cohort-member.add",
        "cohort-member.remove",
        "enrolment.add",
        "enrolment.suspend",
        "enrolment.remove",
        "role.add",
        "role.remove",
        "group.add",
        "group-member.add",
        "group-member.remove",
        "instance.remove",
        "instance.suspend",
    ] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
    for table in ["sessions", "external_tokens", "user_password_history", "user_password_resets"] {
        let left = if table == "sessions" { 0 } else { 2 };
        assert_eq!(site.count(table).await, left, "{table}");
    }
    assert!(site.count("logstore_standard_log").await > 0 && site.count("cache_flags").await > 0);
    assert_eq!(site.count("enrold_outbox").await, 1, "the generated password");
    dropped(&mut site, engine).await;
    let Engine { database, settings, clock, wait, stop, .. } = engine.clone();
    let front = Front::new(database, settings, clock, wait, Observer::none(), stop);
    let listed = front.cohort(&Who::Operator { account: "test".to_owned() }, "i7").await.unwrap();
    assert_eq!(listed[0].1.len(), 2);
    account.remove(&mut site).await;
}

/// Simulated, then applied with its effects, without an error.
async fn applied(engine: &Engine, import: &Import, kinds: &mut BTreeSet<String>) {
    let rehearsal = engine.import(import, true).await.unwrap_or_else(|error| panic!("simulated: {error}"));
    assert_eq!(rehearsal.state, State::Simulated, "{:?}", rehearsal.problems);
    let report = engine.import(import, false).await.unwrap_or_else(|error| panic!("{error}"));
    assert_applied(&report, State::Done);
    assert_eq!(report.problems.len(), 0, "{:?}", report.problems);
    kinds.extend(report.counts.into_keys());
}

/// A dropped file, whose accounts and roles are looked at more closely.
async fn dropped(site: &mut Site, engine: &Engine) {
    let text = "username,city,course1,role1,interests\nu7,Caen,c1,student,go\n";
    let import = site.file_of(&everything(), text);
    let file = Ok(Dir::open_named(&import.path).unwrap());
    let token = import.path.display().to_string();
    let dropped = Dropped { shown: token.clone(), token, file, again: false };
    let report = engine.import(&Import { dropped: Some(dropped), ..import }, false).await.unwrap();
    assert_applied(&report, State::Done);
}

/// A grant as one statement for each of its rights.
fn parts(grant: &Grant) -> Vec<String> {
    let (rights, rest) = grant.sql.strip_prefix("GRANT ").unwrap().split_once(" ON ").unwrap();
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in rights.chars() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        match letter {
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(letter),
        }
    }
    parts.iter().map(|right| format!("GRANT {} ON {rest}", right.trim())).collect()
}

/// What the doctor says is wrong.
fn errors(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.level == Level::Error);
    errors.map(|finding| finding.text(Locale::En)).collect::<Vec<_>>().join("\n")
}

async fn each_right_is_missed_where_such_files_are_taken(mut site: Site) {
    site.campus().await;
    for name in ["users", "cohorts", "cohort-members"] {
        site.set(&format!("profiles.{name}.kind"), name);
        site.set(&format!("profiles.{name}.enabled"), "false");
    }
    let mut account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    assert!(can_work(&account.examine().await), "who takes no such files needs none of it");
    let settings = (*account.engine.settings).clone();
    for name in ["users", "cohorts", "cohort-members"] {
        let mut settings = settings.clone();
        settings.profiles.get_mut(name).unwrap().enabled = true;
        account.engine.settings = Arc::new(settings);
        let told = errors(&account.examine().await);
        assert!(told.contains("ON mdl_user_preferences"), "{name}: {told}");
    }
    let rights = grants::for_accounts(account.dialect, &account.grantee);
    give(&mut site, &rights).await;
    let findings = account.examine().await;
    assert!(can_work(&findings), "{findings:#?}");
    for (grant, part) in rights.iter().flat_map(|grant| parts(grant).into_iter().map(move |part| (grant, part))) {
        site.conn.command(&revoke(&part)).await.unwrap();
        let findings = account.examine().await;
        assert!(!can_work(&findings), "without: {part}");
        let told = errors(&findings);
        let right = part.split([' ', '(']).nth(1).unwrap();
        assert!(told.contains(right) && told.contains(&format!("mdl_{}", grant.table.unwrap())), "{part}: {told}");
        assert!(told.contains(&grant.sql), "the remedy of: {part}\nis not in: {told}");
        give(&mut site, &account.rights()).await;
        site.conn.command(&grant.sql).await.unwrap();
    }
    assert!(can_work(&account.examine().await));
    account.remove(&mut site).await;
}

/// Without any one of the rights, a run that needs it fails as a whole, names the table and says what to do.
async fn a_file_without_a_right_changes_nothing(mut site: Site) {
    site.registry().await;
    site.plugin_setting("enrol_cohort", "unenrolaction", Some("3")).await;
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let rights = grants::for_accounts(account.dialect, &account.grantee);
    give(&mut site, &rights).await;
    let [text, ..] = users_files();
    let users = site.file_of(&everything(), &text);
    let members = Profile { kind: FileKind::CohortMembers, update: Update::File, ..everything() };
    let members = site.file_of(&members, "cmd;cidnumber;cname;userid\nadd;h2;Other;u6\ndelcohort;h1;;\n");
    let before = site.dump().await;
    for (grant, part) in rights.iter().flat_map(|grant| parts(grant).into_iter().map(move |part| (grant, part))) {
        let table = grant.table.unwrap();
        let import = if ["cohort", "enrol"].contains(&table) { &members } else { &users };
        site.conn.command(&revoke(&part)).await.unwrap();
        let outcome = account.engine.import(import, false).await;
        let told = outcome.map(|report| (part.clone(), report.counts)).unwrap_err().to_string();
        assert!(told.contains(table) && told.contains("doctor --grants"), "{part}: {told}");
        site.nothing_changed(&before, &part).await;
        give(&mut site, &account.rights()).await;
        site.conn.command(&grant.sql).await.unwrap();
    }
    account.remove(&mut site).await;
}
