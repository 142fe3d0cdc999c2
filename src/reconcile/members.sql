-- Memberships in groups.

-- statement owned
-- The memberships that the rule's instances own, of users who are still enrolled there (spec cohort 1.6). No index
-- leads from an instance to its memberships: the groups of each course are read once, however many instances it has.
SELECT m.id, s.enrolid, m.userid, m.groupid, s.courseid, s.contextid
  FROM (SELECT DISTINCT courseid FROM [scope]) k
 :then {groups} g ON g.courseid = k.courseid
 :then {groups_members} m ON m.groupid = g.id AND m.component = :component
 :then [scope] s ON s.enrolid = m.itemid AND s.courseid = g.courseid
 :then {user_enrolments} x ON x.enrolid = s.enrolid AND x.userid = m.userid
