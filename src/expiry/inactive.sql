-- statement inactive enrolments
INSERT INTO [to_remove]
SELECT x.id, 0, x.userid, e.courseid, k.id, e.id, COALESCE(e.roleid, 0), 'enrol_' || e.enrol, 1, NULL
  FROM {enrol} e
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {user_enrolments} x ON x.enrolid = e.id
  JOIN {user} u ON u.id = x.userid
  -- A user who never opened the course has no last access: the comparison below is NULL and does not hold.
  LEFT JOIN {user_lastaccess} a ON a.userid = x.userid AND a.courseid = e.courseid
 WHERE :limit > 0 AND :reach
   -- Away from the site, or from the course, for longer than the instance allows.
   AND (:now - (:seen) > :limit OR :now - (:looked) > :limit)
