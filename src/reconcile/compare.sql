-- Desired state and enrolments compared. `d` is a desired enrolment, `x` one that is there.

-- statement written
-- Desired state and enrolments are joined once, from both sides; what differs is kept in two tables, and counted.
WITH t AS MATERIALIZED (
     SELECT :difference, s.enrolid AS of_enrolid, x.userid AS who, s.courseid AS place, s.contextid AS home
       FROM (:set) d
       FULL JOIN ([scope] s JOIN {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid :among_users)
            ON x.enrolid = d.enrolid AND x.userid = d.userid
      WHERE (d.userid IS NULL AND :ends) OR :wrong),
-- What nobody desires ends.
     extra AS (
     INSERT INTO [to_remove]
     SELECT t.targetid, 0, t.who, t.place, t.home, t.of_enrolid, 0, :component, :free, NULL
       FROM t WHERE t.userid IS NULL RETURNING 1),
-- What is desired is missing, or differs from what is there.
     wrong AS (
     INSERT INTO [differing]
     SELECT :columns FROM t WHERE t.userid IS NOT NULL RETURNING targetid)
SELECT COUNT(*), COUNT(w.targetid), (SELECT COUNT(*) FROM extra) FROM wrong w
