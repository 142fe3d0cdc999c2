-- The settings of a session, whatever the server, a role, a database or a pooler set before.

-- statement postgres
-- Time limits other than enrold's own would end a long run: it reads its file in its transaction.
SET lock_timeout = :lock_timeout; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
-- Transactions write, and see what others commit.
SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;
-- The formats of texts and dates, and the meaning of comparisons with NULL.
SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;
SET "DateStyle" = 'ISO, MDY'; SET "TimeZone" = 'UTC'; SET transform_null_equals = off; SET exit_on_error = off;
-- A bulk run sorts and joins more than the default 4 MB; temporary tables stay in memory up to 64 MB. Their statistics
-- only separate small from large: a tenth of the usual sample is enough.
SET work_mem = '64MB'; SET temp_buffers = '64MB'; SET jit = off; SET default_statistics_target = 10;
-- A file is renamed to its outcome after the commit: a power cut must not keep the name and lose the commit.
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
-- Time limits of newer servers only; on others the setting is NULL, and nothing is set.
SELECT set_config(n.name, '0', false) FROM (VALUES ('idle_session_timeout'), ('transaction_timeout')) n (name)
 WHERE current_setting(n.name, true) <> '0';
-- Narrows the search path to its first schema, so that no object of later ones, or before pg_catalog, is found or run.
SELECT set_config('search_path', quote_ident(current_schema()), false) WHERE current_schema() IS NOT NULL;
-- The result: a pooler may not keep settings.
SELECT current_setting('client_encoding'), current_setting('standard_conforming_strings')
