//! The users' document about tool_sync's page of enrolments (seed 003), walked through point by point on the real
//! program: each point is quoted. It must not test what the document does not say.

use enrold::db::Params;

use crate::campus::{course, user};
use crate::mails_queue::with_mails;
use crate::program::{Answer, Program};
use crate::servers::on_each_database;
use crate::site::Site;
use crate::smtp::{Manners, Server};

on_each_database!(the_standard_file, what_names_users_and_courses, teachers_are_told, at_once_or_simulated);

const HEADER: &str = "cmd;rolename;cid;uid;enrol\n";

/// The site of the page, with a profile that names its standard file.
fn page(site: &Site) -> Program {
    Program::on(site).set("profiles.enrols.kind=enrolments").set("profiles.enrols.files=enrols.csv")
}

fn once(program: &Program) -> Answer {
    let inbox = format!("inbox.path={}", program.inbox().display());
    program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"])
}

async fn the_standard_file(mut site: Site) {
    site.campus().await;
    // « Désigner le fichier standard d'alimentation des inscriptions (1) »
    let program = page(&site);
    // « La tâche programmée réagira si elle trouve un fichier de ce nom […]. Sinon elle sautera le traitement. »
    let before = site.dump().await;
    once(&program).ends(0);
    site.nothing_changed(&before, "no file").await;
    // « Vous pouvez alimenter ce fichier dans le répertoire <moodledata>/sync de l'extérieur. Il sera alors récupéré
    // automatiquement […] et exécuté par la tâche automatique. »
    program.drop_file("enrols.csv", format!("{HEADER}add;student;c1;u1;manual\nadd;teacher;c1;u2;manual\n"));
    once(&program).ends(0);
    assert_eq!(site.roles().await, ["u1 c1 student manual", "u2 c1 teacher manual"]);
    // « Si vous optez pour un archivage/suppression des fichiers de commande »
    assert!(program.inbox().join("enrols.csv.done").exists());
    let archiving = program.clone().set("inbox.done_mode=archive");
    archiving.drop_file("enrols.csv", format!("{HEADER}add;student;c1;u3;manual\n"));
    once(&archiving).ends(0);
    let deleting = program.clone().set("inbox.done_mode=delete");
    deleting.drop_file("enrols.csv", format!("{HEADER}add;student;c1;u4;manual\n"));
    once(&deleting).ends(0);
    assert!(!program.inbox().join("enrols.csv").exists());
    assert_eq!(site.enrolments().await.len(), 4);
}

async fn what_names_users_and_courses(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {user} SET idnumber = 'N' || username WHERE username <> 'admin' AND username <> 'guest'").await;
    site.sql("UPDATE {course} SET idnumber = 'I' || shortname WHERE shortname = 'c1'").await;
    site.sql("UPDATE {course} SET idnumber = '' WHERE shortname = 'c2'").await;
    let program = page(&site);
    // « Choisir l'identifiant de référence des utilisateurs (2) » : « L'id numérique Moodle de la base de données »,
    // « le numéro d'identification externe (IDNumber, conseillé) », « l'identifiant de connexion (username) »,
    // « l'adresse de courriel utilisée pour le compte (email) »
    // « Votre fichier CSV doit donc fournir les valeurs conformes à ce choix »
    let id = user(1).to_string();
    for (key, value) in [("id", &*id), ("idnumber", "Nu2"), ("username", "u3"), ("email", "u4@example.com")] {
        let chosen = program.clone().set(&format!("profiles.enrols.user_key={key}"));
        chosen.drop_file("enrols.csv", format!("{HEADER}add;student;c1;{value};manual\nadd;student;c1;?;manual\n"));
        once(&chosen).ends(4);
    }
    let enrolled = |site: Vec<String>| site.iter().map(|one| one[..5].to_owned()).collect::<Vec<_>>();
    assert_eq!(enrolled(site.enrolments().await), ["u1 c1", "u2 c1", "u3 c1", "u4 c1"]);
    // « Choisir l'identifiant de référence pour les cours (3) » : « l'id numérique Moodle », « Le numéro
    // d'identification externe (IDNumber) du cours », « Le nom court du cours (shortname) »
    let id = course(2).to_string();
    for (key, value, who) in [("id", &*id, "u5"), ("idnumber", "Ic1", "u6"), ("shortname", "c3", "u7")] {
        let chosen = program.clone().set(&format!("profiles.enrols.course_key={key}"));
        chosen.drop_file("enrols.csv", format!("{HEADER}add;student;{value};{who};manual\n"));
        once(&chosen).ends(0);
    }
    assert_eq!(enrolled(site.enrolments().await)[4..], ["u5 c2", "u6 c1", "u7 c3"]);
    // « numéro d'identification dont il n'est pas garanti que tous les cours en aient une valeur »
    program.write("ordres.csv", format!("{HEADER}add;student;c2;u8;manual\nadd;student;;u8;manual\n"));
    let words = ["import", "--yes", "--kind", "enrolments", "--course-key", "idnumber", "ordres.csv"];
    let (code, report) = program.json(&words);
    let codes: Vec<_> = report["problems"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect();
    assert_eq!((code, codes), (4, vec!["course-unknown".into(), "empty-identifier".into()]));
}

async fn teachers_are_told(mut site: Site) {
    with_mails(&mut site).await;
    for (who, whither) in [(7, 1), (8, 2)] {
        site.enrolled(who, whither, "manual").await;
        site.has_role(who, whither, "editingteacher", "manual").await;
    }
    let server = Server::start(Manners::default()).await;
    let port = format!("smtp.port={}", server.port);
    let mails = ["smtp.enabled=true", "smtp.security=none", "smtp.from=noreply@example.com", &port];
    let program = mails.into_iter().fold(page(&site), Program::set);
    // « Choisir ou non de notifier les enseignants du cours de l'entrée d'étudiants (4) »
    program.drop_file("enrols.csv", format!("{HEADER}add;student;c1;u1;manual\n"));
    once(&program).ends(0);
    program.run(&["mails", "send"]).ends(0);
    assert!(server.taken().is_empty(), "they chose not to");
    // « les “enseignants éditeurs” de ce cours recevront une notification de synthèse leur signalant l'arrivée
    // d'édudiants »
    let telling = program.set("profiles.enrols.tell_teachers=file");
    let students = format!("{HEADER}add;student;c1;u2;manual\nadd;student;c1;u3;manual\nadd;student;c2;u1;manual\n");
    for _ in 0..2 {
        telling.drop_file("enrols.csv", &students);
        once(&telling).ends(0);
        telling.run(&["mails", "send"]).ends(0);
        assert_eq!(server.recipients(), ["u7@example.com", "u8@example.com"], "one each; then nobody came");
    }
}

async fn at_once_or_simulated(mut site: Site) {
    site.campus().await;
    let program = page(&site).set("locale=fr");
    program.write("enrols.csv", format!("{HEADER}add;student;c1;u1;manual\nadd;student;c1;personne;manual\n"));
    let before = site.dump().await;
    // « vous pouvez églament ici opter pour une exécution “simulée” des inscriptions »
    program.run(&["import", "--simulate", "enrols.csv"]).ends(4).says(&["personne"]);
    site.nothing_changed(&before, "simulated").await;
    // « charger et exécuter un fichier d'inscriptions […]. Le rapport d'exécution est alors directement affiché à
    // l'écran. »
    program.run(&["import", "--yes", "enrols.csv"]).ends(4).says(&["ligne 3", "personne"]);
    assert_eq!(site.roles().await, ["u1 c1 student manual"]);
    // « ou alors exécuter interactivement le fichier standard »
    program.drop_file("enrols.csv", format!("{HEADER}shift;teacher;c1;u1;manual\n"));
    let standard = program.inbox().join("enrols.csv");
    program.run(&["import", "--yes", standard.to_str().unwrap()]).ends(0);
    assert_eq!(site.roles().await, ["u1 c1 teacher manual"]);
    let runs = "SELECT COUNT(*) FROM {enrold_run}";
    assert_eq!(site.conn.number(runs, &Params::new()).await.unwrap(), 2, "each is a run, but the simulation");
}
