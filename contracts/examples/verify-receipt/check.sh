#!/usr/bin/env bash
# Holds the TypeScript verifier and `zama-jobs verify` to the same verdicts: on honest receipts and on forged ones.
#
#   ZAMA_BIN=target/debug/zama-jobs contracts/examples/verify-receipt/check.sh                    the fixtures, offline
#   ZAMA_BIN=… contracts/examples/verify-receipt/check.sh receipt.json --rpc URL [--registry 0x…]  one, on its chain
#
# ZAMA_TOOLS_DIR is where the pinned packages go; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
ZAMA_BIN=$(realpath "$ZAMA_BIN")
export ZAMA_BIN
if [ -z "${ZAMA_TOOLS_DIR:-}" ]; then
  if [ "$(id -u)" = 0 ]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=$HOME/.cache/zama-jobs/tools; fi
fi

# A folder a set of pins: a changed pin is a new folder, and a half-made one is never used.
pins=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-16)
tools=$ZAMA_TOOLS_DIR/verify-receipt/$pins
if [ ! -e "$tools/complete" ]; then
  rm -rf "$tools"
  mkdir -p "$tools"
  cp "$here/package.json" "$here/package-lock.json" "$tools/"
  (cd "$tools" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  touch "$tools/complete"
fi

# Compiled beside a link to the packages, so that the checkout stays clean.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/src" "$here/tsconfig.json" "$here/package.json" "$work/"
ln -s "$tools/node_modules" "$work/node_modules"
(cd "$work" && node node_modules/typescript/bin/tsc)

compare() { node "$work/dist/compare.js" "$@"; }
if [ $# -gt 0 ]; then
  compare "$@"
else
  for receipt in "$here"/fixtures/*.json; do
    echo "$(basename "$receipt"), offline:"
    compare "$receipt"
  done
fi
