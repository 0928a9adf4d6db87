#!/usr/bin/env bash
# Makes store/.sqlx anew: what the compiler learnt about each query from the migrated schema.
#   tools/sqlx.sh                    write it
#   tools/sqlx.sh --check [BUILD]    fail when what is committed is stale; BUILD is the command that compiles
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${ZAMA_TEST_DATABASE_URL:-}" ]; then exec tools/with-postgres.sh "$0" "$@"; fi

check=
if [ "${1:-}" = --check ]; then
  check=yes
  shift
fi
if [ $# = 0 ]; then set -- cargo build --workspace --quiet; fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

# The macros ask the database and write what they learn when both variables are set; only `store` has queries.
touch store/src/lib.rs
DATABASE_URL=$ZAMA_TEST_DATABASE_URL SQLX_OFFLINE_DIR=$fresh "$@"

if [ -n "$check" ]; then
  diff -rq store/.sqlx "$fresh" || { echo "store/.sqlx is stale: run tools/sqlx.sh and commit the result" >&2; exit 1; }
  echo "store/.sqlx is up to date ($(find store/.sqlx -name '*.json' | wc -l) queries)"
else
  rm -rf store/.sqlx
  mkdir store/.sqlx
  cp "$fresh"/*.json store/.sqlx/
fi
