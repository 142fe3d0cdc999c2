-- The outbox and its letters. `l` is a row of `letter`, an instance whose mails share a text.

-- statement welcomed
INSERT INTO [letter]
-- The instances of the method into which this run enrolled users, if they send welcome mails.
SELECT DISTINCT e.id, e.courseid, k.id, :sender
  FROM {enrold_change} c
  JOIN {enrol} e ON e.id = c.enrolid
  JOIN {context} k ON k.instanceid = e.courseid AND k.contextlevel = 50
 WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.kind = :enrolled AND c.state = 0
   AND e.enrol = :method AND :sender > 0

-- statement letters
-- The facts that the mails of one instance share.
SELECT l.enrolid, k.fullname AS course, k.shortname, :text AS text, l.sender, s.fullname AS completed,
       :name AS contact, p.email AS contactaddress, p.maildisplay,
       -- The front page is the course without a category; its name is the site's.
       (SELECT MIN(f.fullname) FROM {course} f WHERE f.category = 0) AS site
  FROM [letter] l
  JOIN {enrol} e ON e.id = l.enrolid
  JOIN {course} k ON k.id = l.courseid
  -- The course whose completion led to the enrolment, if the method has one.
  LEFT JOIN {course} s ON s.id = :source
  -- The contact of the course.
  LEFT JOIN [person] c ON c.courseid = l.courseid
  LEFT JOIN {user} p ON p.id = c.userid

-- statement newcomers
-- The users whom this run enrolled and who are still active, identified by run, instance and user.
SELECT :run_text || '/' || :enrolid_text || '/' || :userid_text AS what,
       u.id AS userid, l.courseid, l.enrolid, 0 AS timeend, :name AS name, u.email AS address, u.lang, c.seq AS place
  FROM {enrold_change} c
  JOIN [letter] l ON l.enrolid = c.enrolid
  JOIN {user} u ON u.id = c.userid
  JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid
 WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.kind = :enrolled AND c.state = 0
   AND x.status = 0 AND u.deleted = 0

-- statement queued
-- New mails get the ids after the last one in the outbox.
SELECT (SELECT COALESCE(MAX(o.id), 0) FROM {enrold_outbox} o) + ROW_NUMBER() OVER (ORDER BY q.place, q.userid),
       :run, :kind, :kind || '/' || q.what, :state,
       q.userid, q.courseid, q.enrolid, q.timeend, q.name, q.address, q.lang, :now, :expires, 0, :due, 0
  FROM (:select) q
 -- A mail that is in the outbox already is not queued again.
 WHERE NOT EXISTS (SELECT 1 FROM {enrold_outbox} d WHERE d.dedupe = :kind || '/' || q.what)
