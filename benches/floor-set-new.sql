-- Users whom a set adds: the missing instances, then the rows with which the floor of cohort sync continues.
INSERT INTO {enrol} (enrol, status, courseid, sortorder, customchar1, timecreated, timemodified)
SELECT DISTINCT 'database', 0, w.courseid, 1, 'enrold:records', :now, :now FROM floor_want w
 WHERE NOT EXISTS (SELECT 1 FROM {enrol} e WHERE e.courseid = w.courseid AND e.enrol = 'database');
CREATE TEMPORARY TABLE floor_new AS
SELECT e.id AS enrolid, w.courseid, w.roleid, w.contextid, w.userid
  FROM floor_want w JOIN {enrol} e ON e.courseid = w.courseid AND e.enrol = 'database'
  LEFT JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = w.userid
 WHERE x.id IS NULL;
ANALYZE floor_new;
