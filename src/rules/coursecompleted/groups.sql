-- statement copied groups
INSERT INTO [copied_group]
SELECT t.enrolid, t.userid, t.courseid, t.contextid, g.name
  -- What these users have is read once: from them to all their groups, and from there to the sources.
  FROM (SELECT DISTINCT userid FROM [completed] WHERE verdict = 0) u
  :then {groups_members} m ON m.userid = u.userid
  :then {groups} g ON g.id = m.groupid
  :then [completed] t ON t.userid = m.userid AND t.source = g.courseid AND t.verdict = 0
  JOIN [chain] h ON h.enrolid = t.enrolid AND h.copies = 1
