-- Mails with passwords. `t` is an account whose password is mailed, `u` the same in Moodle.

-- statement letters
-- One letter for each account.
SELECT t.userid AS enrolid, u.username, t.sealed,
       -- The front page is the course without a category; its name is the site's.
       (SELECT MIN(f.fullname) FROM {course} f WHERE f.category = 0) AS site
  FROM [password_mail] t JOIN {user} u ON u.id = t.userid

-- statement newcomers
-- The recipients, identified by run and user.
SELECT :run_text || '/' || :userid_text AS what,
       t.userid, 0 AS courseid, t.userid AS enrolid, 0 AS timeend, :name AS name, u.email AS address, u.lang,
       t.userid AS place
  FROM [password_mail] t JOIN {user} u ON u.id = t.userid

-- statement erased
-- The letters of mails that nobody sends again.
DELETE FROM {enrold_letter} WHERE kind = :kind AND EXISTS
    (SELECT 1 FROM {enrold_outbox} m WHERE m.run = enrold_letter.run AND m.enrolid = enrold_letter.enrolid
        AND m.kind = enrold_letter.kind AND m.state IN (:sent, :skipped))
