#!/usr/bin/env bash
# Measures confirmation beside its alternatives and writes the README's gas table and contracts/snapshots/gas.json.
# With --check nothing is written: it fails when the README's table is stale.
set -euo pipefail

contracts=$(cd "$(dirname "$0")" && pwd)
# Relative to the contracts: forge may write there and nowhere else.
rows=cache/gas-table/$$
mkdir -p "$contracts/$rows"
trap 'rm -rf "${contracts:?}/$rows"' EXIT
emit=true
if [ "${1:-}" = --check ]; then emit=false; fi
GAS_TABLE=$rows FORGE_SNAPSHOT_CHECK=false FORGE_SNAPSHOT_EMIT=$emit "$contracts/../tools/forge.sh" test \
  --match-path 'test/gas/*' >"$contracts/$rows.log" 2>&1 || { cat "$contracts/$rows.log" >&2; exit 1; }
rm "$contracts/$rows.log"
node "$contracts/gas-table.mjs" "$contracts/$rows" "$contracts/../README.md" "$@"
