-- The users whom the changes of a run concern, as rows (of_cohort, place, userid, what).

-- statement what
-- What a change is for the user: a position in `UserChange::ALL`.
CASE WHEN :kind IN (:unenrols) THEN 0
     WHEN :kind IN (:suspends) THEN 1
     WHEN :kind IN (:takes_role) THEN 2
     WHEN :kind IN (:enrols) THEN 3
     WHEN :kind IN (:changes) AND :again THEN 4
     WHEN :kind IN (:gives_role) THEN 5
     WHEN :kind IN (:changes) THEN 6
     ELSE 7 END

-- statement planned
-- From the journal; of several changes of a user in a place, the one with the lowest number.
SELECT p.of_cohort, p.place, p.userid, MIN(p.what) AS what
  FROM (SELECT CASE WHEN c.kind IN (:of_cohorts) THEN 1 ELSE 0 END AS of_cohort,
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
SELECT q.of_cohort, q.place, q.what, q.userid, u.username, k.shortname, h.idnumber, h.name,
       COUNT(CASE WHEN q.what <= 2 THEN 1 END) OVER (PARTITION BY q.of_cohort, q.place) AS lost
  FROM (:rows) q
  JOIN {user} u ON u.id = q.userid
  LEFT JOIN {course} k ON q.of_cohort = 0 AND k.id = q.place
  LEFT JOIN {cohort} h ON q.of_cohort = 1 AND h.id = q.place
 ORDER BY lost DESC, q.of_cohort, k.shortname, h.idnumber, h.name, q.place, q.what, u.username
