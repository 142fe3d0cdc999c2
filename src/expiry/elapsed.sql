-- statement elapsed enrolments
INSERT INTO [elapsed]
SELECT x.id, x.userid, e.courseid, k.id, e.id, COALESCE(e.roleid, 0), 'enrol_' || e.enrol,
       CASE WHEN e.enrol IN (:unenrol) THEN 0 ELSE 1 END, :roles, x.timeend
  FROM {user_enrolments} x
  JOIN {enrol} e ON e.id = x.enrolid
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  LEFT JOIN [to_remove] d ON d.ueid = x.id
 WHERE x.timeend > 0 AND x.timeend < :now AND :reach AND d.ueid IS NULL
   -- Suspended enrolments are not suspended again, but they are unenrolled.
   AND (e.enrol IN (:unenrol) OR (e.enrol IN (:suspend) AND x.status = 0))
