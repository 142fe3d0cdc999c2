-- A full set of cohort memberships: `l` are its staged rows, `k` the cohorts that their keys name, `u` the accounts.

-- statement refused rows
-- The first fault is reported: the account, the cohort, and last that another component fills the cohort.
SELECT l.line AS number,
       CASE WHEN u.found = 0 THEN 'user-unknown'
            WHEN u.found > 1 THEN 'user-ambiguous'
            WHEN u.userid IN (:never) THEN 'account-protected'
            -- A cohort that could not be made: its key has a character that the site's column cannot store.
            WHEN k.found = 0 AND :unstorable THEN 'value-charset'
            WHEN k.found = 0 THEN 'cohort-unknown'
            WHEN k.found > 1 THEN 'cohort-ambiguous'
            ELSE 'cohort-owned' END AS code,
       CASE WHEN u.found <> 1 OR u.userid IN (:never) THEN :written ELSE l.ckey END AS value,
       -- The kind of the key, how many it names, the column that cannot store it, or the cohort's component.
       CASE WHEN u.found = 0 THEN :userkey
            WHEN u.found > 1 THEN :usercount
            WHEN u.userid IN (:never) THEN :userkey
            WHEN k.found = 0 AND :unstorable THEN :keycolumn
            WHEN k.found = 0 THEN :cohortkey
            WHEN k.found > 1 THEN :cohortcount
            ELSE k.component END AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_cohort] k ON k.ckey = l.ckey
 WHERE :refused

-- statement named cohorts
INSERT INTO [stage_cohort]
SELECT k.ckey, MIN(c.id), MIN(c.contextid), COALESCE(MAX(c.component), ''), COUNT(c.id)
  FROM (SELECT DISTINCT ckey FROM [stage_line]) k
  LEFT JOIN [known_cohort] c ON :same
 GROUP BY k.ckey

-- statement missing cohorts
-- In the system context, visible, of the source's component.
INSERT INTO [new_cohort]
SELECT ROW_NUMBER() OVER (ORDER BY l.ckey), 0, :system, :name, :idnumber, '', 1, 1, :own_component, NULL, 0
  FROM [stage_line] l
  JOIN [stage_cohort] k ON k.ckey = l.ckey AND k.found = 0
 WHERE NOT (:unstorable)
   -- A damaged key, or one that is like that of another cohort, makes none.
   AND NOT EXISTS (SELECT 1 FROM [set_withheld] h WHERE h.ckey = l.ckey)
 GROUP BY l.ckey

-- statement unusable names
-- Names that the site's column cannot store: the cohort gets its key as its name, so that no membership is lost.
SELECT ROW_NUMBER() OVER (ORDER BY t.ckey) AS number, 'value-charset' AS code, t.name AS value,
       'cohort.name' AS hint
  FROM (SELECT l.ckey, MIN(l.gkey) AS name
          FROM [stage_line] l
          JOIN [stage_cohort] k ON k.ckey = l.ckey AND k.found = 0
         WHERE :unnamed AND NOT (:unstorable) AND NOT EXISTS (SELECT 1 FROM [set_withheld] h WHERE h.ckey = l.ckey)
         GROUP BY l.ckey) t

-- statement cohorts of the set
INSERT INTO [set_cohort]
-- A cohort is named even by a row whose account is unknown.
SELECT DISTINCT k.cohortid, k.contextid
  FROM [stage_cohort] k
 WHERE k.found = 1 AND k.component IN ('', :own_component)

-- statement members of the set
INSERT INTO [set_member]
SELECT DISTINCT k.cohortid, u.userid
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_cohort] k ON k.ckey = l.ckey
 WHERE :resolved

-- statement leaving members
SELECT m.id, 0 AS line, 0 AS courseid, c.contextid
  FROM {cohort_members} m
  JOIN [set_cohort] c ON c.cohortid = m.cohortid
  -- Not named any more.
  LEFT JOIN [set_member] w ON w.cohortid = m.cohortid AND w.userid = m.userid
  -- Not spared.
  LEFT JOIN [set_spared] p ON p.userid = m.userid
  LEFT JOIN [set_spared_cohort] q ON q.cohortid = m.cohortid
  LEFT JOIN [set_spared_pair] z ON z.placeid = m.cohortid AND z.userid = m.userid
  -- Brought by this source.
  LEFT JOIN {enrold_set_member} o ON o.source = :source AND o.cohortid = m.cohortid AND o.userid = m.userid
 WHERE w.userid IS NULL AND p.userid IS NULL AND q.cohortid IS NULL AND z.userid IS NULL
   AND o.userid IS NOT NULL
   -- Not named by another source.
   AND NOT EXISTS (SELECT 1 FROM {enrold_set_member} t
                    WHERE t.cohortid = m.cohortid AND t.userid = m.userid AND t.source <> :source)

-- statement joining members
SELECT 0 AS line, w.userid, 0 AS courseid, c.contextid, w.cohortid AS itemid
  FROM [set_member] w
  JOIN [set_cohort] c ON c.cohortid = w.cohortid
  LEFT JOIN {cohort_members} m ON m.cohortid = w.cohortid AND m.userid = w.userid
 WHERE m.id IS NULL

-- statement own memberships
INSERT INTO {enrold_set_member} (source, cohortid, userid, since)
SELECT :source, w.cohortid, w.userid, :now
  FROM [set_member] w
  LEFT JOIN {enrold_set_member} o ON o.source = :source AND o.cohortid = w.cohortid AND o.userid = w.userid
 WHERE o.userid IS NULL

-- statement former memberships
DELETE FROM {enrold_set_member}
 WHERE source = :source
   -- In the cohorts that the set names, users whom it does not name there.
   AND EXISTS (SELECT 1 FROM [set_cohort] c WHERE c.cohortid = {enrold_set_member}.cohortid)
   AND NOT EXISTS (SELECT 1 FROM [set_member] w
                    WHERE w.cohortid = {enrold_set_member}.cohortid AND w.userid = {enrold_set_member}.userid)
   -- Memberships of spared users stay this source's.
   AND NOT EXISTS (SELECT 1 FROM [set_spared] p WHERE p.userid = {enrold_set_member}.userid)
   AND NOT EXISTS (SELECT 1 FROM [set_spared_cohort] q WHERE q.cohortid = {enrold_set_member}.cohortid)
   AND NOT EXISTS (SELECT 1 FROM [set_spared_pair] z
                    WHERE z.placeid = {enrold_set_member}.cohortid AND z.userid = {enrold_set_member}.userid)
