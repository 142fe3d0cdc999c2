-- The least SQL for autoenrol rules of three leaves, derived here from e.sortorder as in the bench: users who match and
-- have no enrolment in the course, with role, window and events.
CREATE TEMPORARY TABLE floor_new AS
SELECT e.id AS enrolid, e.courseid, e.roleid, k.id AS contextid, u.id AS userid
  FROM {enrol} e
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {user} u ON u.deleted = 0 AND u.id > 2
   AND (u.department = 'Dept' || (e.sortorder % 13) OR u.department = 'Dept' || ((e.sortorder + 4) % 13) OR u.city = 'City' || (e.sortorder % 10))
 WHERE e.enrol = 'autoenrol' AND e.status = 0 AND e.customint4 <> 0
   AND NOT EXISTS (SELECT 1 FROM {user_enrolments} x JOIN {enrol} o ON o.id = x.enrolid WHERE x.userid = u.id AND o.courseid = e.courseid);
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT enrolid, 0, userid, :now, 0, 2, :now, :now FROM floor_new;
INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
SELECT n.roleid, n.contextid, n.userid, :now, 2, '', 0, 0 FROM floor_new n
  LEFT JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid AND r.roleid = n.roleid AND r.component = '' AND r.itemid = 0
 WHERE r.id IS NULL;
CREATE TEMPORARY TABLE floor_dirty AS SELECT DISTINCT CAST(userid AS TEXT) AS name FROM floor_new;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"enrol":"autoenrol"}', :now, 'cli'
  FROM floor_new n JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
UNION ALL
SELECT '\core\event\role_assigned', 'core', 'assigned', 'role', 'role', n.roleid, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"id":' || r.id || ',"component":"","itemid":0}', :now, 'cli'
  FROM floor_new n JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid AND r.roleid = n.roleid
   AND r.component = '' AND r.itemid = 0;
