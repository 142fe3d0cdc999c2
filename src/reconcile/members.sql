-- Memberships in groups, and in their conversations.

-- statement owned
-- The memberships that the rule's instances own, of users who are still enrolled there (spec cohort 1.6). No index
-- leads from an instance to its memberships: the groups of each course are read once, however many instances it has.
SELECT m.id, s.enrolid, m.userid, m.groupid, s.courseid, s.contextid
  FROM (SELECT DISTINCT courseid FROM [scope]) k
 :then {groups} g ON g.courseid = k.courseid
 :then {groups_members} m ON m.groupid = g.id AND m.component = :component
 :then [scope] s ON s.enrolid = m.itemid AND s.courseid = g.courseid
 :then {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid = m.userid

-- statement conversations
-- The users who joined a group and are not yet in its conversation, if it has one.
SELECT 0 AS line, c.userid, c.courseid, c.contextid, c.groupid, v.id AS targetid
  FROM {enrold_change} c
  -- These columns identify the conversation of a group.
  JOIN {message_conversations} v ON v.component = 'core_group' AND v.itemtype = 'groups'
       AND v.itemid = c.groupid AND v.contextid = c.contextid
 WHERE :gone AND c.kind = :joined
   AND NOT EXISTS (SELECT 1 FROM {message_conversation_members} m WHERE m.conversationid = v.id AND m.userid = c.userid)
