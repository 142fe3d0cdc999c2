-- Cohorts that are made, and members who leave.

-- statement cohorts
INSERT INTO {cohort} (contextid, name, idnumber, description, descriptionformat, visible, component, theme, timecreated,
                      timemodified)
SELECT t.contextid, t.name, t.idnumber, t.description, t.descriptionformat, t.visible, t.component, t.theme, :now, :now
  FROM [new_cohort] t
 ORDER BY t.n

-- statement made cohorts
-- Names need not be unique: of equal ones of this moment, the last that was to be made is the newest.
(SELECT w.n, c.id
   FROM (SELECT t.n, t.contextid, t.name, COALESCE(t.idnumber, '') AS idnumber,
                ROW_NUMBER() OVER (PARTITION BY t.contextid, t.name, t.idnumber ORDER BY t.n DESC) AS nth
           FROM [new_cohort] t) w
   JOIN (SELECT x.id, x.contextid, {=x.name} AS name, COALESCE({=x.idnumber}, '') AS idnumber,
                ROW_NUMBER() OVER (PARTITION BY x.contextid, {=x.name}, {=x.idnumber} ORDER BY x.id DESC) AS nth
           FROM {cohort} x
          WHERE x.timecreated = :now) c
     ON c.contextid = w.contextid AND c.name = w.name AND c.idnumber = w.idnumber AND c.nth = w.nth) m

-- statement members and leaving
SELECT g.id, g.name, COUNT(*), COUNT(l.id)
  FROM {cohort_members} m
  JOIN :cohorts c ON c.cohortid = m.cohortid
  JOIN {cohort} g ON g.id = m.cohortid
  LEFT JOIN (:leaving) l ON l.id = m.id
 GROUP BY g.id, g.name
