//! Ends the lines whose time to wait is over, writes them into a file, and queues the daily mail about waiting lines.
//! It must not apply a line, nor tell twice of one that has ended.

use std::sync::Arc;

use chrono::DateTime;
use chrono_tz::Tz;

use crate::config::Settings;
use crate::db::{Conn, DbError, Params};
use crate::disk::blocking;
use crate::fault;
use crate::front::{Front, Who};
use crate::inbox;
use crate::lease::Lease;
use crate::mail::operators::{self, Word};
use crate::mail::waiting::{LISTED, Summary, WAITING_REPORT, Waits};
use crate::outcome::{RunError, RunResult};

/// What a report of waiting lines told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingReport {
    /// Lines whose time is over.
    pub expired: u64,
    /// The files in the drop directory that have them.
    pub files: Vec<String>,
    /// Mails that were queued.
    pub mails: u64,
}

impl Front {
    /// Ends the lines whose time is over, writes those of which no report has told into files beside the reports, and
    /// queues the mail to `waiting.mail_to`. The lines are marked as told in the transaction of the mail, after the
    /// files; if the process dies before, the next report writes the same files again. The inner error is that of the
    /// drop directory: the next report tells of the lines.
    pub async fn report_waiting(&self, who: &Who) -> RunResult<Result<WaitingReport, String>> {
        who.asks("the report of waiting lines");
        let mut conn = self.connect().await?;
        let zone = self.zone_of(&mut conn).await?;
        let lease = self.engine.take_lease(&mut conn).await?;
        let ttl = self.engine.settings.run.lease_ttl.as_secs();
        let heart = lease.beat(Arc::clone(&self.engine.database), ttl);
        let report = Report { settings: &self.engine.settings, lease: &lease, zone, now: self.engine.clock.now() };
        let told = report.carry_out(&mut conn).await;
        if told.is_err() {
            // The first error is more useful than one of the rollback.
            drop(conn.rollback().await);
        }
        drop(heart);
        self.engine.release(conn, &lease).await;
        told
    }
}

struct Report<'a> {
    settings: &'a Settings,
    lease: &'a Lease,
    zone: Tz,
    now: i64,
}

/// The expired lines of which no report has told: those of one form, and when the first of all ended.
struct Untold {
    /// In the name of the file, before its ending.
    of: String,
    /// The header, then the lines.
    records: Vec<Vec<String>>,
    at: i64,
}

impl Report<'_> {
    async fn carry_out(&self, conn: &mut Conn) -> RunResult<Result<WaitingReport, String>> {
        conn.begin().await?;
        let params = Params::new().with("now", self.now);
        let expire = "UPDATE {enrold_waiting} SET state = 'expired', changed = :now, byrun = 0, note = ''
            WHERE state = 'waiting' AND expires <= :now";
        conn.exec(expire, &params).await?;
        self.commit(conn).await?;
        fault::step("waiting-expired");
        let untold = self.untold(conn).await?;
        let at = untold.iter().map(|file| file.at).min().unwrap_or(self.now);
        let mut report = WaitingReport::default();
        for file in &untold {
            report.expired += file.records.len() as u64 - 1;
            let write = || inbox::write_expired(self.settings, (at, self.zone), &file.of, &file.records);
            match blocking(write) {
                Ok(name) => report.files.push(name),
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        fault::step("waiting-written");
        conn.begin().await?;
        report.mails = self.mail(conn, &report).await?;
        conn.exec("UPDATE {enrold_waiting} SET note = 'told' WHERE state = 'expired' AND note = ''", &params).await?;
        self.commit(conn).await?;
        fault::step("waiting-told");
        Ok(Ok(report))
    }

    async fn commit(&self, conn: &mut Conn) -> RunResult<()> {
        if !self.lease.renew(conn).await? {
            return Err(RunError::Fenced);
        }
        Ok(conn.commit().await?)
    }

    /// The expired lines of which no report has told, by the form of file that can name them. Rows of sets are in no
    /// file: the next set has them, or its source has ended.
    async fn untold(&self, conn: &mut Conn) -> Result<Vec<Untold>, DbError> {
        let sql = "SELECT w.kind, w.userkey, w.placekey, w.ukey, w.written, w.pkey, w.roleid, r.shortname, w.timestart,
               w.timeend, w.changed
              FROM {enrold_waiting} w LEFT JOIN {role} r ON r.id = w.roleid
             WHERE w.state = 'expired' AND w.note = '' AND w.kind IN ('enrolment', 'member')
             ORDER BY w.kind, w.userkey, w.placekey, w.run, w.line, w.id";
        let mut files: Vec<Untold> = Vec::new();
        let mut last = None;
        conn.each(sql, &Params::new(), |row| {
            let form = [row.text(0), row.text(1), row.text(2)];
            if last.as_ref() != Some(&form) {
                files.push(self.of_form(&form));
                last = Some(form.clone());
            }
            let (ukey, written, place) = (row.text(3), row.text(4), row.text(5));
            let user = if written.is_empty() { ukey } else { written };
            let time = |at: i64| if at == 0 { String::new() } else { at.to_string() };
            let record = if form[0] == "member" {
                vec!["add".to_owned(), place, user]
            } else {
                let role = if row.is_null(7) { row.int(6).to_string() } else { row.text(7) };
                vec!["add".to_owned(), role, user, place, time(row.int(8)), time(row.int(9))]
            };
            if let Some(file) = files.last_mut() {
                file.records.push(record);
                file.at = file.at.min(row.int(10));
            }
            Ok(())
        })
        .await?;
        Ok(files)
    }

    /// An empty file for lines of a kind that name users and places by these keys.
    fn of_form(&self, [kind, user, place]: &[String; 3]) -> Untold {
        let usual = &self.settings.flatfile.header;
        let is_usual = kind == "enrolment" && user == usual.user_key.as_str() && place == usual.course_key.as_str();
        let (of, header) = match (kind.as_str(), place.as_str()) {
            ("member", "name") => (format!("-members-{user}-{place}"), vec!["cmd", "cname", "userid"]),
            ("member", _) => (format!("-members-{user}-{place}"), vec!["cmd", "cidnumber", "userid"]),
            _ => {
                let of = if is_usual { String::new() } else { format!("-{user}-{place}") };
                let user = if user == "username" { "username" } else { "user" };
                (of, vec!["operation", "role", user, "course", "timestart", "timeend"])
            }
        };
        Untold { of, records: vec![header.into_iter().map(str::to_owned).collect()], at: i64::MAX }
    }

    /// Queues the mail: if lines have expired or were applied since the last one, and while any wait once a day.
    async fn mail(&self, conn: &mut Conn, report: &WaitingReport) -> Result<u64, DbError> {
        let (settings, now) = (self.settings, self.now);
        if settings.waiting.mail_to.is_empty() || !settings.smtp.enabled {
            return Ok(0);
        }
        let params = Params::new().with("kind", WAITING_REPORT);
        let last = "SELECT COALESCE(MAX(o.queued), 0) FROM {enrold_outbox} o WHERE o.kind = :kind";
        let last = conn.number(last, &params).await?;
        let summary = self.summary(conn, report, last).await?;
        let day = |at: i64| DateTime::from_timestamp(at, 0).unwrap_or_default().with_timezone(&self.zone).date_naive();
        let is_news = summary.expired > 0 || summary.applied > 0;
        if !is_news && (summary.waiting == 0 || day(last) == day(now)) {
            return Ok(0);
        }
        // A number that no other mail has and no enrolment instance.
        let letter = -1 - conn.number("SELECT COALESCE(MAX(id), 0) FROM {enrold_outbox}", &params).await?;
        let word = Word {
            kind: WAITING_REPORT,
            run: 0,
            letter,
            mark: format!("{WAITING_REPORT}/{now}"),
            now,
            subject: summary.subject(settings.locale),
            body: summary.body(settings.locale),
            due: now,
            attached: None,
        };
        operators::queue(conn, settings, &settings.waiting.mail_to, &word).await
    }

    /// What the mail tells: the lines that wait, and those that have ended after `last`.
    async fn summary(&self, conn: &mut Conn, report: &WaitingReport, last: i64) -> Result<Summary, DbError> {
        let params = Params::new().with("last", last).with("listed", LISTED as i64);
        let counts = "SELECT w.state, COUNT(*) FROM {enrold_waiting} w
             WHERE w.state = 'waiting' OR w.changed > :last GROUP BY w.state";
        let counts = conn.rows(counts, &params).await?;
        let count = |state: &str| counts.iter().find(|row| row.text(0) == state).map_or(0, |row| row.int(1));
        let next = "SELECT w.userkey, w.ukey, w.written, w.placekey, w.pkey, COALESCE(r.shortname, ''), w.expires,
               CASE WHEN w.file = '' THEN w.source ELSE w.file END, w.line
              FROM {enrold_waiting} w LEFT JOIN {role} r ON r.id = w.roleid
             WHERE w.state = 'waiting' ORDER BY w.expires, w.id LIMIT :listed";
        let next = conn.rows(next, &params).await?;
        let waits = |row: &crate::db::Row| {
            let (ukey, written) = (row.text(1), row.text(2));
            Waits {
                user: (row.text(0), if written.is_empty() { ukey } else { written }),
                place: (row.text(3), row.text(4)),
                role: row.text(5),
                until: row.int(6),
                from: (row.text(7), row.int(8)),
            }
        };
        Ok(Summary {
            waiting: count("waiting"),
            applied: count("applied"),
            superseded: count("superseded"),
            cancelled: count("cancelled"),
            expired: i64::try_from(report.expired).unwrap_or(i64::MAX),
            files: report.files.clone(),
            directory: self.settings.inbox.path.display().to_string(),
            next: next.iter().map(waits).collect(),
            zone: self.zone,
        })
    }
}
