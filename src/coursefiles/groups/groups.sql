-- Groups and groupings of files: `q` are the courses that rows name.

-- statement courses
SELECT k.ckey, k.courseid, k.contextid, k.found, c.shortname
  FROM [stage_course] k
  JOIN {course} c ON c.id = k.courseid
 WHERE k.found > 0 AND k.contextid IS NOT NULL

-- statement groups of courses
SELECT g.id, g.courseid, g.name, g.idnumber, g.description, :visibility, :participation, :talk
  FROM [group_course] q
 :then {groups} g ON g.courseid = q.courseid
 ORDER BY g.id

-- statement groupings of courses
SELECT g.id, g.courseid, g.name, g.idnumber, g.description, 0, 0, -1
  FROM [group_course] q
 :then {groupings} g ON g.courseid = q.courseid
 ORDER BY g.id

-- statement custom fields
SELECT f.id, k.area, f.shortname
  FROM {customfield_field} f
  JOIN {customfield_category} k ON k.id = f.categoryid
 WHERE k.component = 'core_group' AND k.area IN ('group', 'grouping') AND f.type = 'text'

-- statement values of custom fields
SELECT d.fieldid, d.instanceid, d.value
  FROM {customfield_data} d
  JOIN [group_course] q ON q.contextid = d.contextid
 WHERE d.fieldid IN (:fields)

-- statement groups of methods
-- Methods that put those whom they enrol into a group.
SELECT e.customint2
  FROM [group_course] q
 :then {enrol} e ON e.courseid = q.courseid
 WHERE e.enrol IN ('cohort', 'meta') AND e.customint2 > 0

-- statement restrictions
SELECT m.availability
  FROM [group_course] q
 :then {course_modules} m ON m.course = q.courseid
 WHERE m.availability LIKE '%"group%'

-- statement restrictions of sections
SELECT m.availability
  FROM [group_course] q
 :then {course_sections} m ON m.course = q.courseid
 WHERE m.availability LIKE '%"group%'

-- statement restrictions of methods
SELECT e.customtext2
  FROM [group_course] q
 :then {enrol} e ON e.courseid = q.courseid
 WHERE e.customtext2 LIKE '%"group%'

-- statement groupings of activities
SELECT m.groupingid
  FROM [group_course] q
 :then {course_modules} m ON m.course = q.courseid
 WHERE m.groupingid > 0

-- statement groupings of courses by default
SELECT c.defaultgroupingid
  FROM [group_course] q
  JOIN {course} c ON c.id = q.courseid
 WHERE c.defaultgroupingid > 0

-- statement conversing groups
SELECT v.itemid
  FROM [group_course] q
  JOIN {message_conversations} v ON v.component = 'core_group' AND v.itemtype = 'groups' AND v.contextid = q.contextid

-- statement members of emptied groups
SELECT m.id, d.line, d.courseid, d.contextid
  FROM [group_doom] d
  JOIN {groups_members} m ON m.groupid = d.id
 -- What an enrolment gives is its own, unless the group goes.
 WHERE d.removed = 1 OR m.component = '' OR m.component NOT LIKE 'enrol!_%' ESCAPE '!'

-- statement kept members
SELECT d.line AS number, 'group-kept' AS code, g.name AS value, :many AS hint
  FROM (SELECT d.id, d.line, COUNT(*) AS many
          FROM [group_doom] d
          JOIN {groups_members} m ON m.groupid = d.id AND m.component LIKE 'enrol!_%' ESCAPE '!'
         WHERE d.removed = 0
         GROUP BY d.id, d.line) d
  JOIN {groups} g ON g.id = d.id

-- statement groupings of removed groups
SELECT x.id, d.line, d.courseid, d.contextid
  FROM [group_doom] d
  JOIN {groupings_groups} x ON x.groupid = d.id
 WHERE d.removed = 1

-- statement groups of emptied groupings
SELECT x.id, d.line, d.courseid, d.contextid
  FROM [grouping_doom] d
  JOIN {groupings_groups} x ON x.groupingid = d.id

-- statement groups to purge
-- Groups that this pass took members from, and that have none now.
SELECT g.id, c.line, g.courseid, c.contextid
  FROM (SELECT c.groupid, MIN(c.line) AS line, MIN(c.contextid) AS contextid
          FROM {enrold_change} c
         WHERE :here AND c.state = 0
         GROUP BY c.groupid) c
  JOIN {groups} g ON g.id = c.groupid
 WHERE NOT EXISTS (SELECT 1 FROM {groups_members} m WHERE m.groupid = g.id)
   AND NOT EXISTS (SELECT 1 FROM {groupings_groups} x WHERE x.groupid = g.id)

-- statement bindings of courses
SELECT COUNT(*)
  FROM [group_course] q
 :then {groupings} g ON g.courseid = q.courseid
 :then {groupings_groups} x ON x.groupingid = g.id

-- statement members of courses
SELECT COUNT(*)
  FROM [group_course] q
 :then {groups} g ON g.courseid = q.courseid
 :then {groups_members} m ON m.groupid = g.id

-- statement custom values of removed groups
SELECT x.id, d.line, d.courseid, d.contextid
  FROM [group_doom] d
  JOIN {customfield_data} x ON x.instanceid = d.id
  JOIN {customfield_field} f ON f.id = x.fieldid
  JOIN {customfield_category} k ON k.id = f.categoryid AND k.component = 'core_group' AND k.area = 'group'
 WHERE d.removed = 1

-- statement custom values of removed groupings
SELECT x.id, d.line, d.courseid, d.contextid
  FROM [grouping_doom] d
  JOIN {customfield_data} x ON x.instanceid = d.id
  JOIN {customfield_field} f ON f.id = x.fieldid
  JOIN {customfield_category} k ON k.id = f.categoryid AND k.component = 'core_group' AND k.area = 'grouping'
 WHERE d.removed = 1
