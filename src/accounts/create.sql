-- New accounts. `n` is a row of `account_now`, `s` the staged row, `d` its defaults.

-- statement made
-- Nobody has logged in with a new account: `timestart` is its last access.
SELECT n.line, CASE WHEN n.verdict = 'create' THEN 0 ELSE 1 END AS state, n.userid, n.userid AS targetid,
       0 AS courseid, n.contextid, 0 AS timestart, :row AS oldrow
  FROM [account_now] n JOIN [account_stage] s ON s.line = n.line
 WHERE n.verdict IN ('create', 'overtaken')

-- statement inserted
INSERT INTO {user} (username, mnethostid, confirmed, suspended, password, timecreated, timemodified, :names)
SELECT s.username, :host, 1, COALESCE(s.suspended, 0), s.password, :now, :now, :values
  FROM [account_now] n
  JOIN [account_stage] s ON s.line = n.line
  LEFT JOIN [account_default] d ON d.line = n.line
 WHERE n.verdict = 'create'
   -- Another writer may have used the name since the rows were judged.
   AND NOT EXISTS (SELECT 1 FROM {user} u WHERE u.mnethostid = :host AND :alike)
 ORDER BY n.line

-- statement overtaken
SELECT n.line AS number, 'overtaken' AS code, s.username AS value, '' AS hint
  FROM [account_now] n JOIN [account_stage] s ON s.line = n.line
 WHERE n.verdict = 'create' AND n.userid IS NULL

-- statement contexts
SELECT 30, n.userid, 2 FROM [account_now] n WHERE n.verdict = 'create' ORDER BY n.line
