-- The least SQL for a new link: the enrolments of the source by the min/max rule, its roles, events.
CREATE TEMPORARY TABLE floor_new AS
SELECT e.id AS enrolid, e.courseid, k.id AS contextid, s.id AS sourceid, x.userid,
       MIN(CASE WHEN x.status = 0 AND p.status = 0 THEN 0 ELSE 1 END) AS status,
       COALESCE(MIN(CASE WHEN x.status = 0 AND p.status = 0 THEN x.timestart END), 0) AS timestart,
       CASE WHEN MIN(CASE WHEN x.status = 0 AND p.status = 0 THEN x.timeend END) = 0 THEN 0
            ELSE COALESCE(MAX(CASE WHEN x.status = 0 AND p.status = 0 THEN x.timeend END), 0) END AS timeend
  FROM {enrol} e
  JOIN {enrol} p ON p.courseid = e.customint1 AND p.enrol <> 'meta' AND p.enrol IN ('manual', 'cohort', 'meta')
  JOIN {user_enrolments} x ON x.enrolid = p.id
  JOIN {user} u ON u.id = x.userid AND u.deleted = 0
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {context} s ON s.contextlevel = 50 AND s.instanceid = e.customint1
  LEFT JOIN {user_enrolments} y ON y.enrolid = e.id AND y.userid = x.userid
 WHERE e.enrol = 'meta' AND e.status = 0 AND y.id IS NULL
 GROUP BY e.id, e.courseid, k.id, s.id, x.userid;
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT enrolid, status, userid, timestart, timeend, 2, :now, :now FROM floor_new;
CREATE TEMPORARY TABLE floor_role AS
SELECT DISTINCT r.roleid, n.contextid, n.userid, n.enrolid, n.courseid FROM floor_new n
  JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.sourceid AND (r.component = '' OR r.component LIKE 'enrol\_%') AND r.component <> 'enrol_meta'
  LEFT JOIN {role_assignments} y ON y.userid = n.userid AND y.contextid = n.contextid AND y.roleid = r.roleid AND y.component = 'enrol_meta' AND y.itemid = n.enrolid
 WHERE n.status = 0 AND y.id IS NULL;
INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
SELECT roleid, contextid, userid, :now, 2, 'enrol_meta', enrolid, 0 FROM floor_role;
CREATE TEMPORARY TABLE floor_dirty AS SELECT DISTINCT CAST(userid AS TEXT) AS name FROM floor_new;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"enrol":"meta"}', :now, 'cli'
  FROM floor_new n JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
UNION ALL
SELECT '\core\event\role_assigned', 'core', 'assigned', 'role', 'role', n.roleid, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"id":' || r.id || ',"component":"enrol_meta","itemid":"' || n.enrolid || '"}', :now, 'cli'
  FROM floor_role n JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid AND r.roleid = n.roleid
   AND r.component = 'enrol_meta' AND r.itemid = n.enrolid;
