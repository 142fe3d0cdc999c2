-- Sending of mails. `m` is a mail of the outbox, `u` its user.

-- statement reason
-- Why a user gets no mails, by Moodle's rules; the last reason is the site's own setting.
CASE WHEN u.deleted <> 0 THEN 'deleted'
     WHEN u.suspended <> 0 THEN 'suspended'
     WHEN u.auth = 'nologin' THEN 'nologin'
     WHEN u.emailstop <> 0 THEN 'emailstop'
     WHEN m.address = '' OR m.address LIKE '%.invalid' THEN 'no-address'
     ELSE 'noemailever' END

-- statement next
-- The mails that are due, with the letter that all mails of one instance share.
SELECT m.id, m.dedupe, m.queued, m.kind, m.userid, m.courseid, m.timeend, m.name, m.address, m.lang, m.run, m.enrolid,
       l.data, COALESCE(u.timezone, '99')
  FROM {enrold_outbox} m
  LEFT JOIN {user} u ON u.id = m.userid
  LEFT JOIN {enrold_letter} l ON l.run = m.run AND l.enrolid = m.enrolid AND l.kind = m.kind
 WHERE m.state = :queued AND m.due <= :now
 ORDER BY m.due, m.id LIMIT :rows
