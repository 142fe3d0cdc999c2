-- statement copied groups
INSERT INTO [copied_group]
SELECT t.enrolid, t.userid, t.courseid, t.contextid, g.name
  -- The memberships of these users are read once: from the users to all their groups, then to the sources.
  FROM (SELECT DISTINCT userid FROM [completed] WHERE verdict = 0) u
  :then {groups_members} m ON m.userid = u.userid
  :then {groups} g ON g.id = m.groupid
  :then [completed] t ON t.userid = m.userid AND t.source = g.courseid AND t.verdict = 0
  JOIN [chain] h ON h.enrolid = t.enrolid AND h.copies = 1
