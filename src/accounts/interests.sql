-- Interests of accounts. `n` is a row of `account_now`, `a` an interest of that row, `l` a list that counts in this
-- step, `w` a tag of such a list, `t` a tag, `x` an instance of one.

-- statement lists
-- The lists of new accounts, and those that the options write into accounts that exist.
INSERT INTO [interest_list]
SELECT n.line, n.userid, n.contextid
  FROM [account_now] n
  JOIN [account_interest] a ON a.line = n.line AND a.n = 0
 WHERE n.verdict = 'create'
    OR (n.verdict IN ('update', 'same') AND (a.preset = 0 OR :presets)
        AND (:from_file OR (:fills AND NOT EXISTS (SELECT 1 FROM {tag_instance} x
                                                    WHERE x.component = 'core' AND x.itemtype = 'user'
                                                      AND x.itemid = n.userid))))

-- statement new tags
-- The interests without a tag, each once as the database compares them, written as the first row writes them.
INSERT INTO [new_tag]
SELECT ROW_NUMBER() OVER (ORDER BY w.line, w.n), w.line, w.name, w.rawname
  FROM (SELECT a.line, a.n, a.name, a.rawname, ROW_NUMBER() OVER (PARTITION BY :grouped ORDER BY a.line, a.n) AS nth
          FROM [interest_list] l
          JOIN [account_interest] a ON a.line = l.line AND a.n > 0) w
 WHERE w.nth = 1 AND NOT EXISTS (SELECT 1 FROM {tag} t WHERE t.tagcollid = :collection AND :same_as_w)

-- statement tags
-- The tags of the lists in their order; two interests that the database takes as equal are one.
INSERT INTO [interest_tag]
SELECT l.line, l.userid, l.contextid, t.id, ROW_NUMBER() OVER (PARTITION BY l.line ORDER BY MIN(a.n)) - 1
  FROM [interest_list] l
  JOIN [account_interest] a ON a.line = l.line AND a.n > 0
  JOIN {tag} t ON t.tagcollid = :collection AND :same_as_a
 GROUP BY l.line, l.userid, l.contextid, t.id

-- statement unwanted
SELECT x.id, l.line, 0 AS courseid, l.contextid
  FROM [interest_list] l
  JOIN {tag_instance} x ON x.component = 'core' AND x.itemtype = 'user' AND x.itemid = l.userid
  LEFT JOIN [interest_tag] w ON w.line = l.line AND w.tagid = x.tagid
 WHERE w.tagid IS NULL

-- statement elsewhere
SELECT w.line, w.userid, 0 AS courseid, w.contextid, w.tagid AS itemid, x.id AS targetid, :oldrow AS oldrow,
       :newrow AS newrow
  FROM [interest_tag] w
  JOIN {tag_instance} x ON x.component = 'core' AND x.itemtype = 'user' AND x.itemid = w.userid AND x.tagid = w.tagid
 WHERE :differs

-- statement missing
SELECT w.line, w.userid, 0 AS courseid, w.contextid, w.tagid AS itemid, w.place AS status
  FROM [interest_tag] w
  LEFT JOIN {tag_instance} x ON x.component = 'core' AND x.itemtype = 'user' AND x.itemid = w.userid
                            AND x.tagid = w.tagid
 WHERE x.id IS NULL
