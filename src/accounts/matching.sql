-- Which account a row means, and what becomes of it. `s` is a staged row, `n` a row of this step, `t` its account.

-- statement next rows
INSERT INTO [account_order]
-- The rows that share no name with an earlier row which is still pending.
SELECT p.line, :step
  FROM [account_pending] p
 WHERE p.line NOT IN (
       SELECT k.line
         FROM [account_key] k
         JOIN (SELECT f.akey, MIN(f.line) AS line
                 FROM [account_key] f JOIN [account_pending] q ON q.line = f.line
                GROUP BY f.akey) b ON b.akey = k.akey AND b.line < k.line)
   -- Nor has a name an earlier turn which is still pending.
   AND p.line NOT IN (
       SELECT k.line
         FROM [account_turn] k
         JOIN (SELECT f.name, MIN(f.turn) AS turn
                 FROM [account_turn] f JOIN [account_pending] q ON q.line = f.line
                GROUP BY f.name) b ON b.name = k.name AND b.turn < k.turn)

-- statement keys
INSERT INTO [stage_line]
SELECT n.line, s.username, '', 0, '', '', 0, 0, 0, 0
  FROM [account_step] n JOIN [account_stage] s ON s.line = n.line AND s.username <> ''
 UNION ALL
SELECT n.line, s.oldusername, '', 0, '', '', 0, 0, 0, 0
  FROM [account_step] n JOIN [account_stage] s ON s.line = n.line AND s.oldusername <> ''

-- statement judged
INSERT INTO [account_now]
SELECT r.line, r.userid, r.contextid,
       CASE -- Not allowed by the options.
            WHEN r.deleted = 1 AND :keeps_deleted THEN 'change-refused'
            WHEN r.deleted = 0 AND r.oldusername <> '' AND :keeps_names THEN 'change-refused'
            -- A new name.
            WHEN r.deleted = 0 AND r.oldusername <> '' AND r.clean = 0 THEN 'username-invalid'
            WHEN r.deleted = 0 AND r.oldusername <> '' AND r.named = 1 THEN 'username-taken'
            -- The account.
            WHEN r.found > 1 THEN 'user-ambiguous'
            WHEN r.found = 0 AND (r.deleted = 1 OR r.oldusername <> '' OR :updates_only) THEN 'user-unknown'
            WHEN r.found = 1 AND r.deleted = 0 AND (:adds OR :adds_all) THEN 'exists'
            WHEN r.found = 1 AND (r.userid IN (:protected) OR r.userid IN (:named)) THEN 'account-protected'
            WHEN r.found = 1 AND r.foreign_to <> '' THEN 'account-foreign'
            WHEN r.deleted = 1 THEN 'delete'
            WHEN r.found = 1 AND r.collides = 1 THEN 'key-collision'
            WHEN r.found = 1 AND r.renames = 1 AND r.clean = 0 THEN 'username-invalid'
            WHEN :by_mail AND r.username <> '' AND r.named = 1 AND (r.found = 0 OR r.renamed = 1) THEN 'username-taken'
            WHEN r.found = 1 AND r.newmail = 1 AND r.held = 1 AND NOT (:keeps_mails) THEN 'email-taken'
            WHEN r.found = 1 THEN 'update'
            -- A new account.
            WHEN r.username = '' OR r.lacks <> '' THEN 'account-incomplete'
            WHEN r.clean = 0 THEN 'username-invalid'
            WHEN r.named = 1 THEN 'username-taken'
            WHEN r.collides = 1 THEN 'key-collision'
            WHEN r.held = 1 THEN 'email-taken'
            ELSE 'create' END,
       CASE WHEN r.deleted = 1 AND :keeps_deleted THEN 'delete'
            WHEN r.deleted = 0 AND r.oldusername <> '' AND :keeps_names THEN 'rename'
            WHEN r.found > 1 THEN :found_text
            WHEN r.found = 1 AND r.userid IN (:protected) THEN ''
            WHEN r.found = 1 AND r.userid IN (:named) THEN 'accounts.protected'
            WHEN r.found = 1 AND r.foreign_to <> '' THEN r.foreign_to
            WHEN r.found = 0 AND r.username = '' THEN 'username'
            WHEN r.found = 0 AND r.lacks <> '' THEN r.lacks
            ELSE '' END,
       r.newmail, r.renames, r.mail
  FROM (SELECT s.line, s.username, s.oldusername, s.clean, s.deleted, s.mail, t.id AS userid, k.id AS contextid,
               :count AS found,
               -- Another account has the name, a deleted one that kept it included.
               CASE WHEN COALESCE(u.found, 0) > 0 OR EXISTS
                         (SELECT 1 FROM {user} h WHERE :same_name AND h.mnethostid = :host) THEN 1 ELSE 0 END AS named,
               CASE WHEN s.oldusername <> '' THEN 1
                    WHEN :by_mail AND NOT (:keeps_names) AND s.username <> '' AND :other_name THEN 1
                    ELSE 0 END AS renames,
               CASE WHEN :by_mail AND s.username <> '' AND :other_name THEN 1 ELSE 0 END AS renamed,
               -- The address of the row is another than that of the account; one that differs in case only is the same.
               CASE WHEN t.id IS NULL OR NOT (:from_file OR (:fills AND t.email = '')) THEN 0
                    -- Where row and account have none, the default is written.
                    WHEN s.email IS NULL AND NOT (:defaults AND t.email = '' AND d.email IS NOT NULL) THEN 0
                    WHEN s.email = '' THEN CASE WHEN t.email = '' THEN 0 ELSE 1 END
                    WHEN EXISTS (SELECT 1 FROM [stage_mail] a WHERE a.mail = s.mail AND a.id = t.id) THEN 0
                    ELSE 1 END AS newmail,
               CASE WHEN :shares_addresses OR s.mail = '' THEN 0
                    WHEN EXISTS (SELECT 1 FROM [stage_mail] a
                                  WHERE a.mail = s.mail AND (t.id IS NULL OR a.id <> t.id)) THEN 1
                    ELSE 0 END AS held,
               CASE WHEN t.id IS NULL THEN ''
                    WHEN t.mnethostid <> :host THEN 'host'
                    WHEN :spares_roles AND EXISTS
                         (SELECT 1 FROM {role_assignments} r JOIN {context} x ON x.id = r.contextid
                           WHERE r.userid = t.id AND x.contextlevel IN (10, 40)) THEN 'role'
                    ELSE '' END AS foreign_to,
               -- tool_sync: the idnumber identifies a person.
               CASE WHEN NOT (:tool_sync) OR COALESCE(s.idnumber, '') = '' THEN 0
                    WHEN t.id IS NOT NULL AND t.idnumber <> '' AND :other_number THEN 1
                    WHEN EXISTS (SELECT 1 FROM {user} h WHERE :same_number AND h.deleted = 0
                                    AND (t.id IS NULL OR h.id <> t.id)) THEN 1
                    ELSE 0 END AS collides,
               CASE WHEN COALESCE(NULLIF(s.firstname, ''), d.firstname, '') = '' THEN 'firstname'
                    WHEN COALESCE(NULLIF(s.lastname, ''), d.lastname, '') = '' THEN 'lastname'
                    WHEN s.mail = '' THEN 'email'
                    WHEN s.password IS NULL THEN 'password'
                    ELSE '' END AS lacks
          FROM [account_step] n
          JOIN [account_stage] s ON s.line = n.line
          LEFT JOIN [account_default] d ON d.line = n.line
          LEFT JOIN [stage_user] u ON u.ukey = s.username
          LEFT JOIN [stage_user] o ON o.ukey = s.oldusername
          LEFT JOIN (SELECT a.mail, MIN(a.id) AS id, COUNT(*) AS found FROM [stage_mail] a GROUP BY a.mail) m
                 ON m.mail = s.mail AND s.mail <> ''
          LEFT JOIN {user} t ON t.id = :target AND :count = 1
          LEFT JOIN {context} k ON k.contextlevel = 30 AND k.instanceid = t.id) r

-- statement claims
-- The rows of this step whose address an earlier one takes, with the first of these.
(SELECT w.line, :text AS first_line
   FROM (SELECT o.line, MIN(o.line) OVER (PARTITION BY o.mail) AS earliest
           FROM [account_now] o
          WHERE o.mail <> '' AND (o.verdict = 'create' OR (o.verdict = 'update' AND o.newmail = 1))) w
  WHERE w.line > w.earliest) p

-- statement like names
-- The rows of this step whose user name an earlier one gets in the same form, or in one that the column holds equal.
(SELECT w.line, :text AS first_line
   FROM (SELECT o.line, MIN(o.line) OVER (PARTITION BY :name) AS earliest
           FROM [account_now] o JOIN [account_stage] s ON s.line = o.line
          WHERE o.verdict = 'create' OR (o.verdict = 'update' AND o.renames = 1)) w
  WHERE w.line > w.earliest) p

-- statement refused
SELECT n.line AS number, n.verdict AS code,
       CASE WHEN n.verdict IN ('user-unknown') AND s.oldusername <> '' THEN s.oldusername
            WHEN n.verdict IN ('user-ambiguous', 'user-unknown') AND :by_mail THEN s.mail
            WHEN n.verdict = 'email-taken' THEN s.mail
            WHEN s.written = '' THEN s.username
            ELSE s.written END AS value,
       CASE WHEN n.verdict = 'user-unknown' AND :by_mail THEN 'email'
            WHEN n.verdict = 'user-unknown' THEN 'username'
            WHEN n.verdict = 'username-invalid' THEN s.standard
            WHEN n.verdict = 'key-collision' THEN COALESCE(s.idnumber, '')
            ELSE n.hint END AS hint
  FROM [account_now] n
  JOIN [account_stage] s ON s.line = n.line
 WHERE n.verdict NOT IN ('create', 'update', 'delete', 'exists')

-- statement kept back
-- Rows that are applied without a change that the options do not allow.
SELECT n.line AS number, 'change-refused' AS code, s.username AS value,
       -- The options, one after the other.
       CASE WHEN n.verdict = 'create' THEN 'give_password'
            ELSE SUBSTR(CASE WHEN :keeps_mails AND n.newmail = 1 THEN ', change_email' ELSE '' END
                     || CASE WHEN :keeps_state AND s.suspended <> t.suspended THEN ', suspend' ELSE '' END
                     || CASE WHEN :keeps_auths AND :from_file AND COALESCE(s.auth, '') <> '' AND :other_auth
                             THEN ', change_auth' ELSE '' END
                     || CASE WHEN :refuses_passwords AND s.newforces IS NOT NULL AND t.auth IN (:internal)
                             THEN ', password_update' ELSE '' END, 3) END AS hint
  FROM [account_now] n
  JOIN [account_stage] s ON s.line = n.line
  LEFT JOIN {user} t ON t.id = n.userid
 -- `newforces` has a value in each row with a password.
 WHERE (n.verdict = 'create' AND :keeps_passwords AND s.newforces IS NOT NULL)
    OR n.verdict = 'update'
   AND ((:keeps_mails AND n.newmail = 1)
        OR (:keeps_state AND s.suspended IS NOT NULL AND s.suspended <> t.suspended)
        OR (:keeps_auths AND :from_file AND COALESCE(s.auth, '') <> '' AND :other_auth)
        OR (:refuses_passwords AND s.newforces IS NOT NULL AND t.auth IN (:internal)))
