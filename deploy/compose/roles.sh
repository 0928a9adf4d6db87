#!/bin/sh
# Makes the role that our processes connect as and sets its password; repeating it changes nothing. Its rights come with the
# migrations. Runs in PostgreSQL's own image, which finds server and owner in PGHOST, PGUSER, PGPASSWORD and PGDATABASE.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set role="$APP_ROLE" --set password="$APP_PASSWORD" <<'END'
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
END
echo "role $APP_ROLE is there"
