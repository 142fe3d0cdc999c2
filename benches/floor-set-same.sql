-- The least SQL to find that a set has nothing to do: users to add, extra users, and missing or extra roles.
SELECT COUNT(*) FROM floor_want w
  LEFT JOIN {enrol} e ON e.courseid = w.courseid AND e.enrol = 'database'
  LEFT JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = w.userid
 WHERE x.id IS NULL OR x.status = 1;
SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'database'
  LEFT JOIN floor_want w ON w.courseid = e.courseid AND w.userid = x.userid
 WHERE w.userid IS NULL;
SELECT COUNT(*) FROM floor_want w JOIN {enrol} e ON e.courseid = w.courseid AND e.enrol = 'database'
  LEFT JOIN {role_assignments} r ON r.userid = w.userid AND r.contextid = w.contextid AND r.roleid = w.roleid
       AND r.component = 'enrol_database' AND r.itemid = e.id
 WHERE r.id IS NULL;
SELECT COUNT(*) FROM {role_assignments} r JOIN {enrol} e ON e.id = r.itemid AND e.enrol = 'database'
  LEFT JOIN floor_want w ON w.courseid = e.courseid AND w.userid = r.userid AND w.roleid = r.roleid
 WHERE r.component = 'enrol_database' AND w.userid IS NULL;
