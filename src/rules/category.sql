-- Category enrolments: users with a synchronised role in a category are enrolled in all courses below it (spec category
-- 3). `assigned` and `below` are filled before the other sections are read (see `category.rs`).

-- section assigned
-- Assignments are found by category context; found by role, they would include every student of the site.
SELECT r.contextid, r.userid, MIN(r.timemodified) AS timestart
  FROM {context} k
  JOIN {role_assignments} r ON r.contextid = k.id
  JOIN {role_capabilities} p ON p.roleid = {#r.roleid} AND p.contextid = :system AND p.permission = 1
       AND p.capability = :capability
  JOIN {capabilities} c ON c.name = :capability
 WHERE k.contextlevel = 40
 GROUP BY r.contextid, r.userid

-- section below
-- From each course up its path, one context at a time by the index on `path`, to the categories in `assigned`.
WITH RECURSIVE above (courseid, contextid, ancestor, path) AS (
  SELECT k.instanceid, k.id, k.id, SUBSTR(k.path, 1, LENGTH(k.path) - LENGTH('/' || k.id))
    FROM {context} k WHERE k.contextlevel = 50 AND k.instanceid :among_courses
   UNION ALL
  SELECT a.courseid, a.contextid, k.id, SUBSTR(k.path, 1, LENGTH(k.path) - LENGTH('/' || k.id))
    FROM above a JOIN {context} k ON k.path = a.path AND {#k.contextlevel} = 40)
SELECT a.courseid, a.contextid, a.ancestor
  FROM above a JOIN (SELECT DISTINCT g.contextid FROM [assigned] g) t ON t.contextid = a.ancestor

-- section instances
SELECT DISTINCT b.courseid, b.contextid FROM [below] b

-- section scope
SELECT e.id AS enrolid, e.courseid, k.id AS contextid
  FROM {enrol} e JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
 WHERE e.enrol = :method AND e.id :among_instances

-- section enrolments
-- The start is the time of the earliest assignment. A deleted account is not enrolled, and stays if it already is.
SELECT s.enrolid, a.userid, s.courseid, s.contextid, CASE WHEN u.deleted = 0 THEN 2 ELSE 0 END AS presence,
       0 AS status, MIN(a.timestart) AS timestart, 0 AS timeend
  FROM [scope] s
  JOIN [below] b ON b.courseid = s.courseid
  JOIN [assigned] a ON a.contextid = b.ancestor AND a.userid :among_users
  JOIN {user} u ON u.id = a.userid
 GROUP BY s.enrolid, a.userid, s.courseid, s.contextid, u.deleted
