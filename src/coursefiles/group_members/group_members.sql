-- Members of groups: `l` are the rows, `u` the accounts, `k` the courses and `t` the groups that their keys name.
-- Commands: 1 add, 2 del, 3 shift.

-- statement groups by name or idnumber
INSERT INTO [member_group]
SELECT t.ckey, t.gkey, MIN(g.id), t.courseid, t.contextid, COUNT(g.id)
  FROM (SELECT DISTINCT l.ckey, l.gkey, k.courseid, k.contextid
          FROM [stage_line] l
          LEFT JOIN [stage_course] k ON k.ckey = l.ckey AND k.found = 1) t
  LEFT JOIN [known_group] g ON g.courseid = t.courseid AND :same
 GROUP BY t.ckey, t.gkey, t.courseid, t.contextid

-- statement groups by id
-- A row that names its course too names a group of that course.
INSERT INTO [member_group]
SELECT t.ckey, t.gkey, MIN(g.id), MIN(g.courseid), MIN(x.id), COUNT(g.id)
  FROM (SELECT DISTINCT l.ckey, l.gkey, :id AS id, k.courseid
          FROM [stage_line] l
          LEFT JOIN [stage_course] k ON k.ckey = l.ckey AND k.found = 1) t
  LEFT JOIN {groups} g ON g.id = t.id AND (t.ckey = '' OR g.courseid = t.courseid)
  LEFT JOIN {context} x ON x.contextlevel = 50 AND x.instanceid = g.courseid
 GROUP BY t.ckey, t.gkey

-- statement courses
SELECT t.courseid, MIN(t.contextid)
  FROM [member_group] t
 WHERE t.found = 1
 GROUP BY t.courseid

-- statement usable
u.found = 1 AND u.userid NOT IN (:protected) AND t.found = 1 AND t.contextid IS NOT NULL
AND (l.op = 2 OR EXISTS (SELECT 1
                           FROM {enrol} e
                           JOIN {user_enrolments} y ON y.enrolid = e.id AND y.userid = u.userid
                          WHERE e.courseid = t.courseid))

-- statement refused rows
-- The first fault is reported: the account, the course, the group, the enrolment.
SELECT l.line AS number,
       CASE WHEN u.found = 0 THEN 'user-unknown'
            WHEN u.found > 1 THEN 'user-ambiguous'
            WHEN u.userid IN (:protected) THEN 'account-protected'
            WHEN l.ckey <> '' AND COALESCE(k.found, 0) = 0 THEN 'course-unknown'
            WHEN l.ckey <> '' AND k.found > 1 THEN 'course-ambiguous'
            WHEN t.found = 0 THEN 'group-unknown'
            WHEN t.found > 1 THEN 'group-ambiguous'
            ELSE 'group-not-enrolled' END AS code,
       CASE WHEN u.found <> 1 OR u.userid IN (:protected) THEN :written
            WHEN l.ckey <> '' AND COALESCE(k.found, 0) <> 1 THEN l.ckey
            ELSE l.gkey END AS value,
       CASE WHEN u.found > 1 THEN :usercount
            WHEN u.found = 0 OR u.userid IN (:protected) THEN :userkey
            WHEN l.ckey <> '' AND COALESCE(k.found, 0) = 0 THEN :coursekey
            WHEN l.ckey <> '' AND k.found > 1 THEN :coursecount
            ELSE COALESCE(c.shortname, l.ckey) END AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [member_group] t ON t.gkey = l.gkey AND t.ckey = l.ckey
  LEFT JOIN [stage_course] k ON k.ckey = l.ckey
  LEFT JOIN {course} c ON c.id = COALESCE(t.courseid, k.courseid)
 WHERE NOT (:usable)

-- statement moves
INSERT INTO [member_shift]
SELECT t.courseid, u.userid, MAX(l.line)
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [member_group] t ON t.gkey = l.gkey AND t.ckey = l.ckey
 WHERE l.op = 3 AND :usable
 GROUP BY t.courseid, u.userid

-- statement last rows
-- Of the rows of a user and a group the last counts. What stands before a move in the course is void.
INSERT INTO [member_last]
SELECT w.groupid, w.userid, CASE WHEN w.line < COALESCE(s.line, 0) THEN s.line ELSE w.line END, w.courseid, w.contextid,
       CASE WHEN w.op IN (1, 3) AND w.line >= COALESCE(s.line, 0) THEN 1 ELSE 0 END
  FROM (SELECT t.groupid, u.userid, l.line, t.courseid, t.contextid, l.op,
               ROW_NUMBER() OVER (PARTITION BY t.groupid, u.userid ORDER BY l.line DESC) AS nth
          FROM [stage_line] l
          JOIN [stage_user] u ON u.ukey = l.ukey
          JOIN [member_group] t ON t.gkey = l.gkey AND t.ckey = l.ckey
         WHERE :usable) w
  LEFT JOIN [member_shift] s ON s.courseid = w.courseid AND s.userid = w.userid
 WHERE w.nth = 1

-- statement kept members
-- What an enrolment gives is its own.
SELECT w.line AS number, 'group-kept' AS code, g.name AS value, :many AS hint
  FROM [member_last] w
  JOIN {groups_members} m ON m.groupid = w.groupid AND m.userid = w.userid AND m.component LIKE 'enrol!_%' ESCAPE '!'
  JOIN {groups} g ON g.id = w.groupid
 WHERE w.stays = 0
 GROUP BY w.line, g.name

-- statement leaving members
SELECT m.id, COALESCE(w.line, s.line) AS line, q.courseid, q.contextid
  FROM (SELECT x.groupid, x.userid, x.courseid
          FROM [member_last] x
         WHERE x.stays = 0
         UNION
        -- Whoever moves leaves all groups of the course.
        SELECT g.id, s.userid, s.courseid
          FROM [member_shift] s
          JOIN {groups} g ON g.courseid = s.courseid
          JOIN {groups_members} n ON n.groupid = g.id AND n.userid = s.userid) p
  JOIN {groups_members} m ON m.groupid = p.groupid AND m.userid = p.userid
  JOIN [group_course] q ON q.courseid = p.courseid
  LEFT JOIN [member_last] w ON w.groupid = p.groupid AND w.userid = p.userid
  LEFT JOIN [member_shift] s ON s.courseid = p.courseid AND s.userid = p.userid
 WHERE COALESCE(w.stays, 0) = 0
   AND (m.component = '' OR m.component NOT LIKE 'enrol!_%' ESCAPE '!')

-- statement joining members
SELECT w.line, w.userid, w.courseid, w.contextid, w.groupid, :component AS component, 0 AS itemid
  FROM [member_last] w
  LEFT JOIN {groups_members} x ON x.groupid = w.groupid AND x.userid = w.userid
 WHERE w.stays = 1 AND x.id IS NULL
