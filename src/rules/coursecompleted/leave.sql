-- statement enrolments in sources
INSERT INTO [to_remove]
SELECT x.id, 0, x.userid, e.courseid, k.id, e.id, COALESCE(e.roleid, 0), 'enrol_' || e.enrol, 0, NULL
  -- Users whom the ledger records as enrolled by an instance that leaves its source.
  FROM (SELECT DISTINCT t.userid, t.source
          FROM [completed] t
          JOIN [chain] h ON h.enrolid = t.enrolid AND h.leaves = 1 AND h.courseid <> h.source
          JOIN {enrold_completion} l ON l.enrolid = t.enrolid AND l.courseid = t.source AND l.userid = t.userid
               AND l.state = 'enrolled'
         WHERE t.verdict = 0) g
  JOIN {enrol} e ON e.courseid = g.source
  JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = g.userid
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  -- Enrolments that this pass has just made (verdict 0), or another writer in its place (3), stay: a circle of courses
  -- leaves no user without one.
  LEFT JOIN [completed] n ON n.enrolid = x.enrolid AND n.userid = x.userid AND n.verdict IN (0, 3)
 WHERE n.enrolid IS NULL AND (:reach) AND x.userid NOT IN (:protected)
