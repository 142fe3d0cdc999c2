-- Cohort sync (spec cohort 4): the members of an instance's cohort are enrolled while the instance is enabled.

-- section scope
SELECT e.id AS enrolid, e.courseid, k.id AS contextid
  FROM {enrol} e
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = :method AND e.id :among_instances

-- section enrolments
-- All members. In a disabled instance, and for deleted accounts, nothing is added and nothing is removed.
SELECT s.enrolid, m.userid, s.courseid, s.contextid,
       CASE WHEN e.status = 0 AND u.deleted = 0 THEN 2 ELSE 0 END AS presence, 0 AS status, 0 AS timestart, 0 AS timeend
  FROM [scope] s
  JOIN {enrol} e ON e.id = s.enrolid
  JOIN {cohort_members} m ON m.cohortid = e.customint1
  JOIN {user} u ON u.id = m.userid
 WHERE m.userid :among_users

-- section roles
-- Active users of an enabled instance have its role. A deleted account is given none, and keeps the one that it has.
SELECT s.enrolid, x.userid, s.courseid, s.contextid, e.roleid, CASE WHEN u.deleted = 0 THEN 2 ELSE 0 END AS presence
  FROM [scope] s
 :then {enrol} e ON e.id = s.enrolid AND e.status = 0
 :then {role} r ON r.id = e.roleid
 :then {user_enrolments} x ON x.enrolid = s.enrolid AND x.status = 0
 :then {user} u ON u.id = x.userid
 WHERE x.userid :among_users
 UNION ALL
-- Where the site keeps roles, users who are not active, or whose instance is disabled, keep theirs.
SELECT s.enrolid, a.userid, s.courseid, s.contextid, a.roleid, 0
  FROM [scope] s
  JOIN {enrol} e ON e.id = s.enrolid
  :then {role_assignments} a :by_item ON a.component = :component AND a.itemid = s.enrolid AND a.contextid = s.contextid
  LEFT JOIN {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid = a.userid AND x.status = 0
 WHERE :keeps_roles = 1 AND (e.status <> 0 OR x.id IS NULL) AND a.userid :among_users

-- section group members
-- Every enrolled user is in the instance's group, if that group belongs to the course. A deleted account does not join.
SELECT s.enrolid, x.userid, s.courseid, s.contextid, g.id AS groupid,
       CASE WHEN u.deleted = 0 THEN 2 ELSE 0 END AS presence
  FROM [scope] s
 :then {enrol} e ON e.id = s.enrolid
 :then {groups} g ON g.id = e.customint2 AND g.courseid = s.courseid
 :then {user_enrolments} x ON x.enrolid = s.enrolid
 :then {user} u ON u.id = x.userid
 WHERE x.userid :among_users
 UNION ALL
-- If the instance has no group, memberships that it gave stay.
SELECT m.enrolid, m.userid, m.courseid, m.contextid, m.groupid, 0
  FROM (:given_memberships) m
  JOIN {enrol} e ON e.id = m.enrolid AND e.customint2 IS NULL
 WHERE m.userid :among_users

-- section concerned
-- Instances of courses that other changes have touched.
SELECT e.id AS enrolid
  FROM {enrol} e
 WHERE e.enrol = :method AND e.courseid IN (SELECT t.courseid FROM [touched] t)
