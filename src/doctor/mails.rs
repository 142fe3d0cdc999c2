//! Checks whether mails can leave: instances with welcome mails, the sender, links, and what the server refused.
//! It must not talk to the mail server; `enrold mails test` does.

use crate::config::Settings;
use crate::db::{Conn, DbError, Params};
use crate::doctor::finding::{Finding, words};
use crate::mail::templates::Templates;
use crate::moodle::site::Site;

/// Enabled instances with a welcome mail (spec autoenrol 1, coursecompleted 1).
const WELCOMING: &str = "SELECT COUNT(*) FROM {enrol} e WHERE e.status = 0
    AND ((e.enrol = 'autoenrol' AND e.customint7 > 0) OR (e.enrol = 'coursecompleted' AND e.customint2 > 0))";

const UNDELIVERED: &str = "SELECT COUNT(*) FROM {enrold_outbox} WHERE state IN ('failed', 'given-up')";

/// Examines the settings of mails and, with `outbox`, how many were not delivered.
///
/// # Errors
/// The database's error.
pub(super) async fn examine(conn: &mut Conn, settings: &Settings, outbox: bool) -> Result<Vec<Finding>, DbError> {
    let mut findings = Vec::new();
    if settings.smtp.enabled {
        let site = Site::read(conn).await?;
        findings.push(sender(settings, &site));
        findings.extend(links(settings));
        findings.extend(texts(settings));
    } else {
        let asked = conn.number(WELCOMING, &Params::new()).await?;
        findings.push(off(asked));
    }
    if outbox {
        let undelivered = conn.number(UNDELIVERED, &Params::new()).await?;
        findings.extend((undelivered > 0).then(|| refused(undelivered)));
    }
    Ok(findings)
}

/// Texts of the site that are no mails: while they are wrong, none is sent.
fn texts(settings: &Settings) -> Option<Finding> {
    let bad = Templates::load(settings.mail.templates.as_deref()).err()?;
    Some(Finding::error(
        "mail-texts",
        words(format!("mails are not sent: {bad}"), "correct the file, or remove it: then enrold's text is sent"),
        words(
            format!("aucun courriel n'est envoyé : {bad}"),
            "corrigez le fichier, ou supprimez-le : le texte d'enrold est alors envoyé",
        ),
    ))
}

fn off(asked: i64) -> Finding {
    if asked == 0 {
        return Finding::ok("mails", words("mails are off", ""), words("les courriels sont désactivés", ""));
    }
    Finding::warning(
        "mails",
        words(
            format!("mails are off, and {asked} enrolment instance(s) ask for welcome mails: none is sent"),
            "configure [smtp] and set smtp.enabled, then try 'enrold mails test ADDRESS'",
        ),
        words(
            format!(
                "les courriels sont désactivés, et {asked} instance(s) demandent un message de bienvenue : aucun n'est \
                 envoyé"
            ),
            "configurez [smtp] et smtp.enabled, puis essayez « enrold mails test ADRESSE »",
        ),
    )
}

fn sender(settings: &Settings, site: &Site) -> Finding {
    let configured = &settings.smtp.from;
    let from = if configured.is_empty() { site.config("noreplyaddress").unwrap_or_default() } else { configured };
    if from.trim().parse::<lettre::Address>().is_ok() {
        let server = format!("{}:{}", settings.smtp.host, settings.smtp.port());
        return Finding::ok(
            "mails",
            words(format!("mails leave from {from} through {server}"), "'enrold mails test ADDRESS' sends one"),
            words(
                format!("les courriels partent de {from} par {server}"),
                "« enrold mails test ADRESSE » en envoie un",
            ),
        );
    }
    Finding::warning(
        "mails",
        words(
            "mails have no sender: neither smtp.from nor Moodle's setting `noreplyaddress` is an address, so all of \
             them wait",
            "set smtp.from to an address of the site's domain",
        ),
        words(
            "les courriels n'ont pas d'expéditeur : ni smtp.from ni le réglage `noreplyaddress` de Moodle n'est une \
             adresse, donc tous attendent",
            "donnez à smtp.from une adresse du domaine du site",
        ),
    )
}

fn links(settings: &Settings) -> Option<Finding> {
    settings.site.wwwroot.is_empty().then(|| {
        Finding::warning(
            "mail-links",
            words(
                "site.wwwroot is not set: mails hold no links to courses and profiles",
                "set it to $CFG->wwwroot of Moodle's config.php",
            ),
            words(
                "site.wwwroot n'est pas défini : les courriels n'ont pas de liens vers les cours et les profils",
                "donnez-lui la valeur de $CFG->wwwroot du fichier config.php de Moodle",
            ),
        )
    })
}

fn refused(undelivered: i64) -> Finding {
    Finding::warning(
        "mails-refused",
        words(
            format!("mails that were refused or given up: {undelivered}"),
            "see 'enrold mails'; once the cause is gone, 'enrold mails retry'",
        ),
        words(
            format!("courriels refusés ou abandonnés : {undelivered}"),
            "voyez « enrold mails » ; une fois la cause levée, « enrold mails retry »",
        ),
    )
}
