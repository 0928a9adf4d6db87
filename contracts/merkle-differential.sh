#!/usr/bin/env bash
# Holds the registry's Merkle code to the Rust code, on as many cases as one likes: contracts/merkle-differential.sh [CASES]
# (default 1,000,000). Rust writes batches, proofs and its verdicts on them; a real registry in forge confirms the batches
# and gives its own. Done in rounds, so that neither a file nor forge's memory grows. From 100,000 cases on a batch of every
# size from 1 to 1,025 is among them, which is asserted.
#
#   MERKLE_SEED           where the rounds' seeds begin; by default ZAMA_TEST_SEED, which `make test` keeps to one, and else the
#                         time, so that each run tries others. It is printed.
#   MERKLE_VECTORS_BIN    the program merkle-vectors; built with cargo when absent
set -euo pipefail

contracts=$(cd "$(dirname "$0")" && pwd)
left=${1:-1000000}
round=50000
seed=${MERKLE_SEED:-${ZAMA_TEST_SEED:-$(date +%s)}}
cache=cache/differential/$$
mkdir -p "$contracts/$cache"
trap 'rm -rf "${contracts:?}/$cache"' EXIT

fail() {
  echo "merkle-differential: $1" >&2
  exit 1
}

if [ -z "${MERKLE_VECTORS_BIN:-}" ]; then
  # With the workspace's features, as everything else is built.
  (cd "$contracts/.." && "${CARGO:-cargo}" build --quiet --workspace --example merkle-vectors)
  MERKLE_VECTORS_BIN=${CARGO_TARGET_DIR:-$contracts/../target}/debug/examples/merkle-vectors
fi
"$MERKLE_VECTORS_BIN" sample | cmp -s - "$contracts/test/differential/sample.hex" ||
  fail "test/differential/sample.hex is stale: merkle-vectors sample > contracts/test/differential/sample.hex"

# Checks what merkle-vectors writes with these arguments; then `did` is how many cases forge found in it.
check() {
  "$MERKLE_VECTORS_BIN" "$@" >"$contracts/$cache/vectors.hex"
  # A round needs more gas than forge gives a test.
  if ! MERKLE_VECTORS=$cache/vectors.hex FOUNDRY_GAS_LIMIT=9223372036854775807 "$contracts/../tools/forge.sh" \
    test -vv --match-contract MerkleDifferentialTest >"$contracts/$cache/log" 2>&1; then
    tail -30 "$contracts/$cache/log" >&2
    fail "the verdicts differ: merkle-vectors $*"
  fi
  did=$(told cases)
  checked=$((checked + ${did:-0}))
  echo "  merkle-vectors $*: $(sed -nE 's/^ *(groups|batches|cases|sizes)(.*: .*)/\1\2/p' "$contracts/$cache/log" | paste -sd, | sed 's/,/, /g'), ${SECONDS} s"
}

# A figure that the test logged.
told() { sed -n "s/^ *$1: //p" "$contracts/$cache/log"; }

echo "merkle-differential: $left cases, seeds from $seed"
checked=0
if [ "$left" -ge 100000 ]; then
  check sizes "$seed"
  sizes=$(told 'sizes of batches with one')
  [ "${sizes:-0}" -eq 1025 ] || fail "${sizes:-no} sizes of 1 to 1025 were checked"
fi
while [ "$left" -gt 0 ]; do
  cases=$((left < round ? left : round))
  check "$cases" "$seed"
  [ "${did:-0}" -ge "$cases" ] || fail "forge checked ${did:-no} cases of $cases"
  left=$((left - did))
  seed=$((seed + 1))
done
echo "merkle-differential: Rust and Solidity agree on $checked cases"
