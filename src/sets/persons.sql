-- The resolved rows of a set, as sets.

-- statement rows
INSERT INTO [set_row]
-- An "other user" is at most suspended, and has no window.
SELECT k.courseid, u.userid, k.contextid, l.roleid, l.gkey, 1 - l.other,
       CASE WHEN l.other = 0 THEN l.status ELSE 1 END,
       CASE WHEN l.other = 0 THEN l.timestart ELSE 0 END,
       CASE WHEN l.other = 0 THEN l.timeend ELSE 0 END
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_course] k ON k.ckey = l.ckey
  JOIN {course} c ON c.id = k.courseid AND (c.visible = 1 OR :ignore_hidden = 0)
 WHERE :resolved

-- statement persons
INSERT INTO [set_person]
-- Several rows of one user in a course: enrolled if one of them enrols, active if one of those is.
SELECT r.courseid, r.userid, MIN(r.contextid), MAX(r.enrolled), MIN(r.status),
       -- From the first start of those that enrol
       COALESCE(MIN(CASE WHEN r.enrolled = 1 THEN r.timestart END), 0),
       -- to the last end, where 0 is no end.
       CASE WHEN MIN(CASE WHEN r.enrolled = 1 THEN r.timeend END) = 0 THEN 0
            ELSE COALESCE(MAX(CASE WHEN r.enrolled = 1 THEN r.timeend END), 0) END
  FROM [set_row] r
 GROUP BY r.courseid, r.userid

-- statement spared accounts
INSERT INTO [set_spared]
-- Protected accounts.
SELECT a.id FROM {user} a WHERE a.id IN (:ids) OR a.username IN (:names)
 UNION
-- Accounts that may be meant by a key that names none or several.
SELECT a.id FROM {user} a JOIN [stage_user] u ON u.found <> 1 AND LOWER(u.ukey) = :field WHERE a.deleted = 0
 UNION
-- Accounts named by a row that cannot be used.
SELECT a.id FROM {user} a JOIN [set_unread] n ON n.ukey = :field WHERE a.deleted = 0
