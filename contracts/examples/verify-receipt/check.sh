#!/usr/bin/env bash
# Holds the TypeScript verifier and `zama-jobs verify` to the same verdicts, and the published JSON Schema to their form:
# on honest receipts and on forged ones.
#
#   ZAMA_BIN=target/debug/zama-jobs contracts/examples/verify-receipt/check.sh                    the fixtures, offline
#   ZAMA_BIN=… contracts/examples/verify-receipt/check.sh --dev          and on the chain of a stack of its own: a completed
#                                                                        job's and a failed one's
#   ZAMA_BIN=… contracts/examples/verify-receipt/check.sh receipt.json --rpc URL [--registry 0x…]  one, on its chain;
#       with --brief only what a forger would change about its kind of job (tests/encrypted does so with an encrypted one's)
#
# ZAMA_TOOLS_DIR is where the pinned packages go; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
ZAMA_BIN=$(realpath "$ZAMA_BIN")
export ZAMA_BIN
tools=$("$here/../../../tools/node-env.sh" "$here")

# shellcheck source=../../../tools/stack.sh
. "$here/../../../tools/stack.sh"
# Compiled beside a link to the packages, so that the checkout stays clean.
work=$(mktemp -d)
trap 'stop_stack; rm -rf "$work"' EXIT
cp -r "$here/src" "$here/tsconfig.json" "$here/package.json" "$work/"
ln -s "$tools/node_modules" "$work/node_modules"
(cd "$work" && node node_modules/typescript/bin/tsc)

export RECEIPT_SCHEMA=$here/../../../docs/receipt.schema.json
compare() { node "$work/dist/compare.js" "$@"; }

# zama-jobs as the stack's owner; what it says besides its answer goes to the log.
zama() {
  "$ZAMA_BIN" "$@" 2>>"$work/stack/dev.log" || { cat "$work/stack/dev.log" >&2; return 1; }
}

submitted() {
  zama submit "$@" --json | sed -n 's/.*"job_id": "\(.*\)".*/\1/p'
}

# A stack with three jobs at once, and one that fails because its time is up.
on_a_stack() {
  mkdir "$work/stack"
  # PostgreSQL runs as another user when we are root.
  chmod 755 "$work"
  start_stack "$work/stack" postgres,temporal,anvil,lago,worker,api
  zama chain confirm-failed dev on >>"$work/stack/dev.log"
  # Two primes of 64 bits are not found within a second.
  failed=$(submitted prime_factorization --number 340282366920938460843936948965011886881 --timeout 1s)
  for number in 1299709 15485863 104729; do
    completed=$(submitted prime_factorization --number "$number")
  done
  zama wait "$completed" --max-wait 2m >>"$work/stack/dev.log"
  on_chain completed "$completed"
  until [ "$("$ZAMA_BIN" status "$failed" --json 2>>"$work/stack/dev.log" | sed -n 's/.*"tx_hash": "\(.*\)".*/\1/p')" ]; do
    kill -0 "$stack" || return 1
    sleep 0.2
  done
  on_chain failed "$failed" --brief
}

on_chain() {
  local kind=$1 job=$2
  shift 2
  zama receipt "$job" -o "$work/$kind.json"
  echo "a receipt of the $kind job $job, on chain:"
  compare "$work/$kind.json" --rpc "$ZAMA_RPC" --registry "$ZAMA_REGISTRY" "$@"
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
