-- Completed courses (spec coursecompleted 3, 5): who is to be enrolled now stands in the temporary table `completed`,
-- with verdict 0, before any of this is read, and their groups of the source in `copied_group`. Nothing that an
-- instance gave is ever taken back by it. Names of groups are compared byte by byte: the column of `copied_group` is
-- binary on MariaDB, but for blanks at the end, which the lengths tell apart. No run of enrold completes a course:
-- nothing that it changes concerns this rule, so it has no section for that.

-- section scope
-- Every instance whose source and target are there.
SELECT h.enrolid, h.courseid, h.contextid
  FROM [chain] h
 WHERE h.enrolid :among_instances

-- section enrolments
-- Whose completion is due.
SELECT t.enrolid, t.userid, t.courseid, t.contextid, 2 AS presence, 0 AS status, t.timestart, t.timeend
  FROM [scope] s
  JOIN [completed] t ON t.enrolid = s.enrolid
 WHERE t.verdict = 0 AND t.userid :among_users

-- section roles
-- They get the role of the instance once they are enrolled.
SELECT t.enrolid, t.userid, t.courseid, t.contextid, t.roleid, 2 AS presence
  FROM [scope] s
  JOIN [completed] t ON t.enrolid = s.enrolid
  JOIN {user_enrolments} x ON x.enrolid = t.enrolid AND x.userid = t.userid
 WHERE t.verdict = 0 AND t.userid :among_users

-- section owned roles
-- None: what was given is not taken back.
SELECT r.id, s.enrolid, r.userid, r.roleid, s.courseid, s.contextid
  FROM [scope] s
  JOIN {role_assignments} r ON r.itemid = s.enrolid
 WHERE 1 = 0

-- section groups of copied_group
-- Groups of the source that the target lacks by name, if they are made.
SELECT MIN(c.enrolid) AS enrolid, c.courseid, c.contextid, c.name, '' AS idnumber, '' AS description
  FROM [copied_group] c
  JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid
 WHERE :creates_groups = 1
   AND NOT EXISTS (SELECT 1 FROM [known_group] o
                    WHERE o.courseid = c.courseid AND o.name = c.name AND LENGTH(o.name) = LENGTH(c.name))
 GROUP BY c.courseid, c.contextid, c.name, LENGTH(c.name)

-- section group members of copied_group
-- Into the groups of those names; of several of one name, the oldest.
SELECT c.enrolid, c.userid, c.courseid, c.contextid, MIN(o.id) AS groupid, 2 AS presence
  FROM [copied_group] c
  JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid
  JOIN [known_group] o ON o.courseid = c.courseid AND o.name = c.name AND LENGTH(o.name) = LENGTH(c.name)
  JOIN {groups} h ON h.id = o.id
 GROUP BY c.enrolid, c.userid, c.courseid, c.contextid, c.name, LENGTH(c.name)

-- section owned group members
-- None either.
SELECT m.id, s.enrolid, m.userid, m.groupid, s.courseid, s.contextid
  FROM [scope] s
  JOIN {groups_members} m ON m.itemid = s.enrolid
 WHERE 1 = 0
