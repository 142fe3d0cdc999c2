-- The participants of one course: `l` is a user of the file, `u` the account, `p` the account with what becomes of it,
-- `x` and `m` enrolments. Verbs: 1 join, 2 unenrol, 3 leave a group.

-- statement refused rows
SELECT l.line AS number,
       CASE WHEN u.found = 0 THEN 'user-unknown'
            WHEN u.found > 1 THEN 'user-ambiguous'
            ELSE 'account-protected' END AS code,
       :written AS value,
       CASE WHEN u.found > 1 THEN :usercount ELSE :userkey END AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
 WHERE u.found <> 1 OR u.userid IN (:protected)

-- statement persons
INSERT INTO [list_person]
SELECT t.userid, t.line, t.outline, t.present, t.mineid,
       CASE WHEN t.lastout > t.lastin THEN 5
            -- Somebody who only leaves a group, or takes part already.
            WHEN t.lastin = 0 OR t.active = 1 THEN 0
            WHEN t.present = 0 AND :enrols = 1 THEN 1
            WHEN t.present = 0 THEN 4
            WHEN :enrols = 0 THEN 0
            WHEN :reactivates = 0 THEN 3
            WHEN t.mineid IS NULL THEN 1
            ELSE 2 END
  FROM (SELECT p.userid, p.line, p.outline, p.lastin, p.lastout, COALESCE(h.active, 0) AS active,
               COALESCE(h.present, 0) AS present, m.id AS mineid
          -- Of the rows that put somebody into the course or take them out, the last counts.
          FROM (SELECT u.userid, COALESCE(MIN(CASE WHEN l.op = 1 THEN l.line END), MIN(l.line)) AS line,
                       MAX(l.line) AS outline,
                       MAX(CASE WHEN l.op = 1 THEN l.line * 1000000 + l.nth ELSE 0 END) AS lastin,
                       MAX(CASE WHEN l.op = 2 THEN l.line * 1000000 + l.nth ELSE 0 END) AS lastout
                  FROM [stage_line] l
                  JOIN [stage_user] u ON u.ukey = l.ukey AND u.found = 1 AND u.userid NOT IN (:protected)
                 GROUP BY u.userid) p
          LEFT JOIN (SELECT x.userid, COUNT(*) AS present,
                            MAX(CASE WHEN e.status = 0 AND x.status = 0 AND (x.timeend = 0 OR x.timeend > :now)
                                     THEN 1 ELSE 0 END) AS active
                       FROM {enrol} e
                       JOIN {user_enrolments} x ON x.enrolid = e.id
                      WHERE e.courseid = :courseid
                      GROUP BY x.userid) h ON h.userid = p.userid
          LEFT JOIN {user_enrolments} m ON m.enrolid = :enrolid AND m.userid = p.userid) t

-- statement spared persons
-- A dropped file neither gives nor ends a place of somebody with a role that it may not give.
UPDATE [list_person] AS p SET todo = 6
 WHERE p.todo IN (1, 2, 5) AND EXISTS (SELECT 1 FROM {role_assignments} y
                                        WHERE y.userid = p.userid AND y.contextid = :contextid
                                          AND y.roleid NOT IN (:allowed))

-- statement persons to tell of
SELECT p.line AS number,
       CASE WHEN p.todo = 3 THEN 'enrolment-inactive'
            WHEN p.todo = 4 THEN 'course-linked'
            ELSE 'role-not-allowed' END AS code,
       CASE WHEN p.todo = 6 THEN (SELECT MIN(r.shortname) FROM {role_assignments} y JOIN {role} r ON r.id = y.roleid
                                   WHERE y.userid = p.userid AND y.contextid = :contextid
                                     AND y.roleid NOT IN (:allowed))
            ELSE a.username END AS value,
       CASE WHEN p.todo = 6 THEN :rolekey ELSE :shown END AS hint
  FROM [list_person] p
  JOIN {user} a ON a.id = p.userid
 WHERE p.todo IN (3, 6) OR (p.todo = 4 AND :linked = 1)

-- statement planned enrolments
SELECT CASE WHEN p.todo = 1 THEN :rank_add ELSE :rank_update END AS rank_of,
       p.line, p.userid, :courseid AS courseid, :enrolid AS enrolid, :contextid AS contextid, x.id AS targetid,
       0 AS status, COALESCE(x.timestart, 0) AS timestart,
       -- An end that has passed would end it again.
       CASE WHEN x.timeend > :now THEN x.timeend ELSE 0 END AS timeend,
       x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
       CASE WHEN x.id IS NOT NULL THEN :oldrow END AS oldrow
  FROM [list_person] p
  LEFT JOIN {user_enrolments} x ON x.id = p.mineid
 WHERE p.todo IN (1, 2)

-- statement missing roles
-- Of those who are enrolled now. The assignments are counted, not joined: PostgreSQL expects one of no component, and
-- would compare each account with all of them.
SELECT p.line, p.userid, :courseid AS courseid, :contextid AS contextid, :roleid AS roleid, '' AS component, 0 AS itemid
  FROM [list_person] p
 WHERE p.todo IN (1, 2)
   AND EXISTS (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = :enrolid AND x.userid = p.userid)
   AND (SELECT COUNT(*) FROM {role_assignments} y :by_user
         WHERE y.userid = p.userid AND y.contextid :whole = :contextid AND y.roleid :whole = :roleid
           AND {~y.component} = '' AND {#y.itemid} = 0) = 0

-- statement members
-- The groups of rows whose account may be written; `enrolled` says whether it is or becomes a participant.
INSERT INTO [list_member]
SELECT l.line, l.nth, l.op, p.userid, g.gname, g.clean,
       CASE WHEN p.todo IN (1, 2) OR p.present > 0 THEN 1 ELSE 0 END
  FROM [list_group] g
  JOIN [stage_line] l ON l.line = g.line AND l.nth = g.nth
  JOIN [stage_user] u ON u.ukey = l.ukey AND u.found = 1
  JOIN [list_person] p ON p.userid = u.userid AND p.todo <> 5
 WHERE NOT (p.todo = 6 AND p.present = 0)

-- statement names
-- Each group once; `line` is the first that puts a participant into it.
INSERT INTO [list_name]
SELECT t.gname, t.line, t.clean, MIN(g.id), COUNT(g.id)
  FROM (SELECT m.gname, COALESCE(MIN(CASE WHEN m.enrolled = 1 AND m.op = 1 THEN m.line END), 0) AS line,
               MIN(m.clean) AS clean
          FROM [list_member] m
         GROUP BY m.gname) t
  LEFT JOIN [known_group] g ON g.courseid = :courseid AND :same
 GROUP BY t.gname, t.line, t.clean

-- statement refused groups
SELECT m.line AS number,
       CASE WHEN m.enrolled = 0 THEN 'group-not-enrolled'
            WHEN t.found > 1 THEN 'group-ambiguous'
            ELSE 'group-unknown' END AS code,
       m.gname AS value, :shown AS hint
  FROM [list_member] m
  JOIN [list_name] t ON t.gname = m.gname
 WHERE (m.op = 1 AND m.enrolled = 0 AND :linked = 0)
    OR (m.enrolled = 1 AND (t.found > 1 OR (t.found = 0 AND (t.clean = 0 OR :creates = 0 OR m.op = 3))))

-- statement missing groups
INSERT INTO [new_group]
SELECT ROW_NUMBER() OVER (ORDER BY t.line, t.gname), t.line, 0, :courseid, :contextid, t.gname, '', '', 0
  FROM [list_name] t
 WHERE t.found = 0 AND t.clean = 1 AND t.line > 0

-- statement made groups
(SELECT t.name, MIN(g.id) AS id
   FROM [new_group] t
   JOIN [known_group] g ON g.courseid = :courseid AND :same
  GROUP BY t.name) m

-- statement leaving members
-- Who is named as leaving, and not again as joining afterwards.
SELECT x.id, w.line, :courseid AS courseid, :contextid AS contextid
  FROM (SELECT m.userid, m.gname, MAX(m.line) AS line
          FROM [list_member] m
         GROUP BY m.userid, m.gname
        HAVING MAX(CASE WHEN m.op = 3 THEN m.line * 1000000 + m.nth ELSE 0 END) >
               MAX(CASE WHEN m.op = 1 THEN m.line * 1000000 + m.nth ELSE 0 END)) w
  JOIN [list_name] t ON t.gname = w.gname AND t.found = 1
  JOIN {groups_members} x ON x.groupid = t.groupid AND x.userid = w.userid AND {~x.component} = ''

-- statement joining members
-- Each membership once, for the first line that gives it, of those who are enrolled now.
SELECT w.line, w.userid, :courseid AS courseid, :contextid AS contextid, t.groupid, '' AS component, 0 AS itemid
  FROM (SELECT m.userid, m.gname, MIN(CASE WHEN m.op = 1 THEN m.line END) AS line
          FROM [list_member] m
         WHERE m.enrolled = 1
         GROUP BY m.userid, m.gname
        HAVING MAX(CASE WHEN m.op = 1 THEN m.line * 1000000 + m.nth ELSE 0 END) >
               MAX(CASE WHEN m.op = 3 THEN m.line * 1000000 + m.nth ELSE 0 END)) w
  JOIN [list_name] t ON t.gname = w.gname AND t.found = 1
  LEFT JOIN {groups_members} x ON x.groupid = t.groupid AND x.userid = w.userid
 WHERE x.id IS NULL
   AND EXISTS (SELECT 1 FROM {enrol} e JOIN {user_enrolments} y ON y.enrolid = e.id AND y.userid = w.userid
                WHERE e.courseid = :courseid)

-- statement ending enrolments
-- Only what people made by hand ends; what a cohort or another source gives is theirs.
INSERT INTO [to_remove]
SELECT x.id, p.outline, p.userid, :courseid, :contextid, e.id, 0, 'enrol_' || e.enrol, 1, NULL
  FROM [list_person] p
  JOIN {user_enrolments} x ON x.userid = p.userid
  JOIN {enrol} e ON e.id = x.enrolid AND e.courseid = :courseid AND e.enrol IN ('manual', 'self')
 WHERE p.todo = 5

-- statement kept enrolments
SELECT p.outline AS number, 'enrolment-kept' AS code, a.username AS value, :shown AS hint
  FROM [list_person] p
  JOIN {user} a ON a.id = p.userid
 WHERE p.todo = 5
   AND EXISTS (SELECT 1 FROM {user_enrolments} x
                 JOIN {enrol} e ON e.id = x.enrolid AND e.courseid = :courseid AND e.enrol NOT IN ('manual', 'self')
                WHERE x.userid = p.userid)
