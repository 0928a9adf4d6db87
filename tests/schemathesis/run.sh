#!/usr/bin/env bash
# Holds the API to its own document: a stack of its own, and schemathesis with all its checks against it, stateful ones too,
# for so many seconds. No 5xx, no answer that is not documented.
#
#   ZAMA_BIN=target/debug/zama-jobs tests/schemathesis/run.sh 60 [arguments of `st run`]
#
# ZAMA_TOOLS_DIR is where the pinned packages go; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
# ZAMA_TEST_SEED draws the same requests again; each run prints its own
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
ZAMA_BIN=$(realpath "$ZAMA_BIN")
seconds=${1:?how many seconds}
shift
seed=${ZAMA_TEST_SEED:-$RANDOM$RANDOM}
venv=$("$here/../../tools/python-env.sh" "$here/requirements.txt")

work=$(mktemp -d -p "$("$here/../../tools/test-folder.sh")" zama-schemathesis.XXXXXX)
stack=
stop() {
  if [ -n "$stack" ]; then
    kill -INT "$stack" 2>/dev/null || true
    wait "$stack" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap stop EXIT

# Twelve ports in a row, of which none is taken.
free_ports() {
  python3 - "$$" <<'PYTHON'
import socket, sys
def free(port):
    with socket.socket() as probe:
        try: probe.bind(("127.0.0.1", port)); return True
        except OSError: return False
base = 27000 + int(sys.argv[1]) % 500 * 12
while not all(free(base + at) for at in range(12)): base += 12
print(base)
PYTHON
}

# PostgreSQL runs as another user when we are root.
chmod 755 "$work"
cd "$work"
"$ZAMA_BIN" dev --only postgres,temporal,anvil,lago,worker,api --no-fsync --port-base "$(free_ports)" \
  --data-dir "$work/data" --ready-file "$work/ready" >"$work/dev.log" 2>&1 &
stack=$!
until [ -e "$work/ready" ]; do
  kill -0 "$stack" 2>/dev/null || { cat "$work/dev.log" >&2; exit 1; }
  sleep 0.2
done
# shellcheck disable=SC1091
. "$work/.zama/dev.env"
# An admin, who may do everything; of a tenant of its own.
ZAMA_TOKEN=$("$ZAMA_BIN" token --tenant contract --role admin --ttl 12h 2>>"$work/dev.log")
# It may come upon the setting that jobs are paid before.
"$ZAMA_BIN" credits top-up contract --granted --amount 1000000 --key contract >>"$work/dev.log" 2>&1
export ZAMA_API ZAMA_TOKEN

echo "schemathesis, $seconds s, seed $seed"
"$venv/bin/st" --config-file "$here/schemathesis.toml" run "$ZAMA_API/openapi.json" \
  --max-time "$seconds" --seed "$seed" --no-color "$@"
