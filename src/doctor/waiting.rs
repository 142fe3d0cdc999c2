//! Checks the lines that wait for an account or a course: whether they are too many, and whether anything applies them.
//! It must not look for their accounts.

use crate::config::{Settings, WhenDisabled};
use crate::db::{Conn, DbError, Params};
use crate::doctor::finding::{Finding, words};
use crate::moodle::method;
use crate::moodle::site::Site;
use crate::run::jobs::WAITING;

/// From which part of `waiting.max` on they are too many, in percent.
const MANY: i64 = 80;

/// Examines the lines that wait now.
///
/// # Errors
/// The database's error.
pub(super) async fn examine(conn: &mut Conn, settings: &Settings) -> Result<Vec<Finding>, DbError> {
    let waiting = "SELECT COUNT(*) FROM {enrold_waiting} w WHERE w.state = 'waiting'";
    let waiting = conn.number(waiting, &Params::new()).await?;
    if waiting == 0 {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    let most = i64::from(settings.waiting.max);
    if waiting * 100 > most * MANY {
        findings.push(many(waiting, most));
    }
    let of_files = "SELECT COUNT(*) FROM {enrold_waiting} w WHERE w.state = 'waiting' AND w.kind = 'enrolment'";
    let of_files = conn.number(of_files, &Params::new()).await? > 0;
    let is_off = !settings.tasks.get(WAITING).is_some_and(|task| task.enabled);
    let site = Site::read(conn).await?;
    let waits = of_files && settings.flatfile.when_disabled == WhenDisabled::Wait && !site.is_enabled(method::FLATFILE);
    if is_off || waits {
        findings.push(idle(waiting, is_off));
    }
    Ok(findings)
}

fn many(waiting: i64, most: i64) -> Finding {
    Finding::warning(
        "waiting-many",
        words(
            format!("{waiting} lines wait for an account or a course, of at most {most}: beyond that lines fail"),
            "see 'enrold waiting'; drop what is of no use, or raise waiting.max",
        ),
        words(
            format!("{waiting} lignes attendent un compte ou un cours, sur {most} au plus : au-delà elles échouent"),
            "voyez « enrold waiting » ; abandonnez ce qui est inutile, ou relevez waiting.max",
        ),
    )
}

fn idle(waiting: i64, is_off: bool) -> Finding {
    let (en, fr) = match is_off {
        true => (
            ("tasks.waiting.enabled = false", "enable the task, or run 'enrold sync waiting' yourself"),
            ("tasks.waiting.enabled = false", "activez la tâche, ou lancez vous-même « enrold sync waiting »"),
        ),
        false => (
            (
                "the method `flatfile` is not enabled in Moodle",
                "enable \"Flat file (CSV)\" in Site administration > Plugins > Enrolments > Manage enrol plugins",
            ),
            (
                "la méthode `flatfile` n'est pas activée dans Moodle",
                "activez « Fichier plat (CSV) » dans Administration du site > Plugins > Inscriptions > Gérer les \
                 plugins d'inscription",
            ),
        ),
    };
    Finding::warning(
        "waiting-idle",
        words(format!("{waiting} lines wait for an account or a course, and nothing applies them: {}", en.0), en.1),
        words(format!("{waiting} lignes attendent un compte ou un cours, et rien ne les applique : {}", fr.0), fr.1),
    )
}
