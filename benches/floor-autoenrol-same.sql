-- The least SQL to find that autoenrol has nothing to do: no further user matches, and every enrolled user still does.
SELECT COUNT(*) FROM {enrol} e
  JOIN {user} u ON u.deleted = 0 AND u.id > 2
   AND (u.department = 'Dept' || (e.sortorder % 13) OR u.department = 'Dept' || ((e.sortorder + 4) % 13) OR u.city = 'City' || (e.sortorder % 10))
 WHERE e.enrol = 'autoenrol' AND e.status = 0 AND e.customint4 <> 0
   AND NOT EXISTS (SELECT 1 FROM {user_enrolments} x JOIN {enrol} o ON o.id = x.enrolid WHERE x.userid = u.id AND o.courseid = e.courseid);
SELECT COUNT(*) FROM {enrol} e
  JOIN {user_enrolments} x ON x.enrolid = e.id
  JOIN {user} u ON u.id = x.userid
 WHERE e.enrol = 'autoenrol' AND e.status = 0
   AND NOT (u.department = 'Dept' || (e.sortorder % 13) OR u.department = 'Dept' || ((e.sortorder + 4) % 13) OR u.city = 'City' || (e.sortorder % 10));
