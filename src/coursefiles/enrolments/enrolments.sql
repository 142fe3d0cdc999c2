-- Orders about places: `l` is a row of the file, `u` its account, `k` its course, `o` the order, `x` an enrolment or a
-- membership. Commands: 1 add, 2 del, 3 shift; for groups: 1 gadd, 2 gaddcreate, 3 gdel, 4 greplace, 5 greplacecreate.
-- Methods: 1 manual, 2 self, 0 none: the order is about the role alone.

-- statement methods
INSERT INTO [order_method]
SELECT t.courseid, t.method, t.id
  FROM (SELECT e.courseid, e.id, CASE WHEN e.enrol = 'manual' THEN 1 ELSE 2 END AS method,
               ROW_NUMBER() OVER (PARTITION BY e.courseid, e.enrol ORDER BY e.sortorder, e.id) AS nth
          FROM (SELECT DISTINCT k.courseid FROM [stage_course] k WHERE k.found = 1) q
         :then {enrol} e ON e.courseid = q.courseid AND e.status = 0 AND e.enrol IN ('manual', 'self')) t
 WHERE t.nth = 1 AND t.method IN (:enabled)

-- statement rows without method
SELECT l.line AS number, 'no-method' AS code, CASE WHEN l.method = 1 THEN 'manual' ELSE 'self' END AS value,
       l.ckey AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_course] k ON k.ckey = l.ckey
  LEFT JOIN [order_method] m ON m.courseid = k.courseid AND m.method = l.method
 WHERE :resolved AND l.method <> 0 AND m.enrolid IS NULL

-- statement spared rows
SELECT l.line AS number, 'role-not-allowed' AS code,
       (SELECT MIN(r.shortname) FROM {role_assignments} y JOIN {role} r ON r.id = y.roleid
         WHERE y.userid = u.userid AND y.contextid = k.contextid AND y.roleid NOT IN (:allowed)) AS value,
       :rolekey AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_course] k ON k.ckey = l.ckey
  LEFT JOIN [order_method] m ON m.courseid = k.courseid AND m.method = l.method
 WHERE :resolved AND (l.method = 0 OR m.enrolid IS NOT NULL) AND :spared

-- statement orders
INSERT INTO [place_order]
SELECT t.line, t.op, t.userid, t.courseid, t.contextid, t.roleid, t.enrolid, t.method, t.timestart, t.timeend, t.gop,
       ROW_NUMBER() OVER (PARTITION BY t.userid, t.courseid ORDER BY t.line)
  FROM (SELECT l.line, l.op, u.userid, k.courseid, k.contextid, l.roleid, COALESCE(m.enrolid, 0) AS enrolid, l.method,
               l.timestart, l.timeend, l.gop,
               LEAD(l.line) OVER (PARTITION BY u.userid, k.courseid, l.roleid,
                                               CASE WHEN l.method = 0 AND l.op <> 3 THEN 1 ELSE 0 END
                                  ORDER BY l.line) AS later
          FROM [stage_line] l
          JOIN [stage_user] u ON u.ukey = l.ukey
          JOIN [stage_course] k ON k.ckey = l.ckey
          LEFT JOIN [order_method] m ON m.courseid = k.courseid AND m.method = l.method
         WHERE :resolved AND (l.method = 0 OR m.enrolid IS NOT NULL) AND NOT (:spared)) t
 -- Of the orders about one role alone the last says whether the person has it.
 WHERE t.method <> 0 OR t.op = 3 OR t.gop <> 0 OR t.later IS NULL

-- statement long pairs
INSERT INTO [long_pair]
SELECT o.userid, o.courseid FROM [place_order] o GROUP BY o.userid, o.courseid HAVING MAX(o.wave) > :limit

-- statement orders of long pairs
SELECT o.line AS number, 'too-many-steps' AS code, u.username || ', ' || k.shortname AS value, :limittext AS hint
  FROM [place_order] o
  JOIN [long_pair] p ON p.userid = o.userid AND p.courseid = o.courseid
  JOIN {user} u ON u.id = o.userid
  JOIN {course} k ON k.id = o.courseid

-- statement planned enrolments
SELECT CASE WHEN x.id IS NULL THEN :rank_add ELSE :rank_update END AS rank_of,
       t.line, t.userid, t.courseid, t.enrolid, t.contextid, x.id AS targetid, t.status, t.timestart, t.timeend,
       x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
       CASE WHEN x.id IS NOT NULL THEN :oldrow END AS oldrow
  FROM (SELECT o.line, o.userid, o.courseid, o.enrolid, o.contextid, x.id,
               -- A person who is shifted keeps the enrolment as it is.
               CASE WHEN o.op = 3 THEN COALESCE(x.status, 0) ELSE 0 END AS status,
               CASE WHEN o.timestart >= 0 THEN o.timestart ELSE COALESCE(x.timestart, :now) END AS timestart,
               CASE WHEN o.timeend >= 0 THEN o.timeend
                    WHEN o.op = 3 THEN COALESCE(x.timeend, 0)
                    -- An end that has passed would end it again.
                    WHEN x.timeend > :now AND x.timeend > o.timestart THEN x.timeend
                    ELSE 0 END AS timeend
          FROM [place_order] o
          LEFT JOIN {user_enrolments} x ON x.enrolid = o.enrolid AND x.userid = o.userid
         WHERE o.wave = :wave AND o.op IN (1, 3) AND o.enrolid <> 0) t
  LEFT JOIN {user_enrolments} x ON x.id = t.id
 WHERE x.id IS NULL OR x.status <> t.status OR x.timestart <> t.timestart OR x.timeend <> t.timeend

-- statement missing roles
-- Counted, not joined: PostgreSQL expects one assignment of no component, and would compare each account with all.
SELECT o.line, o.userid, o.courseid, o.contextid, o.roleid, '' AS component, 0 AS itemid
  FROM [place_order] o
 WHERE o.wave = :wave AND o.op IN (1, 3)
   AND (o.enrolid = 0
        OR EXISTS (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = o.enrolid AND x.userid = o.userid))
   AND (SELECT COUNT(*) FROM {role_assignments} y :by_user
         WHERE y.userid = o.userid AND y.contextid :whole = o.contextid AND y.roleid :whole = o.roleid
           AND {~y.component} = '' AND {#y.itemid} = 0) = 0

-- statement ending roles
-- Only what was given by hand: the other roles of a person who is shifted, and the role that a `del` names.
SELECT y.id, o.line, o.courseid, o.contextid
  FROM [place_order] o
  JOIN {role_assignments} y :by_user ON y.userid = o.userid AND y.contextid :whole = o.contextid
       AND {~y.component} = '' AND {#y.itemid} = 0
 WHERE o.wave = :wave
   AND ((o.op = 3 AND y.roleid <> o.roleid) OR (o.op = 2 AND o.enrolid = 0 AND y.roleid = o.roleid))

-- statement ending enrolments
INSERT INTO [to_remove]
SELECT x.id, o.line, o.userid, o.courseid, o.contextid, o.enrolid, 0,
       CASE WHEN o.method = 1 THEN 'enrol_manual' ELSE 'enrol_self' END, 1, NULL
  FROM [place_order] o
  JOIN {user_enrolments} x ON x.enrolid = o.enrolid AND x.userid = o.userid
 WHERE o.wave = :wave AND o.op = 2 AND o.enrolid <> 0

-- statement members
-- `enrolled` says whether the person is or becomes a participant.
INSERT INTO [order_member]
SELECT o.line, o.wave, o.gop, o.userid, o.courseid, o.contextid, g.gname, g.clean,
       CASE WHEN o.op IN (1, 3) AND o.enrolid <> 0 THEN 1
            WHEN EXISTS (SELECT 1 FROM {enrol} e JOIN {user_enrolments} y ON y.enrolid = e.id AND y.userid = o.userid
                          WHERE e.courseid = o.courseid) THEN 1
            ELSE 0 END
  FROM [order_group] g
  JOIN [place_order] o ON o.line = g.line AND o.gop <> 0

-- statement names
INSERT INTO [order_name]
SELECT t.courseid, t.contextid, t.gname, CASE WHEN COUNT(g.id) = 0 THEN t.made ELSE 0 END, t.clean, MIN(g.id),
       COUNT(g.id)
  FROM (SELECT m.courseid, m.contextid, m.gname, MIN(m.clean) AS clean,
               COALESCE(MIN(CASE WHEN m.gop IN (2, 5) AND m.enrolled = 1 AND m.clean = 1 THEN m.line END), 0) AS made
          FROM [order_member] m
         GROUP BY m.courseid, m.contextid, m.gname) t
  LEFT JOIN [known_group] g ON g.courseid = t.courseid AND :same
 GROUP BY t.courseid, t.contextid, t.gname, t.made, t.clean

-- statement refused groups
SELECT m.line AS number, CASE WHEN n.found > 1 THEN 'group-ambiguous' ELSE 'group-unknown' END AS code,
       m.gname AS value, k.shortname AS hint
  FROM [order_member] m
  JOIN [order_name] n ON n.courseid = m.courseid AND n.gname = m.gname
  JOIN {course} k ON k.id = m.courseid
 WHERE n.found > 1
    OR (n.found = 0 AND (n.made = 0 OR n.made > m.line) AND (m.enrolled = 1 OR m.gop NOT IN (2, 5)))

-- statement missing groups
INSERT INTO [new_group]
SELECT ROW_NUMBER() OVER (ORDER BY n.made, n.courseid, n.gname), n.made, 0, n.courseid, n.contextid, n.gname, '', '', 0
  FROM [order_name] n
 WHERE n.found = 0 AND n.made > 0

-- statement made groups
(SELECT t.courseid, t.name, MIN(g.id) AS id
   FROM [new_group] t
   JOIN [known_group] g ON g.courseid = t.courseid AND :same
  GROUP BY t.courseid, t.name) m

-- statement members outside
SELECT m.line AS number, 'group-not-enrolled' AS code, m.gname AS value, k.shortname AS hint
  FROM [order_member] m
  JOIN {course} k ON k.id = m.courseid
 WHERE m.wave = :wave AND m.gop <> 3
   AND NOT EXISTS (SELECT 1 FROM {enrol} e JOIN {user_enrolments} y ON y.enrolid = e.id AND y.userid = m.userid
                    WHERE e.courseid = m.courseid)

-- statement leaving members
-- Only memberships that were given by hand. Who names a group that does not exist leaves none.
SELECT x.id, m.line, m.courseid, m.contextid
  FROM [order_member] m
  JOIN [order_name] n ON n.courseid = m.courseid AND n.gname = m.gname AND n.found = 1 AND n.made <= m.line
  JOIN {groups_members} x ON x.groupid = n.groupid AND x.userid = m.userid AND {~x.component} = ''
 WHERE m.wave = :wave AND m.gop = 3
UNION ALL
SELECT x.id, o.line, o.courseid, o.contextid
  FROM [place_order] o
  JOIN {groups_members} x ON x.userid = o.userid AND {~x.component} = ''
  JOIN {groups} g ON g.id = x.groupid AND g.courseid = o.courseid
 WHERE o.wave = :wave AND o.gop IN (4, 5)
   AND NOT EXISTS (SELECT 1 FROM [order_member] m
                     JOIN [order_name] n ON n.courseid = m.courseid AND n.gname = m.gname
                    WHERE m.line = o.line
                      AND (n.found <> 1 OR n.made > m.line OR n.groupid = x.groupid))

-- statement joining members
SELECT m.line, m.userid, m.courseid, m.contextid, n.groupid, '' AS component, 0 AS itemid
  FROM [order_member] m
  JOIN [order_name] n ON n.courseid = m.courseid AND n.gname = m.gname AND n.found = 1 AND n.made <= m.line
  LEFT JOIN {groups_members} x ON x.groupid = n.groupid AND x.userid = m.userid
 WHERE m.wave = :wave AND m.gop <> 3 AND x.id IS NULL
   AND EXISTS (SELECT 1 FROM {enrol} e JOIN {user_enrolments} y ON y.enrolid = e.id AND y.userid = m.userid
                WHERE e.courseid = m.courseid)
