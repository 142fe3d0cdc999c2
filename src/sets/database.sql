-- A full set (spec database 4, 5): users whom its rows name are enrolled in the source's own instance of the course,
-- with the roles and groups of the rows. `sets` loads it into temporary tables.

-- section scope
-- The source's own instance of each course, the oldest if there are several; not of hidden courses if they are ignored.
SELECT MIN(e.id) AS enrolid, e.courseid, k.id AS contextid
  FROM {enrol} e
  JOIN {course} c ON c.id = e.courseid AND (c.visible = 1 OR :ignore_hidden = 0)
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = :method AND :own_instance AND e.id :among_instances
 GROUP BY e.courseid, k.id

-- section instances
-- Courses that must have an instance.
SELECT DISTINCT w.courseid, w.contextid FROM [set_person] w

-- section enrolments
-- Users whom the set names.
SELECT s.enrolid, w.userid, s.courseid, s.contextid, 2 AS presence, w.status, w.timestart, w.timeend
  FROM [scope] s
  JOIN [set_person] w ON w.courseid = s.courseid
 WHERE w.enrolled = 1 AND w.userid :among_users
 UNION ALL
-- Spared users whom the set does not name stay as they are.
SELECT s.enrolid, x.userid, s.courseid, s.contextid, 0, 0, 0, 0
  FROM [scope] s
  JOIN {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid :spared
  LEFT JOIN [set_person] w ON w.courseid = s.courseid AND w.userid = x.userid AND w.enrolled = 1
 WHERE w.userid IS NULL AND x.userid :among_users
 UNION ALL
-- So do all other users in a spared course.
SELECT s.enrolid, x.userid, s.courseid, s.contextid, 0, 0, 0, 0
  FROM [scope] s
  JOIN [set_spared_course] q ON q.courseid = s.courseid
  JOIN {user_enrolments} x ON x.enrolid = s.enrolid
  LEFT JOIN [set_spared] p ON p.userid = x.userid
  LEFT JOIN [set_person] w ON w.courseid = s.courseid AND w.userid = x.userid AND w.enrolled = 1
 WHERE p.userid IS NULL AND w.userid IS NULL AND x.userid :among_users
 UNION ALL
-- So do users whom an unreadable row of the course may mean: neither spared, nor in a spared course.
SELECT s.enrolid, x.userid, s.courseid, s.contextid, 0, 0, 0, 0
  FROM [scope] s
  JOIN [set_spared_pair] z ON z.placeid = s.courseid
  JOIN {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid = z.userid
  LEFT JOIN [set_spared] p ON p.userid = x.userid
  LEFT JOIN [set_person] w ON w.courseid = s.courseid AND w.userid = x.userid AND w.enrolled = 1
 WHERE p.userid IS NULL AND w.userid IS NULL AND x.userid :among_users

-- section roles
-- The roles that the rows name.
SELECT s.enrolid, r.userid, s.courseid, s.contextid, r.roleid, 2 AS presence
  FROM [scope] s
  JOIN [set_row] r ON r.courseid = s.courseid
 WHERE r.userid :among_users
 UNION ALL
-- Roles of spared users and pairs, and roles in spared courses, stay.
SELECT s.enrolid, a.userid, s.courseid, s.contextid, a.roleid, 0
  FROM [scope] s
  :then {role_assignments} a :by_item ON a.component = :component AND a.itemid = s.enrolid AND a.contextid = s.contextid
       AND a.userid :spared
 WHERE a.userid :among_users
 UNION ALL
SELECT s.enrolid, a.userid, s.courseid, s.contextid, a.roleid, 0
  FROM [scope] s
  JOIN [set_spared_course] q ON q.courseid = s.courseid
  :then {role_assignments} a :by_item ON a.component = :component AND a.itemid = s.enrolid AND a.contextid = s.contextid
 WHERE a.userid :among_users
 UNION ALL
SELECT s.enrolid, a.userid, s.courseid, s.contextid, a.roleid, 0
  FROM [scope] s
  JOIN [set_spared_pair] z ON z.placeid = s.courseid
  :then {role_assignments} a :by_item ON a.component = :component AND a.itemid = s.enrolid AND a.contextid = s.contextid
       AND a.userid = z.userid
 WHERE a.userid :among_users
 UNION ALL
-- Where roles are kept, those of absent users stay; with a grace period only while the user is enrolled.
SELECT s.enrolid, a.userid, s.courseid, s.contextid, a.roleid, 0
  FROM [scope] s
  :then {role_assignments} a :by_item ON a.component = :component AND a.itemid = s.enrolid AND a.contextid = s.contextid
  LEFT JOIN [set_person] w ON w.courseid = s.courseid AND w.userid = a.userid
 WHERE :keeps_roles = 1 AND w.userid IS NULL AND a.userid :among_users
   AND (:waits = 0 OR EXISTS (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = s.enrolid AND x.userid = a.userid))

-- section groups
-- Groups that are named and missing, if the settings create them.
SELECT MIN(s.enrolid) AS enrolid, s.courseid, s.contextid, t.gkey AS name, :group_idnumber AS idnumber,
       '' AS description
  FROM (SELECT DISTINCT g.courseid, g.gkey FROM [set_group] g) t
  JOIN [scope] s ON s.courseid = t.courseid
  LEFT JOIN [known_group] o ON o.courseid = t.courseid AND :same_group
 WHERE o.id IS NULL AND :create_groups = 1
 GROUP BY s.courseid, s.contextid, t.gkey

-- section group members
-- Enrolled users who are named with a group. If the name means several groups, existing memberships only stay.
SELECT n.enrolid, n.userid, n.courseid, n.contextid, n.groupid, CASE WHEN n.many = 1 THEN 2 ELSE 0 END AS presence
  FROM (SELECT s.enrolid, t.userid, s.courseid, s.contextid, o.id AS groupid,
               COUNT(*) OVER (PARTITION BY s.enrolid, t.userid, t.gkey) AS many
          FROM [set_group] t
          :then [scope] s ON s.courseid = t.courseid
          :then {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid = t.userid
          :then [known_group] o ON o.courseid = t.courseid AND :same_group
          :then {groups} h ON h.id = o.id
         WHERE t.userid :among_users) n
 UNION ALL
-- Given memberships stay for absent users, spared users, courses and pairs, and users named with an unusable group.
SELECT m.enrolid, m.userid, m.courseid, m.contextid, m.groupid, 0
  FROM (:given_memberships) m
  LEFT JOIN [set_person] w ON w.courseid = m.courseid AND w.userid = m.userid AND w.enrolled = 1
  LEFT JOIN [set_spared] p ON p.userid = m.userid
  LEFT JOIN [set_spared_course] q ON q.courseid = m.courseid
  LEFT JOIN [set_spared_pair] z ON z.placeid = m.courseid AND z.userid = m.userid
  LEFT JOIN [set_ungrouped] u ON u.courseid = m.courseid AND u.userid = m.userid
 WHERE (w.userid IS NULL OR p.userid IS NOT NULL OR q.courseid IS NOT NULL OR z.userid IS NOT NULL
        OR u.userid IS NOT NULL)
   AND m.userid :among_users
