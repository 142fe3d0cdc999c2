-- The least SQL that a file of add lines needs: no journal, no guard, no report, no check of anything.
-- Statements end in ';' at a line's end; the bench has loaded the lines into floor_line before.
ANALYZE floor_line;
INSERT INTO {enrol} (enrol, status, courseid, sortorder, roleid, timecreated, timemodified)
SELECT 'flatfile', 0, c.id, 1, 0, :now, :now FROM {course} c
 WHERE c.shortname IN (SELECT course FROM floor_line) AND NOT EXISTS (SELECT 1 FROM {enrol} e WHERE e.courseid = c.id AND e.enrol = 'flatfile');
CREATE TEMPORARY TABLE floor_new AS
SELECT DISTINCT e.id AS enrolid, e.courseid, r.id AS roleid, k.id AS contextid, u.id AS userid, l.timestart, l.timeend
  FROM floor_line l
  JOIN {user} u ON u.username = l.username AND u.mnethostid = 1 AND u.deleted = 0
  JOIN {course} c ON c.shortname = l.course
  JOIN {role} r ON r.shortname = l.role
  JOIN {enrol} e ON e.courseid = c.id AND e.enrol = 'flatfile'
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = c.id;
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT n.enrolid, 0, n.userid, n.timestart, n.timeend, 2, :now, :now FROM floor_new n
  LEFT JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid WHERE x.id IS NULL;
INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
SELECT n.roleid, n.contextid, n.userid, :now, 2, 'enrol_flatfile', n.enrolid, 0 FROM floor_new n
  LEFT JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid AND r.roleid = n.roleid
       AND r.component = 'enrol_flatfile' AND r.itemid = n.enrolid
 WHERE r.id IS NULL;
CREATE TEMPORARY TABLE floor_dirty AS SELECT DISTINCT CAST(userid AS TEXT) AS name FROM floor_new;
UPDATE {cache_flags} f SET timemodified = :now, expiry = :now + 28800 FROM floor_dirty d WHERE f.flagtype = 'accesslib/dirtyusers' AND f.name = d.name;
INSERT INTO {cache_flags} (flagtype, name, value, timemodified, expiry)
SELECT 'accesslib/dirtyusers', d.name, '1', :now, :now + 28800 FROM floor_dirty d
  LEFT JOIN {cache_flags} f ON f.flagtype = 'accesslib/dirtyusers' AND f.name = d.name WHERE f.id IS NULL;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"enrol":"flatfile"}', :now, 'cli'
  FROM floor_new n JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
UNION ALL
SELECT '\core\event\role_assigned', 'core', 'assigned', 'role', 'role', n.roleid, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"id":' || r.id || ',"component":"enrol_flatfile","itemid":"' || n.enrolid || '"}', :now, 'cli'
  FROM floor_new n JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid AND r.roleid = n.roleid
   AND r.component = 'enrol_flatfile' AND r.itemid = n.enrolid;
