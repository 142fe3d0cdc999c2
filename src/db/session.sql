-- What a session must be set to, whatever the server, a role, a database or a pooler set before.

-- statement postgres
-- Time limits other than enrold's own would cut a long run: it reads its file while its transaction stands open.
SET lock_timeout = :lock_timeout; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
-- Transactions write, and see what others commit.
SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;
-- What texts and dates look like, and what a comparison with NULL is.
SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;
SET "DateStyle" = 'ISO, MDY'; SET "TimeZone" = 'UTC'; SET transform_null_equals = off; SET exit_on_error = off;
-- A bulk run sorts and joins more than the default 4 MB hold; temporary tables stay in memory to 64 MB. Their statistics
-- only tell small from large: a tenth of the usual sample does.
SET work_mem = '64MB'; SET temp_buffers = '64MB'; SET jit = off; SET default_statistics_target = 10;
-- A file gets its last name after the commit: a power cut must not leave the name and take the commit.
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
-- Time limits that only newer servers have: there they are set, where they are not there is nothing to set.
SELECT set_config(n.name, '0', false) FROM (VALUES ('idle_session_timeout'), ('transaction_timeout')) n (name)
 WHERE current_setting(n.name, true) <> '0';
-- Narrowed to the schema that it leads to, so that what stands behind it or before pg_catalog is neither found nor run.
SELECT set_config('search_path', quote_ident(current_schema()), false) WHERE current_schema() IS NOT NULL;
-- What came of it: a pooler may keep no settings.
SELECT current_setting('client_encoding'), current_setting('standard_conforming_strings')
