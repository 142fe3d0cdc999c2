-- Conversations of groups.

-- statement conversations
-- The users who joined a group and are not yet in its conversation, if it has one.
SELECT 0 AS line, c.userid, c.courseid, c.contextid, c.groupid, v.id AS targetid
  FROM {enrold_change} c
  -- These columns identify the conversation of a group.
  JOIN {message_conversations} v ON v.component = 'core_group' AND v.itemtype = 'groups'
       AND v.itemid = c.groupid AND v.contextid = c.contextid
 WHERE :gone AND c.kind = :joined
   AND NOT EXISTS (SELECT 1 FROM {message_conversation_members} m WHERE m.conversationid = v.id AND m.userid = c.userid)
