//! The lists `enrold participants`, `courses` and `cohorts`: what stands in them, in which order, in which form.
//! It must not change a site by a run.

use std::io::{Cursor, Read};

use enrold::config::CourseKey;
use enrold::front::ParticipantFilter;
use enrold::outcome::{EnrolmentStatus, RunError};
use serde_json::json;

use crate::campus::{course, instance, user};
use crate::faculty::cohort;
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::waiting_commands::who;

on_each_database!(
    the_list_of_a_course,
    people_are_filtered,
    a_course_that_is_named_wrongly,
    spreadsheets_hold_texts_and_dates,
    many_participants_take_no_more_statements,
    courses_and_cohorts_are_listed,
);

const DAY: i64 = 86_400;
/// `u1` to `u6`: last and first names, in another order than that of the list.
const NAMES: [(&str, &str); 6] =
    [("Zola", "Émile"), ("Élie", "Noé"), ("Elie", "Zoé"), ("=Œuvrard", "+33 6"), ("Étienne", "Ève"), ("Abel", "Ana")];

impl Site {
    /// Six participants of `c1`: by hand, by a cohort, by themselves; suspended, ended, not begun.
    async fn listed_people(&mut self) {
        self.campus().await;
        for (number, (last, first)) in (1..).zip(NAMES) {
            let names = format!("lastname = '{last}', firstname = '{first}'");
            self.sql(&format!("UPDATE {{user}} SET {names} WHERE id = {}", user(number))).await;
        }
        self.cohort(1, &[1, 2]).await;
        self.cohort_link(1, 1, "student").await;
        self.instance("self", 1, 1, "student").await;
        let of_cohort = crate::faculty::cohort_instance(1, 1);
        self.enrolled_by(1, of_cohort, 0, (0, 0)).await;
        self.assigned(1, crate::campus::context(1), "student", ("enrol_cohort", of_cohort), 1).await;
        self.enrolled_by(1, instance("manual", 1), 1, (0, 0)).await;
        self.enrolled_by(2, of_cohort, 1, (0, 0)).await;
        self.enrolled_by(3, instance("manual", 1), 0, (NOW - 9 * DAY, NOW - DAY)).await;
        self.has_role(3, 1, "student", "manual").await;
        self.has_role(3, 1, "editingteacher", "manual").await;
        self.enrolled_by(4, instance("manual", 1), 0, (NOW - DAY, NOW + DAY)).await;
        self.has_role(4, 1, "student", "manual").await;
        self.enrolled_by(5, instance("self", 1), 0, (0, 0)).await;
        self.enrolled_by(6, instance("manual", 1), 0, (NOW + DAY, 0)).await;
        self.group(1, 1).await;
        self.group(2, 1).await;
        for number in [1, 2] {
            self.in_group(4, number, ("", 0)).await;
        }
        self.sql("UPDATE {groups} SET name = 'Étoile' WHERE id = (SELECT MIN(g.id) FROM (SELECT id FROM {groups}) g)")
            .await;
        self.insert(
            "user_lastaccess",
            &[("userid", user(4).into()), ("courseid", course(1).into()), ("timeaccess", (NOW - 3600).into())],
        )
        .await;
        self.enrolled(7, 2, "manual").await;
    }

    async fn listed_names(&self, filter: ParticipantFilter) -> String {
        let found = self.front().participants(&who(), (CourseKey::Shortname, "c1"), &filter).await.unwrap();
        found.people.iter().map(|person| person.username.as_str()).collect::<Vec<_>>().join(" ")
    }
}

async fn the_list_of_a_course(mut site: Site) {
    site.listed_people().await;
    let before = site.dump().await;
    let program = Program::on(&site).set("site.timezone=Europe/Paris").set("locale=fr");
    let (code, list) = program.json(&["participants", "c1"]);
    assert_eq!((code, &list["course"]["shortname"], &list["course"]["id"]), (0, &json!("c1"), &json!(course(1))));
    let people = list["participants"].as_array().unwrap();
    let names: Vec<&str> = people.iter().map(|person| person["lastname"].as_str().unwrap()).collect();
    assert_eq!(names, ["=Œuvrard", "Abel", "Elie", "Élie", "Étienne", "Zola"]);
    let zola = &people[5];
    assert_eq!(zola["enrolments"][0]["status"], json!("suspended"));
    assert_eq!((&zola["enrolments"][1]["method"], &zola["last_access"]), (&json!("cohort"), &json!(null)));
    assert_eq!(zola["roles"], json!([{ "shortname": "student", "name": "" }]));
    assert_eq!(people[0]["groups"].as_array().unwrap().len(), 2);
    let csv = program.run(&["participants", "c1", "--csv"]).ends(0).out;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "Nom de famille,Prénom,Nom d'utilisateur,Numéro d'identification,Adresse de courriel,Rôles,Groupes,Dernier \
         accès au cours,Statut,Méthode,Début de l'inscription,Fin de l'inscription,Inscrit le"
    );
    assert!(lines[1].starts_with("'=Œuvrard,'+33 6,u4,u4,u4@example.com,Étudiant,\""), "{}", lines[1]);
    assert!(lines[1].contains(",2026-11-21 10:00,Active,manual,2026-11-20 11:00,2026-11-22 11:00,"), "{}", lines[1]);
    assert!(
        lines[2].contains(",Aucun rôle,Aucun groupe,Jamais,Non actuelle,manual,2026-11-22 11:00,,"),
        "{}",
        lines[2]
    );
    assert!(lines[3].contains("\"Enseignant, Étudiant\""), "{}", lines[3]);
    assert!(lines[5].contains(",Méthode désactivée,self,"), "{}", lines[5]);
    assert!(lines[6].contains(",Active,\"manual, cohort\",") || lines[6].contains(",Active,\"cohort, manual\","));
    let table = Program::on(&site).run(&["participants", "21", "--course-key", "id"]).ends(0).out;
    assert!(table.starts_with("Last name ") && table.contains("No groups") && table.contains("Never"), "{table}");
    site.nothing_changed(&before, "a list").await;
}

async fn people_are_filtered(mut site: Site) {
    site.listed_people().await;
    let texts = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let filter = ParticipantFilter::default;
    assert_eq!(site.listed_names(filter()).await, "u4 u6 u3 u2 u5 u1");
    assert_eq!(site.listed_names(ParticipantFilter { roles: texts(&["editingteacher"]), ..filter() }).await, "u3");
    assert_eq!(site.listed_names(ParticipantFilter { groups: texts(&["Étoile"]), ..filter() }).await, "u4");
    assert_eq!(site.listed_names(ParticipantFilter { ungrouped: true, ..filter() }).await, "u6 u3 u2 u5 u1");
    assert_eq!(
        site.listed_names(ParticipantFilter { methods: texts(&["cohort", "self"]), ..filter() }).await,
        "u2 u5 u1"
    );
    let active = || vec![EnrolmentStatus::Active];
    assert_eq!(site.listed_names(ParticipantFilter { statuses: active(), ..filter() }).await, "u4 u1");
    // u1 is active by the cohort, and suspended by hand.
    let by_hand = ParticipantFilter { methods: texts(&["manual"]), statuses: active(), ..filter() };
    assert_eq!(site.listed_names(by_hand).await, "u4");
    let program = Program::on(&site);
    let csv = program.run(&["participants", "c1", "--csv", "--status", "suspended", "--status", "not-current"]);
    assert_eq!(csv.ends(0).out.lines().count(), 5);
    program.run(&["participants", "c1", "--status", "gone"]).ends(2).logs(&["method-disabled"]);
    program.run(&["participants", "c1", "--role", "pupil"]).ends(2).logs(&["no role has the short name 'pupil'"]);
    program.run(&["participants", "c1", "--group", "Etoile"]).ends(2).logs(&["there are: ", "Étoile"]);
    program.run(&["participants", "c2", "--group", "x"]).ends(2).logs(&["the course c2 has none"]);
}

async fn a_course_that_is_named_wrongly(mut site: Site) {
    site.listed_people().await;
    let front = site.front();
    let wrong = front.participants(&who(), (CourseKey::Shortname, "C1"), &ParticipantFilter::default()).await;
    let Err(RunError::NoSuchCourse { like, .. }) = wrong else { panic!("{wrong:?}") };
    assert_eq!(like, ["c1"]);
    let program = Program::on(&site);
    program.run(&["participants", "1", "--course-key", "id"]).ends(2).logs(&["no course has the id '1' exactly"]);
    program.run(&["participants", "", "--course-key", "idnumber"]).ends(2);
    site.sql(&format!("UPDATE {{course}} SET idnumber = 'c1' WHERE id = {}", course(2))).await;
    program.run(&["participants", "c1", "--course-key", "idnumber"]).ends(2).logs(&["several courses", "c1, c2"]);
}

/// A file of an archive.
fn unpacked(archive: &[u8], name: &str) -> String {
    let mut text = String::new();
    zip::ZipArchive::new(Cursor::new(archive)).unwrap().by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

async fn spreadsheets_hold_texts_and_dates(mut site: Site) {
    site.listed_people().await;
    let program = Program::on(&site).set("locale=fr");
    let xlsx = program.command(&["participants", "c1", "--xlsx"]).output().unwrap();
    assert!(xlsx.status.success());
    let texts = unpacked(&xlsx.stdout, "xl/sharedStrings.xml");
    assert!(texts.contains("<t>=Œuvrard</t>") && texts.contains("<t>+33 6</t>"), "{texts}");
    let cells = unpacked(&xlsx.stdout, "xl/worksheets/sheet1.xml");
    assert!(!cells.contains("<f>"), "no formula: {cells}");
    assert!(cells.contains("<autoFilter") && cells.contains("state=\"frozen\""), "{cells}");
    // 21 November 2026, 09:00 UTC, as a day number.
    assert!(cells.contains("<v>46347.375</v>"), "{cells}");
    program.run(&["participants", "c1", "--ods", "-o", "liste.ods"]).ends(0);
    let ods = std::fs::read(program.dir.join("liste.ods")).unwrap();
    assert!(ods[30..].starts_with(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "stands first, unpacked");
    let content = unpacked(&ods, "content.xml");
    assert!(content.contains("<text:p>=Œuvrard</text:p>") && !content.contains("table:formula"), "{content}");
    assert!(content.contains("office:date-value=\"2026-11-21T09:00:00\""), "{content}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(program.dir.join("liste.ods")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = program.command(&["participants", "c1", "--ods"]).output().unwrap();
    assert_eq!(again.stdout, ods, "the same list gives the same bytes");
    program.run(&["participants", "c1", "--ods", "--csv"]).ends(2);
    program.run(&["--json", "participants", "c1", "--xlsx"]).ends(2);
    program.run(&["participants", "c1", "--xlsx", "-o", "none/x.xlsx"]).ends(1).logs(&["cannot write none/x.xlsx"]);
}

async fn many_participants_take_no_more_statements(mut site: Site) {
    site.listed_people().await;
    let few = site.statements_of_lists().await;
    site.crowd_in(5000, 300, instance("manual", 1), 0).await;
    assert_eq!(site.statements_of_lists().await, few);
}

impl Site {
    async fn statements_of_lists(&self) -> u64 {
        let (front, database) = (self.front(), self.engine().database);
        let before = database.statements();
        front.participants(&who(), (CourseKey::Shortname, "c1"), &ParticipantFilter::default()).await.unwrap();
        front.courses(&who()).await.unwrap();
        front.cohorts(&who()).await.unwrap();
        database.statements() - before
    }
}

async fn courses_and_cohorts_are_listed(mut site: Site) {
    site.listed_people().await;
    site.insert(
        "course_categories",
        &[("id", 1.into()), ("name", "Sciences".into()), ("depth", 1.into()), ("path", "/1".into())],
    )
    .await;
    let program = Program::on(&site);
    let (_, courses) = program.json(&["courses"]);
    let courses = courses.as_array().unwrap();
    assert_eq!(courses.len(), 3);
    assert_eq!((&courses[0]["shortname"], &courses[0]["participants"]), (&json!("c1"), &json!(6)));
    assert_eq!((&courses[0]["category"], &courses[0]["startdate"]), (&json!("Sciences"), &json!(null)));
    let methods = courses[0]["methods"].as_array().unwrap();
    let of = |name: &str| methods.iter().find(|method| method["method"] == name).unwrap();
    assert_eq!((&of("cohort")["enrolments"], &of("cohort")["enabled"]), (&json!(2), &json!(true)));
    assert_eq!((&of("self")["enrolments"], &of("self")["enabled"]), (&json!(1), &json!(false)));
    let csv = program.run(&["courses", "--csv"]).ends(0).out;
    assert!(csv.starts_with("short name,full name,idnumber,category,visible,starts,ends,participants,methods,id\n"));
    assert!(csv.contains("c1,c1,c1,Sciences,yes,,,6,\"cohort 2, manual 4, self 1 (disabled)\",21\n"), "{csv}");
    program.clone().set("locale=fr").run(&["courses"]).ends(0).says(&["nom abrégé", "self 1 (désactivée)"]);
    let csv = program.run(&["cohorts", "--csv"]).ends(0).out;
    assert!(csv.starts_with("idnumber,name,category,members,methods,visible,component,id\n"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().contains(",2,1,yes,,"), "{csv}");
    let key = cohort(1).to_string();
    let members = program.run(&["cohorts", &key, "--csv"]).ends(0).out;
    assert_eq!(members, "username,idnumber,last name,first name\nu2,u2,Élie,Noé\nu1,u1,Zola,Émile\n");
}
