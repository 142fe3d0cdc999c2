-- The least SQL for members who left: unenrols them, and removes what goes with the last enrolment in a course.
CREATE TEMPORARY TABLE floor_gone AS
SELECT x.id, x.status, x.enrolid, x.userid, x.timestart, x.timeend, x.modifierid, x.timecreated, x.timemodified,
       e.courseid, k.id AS contextid, k.path
  FROM {enrol} e
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {user_enrolments} x ON x.enrolid = e.id
  LEFT JOIN {cohort_members} m ON m.cohortid = e.customint1 AND m.userid = x.userid
 WHERE e.enrol = 'cohort' AND m.id IS NULL;
ANALYZE floor_gone;
DELETE FROM {groups_members} g USING floor_gone d WHERE g.userid = d.userid AND g.component = 'enrol_cohort' AND g.itemid = d.enrolid;
DELETE FROM {user_enrolments} x USING floor_gone d WHERE x.id = d.id;
CREATE TEMPORARY TABLE floor_last AS
SELECT DISTINCT d.userid, d.courseid, d.contextid, d.path FROM floor_gone d
 WHERE NOT EXISTS (SELECT 1 FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid WHERE x.userid = d.userid AND e.courseid = d.courseid);
ANALYZE floor_last;
CREATE TEMPORARY TABLE floor_role AS
SELECT r.id, r.roleid, r.userid, r.component, r.itemid, r.contextid, d.courseid
  FROM floor_gone d JOIN {role_assignments} r ON r.userid = d.userid AND r.contextid = d.contextid AND r.component = 'enrol_cohort' AND r.itemid = d.enrolid
UNION
SELECT r.id, r.roleid, r.userid, r.component, r.itemid, r.contextid, l.courseid
  FROM floor_last l JOIN {role_assignments} r ON r.userid = l.userid
  JOIN {context} k ON k.id = r.contextid AND (k.id = l.contextid OR k.path LIKE l.path || '/%');
ANALYZE floor_role;
DELETE FROM {role_assignments} r USING floor_role d WHERE r.id = d.id;
DELETE FROM {groups_members} m USING floor_last l, {groups} g WHERE g.courseid = l.courseid AND m.groupid = g.id AND m.userid = l.userid;
CREATE TEMPORARY TABLE floor_grade AS
SELECT v.* FROM floor_last l JOIN {grade_items} i ON i.courseid = l.courseid JOIN {grade_grades} v ON v.itemid = i.id AND v.userid = l.userid;
INSERT INTO {grade_grades_history} (action, oldid, source, timemodified, loggeduser, itemid, userid, rawgrade, rawgrademax, rawgrademin,
       rawscaleid, usermodified, finalgrade, hidden, locked, locktime, exported, overridden, excluded, feedback, feedbackformat,
       information, informationformat)
SELECT 3, v.id, 'userdelete', :now, 2, v.itemid, v.userid, v.rawgrade, v.rawgrademax, v.rawgrademin, v.rawscaleid, v.usermodified,
       v.finalgrade, v.hidden, v.locked, v.locktime, v.exported, v.overridden, v.excluded, v.feedback, v.feedbackformat,
       v.information, v.informationformat FROM floor_grade v;
DELETE FROM {grade_grades} v USING floor_grade d WHERE v.id = d.id;
DELETE FROM {user_lastaccess} a USING floor_last l WHERE a.userid = l.userid AND a.courseid = l.courseid;
DELETE FROM {forum_digests} d USING floor_last l, {forum} f WHERE f.course = l.courseid AND d.forum = f.id AND d.userid = l.userid;
DELETE FROM {forum_subscriptions} s USING floor_last l, {forum} f WHERE f.course = l.courseid AND s.forum = f.id AND s.userid = l.userid;
DELETE FROM {forum_track_prefs} t USING floor_last l, {forum} f WHERE f.course = l.courseid AND t.forumid = f.id AND t.userid = l.userid;
DELETE FROM {forum_read} r USING floor_last l, {forum} f WHERE f.course = l.courseid AND r.forumid = f.id AND r.userid = l.userid;
CREATE TEMPORARY TABLE floor_dirty AS SELECT DISTINCT CAST(userid AS TEXT) AS name FROM floor_gone;
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel, contextid, contextlevel,
       contextinstanceid, userid, courseid, relateduserid, anonymous, other, timecreated, origin)
SELECT '\core\event\role_unassigned', 'core', 'unassigned', 'role', 'role', r.roleid, 'd', 0, r.contextid, 50,
       r.courseid, 2, r.courseid, r.userid, 0, '{"id":"' || r.id || '","component":"' || r.component || '","itemid":"' || r.itemid || '"}', :now, 'cli'
  FROM floor_role r
UNION ALL
SELECT '\core\event\user_enrolment_deleted', 'core', 'deleted', 'user_enrolment', 'user_enrolments', d.id, 'd', 0, d.contextid, 50,
       d.courseid, 2, d.courseid, d.userid, 0, '{"userenrolment":{"id":"' || d.id || '","status":"' || d.status || '","enrolid":"' || d.enrolid
       || '","userid":"' || d.userid || '","timestart":"' || d.timestart || '","timeend":"' || d.timeend || '","modifierid":"' || d.modifierid
       || '","timecreated":"' || d.timecreated || '","timemodified":"' || d.timemodified || '","courseid":"' || d.courseid
       || '","enrol":"cohort","lastenrol":' || CASE WHEN l.userid IS NULL THEN 'false' ELSE 'true' END || '},"enrol":"cohort"}', :now, 'cli'
  FROM floor_gone d LEFT JOIN floor_last l ON l.userid = d.userid AND l.courseid = d.courseid;
