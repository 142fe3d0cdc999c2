//! The least rights to create courses: they suffice, and the doctor reports each of them that is missing.
//! It must not be a test of the courses themselves.

use std::sync::Arc;

use enrold::change::courses::NewCourses;
use enrold::config::Locale;
use enrold::db::Dialect;
use enrold::disk::Dir;
use enrold::doctor::{Finding, Level, can_work, grants};

use crate::course_maker::{make, terms};
use crate::doctor_rights::{Account, give, revoke};
use crate::servers::run_on;
use crate::site::{NOW, Site};

#[test]
fn making_courses_needs_no_more_postgresql() {
    run_on(Dialect::Postgres, making_courses_needs_no_more);
}

#[test]
fn making_courses_needs_no_more_mariadb() {
    run_on(Dialect::Maria, making_courses_needs_no_more);
}

/// Whether the rights suffice, without a finding about the second database of the test.
fn works(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level < Level::Error || finding.code == "source")
}

/// Creating courses needs a few further rights; the doctor reports each missing one only if a source creates courses.
async fn making_courses_needs_no_more(mut site: Site) {
    site.catalogue().await;
    let keys = [("url", "sqlite:other.sqlite"), ("table", "v"), ("columns.user", "u"), ("columns.course", "c")];
    for (key, value) in keys.into_iter().chain([("courses.table", "c")]) {
        site.set(&format!("sources.records.{key}"), value);
    }
    let mut account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let rights = grants::for_courses(account.dialect, &account.grantee);
    give(&mut site, &rights).await;
    let file = Dir::open_named(&site.write("fullname,shortname,idnumber\nA,a,x\nB,b,\n").path).unwrap();
    let mut conn = account.engine.database.connect().await.unwrap();
    let template = NewCourses { template: "c1".to_owned(), ..terms() };
    let made = make(&mut conn, &account.engine, &file, &template, NOW, false).await;
    assert_eq!((made.counts["course.add"], made.counts["course.sort"]), (2, 3));
    conn.close().await;

    assert!(works(&account.examine().await));
    for grant in &rights {
        site.conn.command(&revoke(&grant.sql)).await.unwrap();
        let findings = account.examine().await;
        assert!(!works(&findings), "without: {}", grant.sql);
        let errors = findings.iter().filter(|finding| finding.level == Level::Error);
        let text = errors.map(|finding| finding.text(Locale::En)).collect::<Vec<_>>().join("\n");
        assert!(text.contains(&grant.sql), "the remedy of: {}\nis not in: {text}", grant.sql);
        give(&mut site, &account.rights()).await;
        site.conn.command(&grant.sql).await.unwrap();
    }
    for grant in &rights {
        site.conn.command(&revoke(&grant.sql)).await.unwrap();
    }
    give(&mut site, &account.rights()).await;
    assert!(!works(&account.examine().await));
    let mut settings = (*account.engine.settings).clone();
    settings.sources.clear();
    account.engine.settings = Arc::new(settings);
    assert!(can_work(&account.examine().await), "who makes no courses needs none of it");
    account.remove(&mut site).await;
}
