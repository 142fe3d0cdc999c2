-- Files of methods: `k` is a key or a course that rows name, `t` a method to add, `x` the instance that changes, `g` one
-- that is removed.

-- statement named courses
SELECT k.ckey, k.courseid, k.contextid, k.found, k.category, c.shortname, c.fullname
  FROM [stage_course] k
  LEFT JOIN {course} c ON c.id = k.courseid

-- statement all courses
SELECT c.id, o.id, c.shortname, c.fullname, c.category
  FROM {course} c
  JOIN {context} o ON o.contextlevel = 50 AND o.instanceid = c.id
 WHERE c.category <> 0

-- statement named cohorts
SELECT k.ckey, c.id, c.name
  FROM [method_cohort] k
  JOIN {cohort} c ON :same

-- statement instances
SELECT e.id, e.courseid, e.enrol, COALESCE(e.customint1, 0), COALESCE(e.roleid, 0), e.status, COALESCE(e.name, ''),
       COALESCE(e.customint2, 0), COALESCE(e.enrolstartdate, 0), COALESCE(e.enrolenddate, 0),
       COALESCE(e.enrolperiod, 0)
  FROM [method_course] k
  JOIN {enrol} e ON e.courseid = k.courseid
 ORDER BY e.courseid, e.sortorder, e.id

-- statement links
SELECT e.courseid, e.customint1 FROM {enrol} e WHERE e.enrol = 'meta' AND e.customint1 IS NOT NULL

-- statement groups
SELECT q.courseid, q.name, q.id
  FROM [method_course] k
  JOIN {groups} q ON q.courseid = k.courseid

-- statement foreign instances
-- Instances with somebody whose role a dropped file may not give.
SELECT e.id, MIN(r.shortname)
  FROM [method_course] k
  JOIN {enrol} e ON e.courseid = k.courseid
  JOIN {context} o ON o.contextlevel = 50 AND o.instanceid = k.courseid
  JOIN {role_assignments} y ON y.contextid = o.id AND y.roleid NOT IN (:allowed)
  JOIN {role} r ON r.id = y.roleid
  JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = y.userid
 GROUP BY e.id

-- statement foreign sources
-- Courses with such a role that a link would copy.
SELECT k.courseid, MIN(r.shortname)
  FROM [method_source] k
  JOIN {context} o ON o.contextlevel = 50 AND o.instanceid = k.courseid
  JOIN {role_assignments} y ON y.contextid = o.id AND y.roleid NOT IN (:allowed) AND y.component <> 'enrol_meta'
  JOIN {role} r ON r.id = y.roleid
 GROUP BY k.courseid

-- statement missing groups
INSERT INTO [new_group]
SELECT ROW_NUMBER() OVER (ORDER BY t.line, t.courseid, t.gname), t.line, 0, t.courseid, t.contextid, t.gname, '', '', 0
  FROM [method_group] t

-- statement made groups
(SELECT t.courseid, t.gname, MIN(q.id) AS id
   FROM [method_group] t
   JOIN {groups} q ON q.courseid = t.courseid AND :same
  GROUP BY t.courseid, t.gname) m

-- statement planned methods
SELECT t.n, t.line, t.courseid, t.contextid, t.method AS component FROM [new_method] t

-- statement new methods
-- A new instance comes last in its course. Another writer may have added one since the plan.
INSERT INTO {enrol} (enrol, status, courseid, sortorder, name, enrolperiod, enrolstartdate, enrolenddate, expirynotify,
                     expirythreshold, notifyall, roleid, customint1, customint2, customint3, customint4, customint5,
                     customint6, timecreated, timemodified)
SELECT t.method, t.status, t.courseid,
       COALESCE((SELECT MAX(o.sortorder) FROM {enrol} o WHERE o.courseid = t.courseid), -1)
           + ROW_NUMBER() OVER (PARTITION BY t.courseid ORDER BY t.n),
       NULLIF(t.name, ''), t.enrolperiod, t.enrolstartdate, t.enrolenddate, t.expirynotify, t.expirythreshold,
       t.notifyall, CASE WHEN t.keyed = 1 AND t.roleid = 0 THEN NULL ELSE t.roleid END, t.customint1, t.customint2, t.customint3, t.customint4, t.customint5, t.customint6,
       :now, :now
  FROM [new_method] t
 WHERE NOT EXISTS (SELECT 1 FROM {enrol} e WHERE :same)
 ORDER BY t.n

-- statement made methods
(SELECT t.n, MAX(e.id) AS id
   FROM [new_method] t
   JOIN {enrol} e ON :same AND e.timecreated = :now
  GROUP BY t.n) m

-- statement overtaken methods
UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND c.enrolid IS NULL

-- statement changed methods
SELECT t.line, x.id AS targetid, x.id AS enrolid, x.courseid, t.contextid, x.enrol AS component, :oldrow AS oldrow,
       :newrow AS newrow
  FROM [changed_method] t
  JOIN {enrol} x ON x.id = t.enrolid
 WHERE :differs

-- statement people of disabled methods
SELECT COUNT(*)
  FROM [changed_method] t
  JOIN {user_enrolments} x ON x.enrolid = t.enrolid AND x.status = 0
 WHERE t.status = 1

-- statement people of such methods
SELECT COUNT(*)
  FROM {enrol} e
  JOIN {user_enrolments} x ON x.enrolid = e.id AND x.status = 0
 WHERE e.enrol IN (SELECT o.enrol FROM [changed_method] t JOIN {enrol} o ON o.id = t.enrolid WHERE t.status = 1)

-- statement ending enrolments
INSERT INTO [to_remove]
SELECT x.id, g.line, x.userid, g.courseid, g.contextid, g.enrolid, 0, 'enrol_' || e.enrol,
       CASE WHEN e.enrol IN ('manual', 'self') THEN 1 ELSE 0 END, NULL
  FROM [gone_method] g
  JOIN {enrol} e ON e.id = g.enrolid
  JOIN {user_enrolments} x ON x.enrolid = g.enrolid

-- statement lost places
SELECT c.enrolid, COUNT(*), COUNT(CASE WHEN c.lastenrol = 1 THEN 1 END)
  FROM {enrold_change} c
 WHERE :here AND c.kind = :kind
 GROUP BY c.enrolid
