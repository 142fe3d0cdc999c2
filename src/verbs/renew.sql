-- Enrolments that get a later end. `v` is a chosen enrolment, `x` its row, `n` a new end.

-- statement ends
SELECT DISTINCT v.timeend, 1
  FROM [verb_enrolment] v
 WHERE v.status = 0 AND v.timeend > 0

-- statement planned
SELECT v.line, v.userid, v.courseid, v.enrolid, v.contextid, x.id AS targetid, x.status, x.timestart,
       :newend AS timeend, x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
       :oldrow AS oldrow
  FROM [verb_enrolment] v
  JOIN {user_enrolments} x ON x.id = v.ueid
  :ends
 WHERE x.status = 0 AND x.timeend > 0 AND x.timeend < :newend

-- statement left
-- Who is left as he is: suspended, without an end, with an end that is not earlier, or that no later one can follow.
SELECT COUNT(CASE WHEN v.status <> 0 THEN 1 END), COUNT(CASE WHEN v.status = 0 AND v.timeend = 0 THEN 1 END),
       COUNT(CASE WHEN v.status = 0 AND v.timeend >= COALESCE(:newend, 0) AND v.timeend > 0 THEN 1 END)
  FROM [verb_enrolment] v
  :ends
