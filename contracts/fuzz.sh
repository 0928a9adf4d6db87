#!/usr/bin/env bash
# Fuzz tests and invariants at length, with a seed of chance: contracts/fuzz.sh
# What fails is kept in contracts/cache, and tried first by the next run of any test.
#
#   FUZZ_SEED         the same again; it is printed (`make test` uses the one of foundry.toml, and prints it)
#   FUZZ_RUNS         inputs for each fuzz test (20,000; `make test`: 256)
#   INVARIANT_RUNS    sequences of calls for each invariant (256; `make test`: 16)
#   INVARIANT_DEPTH   calls in a sequence (128; `make test`: 32)
set -euo pipefail

contracts=$(cd "$(dirname "$0")" && pwd)
seed=${FUZZ_SEED:-0x$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')}
export FOUNDRY_FUZZ_SEED=$seed FOUNDRY_FUZZ_RUNS=${FUZZ_RUNS:-20000}
export FOUNDRY_INVARIANT_RUNS=${INVARIANT_RUNS:-256} FOUNDRY_INVARIANT_DEPTH=${INVARIANT_DEPTH:-128}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

echo "contracts: fuzz seed $seed, $FOUNDRY_FUZZ_RUNS inputs; invariants of $FOUNDRY_INVARIANT_RUNS times $FOUNDRY_INVARIANT_DEPTH calls"
"$contracts/../tools/forge.sh" test --match-test '^(testFuzz|invariant)' 2>&1 | tee "$log" | grep -E '^(\[|Suite result|Encountered|Ran .* suites|[Ee]rror)|counterexample|\[Sequence\]|calldata=' || true
# forge answers "No tests found" with success.
declared=$(grep -rhoE 'function (testFuzz|invariant)[A-Za-z0-9]*_[A-Za-z0-9_]*\(' "$contracts/test" --include='*.t.sol' | wc -l)
ran=$(sed -nE 's/^Ran [0-9]+ test suites? in .*: ([0-9]+) tests passed, 0 failed.*/\1/p' "$log")
if [ "${ran:-0}" -ne "$declared" ] || [ "$declared" -eq 0 ]; then
  echo "contracts: ${ran:-0} of $declared passed; again: FUZZ_SEED=$seed contracts/fuzz.sh" >&2
  exit 1
fi
