-- The plan of a held run.

-- statement plan
-- The planned changes, with names where they are known, for the operator.
SELECT c.seq, c.kind, COALESCE(c.line, 0), COALESCE(c.userid, 0), COALESCE(c.courseid, 0), COALESCE(c.enrolid, 0),
       COALESCE(c.roleid, 0), COALESCE(u.username, ''), COALESCE(s.shortname, ''), COALESCE(r.shortname, '')
  FROM {enrold_change} c
  LEFT JOIN {user} u ON u.id = c.userid
  LEFT JOIN {course} s ON s.id = c.courseid
  LEFT JOIN {role} r ON r.id = c.roleid
 WHERE c.run = :run
 ORDER BY c.seq
