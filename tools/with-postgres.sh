#!/usr/bin/env bash
# Runs a command beside a fresh, migrated PostgreSQL of its own: tools/with-postgres.sh COMMAND [ARGS...]
# The command finds it in ZAMA_TEST_DATABASE_URL, as the role that owns the schema, and may create databases and roles there;
# all of it is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ]; then cache=/var/lib/zama-jobs; else cache=$HOME/.cache/zama-jobs; fi
parent=$(tools/test-folder.sh)
# As in the Makefile.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
mkdir -p "$parent"
scratch=$(mktemp -d "$parent/test-postgres.XXXXXX")
chmod 755 "$scratch"
stop() {
  [ -n "${dev:-}" ] || return 0
  kill -TERM "$dev" 2>/dev/null || true
  wait "$dev" 2>/dev/null || true
}
trap 'stop; rm -rf "$scratch"' EXIT

# Whether it came up; not so when somebody has the port.
starts() {
  "$CARGO_TARGET_DIR/debug/zama-jobs" dev --only postgres --no-fsync --port-base "$((10000 + RANDOM % 9000))" \
    --data-dir "$scratch/data" --env-file "$scratch/env" --ready-file "$scratch/ready" >"$scratch/log" 2>&1 &
  dev=$!
  for _ in $(seq 600); do
    [ -e "$scratch/ready" ] && return
    kill -0 "$dev" 2>/dev/null || break
    sleep 0.1
  done
  stop
  return 1
}
starts || starts || { cat "$scratch/log" >&2; exit 1; }
# The command's own stacks go there, too.
export TMPDIR=$parent
ZAMA_TEST_DATABASE_URL=$(sed -n 's/^ZAMA__DATABASE__MIGRATION_URL=//p' "$scratch/env")
export ZAMA_TEST_DATABASE_URL
"$@"
