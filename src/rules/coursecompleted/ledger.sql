-- The ledger `enrold_completion`, `l`: which completions were seen at which instance `h` of `chain`, and what became of
-- them.

-- statement news
INSERT INTO [news]
SELECT h.enrolid, h.source, c.userid, c.timecompleted, CASE WHEN l.enrolid IS NULL THEN 0 ELSE 1 END,
       -- Completions that existed when the instance was first seen are old and do nothing.
       CASE WHEN h.unknown = 1 AND c.timecompleted < h.since
            THEN CASE WHEN x.id IS NULL THEN 'old' ELSE 'enrolled' END
            -- Completions first seen while the instance is disabled do nothing either.
            WHEN h.enabled = 0 THEN 'disabled'
            ELSE 'waiting' END
  FROM [chain] h
  JOIN {course_completions} c ON c.course = h.source AND c.timecompleted > 0
  JOIN {user} u ON u.id = c.userid AND u.deleted = 0
  LEFT JOIN {enrold_completion} l ON l.enrolid = h.enrolid AND l.courseid = h.source AND l.userid = c.userid
  LEFT JOIN {user_enrolments} x ON x.enrolid = h.enrolid AND x.userid = c.userid
 -- Not in the ledger, or there with another date.
 WHERE (l.enrolid IS NULL OR l.timecompleted <> c.timecompleted) AND c.userid :among_users

-- statement completions of the ledger
INSERT INTO {enrold_completion} (enrolid, courseid, userid, timecompleted, state, seen, changed, run)
SELECT n.enrolid, n.courseid, n.userid, n.timecompleted, n.state, :now, :now, :run
  FROM [news] n
 WHERE n.known = 0

-- statement watched instances
INSERT INTO {enrold_completion} (enrolid, courseid, userid, timecompleted, state, seen, changed, run)
SELECT t.enrolid, t.source, 0, 0, 'watched', :now, :now, :run
  -- Each new instance, and instance 0 for enrold's first pass.
  FROM (SELECT h.enrolid, h.source FROM [chain] h WHERE h.unknown = 1 UNION ALL SELECT 0, 0) t
 WHERE NOT EXISTS (SELECT 1 FROM {enrold_completion} l
                    WHERE l.enrolid = t.enrolid AND l.courseid = t.source AND l.userid = 0)

-- statement those left out
h.enabled = 1 AND l.enrolid = h.enrolid AND l.courseid = h.source AND l.userid <> 0
   AND l.state IN ('old', 'closed', 'disabled')
   AND :open
   -- Not users who are active in the target, nor users whom the instance has enrolled already.
   AND NOT EXISTS (SELECT 1 FROM {enrol} e
                     JOIN {user_enrolments} x ON x.enrolid = e.id
                    WHERE e.courseid = h.courseid AND x.userid = l.userid AND (x.status = 0 OR e.id = h.enrolid))

-- statement judged completions
INSERT INTO [completed]
SELECT h.enrolid, h.userid, h.courseid, h.contextid, h.source, h.roleid, h.start,
       CASE WHEN h.period > 0 THEN h.start + h.period ELSE 0 END,
       -- 2: an enrolment of the instance was written after the completion, by Moodle or a user, and stays.
       CASE WHEN h.state = 'waiting' AND x.timemodified >= h.timecompleted THEN 2
            -- 0: the window contains the moment, or the completion's own date if it is seen too late. 1: neither.
            WHEN (:open) OR (h.state = 'waiting' AND h.reached <= h.moment AND :was_open) THEN 0
            ELSE 1 END
  FROM (SELECT h.enrolid, l.userid, h.courseid, h.contextid, h.source, h.roleid, h.period, h.opens, h.closes, l.state,
               l.timecompleted,
               -- The start is the instance's own date, else completion plus delay, else now.
               CASE WHEN h.fixed > 0 THEN h.fixed
                    WHEN h.delay > 0 THEN l.timecompleted + h.delay
                    ELSE :now END AS start,
               -- When the completion takes effect.
               :moment AS moment,
               -- The completion's own date.
               CASE WHEN h.fixed > l.seen THEN h.fixed
                    WHEN h.fixed > 0 THEN l.timecompleted
                    ELSE l.timecompleted + h.delay END AS reached
          FROM [chain] h
          JOIN {enrold_completion} l ON l.enrolid = h.enrolid AND l.courseid = h.source
         WHERE h.enabled = 1 AND h.roleid > 0 AND l.userid <> 0 AND l.state IN ('waiting', 'asked')
           AND l.userid :among_users) h
  JOIN {user} u ON u.id = h.userid AND u.deleted = 0
  LEFT JOIN {user_enrolments} x ON x.enrolid = h.enrolid AND x.userid = h.userid
 WHERE h.moment <= :now
