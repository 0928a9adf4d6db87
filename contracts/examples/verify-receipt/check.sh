#!/usr/bin/env bash
# Holds the TypeScript verifier and `zama-jobs verify` to the same verdicts, and the published JSON Schema to their form:
# on honest receipts and on forged ones.
#
#   ZAMA_BIN=target/debug/zama-jobs contracts/examples/verify-receipt/check.sh                    the fixtures, offline
#   ZAMA_BIN=… contracts/examples/verify-receipt/check.sh --dev          and a job's on the chain of a stack of its own
#   ZAMA_BIN=… contracts/examples/verify-receipt/check.sh receipt.json --rpc URL [--registry 0x…]  one, on its chain
#
# ZAMA_TOOLS_DIR is where the pinned packages go; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
ZAMA_BIN=$(realpath "$ZAMA_BIN")
export ZAMA_BIN
tools=$("$here/../../../tools/node-env.sh" "$here")

# Compiled beside a link to the packages, so that the checkout stays clean.
work=$(mktemp -d)
stack=
stop() {
  if [ -n "$stack" ]; then
    kill -INT "$stack" 2>/dev/null || true
    wait "$stack" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap stop EXIT
cp -r "$here/src" "$here/tsconfig.json" "$here/package.json" "$work/"
ln -s "$tools/node_modules" "$work/node_modules"
(cd "$work" && node node_modules/typescript/bin/tsc)

export RECEIPT_SCHEMA=$here/../../../docs/receipt.schema.json
compare() { node "$work/dist/compare.js" "$@"; }

# Twelve ports in a row, of which none is taken.
free_ports() {
  node -e '
    const { createServer } = require("node:net");
    const free = (port) => new Promise((answer) => {
      const server = createServer().once("error", () => answer(false));
      server.listen(port, "127.0.0.1", () => server.close(() => answer(true)));
    });
    (async () => {
      for (let base = 21000 + (process.pid % 500) * 12; ; base += 12) {
        const ports = await Promise.all(Array.from({ length: 12 }, (_, i) => free(base + i)));
        if (ports.every(Boolean)) return console.log(base);
      }
    })();'
}

# A stack, three jobs at once, and the receipt of the last.
on_a_stack() {
  mkdir "$work/stack"
  # PostgreSQL runs as another user when we are root.
  chmod 755 "$work" "$work/stack"
  cd "$work/stack"
  "$ZAMA_BIN" dev --only postgres,temporal,anvil,lago,worker,api --no-fsync --port-base "$(free_ports)" \
    --data-dir "$work/stack/data" --ready-file "$work/ready" >"$work/dev.log" 2>&1 &
  stack=$!
  until [ -e "$work/ready" ]; do
    kill -0 "$stack" 2>/dev/null || { cat "$work/dev.log" >&2; return 1; }
    sleep 0.2
  done
  for number in 1299709 15485863 104729; do
    job=$("$ZAMA_BIN" submit prime_factorization --number "$number" --json 2>>"$work/dev.log" | sed -n 's/.*"job_id": "\(.*\)".*/\1/p')
  done
  "$ZAMA_BIN" wait "$job" --max-wait 2m >>"$work/dev.log" 2>&1 || { cat "$work/dev.log" >&2; return 1; }
  "$ZAMA_BIN" receipt "$job" -o "$work/receipt.json" 2>>"$work/dev.log"
  # shellcheck disable=SC1091
  . "$work/stack/.zama/dev.env"
  echo "a receipt of job $job, on chain:"
  compare "$work/receipt.json" --rpc "$ZAMA_RPC" --registry "$ZAMA_REGISTRY"
}

fixtures() {
  for receipt in "$here"/fixtures/*.json; do
    echo "$(basename "$receipt"), offline:"
    compare "$receipt"
  done
}

case ${1:-} in
  "") fixtures ;;
  --dev) fixtures && on_a_stack ;;
  *) compare "$@" ;;
esac
