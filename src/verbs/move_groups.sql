-- Groups that pass to another course. `g` is a group, `q` one that passes, `n` a membership, `v` a chosen enrolment.

-- statement groups
-- Each group with the group of the target that has its name, if there is one.
INSERT INTO [verb_group]
SELECT g.id, g.name, MIN(o.id)
  FROM [verb_place] k
 :then {groups} g ON g.courseid = k.courseid
  LEFT JOIN {groups} o ON o.courseid = :target AND :same_name
 WHERE :which_groups
 GROUP BY g.id, g.name

-- statement new groups
INSERT INTO [new_group]
SELECT ROW_NUMBER() OVER (ORDER BY MIN(q.groupid)), 0, 0, :target, :target_context, MIN(q.name), '',
       MIN(CASE WHEN g.description IS NULL OR LENGTH(g.description) > 255 THEN '' ELSE g.description END), 1
  FROM [verb_group] q
  JOIN {groups} g ON g.id = q.groupid
 WHERE q.targetid IS NULL
   AND EXISTS (SELECT 1 FROM {groups_members} n JOIN [verb_enrolment] v ON v.userid = n.userid WHERE n.groupid = q.groupid)
 GROUP BY :name_bytes

-- statement is member
EXISTS (SELECT 1 FROM {groups_members} n JOIN [verb_group] q ON q.groupid = n.groupid WHERE n.userid = x.userid)

-- statement joining
-- Members of the groups who have access to the target, and are not in its group yet.
SELECT MIN(v.line) AS line, v.userid, :target AS courseid, :target_context AS contextid, q.targetid AS groupid,
       '' AS component, 0 AS itemid
  FROM [verb_enrolment] v
 :then {groups_members} n ON n.userid = v.userid
 :then [verb_group] q ON q.groupid = n.groupid AND q.targetid IS NOT NULL
  LEFT JOIN {groups_members} o ON o.groupid = q.targetid AND o.userid = v.userid
 WHERE o.id IS NULL AND :is_in
 GROUP BY v.userid, q.targetid

-- statement leaving
-- The memberships by hand of who is in the group of the target now.
SELECT n.id, MIN(v.line) AS line, v.courseid, v.contextid
  FROM [verb_enrolment] v
 :then {groups_members} n ON n.userid = v.userid AND n.component = ''
 :then [verb_group] q ON q.groupid = n.groupid
  JOIN {groups_members} o ON o.groupid = q.targetid AND o.userid = v.userid
 GROUP BY n.id, v.courseid, v.contextid
