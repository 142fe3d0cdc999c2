//! Completes a source with the settings of Moodle's external database enrolment plugin (spec database 2).
//! It must not connect; a key that enrold's configuration sets takes precedence over Moodle's setting.

mod connection;

use secrecy::SecretString;

use crate::config::{AbsentAction, CategoryKey, CourseKey, RoleKey, Source, Target, UserKey};
use crate::moodle::site::{RemovalAction, Site};

/// The plugin whose settings are read.
const PLUGIN: &str = "enrol_database";
/// The source that uses all of these settings where its own keys are not set.
const NAME: &str = "database";

/// A Moodle setting that enrold cannot use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MoodleSourceError {
    /// A database that enrold does not support.
    #[error(
        "Moodle's setting enrol_database/dbtype is {driver:?}, a database that enrold does not read: let that database \
         export its view to a CSV file, and name the file in sources.database.files (docs/configuration.md, Sources)"
    )]
    Driver {
        /// The driver's name in Moodle.
        driver: String,
    },
    /// An invalid value.
    #[error("Moodle's setting enrol_database/{setting}: {reason}; correct it there, or set sources.database.{key}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong.
        reason: String,
        /// The key of enrold that takes precedence over it.
        key: &'static str,
    },
}

/// The source, with Moodle's settings for the keys that it does not set.
///
/// `unenrolaction` and `ignore_hidden_courses` come from Moodle for every source, the others for `database` only.
///
/// # Errors
/// A Moodle setting that is needed and cannot be used.
pub fn with_moodles_settings(name: &str, source: &Source, site: &Site) -> Result<Source, MoodleSourceError> {
    let mut source = source.clone();
    source
        .unenrolaction
        .get_or_insert_with(|| absent(site.removal_action(PLUGIN, "unenrolaction", RemovalAction::Unenrol)));
    source.ignore_hidden_courses.get_or_insert_with(|| truth(setting(site, "ignorehiddencourses")));
    if name != NAME || source.target != Target::Enrolments {
        return Ok(source);
    }
    keys(&mut source, site)?;
    source.default_role = chosen(&source, "default_role", || default_role(site), &source.default_role);
    if !source.files.is_empty() {
        return Ok(source);
    }
    if !source.gives("url") {
        source.url = connection::url(&|name| setting(site, name))?.map(SecretString::from);
    }
    if !source.gives("setup") {
        source.setup = filled(setting(site, "dbsetupsql")).map(str::to_owned).into_iter().collect();
    }
    if !source.gives("query") {
        let table = || setting(site, "remoteenroltable").trim().to_owned();
        source.table = chosen(&source, "table", table, &source.table);
    }
    columns(&mut source, site);
    courses(&mut source, site)?;
    Ok(source)
}

/// Moodle's setting; empty if it has no row, as in PHP.
fn setting<'a>(site: &'a Site, name: &str) -> &'a str {
    site.plugin(PLUGIN, name).unwrap_or_default()
}

/// The text without blanks around it; `None` if nothing else is left.
fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// Whether PHP treats the setting as true.
fn truth(text: &str) -> bool {
    !matches!(text.trim(), "" | "0")
}

/// enrold's value if a configuration layer sets the key, else Moodle's.
fn chosen(source: &Source, key: &str, moodles: impl FnOnce() -> String, ours: &str) -> String {
    if source.gives(key) { ours.to_owned() } else { moodles() }
}

fn absent(action: RemovalAction) -> AbsentAction {
    match action {
        RemovalAction::Unenrol => AbsentAction::Unenrol,
        RemovalAction::Keep => AbsentAction::Keep,
        RemovalAction::Suspend => AbsentAction::Suspend,
        RemovalAction::SuspendNoRoles => AbsentAction::SuspendNoRoles,
    }
}

/// Short name of the role whose id Moodle stores; empty if there is no such role (spec database 2).
fn default_role(site: &Site) -> String {
    let id = setting(site, "defaultrole").trim().parse::<i64>().ok();
    let role = site.roles.iter().find(|role| Some(role.id) == id);
    role.map(|role| role.shortname.clone()).unwrap_or_default()
}

/// Sets the columns of Moodle by which the set identifies users, courses and roles.
fn keys(source: &mut Source, site: &Site) -> Result<(), MoodleSourceError> {
    if !source.gives("user_key") {
        source.user_key = word(site, "localuserfield", "user_key", UserKey::from_word, UserKey::Idnumber)?;
    }
    if !source.gives("course_key") {
        source.course_key = word(site, "localcoursefield", "course_key", CourseKey::from_word, CourseKey::Idnumber)?;
    }
    if !source.gives("role_key") {
        source.role_key = word(site, "localrolefield", "role_key", RoleKey::from_word, RoleKey::Shortname)?;
    }
    Ok(())
}

/// A setting with a fixed list of values; Moodle's documented default if it has no row.
fn word<T>(
    site: &Site,
    name: &'static str,
    key: &'static str,
    read: fn(&str) -> Option<T>,
    documented: T,
) -> Result<T, MoodleSourceError> {
    match filled(setting(site, name)) {
        None => Ok(documented),
        Some(text) => read(text).ok_or_else(|| MoodleSourceError::Setting {
            setting: name,
            reason: format!("{text:?} is no column that enrold can use"),
            key,
        }),
    }
}

/// A column name in lower case, as Moodle uses it.
fn column(site: &Site, name: &str) -> String {
    setting(site, name).trim().to_lowercase()
}

fn columns(source: &mut Source, site: &Site) {
    let of = |source: &Source, key, name, ours: &str| chosen(source, key, || column(site, name), ours);
    source.columns.user = of(source, "columns.user", "remoteuserfield", &source.columns.user);
    source.columns.course = of(source, "columns.course", "remotecoursefield", &source.columns.course);
    source.columns.role = of(source, "columns.role", "remoterolefield", &source.columns.role);
    source.columns.other = of(source, "columns.other", "remoteotheruserfield", &source.columns.other);
}

/// Sets the table of courses; a column without a row in Moodle keeps its default, which is Moodle's.
fn courses(source: &mut Source, site: &Site) -> Result<(), MoodleSourceError> {
    let verbatim = |name: &str| setting(site, name).trim().to_owned();
    let documented = |name: &str, ours: &str| match site.plugin(PLUGIN, name) {
        Some(_) => column(site, name),
        None => ours.to_owned(),
    };
    let ours = source.courses.clone();
    let of = |key, name, ours: &str| chosen(source, key, || documented(name, ours), ours);
    let mut courses = ours.clone();
    courses.table = chosen(source, "courses.table", || verbatim("newcoursetable"), &ours.table);
    courses.fullname = of("courses.fullname", "newcoursefullname", &ours.fullname);
    courses.shortname = of("courses.shortname", "newcourseshortname", &ours.shortname);
    courses.idnumber = of("courses.idnumber", "newcourseidnumber", &ours.idnumber);
    courses.category = of("courses.category", "newcoursecategory", &ours.category);
    courses.startdate = of("courses.startdate", "newcoursestartdate", &ours.startdate);
    courses.enddate = of("courses.enddate", "newcourseenddate", &ours.enddate);
    courses.template = chosen(source, "courses.template", || verbatim("templatecourse"), &ours.template);
    if !source.gives("courses.category_key") {
        let read = CategoryKey::from_word;
        courses.category_key = word(site, "localcategoryfield", "courses.category_key", read, CategoryKey::Id)?;
    }
    if !source.gives("courses.default_category")
        && let Some(text) = filled(setting(site, "defaultcategory"))
    {
        courses.default_category = text.parse().map_err(|_| MoodleSourceError::Setting {
            setting: "defaultcategory",
            reason: format!("{text:?} is no course_categories.id"),
            key: "courses.default_category",
        })?;
    }
    source.courses = courses;
    Ok(())
}
