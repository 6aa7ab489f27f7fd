-- Makes the database, the schema and the roles of one service, and gives each role no more rights than it needs:
--     psql -v service=booking -f deploy/postgresql/roles.sql
-- as a superuser, once for each of hospital, booking and history. It may run again at any time.
--
--   SERVICE          the role that the service runs as: reads and writes rows of the schema SERVICE
--   SERVICE_migrate  owns the schema and its tables, for `SERVICE-svc --migrate`
--
-- history-svc makes a partition for each month, and --rebuild replaces its schema, so its role owns both and there is no
-- history_migrate. The roles have no password: give them one (\password booking), or let the server know their user (peer).
\set ON_ERROR_STOP on
SELECT :'service' = 'history' AS owns_itself \gset
\if :owns_itself
  \set owner :service
\else
  \set owner :service _migrate
\endif

SELECT format('CREATE ROLE %I LOGIN', name) FROM (SELECT :'service' AS name UNION SELECT :'owner') AS wanted
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT format('CREATE DATABASE %I ENCODING ''UTF8'' TEMPLATE template0', :'service')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'service') \gexec
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
-- The writer looks whether it can still write by a temporary table.
GRANT CONNECT, TEMPORARY ON DATABASE :"service" TO :"service", :"owner";

\connect :"service"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS :"service" AUTHORIZATION :"owner";
ALTER ROLE :"service" IN DATABASE :"service" SET search_path = :"service";
ALTER ROLE :"owner" IN DATABASE :"service" SET search_path = :"service";
\if :owns_itself
  GRANT CREATE ON DATABASE :"service" TO :"owner";
\else
  GRANT USAGE ON SCHEMA :"service" TO :"service";
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"service" TO :"service";
  ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"service" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
\endif
