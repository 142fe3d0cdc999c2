-- The enrolments that a verb concerns. `k` is a course, `e` an instance, `x` an enrolment, `p` a person of a list.

-- statement places
INSERT INTO [verb_place]
SELECT c.id, x.id
  FROM {course} c
  JOIN {context} x ON x.contextlevel = 50 AND x.instanceid = c.id
 WHERE c.id IN (:courses)

-- statement listed
-- Each account of a list once, with its first line.
INSERT INTO [verb_person]
SELECT u.userid, MIN(l.line)
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
 WHERE u.found = 1
 GROUP BY u.userid

-- statement unknown
SELECT l.line AS number, CASE WHEN u.found = 0 THEN 'user-unknown' ELSE 'user-ambiguous' END AS code,
       :written AS value, CASE WHEN u.found = 0 THEN :userkey ELSE :count END AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
 WHERE u.found <> 1

-- statement chosen
INSERT INTO [verb_enrolment]
SELECT x.id, x.userid, k.courseid, k.contextid, x.enrolid, :line, x.status, x.timestart, x.timeend
  FROM [verb_place] k
 :then {enrol} e ON e.courseid = k.courseid AND :instances
 :then {user_enrolments} x ON x.enrolid = e.id AND :enrolments
  JOIN {user} u ON u.id = x.userid AND u.deleted = 0
  :listed
 WHERE :has_role

-- statement not chosen
-- People of the list for whom nothing was found.
SELECT p.line AS number, 'not-participant' AS code, u.username AS value, '' AS hint
  FROM [verb_person] p
  JOIN {user} u ON u.id = p.userid
 WHERE NOT EXISTS (SELECT 1 FROM [verb_enrolment] v WHERE v.userid = p.userid)
