//! The users' own document about participants (seed 002), step by step: what it shows, and what it recommends doing.
//! It must not test other recommendations of it: files of one course and of many, and methods of many courses.

use crate::campus::{context, instance, user};
use crate::faculty::cohort_instance;
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    the_list_of_participants,
    one_course_whole_promotions_by_conversion,
    one_course_any_people_by_renewal,
);

const DAY: i64 = 86_400;

/// The three students of the document's picture, enrolled "via la méthode d'inscription Base de données".
const STUDENTS: [(&str, &str, &str); 3] =
    [("Barner", "Bruce", "55000904"), ("Kyle", "Selina", "55000902"), ("Parker", "Peter", "55000909")];

impl Site {
    async fn ecampus_of_verbs(&mut self) {
        self.campus().await;
        self.instance("database", 1, 0, "student").await;
        for (number, (last, first, key)) in (1..).zip(STUDENTS) {
            self.sql(&format!(
                "UPDATE {{user}} SET lastname = '{last}', firstname = '{first}', username = '{key}', idnumber = '{key}',
                     email = '{key}@etu.unicaen.fr' WHERE id = {}",
                user(number)
            ))
            .await;
            let database = instance("database", 1);
            self.enrolled_by(number, database, 0, (0, 0)).await;
            self.assigned(number, context(1), "student", ("enrol_database", database), 1).await;
        }
        self.reset_sequences().await;
    }
}

/// "Nom de famille / Prénom, Nom d'utilisateur (Compte Numérique), Numéro d'identification, Adresse de courriel, Rôles,
/// Groupes, Dernier accès au cours, Statut": "Vous obtenez la liste complète des participants".
async fn the_list_of_participants(mut site: Site) {
    site.ecampus_of_verbs().await;
    let program = Program::on(&site).set("locale=fr");
    let csv = program.run(&["participants", "c1", "--csv"]).ends(0).out;
    let lines: Vec<&str> = csv.lines().skip(1).collect();
    let shown = [
        "Barner,Bruce,55000904,55000904,55000904@etu.unicaen.fr,Étudiant,Aucun groupe,Jamais,Active,database,",
        "Kyle,Selina,55000902,55000902,55000902@etu.unicaen.fr,Étudiant,Aucun groupe,Jamais,Active,database,",
        "Parker,Peter,55000909,55000909,55000909@etu.unicaen.fr,Étudiant,Aucun groupe,Jamais,Active,database,",
    ];
    assert_eq!(lines.len(), 3);
    for (line, shown) in lines.iter().zip(shown) {
        assert!(line.starts_with(shown), "{line}");
    }
    // "Vous pouvez faire un tri sur le rôle", "exporter une liste d'étudiants d'un cours Moodle".
    program.run(&["participants", "c1", "--role", "student", "--xlsx", "-o", "liste.xlsx"]).ends(0);
    assert!(std::fs::metadata(program.dir.join("liste.xlsx")).unwrap().len() > 1_000);
}

/// "Un seul espace de cours, une ou plusieurs promotions complètes d'étudiants: … Transformation d'inscriptions
/// automatiques en inscriptions manuelles".
async fn one_course_whole_promotions_by_conversion(mut site: Site) {
    site.ecampus_of_verbs().await;
    // "Ils sont inscrits dans les cours par la méthode d'inscription Synchronisation des cohortes."
    site.cohort(1, &[4]).await;
    site.cohort_link(1, 1, "student").await;
    site.enrolled_by(4, cohort_instance(1, 1), 0, (0, 0)).await;
    site.assigned(4, context(1), "student", ("enrol_cohort", cohort_instance(1, 1)), 1).await;
    let program = Program::on(&site).set("guard.mode=hold");
    for method in ["database", "cohort"] {
        program.run(&["convert", "c1", "--from", method, "--simulate"]).ends(0);
        program.run(&["convert", "c1", "--from", method]).ends(0);
    }
    let (_, list) = program.json(&["participants", "c1", "--method", "manual", "--status", "active"]);
    assert_eq!(list["participants"].as_array().unwrap().len(), 4);
    let roles = site.roles().await;
    assert!(roles.len() == 4 && roles.iter().all(|role| role.ends_with("c1 student manual")), "{roles:?}");
    // The students leave APOGÉE: the nightly comparison of the cohort finds nobody, and all stay.
    site.leaves(4, 1).await;
    site.rule_once("cohort").await;
    let (_, list) = program.json(&["participants", "c1", "--status", "active"]);
    assert_eq!(list["participants"].as_array().unwrap().len(), 4);
}

/// "Un ensemble d'usagers ne correspondant pas à une cohorte d'inscription administrative: … renouveler des inscriptions
/// de type auto-inscription ou inscription manuelle".
async fn one_course_any_people_by_renewal(mut site: Site) {
    site.ecampus_of_verbs().await;
    site.instance("self", 1, 0, "student").await;
    site.enrolled_by(5, instance("self", 1), 0, (0, NOW - DAY)).await;
    site.enrolled_by(6, instance("manual", 1), 0, (0, NOW + DAY)).await;
    let program = Program::on(&site);
    program.write("liste.csv", "Numéro\nu5\nu6\n");
    program.run(&["renew", "c1", "--until", "2027-06-30", "--users", "liste.csv"]).ends(4).logs(&[]);
    let (_, list) = program.json(&["participants", "c1", "--method", "self", "--method", "manual"]);
    let people = list["participants"].as_array().unwrap();
    let ends: Vec<_> = people.iter().map(|person| person["enrolments"][0]["timeend"].as_i64().unwrap()).collect();
    assert_eq!(people.len(), 2);
    assert!(ends.iter().all(|end| *end > NOW + 200 * DAY), "{ends:?}");
}
