-- Enrolments that end, and what is removed with them. `d` is a row of `to_remove`, `x` an enrolment, `c` a change of
-- the journal; `:gone` picks the changes by which a pass removed enrolments.

-- statement suspended
SELECT d.line, d.userid, d.courseid, d.enrolid, d.contextid, d.roleid, d.component, x.id AS targetid,
       1 AS status, x.timestart, x.timeend,
       x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend, :oldrow AS oldrow
  FROM [to_remove] d
  -- A row with an end leaves its enrolment alone if that has another end by now.
  JOIN {user_enrolments} x ON x.id = d.ueid AND x.timeend = COALESCE(d.timeend, x.timeend)
 WHERE x.status = 0

-- statement owned
-- The memberships or roles `x` that removed enrolments own: what these users have is read once, and looked up in the
-- removed enrolments.
(SELECT DISTINCT c.userid FROM {enrold_change} c WHERE :gone) u
 :then :owned ON x.userid = u.userid
 :then (SELECT DISTINCT c.line, c.userid, c.enrolid, c.courseid, c.contextid, c.component
          FROM {enrold_change} c WHERE :gone) c
    ON c.userid = x.userid AND c.enrolid = x.itemid AND c.component = x.component

-- statement still of users
-- Whether the pair of `c` still has an enrolment: the enrolments of these users in these courses are read once, and
-- each pair is looked up among them.
(c.userid, c.courseid) IN (
    SELECT y.userid, e.courseid
      FROM (SELECT DISTINCT c.userid FROM {enrold_change} c WHERE :gone) u
     :then {user_enrolments} y ON y.userid = u.userid
     :then {enrol} e ON e.id = y.enrolid
     :then (SELECT DISTINCT c.courseid FROM {enrold_change} c WHERE :gone) q ON q.courseid = e.courseid)

-- statement conversation members
-- The conversation members who left the group, each once, with the first line that removes them.
SELECT m.id, MIN(c.line) AS line, c.courseid, c.contextid
  FROM {enrold_change} c
  -- These columns identify the conversation of a group.
  JOIN {message_conversations} v ON v.component = 'core_group' AND v.itemtype = 'groups'
       AND v.itemid = c.groupid AND v.contextid = c.contextid
  JOIN {message_conversation_members} m ON m.conversationid = v.id AND m.userid = c.userid
 WHERE :gone AND c.kind = :left_group
 GROUP BY m.id, c.courseid, c.contextid
