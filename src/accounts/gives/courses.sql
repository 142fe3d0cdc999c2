-- The courses of rows: `a` is a cell with its columns, `r` its row, `k` the course, `i` the manual instance, `g` the
-- role; `p` is a resolved place, `x` an enrolment.

-- statement manual instances
INSERT INTO [given_instance]
SELECT t.courseid, t.id, 'id:' || :roleid, t.enrolperiod
  FROM (SELECT e.courseid, e.id, e.roleid, e.enrolperiod,
               ROW_NUMBER() OVER (PARTITION BY e.courseid ORDER BY e.sortorder, e.id) AS nth
          FROM [stage_course] k
          JOIN {enrol} e ON e.courseid = k.courseid AND e.enrol = :method
         -- The front page has roles only.
         WHERE k.found = 1 AND k.category <> 0) t
 WHERE t.nth = 1

-- statement places
INSERT INTO [given_place]
SELECT a.line, a.n, r.userid, k.courseid, k.contextid, CASE WHEN k.category = 0 THEN 1 ELSE 0 END, i.enrolid,
       g.roleid, i.period, a.period, a.status, a.start, a.grp,
       CASE WHEN k.found = 0 OR k.contextid IS NULL THEN 'course-unknown'
            WHEN k.found > 1 THEN 'course-ambiguous'
            WHEN k.category = 0 AND g.roleid IS NULL AND a.grp = '' THEN 'empty-identifier'
            WHEN k.category <> 0 AND i.enrolid IS NULL THEN 'no-method'
            ELSE COALESCE(g.code, '') END,
       CASE WHEN k.found <> 1 OR k.contextid IS NULL THEN a.course
            WHEN k.category = 0 AND g.roleid IS NULL AND a.grp = '' THEN 'role' || :column
            WHEN k.category <> 0 AND i.enrolid IS NULL THEN :method
            ELSE COALESCE(g.value, '') END,
       CASE WHEN k.found = 0 OR k.contextid IS NULL THEN :key
            WHEN k.found > 1 THEN :count
            WHEN k.category = 0 AND g.roleid IS NULL AND a.grp = '' THEN ''
            WHEN k.category <> 0 AND i.enrolid IS NULL THEN a.course
            ELSE COALESCE(g.hint, '') END
  FROM [account_place] a
  JOIN [account_row] r ON r.line = a.line AND r.userid IS NOT NULL
  JOIN [stage_course] k ON k.ckey = a.course
  LEFT JOIN [given_instance] i ON i.courseid = k.courseid
  -- Without a role of its own, a place gives the default role of the instance.
  LEFT JOIN [given_role] g
         ON g.given = CASE WHEN a.role = '' AND a.kind = 0 THEN i.role ELSE a.role END AND g.kind = a.kind

-- statement spared places
-- `value` is a role that the account has; it is set first, while `code` is still empty.
UPDATE [given_place] AS p
   SET value = (SELECT MIN(r.shortname) FROM {role_assignments} y JOIN {role} r ON r.id = y.roleid
                 WHERE y.userid = p.userid AND y.contextid = p.contextid AND y.roleid NOT IN (:allowed)),
       code = :refused, hint = :key
 WHERE p.code = '' AND EXISTS (SELECT 1 FROM {role_assignments} y
                                WHERE y.userid = p.userid AND y.contextid = p.contextid
                                  AND y.roleid NOT IN (:allowed))

-- statement planned enrolments
-- Each enrolment that is missing or differs, as a change of its kind: added, suspended or changed otherwise.
SELECT CASE WHEN t.targetid IS NULL THEN :rank_add
            WHEN t.oldstatus = 0 AND t.status = 1 THEN :rank_suspend
            ELSE :rank_update END AS rank_of,
       t.line, t.userid, t.courseid, t.enrolid, t.contextid, t.targetid, t.status, t.timestart, t.timeend,
       t.oldstatus, t.oldtimestart, t.oldtimeend, t.oldrow
  FROM (SELECT s.*,
               CASE WHEN s.period > 0 THEN s.timestart + s.period
                    WHEN s.period = 0 THEN 0
                    -- An end that the file does not give stays, unless the start passes it.
                    WHEN s.oldtimeend = 0 OR s.oldtimeend > s.timestart THEN s.oldtimeend
                    WHEN s.targetid IS NOT NULL AND s.start IS NULL THEN s.oldtimeend
                    WHEN s.instanceperiod > 0 THEN s.timestart + s.instanceperiod
                    ELSE 0 END AS timeend
          FROM (SELECT w.*, x.id AS targetid, COALESCE(w.newstatus, x.status, 0) AS status,
                       CASE WHEN w.start IS NOT NULL THEN w.start
                            -- A period needs a start to be counted from.
                            WHEN x.id IS NULL OR (w.period > 0 AND x.timestart = 0) THEN :today
                            ELSE x.timestart END AS timestart,
                       x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
                       CASE WHEN x.id IS NOT NULL THEN :oldrow END AS oldrow
                  -- Of several places of an account in a course, the last that gives a value decides it.
                  FROM (SELECT v.userid, v.courseid, v.contextid, v.enrolid, MIN(v.line) AS line,
                               MAX(v.instanceperiod) AS instanceperiod,
                               MAX(CASE WHEN v.place = v.of_start THEN v.start END) AS start,
                               MAX(CASE WHEN v.place = v.of_period THEN v.period END) AS period,
                               MAX(CASE WHEN v.place = v.of_status THEN v.status END) AS newstatus
                          FROM (SELECT q.*,
                                       MAX(CASE WHEN q.start IS NOT NULL THEN q.place END)
                                           OVER (PARTITION BY q.userid, q.courseid) AS of_start,
                                       MAX(CASE WHEN q.period IS NOT NULL THEN q.place END)
                                           OVER (PARTITION BY q.userid, q.courseid) AS of_period,
                                       MAX(CASE WHEN q.status IS NOT NULL THEN q.place END)
                                           OVER (PARTITION BY q.userid, q.courseid) AS of_status
                                  FROM (SELECT p.*, p.line * 100000 + p.n AS place
                                          FROM [given_place] p
                                         WHERE p.enrolid IS NOT NULL AND p.code = '') q) v
                         GROUP BY v.userid, v.courseid, v.contextid, v.enrolid) w
                  LEFT JOIN {user_enrolments} x ON x.enrolid = w.enrolid AND x.userid = w.userid) s) t
 WHERE t.targetid IS NULL OR t.status <> t.oldstatus OR t.timestart <> t.oldtimestart OR t.timeend <> t.oldtimeend

-- statement missing roles
-- Each role once, for the first line that gives it: on the front page, and of users who are enrolled. The assignments
-- are counted, not joined: PostgreSQL expects one of no component, and would compare each place with all of them.
SELECT MIN(p.line) AS line, p.userid, p.courseid, p.contextid, p.roleid, '' AS component, 0 AS itemid
  FROM [given_place] p
 WHERE p.roleid IS NOT NULL AND p.code = ''
   AND (p.front = 1 OR EXISTS (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = p.enrolid AND x.userid = p.userid))
   AND (SELECT COUNT(*) FROM {role_assignments} y :by_user
         WHERE y.userid = p.userid AND y.contextid :whole = p.contextid AND y.roleid :whole = p.roleid
           AND {~y.component} = '' AND {#y.itemid} = 0) = 0
 GROUP BY p.userid, p.courseid, p.contextid, p.roleid
