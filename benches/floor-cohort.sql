-- The least SQL for a cohort whose members are new: enrolments, roles, events. No journal, no guard, no report.
CREATE TEMPORARY TABLE floor_new AS
SELECT e.id AS enrolid, e.courseid, e.roleid, k.id AS contextid, m.userid
  FROM {enrol} e
  JOIN {cohort_members} m ON m.cohortid = e.customint1
  JOIN {user} u ON u.id = m.userid AND u.deleted = 0
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  LEFT JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = m.userid
 WHERE e.enrol = 'cohort' AND e.status = 0 AND x.id IS NULL;
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT enrolid, 0, userid, 0, 0, 2, :now, :now FROM floor_new;
INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
SELECT n.roleid, n.contextid, n.userid, :now, 2, 'enrol_cohort', n.enrolid, 0 FROM floor_new n
  LEFT JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid AND r.roleid = n.roleid
       AND r.component = 'enrol_cohort' AND r.itemid = n.enrolid
 WHERE r.id IS NULL;
CREATE TEMPORARY TABLE floor_dirty AS SELECT DISTINCT CAST(userid AS TEXT) AS name FROM floor_new;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"enrol":"cohort"}', :now, 'cli'
  FROM floor_new n JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
UNION ALL
SELECT '\core\event\role_assigned', 'core', 'assigned', 'role', 'role', n.roleid, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"id":' || r.id || ',"component":"enrol_cohort","itemid":"' || n.enrolid || '"}', :now, 'cli'
  FROM floor_new n JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid AND r.roleid = n.roleid
   AND r.component = 'enrol_cohort' AND r.itemid = n.enrolid;
