//! The day of a digest: its key, by which its rows are found, and when it is due.
//! It must not know what a digest tells.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use crate::clock::midnight;
use crate::db::{Conn, DbError, Literal, Params};
use crate::mail::outbox::state;

/// The key of the next digest after `now` (Unix seconds), and when it is due: at this hour by the clock of the zone.
pub(super) fn next(zone: Tz, hour: u32, now: i64) -> (String, i64) {
    let hour = i64::from(hour) * 3_600;
    let today = midnight(zone, now);
    // The middle of the next day is a moment of that day, whatever the clocks do in between.
    let day = if now < today + hour { today } else { midnight(zone, today + 36 * 3_600) };
    let date = DateTime::from_timestamp(day, 0).unwrap_or_default().with_timezone(&zone);
    (format!("d{:04}{:02}{:02}", date.year(), date.month(), date.day()), day + hour)
}

/// [`next`] for mails of a kind; the one after it, once a mail of the next has left: a run that began before it tells
/// tomorrow what it has changed.
///
/// # Errors
/// The database's error.
pub(super) async fn next_open(
    conn: &mut Conn,
    kind: &str,
    (zone, hour): (Tz, u32),
    now: i64,
) -> Result<(String, i64), DbError> {
    let (key, due) = next(zone, hour, now);
    // One that was tried again is due later: that is how the index finds them.
    let gone = [state::SENDING, state::SENT, state::FAILED, state::EXPIRED, state::SKIPPED];
    let gone: Vec<String> = gone.iter().map(|&state| Literal::word(state).to_string()).collect();
    let params = Params::new().with("kind", kind).with("due", due).with("of", format!("{kind}/{key}/%"));
    let left = "SELECT COUNT(*) FROM {enrold_outbox} o
        WHERE o.state IN (:gone) AND o.due >= :due AND o.kind = :kind AND o.dedupe LIKE :of";
    let params = params.fragment("gone", gone.join(", "));
    Ok(if conn.number(left, &params).await? > 0 { next(zone, hour, due) } else { (key, due) })
}

/// What the keys of the rows begin with that are of this kind and belong to a mail with this key, where the first
/// `parts` of it name both; and whether it is a digest.
pub(super) fn rows_of(kind: &str, dedupe: &str, parts: usize) -> (String, bool) {
    let key: Vec<&str> = dedupe.split('/').skip(1).take(parts).collect();
    let is_digest = key.first().is_some_and(|key| key.starts_with('d'));
    (format!("{kind}/{}/", key.join("/")), is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_comes_at_its_hour() {
        let paris = chrono_tz::Europe::Paris;
        // 21 November 2026, 11:00 in Paris; the clocks went back on 25 October.
        let now = 1_795_255_200;
        assert_eq!(next(paris, 7, now), ("d20261122".to_owned(), now + 20 * 3_600));
        assert_eq!(next(paris, 7, now + 20 * 3_600 - 1).0, "d20261122");
        assert_eq!(next(paris, 7, now + 20 * 3_600).0, "d20261123");
        assert_eq!(next(paris, 12, now), ("d20261121".to_owned(), now + 3_600));
    }

    #[test]
    fn a_mail_finds_its_rows() {
        let of = |dedupe| rows_of("entry", dedupe, 2);
        assert_eq!(of("summary/r12.0/21/107"), ("entry/r12.0/21/".to_owned(), false));
        assert_eq!(of("summary/d20261121/21/107"), ("entry/d20261121/21/".to_owned(), true));
        assert_eq!(rows_of("entry", "lines/d20261121/1", 1).0, "entry/d20261121/");
    }
}
