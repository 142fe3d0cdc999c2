//! The users' document about enrolling many people into one course (seed 000), walked through step by step: each step is
//! quoted. It must not test what the document does not say.

use std::sync::Arc;

use enrold::config::{FileKind, Profile, UserKey};
use enrold::db::Params;
use enrold::outcome::Report;
use enrold::run::Import;

use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(the_document_step_by_step, the_document_on_the_command_line);

/// « Exemple (permet d'inscrire les 4 utilisateurs, de créer les groupes s'ils n'existent pas et les inscrire dedans) »
const EXAMPLE: &str = "55000901,GroupA\n55000902,GroupA\n55000903,GroupB\n55000904,GroupA\n";

impl Site {
    /// The campus, with the accounts of the example.
    async fn ecampus(&mut self) {
        self.campus().await;
        for number in 1..=4 {
            let name = format!("5500090{number}");
            let row = [
                ("id", (900 + number).into()),
                ("username", name.as_str().into()),
                ("idnumber", format!("N{name}").into()),
                ("email", format!("{name}@etu.unicaen.fr").into()),
                ("mnethostid", 1.into()),
                ("confirmed", 1.into()),
            ];
            self.insert("user", &row).await;
        }
        self.reset_sequences().await;
    }

    async fn seed_step(&mut self, profile: &Profile, text: &str) -> (Report, Vec<String>) {
        let report = self.users(profile, text).await;
        let problems = self.errors(&report).await;
        (report, problems)
    }

    async fn start_again(&mut self) {
        for table in ["groups_members", "user_enrolments", "role_assignments", "groups"] {
            self.sql(&format!("DELETE FROM {{{table}}}")).await;
        }
    }
}

fn participants(course: &str) -> Profile {
    Profile { course: course.to_owned(), ..Profile::of(FileKind::CourseList) }
}

async fn the_document_step_by_step(mut site: Site) {
    site.ecampus().await;
    let creating = Profile { create_groups: true, ..participants("c1") };

    // « Il permet aussi d'inscrire en masse des étudiants dans des groupes et les créer si besoin. »
    let (report, problems) = site.seed_step(&creating, EXAMPLE).await;
    assert!(problems.is_empty() && report.counts["enrolment.add"] == 4 && report.counts["group.add"] == 2);
    let members =
        ["55000901 GroupA manual", "55000902 GroupA manual", "55000903 GroupB manual", "55000904 GroupA manual"];
    assert_eq!(site.group_members().await, members);
    assert!(site.roles().await.iter().all(|role| role.ends_with("c1 student manual")));

    // « Si les utilisateurs possèdent déjà une inscription active (par exemple, par base de données ou par
    // synchronisation de cohorte), cette méthode […] fera seulement l'inscription dans le groupe demandé. »
    site.start_again().await;
    site.instance("database", 1, 0, "student").await;
    site.sql(
        "INSERT INTO {user_enrolments} (status, enrolid, userid, timestart, timeend, modifierid, timecreated, \
              timemodified) VALUES (0, 1301, 901, 0, 0, 2, 1, 1)",
    )
    .await;
    let (report, problems) = site.seed_step(&creating, EXAMPLE).await;
    assert!(problems.is_empty() && report.counts["enrolment.add"] == 3);
    assert!(site.enrolments().await.contains(&"55000901 c1 database".to_owned()));
    assert_eq!(site.group_members().await, members);

    // « si les utilisateurs à inscrire ont des rôles différents […], vous devrez créer 1 fichier par rôle. »
    site.start_again().await;
    site.seed_step(&Profile { role: "teacher".to_owned(), ..creating.clone() }, "55000901\n").await;
    site.seed_step(&creating, "55000902\n").await;
    assert_eq!(site.roles().await, ["55000901 c1 teacher manual", "55000902 c1 student manual"]);

    // « Dans la première colonne, renseigner soit les noms d'utilisateurs, soit les adresses mail, soit les numéros
    // d'étudiants (il n'y a pas d'entête à renseigner sur les colonnes) »
    for (key, value) in
        [(UserKey::Username, "55000903"), (UserKey::Email, "55000903@etu.unicaen.fr"), (UserKey::Idnumber, "N55000903")]
    {
        site.start_again().await;
        let (_, problems) = site.seed_step(&Profile { user_key: key, ..creating.clone() }, value).await;
        assert_eq!((problems.len(), site.enrolments().await), (0, vec!["55000903 c1 manual".to_owned()]));
    }

    // « indiquer le(s) groupe(s) dans lesquels doivent être inscrits les utilisateurs listés. »
    site.start_again().await;
    site.seed_step(
        &creating,
        "55000901;GroupA;Équipe CEMU\n55000902;GRP_M.1LE11CEM Groupe réservé étudiants CEMU-CM\n",
    )
    .await;
    let several = [
        "55000901 GroupA manual",
        "55000901 Équipe CEMU manual",
        "55000902 GRP_M.1LE11CEM Groupe réservé étudiants CEMU-CM manual",
    ];
    assert_eq!(site.group_members().await, several);

    // « le séparateur de champs virgule (,) ou point-virgule (;) »
    site.start_again().await;
    site.seed_step(&creating, &EXAMPLE.replace(',', ";")).await;
    assert_eq!(site.group_members().await, members);

    // « Rôle : Pas d'inscription »
    site.start_again().await;
    let (_, problems) = site.seed_step(&Profile { role: "none".to_owned(), ..creating.clone() }, EXAMPLE).await;
    assert_eq!(problems, [1, 2, 3, 4].map(|line| format!("{line} group-not-enrolled")));
    assert_eq!((site.enrolments().await.len(), site.count("groups").await), (0, 0));

    // « Inscrire dans les groupes : Non »
    let (_, problems) = site.seed_step(&Profile { groups: "none".to_owned(), ..creating.clone() }, EXAMPLE).await;
    assert_eq!((problems.len(), site.enrolments().await.len(), site.count("groups").await), (0, 4, 0));

    // « soit désigner un groupe déjà existant dans l'espace de cours »
    site.start_again().await;
    site.group(1, 1).await;
    site.seed_step(&Profile { groups: "g1".to_owned(), ..creating.clone() }, EXAMPLE).await;
    assert_eq!(site.group_members().await, [1, 2, 3, 4].map(|number| format!("5500090{number} g1 manual")));

    // « Si le(s) groupe(s) pointé(s) existe(nt) déjà […], vous choisirez “Non” à l'option “Créer les groupes”. »
    site.start_again().await;
    site.group(1, 1).await;
    site.sql("UPDATE {groups} SET name = 'GroupA'").await;
    let (_, problems) = site.seed_step(&participants("c1"), EXAMPLE).await;
    assert_eq!(problems, ["3 group-unknown"]);
    assert_eq!((site.enrolments().await.len(), site.group_members().await.len()), (4, 3));

    // « valeur d'identification d'utilisateur non valide : l'utilisateur n'existe pas dans Moodle »
    // « L'identité de l'utilisateur « *** » n'est pas unique. Plusieurs enregistrements trouvés »
    site.start_again().await;
    site.sql("UPDATE {user} SET idnumber = 'N55000902' WHERE id = 901").await;
    let by_number = Profile { user_key: UserKey::Idnumber, ..creating };
    let (_, problems) = site.seed_step(&by_number, "N55000999,GroupA\nN55000902,GroupA\nN55000903,GroupA\n").await;
    assert_eq!(problems, ["1 user-unknown", "2 user-ambiguous"]);
    assert_eq!(site.enrolments().await, ["55000903 c1 manual"]);
}

async fn the_document_on_the_command_line(mut site: Site) {
    site.ecampus().await;
    let program = Program::on(&site).set("locale=fr");
    program.write("liste.csv", EXAMPLE.to_owned() + "nobody\n");
    program.run(&["check", "--kind", "course-list", "liste.csv"]).ends(0).says(&["course-list"]);
    let words = ["import", "--yes", "--kind", "course-list", "--course", "c1", "--create-groups", "liste.csv"];
    let before = site.dump().await;
    program.run(&[&["import", "--simulate"], &words[2..]].concat()).ends(4);
    site.nothing_changed(&before, "simulated").await;
    // « Il donne notamment le numéro de la ligne et un complément d'information »
    program.run(&words).ends(4).says(&["ligne 5", "valeur d'identification d'utilisateur non valide (nobody)"]);
    // « Une fois le fichier importé, les groupes sont créés automatiquement et les étudiants répartis »
    assert_eq!(site.group_members().await.len(), 4);
    program.run(&["import", "--yes", "--kind", "course-list", "liste.csv"]).ends(1).says(&["course-CLE.csv"]);
    program.run(&["import", "--kind", "users", "--course", "c1", "liste.csv"]).ends(2);
    let sync = |name: &str, text: &str| program.drop_file(name, text);
    let inbox = format!("inbox.path={}", program.inbox().display());
    sync("course-c2.20261121.csv", EXAMPLE);
    let once = ["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"];
    program.run(&once).ends(1);
    assert!(program.inbox().join("course-c2.20261121.csv.failed").exists(), "no profile takes it");
    let taking = program.clone().set("profiles.c.kind=course-list");
    sync("course-c2.20261122.csv", "55000901;GroupA\nnobody\n");
    taking.run(&once).ends(4);
    let read = |name: &str| std::fs::read_to_string(program.inbox().join(name)).unwrap();
    assert_eq!(read("course-c2.20261122.csv.retry.csv"), "55000901;GroupA\nnobody\n");
    let texts = program.clone().set("profiles.t.kind=course-text").set("profiles.t.create_groups=yes");
    sync("course-c2.txt", "# TD 1\n55000902@etu.unicaen.fr\n# TD 2\nx@etu.unicaen.fr\n");
    texts.run(&once).ends(4);
    assert_eq!(read("course-c2.txt.retry.csv"), "# TD 1\n# TD 2\nx@etu.unicaen.fr\n");
    let import = Import { profile: Some(Arc::new(participants("c3"))), ..site.write("55000901\n") };
    site.engine().import(&import, false).await.unwrap();
    let sql = "SELECT COUNT(*) FROM {user_enrolments}";
    assert_eq!(site.conn.number(sql, &Params::new()).await.unwrap(), 7);
}
