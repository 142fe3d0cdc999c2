-- The changes of a full set, as rows (place, what, again, n, named): `n` changes of a kind in a course or cohort,
-- `named` of them of users whom the set names there.

-- statement changes in courses
-- Only users whom the set names are added or changed; none of them is removed.
SELECT c.courseid AS place, c.kind AS what, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END AS again,
       COUNT(*) AS n, COUNT(CASE WHEN c.kind <> :removed THEN 1 END) AS named
  FROM {enrold_change} c
 WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind IN (:added, :changed, :removed)
 GROUP BY c.courseid, c.kind, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END
 UNION ALL
-- Suspended users are absent, or the set gives them this state.
SELECT c.courseid, c.kind, 0, COUNT(*), COUNT(w.userid)
  FROM {enrold_change} c
  LEFT JOIN [set_person] w ON w.courseid = c.courseid AND w.userid = c.userid AND w.enrolled = 1
 WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind = :suspended
 GROUP BY c.courseid, c.kind

-- statement changes in cohorts
SELECT c.itemid AS place, c.kind AS what, 0 AS again, COUNT(*) AS n, COUNT(w.userid) AS named
  FROM {enrold_change} c
  LEFT JOIN [set_member] w ON w.cohortid = c.itemid AND w.userid = c.userid
 WHERE c.run = :run AND c.state = 0 AND c.cause = :cause AND c.kind IN (:of_cohorts)
 GROUP BY c.itemid, c.kind

-- statement changes foreseen
SELECT f.place, f.kind AS what, 1 AS again, COUNT(*) AS n, COUNT(CASE WHEN f.named = 1 THEN 1 END) AS named
  FROM [set_foreseen] f
 GROUP BY f.place, f.kind

-- statement foreseen in courses
INSERT INTO [set_foreseen]
-- Users whom the set names and who are not enrolled, or are suspended and would become active.
SELECT w.courseid AS place, w.userid, CASE WHEN x.userid IS NULL THEN :added ELSE :changed END AS kind, 1 AS named
  FROM [set_person] w
  LEFT JOIN (:existing) x ON x.courseid = w.courseid AND x.userid = w.userid
 WHERE w.enrolled = 1 AND (x.userid IS NULL OR (x.status = 1 AND w.status = 0))
 UNION ALL
-- Enrolled users who would be removed or suspended; suspended ones only if absence unenrols.
SELECT x.courseid, x.userid, :ending, 0
  FROM :beside_the_set
 WHERE w.userid IS NULL AND s.userid IS NULL AND p.courseid IS NULL AND z.userid IS NULL
   AND (x.status = 0 OR :unenrol = 1)

-- statement existing enrolments
-- Those in the source's own instances.
SELECT e.courseid, x.userid, MIN(x.status) AS status
  FROM {enrol} e
  JOIN {user_enrolments} x ON x.enrolid = e.id
 WHERE e.enrol = :method AND :own_instance
 GROUP BY e.courseid, x.userid

-- statement beside the set
-- Existing enrolments `x` with what the set says of them: `w` names the user, `s`, `p` and `z` spare them.
(:existing) x
  JOIN {course} c ON c.id = x.courseid AND (c.visible = 1 OR :ignore_hidden = 0)
  LEFT JOIN [set_person] w ON w.courseid = x.courseid AND w.userid = x.userid AND w.enrolled = 1
  LEFT JOIN [set_spared] s ON s.userid = x.userid
  LEFT JOIN [set_spared_course] p ON p.courseid = x.courseid
  LEFT JOIN [set_spared_pair] z ON z.placeid = x.courseid AND z.userid = x.userid

-- statement foreseen in cohorts
INSERT INTO [set_foreseen]
SELECT w.cohortid AS place, w.userid, :joined AS kind, 1 AS named
  FROM [set_member] w
  LEFT JOIN {cohort_members} m ON m.cohortid = w.cohortid AND m.userid = w.userid
 WHERE m.id IS NULL
 UNION ALL
SELECT g.cohortid, g.userid, :left, 0
  FROM (:leaving) l
  JOIN {cohort_members} g ON g.id = l.id

-- statement rows in courses
-- Users whom the set names.
SELECT w.courseid, 'named', 0, COUNT(*), 0
  FROM [set_person] w
 WHERE w.enrolled = 1
 GROUP BY w.courseid
 UNION ALL
-- Rows that failed, counted here because not all of them are kept as problems.
SELECT k.courseid, 'unknown', 0, COUNT(*), 0
  FROM [stage_line] l
  JOIN [stage_course] k ON k.ckey = l.ckey AND k.found = 1
  JOIN [stage_user] u ON u.ukey = l.ukey
 WHERE :all_known = 0 AND NOT (:resolved)
 GROUP BY k.courseid
 UNION ALL
-- Users who are kept because of rows that failed, without those who never lose anything.
SELECT x.courseid, 'kept', 0, COUNT(*), 0
  FROM :beside_the_set
 WHERE :all_known = 0 AND :loses = 1 AND w.userid IS NULL AND (x.status = 0 OR :unenrol = 1)
   AND (s.userid IS NOT NULL OR p.courseid IS NOT NULL OR z.userid IS NOT NULL)
   AND NOT EXISTS (:exempt)
 GROUP BY x.courseid

-- statement rows in cohorts
SELECT w.cohortid, 'named', 0, COUNT(*), 0
  FROM [set_member] w
 GROUP BY w.cohortid
 UNION ALL
SELECT k.cohortid, 'unknown', 0, COUNT(*), 0
  FROM [stage_line] l
  JOIN [stage_cohort] k ON k.ckey = l.ckey AND k.found = 1
  JOIN [stage_user] u ON u.ukey = l.ukey
 WHERE :all_known = 0 AND NOT (:resolved)
 GROUP BY k.cohortid
 UNION ALL
-- Members who are kept because of rows that failed, as above.
SELECT x.cohortid, 'kept', 0, COUNT(*), 0
  FROM {cohort_members} x
  JOIN [set_cohort] c ON c.cohortid = x.cohortid
  JOIN {enrold_set_member} o ON o.source = :source AND o.cohortid = x.cohortid AND o.userid = x.userid
  LEFT JOIN [set_member] w ON w.cohortid = x.cohortid AND w.userid = x.userid
  LEFT JOIN [set_spared] s ON s.userid = x.userid
  LEFT JOIN [set_spared_cohort] p ON p.cohortid = x.cohortid
  LEFT JOIN [set_spared_pair] z ON z.placeid = x.cohortid AND z.userid = x.userid
 WHERE w.userid IS NULL
   AND (s.userid IS NOT NULL OR p.cohortid IS NOT NULL OR z.userid IS NOT NULL)
   AND NOT EXISTS (:exempt)
   AND NOT EXISTS (SELECT 1 FROM {enrold_set_member} t
                    WHERE t.cohortid = x.cohortid AND t.userid = x.userid AND t.source <> :source)
 GROUP BY x.cohortid

-- statement accounts that never lose anything
SELECT 1 FROM {user} a WHERE a.id = x.userid AND (a.id IN (:ids) OR a.username IN (:names))

-- statement costs
-- What users lose by the changes: last enrolments in a course, and grades.
SELECT 0, 'costs', 0, COUNT(CASE WHEN c.lastenrol = 1 THEN 1 END), COUNT(CASE WHEN c.kind = :lost_grade THEN 1 END)
  FROM {enrold_change} c
 WHERE c.run = :run AND c.state = 0

-- statement account
-- Each course or cohort with its name.
SELECT q.place, COALESCE(:name, ''), q.what, q.again, q.n, q.named
  FROM (:changes UNION ALL :rows UNION ALL :costs) q
  LEFT JOIN :places k ON k.id = q.place
