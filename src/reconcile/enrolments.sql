-- Enrolments that a rule adds and changes.

-- statement planned
-- Each desired enrolment that is missing or differs, as a change of its kind: added, suspended or changed otherwise.
SELECT CASE WHEN t.targetid IS NULL THEN :rank_add
            WHEN t.oldstatus = 0 AND t.status = 1 THEN :rank_suspend
            ELSE :rank_update END AS rank_of,
       0 AS line, t.userid, t.courseid, t.enrolid, t.contextid, t.targetid, t.status, t.timestart, t.timeend,
       t.oldstatus, t.oldtimestart, t.oldtimeend, t.oldrow
  FROM :differing t
