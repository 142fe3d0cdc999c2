-- What a run has changed among the participants of courses, for their editing teachers. `c` is a change of this run or
-- part, `t` a user whom it concerns in a course, `f` an enrolment that it touched.

-- statement touched
INSERT INTO [touched]
SELECT DISTINCT c.courseid, c.userid
  FROM {enrold_change} c
 WHERE c.run = :run AND c.seq > :from AND c.state = 0 AND c.courseid > 0 AND c.userid > 0 AND c.kind IN (:kinds)

-- statement enrolments
-- Each enrolment by its first change: whether it was active before, and whether it is now.
INSERT INTO [touched_enrolment]
SELECT c.courseid, c.userid, c.enrolid,
       CASE WHEN c.kind <> :added AND c.oldstatus = 0 AND COALESCE(e.status, 0) = 0 THEN 1 ELSE 0 END,
       CASE WHEN x.status = 0 AND e.status = 0 THEN 1 ELSE 0 END
  FROM (SELECT MIN(o.seq) AS seq FROM {enrold_change} o
         WHERE o.run = :run AND o.seq > :from AND o.state = 0 AND o.courseid > 0 AND o.userid > 0 AND o.enrolid > 0
           AND o.kind IN (:enrolments)
         GROUP BY o.userid, o.enrolid) o
  JOIN {enrold_change} c ON c.run = :run AND c.seq = o.seq
  LEFT JOIN {enrol} e ON e.id = c.enrolid
  LEFT JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid

-- statement participants
-- Whether the user was a participant of the course before and is one now, by any method.
INSERT INTO [participant]
SELECT t.courseid, t.userid,
       CASE WHEN COALESCE(f.was, 0) = 1 OR t.active > COALESCE(f.active, 0) THEN 1 ELSE 0 END,
       CASE WHEN t.active > 0 THEN 1 ELSE 0 END
  FROM (SELECT p.courseid, p.userid,
               (SELECT COUNT(*) FROM {enrol} e JOIN {user_enrolments} x ON x.enrolid = e.id
                 WHERE e.courseid = p.courseid AND x.userid = p.userid AND x.status = 0 AND e.status = 0) AS active
          FROM [touched] p) t
  LEFT JOIN (SELECT q.courseid, q.userid, MAX(q.was) AS was, SUM(q.active) AS active
               FROM [touched_enrolment] q GROUP BY q.courseid, q.userid) f
       ON f.courseid = t.courseid AND f.userid = t.userid

-- statement came_and_left
SELECT :key || '/' || :course_text || '/' || :user_text || '/' || :part AS what,
       t.userid, t.courseid, t.courseid AS enrolid,
       CASE WHEN t.present = 1 THEN :new ELSE :left END AS timeend, :name AS name, '' AS address, u.lang,
       ROW_NUMBER() OVER (ORDER BY u.lastname, u.firstname, u.id) AS place
  FROM [participant] t JOIN {user} u ON u.id = t.userid
 WHERE t.present <> t.was

-- statement memberships
INSERT INTO [regrouping]
SELECT c.courseid, c.userid, c.seq, c.groupid, CASE WHEN c.kind = :joined THEN :in_group ELSE :out_of_group END
  FROM {enrold_change} c
 WHERE c.run = :run AND c.seq > :from AND c.state = 0 AND c.courseid > 0 AND c.userid > 0 AND c.kind IN (:joined, :gone)

-- statement regrouped
-- Groups of those who are participants now.
SELECT :key || '/' || :course_text || '/' || :user_text || '/' || :part || '/' || :seq_text AS what,
       t.userid, t.courseid, t.courseid AS enrolid, r.happened AS timeend, :name AS name, g.name AS address,
       u.lang, ROW_NUMBER() OVER (ORDER BY u.lastname, u.firstname, u.id, r.seq) AS place
  FROM [regrouping] r
  JOIN [participant] t ON t.courseid = r.courseid AND t.userid = r.userid
  JOIN {groups} g ON g.id = r.groupid
  JOIN {user} u ON u.id = t.userid
 WHERE t.present = 1

-- statement courses
-- The courses of which there is something to tell.
INSERT INTO [letter]
SELECT m.courseid, m.courseid, k.id, 3
  FROM (SELECT DISTINCT o.courseid FROM {enrold_outbox} o WHERE o.run = :run AND o.kind = :entry) m
  JOIN {context} k ON k.instanceid = m.courseid AND k.contextlevel = 50

-- statement letters
SELECT l.enrolid, k.fullname AS course, k.shortname, l.sender,
       (SELECT MIN(f.fullname) FROM {course} f WHERE f.category = 0) AS site
  FROM [letter] l JOIN {course} k ON k.id = l.courseid

-- statement teachers
-- Those who have a role of editing teachers in the course itself, and an active enrolment.
SELECT :key || '/' || :course_text || '/' || :user_text AS what, u.id AS userid, h.courseid, h.courseid AS enrolid,
       0 AS timeend, :name AS name, u.email AS address, u.lang, h.courseid AS place
  FROM (SELECT DISTINCT l.courseid, r.userid FROM [letter] l
          JOIN {role_assignments} r ON r.contextid = l.contextid
          JOIN {role} q ON q.id = r.roleid AND q.archetype = 'editingteacher') h
  JOIN {user} u ON u.id = h.userid
 WHERE u.deleted = 0 :active
