-- Custom profile fields. `n` is a row of `account_now`, `f` a value of that row, `q` the stored value.

-- statement changes
EXISTS (SELECT 1 FROM [account_field] f
          LEFT JOIN {user_info_data} q ON q.fieldid = f.fieldid AND q.userid = x.id
         WHERE f.line = n.line AND (q.id IS NULL OR (:other AND :fill)))

-- statement differing
SELECT n.line, n.userid, 0 AS courseid, n.contextid, f.fieldid AS itemid, x.id AS targetid, :oldrow AS oldrow,
       :newrow AS newrow
  FROM [account_now] n
  JOIN [account_field] f ON f.line = n.line
  JOIN {user_info_data} x ON x.userid = n.userid AND x.fieldid = f.fieldid
 WHERE n.verdict = 'update' AND (:differs) AND (:from_file OR (:fills AND x.data = ''))

-- statement missing
-- Accounts that are made or changed in this pass: the value of the row, or the default of the field.
SELECT n.line, n.userid, 0 AS courseid, n.contextid, p.fieldid AS itemid,
       -- As Moodle stores the format of a rich text in an account that exists.
       CASE WHEN p.rich = 1 AND f.line IS NULL AND n.verdict = 'update' THEN 1 ELSE 0 END AS status, :row AS oldrow
  FROM [account_now] n
  JOIN [profile_field] p ON 1 = 1
  LEFT JOIN [account_field] f ON f.line = n.line AND f.fieldid = p.fieldid AND (n.verdict = 'create' OR :writes)
  LEFT JOIN {user_info_data} q ON q.userid = n.userid AND q.fieldid = p.fieldid
 WHERE n.verdict IN ('create', 'update') AND q.id IS NULL AND (f.line IS NOT NULL OR p.filled = 1)
