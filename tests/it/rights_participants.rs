//! The least rights suffice for course lists and course texts: they need none of their own.
//! It must not test what the files do.

use std::sync::Arc;

use enrold::config::{FileKind, Profile, Reactivate, UserKey};
use enrold::db::Dialect;
use enrold::outcome::State;
use enrold::run::Import;

use crate::doctor_rights::{Account, assert_applied, give};
use crate::servers::run_on;
use crate::site::{NOW, Site};

#[test]
fn lists_need_no_more_postgresql() {
    run_on(Dialect::Postgres, lists_need_no_more);
}

#[test]
fn lists_need_no_more_mariadb() {
    run_on(Dialect::Maria, lists_need_no_more);
}

async fn lists_need_no_more(mut site: Site) {
    site.campus().await;
    site.set("smtp.enabled", "true");
    site.enrolled_until(1, 1, "manual", NOW - 1).await;
    site.enrolled(2, 1, "manual").await;
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let list = Profile {
        course: "c1".to_owned(),
        create_groups: true,
        reactivate: Reactivate::Manual,
        ..Profile::of(FileKind::CourseList)
    };
    let text = Profile { kind: FileKind::CourseText, ..list.clone() };
    let by_address = Profile { user_key: UserKey::Email, ..list.clone() };
    for (profile, lines, state) in [
        (&list, "u1;A\nu3;A;B\nnobody\n", State::DoneWithErrors),
        (&by_address, "u4@example.com;A\n", State::Done),
        (&text, "!u2@example.com\n# A\nu5@example.com\n!u3@example.com\n", State::Done),
    ] {
        let import = Import { profile: Some(Arc::new(profile.clone())), ..site.write(lines) };
        for simulate in [true, false] {
            let report = account.engine.import(&import, simulate).await.unwrap();
            let state = if simulate { State::Simulated } else { state };
            assert_applied(&report, state);
        }
    }
    account.remove(&mut site).await;
}
