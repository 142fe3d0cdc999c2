-- Chooses the rows that become courses: four selects, each from the one before. `d`, `n`, `a`, `b` and `t` are rows; a
-- verdict is empty for a good row.

-- statement dated
-- The days of each course: those of the row, else those of the template or of the site.
SELECT d.*, CASE WHEN d.enddate > 0 THEN d.enddate ELSE :end END AS ends
  FROM (SELECT n.*, CASE WHEN n.startdate > 0 THEN n.startdate ELSE :start END AS begins FROM [new_course] n) d

-- statement judged
-- The check of each row against the site, in Moodle's order.
SELECT n.line, n.fullname, n.shortname, n.idnumber, n.category AS ckey, n.begins, n.ends, n.starttext, n.endtext,
       n.logged,
       -- A row that names no category goes into the fallback; 0 means none.
       CASE WHEN n.category = '' THEN :fallback ELSE COALESCE(k.category, 0) END AS category,
       -- An existing course of exactly this short name is left as it is. One that Moodle treats as equal is an error.
       CASE WHEN EXISTS (SELECT 1 FROM {course} c WHERE :same) THEN 'exists'
            WHEN EXISTS (SELECT 1 FROM {course} c WHERE :alike_name) THEN 'course-shortname-taken'
            WHEN n.idnumber <> '' AND EXISTS (SELECT 1 FROM {course} c WHERE :alike_number) THEN 'course-idnumber-taken'
            WHEN :unstorable_name OR :unstorable_full OR :unstorable_number THEN 'value-charset'
            WHEN k.found > 1 THEN 'category-ambiguous'
            WHEN x.id IS NULL THEN 'category-unknown'
            WHEN n.flaw <> '' THEN n.flaw
            WHEN n.ends > 0 AND n.ends < n.begins THEN 'end-before-start'
            ELSE '' END AS verdict
  FROM (:dated) n
  LEFT JOIN [stage_category] k ON k.ckey = n.category
  -- A category without a context path is not usable: it counts as unknown.
  LEFT JOIN {context} x ON x.contextlevel = 40 AND x.path IS NOT NULL
       AND x.instanceid = CASE WHEN n.category = '' THEN :fallback ELSE k.category END

-- statement named
-- Of several good rows with one short name the last one counts; an equal one is no error.
SELECT t.line, t.fullname, t.shortname, t.idnumber, t.ckey, t.category, t.chosen, t.begins, t.ends, t.starttext,
       t.endtext, t.logged,
       CASE WHEN t.verdict <> '' OR t.line = t.chosen THEN t.verdict
            WHEN t.alike = 1 THEN 'same'
            ELSE 'course-twice' END AS verdict
  -- `chosen` is the last line of the short name, `alike` whether a row equals it.
  FROM (SELECT a.*, FIRST_VALUE(a.line) OVER (:by_name ORDER BY a.line DESC) AS chosen,
               CASE WHEN a.fullname = FIRST_VALUE(a.fullname) OVER (:by_name ORDER BY a.line DESC)
                     AND a.shortname = FIRST_VALUE(a.shortname) OVER (:by_name ORDER BY a.line DESC)
                     AND a.idnumber = FIRST_VALUE(a.idnumber) OVER (:by_name ORDER BY a.line DESC)
                     AND a.ckey = FIRST_VALUE(a.ckey) OVER (:by_name ORDER BY a.line DESC)
                     AND a.begins = FIRST_VALUE(a.begins) OVER (:by_name ORDER BY a.line DESC)
                     AND a.ends = FIRST_VALUE(a.ends) OVER (:by_name ORDER BY a.line DESC) THEN 1 ELSE 0 END AS alike
          FROM (:judged) a) t

-- statement rows
INSERT INTO [course_row]
-- Of several rows that are good by name and share an idnumber, the last one counts too; each gets the line that counts.
SELECT t.line, t.fullname, t.shortname, t.idnumber, t.ckey, t.category,
       CASE WHEN t.verdict = '' THEN t.first_line ELSE t.chosen END,
       CASE WHEN t.verdict = '' AND t.idnumber <> '' AND t.line <> t.first_line THEN 'course-twice'
            ELSE t.verdict END,
       t.begins, t.ends, t.starttext, t.endtext, t.logged
  FROM (SELECT b.*, FIRST_VALUE(b.line) OVER (:by_number ORDER BY b.line DESC) AS first_line FROM (:named) b) t

-- statement refused
-- The rows that are reported. The hint is the second parameter of the code, beside the short name.
SELECT r.line AS number, r.verdict AS code,
       CASE r.verdict
            WHEN 'bad-time' THEN r.starttext
            -- A day that the row does not name is that of the template or of the site.
            WHEN 'end-before-start' THEN CASE WHEN r.endtext = '' THEN :end ELSE r.endtext END
            ELSE r.shortname END AS value,
       CASE r.verdict
            WHEN 'bad-time' THEN :accepted
            WHEN 'end-before-start' THEN CASE WHEN r.starttext = '' THEN :start ELSE r.starttext END
            -- The first column that cannot store a character.
            WHEN 'value-charset' THEN CASE WHEN :unstorable_name THEN 'course.shortname'
                                           WHEN :unstorable_full THEN 'course.fullname'
                                           ELSE 'course.idnumber' END
            -- The short name of the existing course.
            WHEN 'course-shortname-taken' THEN :existing
            WHEN 'course-idnumber-taken' THEN r.idnumber
            -- The line that counts instead.
            WHEN 'course-twice' THEN :chosen
            -- The category in the row.
            ELSE r.ckey END AS hint
  FROM [course_row] r
 WHERE r.verdict NOT IN ('', 'exists', 'same')
