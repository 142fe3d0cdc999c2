-- The buffer of future lines, Moodle's table `enrol_flatfile` (spec flatfile 5): `b` is always a row of it.

-- statement kept rows
INSERT INTO [kept_row]
-- The run that kept a row last shows where the row came from.
SELECT MAX(c.run), c.userid, c.courseid, c.roleid, CASE WHEN c.component = 'del' THEN 2 ELSE 1 END, c.timestart,
       c.timeend
  FROM {enrold_change} c
 WHERE c.kind = :kept AND c.state = 0 AND c.roleid NOT IN (:allowed)
 GROUP BY c.userid, c.courseid, c.roleid, c.component, c.timestart, c.timeend

-- statement refused rows
INSERT INTO [refused_row]
SELECT b.id
  FROM {enrol_flatfile} b
  JOIN {role} r ON r.id = b.roleid
  -- Rows that no run has kept came from Moodle's own task: they are not refused.
  JOIN [kept_row] k ON k.userid = b.userid AND k.courseid = b.courseid AND k.roleid = b.roleid
       AND k.timestart = b.timestart AND k.timeend = b.timeend AND k.op = CASE WHEN b.action = 'del' THEN 2 ELSE 1 END
  -- The run of a dropped file, or the parent of a run that approved it, has a token; `enrold import` has none.
  JOIN {enrold_run} o ON o.id = k.run
  LEFT JOIN {enrold_run} p ON p.id = o.parent
 WHERE b.timestart < :now AND COALESCE(o.token, p.token, '') <> ''

-- statement refused roles
SELECT b.id AS number, 'role-not-allowed' AS code, r.shortname AS value, :key AS hint
  FROM [refused_row] x
  JOIN {enrol_flatfile} b ON b.id = x.id
  JOIN {role} r ON r.id = b.roleid

-- statement unresolved rows
-- The first fault is reported: the account, the role, the course, and last that the course takes no enrolments.
SELECT b.id AS number,
       CASE WHEN b.userid IN (:protected) THEN 'account-protected'
            WHEN u.id IS NULL THEN 'user-unknown'
            WHEN r.id IS NULL THEN 'role-unknown'
            WHEN s.id IS NULL THEN 'course-unknown'
            ELSE 'no-method' END AS code,
       -- The id that does not exist, or the method that is missing.
       CASE WHEN b.userid IN (:protected) OR u.id IS NULL THEN :userid
            WHEN r.id IS NULL THEN :roleid
            WHEN s.id IS NULL THEN :courseid
            ELSE 'flatfile' END AS value,
       -- The kind of the value: the buffer has ids only; a role is reported without a hint.
       CASE WHEN b.userid NOT IN (:protected) AND u.id IS NOT NULL AND r.id IS NULL THEN '' ELSE 'id' END AS hint
  FROM {enrol_flatfile} b
  LEFT JOIN {user} u ON u.id = b.userid AND u.deleted = 0
  LEFT JOIN {role} r ON r.id = b.roleid
  LEFT JOIN {course} s ON s.id = b.courseid
 -- Due rows that became no step.
 WHERE b.timestart < :now
   AND b.id NOT IN (SELECT t.line FROM [step] t)
   AND NOT EXISTS (SELECT 1 FROM [refused_row] x WHERE x.id = b.id)

-- statement rows erased by a file
-- Rows of a (user, course, role) that a line of today names, except those that the file itself would keep again: they
-- stay, so that the same file has no effect the second time.
SELECT b.id, MIN(s.line) AS line, b.courseid, MIN(s.contextid) AS contextid
  FROM :named
  LEFT JOIN [later] l ON l.action = b.action AND l.roleid = b.roleid AND l.userid = b.userid AND l.courseid = b.courseid
       AND l.timestart = b.timestart AND l.timeend = b.timeend
 WHERE s.step_order > 0 AND l.line IS NULL
 GROUP BY b.id, b.courseid

-- statement named rows, hashed
[step] s
  JOIN {enrol_flatfile} b ON s.userid = b.userid AND s.courseid = b.courseid AND s.roleid = b.roleid

-- statement named rows, user by user
-- The buffer rows of these users are read once.
(SELECT DISTINCT s.userid FROM [step] s WHERE s.step_order > 0) u
  :then {enrol_flatfile} b ON b.userid = u.userid
  :then [step] s ON s.userid = b.userid AND s.courseid = b.courseid AND s.roleid = b.roleid

-- statement later lines
INSERT INTO [later]
-- Of equal lines the first is kept.
SELECT MIN(f.line), CASE WHEN f.op = 2 THEN 'del' ELSE 'add' END, f.roleid, f.userid, f.courseid, f.timestart, f.timeend
  FROM [step] f
 WHERE f.step_order = 0
   -- Not those that a later line of today erases.
   AND NOT EXISTS (SELECT 1 FROM [step] s
                    WHERE s.step_order > 0 AND s.userid = f.userid AND s.courseid = f.courseid AND s.roleid = f.roleid
                      AND s.line > f.line)
 GROUP BY f.op, f.roleid, f.userid, f.courseid, f.timestart, f.timeend

-- statement lines to keep
SELECT l.line, l.userid, l.courseid, l.roleid, l.action AS component, l.timestart, l.timeend
  FROM [later] l
 -- Rows that are in the buffer already are not kept twice. The buffer rows of these users are read once.
 WHERE (CASE l.action WHEN 'del' THEN 2 ELSE 1 END, l.roleid, l.userid, l.courseid, l.timestart, l.timeend) NOT IN
       (SELECT CASE b.action WHEN 'add' THEN 1 WHEN 'del' THEN 2 ELSE 0 END, b.roleid, b.userid, b.courseid,
               b.timestart, b.timeend
          FROM (SELECT DISTINCT userid FROM [later]) u
          :then {enrol_flatfile} b ON b.userid = u.userid)
