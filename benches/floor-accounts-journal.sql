-- The rows of the journal for what floor-accounts.sql writes, behind it in the same transaction: a run that can be undone
-- writes them whatever its statements are. The run has the number 1.
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid)
SELECT 1, 1000000000 + n.userid, 'import', 'user-context.add', n.userid, n.userid, 0, k.id
  FROM floor_new n JOIN {context} k ON k.contextlevel = 30 AND k.instanceid = n.userid;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, state, userid, targetid, courseid, contextid, timestart, oldrow)
SELECT 1, 2000000000 + n.userid, 'import', 'user.add', n.userid, 0, n.userid, n.userid, 0, k.id, 0,
       '{"auth":"manual","username":"' || n.username || '","firstname":"' || n.firstname || '","lastname":"' || n.lastname
       || '","email":"' || n.email || '","lang":"en","timezone":"99"}'
  FROM floor_new n JOIN {context} k ON k.contextlevel = 30 AND k.instanceid = n.userid;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, component, oldrow)
SELECT 1, 3000000000 + n.userid, 'import', 'preference.add', n.userid, n.userid, 0, k.id, 'create_password', '1'
  FROM floor_new n JOIN {context} k ON k.contextlevel = 30 AND k.instanceid = n.userid;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, itemid)
SELECT 1, 4000000000 + ROW_NUMBER() OVER (ORDER BY m.userid, m.cohortid), 'import', 'cohort-member.add', m.userid, m.userid, 0,
       m.contextid, m.cohortid
  FROM floor_member m;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend)
SELECT 1, 5000000000 + ROW_NUMBER() OVER (ORDER BY p.userid, p.courseid), 'import', 'enrolment.add', p.userid, p.userid,
       p.courseid, p.enrolid, p.contextid, NULL, 0, :now, 0
  FROM floor_place p;
INSERT INTO {enrold_change} (run, seq, cause, kind, line, userid, courseid, contextid, roleid, component, itemid)
SELECT 1, 6000000000 + ROW_NUMBER() OVER (ORDER BY p.userid, p.courseid), 'import', 'role.add', p.userid, p.userid, p.courseid,
       p.contextid, p.roleid, '', 0
  FROM floor_place p;
