-- The rows of the journal for what floor-convert.sql changes, behind its first statement in the same transaction: a run
-- that can be undone writes them whatever its statements are. The run has the number 1.
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend)
SELECT 1, 1000000000 + ROW_NUMBER() OVER (ORDER BY n.courseid, n.userid), 'convert', 'enrolment.add', 0, n.userid, n.courseid,
       n.enrolid, n.contextid, NULL, n.status, n.timestart, n.timeend
  FROM floor_new n;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, roleid, component, itemid, enrolid, targetid, oldrow)
SELECT 1, 2000000000 + ROW_NUMBER() OVER (ORDER BY r.id), 'convert', 'role.release', 0, r.userid, s.courseid, r.contextid, r.roleid,
       '', 0, r.itemid, r.id,
       '{"id":' || r.id || ',"roleid":' || r.roleid || ',"contextid":' || r.contextid || ',"userid":' || r.userid || ',"timemodified":'
       || r.timemodified || ',"modifierid":' || r.modifierid || ',"component":"' || r.component || '","itemid":' || r.itemid
       || ',"sortorder":' || r.sortorder || '}'
  FROM {role_assignments} r
  JOIN (SELECT DISTINCT sourceid, courseid FROM floor_new) s ON s.sourceid = r.itemid AND r.component = 'enrol_cohort';
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, groupid, component, itemid, enrolid, targetid, oldrow)
SELECT 1, 3000000000 + ROW_NUMBER() OVER (ORDER BY m.id), 'convert', 'group-member.release', 0, m.userid, s.courseid, s.contextid,
       m.groupid, '', 0, m.itemid, m.id,
       '{"id":' || m.id || ',"groupid":' || m.groupid || ',"userid":' || m.userid || ',"timeadded":' || m.timeadded || ',"component":"'
       || m.component || '","itemid":' || m.itemid || '}'
  FROM {groups_members} m
  JOIN (SELECT DISTINCT sourceid, courseid, contextid FROM floor_new) s ON s.sourceid = m.itemid AND m.component = 'enrol_cohort';
