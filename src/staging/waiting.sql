-- Lines of a file that wait: `x` are its lines in `waits`, `w` rows of `enrold_waiting`, `l` staged lines.

-- statement rows spoken of
INSERT INTO [spoken]
SELECT s.id, MAX(s.line), MAX(s.del)
  FROM (SELECT w.id, l.line, CASE WHEN l.op = 2 THEN l.line ELSE 0 END AS del
          FROM [stage_line] l
          :then {enrold_waiting} w ON w.state = 'waiting' AND w.userkey = :userkey AND w.ukey = l.ukey
               -- Not by the index of places: thousands may wait for one.
               AND w.kind = :kindword AND w.placekey = :placekey AND w.pkey || '' = l.ckey AND :same
        :ended) s
 GROUP BY s.id

-- statement rows that say the same
(SELECT w.id, w.expires, w.timestart, w.timeend, p.line FROM [spoken] p JOIN {enrold_waiting} w ON w.id = p.id) o

-- statement kept lines
INSERT INTO {enrold_waiting} (id, kind, run, source, line, dropped, lacks, userkey, ukey, written, placekey, pkey, roleid,
       timestart, timeend, created, expires, state, changed, byrun, note, gkey, status, other)
SELECT :last + ROW_NUMBER() OVER (ORDER BY x.line), :kindword, :run, :source, x.line, :dropped, x.lacks, :userkey, x.ukey,
       x.written, :placekey, x.pkey, x.roleid, x.timestart, x.timeend, :now, x.expires, 'waiting', :now, 0, '', x.gkey,
       x.status, x.other
  FROM [waits] x
 WHERE x.kept = 1 AND x.same = 0 AND x.beyond = 0

-- statement lines that wait
SELECT x.line AS number,
       CASE WHEN x.beyond = 1 THEN 'waiting-full' ELSE 'waiting' END AS code,
       CASE WHEN x.lacks = 'course' THEN x.pkey WHEN x.written = '' THEN x.ukey ELSE x.written END AS value,
       CASE WHEN x.beyond = 1 THEN '' ELSE :until || ' ' END
       || CASE WHEN x.lacks = 'course' THEN :placecode || ' ' || :placekey ELSE 'user-unknown ' || :userkey END AS hint
  FROM [waits] x

-- statement closed by problems
INSERT INTO [waiting_closed]
SELECT e.number, 'cancelled', MIN(e.code)
  FROM {enrold_error} e
 WHERE e.run = :run AND e.place = :place
 GROUP BY e.number

-- statement applied lines
INSERT INTO [waiting_closed]
SELECT f.line, 'applied', ''
  FROM :found f
 -- A list that is made once: MariaDB would read the changes of the run for each line.
 WHERE f.line NOT IN (SELECT c.line FROM {enrold_change} c
                       WHERE c.run = :run AND c.cause = :cause AND c.state = 1 AND c.line IS NOT NULL)
