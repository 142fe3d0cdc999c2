-- The order of new courses in their categories.

-- statement order
INSERT INTO [course_order]
-- Moodle numbers the courses of a category from the category's own number on: new ones first, the newest before all
-- others, then the existing ones in their order.
SELECT c.id, x.id, c.sortorder,
       k.sortorder + ROW_NUMBER() OVER
           (PARTITION BY c.category ORDER BY CASE WHEN t.n IS NULL THEN 1 ELSE 0 END, t.n DESC, c.sortorder, c.id),
       CASE WHEN t.n IS NULL THEN 0 ELSE 1 END
  -- The categories that have new courses, each once, and all courses in them.
  FROM (SELECT DISTINCT m.category FROM [made_course] m) d
  JOIN {course_categories} k ON k.id = d.category
  JOIN {course} c ON c.category = k.id
  JOIN {context} x ON x.contextlevel = 50 AND x.instanceid = c.id
  LEFT JOIN [made_course] t ON t.courseid = c.id

-- statement counted
-- The categories whose stored number of courses is no longer right.
SELECT 0 AS line, 0 AS courseid, x.id AS contextid, t.id AS targetid, t.now_there AS status, t.coursecount AS oldstatus
  -- The stored and the true number of each category with new courses.
  FROM (SELECT k.id, k.coursecount, COUNT(*) AS now_there
          FROM (SELECT DISTINCT m.category FROM [made_course] m) d
          JOIN {course_categories} k ON k.id = d.category
          JOIN {course} c ON c.category = k.id
         GROUP BY k.id, k.coursecount) t
  JOIN {context} x ON x.contextlevel = 40 AND x.instanceid = t.id
 WHERE t.now_there <> t.coursecount
