-- The rows of new courses.

-- statement courses
INSERT INTO {course} (category, sortorder, fullname, shortname, idnumber, startdate, enddate, timecreated,
                      timemodified, cacherev, :names)
SELECT t.category, 0, t.fullname, t.shortname, t.idnumber, t.begins, t.ends, :now, :now, :now, :values
  -- The template `p`, which gives values to all of them, if there is one.
  FROM [made_course] t LEFT JOIN {course} p ON p.id = :template
 -- Another writer may have used a name, or deleted the category, since the rows were checked.
 WHERE NOT EXISTS (SELECT 1 FROM {course} c WHERE :alike_name)
   AND (t.idnumber = '' OR NOT EXISTS (SELECT 1 FROM {course} c WHERE :alike_number))
   AND EXISTS (SELECT 1 FROM {course_categories} k WHERE k.id = t.category)
 ORDER BY t.n
