-- What rows give free. `f` is a staged row, `x` its account before the file.

-- statement keys
INSERT INTO [stage_line]
SELECT f.line, CASE WHEN f.oldusername <> '' THEN f.oldusername ELSE f.username END, '', 0, '', '', 0, 0, 0, 0
  FROM [account_stage] f
 WHERE f.username <> '' AND (f.deleted = 1 OR f.email IS NOT NULL)

-- statement addresses
SELECT f.line, x.email, :account
  FROM [account_stage] f
  JOIN [stage_user] u ON u.ukey = :account AND u.found = 1
  JOIN {user} x ON x.id = u.userid
 WHERE x.email <> '' AND 'n:' || :account NOT IN (:crowded)
   AND ((:deletes AND f.deleted = 1)
        OR (:changes AND f.deleted = 0 AND f.email IS NOT NULL AND (f.email = '' OR :other_mail)))

-- statement names
SELECT f.line, x.username, :account
  FROM [account_stage] f
  JOIN (SELECT a.mail, MIN(a.id) AS id FROM [stage_mail] a GROUP BY a.mail HAVING COUNT(*) = 1) m ON m.mail = f.mail
  JOIN {user} x ON x.id = m.id
 WHERE f.mail <> '' AND 'm:' || :account NOT IN (:crowded)
   AND ((:deletes AND f.deleted = 1) OR (:changes AND f.deleted = 0 AND f.username <> '' AND :other_name))

-- statement crowded
-- The keys of accounts with more rows than are applied: what these free depends on rows that are refused.
SELECT k.akey FROM [account_key] k GROUP BY k.akey HAVING COUNT(*) > :most

-- statement wanting
SELECT f.line, :wanted, :account
  FROM [account_stage] f
 WHERE f.deleted = 0 AND :wanted <> ''
