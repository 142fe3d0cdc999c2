-- Meta links: users enrolled in the source course by another method are enrolled in the target (spec meta 3).
-- `enrol.customint1` is the source course, `customint2` a group of the target.

-- section scope
-- A link whose source is gone, or is the target itself, is left out: its rows do not change (see `meta.rs`).
SELECT e.id AS enrolid, e.courseid, k.id AS contextid
  FROM {enrol} e
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
  JOIN {course} o ON o.id = e.customint1
  JOIN {context} ok ON ok.contextlevel = 50 AND ok.instanceid = o.id
 WHERE e.enrol = :method AND e.customint1 <> e.courseid AND e.id :among_instances

-- section concerned
SELECT e.id AS enrolid FROM {enrol} e JOIN [touched] t ON t.courseid = e.customint1 WHERE e.enrol = :method
 UNION
SELECT e.id AS enrolid FROM {enrol} e JOIN [touched] t ON t.courseid = e.courseid WHERE e.enrol = :method

-- section enrolments
-- All evidence of a user in the source is merged: active if any is, from the earliest start to the latest end, where 0
-- is no end. Suspended evidence gives no dates. A disabled link only updates; a deleted account is left alone. `held`
-- is 1 if the user may be added, 0 if only an existing enrolment may stay, else NULL: then it is extra, but one that the
-- source no longer keeps active is not only suspended, it has the dates of the source too, as in Moodle.
SELECT v.enrolid, v.userid, v.courseid, v.contextid,
       CASE WHEN u.deleted <> 0 THEN 0 WHEN e.status = 0 AND v.held = 1 THEN 2 ELSE 1 END AS presence,
       CASE WHEN v.held IS NULL THEN 1 ELSE v.status END AS status, v.timestart, v.timeend
  FROM (SELECT p.enrolid, p.courseid, p.contextid, p.userid, MAX(p.held) AS held, 1 - MAX(p.active) AS status,
               COALESCE(MIN(CASE WHEN p.active = 1 THEN p.timestart END), 0) AS timestart,
               CASE WHEN MAX(CASE WHEN p.active = 1 AND p.timeend = 0 THEN 1 ELSE 0 END) = 1 THEN 0
                    ELSE COALESCE(MAX(CASE WHEN p.active = 1 THEN p.timeend END), 0) END AS timeend
          FROM (SELECT s.enrolid, s.courseid, s.contextid, x.userid, x.timestart, x.timeend,
                       CASE WHEN x.status = 0 AND o.status = 0 THEN 1 ELSE 0 END AS active, :held AS held
                  FROM [scope] s
                  :then {enrol} e ON e.id = s.enrolid
                  :then {context} ok ON ok.contextlevel = 50 AND ok.instanceid = e.customint1
                  :then {enrol} o ON o.courseid = e.customint1 AND o.enrol IN (:sources)
                  :then {user_enrolments} x ON x.enrolid = o.id AND x.userid :among_users) p
         GROUP BY p.enrolid, p.courseid, p.contextid, p.userid) v
  :then {enrol} e ON e.id = v.enrolid
  :then {user} u ON u.id = v.userid
 WHERE v.held IS NOT NULL OR (v.status = 1 AND :unenrols = 0)
    OR (v.timeend > 0 AND v.timeend <= :now AND :suspends = 1)

-- section roles
-- Roles given by hand and by enabled methods are copied. Roles of other components are not, but a copy of one that an
-- observer of Moodle has made stays.
SELECT s.enrolid, x.userid, s.courseid, s.contextid, r.roleid,
       MAX(CASE WHEN u.deleted = 0 AND r.component IN (:components) THEN 2 ELSE 0 END) AS presence
  FROM [scope] s
  :then {enrol} e ON e.id = s.enrolid AND e.status = 0
  :then {context} ok ON ok.contextlevel = 50 AND ok.instanceid = e.customint1
  :then {user_enrolments} x ON x.enrolid = s.enrolid AND x.status = 0 AND x.userid :among_users
  :then {user} u ON u.id = x.userid
  :then {role_assignments} r :by_user ON r.userid = x.userid AND r.contextid :whole = ok.id
       AND {~r.component} <> :component AND {#r.roleid} NOT IN (:not_copied)
 GROUP BY s.enrolid, x.userid, s.courseid, s.contextid, r.roleid

-- section owned roles
SELECT r.id, s.enrolid, r.userid, r.roleid, s.courseid, s.contextid
  FROM [scope] s
  :then {role_assignments} r :by_item ON r.component = :component AND r.itemid = s.enrolid AND r.contextid = s.contextid
 WHERE :removes_roles = 1

-- section group members
SELECT s.enrolid, x.userid, s.courseid, s.contextid, g.id AS groupid, CASE WHEN u.deleted = 0 THEN 2 ELSE 0 END AS presence
  FROM [scope] s
  :then {enrol} e ON e.id = s.enrolid
  :then {groups} g ON g.id = e.customint2 AND g.courseid = s.courseid
  :then {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid :among_users
  :then {user} u ON u.id = x.userid

-- section owned group members
-- If no group was ever chosen (NULL), memberships stay; 0 means no group, and they are removed.
SELECT m.id, m.enrolid, m.userid, m.groupid, m.courseid, m.contextid
  FROM (:given_memberships) m
  JOIN {enrol} e ON e.id = m.enrolid AND e.customint2 IS NOT NULL
