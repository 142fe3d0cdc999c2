-- Preferences of accounts. `n` is a row of `account_now`, `s` the staged row, `d` its defaults, `u` its account.

-- statement needed
-- The preferences that rows set: of a new account, and of one whose row gives a password.
(SELECT n.line, n.userid, n.contextid, 'create_password' AS name
   FROM [account_now] n JOIN [account_stage] s ON s.line = n.line
  WHERE n.verdict = 'create' AND s.creates = 1
  UNION ALL
 SELECT n.line, n.userid, n.contextid, 'auth_forcepasswordchange' AS name
   FROM [account_now] n JOIN [account_stage] s ON s.line = n.line
   JOIN {user} u ON u.id = n.userid
  WHERE (n.verdict = 'create' AND s.forces = 1)
     OR (n.verdict IN ('update', 'same') AND :gives AND s.newforces = 1 AND u.auth IN (:internal))) w

-- statement wanted
SELECT w.line, w.userid, 0 AS courseid, w.contextid, w.name AS component, :row AS oldrow
  FROM :needed
 WHERE NOT EXISTS (SELECT 1 FROM {user_preferences} p WHERE p.userid = w.userid AND {=p.name} = w.name)

-- statement other
SELECT w.line, w.userid, 0 AS courseid, w.contextid, w.name AS component, x.id AS targetid, :oldrow AS oldrow,
       :newrow AS newrow
  FROM :needed
  JOIN {user_preferences} x ON x.userid = w.userid AND {=x.name} = w.name
 WHERE :differs

-- statement unwanted
-- Of accounts whose password another system checks from now on, and of those whose row gives a password.
SELECT p.id, n.line, 0 AS courseid, n.contextid
  FROM [account_now] n
  JOIN [account_stage] s ON s.line = n.line
  LEFT JOIN [account_default] d ON d.line = n.line
  JOIN {user} u ON u.id = n.userid
  JOIN {user_preferences} p ON p.userid = u.id AND {~p.name} IN ('create_password', 'auth_forcepasswordchange')
 WHERE n.verdict IN ('update', 'same')
   AND CASE WHEN u.auth NOT IN (:internal) THEN CASE WHEN COALESCE(:given, '') <> '' THEN 1 ELSE 0 END
            WHEN :gives AND s.newforces = 1 THEN CASE WHEN {~p.name} = 'create_password' THEN 1 ELSE 0 END
            WHEN :gives AND s.newforces = 0 THEN 1
            ELSE 0 END = 1
