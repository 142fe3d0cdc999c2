-- The rows of files that convert or renew. `l` is a row, `u` its account, `k` its course, `r` a row that can be carried
-- out, `e` an instance, `x` an enrolment, `h` an enrolment that a row concerns.

-- statement usable
(l.ukey = '' OR (u.found = 1 AND u.userid NOT IN (:protected))) AND :known_course

-- statement refused rows
-- The first fault is reported: the account, the course.
SELECT l.line AS number,
       CASE WHEN l.ukey <> '' AND u.found = 0 THEN 'user-unknown'
            WHEN l.ukey <> '' AND u.found > 1 THEN 'user-ambiguous'
            WHEN l.ukey <> '' AND u.userid IN (:protected) THEN 'account-protected'
            WHEN k.found > 1 THEN 'course-ambiguous'
            ELSE 'course-unknown' END AS code,
       CASE WHEN l.ukey <> '' AND (u.found <> 1 OR u.userid IN (:protected)) THEN :written ELSE l.ckey END AS value,
       CASE WHEN l.ukey <> '' AND u.found > 1 THEN :usercount
            WHEN l.ukey <> '' AND (u.found = 0 OR u.userid IN (:protected)) THEN :userkey
            WHEN k.found > 1 THEN :coursecount
            ELSE :coursekey END AS hint
  FROM [stage_line] l
  JOIN [stage_course] k ON k.ckey = l.ckey
  LEFT JOIN [stage_user] u ON u.ukey = l.ukey
 WHERE NOT (:usable)

-- statement rows
INSERT INTO [verb_row]
SELECT w.line, w.userid, w.courseid, w.contextid, w.roleid, w.method, w.until, w.period, w.fate
  FROM (SELECT l.line, CASE WHEN l.ukey = '' THEN 0 ELSE u.userid END AS userid, k.courseid, k.contextid, l.roleid,
               l.method, l.until, l.period, l.fate,
               ROW_NUMBER() OVER (PARTITION BY k.courseid, u.userid, l.roleid, l.method ORDER BY l.line DESC) AS nth
          FROM [stage_line] l
          JOIN [stage_course] k ON k.ckey = l.ckey
          LEFT JOIN [stage_user] u ON u.ukey = l.ukey
         WHERE :usable) w
 WHERE w.nth = 1

-- statement no method
SELECT r.line AS number, 'no-method' AS code, r.method AS value,
       CASE WHEN EXISTS (SELECT 1 FROM {enrol} e WHERE e.courseid = r.courseid AND :same_method) THEN :disabled || c.shortname
            ELSE c.shortname END AS hint
  FROM [verb_row] r
  JOIN {course} c ON c.id = r.courseid
 WHERE NOT EXISTS (SELECT 1 FROM {enrol} e WHERE e.courseid = r.courseid AND :same_method AND e.status = 0)

-- statement hits
-- First the rows about a person, then those about everybody in a course but protected accounts.
INSERT INTO [verb_hit]
SELECT x.id, x.userid, r.courseid, r.contextid, x.enrolid, r.line, x.status, x.timestart, x.timeend, r.until, r.period,
       r.fate, :barred
  FROM [verb_row] r
 :then {enrol} e ON e.courseid = r.courseid AND :methods
 :then {user_enrolments} x ON x.enrolid = e.id AND x.userid = r.userid
 WHERE r.userid > 0 AND :has_role
 UNION ALL
SELECT x.id, x.userid, r.courseid, r.contextid, x.enrolid, r.line, x.status, x.timestart, x.timeend, r.until, r.period,
       r.fate, :barred
  FROM [verb_row] r
 :then {enrol} e ON e.courseid = r.courseid AND :methods
 :then {user_enrolments} x ON x.enrolid = e.id
  JOIN {user} u ON u.id = x.userid AND u.deleted = 0
 WHERE r.userid = 0 AND x.userid NOT IN (:protected) AND :has_role

-- statement methods
e.status = 0 AND (:same_method OR (r.method = '' AND e.enrol IN ('manual', 'self')))

-- statement has role
(r.roleid = 0 OR EXISTS (SELECT 1 FROM {role_assignments} o :by_user
                          WHERE o.userid = x.userid AND o.contextid :whole = r.contextid AND o.roleid :whole = r.roleid))

-- statement missed rows
-- Rows without an enrolment that they concern.
SELECT r.line AS number, 'not-participant' AS code, COALESCE(u.username, c.shortname) AS value, '' AS hint
  FROM [verb_row] r
  JOIN {course} c ON c.id = r.courseid
  LEFT JOIN {user} u ON u.id = r.userid
 WHERE NOT EXISTS (SELECT 1 FROM [verb_hit] h WHERE h.line = r.line)
   AND (:converts = 0 OR EXISTS (SELECT 1 FROM {enrol} e
                                  WHERE e.courseid = r.courseid AND :same_method AND e.status = 0))

-- statement foreign roles
-- Rows with somebody who has a role that a dropped file may not give: nothing is done with him.
SELECT h.line AS number, 'role-not-allowed' AS code, MIN(q.shortname) AS value, :key AS hint
  FROM [verb_hit] h
 :then {role_assignments} o :by_user ON o.userid = h.userid AND o.contextid :whole = h.contextid
       AND o.roleid NOT IN (:allowed)
  JOIN {role} q ON q.id = o.roleid
 WHERE h.barred = 1
 GROUP BY h.line

-- statement barred
CASE WHEN EXISTS (SELECT 1 FROM {role_assignments} o :by_user
                   WHERE o.userid = x.userid AND o.contextid :whole = r.contextid AND o.roleid NOT IN (:allowed))
     THEN 1 ELSE 0 END

-- statement chosen
INSERT INTO [verb_enrolment]
SELECT h.ueid, h.userid, h.courseid, h.contextid, h.enrolid, MIN(h.line), h.status, h.timestart, h.timeend
  FROM [verb_hit] h
 WHERE h.barred = 0
 GROUP BY h.ueid, h.userid, h.courseid, h.contextid, h.enrolid, h.status, h.timestart, h.timeend

-- statement sources
-- The instances of the rows; of what rows say of one the most cautious.
INSERT INTO [verb_source]
SELECT h.enrolid, h.courseid, h.contextid, CASE WHEN MIN(h.fate) = 0 THEN 1 ELSE 0 END, e.enrol,
       'enrol_' || e.enrol, MIN(h.fate)
  FROM [verb_hit] h
  JOIN {enrol} e ON e.id = h.enrolid
 GROUP BY h.enrolid, h.courseid, h.contextid, e.enrol

-- statement ends of rows
-- Each end with each period that is added to it.
SELECT DISTINCT h.timeend, h.period
  FROM [verb_hit] h
 WHERE h.period > 0 AND h.status = 0 AND h.timeend > 0

-- statement new ends of rows
LEFT JOIN (SELECT h.ueid, MAX(CASE WHEN h.period = 0 THEN h.until ELSE n.newend END) AS newend
        FROM [verb_hit] h
        LEFT JOIN [verb_end] n ON n.oldend = h.timeend AND n.period = h.period
       GROUP BY h.ueid) n ON n.ueid = v.ueid
