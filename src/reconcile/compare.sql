-- Compares desired state and enrolments. `d` is a desired enrolment, `x` an existing one.

-- statement written
-- Joins desired state and enrolments once, from both sides; writes what differs into two tables, and counts it.
WITH t AS MATERIALIZED (
     SELECT :difference, s.enrolid AS of_enrolid, x.userid AS who, s.courseid AS place, s.contextid AS home
       FROM (:set) d
       FULL JOIN ([scope] s JOIN {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid :among_users)
            ON x.enrolid = d.enrolid AND x.userid = d.userid
      WHERE (d.userid IS NULL AND :ends) OR :wrong),
-- Extra enrolments end.
     extra AS (
     INSERT INTO [to_remove]
     SELECT t.targetid, 0, t.who, t.place, t.home, t.of_enrolid, 0, :component, :free, NULL
       FROM t WHERE t.userid IS NULL RETURNING 1),
-- Desired enrolments that are missing or differ.
     wrong AS (
     INSERT INTO [differing]
     SELECT :columns FROM t WHERE t.userid IS NOT NULL RETURNING targetid)
SELECT COUNT(*), COUNT(w.targetid), (SELECT COUNT(*) FROM extra) FROM wrong w
