-- Compares desired state and roles. `p` is a desired role, `r` an existing one, `o` one that the rule owns.

-- statement counted
-- How many desired roles are missing, how many exist, and how often the most frequent one exists.
SELECT COUNT(CASE WHEN t.there = 0 AND t.presence = 2 THEN 1 END), COUNT(CASE WHEN t.there > 0 THEN 1 END), MAX(t.there)
  -- Each desired role once, with how often it exists; the strongest presence counts.
  FROM (SELECT MAX(p.presence) AS presence, COUNT(r.id) AS there
          FROM (:set) p LEFT JOIN {role_assignments} r :by_key ON :same
         GROUP BY p.enrolid, p.userid, p.roleid) t

-- statement written
-- Joins desired state and the rule's own roles once, from both sides; keeps what does not exist exactly once, and what
-- is not desired.
WITH t AS MATERIALIZED (
     SELECT p.enrolid, p.userid, p.roleid, MAX(p.presence) AS presence, COUNT(o.id) AS there
       FROM (:set) p
       FULL JOIN (SELECT o.* FROM (:own) o WHERE o.userid :among_users) o
            ON o.enrolid = p.enrolid AND o.userid = p.userid AND o.roleid = p.roleid AND o.contextid = p.contextid
      GROUP BY p.enrolid, p.userid, p.roleid
     HAVING COUNT(o.id) <> 1 OR p.userid IS NULL),
-- Writes down the missing ones that are required.
     missing AS (
     INSERT INTO [missing_role]
     SELECT t.enrolid, t.userid, s.courseid, s.contextid, t.roleid
       FROM t JOIN [scope] s ON s.enrolid = t.enrolid
      WHERE t.there = 0 AND t.presence = 2 RETURNING 1)
-- How many they are, and how many are duplicate or not desired.
SELECT (SELECT COUNT(*) FROM missing), (SELECT COUNT(*) FROM t WHERE t.there > 0)

-- statement doubles
-- The duplicate roles of an instance, without the first of each.
SELECT t.id, 0 AS line, t.courseid, t.contextid
  FROM (SELECT r.id, s.courseid, r.contextid,
               ROW_NUMBER() OVER (PARTITION BY r.itemid, r.userid, r.contextid, r.roleid ORDER BY r.id) AS place
          FROM [scope] s
         :then {role_assignments} r :by_item ON r.component = :component AND r.itemid = s.enrolid
         WHERE r.userid :among_users) t
 WHERE t.place > 1
