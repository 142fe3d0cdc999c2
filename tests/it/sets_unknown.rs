//! What the rows of a full set protect whose keys match nothing: damaged, like another, or only unknown.
//! It must not test which texts are like which: the module itself does.

use enrold::outcome::{Report, SetReport, State};
use enrold::sets::SetOrder;

use crate::campus::{course, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    damaged_users_keep_their_places,
    a_number_that_lost_digits_protects_the_course,
    damaged_courses_keep_their_users,
    an_ordinary_unknown_key_protects_nobody,
    roles_and_groups_of_whoever_is_meant_stay,
    the_setting_decides_what_is_protected,
    a_refused_row_protects_whom_it_may_mean,
    a_held_set_foresees_who_is_kept,
    nobody_waits_for_an_end_by_a_damaged_key,
    damaged_keys_cost_no_membership,
    no_cohort_is_made_for_a_damaged_key,
    problems_name_the_keys_that_may_be_meant,
    values_in_the_wrong_columns_protect_the_place,
    a_damaged_role_is_not_replaced_by_the_default,
    no_group_is_made_for_a_damaged_name,
    no_course_is_made_for_a_damaged_name,
);

const KEYS: [&str; 5] = ["22612001", "22612002", "22612003", "22612004", "22612005"];

impl Site {
    /// Users with the keys of a register, and the course `c2` with the key `Médecine-P2`.
    async fn register(&mut self) {
        self.records("database").await;
        for (number, key) in (1..).zip(KEYS) {
            self.sql(&format!("UPDATE {{user}} SET idnumber = '{key}' WHERE id = {}", user(number))).await;
        }
        self.sql(&format!("UPDATE {{course}} SET idnumber = 'Médecine-P2' WHERE id = {}", course(2))).await;
    }

    async fn names(&mut self) -> String {
        let lines = self.enrolments().await;
        lines.iter().map(|line| line.replace(" database", "")).collect::<Vec<_>>().join(", ")
    }
}

/// All five in `c1` and the first three in `c2`, each written by `cell(user, course)`.
fn set(cell: impl Fn(&str, &str) -> String) -> String {
    let all = KEYS.iter().map(|key| cell(key, "c1")).chain(KEYS[..3].iter().map(|key| cell(key, "Médecine-P2")));
    format!("user,course\n{}", all.collect::<String>())
}

fn plain(user: &str, course: &str) -> String {
    format!("{user},{course}\n")
}

const EVERYBODY: &str = "u1 c1, u1 c2, u2 c1, u2 c2, u3 c1, u3 c2, u4 c1, u5 c1";

/// Kept, by place.
fn kept(report: &Report) -> Vec<(String, i64)> {
    let places = &report.set.as_ref().unwrap().places;
    let kept = places.iter().filter(|place| place.figures.kept > 0);
    kept.map(|place| (place.name.clone(), place.figures.kept)).collect()
}

async fn damaged_users_keep_their_places(mut site: Site) {
    site.register().await;
    site.full_set("database", &set(plain)).await;
    let report = site
        .full_set(
            "database",
            &set(|user, course| match (user, course) {
                ("22612001", "c1") => "022612001,c1\n".to_owned(),
                ("22612002", "c1") => "22612002.0,c1\n".to_owned(),
                ("22612003", "c1") => "'22612003,c1\n".to_owned(),
                ("22612004", "c1") => "\"=\"\"22612004\"\"\",c1\n".to_owned(),
                ("22612005", "c1") => "２２６１２００５,c1\n".to_owned(),
                // The account keeps the place in the other course, not in this one.
                ("22612001", _) => String::new(),
                _ => plain(user, course),
            }),
        )
        .await;
    assert_eq!(site.names().await, EVERYBODY.replace("u1 c2, ", ""));
    assert_eq!((report.state, report.errors), (State::DoneWithErrors, 5));
    assert_eq!(kept(&report), [("c1".to_owned(), 5)]);
}

async fn a_number_that_lost_digits_protects_the_course(mut site: Site) {
    site.register().await;
    site.full_set("database", &set(plain)).await;
    let rows = "user,course\n22612001,c1\n2.2612E+07,c1\n22612001,Médecine-P2\n22612002,Médecine-P2\n";
    let report = site.full_set("database", rows).await;
    assert_eq!(site.names().await, EVERYBODY.replace(", u3 c2", ""));
    assert_eq!(kept(&report), [("c1".to_owned(), 4)]);
}

async fn damaged_courses_keep_their_users(mut site: Site) {
    site.register().await;
    site.full_set("database", &set(plain)).await;
    for damaged in [
        "MÃ©decine-P2",
        "Me\u{301}decine-P2",
        "Médecine-P2\u{200b}",
        "M&eacute;decine-P2",
        "MŽdecine-P2",
        "M‚decine-P2",
    ] {
        let rows = set(|user, course| plain(user, &course.replace("Médecine-P2", damaged)));
        let report = site.full_set("database", &rows).await;
        assert_eq!(site.names().await, EVERYBODY, "{damaged}");
        assert_eq!(kept(&report), [("c2".to_owned(), 3)], "{damaged}");
    }
    // Like none: whoever is in a course that the set does not name stays, and whoever the row names stays everywhere.
    let rows = "user,course\n22612001,c1\n22612002,M\u{fffd}decine-P2\n22612003,c1\n";
    let report = site.full_set("database", rows).await;
    assert_eq!(site.names().await, "u1 c1, u1 c2, u2 c1, u2 c2, u3 c1, u3 c2");
    assert_eq!(kept(&report), [("c1".to_owned(), 1), ("c2".to_owned(), 3)]);
}

async fn an_ordinary_unknown_key_protects_nobody(mut site: Site) {
    site.register().await;
    site.full_set("database", &set(plain)).await;
    let rows = "user,course\n22612001,c1\n22619999,c1\n22612002,nowhere\n22619999,nowhere\n22612003,\n,c1\n";
    let report = site.full_set("database", rows).await;
    assert_eq!(site.names().await, "u1 c1, u3 c1, u3 c2", "the row without a course protects its user only, as before");
    assert_eq!(kept(&report), [("c1".to_owned(), 1), ("c2".to_owned(), 1)]);
}

async fn roles_and_groups_of_whoever_is_meant_stay(mut site: Site) {
    site.register().await;
    site.group(1, 1).await;
    site.full_set(
        "database",
        "user,course,role,group\n22612001,c1,student,\n22612001,c1,teacher,g1\n22612002,c1,student,g1\n",
    )
    .await;
    let before = (site.roles().await, site.group_members().await);
    let rows = "user,course,role,group\n22612001,c1,student,\n22612001.0,c1,teacher,g1\n022612002,c1,student,g1\n";
    site.full_set("database", rows).await;
    assert_eq!((site.roles().await, site.group_members().await), before);
    site.full_set("database", "user,course,role,group\n22612001,c1,student,\n").await;
    assert_eq!((site.roles().await.len(), site.group_members().await.len()), (1, 0));
}

async fn the_setting_decides_what_is_protected(mut site: Site) {
    site.register().await;
    site.full_set("database", &set(plain)).await;
    site.set("sources.database.unknown_protects", "place");
    let rows = "user,course\n22612001,c1\n22619999,c1\n22612001,Médecine-P2\n22612002,Médecine-P2\n";
    let report = site.full_set("database", rows).await;
    assert_eq!(site.names().await, EVERYBODY.replace(", u3 c2", ""));
    assert_eq!(kept(&report), [("c1".to_owned(), 4)]);
    site.set("sources.database.unknown_protects", "off");
    let rows = "user,course\n22612001,c1\n022612002,c1\n2.2612E+07,c1\n22612001,MÃ©decine-P2\n22612001,M\u{fffd}\n";
    site.full_set("database", rows).await;
    assert_eq!(site.names().await, "u1 c1");
}

async fn a_refused_row_protects_whom_it_may_mean(mut site: Site) {
    site.register().await;
    site.full_set("database", &set(plain)).await;
    let rows =
        "user,course,timeend\n22612001,c1,\n022612002,c1,soon\n22612001,Me\u{301}decine-P2,soon\n22612009,c1,soon\n";
    let report = site.full_set("database", rows).await;
    assert_eq!(site.names().await, "u1 c1, u1 c2, u2 c1, u2 c2, u3 c2");
    assert_eq!((report.errors, kept(&report)), (3, vec![("c1".to_owned(), 1), ("c2".to_owned(), 3)]));
}

async fn a_held_set_foresees_who_is_kept(mut site: Site) {
    site.register().await;
    site.set("guard.mode", "hold");
    site.set("sources.database.unenrolaction", "unenrol");
    site.full_set("database", &set(plain)).await;
    let rows = "user,course\n22612001,c1\n022612002,c1\n22612001,Médecine-P2\n2E+07,Médecine-P2\n";
    let held = site.full_set("database", rows).await;
    assert_eq!(held.state, State::Held);
    let figures = |report: &Report| {
        let SetReport { places, totals, .. } = report.set.clone().unwrap();
        let place = |name: &str| places.iter().find(|place| place.name == name).unwrap().figures;
        (totals.removed, totals.kept, place("c1").kept, place("c2").kept)
    };
    assert!(held.set.as_ref().unwrap().foreseen);
    assert_eq!(figures(&held), (3, 3, 1, 2));
    site.set("guard.mode", "off");
    let report = site.full_set("database", rows).await;
    assert_eq!(figures(&report), figures(&held));
    assert_eq!(site.names().await, "u1 c1, u1 c2, u2 c1, u2 c2, u3 c2");
}

async fn nobody_waits_for_an_end_by_a_damaged_key(mut site: Site) {
    site.register().await;
    site.set("sources.database.removal_grace", "3d");
    site.full_set("database", "user,course\n22612001,c1\n22612002,c1\n22612003,c1\n").await;
    let rows = "user,course\n22612001,c1\n022612002,c1\n";
    site.full_set("database", rows).await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u3 c1 database suspended"]);
    assert_eq!(site.count("enrold_set_absent").await, 1);
    site.at(NOW + 3 * 86_400);
    site.full_set("database", rows).await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database"]);
}

async fn damaged_keys_cost_no_membership(mut site: Site) {
    site.promotions("promo").await;
    site.sql(&format!("UPDATE {{user}} SET idnumber = '22612002' WHERE id = {}", user(2))).await;
    site.cohort(1, &[]).await;
    site.cohort(2, &[]).await;
    let all = "user,cohort\nu1,h1\n22612002,h1\nu3,h1\nu3,h2\nu1,h2\n";
    site.full_set("promo", all).await;
    let report = site.full_set("promo", "user,cohort\nu1,h1\n'22612002,h1\nu3,h2\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u3 h2"]);
    assert_eq!(kept(&report), [("h1".to_owned(), 1)]);
    site.full_set("promo", all).await;
    // The key of the cohort is like one that the set names, too.
    let report = site.full_set("promo", "user,cohort\nu1,h1\nu3,h1\u{ad}\nu3,h2\n2E+07,h2\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u1 h2", "u2 h1", "u3 h1", "u3 h2"]);
    assert_eq!(kept(&report), [("h1".to_owned(), 2), ("h2".to_owned(), 1)]);
    site.full_set("promo", "user,cohort\nu1,h1\nu9999,h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u1 h2", "u3 h2"], "the other cohort is not named");
}

async fn no_cohort_is_made_for_a_damaged_key(mut site: Site) {
    site.promotions("promo").await;
    site.set("sources.promo.create_cohorts", "true");
    site.full_set("promo", "user,cohort\nu1,Prépa 1\nu2,Prépa 1\nu3,L2\n").await;
    let rows = "user,cohort\nu1,Prépa 1\nu2,PrÃ©pa 1\nu3,L2\nu4,L\u{fffd}3\nu5,L4\n";
    let report = site.full_set("promo", rows).await;
    assert_eq!(site.members().await, ["u1 Prépa 1", "u2 Prépa 1", "u3 L2", "u5 L4"]);
    assert_eq!(site.errors(&report).await, ["3 cohort-unknown", "5 cohort-unknown"]);
    site.set("sources.promo.unknown_protects", "off");
    site.full_set("promo", rows).await;
    assert_eq!(site.members().await.len(), 5);
    assert_eq!(site.count("cohort").await, 5);
}

async fn problems_name_the_keys_that_may_be_meant(mut site: Site) {
    site.register().await;
    site.sql(&format!("UPDATE {{user}} SET idnumber = '0022612006' WHERE id = {}", user(6))).await;
    let rows = "22612001.0,c1\n22612006,c1\nnobody,c1\n22612002,MÃ©decine-P2\n22612003,C1\n";
    let report = site.full_set("database", &format!("user,course\n{rows}")).await;
    let hints = ["idnumber 22612001", "idnumber 0022612006", "idnumber", "idnumber Médecine-P2", "idnumber c1"];
    let told = |report: &Report| report.problems.iter().map(|problem| problem.hint.clone()).collect::<Vec<_>>();
    assert_eq!(told(&report), hints);
    assert!(site.enrolments().await.is_empty(), "a hint is no match");
    let lines: String = rows.lines().map(|row| format!("add,student,{row}\n")).collect();
    let report = site.import(&lines).await;
    assert_eq!(told(&report), hints);
    assert!(site.enrolments().await.is_empty());
}

async fn values_in_the_wrong_columns_protect_the_place(mut site: Site) {
    site.register().await;
    site.full_set("database", &set(plain)).await;
    let rows = set(|user, course| match course {
        "c1" => plain(user, course),
        _ => plain(course, user),
    });
    let report = site.full_set("database", &rows).await;
    assert_eq!(site.names().await, EVERYBODY);
    assert_eq!((report.errors, kept(&report)), (3, vec![("c2".to_owned(), 3)]));
}

async fn a_damaged_role_is_not_replaced_by_the_default(mut site: Site) {
    site.register().await;
    let rows = "user,course,role\n22612001,c1,teacher\n22612002,c1,student\n";
    site.full_set("database", rows).await;
    let before = site.roles().await;
    for role in ["teacher\u{200b}", "t\u{ad}eacher", "ｔeacher", "'teacher", "teach\u{fffd}r", "t?acher"] {
        let report = site.full_set("database", &rows.replace("teacher", role)).await;
        assert_eq!(
            (site.roles().await, site.errors(&report).await),
            (before.clone(), vec!["2 role-unknown".to_owned()])
        );
    }
    let report = site.full_set("database", &rows.replace("teacher", "Teacher")).await;
    assert_eq!(report.errors, 0, "values of roles are exact, as in Moodle");
    site.full_set("database", rows).await;
    site.set("sources.database.unknown_protects", "off");
    site.full_set("database", &rows.replace("teacher", "teacher\u{200b}")).await;
    assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 student database"]);
}

async fn no_group_is_made_for_a_damaged_name(mut site: Site) {
    site.register().await;
    site.set("sources.database.create_groups", "true");
    let rows = "user,course,group\n22612001,c1,Été 1\n22612002,c1,G2\n22612002,Médecine-P2,G3\n";
    site.full_set("database", rows).await;
    let before = (site.group_members().await, site.count("groups").await);
    for group in ["E\u{301}te\u{301} 1", "Ã‰tÃ© 1", "été 1", "Été\u{a0}1", "&Eacute;t&eacute; 1"] {
        let report = site.full_set("database", &rows.replace("Été 1", group)).await;
        assert_eq!((site.group_members().await, site.count("groups").await), before, "{group}");
        let told: Vec<_> = report.problems.iter().map(|told| (told.code.as_str(), told.value.as_str())).collect();
        assert_eq!(told, [("group-unknown", group)]);
    }
    // Like one of another course only.
    site.full_set("database", &rows.replace("Été 1", "g3")).await;
    assert_eq!(site.count("groups").await, before.1 + 1);
    site.set("sources.database.unknown_protects", "off");
    site.full_set("database", &rows.replace("Été 1", "G 3")).await;
    assert_eq!(site.count("groups").await, before.1 + 2);
}

async fn no_course_is_made_for_a_damaged_name(mut site: Site) {
    site.catalogue().await;
    site.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
    for (key, value) in
        [("files", "x*.csv"), ("user_key", "username"), ("course_key", "shortname"), ("default_role", "student")]
    {
        site.set(&format!("sources.records.{key}"), value);
    }
    site.sql(&format!("UPDATE {{course}} SET shortname = 'Médecine-P2' WHERE id = {}", course(2))).await;
    let apply = async |site: &mut Site, name: &str| {
        let rows = site.write(format!("user,course\nu1,{name}\nu2,c1\n")).path;
        let table = format!("fullname,shortname,idnumber\nOne,c1,\nTwo,{name},\nThree,New\u{fffd},\nFour,New 4,\n");
        let courses = site.write(table).path;
        let order = SetOrder { snapshot: rows, courses: Some(courses), ..SetOrder::of("records") };
        site.engine().apply_set(&order, false).await.unwrap()
    };
    apply(&mut site, "Médecine-P2").await;
    let before = (site.enrolments().await, site.count("course").await);
    assert_eq!(site.made().await.len(), 2, "the one that was renamed, and the new one");
    for name in ["MÃ©decine-P2", "Me\u{301}decine-P2", "Médecine\u{2011}P2", "M&eacute;decine-P2"] {
        let report = apply(&mut site, name).await;
        let told: Vec<_> = report.problems.iter().map(|told| (told.code.as_str(), told.value.as_str())).collect();
        assert_eq!(told[..2], [("course-name-doubtful", name), ("course-name-doubtful", "New\u{fffd}")]);
        assert_eq!(told[2..], [("course-unknown", name)]);
        assert_eq!((site.enrolments().await, site.count("course").await), before, "{name}");
    }
    site.set("sources.records.unknown_protects", "off");
    apply(&mut site, "Médecine\u{2011}P2").await;
    assert_eq!(site.count("course").await, before.1 + 2);
}
