-- Completed courses (spec coursecompleted 3, 5): who is to be enrolled now stands in the temporary table `completed`,
-- with verdict 0, before any of this is read. Nothing that an instance gave is ever taken back by it.

-- section scope
SELECT h.enrolid, h.courseid, h.contextid
  FROM chain h
 WHERE h.enrolid :among_instances

-- section enrolments
SELECT t.enrolid, t.userid, t.courseid, t.contextid, 2 AS want, 0 AS status, t.timestart, t.timeend
  FROM scope s
  JOIN completed t ON t.enrolid = s.enrolid
 WHERE t.verdict = 0 AND t.userid :among_users

-- section roles
SELECT t.enrolid, t.userid, t.courseid, t.contextid, t.roleid, 2 AS want
  FROM scope s
  JOIN completed t ON t.enrolid = s.enrolid
  JOIN {user_enrolments} x ON x.enrolid = t.enrolid AND x.userid = t.userid
 WHERE t.verdict = 0 AND t.userid :among_users

-- section owned roles
SELECT r.id, s.enrolid, r.userid, r.roleid, s.courseid, s.contextid
  FROM scope s
  JOIN {role_assignments} r ON r.itemid = s.enrolid
 WHERE 1 = 0

-- section groups
SELECT MIN(t.enrolid) AS enrolid, t.courseid, t.contextid, MIN(g.name) AS name, '' AS idnumber, '' AS description
  FROM scope s
  JOIN completed t ON t.enrolid = s.enrolid
  JOIN chain h ON h.enrolid = t.enrolid AND h.copies = 1
  JOIN {user_enrolments} x ON x.enrolid = t.enrolid AND x.userid = t.userid
  JOIN {groups_members} m ON m.userid = t.userid
  JOIN {groups} g ON g.id = m.groupid AND g.courseid = h.source
 WHERE :creates_groups = 1 AND t.verdict = 0 AND t.userid :among_users
   AND NOT EXISTS (SELECT 1 FROM {groups} o WHERE o.courseid = t.courseid AND :same_name)
 GROUP BY t.courseid, t.contextid, :exact_name

-- section group members
SELECT t.enrolid, t.userid, t.courseid, t.contextid, MIN(o.id) AS groupid, 2 AS want
  FROM scope s
  JOIN completed t ON t.enrolid = s.enrolid
  JOIN chain h ON h.enrolid = t.enrolid AND h.copies = 1
  JOIN {user_enrolments} x ON x.enrolid = t.enrolid AND x.userid = t.userid
  JOIN {groups_members} m ON m.userid = t.userid
  JOIN {groups} g ON g.id = m.groupid AND g.courseid = h.source
  JOIN {groups} o ON o.courseid = t.courseid AND :same_name
 WHERE t.verdict = 0 AND t.userid :among_users
 GROUP BY t.enrolid, t.userid, t.courseid, t.contextid, :exact_name

-- section owned group members
SELECT m.id, s.enrolid, m.userid, m.groupid, s.courseid, s.contextid
  FROM scope s
  JOIN {groups_members} m ON m.itemid = s.enrolid
 WHERE 1 = 0

-- section concerned
SELECT e.id AS enrolid
  FROM {enrol} e
 WHERE 1 = 0
