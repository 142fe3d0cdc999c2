//! Rows of a cohort file that wait for their user, and the waiting ones that the file ends: those whose cohort it
//! empties or removes, and those whom a file that names all members leaves out. It must not apply a row.

use crate::accounts::cohort_files::decide::{Decided, Existing, Named, Target};
use crate::accounts::cohort_files::members::Meant;
use crate::change::context::RunContext;
use crate::config::{CohortKey, Profile, UserKey, Waiting};
use crate::db::table::{int, small, text};
use crate::db::{Bulk, DbError, Field, Table, statement};
use crate::staging::resolve::KEY_WIDTH;
use crate::staging::waiting::{self, Feed, WAITS, Waits};

/// The cohorts all of whose members the file speaks of, by each key that they have; `ckey` is that of the file. Those
/// who wait before `line` leave; with `synced`, those whom the file does not name.
const SPOKEN_COHORT: Table = Table::new(
    "spoken_cohort",
    &[text("placekey", 20), text("pkey", KEY_WIDTH), text("ckey", KEY_WIDTH), int("line"), small("synced")],
);
/// Rows of `enrold_waiting` that end by what the file says of their cohort, with the line that does.
const WAITING_ENDED: Table = Table::new("waiting_ended", &[int("id"), int("line")]);

const LINES: &str = statement(include_str!("waiting.sql"), "rows that wait");
const OF_COHORTS: &str = statement(include_str!("waiting.sql"), "rows of emptied cohorts");
const LEFT_OUT: &str = statement(include_str!("waiting.sql"), "rows left out");

/// The rows of the file to end, as [`Feed::ended`].
const ENDED: &str = "UNION ALL SELECT e.id, e.line, e.line FROM [waiting_ended] e";

/// What a file says.
pub struct Contents<'a> {
    /// Its name, for reports.
    pub source: &'a str,
    /// Whether it came through the drop directory.
    pub dropped: bool,
    /// What is decided about its cohorts.
    pub decided: &'a Decided,
    /// Whether some of its rows may mean anybody.
    pub unread: bool,
}

/// Keeps the `add` and `sync` rows whose only fault is an unknown user, closes rows that the file replaces or ends, and
/// gives the number of rows that wait. Ids never wait: the account or cohort that gets one later is another.
///
/// # Errors
/// The database's error.
pub async fn keep(
    ctx: &mut RunContext<'_>,
    waiting: &Waiting,
    profile: &Profile,
    told: &Contents<'_>,
) -> Result<u64, DbError> {
    ctx.conn.declare(&WAITS);
    if waiting::is_on(waiting) && profile.user_key != UserKey::Id && profile.cohort_key != CohortKey::Id {
        ctx.conn.exec(LINES, &waiting::params(ctx, waiting)).await?;
    }
    let feed = Feed {
        kind: Waits::Member,
        source: told.source,
        dropped: told.dropped,
        user_key: profile.user_key.as_str(),
        place_key: profile.cohort_key.as_str(),
        same: "1 = 1",
        ended: if end(ctx, profile, told).await? { ENDED } else { "" },
        place_code: "cohort-unknown",
    };
    waiting::keep(ctx, waiting, &feed).await
}

/// Makes `waiting_ended`, and says whether it has rows. One statement where nobody waits for a cohort, none where the
/// file speaks of single members only.
async fn end(ctx: &mut RunContext<'_>, profile: &Profile, told: &Contents<'_>) -> Result<bool, DbError> {
    let whole = |named: &&Named| named.deleted || named.freed > 0 || named.synced;
    let cohorts: Vec<&Named> = told.decided.keys.iter().filter(whole).collect();
    let params = ctx.params().with("kindword", Waits::Member.as_str()).with("userkey", profile.user_key.as_str());
    let any = "SELECT COUNT(*) FROM {enrold_waiting} w WHERE w.state = 'waiting' AND w.kind = :kindword";
    if cohorts.is_empty() || ctx.conn.number(any, &params).await? == 0 {
        return Ok(false);
    }
    ctx.conn.declare(&SPOKEN_COHORT);
    let mut rows = Bulk::into(ctx.conn.dialect(), &SPOKEN_COHORT);
    for named in cohorts {
        let line = if named.deleted { i64::MAX } else { i64::try_from(named.freed).unwrap_or(i64::MAX) };
        for (placekey, pkey) in keys_of(named, profile.cohort_key, &told.decided.existing) {
            let fields = [
                Field::Text(placekey.as_str()),
                Field::Text(&pkey),
                Field::Text(&named.key),
                Field::Int(line),
                Field::Int(i64::from(named.synced)),
            ];
            rows.push(ctx.conn, &fields).await?;
        }
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.declare(&WAITING_ENDED);
    let mut ended = ctx.conn.exec(OF_COHORTS, &params).await?;
    if !told.unread && told.decided.keys.iter().any(|named| named.synced) {
        let mut left_out = Vec::new();
        ctx.conn
            .each(LEFT_OUT, &params, |row| {
                left_out.push((row.int(0), row.text(1), row.text(2)));
                Ok(())
            })
            .await?;
        if !left_out.is_empty() {
            let meant = Meant::read(ctx).await?;
            let mut rows = Bulk::into(ctx.conn.dialect(), &WAITING_ENDED);
            for (id, ..) in left_out.iter().filter(|(_, ckey, ukey)| !meant.may_be(ckey, ukey)) {
                rows.push(ctx.conn, &[Field::Int(*id), Field::Int(0)]).await?;
            }
            ended += rows.finish(ctx.conn).await?;
        }
    }
    Ok(ended > 0)
}

/// Each key of a cohort by which somebody may wait for it.
fn keys_of(named: &Named, key: CohortKey, existing: &[Existing]) -> Vec<(CohortKey, String)> {
    let mut keys = vec![(key, named.key.clone())];
    if let Target::Existing(at) = named.target {
        for other in [CohortKey::Idnumber, CohortKey::Name].into_iter().filter(|other| *other != key) {
            keys.push((other, existing[at].was.key(other)));
        }
    }
    keys.retain(|(key, text)| *key != CohortKey::Id && !text.is_empty());
    keys
}
