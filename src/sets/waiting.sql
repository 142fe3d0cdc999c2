-- Rows of sets that wait for their user: `l` are staged rows, `u` the accounts and `k` the places that their keys name,
-- `w` rows of `enrold_waiting`.

-- statement rows that wait
INSERT INTO [waits]
SELECT t.line, 'user', t.ukey, t.written, t.ckey, t.roleid, t.timestart, t.timeend,
       -- Of rows that say the same, one.
       CASE WHEN t.line = t.first THEN 1 ELSE 0 END,
       CASE WHEN t.timeend > 0 AND t.timeend < :expires THEN t.timeend ELSE :expires END, 0, 0, t.gkey, t.status, t.other
  FROM (SELECT l.line, l.ukey, l.written, l.ckey, l.roleid, l.timestart, l.timeend, :gkey AS gkey, :status AS status,
               l.other,
               MIN(l.line) OVER (PARTITION BY l.ukey, l.ckey, l.roleid, l.timestart, l.timeend, l.gkey, l.status,
                                              l.other) AS first
          FROM [stage_line] l
          JOIN [stage_user] u ON u.ukey = l.ukey
          JOIN :places k ON k.ckey = l.ckey
         WHERE u.found = 0 AND :known_place AND :looked_at AND (l.timeend = 0 OR l.timeend > :now)) t

-- statement rows that say the same
INSERT INTO [waits_same]
SELECT x.line, MIN(w.id)
  FROM [waits] x
  -- By the index of users: thousands may wait for one place.
  :then {enrold_waiting} w ON w.state = 'waiting' AND w.userkey = :userkey AND w.ukey = x.ukey
       AND w.kind = :kindword AND w.source = :source AND w.dropped = :dropped AND w.placekey = :placekey
       AND w.pkey || '' = x.pkey AND w.roleid = x.roleid AND w.gkey = x.gkey AND w.timestart = x.timestart
       AND w.timeend = x.timeend AND w.status = x.status AND w.other = x.other
 WHERE x.kept = 1 AND w.expires > :now
 GROUP BY x.line

-- statement rows that the set does not repeat
(SELECT DISTINCT w.id
   FROM {enrold_waiting} w
  WHERE w.state = 'waiting' AND w.kind = :kindword AND w.source = :source AND w.id NOT IN (:repeated)) n

-- statement repeated rows
(SELECT x.same AS id, x.expires FROM [waits] x WHERE x.same > 0) x

-- statement sets with waiting rows
SELECT DISTINCT w.kind, w.source, w.dropped, w.userkey, w.placekey
  FROM {enrold_waiting} w
 WHERE w.state = 'waiting' AND w.kind IN ('set-enrolment', 'set-member') AND w.expires > :now AND :in_use
 ORDER BY w.kind, w.source, w.dropped, w.userkey, w.placekey

-- statement rows as lines
INSERT INTO [stage_line]
SELECT w.id, w.ukey, w.pkey, w.roleid, w.written, w.gkey, w.other, CASE WHEN w.status > 0 THEN w.status ELSE 0 END,
       w.timestart, w.timeend
  FROM {enrold_waiting} w
 WHERE w.state = 'waiting' AND w.kind = :kindword AND w.source = :source AND w.dropped = :dropped
   AND w.userkey = :userkey AND w.placekey = :placekey AND w.expires > :now

-- statement unusable rows
-- Account and place exist, and the row cannot be used all the same.
u.found > 0 AND k.found > 0 AND NOT (:resolved)

-- statement rows of hidden courses
-- The source leaves them alone.
INSERT INTO [waiting_closed]
SELECT l.line, 'cancelled', ''
  FROM [stage_line] l
  JOIN [stage_course] k ON k.ckey = l.ckey
  JOIN {course} c ON c.id = k.courseid AND c.visible = 0

-- statement rows with unusable roles
SELECT l.line AS number, CASE WHEN r.id IS NULL THEN 'role-unknown' ELSE 'role-not-allowed' END AS code,
       COALESCE(r.shortname, :roleid) AS value, CASE WHEN r.id IS NULL THEN '' ELSE :key END AS hint
  FROM [stage_line] l
  LEFT JOIN {role} r ON r.id = l.roleid
 WHERE l.roleid <> 0 AND (r.id IS NULL OR NOT (:usable))

-- statement usable rows
-- How many, and whether any has a state or a window: a set without such columns leaves both alone.
SELECT COUNT(*), MAX(CASE WHEN w.status >= 0 THEN 1 ELSE 0 END),
       MAX(CASE WHEN w.timestart <> 0 OR w.timeend <> 0 THEN 1 ELSE 0 END)
  FROM [stage_line] l
  JOIN {enrold_waiting} w ON w.id = l.line

-- statement found rows
INSERT INTO [waiting_closed]
SELECT l.line, 'applied', '' FROM [stage_line] l
