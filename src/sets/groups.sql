-- Groups of a set that cannot be used: `t` is what the set names, `o` a group of the course that it may mean.

-- statement unusable groups
SELECT ROW_NUMBER() OVER (ORDER BY c.shortname, q.gkey) AS number,
       CASE WHEN q.found > 1 THEN 'group-ambiguous'
            WHEN q.made = 0 THEN 'group-unknown'
            ELSE 'value-charset' END AS code, q.gkey AS value,
       -- The column that cannot store it, or the course.
       CASE WHEN q.found = 0 AND q.made = 1 THEN :column ELSE c.shortname END AS hint
  -- Each distinct group that is named, and how many groups it means.
  FROM (SELECT t.courseid, t.gkey, :unstorable AS unstorable, COUNT(o.id) AS found,
               MIN(CASE WHEN h.gkey IS NULL THEN :made ELSE 0 END) AS made
          FROM (SELECT DISTINCT g.courseid, g.gkey FROM [set_group] g) t
          LEFT JOIN [known_group] o ON o.courseid = t.courseid AND :same
          LEFT JOIN [set_withheld_group] h ON h.courseid = t.courseid AND h.gkey = t.gkey
         GROUP BY t.courseid, t.gkey) q
  JOIN {course} c ON c.id = q.courseid
 -- Several, or none while none is made or its name cannot be stored.
 WHERE q.found > 1 OR (q.found = 0 AND (q.made = 0 OR q.unstorable = 1))

-- statement ungrouped people
INSERT INTO [set_ungrouped]
SELECT DISTINCT q.userid, q.courseid
  FROM (SELECT t.userid, t.courseid
          FROM [set_group] t
          LEFT JOIN [known_group] o ON o.courseid = t.courseid AND :same
          LEFT JOIN [set_withheld_group] h ON h.courseid = t.courseid AND h.gkey = t.gkey
         GROUP BY t.userid, t.courseid, t.gkey
        -- The same condition as above.
        HAVING COUNT(o.id) > 1
            OR (COUNT(o.id) = 0 AND (:made = 0 OR COUNT(h.gkey) > 0 OR :unstorable = 1))) q
