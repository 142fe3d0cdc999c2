-- Enrolments and roles that are added. `p` is a desired row of `pair` or `pair_role`, `c` a change of the journal.

-- statement instances
INSERT INTO {enrol} (enrol, status, courseid, sortorder, enrolstartdate, enrolenddate, roleid, customchar1,
                     timecreated, timemodified)
-- A new instance comes last in its course, and has no dates of its own.
SELECT :method, 0, c.courseid,
       COALESCE((SELECT MAX(o.sortorder) FROM {enrol} o WHERE o.courseid = c.courseid), -1) + 1,
       0, 0, 0, NULLIF(:mark, ''), :now, :now
  FROM {enrold_change} c
 -- Another writer may have added one since the plan.
 WHERE :here AND NOT EXISTS (SELECT 1 FROM {enrol} e WHERE e.courseid = c.courseid AND e.enrol = :method AND :own)
 ORDER BY c.seq

-- statement overtaken
-- Planned enrolments that are not as this run would have written them: another writer enrolled the user between plan
-- and apply. Modifier and time distinguish that row from one of this run.
UPDATE {enrold_change} AS c SET state = 1
 WHERE :here AND NOT EXISTS
       (SELECT 1 FROM {user_enrolments} x
         WHERE x.enrolid = c.enrolid AND x.userid = c.userid AND x.status = c.status
           AND x.timestart = c.timestart AND x.timeend = c.timeend AND x.timecreated = :now AND x.modifierid = :actor)

-- statement differing
-- Desired enrolments that exist, but are suspended or have other times.
SELECT p.line, p.userid, p.courseid, p.enrolid, p.contextid, x.id AS targetid, 0 AS status, p.timestart, p.timeend,
       x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend, :oldrow AS oldrow
  FROM [pair] p
  JOIN {user_enrolments} x ON x.enrolid = p.enrolid AND x.userid = p.userid
 WHERE (x.status <> 0 OR x.timestart <> p.timestart OR x.timeend <> p.timeend) :unless_overtaken

-- statement missing roles
SELECT p.line, p.userid, p.courseid, p.contextid, p.roleid, :component AS component, p.enrolid AS itemid
  FROM [pair_role] p
  -- The same role of another component does not count; the lookup goes by user, whatever other indexes exist.
  LEFT JOIN {role_assignments} r :by_user ON r.userid = p.userid AND r.contextid :whole = p.contextid
       AND r.roleid :whole = p.roleid AND {~r.component} = :component AND {#r.itemid} = p.enrolid
 WHERE r.id IS NULL :unless_overtaken

-- statement doubled roles
-- Duplicate roles, without the first of each.
SELECT r.id, 0 AS line, 0 AS courseid, r.contextid
  -- The roles that instances own more than once, with the id that stays.
  FROM (SELECT d.roleid, d.contextid, d.userid, d.itemid, MIN(d.id) AS first
          FROM [instance] i
         :then {role_assignments} d :by_item ON d.component = :component AND d.itemid = i.enrolid
         GROUP BY d.roleid, d.contextid, d.userid, d.itemid
        HAVING COUNT(*) > 1) t
  -- Their duplicates, looked up by user.
  JOIN {role_assignments} r :by_user ON r.userid = t.userid AND r.contextid :whole = t.contextid
       AND r.roleid = t.roleid AND r.itemid = t.itemid AND {~r.component} = :component AND r.id > t.first
