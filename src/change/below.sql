-- The roles of users in courses and below.

-- statement roles
-- A walk up the contexts, one level at a time: each step looks up the one above by the index of `path`.
WITH RECURSIVE place (id, userid, level, instanceid, above) AS (
     -- The start: each role of these users in a course (level 50) or below one.
     SELECT r.id, r.userid, k.contextlevel, k.instanceid,
            -- The path without its last part is that of the parent context.
            SUBSTR(k.path, 1, LENGTH(k.path) - LENGTH('/' || k.id))
       FROM (:users) w
       :then {role_assignments} r :by_user ON r.userid = w.userid
       :then {context} k ON k.id = r.contextid AND k.contextlevel >= 50
      UNION ALL
     -- One step up, until a course is reached.
     SELECT p.id, p.userid, a.contextlevel, a.instanceid, SUBSTR(a.path, 1, LENGTH(a.path) - LENGTH('/' || a.id))
       FROM place p
       :then {context} a ON a.path = p.above AND p.level > 50)
-- The end: the course of each role.
SELECT p.id, p.userid, p.instanceid AS courseid FROM place p WHERE p.level = 50
