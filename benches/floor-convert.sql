-- The least SQL that makes the enrolments of a cohort manual ones: enrolments, owners of roles and groups, the method,
-- events. No journal, no guard, no report.
CREATE TEMPORARY TABLE floor_new AS
SELECT m.id AS enrolid, e.id AS sourceid, e.courseid, k.id AS contextid, x.userid, x.status, x.timestart, x.timeend
  FROM {enrol} e
  JOIN {user_enrolments} x ON x.enrolid = e.id
  JOIN {user} u ON u.id = x.userid AND u.deleted = 0
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {enrol} m ON m.courseid = e.courseid AND m.enrol = 'manual' AND m.status = 0
  LEFT JOIN {user_enrolments} y ON y.enrolid = m.id AND y.userid = x.userid
 WHERE e.enrol = 'cohort' AND e.status = 0 AND y.id IS NULL;
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT enrolid, status, userid, timestart, timeend, 2, :now, :now FROM floor_new;
UPDATE {role_assignments} SET component = '', itemid = 0
 WHERE component = 'enrol_cohort' AND itemid IN (SELECT sourceid FROM floor_new);
UPDATE {groups_members} SET component = '', itemid = 0
 WHERE component = 'enrol_cohort' AND itemid IN (SELECT sourceid FROM floor_new);
UPDATE {enrol} SET status = 1, timemodified = :now WHERE id IN (SELECT sourceid FROM floor_new);
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"enrol":"manual"}', :now, 'cli'
  FROM floor_new n JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid;
