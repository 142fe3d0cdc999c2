-- The rows of the journal for what floor-participants.sql writes, behind it in the same transaction: a run that can be
-- undone writes them whatever its statements are. The run has the number 1.
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend)
SELECT 1, 1000000000 + ROW_NUMBER() OVER (ORDER BY n.userid), 'import', 'enrolment.add', 0, n.userid, n.courseid, n.enrolid,
       n.contextid, NULL, 0, 0, 0
  FROM floor_new n;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, roleid, component, itemid)
SELECT 1, 2000000000 + ROW_NUMBER() OVER (ORDER BY n.userid), 'import', 'role.add', 0, n.userid, n.courseid, n.contextid, 5, '', 0
  FROM floor_new n;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, groupid, component, itemid)
SELECT 1, 3000000000 + ROW_NUMBER() OVER (ORDER BY m.userid), 'import', 'group-member.add', 0, m.userid, m.courseid, m.contextid,
       m.groupid, '', 0
  FROM floor_member m;
