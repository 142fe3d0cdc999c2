-- Lines of flat files that wait for an account or a course: `w` are rows of `enrold_waiting`, `f` those that are found.

-- statement lines that wait
INSERT INTO [waits]
SELECT t.line, t.lacks, t.ukey, t.written, t.ckey, t.roleid, t.timestart, t.timeend,
       CASE WHEN t.line = t.last THEN 1 ELSE 0 END,
       CASE WHEN t.timeend > 0 AND t.timeend < :expires THEN t.timeend ELSE :expires END, 0, 0, '', -1, 0
  FROM (SELECT l.line, l.op, l.ukey, l.written, l.ckey, l.roleid, l.timestart, l.timeend,
               CASE WHEN u.found > 0 THEN 'course' WHEN k.found > 0 THEN 'user' ELSE 'both' END AS lacks,
               MAX(l.line) OVER (PARTITION BY l.ukey, l.ckey, l.roleid) AS last,
               MAX(CASE WHEN l.op = 2 THEN l.line ELSE 0 END) OVER (PARTITION BY l.ukey, l.ckey, l.roleid) AS lastdel
          FROM [stage_line] l
          JOIN [stage_user] u ON u.ukey = l.ukey
          JOIN [stage_course] k ON k.ckey = l.ckey
         WHERE NOT (:resolved) AND (:no_user OR :known_user) AND (:no_course OR :known_course)) t
 WHERE t.op = 1 AND t.line > t.lastdel AND (t.timeend = 0 OR t.timeend > :now)

-- statement rows as lines
INSERT INTO [stage_line]
SELECT w.id, 1, w.roleid, w.ukey, w.pkey, w.timestart, w.timeend, w.written
  FROM {enrold_waiting} w
 WHERE w.state = 'waiting' AND w.kind = :kindword AND w.userkey = :userkey AND w.placekey = :placekey AND w.expires > :now

-- statement found lines
INSERT INTO [waiting_found]
SELECT l.line, w.run, u.userid, k.courseid, k.contextid, l.roleid, l.timestart, l.timeend
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_course] k ON k.ckey = l.ckey
  JOIN {enrold_waiting} w ON w.id = l.line
 WHERE :resolved

-- statement unusable lines
-- Account and course exist, and the line cannot be used all the same.
u.found > 0 AND k.found > 0 AND NOT (:resolved)

-- statement lines with unusable roles
SELECT f.line AS number, CASE WHEN r.id IS NULL THEN 'role-unknown' ELSE 'role-not-allowed' END AS code,
       COALESCE(r.shortname, :roleid) AS value, CASE WHEN r.id IS NULL THEN '' ELSE :key END AS hint
  FROM [waiting_found] f
  JOIN {enrold_waiting} w ON w.id = f.line
  LEFT JOIN {role} r ON r.id = f.roleid
 WHERE r.id IS NULL OR (w.dropped = 1 AND NOT (:usable))

-- statement changes of later runs
INSERT INTO [waiting_later]
SELECT t.userid, t.courseid, t.roleid, MAX(t.run)
  FROM (SELECT c.userid, c.courseid, c.run,
               -- A line of another role speaks of this one only if it has ended the enrolment.
               CASE WHEN c.kind IN (:ended) THEN 0 ELSE c.roleid END AS roleid
          FROM {enrold_change} c
          JOIN (SELECT DISTINCT f.userid, f.courseid FROM [waiting_found] f) p
               ON p.userid = c.userid AND p.courseid = c.courseid
         WHERE c.run > :first AND c.run <> :run AND c.cause = 'import' AND c.state = 0
           AND c.kind NOT IN (:begun)) t
 WHERE t.roleid IS NOT NULL
 GROUP BY t.userid, t.courseid, t.roleid

-- statement lines that later runs have overtaken
INSERT INTO [waiting_closed]
SELECT DISTINCT f.line, 'superseded', ''
  FROM [waiting_found] f
  JOIN [waiting_later] c ON c.userid = f.userid AND c.courseid = f.courseid AND c.run > f.run
       AND c.roleid IN (0, f.roleid)
 WHERE NOT EXISTS (SELECT 1 FROM [waiting_closed] o WHERE o.line = f.line)

-- statement rows of the same account by another key
INSERT INTO [waiting_spoken]
SELECT w.id, MAX(l.line), MAX(CASE WHEN l.op = 2 THEN l.line ELSE 0 END)
  FROM [stage_line] l
  JOIN (SELECT k.ukey, 'username' AS word, :username AS text, :free AS usable
          FROM [stage_user] k JOIN {user} a ON a.id = k.userid WHERE k.found = 1
        UNION ALL
        SELECT k.ukey, 'email', :email, :free
          FROM [stage_user] k JOIN {user} a ON a.id = k.userid WHERE k.found = 1 AND a.email <> ''
        UNION ALL
        SELECT k.ukey, 'idnumber', :idnumber, 1
          FROM [stage_user] k JOIN {user} a ON a.id = k.userid WHERE k.found = 1 AND a.idnumber <> '') u
       ON u.ukey = l.ukey AND u.usable = 1
  JOIN (SELECT k.ckey, 'shortname' AS word, :shortname AS text
          FROM [stage_course] k JOIN {course} s ON s.id = k.courseid WHERE k.found = 1
        UNION ALL
        SELECT k.ckey, 'idnumber', :coursenumber
          FROM [stage_course] k JOIN {course} s ON s.id = k.courseid WHERE k.found = 1 AND s.idnumber <> '') p
       ON p.ckey = l.ckey
  :then {enrold_waiting} w ON w.state = 'waiting' AND w.userkey = u.word AND w.ukey = u.text
       AND w.kind = :kindword AND w.placekey = p.word AND w.pkey || '' = p.text AND w.roleid = l.roleid
 WHERE NOT (w.userkey = :userkey AND w.placekey = :placekey)
 GROUP BY w.id
