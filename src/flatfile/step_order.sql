-- The steps of a file or of the buffer: `step`, and the pairs (user, course) in it.

-- statement steps of lines
SELECT l.line, l.op, u.userid, k.courseid, k.contextid, l.roleid, l.timestart, l.timeend
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_course] k ON k.ckey = l.ckey
 WHERE :resolved

-- statement steps of due rows
SELECT b.id AS line, CASE WHEN b.action = 'del' THEN 2 ELSE 1 END AS op, b.userid, b.courseid, k.id AS contextid,
       b.roleid, b.timestart, b.timeend
  FROM {enrol_flatfile} b
  -- A row whose account, role or course is gone makes no step and is reported.
  JOIN {user} u ON u.id = b.userid AND u.deleted = 0
  JOIN {role} r ON r.id = b.roleid
  JOIN {course} s ON s.id = b.courseid AND s.category <> 0
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = b.courseid
 WHERE b.timestart < :now AND b.userid NOT IN (:protected)
   -- Not rows of dropped files whose role is not allowed.
   AND NOT EXISTS (SELECT 1 FROM [refused_row] x WHERE x.id = b.id)

-- statement steps of waiting lines
SELECT f.line, 1 AS op, f.userid, f.courseid, f.contextid, f.roleid, f.timestart, f.timeend
  FROM [waiting_found] f

-- statement steps without order
INSERT INTO [step]
SELECT line, op, userid, courseid, contextid, roleid, timestart, timeend,
       CASE WHEN s.timestart > :now THEN 0 ELSE 1 END
  FROM (:lines) s

-- statement steps of the future
INSERT INTO [step]
SELECT line, op, userid, courseid, contextid, roleid, timestart, timeend, 0
  FROM (:lines) s
 WHERE s.timestart > :now

-- statement steps of today
INSERT INTO [step]
-- The step order is one more than the turns of the pair up to this line.
SELECT line, op, userid, courseid, contextid, roleid, timestart, timeend,
       1 + SUM(turn) OVER (PARTITION BY userid, courseid ORDER BY line)
  FROM (SELECT line, op, userid, courseid, contextid, roleid, timestart, timeend,
               -- Each `del`, unless it is first, and each line after a `del` is a turn. Consecutive adds are one step.
               CASE WHEN LAG(op) OVER (PARTITION BY userid, courseid ORDER BY line) IS NULL THEN 0
                    WHEN op = 2 OR LAG(op) OVER (PARTITION BY userid, courseid ORDER BY line) = 2 THEN 1
                    ELSE 0 END AS turn
          FROM (:lines) s
         WHERE s.timestart <= :now) t

-- statement lines of overlong pairs
SELECT s.line AS number, 'too-many-steps' AS code, u.username || ', ' || k.shortname AS value, :limittext AS hint
  FROM [step] s
  JOIN [overlong] o ON o.userid = s.userid AND o.courseid = s.courseid
  JOIN {user} u ON u.id = s.userid
  JOIN {course} k ON k.id = s.courseid

-- statement moved pairs
INSERT INTO [moved]
SELECT c.userid, c.courseid, MAX(c.run)
  FROM {enrold_change} c
 -- Pairs that other runs have changed since the held run.
 WHERE c.run > :held AND c.run <> :run AND c.state = 0 AND c.userid IS NOT NULL AND c.courseid IS NOT NULL
 GROUP BY c.userid, c.courseid

-- statement lines of moved pairs
SELECT s.line AS number, 'overtaken' AS code, u.username || ', ' || k.shortname AS value, :byrun AS hint
  FROM [step] s
  JOIN [moved] m ON m.userid = s.userid AND m.courseid = s.courseid
  JOIN {user} u ON u.id = s.userid
  JOIN {course} k ON k.id = s.courseid

-- statement desired pairs
INSERT INTO [pair]
SELECT t.userid, t.courseid, t.contextid, i.enrolid, t.first, t.timestart, t.timeend
  FROM (SELECT s.userid, s.courseid, s.contextid, s.timestart, s.timeend,
               -- The pair is reported by its first line, and gets the window of its last line.
               MIN(s.line) OVER (PARTITION BY s.userid, s.courseid) AS first,
               ROW_NUMBER() OVER (PARTITION BY s.userid, s.courseid ORDER BY s.line DESC) AS place
          FROM [step] s
         WHERE s.step_order = :step_order AND s.op = 1) t
  JOIN [instance] i ON i.courseid = t.courseid
 WHERE t.place = 1

-- statement desired roles
INSERT INTO [pair_role]
-- Every distinct role that an add of the pair names.
SELECT s.userid, s.courseid, s.contextid, i.enrolid, s.roleid, MIN(s.line)
  FROM [step] s
  JOIN [instance] i ON i.courseid = s.courseid
 WHERE s.step_order = :step_order AND s.op = 1
 GROUP BY s.userid, s.courseid, s.contextid, i.enrolid, s.roleid
