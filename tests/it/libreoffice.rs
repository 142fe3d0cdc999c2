//! Course lists and files of groups as a real LibreOffice saves them with French settings (`tests/libreoffice`).
//! It must not test texts that no program has written.

use std::sync::Arc;

use enrold::config::{FileKind, Profile};
use enrold::outcome::State;
use enrold::run::Import;

use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a_list_saved_by_libreoffice, groups_saved_by_libreoffice, its_own_formats_are_refused);

fn saved(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/libreoffice/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

impl Site {
    fn as_saved(&mut self, profile: &Profile, name: &str) -> Import {
        Import { profile: Some(Arc::new(profile.clone())), ..self.write(saved(name)) }
    }
}

async fn a_list_saved_by_libreoffice(mut site: Site) {
    site.campus().await;
    let profile = Profile { course: "c1".to_owned(), create_groups: true, ..Profile::of(FileKind::CourseList) };
    for name in ["utf8", "windows-1252", "utf16"] {
        let import = site.as_saved(&profile, &format!("liste-{name}.csv"));
        let report = site.engine().import(&import, false).await.unwrap();
        assert_eq!((report.state, report.errors), (State::Done, 0), "{name}: {:?}", report.problems);
        assert_eq!(report.counts.is_empty(), name != "utf8", "the three are one file");
    }
    let members = [
        "u1 TD 1, mardi manual",
        "u1 Équipe CEMU manual",
        "u2 Groupe de l'après-midi manual",
        "u3 GRP_M.1LE11CEM \"CM\" manual",
        "u3 TD 1; jeudi manual",
        "u4 TD 2 manual",
    ];
    assert_eq!(site.group_members().await, members);
}

async fn groups_saved_by_libreoffice(mut site: Site) {
    site.campus().await;
    let profile = Profile::of(FileKind::Groups);
    for name in ["windows-1252", "utf8", "utf16"] {
        let import = site.as_saved(&profile, &format!("groupes-{name}.csv"));
        let report = site.engine().import(&import, false).await.unwrap();
        assert_eq!((report.state, report.errors), (State::Done, 0), "{name}: {:?}", report.problems);
        assert_eq!(report.counts.is_empty(), name != "windows-1252", "the three are one file");
    }
    let sql =
        "SELECT c.shortname, g.name, COALESCE(g.description, '') FROM {groups} g JOIN {course} c ON c.id = g.courseid";
    let groups = site.lines(sql, |row| [0, 1, 2].map(|at| row.text(at)).join("|")).await;
    assert_eq!(groups, ["c1|TD 2|jeudi, 10 h", "c1|Équipe CEMU|mardi 8 h ; salle « B »", "c2|00123|numéro à zéros"]);
}

async fn its_own_formats_are_refused(mut site: Site) {
    site.campus().await;
    let program = Program::on(&site);
    let before = site.dump().await;
    for name in ["liste.ods", "liste.xlsx"] {
        program.write(name, saved(name));
        let (code, report) = program.json(&["import", "--yes", "--kind", "course-list", "--course", "c1", name]);
        let problem = &report["problems"][0];
        let format = name.rsplit('.').next().unwrap();
        assert_eq!((code, &problem["code"], &problem["value"]), (1, &"spreadsheet".into(), &format.into()), "{report}");
    }
    site.nothing_changed(&before, "files of a spreadsheet program").await;
}
