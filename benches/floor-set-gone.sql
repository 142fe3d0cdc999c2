-- Users whom a set no longer names: the rows with which the floor of cohort sync continues.
CREATE TEMPORARY TABLE floor_gone AS
SELECT x.id, x.status, x.enrolid, x.userid, x.timestart, x.timeend, x.modifierid, x.timecreated, x.timemodified,
       e.courseid, k.id AS contextid, k.path
  FROM {enrol} e
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {user_enrolments} x ON x.enrolid = e.id
  LEFT JOIN floor_want w ON w.courseid = e.courseid AND w.userid = x.userid
 WHERE e.enrol = 'database' AND w.userid IS NULL;
