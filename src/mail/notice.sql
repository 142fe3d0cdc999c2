-- Notices that enrolments expire. `e` is an instance, `x` an enrolment, `u` its user, `t` a row of `expiring`.

-- statement expiring
INSERT INTO [expiring]
-- In the order of Moodle's digest: by instance, then by name. `early`: the participant is notified as well, and it is
-- the first day on which this can happen.
SELECT ROW_NUMBER() OVER (ORDER BY e.id, u.lastname, u.firstname, u.id), e.id, e.courseid, u.id, x.timeend,
       CASE WHEN e.notifyall = 1 AND x.timeend - e.expirythreshold + 86400 >= :now THEN 1 ELSE 0 END
  FROM {enrol} e
  JOIN {user_enrolments} x ON x.enrolid = e.id
  JOIN {user} u ON u.id = x.userid
 -- Only instances that are enabled and notify.
 WHERE e.enrol = :method AND :among AND e.status = 0 AND e.expirynotify > 0
   -- Only active enrolments whose end is in the future, but within the instance's threshold.
   AND x.status = 0 AND x.timeend > :now AND x.timeend < :now + e.expirythreshold
   AND u.deleted = 0 AND u.suspended = 0

-- statement letters
-- The facts that the mails of one instance share.
SELECT l.enrolid, k.fullname AS course, k.shortname, e.expirythreshold AS threshold, :sender AS sender,
       :name AS contact, p.email AS contactaddress, p.maildisplay,
       -- The front page is the course without a category; its name is the site's.
       (SELECT MIN(f.fullname) FROM {course} f WHERE f.category = 0) AS site
  FROM [letter] l
  JOIN {enrol} e ON e.id = l.enrolid
  JOIN {course} k ON k.id = l.courseid
  -- Without an enroller in the course the main administrator is its contact (spec enrol-core 15).
  LEFT JOIN [person] c ON c.courseid = l.courseid
  LEFT JOIN {user} p ON p.id = COALESCE(c.userid, :actor)

-- statement users
-- The participants, each notified once of each end of an enrolment.
SELECT :enrolid_text || '/' || :userid_text || '/' || :timeend_text AS what,
       t.userid, t.courseid, t.enrolid, t.timeend, :name AS name, u.email AS address, u.lang, t.place
  FROM [expiring] t JOIN {user} u ON u.id = t.userid
 WHERE t.early = 1
