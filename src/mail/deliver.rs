//! A round of sending: sends the queued mails that are due by SMTP, each claimed before and marked after in
//! transactions of their own. It must not know what started the round; one process at a time has the lease `mail`.

use std::sync::Arc;
use std::time::Duration;

use lettre::Message;

use crate::clock::{Clock, StopWatch};
use crate::config::Settings;
use crate::db::{Conn, Database, DbError, Params, statement};
use crate::lease::Lease;
use crate::mail::due::{self, Next};
use crate::mail::letter::House;
use crate::mail::message::{Envelope, Sender};
use crate::mail::outbox::state;
use crate::mail::post::{Post, Refused};
use crate::mail::templates::Templates;
use crate::mail::{PASSWORD, password};
use crate::moodle::site::{Site, zone};
use crate::outcome::Round;

/// The lease of the process that sends.
pub const MAIL: &str = "mail";

/// Mails read at a time.
const CHUNK: i64 = 20;
/// The first pause, in seconds, before a mail is tried again; it doubles each time.
const FIRST_PAUSE: i64 = 60;
/// The longest pause, in seconds.
const LONGEST_PAUSE: i64 = 4 * 3_600;
/// How often marking a mail after sending is tried again, a second apart.
const MARKS: u32 = 30;

/// Sends the mails that are due. `None` if mails are off, there is nothing to do, or another process is sending.
///
/// # Errors
/// The database's error. The next round sends what an aborted round had claimed: the server may get that mail twice,
/// with the same Message-ID.
pub async fn deliver(
    database: &Arc<Database>,
    settings: &Settings,
    clock: Clock,
    patience: Option<Duration>,
) -> Result<Option<Round>, DbError> {
    if !settings.smtp.enabled {
        return Ok(None);
    }
    let mut conn = connect(database, settings).await?;
    let ttl = settings.run.lease_ttl.as_secs();
    if !anything(&mut conn, clock.now()).await? {
        conn.close().await;
        return Ok(None);
    }
    Lease::bury(&mut conn, MAIL).await?;
    let Some(lease) = Lease::take(&mut conn, MAIL, ttl).await? else {
        conn.close().await;
        return Ok(None);
    };
    let heart = lease.beat(Arc::clone(database), ttl);
    let watch = StopWatch::start();
    let round = Round::default();
    let mut delivery = Delivery { database, settings, clock, patience, watch, lease: &lease, conn, post: None, round };
    let outcome = delivery.work().await;
    drop(heart);
    // A lease that cannot be released expires by itself.
    drop(lease.release(&mut delivery.conn).await);
    delivery.conn.close().await;
    outcome.map(|()| Some(delivery.round))
}

/// Statements for sending count neither as the run's statements nor as the worker's progress.
async fn connect(database: &Database, settings: &Settings) -> Result<Conn, DbError> {
    database.connect_uncounted(settings.run.lock_timeout).await
}

async fn anything(conn: &mut Conn, now: i64) -> Result<bool, DbError> {
    let sql = "SELECT COUNT(*) FROM {enrold_outbox}
         WHERE (state = :queued AND (due <= :now OR expires < :now)) OR state = :sending";
    Ok(conn.number(sql, &states(now)).await? > 0)
}

fn states(now: i64) -> Params {
    Params::new()
        .with("now", now)
        .with("queued", state::QUEUED)
        .with("sending", state::SENDING)
        .with("sent", state::SENT)
        .with("expired", state::EXPIRED)
        .with("skipped", state::SKIPPED)
}

const REASON: &str = statement(include_str!("deliver.sql"), "reason");
struct Delivery<'a> {
    database: &'a Arc<Database>,
    settings: &'a Settings,
    clock: Clock,
    patience: Option<Duration>,
    watch: StopWatch,
    lease: &'a Lease,
    conn: Conn,
    /// The SMTP session, once there is one.
    post: Option<Post>,
    round: Round,
}

impl Delivery<'_> {
    async fn work(&mut self) -> Result<(), DbError> {
        let site = Site::read(&mut self.conn).await?;
        self.clean(&site).await?;
        match Sender::of(self.settings, &site) {
            Ok(sender) => self.send_all(&site, &sender).await?,
            Err(problem) => self.round.problem = Some(problem),
        }
        if let Some(post) = self.post.take() {
            post.close().await;
        }
        let waiting = "SELECT COUNT(*) FROM {enrold_outbox} WHERE state = :queued";
        self.round.waiting = self.conn.number(waiting, &states(0)).await?.unsigned_abs();
        Ok(())
    }

    async fn send_all(&mut self, site: &Site, sender: &Sender) -> Result<(), DbError> {
        let templates = match Templates::load(self.settings.mail.templates.as_deref()) {
            Ok(templates) => templates,
            Err(bad) => {
                self.round.problem = Some(bad.to_string());
                return Ok(());
            }
        };
        let house = House {
            templates,
            lang: site.config("lang").unwrap_or("en").to_owned(),
            url: self.settings.site.wwwroot.clone(),
            zone: zone(self.settings, Some(site)),
        };
        let mut budget = self.budget().await?;
        while budget > 0 {
            let chunk = due::next(&mut self.conn, self.settings, self.clock.now(), budget.min(CHUNK)).await?;
            if chunk.is_empty() {
                break;
            }
            for next in chunk {
                budget -= 1;
                if self.is_over() || !self.send(&next, &house, sender).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.patience.is_some_and(|patience| u128::from(self.watch.millis()) >= patience.as_millis())
    }

    /// How many mails may be sent now.
    async fn budget(&mut self) -> Result<i64, DbError> {
        let most = i64::from(self.settings.smtp.per_minute);
        if most == 0 {
            return Ok(i64::MAX);
        }
        let params = states(self.clock.now());
        let sql = "SELECT COUNT(*) FROM {enrold_outbox} WHERE state = :sent AND sent > :now - 60";
        Ok((most - self.conn.number(sql, &params).await?).max(0))
    }

    /// Queues again what a crashed sender had claimed, gives up mails that are too old, and skips users who get no
    /// mails: deleted, suspended, without a login, with mails stopped, or without a usable address (as Moodle does).
    async fn clean(&mut self, site: &Site) -> Result<(), DbError> {
        let params = states(self.clock.now());
        self.conn.exec("UPDATE {enrold_outbox} SET state = :queued WHERE state = :sending", &params).await?;
        let give_up = "UPDATE {enrold_outbox} SET state = :expired, message = COALESCE(message, 'not sent in time')
            WHERE state = :queued AND expires < :now";
        self.round.given_up = self.conn.exec(give_up, &params).await?;
        let everybody = matches!(site.config("noemailever"), Some(value) if !matches!(value.trim(), "" | "0"));
        let condition = if everybody {
            "u.id = m.userid AND m.state = :queued"
        } else {
            "u.id = m.userid AND m.state = :queued
             AND (u.deleted <> 0 OR u.suspended <> 0 OR u.auth = 'nologin' OR u.emailstop <> 0
                  OR m.address = '' OR m.address LIKE '%.invalid')"
        };
        let set = [("state", ":skipped"), ("message", REASON)];
        let skip = self.conn.dialect().update_joined("{enrold_outbox}", "m", &set, "{user} u", condition);
        self.round.skipped = self.conn.exec(&skip, &params).await?;
        password::erase(&mut self.conn).await
    }

    /// Sends one mail; false if the round ends here.
    async fn send(&mut self, next: &Next, house: &House, sender: &Sender) -> Result<bool, DbError> {
        let message_id = sender.message_id(&next.mark);
        if !self.claim(next.id, &message_id).await? {
            return Ok(false);
        }
        let envelope = Envelope { message_id: &message_id, now: self.clock.now() };
        let written = match &next.unreadable {
            Some(reason) => Err(reason.clone()),
            None => match next.draft.write(house) {
                Some(letter) => sender.message(&next.draft, &letter, &envelope),
                None => return self.leave_out(next.id).await.map(|()| true),
            },
        };
        let outcome = match written {
            Ok(message) => self.hand_over(&message).await,
            Err(reason) => Err(Refused::ForGood(reason)),
        };
        self.mark(next, &outcome).await?;
        let round = &mut self.round;
        match outcome {
            Ok(()) => round.sent += 1,
            Err(Refused::Later(_)) => round.put_off += 1,
            Err(Refused::ForGood(_)) => round.failed += 1,
            Err(Refused::All(problem)) => {
                round.put_off += 1;
                round.problem = Some(problem);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Marks a claimed mail that has nothing to tell any more.
    async fn leave_out(&mut self, id: i64) -> Result<(), DbError> {
        let params = states(self.clock.now()).with("id", id);
        let sql = "UPDATE {enrold_outbox} SET state = :skipped, message = 'nothing-to-tell' WHERE id = :id";
        self.round.skipped += 1;
        self.conn.exec(sql, &params).await.map(|_| ())
    }

    /// Hands a mail over in the open session, or in a new one.
    async fn hand_over(&mut self, message: &Message) -> Result<(), Refused> {
        if let Some(over) = self.post.take_if(|post| post.is_over()) {
            over.close().await;
        }
        let open = match &mut self.post {
            Some(open) => open,
            None => self.post.insert(Post::open(&self.settings.smtp).await?),
        };
        open.hand_over(message).await
    }

    /// Claims a mail in a transaction that renews the lease, too; false if either is no longer available.
    async fn claim(&mut self, id: i64, message_id: &str) -> Result<bool, DbError> {
        let params = states(self.clock.now()).with("id", id).with("messageid", message_id);
        let sql = "UPDATE {enrold_outbox}
               SET state = :sending, attempts = attempts + 1, messageid = COALESCE(messageid, :messageid)
             WHERE id = :id AND state = :queued";
        self.conn.begin().await?;
        let claiming = async {
            let claimed = self.conn.exec(sql, &params).await? == 1 && self.lease.renew(&mut self.conn).await?;
            if claimed {
                self.conn.commit().await?
            } else {
                self.conn.rollback().await?
            }
            Ok(claimed)
        };
        let outcome = claiming.await;
        if outcome.is_err() {
            // The first error says more than one of the rollback.
            drop(self.conn.rollback().await);
        }
        outcome
    }

    /// Writes the outcome; with `erases`, the password of a mail that was sent is removed in the same transaction.
    async fn marked(&mut self, sql: &str, params: &Params, erases: bool) -> Result<(), DbError> {
        if !erases {
            return self.conn.exec(sql, params).await.map(|_| ());
        }
        self.conn.begin().await?;
        let marking = async {
            self.conn.exec(sql, params).await?;
            password::erase(&mut self.conn).await?;
            self.conn.commit().await
        };
        let outcome = marking.await;
        if outcome.is_err() {
            // The first error says more than one of the rollback.
            drop(self.conn.rollback().await);
        }
        outcome
    }

    /// Records the outcome of a mail. One that was sent must not be sent again: a lost connection is opened again.
    async fn mark(&mut self, next: &Next, outcome: &Result<(), Refused>) -> Result<(), DbError> {
        let now = self.clock.now();
        let params = states(now).with("id", next.id);
        let erases = next.draft.kind == PASSWORD && outcome.is_ok();
        let pause = format!("CASE WHEN attempts > 8 THEN {LONGEST_PAUSE} ELSE {FIRST_PAUSE} * :doubled END");
        let (set, message) = match outcome {
            Ok(()) => ("state = :sent, sent = :now, message = NULL".to_owned(), String::new()),
            Err(Refused::ForGood(reason)) => ("state = :failed, message = :message".to_owned(), reason.clone()),
            Err(Refused::Later(reason) | Refused::All(reason)) => {
                (format!("state = :queued, due = :now + {pause}, message = :message"), reason.clone())
            }
        };
        let params = params.with("failed", state::FAILED).with("message", message).fragment("doubled", doubled());
        let sql = format!("UPDATE {{enrold_outbox}} SET {set} WHERE id = :id");
        let mut tried = 0;
        loop {
            match self.marked(&sql, &params, erases).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() && tried < MARKS => {
                    tried += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if let Ok(fresh) = connect(self.database, self.settings).await {
                        std::mem::replace(&mut self.conn, fresh).close().await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// 1, 2, 4, … by the number of attempts so far.
fn doubled() -> String {
    let cases: String = (1..=8).map(|tried| format!(" WHEN {tried} THEN {}", 1 << (tried - 1))).collect();
    format!("CASE attempts{cases} ELSE 1 END")
}
