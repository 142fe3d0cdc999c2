-- Changes of accounts. `n` is a row of `account_now`, `s` the staged row, `d` its defaults, `x` its account.

-- statement renamed
SELECT n.line, x.id AS userid, 0 AS courseid, n.contextid, x.id AS targetid, :oldrow AS oldrow, :newrow AS newrow
  FROM [account_now] n
  JOIN [account_stage] s ON s.line = n.line
  JOIN {user} x ON x.id = n.userid
 WHERE n.verdict = 'update' AND n.renames = 1 AND (:differs)

-- statement changed
SELECT n.line, x.id AS userid, 0 AS courseid, n.contextid, x.id AS targetid, :oldrow AS oldrow, :newrow AS newrow,
       CASE WHEN :suspends THEN :suspended_rank ELSE :changed_rank END AS rank_of
  FROM [account_now] n
  JOIN [account_stage] s ON s.line = n.line
  LEFT JOIN [account_default] d ON d.line = n.line
  JOIN {user} x ON x.id = n.userid
 WHERE n.verdict = 'update' AND ((:differs) OR :fields OR s.newpassword IS NOT NULL)

-- statement unchanged
-- The rows without a change in the journal, or whose change was overtaken.
UPDATE [account_now] SET verdict = 'same'
 WHERE verdict = 'update' AND line NOT IN
       (SELECT c.line FROM {enrold_change} c
         WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.state = 0)
