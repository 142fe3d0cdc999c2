//! Subscribes users to the forums of their courses as Moodle's observer of role assignments does (spec enrol-core 11).
//! It must not decide rights beyond the capability of the role that was assigned.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::table::int;
use crate::db::{Bulk, Conn, DbError, Field, Params, Table, statement};
use crate::moodle::events::Chunk;
use crate::moodle::site::Site;

/// Which roles are subscribed to which forum.
const SUBSCRIBE: Table = Table::new("subscribe", &[int("forum"), int("courseid"), int("roleid")]);

/// `forum.forcesubscribe` of a forum with initial subscription.
const INITIAL_SUBSCRIPTION: i64 = 2;
/// Effects come after all plans in the journal.
pub const FIRST_SEQ: i64 = 99_000_000_000_000_000;

/// The kinds of change that this module reads and writes: their names in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    /// A role is assigned.
    pub assigned: &'static str,
    /// A user is subscribed to a forum.
    pub subscribed: &'static str,
}

const FORUMS: &str = statement(include_str!("forum.sql"), "forums");
const PLANNED: &str = statement(include_str!("forum.sql"), "planned");
const LOGGED: &str = statement(include_str!("forum.sql"), "logged");

/// Fills `subscribe` with the (forum, role) pairs of the run's courses whose role may be subscribed; false if none.
///
/// # Errors
/// The database's error.
pub async fn prepare(conn: &mut Conn, site: &Site, kinds: Kinds, run: i64) -> Result<bool, DbError> {
    if !["forum", "forum_subscriptions", "course_modules", "modules"].iter().all(|table| site.columns.has_table(table))
    {
        return Ok(false);
    }
    let params = Params::new().with("run", run).with("initial", INITIAL_SUBSCRIPTION).with("assigned", kinds.assigned);
    let forums = conn.rows(FORUMS, &params).await?;
    if forums.is_empty() {
        return Ok(false);
    }
    let roles = conn
        .rows(
            "SELECT DISTINCT c.roleid FROM {enrold_change} c WHERE c.run = :run AND c.kind = :assigned AND c.state = 0",
            &params,
        )
        .await?;
    let allowed = Permissions::read(conn).await?;
    conn.declare_for_session(&SUBSCRIBE).await?;
    let mut bulk = Bulk::into(conn.dialect(), &SUBSCRIBE);
    for forum in &forums {
        for role in roles.iter().filter(|role| allowed.allows(role.int(0), &forum.text(2))) {
            bulk.push(conn, &[Field::Int(forum.int(0)), Field::Int(forum.int(1)), Field::Int(role.int(0))]).await?;
        }
    }
    Ok(bulk.finish(conn).await? > 0)
}

/// Subscribes the users who got such a role in this chunk of the journal and still have it; journals and logs it.
///
/// # Errors
/// The database's error.
pub async fn subscribe(conn: &mut Conn, site: &Site, kinds: Kinds, chunk: &Chunk) -> Result<(), DbError> {
    let params = Params::new()
        .with("run", chunk.run)
        .with("now", chunk.now)
        .with("from", chunk.from)
        .with("to", chunk.to)
        .with("actor", site.actor)
        .with("assigned", kinds.assigned)
        .with("subscribed", kinds.subscribed);
    let last = conn
        .number(
            "SELECT COALESCE(MAX(c.seq), :first) FROM {enrold_change} c WHERE c.run = :run AND c.seq > :first",
            &params.clone().with("first", FIRST_SEQ),
        )
        .await?;
    let params = params.with("last", last);
    let planned = conn.exec(PLANNED, &params).await?;
    if planned == 0 {
        return Ok(());
    }
    let insert = conn.dialect().insert_absent(
        "{forum_subscriptions}",
        "userid, forum",
        "SELECT c.userid, c.targetid FROM {enrold_change} c WHERE c.run = :run AND c.seq > :last ORDER BY c.seq",
    );
    conn.exec(&insert, &params).await?;
    if site.logs_events() { log(conn, params).await } else { Ok(()) }
}

async fn log(conn: &mut Conn, params: Params) -> Result<(), DbError> {
    let forum = conn.dialect().to_text("c.targetid");
    let params = params.fragment("forum", forum).with("event", r"\mod_forum\event\subscription_created");
    conn.exec(LOGGED, &params).await.map(|_| ())
}

/// Which roles may be subscribed: `mod/forum:allowforcesubscribe` per role and context.
struct Permissions(BTreeMap<(i64, i64), i64>);

impl Permissions {
    async fn read(conn: &mut Conn) -> Result<Self, DbError> {
        let rows = conn
            .rows(
                "SELECT roleid, contextid, permission FROM {role_capabilities} WHERE capability = :capability",
                &Params::new().with("capability", "mod/forum:allowforcesubscribe"),
            )
            .await?;
        Ok(Self(rows.iter().map(|row| ((row.int(0), row.int(1)), row.int(2))).collect()))
    }

    /// The permission nearest to the context counts, unless a context above has a prohibition.
    fn allows(&self, role: i64, path: &str) -> bool {
        let contexts: Vec<i64> = path.split('/').filter_map(|id| id.parse().ok()).collect();
        let found: Vec<i64> =
            contexts.iter().rev().filter_map(|context| self.0.get(&(role, *context)).copied()).collect();
        let kinds: BTreeSet<i64> = found.iter().copied().collect();
        !kinds.contains(&-1000) && found.first() == Some(&1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_permission_counts_and_a_prohibition_wins() {
        let map = BTreeMap::from([((5, 1), 1), ((5, 30), -1), ((4, 1), -1000), ((4, 30), 1)]);
        let permissions = Permissions(map);
        assert!(permissions.allows(5, "/1/2/40"));
        assert!(!permissions.allows(5, "/1/2/30/41"));
        assert!(!permissions.allows(4, "/1/30/42"));
        assert!(!permissions.allows(3, "/1/2"));
    }
}
