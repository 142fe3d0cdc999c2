-- Groups and groupings of files: `t` is what is to be, `x` and `g` the rows of Moodle.

-- statement made rows
-- Of equal names of this moment the last that was to be made is the newest.
(SELECT t.n, MAX(g.id) AS id
   FROM :made t
   JOIN :table g ON g.courseid = t.courseid AND :same AND g.timecreated = :now
  GROUP BY t.n) m

-- statement bound groups
SELECT t.line, t.courseid, t.contextid, t.groupid, t.groupingid AS itemid
  FROM [file_bind] t
  LEFT JOIN {groupings_groups} x ON x.groupingid = t.groupingid AND x.groupid = t.groupid
 WHERE x.id IS NULL

-- statement missing conversations
SELECT t.line, t.courseid, t.contextid, t.groupid, :row AS oldrow
  FROM [file_talk] t
  -- These columns identify the conversation of a group.
  LEFT JOIN {message_conversations} v ON v.component = 'core_group' AND v.itemtype = 'groups'
       AND v.itemid = t.groupid AND v.contextid = t.contextid
 WHERE v.id IS NULL AND t.enabled = 1

-- statement changed conversations
SELECT t.line, x.id AS targetid, t.groupid, t.courseid, t.contextid, :oldrow AS oldrow, :newrow AS newrow
  FROM [file_talk] t
  JOIN {message_conversations} x ON x.component = 'core_group' AND x.itemtype = 'groups'
       AND x.itemid = t.groupid AND x.contextid = t.contextid
 WHERE :differs

-- statement members without conversation
SELECT t.line, m.userid, t.courseid, t.contextid, t.groupid, v.id AS targetid
  FROM [file_talk] t
  JOIN {message_conversations} v ON v.component = 'core_group' AND v.itemtype = 'groups'
       AND v.itemid = t.groupid AND v.contextid = t.contextid AND v.timecreated = :now
  JOIN {groups_members} m ON m.groupid = t.groupid
  LEFT JOIN {message_conversation_members} o ON o.conversationid = v.id AND o.userid = m.userid
 WHERE o.id IS NULL

-- statement missing fields
SELECT t.line, t.courseid, t.contextid, t.fieldid AS itemid, t.instanceid AS targetid, :row AS oldrow
  FROM [file_field] t
  LEFT JOIN {customfield_data} x ON x.fieldid = t.fieldid AND x.instanceid = t.instanceid
 WHERE x.id IS NULL AND t.value <> ''

-- statement changed fields
SELECT t.line, x.id AS targetid, t.fieldid AS itemid, t.courseid, t.contextid, :oldrow AS oldrow, :newrow AS newrow
  FROM [file_field] t
  JOIN {customfield_data} x ON x.fieldid = t.fieldid AND x.instanceid = t.instanceid
 WHERE :differs
