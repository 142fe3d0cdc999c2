-- The users whom the changes of a run concern, as rows (of_cohort, place, userid, what); `of_cohort` is 2 for the
-- accounts themselves.

-- statement what
-- What a change is for the user: a position in `UserChange::ALL`.
CASE WHEN :kind IN (:unenrols) OR :kind = :removes THEN 0
     WHEN :kind IN (:suspends) OR :kind = :suspends_account THEN 1
     WHEN :kind IN (:takes_role) THEN 2
     WHEN :kind IN (:enrols) OR :kind = :makes THEN 3
     WHEN :kind IN (:changes) AND :again THEN 4
     WHEN :kind IN (:gives_role) THEN 5
     WHEN :kind IN (:changes) THEN 6
     WHEN :kind = :renames THEN 8
     WHEN :kind = :updates AND :address IS NOT NULL THEN 9
     WHEN :kind = :updates THEN 10
     ELSE 7 END

-- statement planned
-- From the journal; of several changes of a user in a place, the one with the lowest number.
SELECT p.of_cohort, p.place, p.userid, MIN(p.what) AS what
  FROM (SELECT CASE WHEN c.kind IN (:of_cohorts) THEN 1 WHEN c.kind IN (:of_accounts) THEN 2 ELSE 0 END AS of_cohort,
               CASE WHEN c.kind IN (:of_cohorts) THEN c.itemid ELSE c.courseid END AS place, c.userid, :what AS what
          FROM {enrold_change} c
         WHERE c.run = :run AND c.state = 0 AND c.kind IN (:told)) p
 GROUP BY p.of_cohort, p.place, p.userid

-- statement foreseen
-- Of a set that was refused before anything was planned.
SELECT CASE WHEN c.kind IN (:of_cohorts) THEN 1 ELSE 0 END AS of_cohort, c.place, c.userid, :what AS what
  FROM [set_foreseen] c
 WHERE c.kind IN (:told)

-- statement people
-- With names. Places that lose most users come first.
SELECT q.of_cohort, q.place, q.what, q.userid, COALESCE(o.name, {=u.username}), k.shortname, h.idnumber,
       COALESCE({=h.name}, z.name),
       COUNT(CASE WHEN q.what <= 2 THEN 1 END) OVER (PARTITION BY q.of_cohort, q.place) AS lost
  FROM (:rows) q
  JOIN {user} u ON u.id = q.userid
  LEFT JOIN {course} k ON q.of_cohort = 0 AND k.id = q.place
  LEFT JOIN {cohort} h ON q.of_cohort = 1 AND h.id = q.place
  -- Cohorts that the run has removed.
  LEFT JOIN (SELECT c.itemid, MIN(:gone_name) AS name
               FROM {enrold_change} c WHERE c.run = :run AND c.kind IN (:removes_cohort)
              GROUP BY c.itemid) z ON q.of_cohort = 1 AND z.itemid = q.place
  -- The names that accounts had.
  LEFT JOIN (SELECT c.userid, MIN(:old_name) AS name
               FROM {enrold_change} c WHERE c.run = :run AND c.kind IN (:removes, :renames)
              GROUP BY c.userid) o ON q.of_cohort = 2 AND o.userid = q.userid
 ORDER BY lost DESC, q.of_cohort, k.shortname, h.idnumber, h.name, q.place, q.what, u.username
