#!/usr/bin/env bash
# Holds the Lago stand-in to Lago's own Python and JavaScript clients, with a kill -9 between the two.
#
#   ZAMA_BIN=target/debug/zama-jobs billing/tests/official/run.sh
#
# ZAMA_BIN       program that knows `lago-standin --listen HOST:PORT --data FILE --key KEY`
# ZAMA_TOOLS_DIR folder for the clients; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
# The last line is "N passed, N failed"; the exit code is 0 only when nothing failed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
for program in python3 node npm curl; do
  command -v "$program" >/dev/null || { echo "the official Lago clients need $program" >&2; exit 2; }
done

venv=$("$here/../../../tools/python-env.sh" "$here/requirements.txt")
tools=$("$here/../../../tools/node-env.sh" "$here")

work=$(mktemp -d)
key=official-clients-key
server=
stop() {
  if [[ -n $server ]]; then
    kill -9 "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
  fi
}
trap 'stop; rm -rf "$work"' EXIT

start() {
  port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
  "$ZAMA_BIN" lago-standin --listen "127.0.0.1:$port" --data "$work/lago.jsonl" --key "$key" >"$work/standin.log" 2>&1 &
  server=$!
  origin=http://127.0.0.1:$port
  for _ in $(seq 100); do
    if curl --silent --fail --output /dev/null "$origin/health"; then return; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "the stand-in did not start:" >&2
  cat "$work/standin.log" >&2
  exit 2
}

passed=0
failed=0
check() {
  "$@" | tee "$work/out" || true
  local summary
  summary=$(tail -n 1 "$work/out")
  if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
  else
    echo "$1 ended without a summary"
    failed=$((failed + 1))
  fi
}

start
check "$venv/bin/python" "$here/check_python.py" "$origin/" "$key"
stop
start
cd "$tools"
check node "$here/check_node.mjs" "$origin" "$key"
stop

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
