-- Forums that subscribe new users of their course. `f` is a forum or a subscription, `s` its course module.

-- statement forums
-- The forums with initial subscription in the courses where this run assigned a role, with the path of their context.
SELECT f.id, f.course, k.path
  FROM {forum} f
  JOIN {modules} m ON m.name = 'forum'
  JOIN {course_modules} s ON s.module = m.id AND s.instance = f.id AND s.course = f.course
  JOIN {context} k ON k.contextlevel = 70 AND k.instanceid = s.id
 WHERE f.forcesubscribe = :initial
   AND f.course IN
       (SELECT c.courseid FROM {enrold_change} c WHERE c.run = :run AND c.kind = :assigned AND c.state = 0)

-- statement planned
INSERT INTO {enrold_change} (run, seq, kind, line, userid, courseid, contextid, targetid)
SELECT :run, :last + ROW_NUMBER() OVER (ORDER BY t.line, t.userid, t.forum), :subscribed,
       t.line, t.userid, t.courseid, t.contextid, t.forum
  -- Each user and forum once, for the first line that gave the user such a role.
  FROM (SELECT MIN(c.line) AS line, c.userid, c.courseid, c.contextid, s.forum
          FROM {enrold_change} c
          JOIN [subscribe] s ON s.courseid = c.courseid AND s.roleid = c.roleid
         WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.kind = :assigned AND c.state = 0
           -- The user still has the role.
           AND EXISTS (SELECT 1 FROM {role_assignments} r :by_user
                        WHERE r.userid = c.userid AND r.contextid :whole = c.contextid AND r.roleid :whole = c.roleid)
           AND NOT EXISTS (SELECT 1 FROM {forum_subscriptions} f WHERE f.userid = c.userid AND f.forum = s.forum)
         GROUP BY c.userid, c.courseid, c.contextid, s.forum) t

-- statement logged
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel,
                                     contextid, contextlevel, contextinstanceid, userid, courseid, relateduserid,
                                     anonymous, other, timecreated, origin)
SELECT :event, 'mod_forum', 'created', 'subscription', 'forum_subscriptions', f.id, 'c', 2,
       k.id, 70, s.id, :actor, c.courseid, c.userid, 0, '{"forumid":"' || :forum || '"}', :now, 'cli'
  FROM {enrold_change} c
  JOIN {forum_subscriptions} f ON f.userid = c.userid AND f.forum = c.targetid
  -- The event belongs to the forum's own context.
  JOIN {modules} m ON m.name = 'forum'
  JOIN {course_modules} s ON s.module = m.id AND s.instance = c.targetid AND s.course = c.courseid
  JOIN {context} k ON k.contextlevel = 70 AND k.instanceid = s.id
 WHERE c.run = :run AND c.seq > :last
 ORDER BY c.seq
