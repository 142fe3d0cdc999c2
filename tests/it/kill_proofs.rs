//! Invariants after any number of kills: every drop was applied once, the journal accounts for every row, every change
//! has its event once, and nothing of ours is left over. It must not kill anything, nor know what was dropped.

use std::path::Path;

use enrold::db::Params;

use crate::running::names;
use crate::site::Site;

/// Runs that changed the site.
const COMMITTED: &str = "('done', 'done-with-errors')";
/// The possible final states of a run of a drop.
const SETTLED: &str = "('done', 'done-with-errors', 'held', 'approved', 'rejected')";

/// Maps kinds of the journal to the names of Moodle's events.
const EVENT: &str =
    "CASE c.kind WHEN 'instance.add' THEN 'enrol_instance created' WHEN 'enrolment.add' THEN 'user_enrolment created'
    WHEN 'enrolment.update' THEN 'user_enrolment updated' WHEN 'enrolment.suspend' THEN 'user_enrolment updated'
    WHEN 'enrolment.remove' THEN 'user_enrolment deleted' WHEN 'role.add' THEN 'role assigned'
    WHEN 'cohort-member.add' THEN 'cohort_member added' ELSE 'role unassigned' END";

impl Site {
    async fn none(&mut self, sql: &str, what: &str) {
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let found: Vec<String> =
            rows.iter().map(|row| (0..row.0.len()).map(|at| row.text(at)).collect::<Vec<_>>().join(" ")).collect();
        assert!(found.is_empty(), "{what}: {found:?}");
    }

    /// True when no run and no task is under way or waits for its effects.
    pub async fn is_quiet(&mut self) -> bool {
        let sql = "SELECT (SELECT COUNT(*) FROM {enrold_run} WHERE effects = 1 OR state = 'running')
            + (SELECT COUNT(*) FROM {enrold_task} WHERE result = 'running')
            + (SELECT COUNT(*) FROM {enrold_lease} WHERE name = 'run' AND holder <> '')";
        self.conn.number(sql, &Params::new()).await.unwrap() == 0
    }

    /// Enrolments of the flat file with their roles: `u1 c1 student`.
    pub async fn enrolled_as(&mut self) -> Vec<String> {
        let sql = "SELECT u.username, s.shortname, COALESCE(r.shortname, 'no role') FROM {user_enrolments} x
              JOIN {enrol} e ON e.id = x.enrolid JOIN {course} s ON s.id = e.courseid JOIN {user} u ON u.id = x.userid
              JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = s.id
              LEFT JOIN {role_assignments} a ON a.userid = x.userid AND a.contextid = k.id AND a.itemid = e.id
              LEFT JOIN {role} r ON r.id = a.roleid WHERE e.enrol = 'flatfile' AND x.status = 0";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let mut lines: Vec<String> =
            rows.iter().map(|row| format!("{} {} {}", row.text(0), row.text(1), row.text(2))).collect();
        lines.sort();
        lines
    }

    /// The whole history is consistent; the site was empty before it, and this many files were dropped.
    pub async fn each_drop_once(&mut self, drops: usize) {
        let one_per_drop = format!(
            "SELECT token, COUNT(CASE WHEN state IN {SETTLED} THEN 1 END) FROM {{enrold_run}} WHERE token <> ''
              GROUP BY token HAVING COUNT(CASE WHEN state IN {SETTLED} THEN 1 END) <> 1"
        );
        self.none(&one_per_drop, "drops that came to no run, or to more than one").await;
        let count = "SELECT COUNT(DISTINCT token) FROM {enrold_run} WHERE token <> ''";
        assert_eq!(self.conn.number(count, &Params::new()).await.unwrap(), drops as i64, "tokens");
        let unfinished = "SELECT id, state, effects FROM {enrold_run} WHERE state = 'running' OR effects <> 0";
        self.none(unfinished, "runs that are not finished").await;
        let approvals = format!(
            "SELECT h.id, COUNT(a.id) FROM {{enrold_run}} h LEFT JOIN {{enrold_run}} a ON a.parent = h.id AND a.state IN {COMMITTED}
              WHERE h.state IN ('held', 'approved', 'rejected') GROUP BY h.id, h.state
             HAVING COUNT(a.id) <> CASE WHEN h.state = 'approved' THEN 1 ELSE 0 END"
        );
        self.none(&approvals, "held runs that were not applied once where they were approved").await;
        let strays = format!(
            "SELECT c.run, c.kind FROM {{enrold_change}} c LEFT JOIN {{enrold_run}} r ON r.id = c.run AND r.state IN {COMMITTED} WHERE r.id IS NULL"
        );
        self.none(&strays, "changes of runs that did not commit").await;
        self.journal_is_the_site().await;
        self.each_event_once().await;
        self.none("SELECT name, holder FROM {enrold_lease} WHERE holder <> ''", "leases that are not given back").await;
    }

    async fn journal_is_the_site(&mut self) {
        let enrolments = "SELECT t.userid, t.enrolid, SUM(t.n) FROM
            (SELECT c.userid, c.enrolid, CASE c.kind WHEN 'enrolment.add' THEN 1 ELSE -1 END AS n FROM {enrold_change} c
              WHERE c.state = 0 AND c.kind IN ('enrolment.add', 'enrolment.remove')
             UNION ALL SELECT x.userid, x.enrolid, -1 FROM {user_enrolments} x) t GROUP BY t.userid, t.enrolid HAVING SUM(t.n) <> 0";
        self.none(enrolments, "enrolments that the journal does not account for").await;
        let roles = "SELECT t.userid, t.contextid, t.roleid, SUM(t.n) FROM
            (SELECT c.userid, c.contextid, c.roleid, CASE c.kind WHEN 'role.add' THEN 1 ELSE -1 END AS n FROM {enrold_change} c
              WHERE c.state = 0 AND c.kind IN ('role.add', 'role.remove')
             UNION ALL SELECT a.userid, a.contextid, a.roleid, -1 FROM {role_assignments} a) t
            GROUP BY t.userid, t.contextid, t.roleid HAVING SUM(t.n) <> 0";
        self.none(roles, "roles that the journal does not account for").await;
        let flags = "SELECT name, COUNT(*) FROM {cache_flags} GROUP BY name HAVING COUNT(*) <> 1";
        self.none(flags, "dirty flags that are there twice").await;
    }

    async fn each_event_once(&mut self) {
        let events = format!(
            "SELECT t.event, t.userid, t.courseid, SUM(t.n) FROM
                (SELECT {EVENT} AS event, COALESCE(c.userid, 0) AS userid, c.courseid, 1 AS n FROM {{enrold_change}} c
                  WHERE c.state = 0 AND c.kind IN ('instance.add', 'enrolment.add', 'enrolment.update', 'enrolment.suspend',
                        'enrolment.remove', 'role.add', 'role.remove', 'cohort-member.add')
                 UNION ALL SELECT l.target || ' ' || l.action, COALESCE(l.relateduserid, 0), l.courseid, -1 FROM {{logstore_standard_log}} l) t
              GROUP BY t.event, t.userid, t.courseid HAVING SUM(t.n) <> 0"
        );
        self.none(&events, "events that are missing (above 0) or written twice (below 0)").await;
    }

    /// Exactly one file for each run that changed something.
    pub async fn one_spooled_for_each_run(&mut self, spool: &Path) {
        let changed =
            "SELECT DISTINCT run FROM {enrold_change} WHERE state = 0 AND (userid > 0 OR courseid > 0) ORDER BY run";
        let runs = self.conn.rows(changed, &Params::new()).await.unwrap();
        let expected: Vec<String> = runs.iter().map(|row| format!("{:010}.json", row.int(0))).collect();
        assert_eq!(names(spool), expected, "the hook's spool");
    }
}
