-- Rows of a cohort file that wait: `l` are its rows that name a user, `k` the cohorts that their keys name, `u` the
-- accounts, `w` rows of `enrold_waiting`, `e` the cohorts all of whose members the file speaks of.

-- statement rows that wait
-- Of the rows of a user in a cohort the last counts. What stands before `free` is void.
INSERT INTO [waits]
SELECT t.line, 'user', t.ukey, t.written, t.ckey, 0, 0, 0, CASE WHEN t.line = t.last THEN 1 ELSE 0 END, :expires, 0, 0, '', -1,
       0
  FROM (SELECT l.line, l.op, l.ukey, l.written, l.ckey,
               MAX(l.line) OVER (PARTITION BY l.ukey, l.ckey) AS last,
               MAX(CASE WHEN l.op = 2 THEN l.line ELSE 0 END) OVER (PARTITION BY l.ukey, l.ckey) AS lastdel
          FROM [stage_line] l
          JOIN [stage_user] u ON u.ukey = l.ukey
          JOIN [file_cohort] k ON k.ckey = l.ckey
         WHERE u.found = 0 AND k.code = '' AND k.deleted = 0 AND l.line >= k.since AND l.line > k.freed
           -- What is wrong with the cohort is said already.
           AND NOT EXISTS (SELECT 1 FROM {enrold_error} o
                            WHERE o.run = :run AND o.place = 'line' AND o.number = l.line
                              AND o.code IN ('cohort-exists', 'empty-identifier'))) t
 WHERE t.op IN (1, 4) AND t.line > t.lastdel

-- statement rows of emptied cohorts
INSERT INTO [waiting_ended]
SELECT w.id, MAX(e.line)
  FROM [spoken_cohort] e
  JOIN {enrold_waiting} w ON w.state = 'waiting' AND w.kind = :kindword AND w.placekey = e.placekey AND w.pkey = e.pkey
 WHERE e.line > 0
 GROUP BY w.id

-- statement rows left out
-- A row that names the user with a cohort that does not resolve may mean any cohort.
SELECT DISTINCT w.id, e.ckey, w.ukey
  FROM [spoken_cohort] e
  JOIN {enrold_waiting} w ON w.state = 'waiting' AND w.kind = :kindword AND w.placekey = e.placekey AND w.pkey = e.pkey
  LEFT JOIN (SELECT DISTINCT v.id
               FROM [stage_line] l
               JOIN [file_cohort] k ON k.ckey = l.ckey
               JOIN {enrold_waiting} v ON v.state = 'waiting' AND v.userkey = :userkey AND v.ukey = l.ukey
                    AND v.kind = :kindword
               JOIN [spoken_cohort] g ON g.placekey = v.placekey AND g.pkey = v.pkey
              WHERE l.op <> 2 AND (g.ckey = l.ckey OR k.code <> '')) n ON n.id = w.id
 WHERE e.synced = 1 AND n.id IS NULL
