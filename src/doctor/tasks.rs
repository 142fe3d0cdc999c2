//! Compares enrold's scheduled tasks with Moodle's: work that one of them does, both do, or neither does.
//! It must not run or disable a task; findings say how.

use std::collections::BTreeSet;

use crate::config::{Settings, Target, WhenOff};
use crate::db::{Conn, DbError, Params};
use crate::doctor::finding::{Finding, words};
use crate::moodle::site::Site;
use crate::rules::RULES;
use crate::run::jobs;
use crate::sets::database::DATABASE;

/// One task of enrold and Moodle's tasks for the same work.
struct Job {
    name: &'static str,
    /// The configuration key that leaves its work to Moodle.
    key: String,
    /// Whether the daemon runs it.
    enabled: bool,
    /// Moodle's enabled tasks for it, if their method is enabled too.
    twins: Vec<String>,
}

/// Examines tasks, twins, and the courses that tasks name.
///
/// # Errors
/// The database's error.
pub(super) async fn examine(conn: &mut Conn, site: &Site, settings: &Settings) -> Result<Vec<Finding>, DbError> {
    let enabled = enabled_in_moodle(conn).await?;
    let mut jobs: Vec<Job> = jobs::all().map(|name| job(name, site, settings, &enabled)).collect();
    jobs.extend(source_of_moodle(site, settings, &enabled));
    let mut told = BTreeSet::new();
    for job in jobs.iter_mut().filter(|job| job.enabled) {
        // Two tasks of enrold may share one of Moodle's, which is reported once.
        job.twins.retain(|twin| told.insert(twin.clone()));
    }
    let mut findings = twice(&jobs);
    findings.push(rules(site, &jobs));
    findings.extend(dropping(site, settings));
    findings.extend(unknown_courses(conn, settings).await?);
    Ok(findings)
}

async fn enabled_in_moodle(conn: &mut Conn) -> Result<BTreeSet<String>, DbError> {
    let sql = "SELECT classname FROM {task_scheduled} WHERE disabled = 0";
    Ok(conn.rows(sql, &Params::new()).await?.iter().map(|row| row.text(0)).collect())
}

fn job(name: &'static str, site: &Site, settings: &Settings, enabled: &BTreeSet<String>) -> Job {
    let twins = jobs::twins(&RULES, site, &[name.to_owned()]).into_iter();
    Job {
        name,
        key: format!("tasks.{name}.enabled"),
        enabled: settings.tasks.get(name).is_some_and(|task| task.enabled),
        twins: twins.filter(|twin| enabled.contains(*twin)).map(str::to_owned).collect(),
    }
}

/// The source that does the work of Moodle's own external-database method.
fn source_of_moodle(site: &Site, settings: &Settings, enabled: &BTreeSet<String>) -> Option<Job> {
    let source = settings.sources.get(DATABASE.name).filter(|source| source.target == Target::Enrolments)?;
    let twins = DATABASE.twins.iter().filter(|twin| site.is_enabled(DATABASE.method) && enabled.contains(**twin));
    Some(Job {
        name: DATABASE.name,
        key: format!("sources.{}.enabled", DATABASE.name),
        enabled: source.enabled,
        twins: twins.map(|twin| (*twin).to_owned()).collect(),
    })
}

/// Work that Moodle does as well: one finding for each task of enrold, or one that there is none.
fn twice(jobs: &[Job]) -> Vec<Finding> {
    let found: Vec<Finding> = jobs.iter().filter(|job| job.enabled && !job.twins.is_empty()).map(twin).collect();
    if found.is_empty() {
        return vec![Finding::ok(
            "twin-task",
            words("none of Moodle's own tasks does the work of an enabled task of enrold", ""),
            words("aucune tâche de Moodle ne fait le travail d'une tâche active d'enrold", ""),
        )];
    }
    found
}

fn twin(job: &Job) -> Finding {
    let list = job.twins.join(", ");
    let commands: Vec<String> =
        job.twins.iter().map(|twin| format!("php admin/cli/scheduled_task.php --disable='{twin}'")).collect();
    let commands = commands.join(" && ");
    let Job { name, key, .. } = job;
    Finding::warning(
        "twin-task",
        words(
            format!(
                "Moodle's own task {list} is enabled: it does the same work as enrold's task {name}, which waits while \
                 it runs"
            ),
            format!(
                "disable it in Site administration > Server > Tasks > Scheduled tasks, or in Moodle's directory, where \
                 its version has the option, as the web user: {commands}; or leave the work to Moodle: {key} = false. \
                 If $CFG->scheduled_tasks in config.php switches it off, enrold cannot see that, and all is well"
            ),
        ),
        words(
            format!(
                "la tâche {list} de Moodle est activée : elle fait le même travail que la tâche {name} d'enrold, qui \
                 attend pendant qu'elle tourne"
            ),
            format!(
                "désactivez-la dans Administration du site > Serveur > Tâches > Tâches programmées ou, dans le \
                 répertoire de Moodle, si sa version connaît l'option, en tant qu'utilisateur web : {commands} ; ou \
                 laissez le travail à Moodle : {key} = false. Si $CFG->scheduled_tasks dans config.php la désactive, \
                 enrold ne peut pas le voir, et tout va bien"
            ),
        ),
    )
}

/// Which rules the daemon enforces, and which not, with the reason.
fn rules(site: &Site, jobs: &[Job]) -> Finding {
    let rules = jobs.iter().filter(|job| RULES.iter().any(|rule| rule.name == job.name));
    let (mut ctx, mut en, mut fr) = (Vec::new(), Vec::new(), Vec::new());
    for job in rules {
        let name = job.name;
        if !site.is_enabled(name) {
            en.push(format!("{name} (not enabled in Moodle)"));
            fr.push(format!("{name} (non activée dans Moodle)"));
        } else if job.enabled {
            ctx.push(name);
        } else if job.twins.is_empty() {
            en.push(format!("{name} (tasks.{name}.enabled = false, and no task of Moodle does it)"));
            fr.push(format!("{name} (tasks.{name}.enabled = false, et aucune tâche de Moodle ne le fait)"));
        } else {
            en.push(format!("{name} (tasks.{name}.enabled = false, Moodle's task does it)"));
            fr.push(format!("{name} (tasks.{name}.enabled = false, la tâche de Moodle le fait)"));
        }
    }
    let list = |names: &[String], none: &str| if names.is_empty() { none.to_owned() } else { names.join(", ") };
    let ctx: Vec<String> = ctx.into_iter().map(str::to_owned).collect();
    Finding::ok(
        "rules",
        words(format!("rules that the daemon keeps true: {}; not: {}", list(&ctx, "none"), list(&en, "none")), ""),
        words(format!("règles que le démon maintient : {} ; pas : {}", list(&ctx, "aucune"), list(&fr, "aucune")), ""),
    )
}

/// Disabled methods whose roles the next run of their rule removes.
fn dropping(site: &Site, settings: &Settings) -> Vec<Finding> {
    let drops = settings
        .tasks
        .iter()
        .filter(|(name, task)| task.enabled && task.when_disabled == WhenOff::DropRoles && !site.is_enabled(name));
    let finding = |name: &String| {
        Finding::warning(
            "roles-dropped",
            words(
                format!(
                    "`{name}` is not enabled in Moodle and tasks.{name}.when_disabled = drop_roles: the roles that it \
                     gave are taken away on the whole site"
                ),
                "as Moodle's own task does; if that is not meant, set it to skip or enable the method",
            ),
            words(
                format!(
                    "`{name}` n'est pas activée dans Moodle et tasks.{name}.when_disabled = drop_roles : les rôles \
                     qu'elle a donnés sont retirés sur tout le site"
                ),
                "comme le fait la tâche de Moodle ; si ce n'est pas voulu, mettez skip ou activez la méthode",
            ),
        )
    };
    drops.map(|(name, _)| finding(name)).collect()
}

/// Short names in `tasks.*.courses` that no course has.
async fn unknown_courses(conn: &mut Conn, settings: &Settings) -> Result<Vec<Finding>, DbError> {
    let named: BTreeSet<&str> = settings.tasks.values().flat_map(|task| &task.courses).map(String::as_str).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = BTreeSet::new();
    conn.each("SELECT shortname FROM {course}", &Params::new(), |row| {
        let name = row.text(0);
        if named.contains(name.as_str()) {
            known.insert(name);
        }
        Ok(())
    })
    .await?;
    let unknown = |name: &&String| !known.contains(*name);
    let findings = settings.tasks.iter().filter_map(|(task, set)| {
        let list: Vec<&str> = set.courses.iter().filter(unknown).map(String::as_str).collect();
        (!list.is_empty()).then(|| {
            let list = list.join(", ");
            Finding::warning(
                "task-courses",
                words(
                    format!("tasks.{task}.courses names short names that no course has: {list}"),
                    "correct them, exactly as Moodle shows them",
                ),
                words(
                    format!("tasks.{task}.courses nomme des noms abrégés qu'aucun cours ne porte : {list}"),
                    "corrigez-les, exactement comme Moodle les affiche",
                ),
            )
        })
    });
    Ok(findings.collect())
}
