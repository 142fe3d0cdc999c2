-- What the guard counts: the enrolments before the run, by course and method, and the changes in its journal. If an
-- instance no longer exists, the change's component gives the method: `enrol_` is six characters.

-- statement existing
-- The enrolments that exist now.
SELECT e.courseid, e.enrol, COUNT(*)
  FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid
 GROUP BY e.courseid, e.enrol

-- statement added
-- Less those that this transaction added, if they exist.
SELECT c.courseid, e.enrol, -COUNT(*)
  FROM {enrold_change} c
  JOIN {enrol} e ON e.id = c.enrolid
  JOIN {user_enrolments} x ON x.enrolid = c.enrolid AND x.userid = c.userid
 WHERE c.run = :run AND c.seq > :committed AND c.state = 0 AND c.kind = :added
 GROUP BY c.courseid, e.enrol

-- statement earlier
-- Plus those that the run's committed parts removed, less those that they added.
SELECT c.courseid, COALESCE(e.enrol, SUBSTR(c.component, 7)),
       COUNT(CASE WHEN c.kind = :removed THEN 1 END) - COUNT(CASE WHEN c.kind = :added THEN 1 END)
  FROM {enrold_change} c
  LEFT JOIN {enrol} e ON e.id = c.enrolid
 WHERE c.run = :run AND c.seq <= :committed AND c.state = 0 AND c.kind IN (:added, :removed)
 GROUP BY c.courseid, COALESCE(e.enrol, SUBSTR(c.component, 7))

-- statement weighed
-- The changes in the journal, by all that has limits of its own.
SELECT c.courseid, COALESCE(e.enrol, SUBSTR(c.component, 7)), c.cause, c.kind, COUNT(*)
  FROM {enrold_change} c
  LEFT JOIN {enrol} e ON e.id = c.enrolid
  :users_approved
 WHERE c.run = :run AND c.state = 0 AND c.kind IN (:weighed) :not_approved
 GROUP BY c.courseid, COALESCE(e.enrol, SUBSTR(c.component, 7)), c.cause, c.kind

-- statement users approved
-- The users whom the cause of the approved pass changes; `every` is 1 if each of these changes is in that pass.
LEFT JOIN (SELECT a.userid, MIN(CASE WHEN a.seq > :approved AND a.seq <= :approved_to THEN 1 ELSE 0 END) AS every
             FROM {enrold_change} a
            WHERE a.run = :run AND a.state = 0 AND a.kind IN (:weighed) AND a.cause = :approved_cause
            GROUP BY a.userid) u ON u.userid = c.userid

-- statement not approved
AND NOT (c.seq > :approved AND c.seq <= :approved_to)
AND (c.cause = :approved_cause OR COALESCE(u.every, 0) = 0)

-- statement accounts changed
-- How many accounts the changes of each kind concern, and of how many the address changes.
SELECT c.kind, COUNT(DISTINCT c.userid) FROM {enrold_change} c
 WHERE c.run = :run AND c.state = 0 AND c.kind IN (:counted)
 GROUP BY c.kind
 UNION ALL
SELECT 'email', COUNT(DISTINCT c.userid) FROM {enrold_change} c
 WHERE c.run = :run AND c.state = 0 AND c.kind IN (:addressed) AND :email IS NOT NULL
