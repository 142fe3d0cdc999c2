-- What the rows of a set protect whose keys do not resolve. The rows `l`, their accounts `u`, their courses or cohorts `k`.

-- statement unresolved rows
-- Each pair once; where an account or a place is found, only the other key matters.
SELECT DISTINCT CASE WHEN u.found = 0 THEN l.ukey ELSE '' END AS ukey,
       CASE WHEN k.found = 0 THEN l.ckey ELSE '' END AS ckey,
       CASE WHEN k.found = 1 THEN COALESCE(k.:place, 0) ELSE 0 END AS place
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN :named k ON k.ckey = l.ckey
 WHERE (u.found = 0 OR k.found = 0)
   -- A row of a protected account protects nobody else.
   AND NOT (u.found = 1 AND u.userid IN (:never))

-- statement places in courses
-- The courses in which the source has an instance.
SELECT DISTINCT c.id, :key, CASE WHEN k.ckey IS NULL THEN 0 ELSE 1 END
  FROM {enrol} e
  JOIN {course} c ON c.id = e.courseid
  LEFT JOIN [stage_course] k ON k.courseid = c.id AND k.found = 1
 WHERE e.enrol = :method AND :own_instance

-- statement places in cohorts
-- The cohorts to which the source has added users.
SELECT DISTINCT c.id, :key, CASE WHEN k.ckey IS NULL THEN 0 ELSE 1 END
  FROM {enrold_set_member} m
  JOIN {cohort} c ON c.id = m.cohortid
  LEFT JOIN [stage_cohort] k ON k.cohortid = c.id AND k.found = 1
 WHERE m.source = :source

-- statement accounts in courses
-- Those who would lose an enrolment or a role in an open course.
SELECT e.courseid, a.id, :key
  FROM [set_open] q
  JOIN {enrol} e ON e.courseid = q.placeid AND e.enrol = :method AND :own_instance
  JOIN {user_enrolments} x ON x.enrolid = e.id
  JOIN {user} a ON a.id = x.userid AND a.deleted = 0
  LEFT JOIN [set_person] w ON w.courseid = e.courseid AND w.userid = x.userid AND w.enrolled = 1
  LEFT JOIN [set_spared] p ON p.userid = x.userid
 WHERE w.userid IS NULL AND p.userid IS NULL
 UNION ALL
SELECT e.courseid, a.id, :key
  FROM [set_open] q
  JOIN {enrol} e ON e.courseid = q.placeid AND e.enrol = :method AND :own_instance
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {role_assignments} r ON r.component = :component AND r.itemid = e.id AND r.contextid = k.id
  JOIN {user} a ON a.id = r.userid AND a.deleted = 0
  LEFT JOIN [set_row] w ON w.courseid = e.courseid AND w.userid = r.userid AND w.roleid = r.roleid
  LEFT JOIN [set_spared] p ON p.userid = r.userid
 WHERE w.userid IS NULL AND p.userid IS NULL

-- statement accounts in cohorts
-- Those who would leave an open cohort.
SELECT m.cohortid, a.id, :key
  FROM (:leaving) l
  JOIN {cohort_members} m ON m.id = l.id
  JOIN [set_open] q ON q.placeid = m.cohortid
  JOIN {user} a ON a.id = m.userid AND a.deleted = 0

-- statement accounts named with a damaged key
SELECT DISTINCT u.userid
  FROM [set_damaged] d
  JOIN [stage_line] l ON l.ckey = d.ckey
  JOIN [stage_user] u ON u.ukey = l.ukey AND u.found = 1
