-- The cohorts of rows: `a` is a cell, `r` its row, `k` what the cell says, `g` the cohort that it names.

-- statement labels
-- Moodle has no index for any of these but the id.
INSERT INTO [cohort_label]
SELECT c.id, c.contextid, {=c.component}, 0, :id FROM {cohort} c
UNION ALL
SELECT c.id, c.contextid, {=c.component}, 1, {=c.idnumber} FROM {cohort} c WHERE c.idnumber <> ''
UNION ALL
SELECT c.id, c.contextid, {=c.component}, 2, {=c.name} FROM {cohort} c

-- statement named cohorts
INSERT INTO [given_cohort]
SELECT k.given, MIN(c.cohortid), MIN(c.contextid), COALESCE(MAX(c.component), ''), COUNT(c.cohortid)
  FROM [given_key] k
  LEFT JOIN [cohort_label] c ON c.how = k.how AND :same
 WHERE k.code = ''
 GROUP BY k.given

-- statement missing cohorts
-- Unknown cohorts, in the order of the rows that name them; visible, of no component. One idnumber and one name that
-- are equal are one cohort.
INSERT INTO [new_cohort]
SELECT ROW_NUMBER() OVER (ORDER BY MIN(a.line), k.label), MIN(a.line), :context,
       COALESCE(NULLIF(MAX(a.name), ''), k.label),
       MAX(CASE WHEN k.how = 1 THEN k.label ELSE '' END), '', 1, 1, '', '', 0
  FROM [account_cohort] a
  JOIN [account_row] r ON r.line = a.line AND r.userid IS NOT NULL
  JOIN [given_key] k ON k.given = a.ckey
  JOIN [given_cohort] g ON g.given = a.ckey AND g.found = 0
 WHERE k.how <> 0 AND k.label <> ''
 GROUP BY k.label

-- statement made cohorts
-- Not those that are named by an id: a new cohort may have got it.
(SELECT f.given, MIN(f.cohortid) AS cohortid, MIN(f.contextid) AS contextid
   FROM (SELECT k.given, t.cohortid, t.contextid
           FROM [given_key] k JOIN [new_cohort] t ON :same_idnumber WHERE k.how = 1
          UNION ALL
         SELECT k.given, t.cohortid, t.contextid
           FROM [given_key] k JOIN [new_cohort] t ON :same_name WHERE k.how = 2) f
  GROUP BY f.given) m

-- statement refused cohorts
SELECT a.n, a.line AS number,
       CASE WHEN k.code <> '' THEN k.code
            WHEN g.found = 0 THEN 'cohort-unknown'
            WHEN g.found > 1 THEN 'cohort-ambiguous'
            ELSE 'cohort-owned' END AS code,
       k.label AS value,
       CASE WHEN k.code <> '' THEN k.hint
            WHEN g.found = 0 THEN CASE k.how WHEN 0 THEN 'id' WHEN 1 THEN 'idnumber' ELSE 'name' END
            WHEN g.found > 1 THEN :count
            ELSE g.component END AS hint
  FROM [account_cohort] a
  JOIN [account_row] r ON r.line = a.line AND r.userid IS NOT NULL
  JOIN [given_key] k ON k.given = a.ckey
  LEFT JOIN [given_cohort] g ON g.given = a.ckey
 WHERE k.code <> '' OR g.found <> 1 OR g.component <> ''

-- statement joining members
-- Each membership once, for the first line that gives it.
SELECT MIN(a.line) AS line, r.userid, 0 AS courseid, g.contextid, g.cohortid AS itemid
  FROM [account_cohort] a
  JOIN [account_row] r ON r.line = a.line AND r.userid IS NOT NULL
  JOIN [given_cohort] g ON g.given = a.ckey AND g.found = 1 AND g.component = ''
  LEFT JOIN {cohort_members} m ON m.cohortid = g.cohortid AND m.userid = r.userid
 WHERE m.id IS NULL
 GROUP BY r.userid, g.contextid, g.cohortid
