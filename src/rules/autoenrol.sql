-- Autoenrol (spec autoenrol 4 to 6). Its temporary tables are filled before: `ruled` (instances with a usable rule),
-- `matching` (users whom each evaluation of a rule admits), `leaving`, `fitting`, `elsewhere`, `newcomer`, and for
-- groups `member_name`, `desired_group`, `first_desired_group`, `generated_group`.

-- section enabled
-- The enabled instances of the pass, with the rule and all settings that decide.
SELECT e.id, e.courseid, k.id AS contextid, c.shortname, COALESCE(e.customtext2, ''), e.customint1, e.customint4,
       e.enrolstartdate, e.enrolenddate, e.customint5, e.customint8, COALESCE(e.customchar1, ''),
       COALESCE(e.customchar3, ''), e.customint2
  FROM {enrol} e
  JOIN {course} c ON c.id = e.courseid
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = :method AND e.status = 0 AND e.id :among_instances
 ORDER BY e.id

-- section leaving
-- Enrolled users who no longer match, if the site unenrols them: they make room.
SELECT x.id AS ueid, r.enrolid
  FROM [ruled] r
  JOIN {user_enrolments} x ON x.enrolid = r.enrolid
  JOIN {user} u ON u.id = x.userid
  LEFT JOIN [matching] m ON m.evaluation = r.evaluation AND m.userid = x.userid
 WHERE :unenrols = 1 AND m.userid IS NULL AND u.deleted = 0 AND u.id NOT IN (:left_alone) AND x.userid :among_users

-- section fitting
-- Users who match an instance that admits users now, and are not enrolled in it.
SELECT r.enrolid, m.userid
  FROM [ruled] r
  JOIN [matching] m ON m.evaluation = r.evaluation
  LEFT JOIN {user_enrolments} x ON x.enrolid = r.enrolid AND x.userid = m.userid
 WHERE r.round > 0 AND x.id IS NULL

-- section elsewhere
-- Users with an enrolment in the course that stays, for instances that admit only users without one.
SELECT DISTINCT r.courseid, y.userid
  FROM [ruled] r
  JOIN {enrol} f ON f.courseid = r.courseid
  JOIN {user_enrolments} y ON y.enrolid = f.id
  LEFT JOIN [leaving] l ON l.ueid = y.id
 WHERE r.round > 0 AND r.always = 0 AND l.ueid IS NULL AND y.userid :among_users

-- section newcomers
-- The newcomers of one round, by user id, up to the room that is left.
SELECT w.enrolid, w.userid, w.courseid
  FROM (SELECT r.enrolid, m.userid, r.courseid, r.room,
               ROW_NUMBER() OVER (PARTITION BY r.enrolid ORDER BY m.userid) AS place
          FROM [ruled] r
          JOIN [fitting] m ON m.enrolid = r.enrolid
          -- In the course already, or admitted by an instance of an earlier round.
          LEFT JOIN [elsewhere] h ON h.courseid = r.courseid AND h.userid = m.userid
          LEFT JOIN (SELECT DISTINCT o.courseid, o.userid FROM [newcomer] o) n
               ON n.courseid = r.courseid AND n.userid = m.userid
         WHERE r.round = :round AND r.room > 0
           AND (r.always = 1 OR (h.userid IS NULL AND n.userid IS NULL))) w
 WHERE w.place <= w.room

-- section scope
SELECT r.enrolid, r.courseid, r.contextid
  FROM [ruled] r

-- section enrolments
-- Matching users: newcomers are enrolled, existing enrolments are kept.
SELECT s.enrolid, m.userid, s.courseid, s.contextid, CASE WHEN n.userid IS NULL THEN 1 ELSE 2 END AS presence,
       :status_of_fitting AS status, :now AS timestart,
       CASE WHEN e.enrolperiod > 0 THEN :now + e.enrolperiod ELSE 0 END AS timeend
  FROM [ruled] s
  JOIN {enrol} e ON e.id = s.enrolid
  JOIN [matching] m ON m.evaluation = s.evaluation
  LEFT JOIN [newcomer] n ON n.enrolid = s.enrolid AND n.userid = m.userid
 UNION ALL
-- Deleted accounts, administrators and the guest stay as they are.
SELECT s.enrolid, x.userid, s.courseid, s.contextid, 0, x.status, x.timestart, x.timeend
  FROM [scope] s
  JOIN {user_enrolments} x ON x.enrolid = s.enrolid
  JOIN {user} u ON u.id = x.userid
 WHERE (u.deleted <> 0 OR u.id IN (:left_alone)) AND x.userid :among_users

-- section roles
-- Users just enrolled or reactivated get the role of the instance, if it has one.
SELECT f.enrolid, f.userid, s.courseid, s.contextid, e.roleid, 2 AS presence
  FROM [fresh] f
  JOIN [scope] s ON s.enrolid = f.enrolid
  JOIN {enrol} e ON e.id = f.enrolid
  JOIN {role} r ON r.id = e.roleid

-- section owned roles
-- The instance's role of users whom this pass suspended, if the site removes it and no active enrolment is left.
SELECT a.id, c.enrolid, a.userid, a.roleid, c.courseid, c.contextid
  FROM {enrold_change} c
  JOIN {enrol} e ON e.id = c.enrolid
  JOIN {role_assignments} a :by_user ON a.userid = c.userid AND a.contextid = c.contextid AND a.roleid = e.roleid
       AND a.component = '' AND a.itemid = 0
 WHERE :drops_roles = 1 AND c.run = :run AND c.seq > :pass_no * 100000000000 AND c.seq < (:pass_no + 1) * 100000000000
   AND c.kind = :suspended AND c.state = 0
   AND NOT EXISTS (SELECT 1 FROM {enrol} f
                     :then {user_enrolments} y ON y.enrolid = f.id AND y.userid = c.userid AND y.status = 0
                    WHERE f.courseid = c.courseid)

-- section members
-- The group name of each participant whose rule holds: enrolled already, or admitted now.
SELECT d.enrolid, u.id AS userid, :name AS name
  FROM [named] d
  JOIN [matching] m ON m.evaluation = d.evaluation
  JOIN {user} u ON u.id = m.userid
  LEFT JOIN {user_enrolments} x ON x.enrolid = d.enrolid AND x.userid = m.userid
  LEFT JOIN [newcomer] n ON n.enrolid = d.enrolid AND n.userid = m.userid
 WHERE x.id IS NOT NULL OR n.userid IS NOT NULL

-- section desired groups
-- Each desired group, with the existing one, found by autoenrol's mark, else by its name.
SELECT w.enrolid, w.name, w.courseid, w.contextid, w.idnumber,
       COALESCE(MIN(m.id), MIN(g.id)) AS groupid
  FROM (SELECT DISTINCT r.enrolid, h.name, r.courseid, r.contextid,
               'autoenrol|' || :enrolid_text || '|' || h.hash AS idnumber
          FROM [member_name] n
          JOIN [ruled] r ON r.enrolid = n.enrolid
          JOIN [name_hash] h ON h.name = n.name) w
  LEFT JOIN [known_group] m ON m.courseid = w.courseid AND m.idnumber = w.idnumber
  LEFT JOIN [known_group] g ON g.courseid = w.courseid AND g.name = w.name
 GROUP BY w.enrolid, w.name, w.courseid, w.contextid, w.idnumber

-- section firsts
-- Groups to make: if several instances of a course desire one name, the first makes it.
SELECT t.courseid, t.name, t.idnumber
  FROM (SELECT w.courseid, w.name, w.idnumber,
               ROW_NUMBER() OVER (PARTITION BY w.courseid, w.name ORDER BY w.enrolid) AS place
          FROM [desired_group] w
         WHERE w.groupid IS NULL) t
 WHERE t.place = 1

-- section generated
-- Groups that autoenrol has made for an instance, found by their mark.
SELECT g.id, r.enrolid
  FROM [ruled] r
  JOIN {groups} g ON g.courseid = r.courseid AND g.idnumber LIKE '%autoenrol|' || :enrolid_text || '|%'

-- section groups of desired_group
SELECT w.enrolid, w.courseid, w.contextid, w.name, w.idnumber,
       'Made by the enrolment method autoenrol' AS description
  FROM [desired_group] w
  JOIN [first_desired_group] f ON f.courseid = w.courseid AND f.name = w.name AND f.idnumber = w.idnumber

-- section group members of member_name
-- Participants join the group of their name, which existed or has just been made.
SELECT n.enrolid, n.userid, w.courseid, w.contextid, g.id AS groupid, 2 AS presence
  FROM [member_name] n
  :then [desired_group] w ON w.enrolid = n.enrolid AND w.name = n.name
  :then {user_enrolments} x ON x.enrolid = n.enrolid AND x.userid = n.userid
  LEFT JOIN [first_desired_group] f ON f.courseid = w.courseid AND f.name = w.name
  LEFT JOIN [known_group] k ON w.groupid IS NULL AND k.courseid = w.courseid AND k.idnumber = f.idnumber
  JOIN {groups} g ON g.id = COALESCE(w.groupid, k.id)

-- section owned group members
-- Memberships of users in only one generated group of an instance; not if the user's desired group cannot be made.
SELECT t.id, t.enrolid, t.userid, t.groupid, t.courseid, t.contextid
  FROM (SELECT m.id, q.enrolid, m.userid, m.groupid, r.courseid, r.contextid, n.name,
               COUNT(*) OVER (PARTITION BY q.enrolid, m.userid) AS groups_of_instance
          FROM [generated_group] q
          JOIN [ruled] r ON r.enrolid = q.enrolid
          JOIN {groups_members} m ON m.groupid = q.groupid
          JOIN [member_name] n ON n.enrolid = q.enrolid AND n.userid = m.userid) t
  LEFT JOIN [desired_group] w ON w.enrolid = t.enrolid AND w.name = t.name
 WHERE t.groups_of_instance = 1 AND (t.name = '' OR w.name IS NOT NULL)

-- section concerned
-- Instances of courses that other changes have touched.
SELECT e.id AS enrolid
  FROM {enrol} e
 WHERE e.enrol = :method AND e.status = 0 AND e.courseid IN (SELECT t.courseid FROM [touched] t)
