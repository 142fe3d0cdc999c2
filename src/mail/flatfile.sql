-- The flat file's own mails. `n` is a user whom this run has enrolled, `l` a row of `letter`, the instance; `e` is the
-- enroller of a course, `p` who is named as the contact.

-- statement newcomers
INSERT INTO [enrolled_anew]
SELECT c.enrolid, c.userid, e.courseid, MIN(c.seq)
  FROM {enrold_change} c JOIN {enrol} e ON e.id = c.enrolid
 WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.kind = :enrolled AND c.state = 0 AND e.enrol = :method
 GROUP BY c.enrolid, c.userid, e.courseid

-- statement instances
INSERT INTO [letter]
SELECT t.enrolid, t.courseid, k.id, 1
  FROM (SELECT DISTINCT n.enrolid, n.courseid FROM [enrolled_anew] n) t
  JOIN {context} k ON k.instanceid = t.courseid AND k.contextlevel = 50

-- statement letters
-- The facts that the mails to the participants of one instance share. Without an enroller the main administrator writes.
SELECT l.enrolid, k.fullname AS course, k.shortname, 1 AS sender,
       :name AS contact, p.email AS contactaddress, p.maildisplay,
       (SELECT MIN(f.fullname) FROM {course} f WHERE f.category = 0) AS site
  FROM [letter] l
  JOIN {course} k ON k.id = l.courseid
  LEFT JOIN [person] e ON e.courseid = l.courseid
  LEFT JOIN {user} p ON p.id = COALESCE(e.userid, :actor)

-- statement students
-- Those who are still active, identified by run, instance and user.
SELECT :run_text || '/' || :enrolid_text || '/' || :userid_text AS what,
       u.id AS userid, n.courseid, n.enrolid, 0 AS timeend, :name AS name, u.email AS address, u.lang, n.seq AS place
  FROM [enrolled_anew] n
  JOIN {user} u ON u.id = n.userid
  JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
 WHERE x.status = 0 AND u.deleted = 0

-- statement teacher_letters
-- A letter for each of them, from the main administrator to the enroller: its number is that of the change.
SELECT n.seq AS enrolid, k.fullname AS course, k.shortname, :participant AS participant, 1 AS sender,
       :name AS contact, p.email AS contactaddress, p.maildisplay,
       (SELECT MIN(f.fullname) FROM {course} f WHERE f.category = 0) AS site
  FROM [enrolled_anew] n
  JOIN {course} k ON k.id = n.courseid
  JOIN {user} s ON s.id = n.userid
  JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
  LEFT JOIN {user} p ON p.id = :actor
 WHERE x.status = 0 AND s.deleted = 0

-- statement teachers
-- The enroller of the course, or the main administrator, once for each of them.
SELECT :run_text || '/' || :enrolid_text || '/' || :userid_text AS what,
       u.id AS userid, n.courseid, n.seq AS enrolid, 0 AS timeend, :name AS name, u.email AS address, u.lang,
       n.seq AS place
  FROM [enrolled_anew] n
  JOIN {user} s ON s.id = n.userid
  JOIN {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
  LEFT JOIN [person] e ON e.courseid = n.courseid
  JOIN {user} u ON u.id = COALESCE(e.userid, :actor)
 WHERE x.status = 0 AND s.deleted = 0 AND u.deleted = 0
