-- Automatic enrolments that become manual ones. `v` is a chosen enrolment, `s` an instance that has them, `m` the
-- manual method of the course, `x` a row that changes.

-- statement sources
INSERT INTO [verb_source]
SELECT e.id, k.courseid, k.contextid, CASE WHEN :fate = :keep THEN 1 ELSE 0 END, e.enrol, 'enrol_' || e.enrol, :fate
  FROM [verb_place] k
  JOIN {enrol} e ON e.courseid = k.courseid AND :instances

-- statement planned
-- Missing manual enrolments; those that give less than the automatic ones get what these give.
SELECT CASE WHEN d.targetid IS NULL THEN :rank_add ELSE :rank_update END AS rank_of, d.line, d.userid, d.courseid,
       d.enrolid, d.contextid, d.targetid, d.status, d.timestart, d.timeend, d.oldstatus, d.oldtimestart, d.oldtimeend,
       d.oldrow
  FROM (SELECT s.line, s.userid, s.courseid, s.contextid, m.enrolid, x.id AS targetid, s.status,
               CASE WHEN x.status = 0 AND x.timestart < s.timestart THEN x.timestart ELSE s.timestart END AS timestart,
               CASE WHEN x.status = 0 AND s.timeend > 0 AND (x.timeend = 0 OR x.timeend > s.timeend) THEN x.timeend
                    ELSE s.timeend END AS timeend,
               x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
               CASE WHEN x.id IS NULL THEN NULL ELSE :oldrow END AS oldrow
          FROM (:best) s
          JOIN [verb_manual] m ON m.courseid = s.courseid
          LEFT JOIN {user_enrolments} x ON x.enrolid = m.enrolid AND x.userid = s.userid
         WHERE x.id IS NULL OR s.status = 0) d
 WHERE d.targetid IS NULL OR d.oldstatus <> d.status OR d.oldtimestart <> d.timestart OR d.oldtimeend <> d.timeend

-- statement owned roles
-- The roles that the automatic enrolments own, each user's role numbered, first those of instances that do not stay;
-- `manual` is 1 if it is given by hand too.
INSERT INTO [verb_role]
SELECT r.id, v.line, v.userid, v.courseid, v.contextid, r.roleid, v.enrolid, s.stays,
       ROW_NUMBER() OVER (PARTITION BY v.userid, v.contextid, r.roleid ORDER BY s.stays, r.id),
       CASE WHEN EXISTS (SELECT 1 FROM {role_assignments} m :by_user
                          WHERE m.userid = v.userid AND m.contextid :whole = v.contextid
                            AND m.roleid :whole = r.roleid AND {~m.component} = '' AND {#m.itemid} = 0)
            THEN 1 ELSE 0 END
  FROM [verb_source] s
 :then [verb_enrolment] v ON v.enrolid = s.enrolid
 :then {role_assignments} r :by_user ON r.userid = v.userid AND r.contextid :whole = v.contextid
       AND {~r.component} = s.component AND {#r.itemid} = v.enrolid

-- statement further roles
-- How many roles go, because somebody has them by hand or twice, and how many are given beside those of a method that
-- stays.
SELECT COUNT(CASE WHEN p.stays = 0 AND (p.nth > 1 OR p.manual = 1) THEN 1 END),
       COUNT(CASE WHEN p.nth = 1 AND p.manual = 0 AND p.stays = 1 THEN 1 END)
  FROM [verb_role] p

-- statement released roles
SELECT p.line, p.userid, p.courseid, p.contextid, p.roleid, '' AS component, 0 AS itemid, p.enrolid, x.id AS targetid,
       :oldrow AS oldrow
  FROM [verb_role] p
 :then {role_assignments} x ON x.id = p.id
 WHERE p.nth = 1 AND p.manual = 0 AND p.stays = 0

-- statement released groups
SELECT v.line, v.userid, v.courseid, v.contextid, x.groupid, '' AS component, 0 AS itemid, v.enrolid,
       x.id AS targetid, :oldrow AS oldrow
  FROM [verb_enrolment] v
  JOIN [verb_source] s ON s.enrolid = v.enrolid
 :then {groups_members} x ON x.userid = v.userid AND x.itemid = v.enrolid AND x.component = s.component

-- statement stays
-- An instance stays while it enrols people who are not among the chosen.
UPDATE [verb_source] AS s SET stays = 1
 WHERE s.stays = 0
   AND EXISTS (SELECT 1 FROM {user_enrolments} o
                 JOIN {user} u ON u.id = o.userid AND u.deleted = 0
                 LEFT JOIN [verb_enrolment] v ON v.ueid = o.id
                WHERE o.enrolid = s.enrolid AND v.ueid IS NULL)

-- statement disabled
SELECT x.id AS targetid, x.courseid, s.contextid, x.enrol AS component, 1 AS status, x.status AS oldstatus,
       :oldrow AS oldrow
  FROM [verb_source] s
  JOIN {enrol} x ON x.id = s.enrolid
 WHERE s.stays = 0 AND s.fate = :disable AND x.status = 0

-- statement fed
-- The methods that are disabled and get people from files or sets.
SELECT DISTINCT s.method FROM [verb_source] s
 WHERE s.stays = 0 AND s.fate = :disable AND s.method IN ('flatfile', 'database')

-- statement deleted
SELECT s.enrolid, s.courseid, s.contextid, 0 AS line, s.component
  FROM [verb_source] s
 WHERE s.stays = 0 AND s.fate = :delete

-- statement to remove
INSERT INTO [to_remove]
SELECT x.id, 0, x.userid, s.courseid, s.contextid, s.enrolid, 0, s.component, 0, NULL
  FROM [verb_source] s
  JOIN {user_enrolments} x ON x.enrolid = s.enrolid
 WHERE s.stays = 0 AND s.fate = :delete
