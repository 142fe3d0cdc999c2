-- The rows of a set, loaded into floor_set, with the accounts, courses and roles that they name.
ANALYZE floor_set;
CREATE TEMPORARY TABLE floor_want AS
SELECT u.id AS userid, c.id AS courseid, k.id AS contextid, r.id AS roleid
  FROM floor_set s
  JOIN {user} u ON u.idnumber = s.ukey AND u.deleted = 0
  JOIN {course} c ON c.idnumber = s.ckey
  JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = c.id
  JOIN {role} r ON r.shortname = s.rkey;
ANALYZE floor_want;
