-- The least SQL that a list of participants needs who are all new in the course, with groups to make: no journal, no guard,
-- no report, no check of anything. Statements end in ';' at a line's end; the bench has loaded floor_line before.
CREATE TEMPORARY TABLE floor_new AS
SELECT u.id AS userid, c.id AS courseid, k.id AS contextid, e.id AS enrolid, f.gname
  FROM floor_line f JOIN {user} u ON u.username = f.username AND u.mnethostid = 1
  JOIN {course} c ON c.shortname = 'c1' JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = c.id
  JOIN {enrol} e ON e.courseid = c.id AND e.enrol = 'manual';
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT n.enrolid, 0, n.userid, 0, 0, 2, :now, :now FROM floor_new n;
INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
SELECT 5, n.contextid, n.userid, :now, 2, '', 0, 0 FROM floor_new n;
INSERT INTO {groups} (courseid, idnumber, name, description, descriptionformat, timecreated, timemodified)
SELECT DISTINCT n.courseid, '', n.gname, '', 0, :now, :now FROM floor_new n;
CREATE TEMPORARY TABLE floor_group AS
SELECT g.id AS groupid, g.courseid, g.name AS gname FROM {groups} g WHERE g.timecreated = :now;
CREATE TEMPORARY TABLE floor_member AS
SELECT g.groupid, n.userid, n.courseid, n.contextid
  FROM floor_new n JOIN floor_group g ON g.courseid = n.courseid AND g.gname = n.gname;
INSERT INTO {groups_members} (groupid, userid, timeadded, component, itemid)
SELECT m.groupid, m.userid, :now, '', 0 FROM floor_member m;
INSERT INTO {cache_flags} (flagtype, name, value, timemodified, expiry)
SELECT 'accesslib/dirtyusers', :name, '1', :now, :now + 28800 FROM floor_new n;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, n.contextid, 50,
       n.courseid, 2, n.courseid, n.userid, 0, '{"enrol":"manual"}', :now, 'cli'
  FROM floor_new n JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\role_assigned', 'core', 'assigned', 'role', 'role', r.roleid, 'c', 0, r.contextid, 50,
       n.courseid, 2, n.courseid, r.userid, 0, '{"id":' || r.id || ',"component":"","itemid":0}', :now, 'cli'
  FROM floor_new n JOIN {role_assignments} r ON r.userid = n.userid AND r.contextid = n.contextid;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\group_created', 'core', 'created', 'group', 'groups', g.id, 'c', 1, k.id, 50, g.courseid, 2, g.courseid, NULL, 0,
       'null', :now, 'cli'
  FROM {groups} g JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = g.courseid WHERE g.timecreated = :now;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\group_member_added', 'core', 'added', 'group_member', 'groups', m.groupid, 'c', 1, m.contextid, 50, m.courseid, 2,
       m.courseid, m.userid, 0, '{"component":"","itemid":0}', :now, 'cli'
  FROM floor_member m;
