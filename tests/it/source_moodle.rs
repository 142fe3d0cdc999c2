//! Moodle's own settings of its external-database method as a source: which are used, and what overrides them.

use enrold::config::{AbsentAction, CategoryKey, CourseKey, RoleKey, Source, UserKey};
use enrold::moodle::site::Site as Facts;
use enrold::source::{fetch, fetch_courses, with_moodles_settings};
use secrecy::ExposeSecret;

use crate::campus::set;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(a_site_switches_over_without_retyping, our_own_keys_go_before, what_cannot_be_followed_is_said);

const SETTINGS: [(&str, &str); 23] = [
    ("dbhost", "localhost"),
    ("remoteenroltable", "Records"),
    ("remoteuserfield", " WHO "),
    ("remotecoursefield", "Place"),
    ("remoterolefield", "part"),
    ("remoteotheruserfield", ""),
    ("localuserfield", "username"),
    ("localcoursefield", "shortname"),
    ("localrolefield", "id"),
    ("defaultrole", "5"),
    ("unenrolaction", "3"),
    ("ignorehiddencourses", "1"),
    ("newcoursetable", "newcourses"),
    ("newcoursefullname", "Title"),
    ("newcourseidnumber", ""),
    ("newcoursecategory", "cat"),
    ("newcoursestartdate", "Begins"),
    ("newcourseenddate", ""),
    ("localcategoryfield", "idnumber"),
    ("defaultcategory", "7"),
    ("templatecourse", "Model"),
    ("dbencoding", "utf-8"),
    ("dbsetupsql", ""),
];

impl Site {
    /// A site whose external-database method reads the table `Records` of the same database.
    async fn external(&mut self, settings: &[(&'static str, &'static str)]) {
        self.campus().await;
        for (name, value) in settings {
            self.insert("config_plugins", &set("enrol_database", name, value)).await;
        }
        // A URL in dbtype, as Moodle accepts it, with Moodle's names of the drivers.
        let url = self.engine().settings.database.url.expose_secret().to_owned();
        let url = url
            .replace("postgres://", "postgres9://")
            .replace("mysql://", "mysqli://")
            .replace("mariadb://", "mysqli://");
        let url = url.replace("sqlite:", "sqlite3://").replace("sqlite3:////", "sqlite3:///");
        self.insert("config_plugins", &set("enrol_database", "dbtype", &url)).await;
        self.set("sources.database.enabled", "true");
    }

    async fn completed(&mut self, name: &str) -> Source {
        let facts = Facts::read(&mut self.conn).await.unwrap();
        with_moodles_settings(name, &self.engine().settings.sources[name], &facts).unwrap()
    }
}

async fn a_site_switches_over_without_retyping(mut site: Site) {
    site.external(&SETTINGS).await;
    site.conn.literal("CREATE TABLE Records (Who VARCHAR(9), place VARCHAR(9), part INTEGER)").await.unwrap();
    site.conn.literal("INSERT INTO Records VALUES ('u1', 'c1', 5), ('u2 ', 'c1', NULL)").await.unwrap();
    let source = site.completed("database").await;
    let columns = &source.columns;
    assert_eq!([&columns.user, &columns.course, &columns.role, &columns.other], ["who", "place", "part", ""]);
    assert_eq!(
        (source.user_key, source.course_key, source.role_key),
        (UserKey::Username, CourseKey::Shortname, RoleKey::Id)
    );
    assert_eq!(crate::campus::role(&source.default_role), 5);
    assert_eq!((source.unenrolaction, source.ignore_hidden_courses), (Some(AbsentAction::SuspendNoRoles), Some(true)));
    let courses = &source.courses;
    assert_eq!([&courses.table, &courses.fullname, &courses.shortname], ["newcourses", "title", "shortname"]);
    assert_eq!([&courses.idnumber, &courses.category, &courses.template], ["", "cat", "Model"]);
    assert_eq!([&courses.startdate, &courses.enddate], ["begins", ""]);
    assert_eq!((courses.default_category, courses.category_key), (7, CategoryKey::Idnumber));
    let state = site.engine().settings.state.path.clone();
    let snapshot = fetch("database", &source, &state, NOW).await.unwrap();
    assert_eq!(std::fs::read_to_string(&snapshot.path).unwrap(), "user,course,role\nu1,c1,5\nu2,c1,\n");

    site.conn
        .literal("CREATE TABLE newcourses (TITLE VARCHAR(9), shortname VARCHAR(9), cat INTEGER, BEGINS DATE)")
        .await
        .unwrap();
    let rows = "INSERT INTO newcourses VALUES ('One', 'c8', 3, '2026-09-01'), ('Two', 'c9', NULL, NULL)";
    site.conn.literal(rows).await.unwrap();
    let courses = fetch_courses("database", &source, &state, NOW).await.unwrap().unwrap();
    assert_eq!(
        std::fs::read_to_string(&courses.path).unwrap(),
        "fullname,shortname,category,startdate\nOne,c8,3,2026-09-01\nTwo,c9,,\n"
    );
}

async fn our_own_keys_go_before(mut site: Site) {
    site.external(&SETTINGS).await;
    let here = site.engine().settings.database.url.expose_secret().to_owned();
    for (key, value) in [
        ("url", here.as_str()),
        ("query", "SELECT 1 AS a, 2 AS b"),
        ("columns.user", "A"),
        ("user_key", "idnumber"),
        ("default_role", ""),
        ("unenrolaction", "keep"),
        ("ignore_hidden_courses", "no"),
        ("courses.table", ""),
    ] {
        site.set(&format!("sources.database.{key}"), value);
    }
    let source = site.completed("database").await;
    assert_eq!(source.url.as_ref().unwrap().expose_secret(), here);
    assert_eq!(
        (source.table.as_str(), source.columns.user.as_str(), source.columns.course.as_str()),
        ("", "A", "place")
    );
    assert_eq!((source.user_key, source.course_key), (UserKey::Idnumber, CourseKey::Shortname));
    assert_eq!((source.default_role.as_str(), source.courses.table.as_str()), ("", ""));
    assert_eq!((source.unenrolaction, source.ignore_hidden_courses), (Some(AbsentAction::Keep), Some(false)));

    // Any other source takes only the handling of absent enrolments from Moodle.
    site.set("sources.promo.files", "promo.csv");
    let other = site.completed("promo").await;
    let state = site.engine().settings.state.path.clone();
    assert_eq!(fetch_courses("promo", &other, &state, NOW).await.unwrap(), None);
    assert_eq!((other.unenrolaction, other.ignore_hidden_courses), (Some(AbsentAction::SuspendNoRoles), Some(true)));
    assert_eq!((other.columns.user.as_str(), other.user_key, other.url.is_none()), ("", UserKey::Idnumber, true));
}

async fn what_cannot_be_followed_is_said(mut site: Site) {
    site.external(&[("localuserfield", "phone1"), ("defaultrole", "99")]).await;
    let facts = Facts::read(&mut site.conn).await.unwrap();
    let refused = with_moodles_settings("database", &site.engine().settings.sources["database"], &facts).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Moodle's setting enrol_database/localuserfield: \"phone1\" is no column that enrold can use; correct it there, or set sources.database.user_key"
    );
    site.set("sources.database.user_key", "email");
    let source = site.completed("database").await;
    assert_eq!((source.default_role.as_str(), source.unenrolaction), ("", Some(AbsentAction::Unenrol)));
    let state = site.engine().settings.state.path.clone();
    let told = fetch("database", &source, &state, NOW).await.unwrap_err().to_string();
    assert_eq!(told, "source database: set sources.database.table; without it there is nothing to fetch");
}
