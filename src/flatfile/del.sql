-- What a `del` line ends (spec flatfile 6). `del_step` holds the `del` steps of the step order, at most one per pair.

-- statement candidates
INSERT INTO [candidate]
SELECT x.id, s.line, s.userid, s.courseid, s.contextid, e.id, s.roleid, 'enrol_' || e.enrol, x.status,
       CASE WHEN e.enrol IN (:free) THEN 1 ELSE 0 END,
       -- Flags for the user's roles in the course: the instance owns one; it owns the named one; the named one is given
       -- by hand; another one is given by hand.
       CASE WHEN EXISTS (SELECT 1 FROM {role_assignments} r :by_user WHERE :owned) THEN 1 ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 FROM {role_assignments} r :by_user WHERE :owned AND r.roleid :whole = s.roleid)
            THEN 1 ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 FROM {role_assignments} r :by_user WHERE :manual AND r.roleid :whole = s.roleid)
            THEN 1 ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 FROM {role_assignments} r :by_user WHERE :manual AND r.roleid <> s.roleid)
            THEN 1 ELSE 0 END
  FROM [del_step] s
  JOIN {enrol} e ON e.courseid = s.courseid
  JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = s.userid
 WHERE :reach

-- statement owned role
r.userid = x.userid AND r.contextid :whole = s.contextid AND {=r.component || ''} = 'enrol_' || e.enrol
   AND {#r.itemid} = e.id

-- statement role by hand
r.userid = x.userid AND r.contextid :whole = s.contextid AND {~r.component} = ''

-- statement chosen enrolments
INSERT INTO [to_remove]
SELECT t.ueid, t.line, t.userid, t.courseid, t.contextid, t.enrolid, t.roleid, t.component, t.free, NULL
  FROM (SELECT c.ueid, c.line, c.userid, c.courseid, c.contextid, c.enrolid, c.roleid, c.component, c.free, c.uestatus,
               c.owned, c.ownedrole, c.manualrole, c.manualother,
               -- The first instance of the pair that acts where the named role is one of several by hand.
               MIN(CASE WHEN c.free = 1 AND (c.owned = 0 OR c.ownedrole = 1) AND (:unenrol = 1 OR c.uestatus = 0)
                        THEN c.enrolid END)
                   OVER (PARTITION BY c.userid, c.courseid) AS firstfree
          FROM [candidate] c) t
 -- Suspended enrolments are not suspended again.
 WHERE (:unenrol = 1 OR t.uestatus = 0)
   -- An instance that owns roles acts if the named one is among them.
   AND CASE WHEN t.owned = 1 THEN t.ownedrole
            -- One that owns none acts if the user has no role by hand, or only the named one.
            WHEN t.free = 0 OR t.manualother = 0 THEN 1
            WHEN t.manualrole = 0 THEN 0
            -- Of several, the first removes the named role; the others then find only other roles.
            WHEN t.enrolid = t.firstfree THEN 1
            ELSE 0 END = 1

-- statement owned roles
SELECT r.id, MIN(c.line) AS line, c.courseid, c.contextid
  FROM {enrold_change} c :roles_there
 WHERE :gone AND {~r.component} = c.component AND {#r.itemid} = c.enrolid
 GROUP BY r.id, c.courseid, c.contextid

-- statement named roles
SELECT r.id, MIN(c.line) AS line, c.courseid, c.contextid
  FROM {enrold_change} c
  -- Only where the method of the enrolment leaves manual roles to others.
  JOIN [to_remove] d ON d.ueid = c.targetid AND d.free = 1
  :roles_there
 WHERE :gone AND {#r.roleid} = c.roleid AND {~r.component} = '' AND r.itemid = 0
 GROUP BY r.id, c.courseid, c.contextid

-- statement leftover roles
SELECT r.id, MIN(s.line) AS line, s.courseid, s.contextid
  FROM [del_step] s :roles_there
 WHERE {~r.component} = '' AND r.itemid = 0 AND r.contextid <> s.contextid
   -- Nothing was ended.
   AND NOT EXISTS (SELECT 1 FROM [to_remove] d WHERE d.userid = s.userid AND d.courseid = s.courseid)
   -- No role is left in the course itself.
   AND NOT EXISTS (SELECT 1 FROM {role_assignments} q :by_user
                    WHERE q.userid = s.userid AND q.contextid :whole = s.contextid)
 GROUP BY r.id, s.courseid, s.contextid
