-- The rows of the journal for what floor-methods.sql writes, behind it in the same transaction: a run that can be undone
-- writes them whatever its statements are. The run has the number 1.
INSERT INTO {enrold_change} (run, seq, cause, kind, line, state, courseid, contextid, roleid, enrolid, component, itemid, status)
SELECT 1, 1000000000 + e.id, 'import', 'instance.add', 0, 0, e.courseid, k.id, 5, e.id, 'cohort', 0, 0
  FROM {enrol} e JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = 'cohort' AND e.timecreated = :now;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend)
SELECT 1, 2000000000 + ROW_NUMBER() OVER (ORDER BY n.courseid, n.userid, n.enrolid), 'cohort', 'enrolment.add', 0, n.userid,
       n.courseid, n.enrolid, n.contextid, NULL, 0, 0, 0
  FROM floor_new n;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, roleid, component, itemid)
SELECT 1, 3000000000 + ROW_NUMBER() OVER (ORDER BY n.courseid, n.userid, n.enrolid), 'cohort', 'role.add', 0, n.userid,
       n.courseid, n.contextid, n.roleid, 'enrol_cohort', n.enrolid
  FROM floor_new n;
