-- The roles that are removed with elapsed enrolments (spec enrol-core 14 and 15). `:gone` are the applied changes `c`,
-- each with its elapsed enrolment `d`; `:roles_there` joins the roles `r` that the users have in the course and below.
-- `d.roles` decides which of them are removed.

-- statement named roles
-- Before an unenrolment: the role by hand that the instance names, in the course; or all by hand, also below.
SELECT r.id, 0 AS line, c.courseid, c.contextid
  FROM :gone :roles_there
 WHERE {~r.component} = '' AND r.itemid = 0
   AND (d.roles = :by_hand OR (d.roles = :named AND r.contextid = c.contextid AND r.roleid = c.roleid))
 GROUP BY r.id, c.courseid, c.contextid

-- statement roles by hand
-- With a suspension, the same; and the only role in the course if it is by hand, whether named or not.
SELECT r.id, 0 AS line, c.courseid, c.contextid
  FROM :gone :roles_there
 WHERE {~r.component} = '' AND r.itemid = 0
   AND (d.roles = :by_hand
        OR (d.roles = :named AND r.contextid = c.contextid
            AND (r.roleid = c.roleid
                 OR (SELECT COUNT(*) FROM {role_assignments} q :by_user
                      WHERE q.userid = c.userid AND q.contextid :whole = c.contextid) = 1)))
 GROUP BY r.id, c.courseid, c.contextid

-- statement owned roles
-- The roles of the instance itself, also below.
SELECT r.id, 0 AS line, c.courseid, c.contextid
  FROM :gone :roles_there
 WHERE {~r.component} = c.component AND {#r.itemid} = c.enrolid AND d.roles IN (:owned, :named)
 GROUP BY r.id, c.courseid, c.contextid

-- statement roles below
-- Roles by hand below the course, if none is left in the course itself.
SELECT r.id, 0 AS line, c.courseid, c.contextid
  FROM :gone :roles_there
 WHERE {~r.component} = '' AND r.itemid = 0 AND r.contextid <> c.contextid AND d.roles IN (:owned, :named)
   AND NOT EXISTS (SELECT 1 FROM {role_assignments} q :by_user
                    WHERE q.userid = c.userid AND q.contextid :whole = c.contextid)
 GROUP BY r.id, c.courseid, c.contextid
