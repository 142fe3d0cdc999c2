-- The columns of all tables: table, column, and the width in characters, 0 where the database sets none.

-- statement postgres
-- The views of information_schema would take ten times as long, before every run.
SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT),
       -- char and varchar store their length plus 4.
       CASE WHEN a.atttypid IN (1042, 1043) AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END
  FROM pg_catalog.pg_attribute a
  -- Tables, views, materialised views, foreign tables and partitioned tables of the schema.
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
 -- Without system columns, which are numbered below 1, and dropped ones.
 WHERE a.attnum > 0 AND NOT a.attisdropped
 ORDER BY c.relname, a.attnum

-- statement maria
SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR),
       -- Other texts have a length in bytes.
       CASE WHEN data_type IN ('varchar', 'char') THEN CAST(character_maximum_length AS SIGNED) ELSE 0 END
  FROM information_schema.columns
 WHERE table_schema = DATABASE()
 ORDER BY table_name, ordinal_position

-- statement lite
SELECT m.name, p.name, 0
  FROM sqlite_master m, pragma_table_info(m.name) p
 WHERE m.type = 'table'
 ORDER BY m.name, p.cid
