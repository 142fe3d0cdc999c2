-- The courses of the site with their methods and counts.

-- statement courses
SELECT c.id, c.shortname, c.fullname, c.idnumber, k.id, c.visible, c.startdate, c.enddate, COALESCE(p.people, 0)
  FROM {course} c
  LEFT JOIN {context} k ON k.contextlevel = 40 AND k.instanceid = c.category
  LEFT JOIN (SELECT e.courseid, COUNT(DISTINCT x.userid) AS people
               FROM {enrol} e JOIN {user_enrolments} x ON x.enrolid = e.id GROUP BY e.courseid) p ON p.courseid = c.id
 WHERE c.category <> 0

-- statement methods
-- Each method of a course, enabled and disabled instances apart.
SELECT e.courseid, e.enrol, e.status, COUNT(DISTINCT e.id), COUNT(x.id)
  FROM {enrol} e
  LEFT JOIN {user_enrolments} x ON x.enrolid = e.id
 GROUP BY e.courseid, e.enrol, e.status
 ORDER BY e.courseid, e.status, e.enrol
