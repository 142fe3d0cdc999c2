-- Members who wait for their account: `w` are rows of `enrold_waiting`, `l` the same as lines, `u` the accounts, `k` the
-- cohorts, `f` the rows whose account and cohort exist.

-- statement rows as lines
INSERT INTO [stage_line]
SELECT w.id, 1, w.ukey, w.pkey, w.written
  FROM {enrold_waiting} w
 WHERE w.state = 'waiting' AND w.kind = :kindword AND w.userkey = :userkey AND w.placekey = :cohortkey
   AND w.expires > :now

-- statement named cohorts
INSERT INTO [waiting_cohort]
SELECT k.ckey, COALESCE(MIN(c.id), 0), COALESCE(MIN(c.contextid), 0), COALESCE(MAX(c.component), ''), COUNT(c.id)
  FROM (SELECT DISTINCT l.ckey FROM [stage_line] l JOIN [stage_user] u ON u.ukey = l.ukey AND u.found > 0) k
  LEFT JOIN {cohort} c ON :same
 GROUP BY k.ckey

-- statement found members
INSERT INTO [waiting_member]
SELECT l.line, w.run, u.userid, k.cohortid, k.contextid
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [waiting_cohort] k ON k.ckey = l.ckey
  JOIN {enrold_waiting} w ON w.id = l.line
 WHERE :usable

-- statement unusable rows
-- Account and cohort exist, and the row cannot be used all the same.
SELECT l.line AS number,
       CASE WHEN u.found > 1 THEN 'user-ambiguous'
            WHEN u.userid IN (:protected) THEN 'account-protected'
            WHEN k.found > 1 THEN 'cohort-ambiguous'
            ELSE 'cohort-owned' END AS code,
       CASE WHEN u.found > 1 OR u.userid IN (:protected) THEN :written ELSE l.ckey END AS value,
       CASE WHEN u.found > 1 THEN :usercount
            WHEN u.userid IN (:protected) THEN :userkey
            WHEN k.found > 1 THEN :cohortcount
            ELSE k.component END AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [waiting_cohort] k ON k.ckey = l.ckey
 WHERE u.found > 0 AND k.found > 0 AND NOT (:usable)

-- statement changes of later runs
INSERT INTO [waiting_joined]
SELECT c.userid, c.itemid, MAX(c.run)
  FROM {enrold_change} c
  JOIN (SELECT DISTINCT f.userid, f.cohortid FROM [waiting_member] f) p
       ON p.userid = c.userid AND p.cohortid = c.itemid
 WHERE c.run > :first AND c.run <> :run AND c.kind IN (:of_members) AND c.cause = 'import' AND c.state = 0
 GROUP BY c.userid, c.itemid

-- statement rows that later runs have overtaken
INSERT INTO [waiting_closed]
SELECT f.line, 'superseded', ''
  FROM [waiting_member] f
  JOIN [waiting_joined] c ON c.userid = f.userid AND c.cohortid = f.cohortid AND c.run > f.run
 WHERE NOT EXISTS (SELECT 1 FROM [waiting_closed] o WHERE o.line = f.line)

-- statement joining members
-- Somebody may wait by two keys.
SELECT MAX(f.line) AS line, f.userid, 0 AS courseid, f.contextid, f.cohortid AS itemid
  FROM [waiting_member] f
  LEFT JOIN {cohort_members} m ON m.cohortid = f.cohortid AND m.userid = f.userid
 WHERE m.id IS NULL
 GROUP BY f.userid, f.contextid, f.cohortid
