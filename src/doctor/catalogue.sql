-- Tables and columns: table, column, may select, may insert, may update, may delete from the table.

-- statement postgres
-- Every table and view of the schema, with what the account may do.
SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT), has_column_privilege(c.oid, a.attnum, 'SELECT'),
       has_column_privilege(c.oid, a.attnum, 'INSERT'), has_column_privilege(c.oid, a.attnum, 'UPDATE'),
       has_table_privilege(c.oid, 'DELETE')
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  -- Without system columns, which are numbered below 1, and dropped ones.
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v')

-- statement sequences
-- The sequence that belongs to a column of each table, and whether the account may use it.
SELECT CAST(t.relname AS TEXT), CAST(s.relname AS TEXT), has_sequence_privilege(s.oid, 'USAGE')
  FROM pg_depend d
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_class t ON t.oid = d.refobjid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 -- Both are in pg_class, and the sequence is dropped with the table ('a').
 WHERE d.classid = CAST('pg_class' AS regclass) AND d.refclassid = CAST('pg_class' AS regclass) AND d.deptype = 'a'
   AND n.nspname = current_schema()
