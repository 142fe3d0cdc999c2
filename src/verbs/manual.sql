-- People who become manual participants. `v` is a chosen enrolment, `m` the manual method of a course, `x` a manual
-- enrolment, `y` any.

-- statement disabled
-- Courses whose manual methods are all disabled.
SELECT MIN(e.id) AS number, 'no-method' AS code, :method AS value, c.shortname AS hint
  FROM (:wanted) w
  JOIN {enrol} e ON e.courseid = w.courseid AND e.enrol = :method
  JOIN {course} c ON c.id = w.courseid
 GROUP BY c.id, c.shortname
HAVING MIN(e.status) <> 0

-- statement methods
INSERT INTO [verb_manual]
SELECT w.courseid, MIN(e.id)
  FROM (:wanted) w
  JOIN {enrol} e ON e.courseid = w.courseid AND e.enrol = :method AND e.status = 0
 GROUP BY w.courseid

-- statement best
-- What the chosen enrolments of a person in a course give together: those that are active, or else the suspended ones.
SELECT t.userid, t.courseid, MIN(t.contextid) AS contextid, MIN(t.line) AS line, MIN(t.status) AS status,
       MIN(t.timestart) AS timestart, CASE WHEN MIN(t.timeend) = 0 THEN 0 ELSE MAX(t.timeend) END AS timeend
  FROM (SELECT v.userid, v.courseid, v.contextid, v.line, v.status, v.timestart, v.timeend,
               MIN(v.status) OVER (PARTITION BY v.userid, v.courseid) AS best
          FROM [verb_enrolment] v) t
 WHERE t.status = t.best
 GROUP BY t.userid, t.courseid

-- statement newcomers
-- People without access to the target, and without a manual enrolment there.
SELECT s.line, s.userid, m.courseid, m.enrolid, :target_context AS contextid, 0 AS status, s.timestart, s.timeend
  FROM (:best) s
  JOIN [verb_manual] m ON m.courseid = :target
  LEFT JOIN {user_enrolments} x ON x.enrolid = m.enrolid AND x.userid = s.userid
 WHERE x.id IS NULL AND NOT :is_in

-- statement is in
EXISTS (SELECT 1 FROM {user_enrolments} y JOIN {enrol} e ON e.id = y.enrolid AND e.courseid = :target AND e.status = 0
         WHERE y.userid = :who AND y.status = 0 AND (y.timeend = 0 OR y.timeend > :now))

-- statement left
-- People whose manual enrolment in the target is suspended or has ended.
SELECT COUNT(DISTINCT v.userid) FROM [verb_enrolment] v WHERE NOT :is_in

-- statement roles
-- The roles of the chosen people in their course that they do not have in the target.
SELECT MIN(v.line) AS line, v.userid, :target AS courseid, :target_context AS contextid, r.roleid, '' AS component,
       0 AS itemid
  FROM [verb_enrolment] v
 :then {role_assignments} r :by_user ON r.userid = v.userid AND r.contextid :whole = v.contextid
 WHERE :which_role AND :is_in
   AND NOT EXISTS (SELECT 1 FROM {role_assignments} o :by_user
                    WHERE o.userid = v.userid AND o.contextid :whole = :target_context AND o.roleid :whole = r.roleid)
 GROUP BY v.userid, r.roleid
