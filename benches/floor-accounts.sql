-- The least SQL that new accounts with two cohorts and two courses each need: no journal, no guard, no report, no check of
-- anything. Statements end in ';' at a line's end; the bench has loaded the rows into floor_account before.
INSERT INTO {user} (auth, confirmed, mnethostid, username, password, idnumber, firstname, lastname, email, emailstop, phone1, phone2,
       institution, department, address, city, country, lang, calendartype, theme, timezone, description, descriptionformat, mailformat,
       maildigest, maildisplay, autosubscribe, trackforums, timecreated, timemodified)
SELECT 'manual', 1, 1, f.username, f.password, '', f.firstname, f.lastname, f.email, 0, '', '', '', '', '', '', '', 'en', 'gregorian', '', '99',
       '', 1, 1, 0, 2, 1, 0, :now, :now
  FROM floor_account f LEFT JOIN {user} u ON u.username = f.username AND u.mnethostid = 1 WHERE u.id IS NULL;
CREATE TEMPORARY TABLE floor_new AS
SELECT f.*, u.id AS userid FROM floor_account f JOIN {user} u ON u.username = f.username AND u.mnethostid = 1;
INSERT INTO {context} (contextlevel, instanceid, depth) SELECT 30, n.userid, 2 FROM floor_new n;
UPDATE {context} SET path = '/1/' || id WHERE contextlevel = 30 AND path IS NULL;
INSERT INTO {user_preferences} (userid, name, value)
SELECT n.userid, 'create_password', '1' FROM floor_new n WHERE n.password = 'to be generated';
CREATE TEMPORARY TABLE floor_member AS
SELECT n.userid, h.id AS cohortid, h.contextid FROM floor_new n JOIN {cohort} h ON h.idnumber = n.cohort1
UNION ALL
SELECT n.userid, h.id AS cohortid, h.contextid FROM floor_new n JOIN {cohort} h ON h.idnumber = n.cohort2;
INSERT INTO {cohort_members} (cohortid, userid, timeadded) SELECT m.cohortid, m.userid, :now FROM floor_member m;
CREATE TEMPORARY TABLE floor_place AS
SELECT n.userid, c.id AS courseid, e.id AS enrolid, k.id AS contextid, e.roleid
  FROM floor_new n JOIN {course} c ON c.shortname = n.course1
  JOIN {enrol} e ON e.courseid = c.id AND e.enrol = 'manual' JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = c.id
UNION ALL
SELECT n.userid, c.id AS courseid, e.id AS enrolid, k.id AS contextid, e.roleid
  FROM floor_new n JOIN {course} c ON c.shortname = n.course2
  JOIN {enrol} e ON e.courseid = c.id AND e.enrol = 'manual' JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = c.id;
INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
SELECT p.enrolid, 0, p.userid, :now, 0, 2, :now, :now FROM floor_place p;
INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
SELECT p.roleid, p.contextid, p.userid, :now, 2, '', 0, 0 FROM floor_place p;
INSERT INTO {cache_flags} (flagtype, name, value, timemodified, expiry)
SELECT 'accesslib/dirtyusers', :name, '1', :now, :now + 28800 FROM floor_new n;
INSERT INTO {cache_flags} (flagtype, name, value, timemodified, expiry)
SELECT 'userpreferenceschanged', :name, '1', :now, :now + 28800 FROM floor_new n;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_created', 'core', 'created', 'user', 'user', n.userid, 'c', 0, k.id, 30,
       n.userid, 2, 0, n.userid, 0, 'null', :now, 'cli'
  FROM floor_new n JOIN {context} k ON k.contextlevel = 30 AND k.instanceid = n.userid;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\cohort_member_added', 'core', 'added', 'cohort_member', 'cohort', m.cohortid, 'c', 0, m.contextid, 10,
       0, 2, 0, m.userid, 0, 'null', :now, 'cli'
  FROM floor_member m;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\user_enrolment_created', 'core', 'created', 'user_enrolment', 'user_enrolments', x.id, 'c', 0, p.contextid, 50,
       p.courseid, 2, p.courseid, p.userid, 0, '{"enrol":"manual"}', :now, 'cli'
  FROM floor_place p JOIN {user_enrolments} x ON x.enrolid = p.enrolid AND x.userid = p.userid;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\role_assigned', 'core', 'assigned', 'role', 'role', r.roleid, 'c', 0, r.contextid, 50,
       k.instanceid, 2, k.instanceid, r.userid, 0, '{"id":' || r.id || ',"component":"","itemid":0}', :now, 'cli'
  FROM {role_assignments} r JOIN {context} k ON k.id = r.contextid WHERE r.timemodified = :now;
