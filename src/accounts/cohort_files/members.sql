-- The members of a cohort file: `l` are its rows that name a user, `k` the cohorts that their keys name, `u` the
-- accounts. Commands: 1 add, 2 del, 4 sync.

-- statement refused rows
-- The first fault is reported: the account, then the cohort.
SELECT l.line AS number,
       CASE WHEN u.found = 0 THEN 'user-unknown'
            WHEN u.found > 1 THEN 'user-ambiguous'
            WHEN u.userid IN (:protected) THEN 'account-protected'
            WHEN k.code <> '' THEN k.code
            ELSE 'cohort-unknown' END AS code,
       CASE WHEN u.found <> 1 OR u.userid IN (:protected) THEN :written ELSE l.ckey END AS value,
       CASE WHEN u.found = 0 THEN :userkey
            WHEN u.found > 1 THEN :usercount
            WHEN u.userid IN (:protected) THEN :userkey
            WHEN k.code <> '' THEN k.hint
            ELSE :cohortkey END AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [file_cohort] k ON k.ckey = l.ckey
 WHERE NOT (:usable) AND :not_waiting
   -- A row that should make a cohort and cannot says so already.
   AND NOT EXISTS (SELECT 1 FROM {enrold_error} o
                    WHERE o.run = :run AND o.place = :line AND o.number = l.line
                      AND o.code IN ('cohort-exists', 'empty-identifier'))

-- statement members
-- Of the rows of a user in a cohort the last counts. What stands before `free` is void.
INSERT INTO [file_member]
SELECT t.cohortid, t.userid, t.line, t.stays
  FROM (SELECT k.cohortid, u.userid, l.line,
               CASE WHEN l.op IN (1, 4) AND l.line > k.freed AND k.deleted = 0 THEN 1 ELSE 0 END AS stays,
               ROW_NUMBER() OVER (PARTITION BY k.cohortid, u.userid ORDER BY l.line DESC) AS nth
          FROM [stage_line] l
          JOIN [stage_user] u ON u.ukey = l.ukey
          JOIN [file_cohort] k ON k.ckey = l.ckey
         WHERE :usable) t
 WHERE t.nth = 1

-- statement unresolved in full cohorts
SELECT DISTINCT k.ckey, :written
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey AND u.found <> 1
  JOIN [file_cohort] k ON k.ckey = l.ckey AND k.synced = 1
 WHERE l.op <> 2

-- statement absent members
-- Members of cohorts that the file names in full, without those whom it names.
SELECT m.cohortid, m.userid, :key, c.name,
       -- A row of theirs names a cohort that is unknown: perhaps this one, in a damaged form.
       CASE WHEN EXISTS (SELECT 1
                           FROM [stage_line] l
                           JOIN [stage_user] u ON u.ukey = l.ukey AND u.found = 1
                           JOIN [file_cohort] b ON b.ckey = l.ckey AND b.cohortid = 0
                          WHERE l.op <> 2 AND u.userid = m.userid) THEN 1 ELSE 0 END,
       k.ckey
  FROM {cohort_members} m
  JOIN [file_cohort] k ON k.cohortid = m.cohortid AND k.synced = 1 AND k.freed = 0 AND k.deleted = 0
  JOIN {cohort} c ON c.id = m.cohortid
  JOIN {user} a ON a.id = m.userid
  LEFT JOIN [file_member] w ON w.cohortid = m.cohortid AND w.userid = m.userid
 WHERE w.userid IS NULL

-- statement leaving members
SELECT m.id,
       CASE WHEN k.deleted = 1 THEN k.until WHEN w.userid IS NOT NULL THEN w.line ELSE k.freed END AS line,
       0 AS courseid, k.contextid
  FROM {cohort_members} m
  JOIN [file_cohort] k ON k.cohortid = m.cohortid
  LEFT JOIN [file_member] w ON w.cohortid = m.cohortid AND w.userid = m.userid
  LEFT JOIN [file_spared] p ON p.cohortid = m.cohortid AND p.userid = m.userid
 WHERE k.deleted = 1
    -- Named, and not as one who stays.
    OR (w.userid IS NOT NULL AND w.stays = 0)
    -- Not named, in a cohort that the file empties or names in full.
    OR (w.userid IS NULL AND m.userid NOT IN (:protected)
        AND (k.freed > 0 OR (k.synced = 1 AND p.userid IS NULL)))

-- statement joining members
SELECT w.line, w.userid, 0 AS courseid, k.contextid, w.cohortid AS itemid
  FROM [file_member] w
  JOIN [file_cohort] k ON k.cohortid = w.cohortid
  LEFT JOIN {cohort_members} m ON m.cohortid = w.cohortid AND m.userid = w.userid
 WHERE w.stays = 1 AND m.id IS NULL

-- statement removed cohorts
SELECT k.cohortid AS id, k.until AS line, 0 AS courseid, k.contextid
  FROM [file_cohort] k
 WHERE k.deleted = 1 AND k.cohortid > 0
