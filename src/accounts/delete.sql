-- Accounts that are deleted: `n` are the rows of `account_now` that delete one.

-- statement enrolments
INSERT INTO [to_remove]
SELECT x.id, n.line, x.userid, e.courseid, k.id, e.id, COALESCE(e.roleid, 0), 'enrol_' || e.enrol, 1, NULL
  FROM [account_now] n
  JOIN {user_enrolments} x ON x.userid = n.userid
  JOIN {enrol} e ON e.id = x.enrolid
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE n.verdict = 'delete'

-- statement groups
SELECT m.id, n.line, g.courseid, k.id AS contextid
  FROM [account_now] n
  JOIN {groups_members} m ON m.userid = n.userid
  JOIN {groups} g ON g.id = m.groupid
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = g.courseid
 WHERE n.verdict = 'delete'

-- statement cohorts
SELECT m.id, n.line, 0 AS courseid, c.contextid
  FROM [account_now] n
  JOIN {cohort_members} m ON m.userid = n.userid
  JOIN {cohort} c ON c.id = m.cohortid
 WHERE n.verdict = 'delete'

-- statement deleted
SELECT n.line, x.id AS userid, 0 AS courseid, n.contextid, x.id AS targetid, :oldrow AS oldrow, :newrow AS newrow
  FROM [account_now] n
  JOIN {user} x ON x.id = n.userid
  JOIN [account_scrambled] d ON d.userid = x.id
 WHERE n.verdict = 'delete'
