-- The groups of rows: `m` is an account that is to join a group, `k` what its cell says, `p` a group of a course that
-- cells name, `g` an existing one.

-- statement members
-- Whose place is wrong otherwise joins nothing; who is enrolled by another method needs no manual one.
INSERT INTO [given_member]
SELECT p.line, p.n, p.userid, p.courseid, p.contextid, p.grp,
       -- Everybody takes part in the front page.
       CASE WHEN p.front = 1 OR EXISTS (SELECT 1 FROM {enrol} e
                                          JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = p.userid
                                         WHERE e.courseid = p.courseid) THEN 1 ELSE 0 END
  FROM [given_place] p
 WHERE p.grp <> '' AND p.code IN ('', 'no-method')

-- statement named groups
INSERT INTO [given_group]
SELECT p.line, p.courseid, p.contextid, p.given, p.label, p.how,
       COALESCE(MIN(CASE WHEN :same_id THEN g.id END), MIN(CASE WHEN :same_idnumber OR :same_name THEN g.id END)),
       CASE WHEN COUNT(CASE WHEN :same_id THEN 1 END) > 0 THEN 1
            ELSE COUNT(CASE WHEN :same_idnumber OR :same_name THEN 1 END) END
  FROM (SELECT MIN(m.line) AS line, m.courseid, m.contextid, m.given, k.label, k.how
          FROM [given_member] m
          JOIN [given_key] k ON k.given = m.given AND k.code = ''
         WHERE m.enrolled = 1
         GROUP BY m.courseid, m.contextid, m.given, k.label, k.how) p
  LEFT JOIN [known_group] g ON g.courseid = p.courseid
 GROUP BY p.line, p.courseid, p.contextid, p.given, p.label, p.how

-- statement missing groups
-- The groups that are named by name and do not exist, in the order of the lines.
INSERT INTO [new_group]
SELECT ROW_NUMBER() OVER (ORDER BY MIN(p.line), p.courseid, p.label), MIN(p.line), 0, p.courseid, p.contextid, p.label,
       '', '', 0
  FROM [given_group] p
 WHERE p.found = 0 AND p.how >= 2 AND p.label <> ''
 GROUP BY p.courseid, p.contextid, p.label

-- statement made groups
-- Not those that are named by an id: a new group may have got it.
(SELECT t.courseid, t.name, MIN(g.id) AS id
   FROM [new_group] t
   JOIN [known_group] g ON g.courseid = t.courseid AND :same
  GROUP BY t.courseid, t.name) m

-- statement refused groups
SELECT m.n, m.line AS number,
       CASE WHEN m.enrolled = 0 THEN 'group-not-enrolled'
            WHEN k.code <> '' THEN k.code
            WHEN p.found > 1 THEN 'group-ambiguous'
            ELSE 'group-unknown' END AS code,
       m.given AS value,
       CASE WHEN m.enrolled = 1 AND k.code <> '' THEN k.hint ELSE c.shortname END AS hint
  FROM [given_member] m
  JOIN {course} c ON c.id = m.courseid
  JOIN [given_key] k ON k.given = m.given
  LEFT JOIN [given_group] p ON p.courseid = m.courseid AND p.given = m.given
 WHERE m.enrolled = 0 OR k.code <> '' OR p.found <> 1

-- statement joining members
-- Each membership once, for the first line that gives it.
SELECT MIN(m.line) AS line, m.userid, m.courseid, m.contextid, p.groupid, '' AS component, 0 AS itemid
  FROM [given_member] m
  JOIN [given_group] p ON p.courseid = m.courseid AND p.given = m.given AND p.found = 1
  LEFT JOIN {groups_members} x ON x.groupid = p.groupid AND x.userid = m.userid
 WHERE m.enrolled = 1 AND x.id IS NULL
 GROUP BY m.userid, m.courseid, m.contextid, p.groupid
