-- The least SQL for methods of cohorts that are new: instances, enrolments, roles, events. No journal, no guard, no report.
INSERT INTO {enrol} (enrol, status, courseid, sortorder, roleid, customint1, timecreated, timemodified)
SELECT 'cohort', 0, r.courseid, 1, 5, r.cohortid, :now, :now FROM floor_row r;
CREATE TEMPORARY TABLE floor_new AS
SELECT e.id AS enrolid, e.courseid, e.roleid, k.id AS contextid, m.userid
  FROM {enrol} e
  JOIN {cohort_members} m ON m.cohortid = e.customint1
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = 'cohort' AND e.timecreated = :now;
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT enrolid, 0, userid, 0, 0, 2, :now, :now FROM floor_new;
INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
SELECT n.roleid, n.contextid, n.userid, :now, 2, 'enrol_cohort', n.enrolid, 0 FROM floor_new n;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid,
       contextlevel, contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\enrol_instance_created', 'core', 'created', 'enrol_instance', 'enrol', e.id, 'c', 0, k.id, 50, e.courseid, 2,
       e.courseid, NULL, 0, '{"enrol":"cohort"}', :now, 'cli'
  FROM {enrol} e JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = 'cohort' AND e.timecreated = :now;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid,
       contextlevel, contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"enrol":"cohort"}', :now, 'cli'
  FROM floor_new n JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid,
       contextlevel, contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\role_assigned', 'core', 'assigned', 'role', 'role', n.roleid, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"component":"enrol_cohort"}', :now, 'cli'
  FROM floor_new n;
