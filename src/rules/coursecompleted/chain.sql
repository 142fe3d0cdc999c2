-- The instances of the method, with all their settings.

-- statement instances
INSERT INTO [chain]
SELECT e.id, e.courseid, k.id, e.customint1, CASE WHEN e.status = 0 THEN 1 ELSE 0 END,
       -- 1 if the instance has not been seen with this source.
       CASE WHEN w.enrolid IS NULL THEN 1 ELSE 0 END,
       -- `since`: completions count from the creation of an instance never seen before and made after the first pass.
       CASE WHEN e.timecreated > :begun
             AND NOT EXISTS (SELECT 1 FROM {enrold_completion} o WHERE o.enrolid = e.id AND o.userid = 0)
            THEN e.timecreated ELSE :never END,
       -- Role and delay; then the instance's own date and duration, its window, whether it copies groups, and whether
       -- users leave the source.
       COALESCE(r.id, 0), COALESCE(d.seconds, :delay), COALESCE(e.customint4, 0), COALESCE(e.enrolperiod, 0),
       COALESCE(e.enrolstartdate, 0), COALESCE(e.enrolenddate, 0),
       CASE WHEN e.customint3 > 0 THEN 1 ELSE 0 END, CASE WHEN e.customint5 > 0 THEN 1 ELSE 0 END
  FROM {enrol} e
  -- The target, which must not be the front page, and the source.
  JOIN {course} b ON b.id = e.courseid AND b.category <> 0
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = b.id
  JOIN {course} a ON a.id = e.customint1
  JOIN {context} q ON q.contextlevel = 50 AND q.instanceid = a.id
  -- A role that does not exist counts as none.
  LEFT JOIN {role} r ON r.id = COALESCE(e.roleid, :defaultrole)
  LEFT JOIN {enrold_completion} w ON w.enrolid = e.id AND w.courseid = e.customint1 AND w.userid = 0
       AND w.state = 'watched'
  LEFT JOIN [pair_delay] d ON :same_source AND :same_target
 WHERE e.enrol = :method AND e.id :among_instances

-- statement broken instances
SELECT e.id AS number, CASE WHEN h.enrolid IS NULL THEN :no_source ELSE :no_role END AS code, b.shortname AS value,
       CASE WHEN h.enrolid IS NULL THEN :source ELSE :role END AS hint
  FROM {enrol} e
  JOIN {course} b ON b.id = e.courseid
  LEFT JOIN [chain] h ON h.enrolid = e.id
 WHERE e.enrol = :method AND e.status = 0 AND e.id :among_instances AND (h.enrolid IS NULL OR h.roleid = 0)
