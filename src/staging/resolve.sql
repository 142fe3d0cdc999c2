-- Resolves the keys of staged lines `l` to the account `u` and the course `k`, each key once.

-- statement named accounts
INSERT INTO [stage_user]
SELECT k.ukey, MIN(u.id), COUNT(u.id)
  FROM (SELECT DISTINCT ukey FROM [stage_line] WHERE ukey <> '') k
  LEFT JOIN :accounts u ON :same
 GROUP BY k.ukey

-- statement accounts to fold
-- A page of accounts whose stored key may have capitals, by id: no database folds all letters as Moodle does.
SELECT DISTINCT u.id, :stored
  FROM :candidates
 WHERE u.deleted = 0 AND u.id > :after :among
 ORDER BY u.id
 LIMIT :page

-- statement accounts in any case
-- The accounts of each folded key.
(SELECT f.ukey, MIN(f.id) AS id, COUNT(*) AS found FROM [stage_folded] f GROUP BY f.ukey) m

-- statement named courses
INSERT INTO [stage_course]
SELECT k.ckey, MIN(u.id), MIN(x.id), MIN(u.category), COUNT(u.id)
  FROM (:keys) k
  LEFT JOIN {course} u ON :same
  LEFT JOIN {context} x ON x.contextlevel = 50 AND x.instanceid = u.id
 GROUP BY k.ckey

-- statement unresolved lines
-- Only the first error of a line is reported: the account, then the course, then that the course takes no enrolments.
SELECT l.line AS number,
       CASE WHEN u.found = 0 THEN 'user-unknown'
            WHEN u.found > 1 THEN 'user-ambiguous'
            WHEN u.userid IN (:protected) THEN 'account-protected'
            WHEN k.found = 0 THEN 'course-unknown'
            WHEN k.found > 1 THEN 'course-ambiguous'
            ELSE 'no-method' END AS code,
       -- The key that is wrong, or the method that the course does not have.
       CASE WHEN u.found <> 1 OR u.userid IN (:protected) THEN :written
            WHEN k.found <> 1 THEN l.ckey
            ELSE :method END AS value,
       -- What kind of key it is, how many it names, or the course without the method.
       CASE WHEN u.found = 0 THEN :userkey
            WHEN u.found > 1 THEN :usercount
            WHEN u.userid IN (:protected) THEN :userkey
            WHEN k.found = 0 THEN :coursekey
            WHEN k.found > 1 THEN :coursecount
            ELSE l.ckey END AS hint
  FROM [stage_line] l
  JOIN [stage_user] u ON u.ukey = l.ukey
  JOIN [stage_course] k ON k.ckey = l.ckey
 WHERE :refused
   -- If every key resolves, no line is read.
   AND (EXISTS (SELECT 1 FROM [stage_user] u WHERE NOT (:known_user))
        OR EXISTS (SELECT 1 FROM [stage_course] k WHERE NOT (:known_course)))
