-- What rows give free. `f` is a staged row, `x` its account before the file, `p` what the row frees, `t` a row that
-- wants it.

-- statement keys
INSERT INTO [stage_line]
SELECT f.line, CASE WHEN f.oldusername <> '' THEN f.oldusername ELSE f.username END, '', 0, '', '', 0, 0, 0, 0
  FROM [account_stage] f
 WHERE f.username <> '' AND (f.deleted = 1 OR f.email IS NOT NULL)

-- statement addresses
SELECT f.line, x.email
  FROM [account_stage] f
  JOIN [stage_user] u ON u.ukey = CASE WHEN f.oldusername <> '' THEN f.oldusername ELSE f.username END AND u.found = 1
  JOIN {user} x ON x.id = u.userid
 WHERE x.email <> ''
   AND ((:deletes AND f.deleted = 1) OR (:changes AND f.deleted = 0 AND (f.email = '' OR :other_mail)))

-- statement names
SELECT f.line, x.username
  FROM [account_stage] f
  JOIN (SELECT a.mail, MIN(a.id) AS id FROM [stage_mail] a GROUP BY a.mail HAVING COUNT(*) = 1) m ON m.mail = f.mail
  JOIN {user} x ON x.id = m.id
 WHERE f.mail <> ''
   AND ((:deletes AND f.deleted = 1) OR (:changes AND f.deleted = 0 AND f.username <> '' AND :other_name))

-- statement pairs
-- A key of its own for each pair of rows: those that want one name do not wait for each other.
INSERT INTO [account_key]
SELECT CASE WHEN t.line > p.line THEN 'f:' ELSE 'e:' END || :freeing || ':' || :wanting,
       CASE WHEN e.freeing = 1 THEN p.line ELSE t.line END
  FROM [account_freed] p
  JOIN [account_stage] f ON f.line = p.line
  JOIN [account_stage] t ON :wanted = p.name AND t.deleted = 0 AND :another
 CROSS JOIN (SELECT 1 AS freeing UNION ALL SELECT 0 AS freeing) e
