-- The least SQL to find that cohort sync has nothing to do: users to add or reactivate, extra users, and missing or
-- extra roles and group members.
SELECT COUNT(*) FROM {enrol} e
  JOIN {cohort_members} m ON m.cohortid = e.customint1
  JOIN {user} u ON u.id = m.userid AND u.deleted = 0
  LEFT JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = m.userid
 WHERE e.enrol = 'cohort' AND e.status = 0 AND (x.id IS NULL OR x.status = 1);
SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'cohort'
  LEFT JOIN {cohort_members} m ON m.cohortid = e.customint1 AND m.userid = x.userid
 WHERE m.id IS NULL;
SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'cohort' AND e.status = 0
  JOIN {role} o ON o.id = e.roleid
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {user} u ON u.id = x.userid AND u.deleted = 0
  LEFT JOIN {role_assignments} r ON r.userid = x.userid AND r.contextid = k.id AND r.roleid = e.roleid
       AND r.component = 'enrol_cohort' AND r.itemid = e.id
 WHERE x.status = 0 AND r.id IS NULL;
SELECT COUNT(*) FROM {role_assignments} r
  JOIN {enrol} e ON e.id = r.itemid AND e.enrol = 'cohort'
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid AND k.id = r.contextid
  LEFT JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = r.userid AND x.status = 0
 WHERE r.component = 'enrol_cohort' AND (x.id IS NULL OR e.status <> 0 OR r.roleid <> e.roleid);
SELECT COUNT(*) FROM {groups_members} g
  JOIN {enrol} e ON e.id = g.itemid AND e.enrol = 'cohort'
 WHERE g.component = 'enrol_cohort' AND g.groupid <> e.customint2;
SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'cohort'
  JOIN {groups} h ON h.id = e.customint2 AND h.courseid = e.courseid
  LEFT JOIN {groups_members} g ON g.groupid = h.id AND g.userid = x.userid
 WHERE g.id IS NULL;
