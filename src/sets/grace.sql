-- Users who are absent from a set (spec database 5), and since when.

-- statement absent people
-- Enrolments in the instances of `scope` that the set does not name, without those of spared accounts, courses and pairs.
FROM [scope] s
  JOIN {user_enrolments} x ON x.enrolid = s.enrolid
  LEFT JOIN [set_person] w ON w.courseid = s.courseid AND w.userid = x.userid AND w.enrolled = 1
  LEFT JOIN [set_spared] p ON p.userid = x.userid
  LEFT JOIN [set_spared_course] q ON q.courseid = s.courseid
  LEFT JOIN [set_spared_pair] z ON z.placeid = s.courseid AND z.userid = x.userid
 WHERE w.userid IS NULL AND p.userid IS NULL AND q.courseid IS NULL AND z.userid IS NULL

-- statement over by time
JOIN {enrold_set_absent} a ON a.source = :source AND a.enrolid = t.enrolid AND a.userid = t.userid AND a.since <= :until

-- statement over and approved
JOIN {enrold_set_absent} a ON a.source = :source AND a.enrolid = t.enrolid AND a.userid = t.userid AND a.since <= :until
     AND a.approved > 0

-- statement over by another place
-- The set names the user in the course, but as an "other user".
JOIN [set_person] n ON n.courseid = t.courseid AND n.userid = t.userid

-- statement enrolments that are over
INSERT INTO [to_remove]
SELECT t.id, 0, t.userid, t.courseid, t.contextid, t.enrolid, 0, :component, 0, NULL
  FROM (SELECT x.id, x.userid, s.courseid, s.contextid, s.enrolid :absent) t :over

-- statement new absences
INSERT INTO {enrold_set_absent} (source, enrolid, userid, since, approved)
SELECT :source, t.enrolid, t.userid, :now, :approves
  FROM (SELECT x.userid, s.enrolid :absent) t
  LEFT JOIN {enrold_set_absent} a ON a.source = :source AND a.enrolid = t.enrolid AND a.userid = t.userid
 WHERE a.userid IS NULL

-- statement past absences
DELETE FROM {enrold_set_absent}
 WHERE source = :source
   -- The enrolment is gone.
   AND (NOT EXISTS (SELECT 1 FROM {user_enrolments} x
                     WHERE x.enrolid = {enrold_set_absent}.enrolid AND x.userid = {enrold_set_absent}.userid)
        :back)

-- statement those who are back
OR EXISTS (SELECT 1 FROM [set_person] w
             JOIN {enrol} e ON e.courseid = w.courseid
            WHERE e.id = {enrold_set_absent}.enrolid AND w.userid = {enrold_set_absent}.userid AND w.enrolled = 1)
