-- Roles in the system and in categories: `a` is a cell, `r` its row, `g` the role and `c` the category that it names.

-- statement named categories
INSERT INTO [given_category]
SELECT k.given, MIN(x.id), COUNT(c.id)
  FROM (SELECT DISTINCT category AS given FROM [account_role] WHERE level = :category AND category <> '') k
  LEFT JOIN {course_categories} c ON :same
  LEFT JOIN {context} x ON x.contextlevel = :category AND x.instanceid = c.id
 GROUP BY k.given

-- statement refused roles
SELECT a.level * 100000 + a.n AS n, a.line AS number,
       CASE WHEN a.level = :system AND :system_on = 0 THEN 'change-refused'
            WHEN a.level = :category AND :category_on = 0 THEN 'change-refused'
            WHEN a.level = :category AND c.contextid IS NULL OR c.found > 1 THEN 'category-unusable'
            WHEN a.role = '' THEN 'empty-identifier'
            ELSE g.code END AS code,
       CASE WHEN a.level = :system AND :system_on = 0 THEN 'sysrole' || :column
            WHEN a.level = :category AND :category_on = 0 THEN 'categoryrole' || :column
            WHEN a.level = :category AND c.contextid IS NULL OR c.found > 1 THEN a.category
            WHEN a.role = '' THEN 'categoryrole' || :column
            ELSE g.value END AS value,
       CASE WHEN a.level = :system AND :system_on = 0 THEN 'system_roles'
            WHEN a.level = :category AND :category_on = 0 THEN 'category_roles'
            WHEN a.level = :category AND c.contextid IS NULL OR c.found > 1 THEN :count
            WHEN a.role = '' THEN ''
            ELSE g.hint END AS hint
  FROM [account_role] a
  JOIN [account_row] r ON r.line = a.line AND r.userid IS NOT NULL
  LEFT JOIN [given_role] g ON g.level = a.level AND g.given = a.role
  LEFT JOIN [given_category] c ON c.given = a.category
 WHERE a.level = :system AND :system_on = 0
    OR a.level = :category AND (:category_on = 0 OR c.contextid IS NULL OR c.found > 1)
    OR g.roleid IS NULL OR g.code <> ''

-- statement assignments
INSERT INTO [given_assignment]
SELECT t.line, t.userid, t.contextid, t.roleid, t.removed
  FROM (SELECT w.line, w.userid, w.contextid, w.roleid, w.removed,
               ROW_NUMBER() OVER (PARTITION BY w.userid, w.contextid, w.roleid ORDER BY w.line DESC, w.n DESC) AS nth
          FROM (SELECT a.line, a.n, r.userid, g.roleid, a.removed,
                       CASE WHEN a.level = :system THEN :system_context ELSE c.contextid END AS contextid
                  FROM [account_role] a
                  JOIN [account_row] r ON r.line = a.line AND r.userid IS NOT NULL
                  JOIN [given_role] g ON g.level = a.level AND g.given = a.role AND g.code = ''
                  LEFT JOIN [given_category] c ON c.given = a.category AND c.found = 1
                 WHERE a.level = :system AND :system_on = 1 OR a.level = :category AND :category_on = 1) w
         WHERE w.contextid IS NOT NULL) t
 WHERE t.nth = 1

-- statement missing roles
-- Only roles of no component count: others may end with what gave them.
SELECT p.line, p.userid, 0 AS courseid, p.contextid, p.roleid, '' AS component, 0 AS itemid
  FROM [given_assignment] p
 WHERE p.removed = 0
   AND (SELECT COUNT(*) FROM {role_assignments} x :by_user
         WHERE x.userid = p.userid AND x.contextid :whole = p.contextid AND x.roleid :whole = p.roleid
           AND {~x.component} = '' AND {#x.itemid} = 0) = 0

-- statement taken roles
SELECT x.id, p.line, 0 AS courseid, p.contextid
  FROM [given_assignment] p
  JOIN {role_assignments} x :by_user ON x.userid = p.userid AND x.contextid :whole = p.contextid
       AND x.roleid :whole = p.roleid AND {~x.component} = '' AND {#x.itemid} = 0
 WHERE p.removed = 1
