-- What later rows replace. `s` is the staged row of a row `n` of this step, `x` its account, `t` a later row about it.

-- statement pairs
SELECT n.line, t.line AS later
  FROM [account_now] n
  JOIN {user} x ON x.id = n.userid
  JOIN [account_stage] s ON s.line = n.line AND s.oldusername = ''
  JOIN [account_key] k ON k.akey = :key AND k.line > n.line
  JOIN [account_stage] t ON t.line = k.line AND t.oldusername = '' AND t.deleted = 0
 WHERE n.verdict = 'update'
   -- A later row may still be refused: because of another name (where addresses find accounts),
   AND (t.username = '' OR (n.renames = 1 AND t.username = s.username) OR (n.renames = 0 AND :own_name))
   -- because of another address, if it changes that of the account and anybody else has it or may get it,
   AND (:keeps_mails OR :shares_addresses OR NOT (:from_file OR (:fills AND x.email = '')) OR t.mail = '' OR :own_mail
        OR (NOT EXISTS (SELECT 1 FROM [stage_mail] a WHERE a.mail = t.mail AND a.id <> x.id)
            AND t.mail NOT IN (SELECT o.mail FROM [account_stage] o WHERE o.mail <> ''
                                GROUP BY o.mail HAVING MIN(o.username) <> MAX(o.username))))
   -- or because of another idnumber.
   AND (NOT (:tool_sync) OR COALESCE(t.idnumber, '') = '' OR :own_number)
   -- Somebody else wants the address that this row frees, in a row behind it.
   AND NOT EXISTS (SELECT 1 FROM [account_turn] w WHERE w.line = n.line AND w.wanted = 1)
   -- Where rows rename or delete, it may be about another account.
   AND k.akey NOT IN (SELECT y.akey FROM [account_key] y JOIN [account_stage] d ON d.line = y.line
                       WHERE (d.deleted = 1 AND NOT (:keeps_deleted))
                          OR (d.deleted = 0 AND d.oldusername <> '' AND NOT (:keeps_names)))

-- statement later values
(SELECT p.line, :flags
   FROM (:pairs) p
   JOIN [account_stage] t ON t.line = p.later
  GROUP BY p.line) r

-- statement later defaults
(SELECT p.line, :flags
   FROM (:pairs) p
   JOIN [account_default] t ON t.line = p.later
  GROUP BY p.line) r

-- statement fields
DELETE FROM [account_field] WHERE (line, fieldid) IN
       (SELECT r.line, r.fieldid
          FROM (SELECT DISTINCT f.line, f.fieldid
                  FROM (:pairs) p
                  JOIN [account_field] f ON f.line = p.line
                  JOIN [account_field] t ON t.line = p.later AND t.fieldid = f.fieldid) r)

-- statement interests
DELETE FROM [account_interest] WHERE line IN
       (SELECT r.line
          FROM (SELECT DISTINCT f.line
                  FROM (:pairs) p
                  JOIN [account_interest] f ON f.line = p.line AND f.n = 0
                  JOIN [account_interest] t ON t.line = p.later AND t.n = 0) r)
