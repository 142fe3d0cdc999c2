-- Completed courses (spec coursecompleted 3, 5): before these sections are read, the temporary table `completed` holds
-- the users to enrol now, with verdict 0, and `copied_group` their groups of the source. Nothing that an instance gave
-- is ever removed. Names of groups are compared byte by byte: the column of `copied_group` is binary on MariaDB, except
-- for blanks at the end, which the lengths distinguish. No run of enrold completes a course: none of its changes
-- concerns this rule, so there is no such section.

-- section scope
-- Every instance whose source and target exist.
SELECT h.enrolid, h.courseid, h.contextid
  FROM [chain] h
 WHERE h.enrolid :among_instances

-- section enrolments
-- Users whose completion is due.
SELECT t.enrolid, t.userid, t.courseid, t.contextid, 2 AS presence, 0 AS status, t.timestart, t.timeend
  FROM [scope] s
  JOIN [completed] t ON t.enrolid = s.enrolid
 WHERE t.verdict = 0 AND t.userid :among_users

-- section roles
-- The instance's role, once the user is enrolled.
SELECT t.enrolid, t.userid, t.courseid, t.contextid, t.roleid, 2 AS presence
  FROM [scope] s
  JOIN [completed] t ON t.enrolid = s.enrolid
  JOIN {user_enrolments} x ON x.enrolid = t.enrolid AND x.userid = t.userid
 WHERE t.verdict = 0 AND t.userid :among_users

-- section owned roles
-- None: what was given is never removed.
SELECT r.id, s.enrolid, r.userid, r.roleid, s.courseid, s.contextid
  FROM [scope] s
  JOIN {role_assignments} r ON r.itemid = s.enrolid
 WHERE 1 = 0

-- section groups of copied_group
-- Groups of the source whose names the target does not have, if the settings allow them to be made.
SELECT MIN(c.enrolid) AS enrolid, c.courseid, c.contextid, c.name, '' AS idnumber, '' AS description
  FROM [copied_group] c
  JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid
 WHERE :creates_groups = 1
   AND NOT EXISTS (SELECT 1 FROM [known_group] o
                    WHERE o.courseid = c.courseid AND o.name = c.name AND LENGTH(o.name) = LENGTH(c.name))
 GROUP BY c.courseid, c.contextid, c.name, LENGTH(c.name)

-- section group members of copied_group
-- Memberships in the groups with these names; of several with one name, in the oldest.
SELECT c.enrolid, c.userid, c.courseid, c.contextid, MIN(o.id) AS groupid, 2 AS presence
  FROM [copied_group] c
  JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid
  JOIN [known_group] o ON o.courseid = c.courseid AND o.name = c.name AND LENGTH(o.name) = LENGTH(c.name)
  JOIN {groups} h ON h.id = o.id
 GROUP BY c.enrolid, c.userid, c.courseid, c.contextid, c.name, LENGTH(c.name)

-- section owned group members
-- None, for the same reason.
SELECT m.id, s.enrolid, m.userid, m.groupid, s.courseid, s.contextid
  FROM [scope] s
  JOIN {groups_members} m ON m.itemid = s.enrolid
 WHERE 1 = 0
