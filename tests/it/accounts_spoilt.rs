//! Cells of users files that a spreadsheet has changed, and more than a file may give: one bad cell names nobody else.
//! It must not test what sound cells do.

use enrold::config::{FileKind, Operation, Profile, Update};
use enrold::db::Params;

use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_number_with_decimals_names_nobody_else,
    a_spoilt_idnumber_overwrites_nothing,
    too_many_interests_are_refused,
);

fn profile() -> Profile {
    Profile {
        operation: Operation::AddUpdate,
        update: Update::File,
        delete: Some(true),
        rename: Some(true),
        ..Profile::of(FileKind::Users)
    }
}

async fn a_number_with_decimals_names_nobody_else(mut site: Site) {
    site.campus().await;
    for (id, name) in [(900, "7001"), (901, "700100"), (902, "12032026")] {
        let row = [
            ("id", id.into()),
            ("username", name.into()),
            ("email", format!("{name}@x.org").into()),
            ("firstname", "A".into()),
            ("lastname", "B".into()),
            ("confirmed", 1.into()),
            ("mnethostid", 1.into()),
            ("auth", "manual".into()),
        ];
        site.insert("user", &row).await;
    }
    let before = site.dump().await;
    let text = "username;firstname;lastname;email;deleted;oldusername\n7001,00;Z;Z;;;\n7001,00;;;;1;\n12/03/2026;Z;Z;;;\n\
                22612003.0;Z;Z;z@x.org;;\nnew1;;;;;7001,00\n";
    let report = site.users(&profile(), text).await;
    let codes = ["2", "3", "4", "5", "6"].map(|line| format!("{line} username-invalid"));
    assert_eq!(site.errors(&report).await, codes);
    assert!(report.problems.iter().all(|problem| problem.hint == "spreadsheet"), "{:?}", report.problems);
    site.nothing_changed(&before, "spoilt names").await;
}

async fn a_spoilt_idnumber_overwrites_nothing(mut site: Site) {
    site.campus().await;
    let before = site.dump().await;
    let report = site.users(&profile(), "username;idnumber\nu1;2,26E+07\nu2;#REF!\n").await;
    assert_eq!(site.errors(&report).await, ["2 value-invalid", "3 value-invalid"]);
    site.nothing_changed(&before, "spoilt idnumbers").await;
}

async fn too_many_interests_are_refused(mut site: Site) {
    site.campus().await;
    site.insert("config", &[("name", "usetags".into()), ("value", "1".into())]).await;
    let area =
        [("component", "core".into()), ("itemtype", "user".into()), ("enabled", 1.into()), ("tagcollid", 1.into())];
    site.insert("tag_area", &area).await;
    site.reset_sequences().await;
    let many: Vec<String> = (0..101).map(|n| format!("tag{n}")).collect();
    let text = format!("username;interests\nu1;\"{}\"\nu2;\"{}\"\n", many.join(","), many[..100].join(","));
    let report = site.users(&profile(), &text).await;
    assert_eq!(site.errors(&report).await, ["2 value-invalid"]);
    let tags = site.conn.number("SELECT COUNT(*) FROM {tag_instance}", &Params::new()).await.unwrap();
    assert_eq!(tags, 100);
}
