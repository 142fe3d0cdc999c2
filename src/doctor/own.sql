-- The runs in enrold's own tables that wait for an operator.

-- statement interrupted runs
-- Interrupted runs `x` whose work no later run `r` has done again.
SELECT COUNT(*)
  FROM {enrold_run} x
 WHERE x.state = 'interrupted'
   AND NOT EXISTS (SELECT 1 FROM {enrold_run} r
                    WHERE r.id > x.id AND r.state NOT IN ('running', 'interrupted')
                      -- The same drop, or the same bytes.
                      AND (r.token = x.token OR r.sha256 = x.sha256
                           -- A later set replaces one of its source.
                           OR (r.kind = x.kind AND x.kind LIKE 'sync %' AND x.sha256 IS NOT NULL)
                           -- The same jobs, for the same course or for all.
                           OR (r.kind = x.kind AND x.kind LIKE 'sync%' AND x.sha256 IS NULL
                               AND r.source IN (x.source, CASE WHEN x.kind = 'sync' THEN x.source ELSE '' END))))
   -- An approval that was interrupted leaves its run held, and it is counted there until it is decided.
   AND x.parent IS NULL
