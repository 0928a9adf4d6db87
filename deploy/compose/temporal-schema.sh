#!/bin/sh
# Makes Temporal's two databases and brings their schema up to date; repeating it changes nothing. Runs in
# temporalio/admin-tools, which finds user and password in SQL_USER and SQL_PASSWORD.
set -eu

schema=/etc/temporal/schema/postgresql/v12

# tool DATABASE COMMAND [ARGUMENTS...]
tool() {
  database=$1
  shift
  temporal-sql-tool --plugin "$SQL_PLUGIN" --endpoint "$SQL_HOST" --port "$SQL_PORT" --database "$database" "$@"
}

# prepare DATABASE FOLDER: a database that has a schema already only gets what is new.
prepare() {
  tool "$1" create
  if ! tool "$1" update-schema --schema-dir "$schema/$2/versioned"; then
    tool "$1" setup-schema --version 0.0
    tool "$1" update-schema --schema-dir "$schema/$2/versioned"
  fi
}

prepare "$TEMPORAL_DATABASE" temporal
prepare "$TEMPORAL_VISIBILITY_DATABASE" visibility
echo "Temporal's schema is up to date"
