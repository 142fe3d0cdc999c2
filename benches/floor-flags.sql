-- The flags of the users in floor_dirty, the last statements of every floor that writes.
UPDATE {cache_flags} f SET timemodified = :now, expiry = :now + 28800 FROM floor_dirty d WHERE f.flagtype = 'accesslib/dirtyusers' AND f.name = d.name;
INSERT INTO {cache_flags} (flagtype, name, value, timemodified, expiry)
SELECT 'accesslib/dirtyusers', d.name, '1', :now, :now + 28800 FROM floor_dirty d
  LEFT JOIN {cache_flags} f ON f.flagtype = 'accesslib/dirtyusers' AND f.name = d.name WHERE f.id IS NULL;
