//! Queues the mail to the operators of a source whose sets have stopped coming, once per period of staleness.
//! It must not send mails or decide that a feed is stale.

use chrono_tz::Tz;

use crate::config::{Locale, Settings, Source};
use crate::db::{Conn, DbError, Params};
use crate::front::{FeedState, Front};
use crate::lease::{self, Lease};
use crate::mail::operators::{self, SOURCE_STALE, Word};
use crate::outcome::Stale;
use crate::report::feed::{moment, stale as sentence};
use crate::sets::Feed;

impl Front {
    /// Queues the mail about a stale feed for the addresses of its source, unless the outbox has it already. False
    /// while another process runs: try again later. Does nothing while `smtp.enabled` is off.
    pub async fn mail_stale(&self, state: &FeedState) -> Result<bool, DbError> {
        let Some(stale) = state.stale else { return Ok(true) };
        let mut conn = self.engine.database.connect().await?;
        let (settings, now) = (&self.engine.settings, self.engine.clock.now());
        let told = notify(&mut conn, settings, &state.feed, stale, state.zone, now).await?;
        conn.close().await;
        Ok(told)
    }
}

async fn notify(
    conn: &mut Conn,
    settings: &Settings,
    feed: &Feed,
    stale: Stale,
    zone: Tz,
    now: i64,
) -> Result<bool, DbError> {
    let Some(source) = settings.sources.get(&feed.source) else { return Ok(true) };
    let mark = format!("{SOURCE_STALE}/{}/{}", feed.source, feed.spell(stale));
    if source.mail_to.is_empty() || !settings.smtp.enabled || is_told(conn, &mark).await? {
        return Ok(true);
    }
    // Rows of the outbox are numbered under the run lease.
    let Some(lease) = Lease::take(conn, lease::RUN, settings.run.lease_ttl.as_secs()).await? else {
        return Ok(false);
    };
    let queued = queue(conn, settings, source, (feed, stale, zone, now), mark, &lease).await;
    if queued.is_err() {
        // The first error is more useful than one of the rollback.
        drop(conn.rollback().await);
    }
    let released = lease.release(conn).await;
    let queued = queued?;
    released.map(|()| queued)
}

async fn is_told(conn: &mut Conn, mark: &str) -> Result<bool, DbError> {
    let sql = "SELECT COUNT(*) FROM {enrold_outbox} WHERE dedupe = :mark";
    Ok(conn.number(sql, &Params::new().with("mark", format!("{mark}/1"))).await? > 0)
}

async fn queue(
    conn: &mut Conn,
    settings: &Settings,
    source: &Source,
    (feed, stale, zone, now): (&Feed, Stale, Tz, i64),
    mark: String,
    lease: &Lease,
) -> Result<bool, DbError> {
    let locale = settings.locale;
    conn.begin().await?;
    // A number that no other mail has and no enrolment instance.
    let letter = -1 - conn.number("SELECT COALESCE(MAX(id), 0) FROM {enrold_outbox}", &Params::new()).await?;
    let word = Word {
        kind: SOURCE_STALE,
        run: feed.run,
        letter,
        mark,
        now,
        subject: subject(&feed.source, locale),
        body: body(feed, source, stale, zone, locale),
        due: now,
        attached: None,
    };
    operators::queue(conn, settings, &source.mail_to, &word).await?;
    let ours = lease.renew(conn).await?;
    if ours {
        conn.commit().await?
    } else {
        conn.rollback().await?
    }
    Ok(ours)
}

fn subject(source: &str, locale: Locale) -> String {
    match locale {
        Locale::En => format!("enrold, source {source}: no new set"),
        Locale::Fr => format!("enrold, source {source} : pas de nouveau lot"),
    }
}

fn body(feed: &Feed, source: &Source, stale: Stale, zone: Tz, locale: Locale) -> String {
    let name = &feed.source;
    let sentence = sentence(stale, zone, locale);
    let last = match (feed.last, locale) {
        (None, Locale::En) => "No good set has been applied so far.".to_owned(),
        (None, Locale::Fr) => "Aucun lot valable n'a été appliqué jusqu'ici.".to_owned(),
        (Some(last), Locale::En) => {
            format!("The last good set was applied on {} (run {}).", moment(last, zone), feed.run)
        }
        (Some(last), Locale::Fr) => {
            format!("Le dernier lot valable a été appliqué le {} (exécution {}).", moment(last, zone), feed.run)
        }
    };
    let files = !source.files.is_empty();
    match locale {
        Locale::En => {
            let look = match files {
                true => {
                    "Look at the system that makes the files, and at the drop directory: does a set wait there, or is \
                     it held?"
                }
                false => "Look at the second database, and whether its rows are still brought up to date.",
            };
            format!(
                "The source {name} is stale: {sentence}.\n{last}\nThe enrolments stay as they are until a new set \
                 comes.\n\n{look}\n'enrold runs' shows held and failed runs, 'enrold tasks' the state of each source. \
                 This mail is not repeated until a new set has come.\n"
            )
        }
        Locale::Fr => {
            let look = match files {
                true => {
                    "Vérifiez le système qui produit les fichiers, et le répertoire de dépôt : un lot y attend-il, ou \
                     est-il retenu ?"
                }
                false => "Vérifiez la seconde base de données, et que ses lignes sont encore mises à jour.",
            };
            format!(
                "La source {name} n'est plus à jour : {sentence}.\n{last}\nLes inscriptions restent telles quelles \
                 jusqu'à l'arrivée d'un nouveau lot.\n\n{look}\n« enrold runs » montre les exécutions suspendues ou en \
                 échec, « enrold tasks » l'état de chaque source. Ce courriel n'est pas répété avant l'arrivée d'un \
                 nouveau lot.\n"
            )
        }
    }
}
