-- The participants of the course :course. `u` is an account, `e` an instance, `x` an enrolment.

-- statement enrolments
SELECT u.id, u.lastname, u.firstname, u.username, u.idnumber, u.email, u.suspended, COALESCE(a.timeaccess, 0),
       e.enrol, e.id, e.status, x.status, x.timestart, x.timeend, x.timecreated
  FROM {enrol} e
  JOIN {user_enrolments} x ON x.enrolid = e.id
  JOIN {user} u ON u.id = x.userid AND u.deleted = 0
  LEFT JOIN {user_lastaccess} a ON a.userid = u.id AND a.courseid = e.courseid
 WHERE e.courseid = :course
 ORDER BY u.id, e.sortorder, e.id

-- statement roles
-- The roles in the course itself, whoever gave them.
SELECT DISTINCT a.userid, r.sortorder, r.shortname, COALESCE(n.name, r.name)
  FROM {context} k
  JOIN {role_assignments} a ON a.contextid = k.id
  JOIN {role} r ON r.id = a.roleid
  LEFT JOIN {role_names} n ON n.roleid = r.id AND n.contextid = k.id
 WHERE k.contextlevel = 50 AND k.instanceid = :course
 ORDER BY a.userid, r.sortorder

-- statement groups
SELECT m.userid, g.name
  FROM {groups} g
  JOIN {groups_members} m ON m.groupid = g.id
 WHERE g.courseid = :course
 ORDER BY m.userid, g.id

-- statement names of groups
SELECT g.name FROM {groups} g WHERE g.courseid = :course ORDER BY g.name
