#!/usr/bin/env bash
# Checks the contracts: format, documentation, lint, tests (each that is declared must run), gas figures and the README's
# gas table, and that the committed artifact is what the sources compile to. `contracts/check.sh --update-artifact` writes
# the artifact instead.
set -euo pipefail

contracts=$(cd "$(dirname "$0")" && pwd)
forge=$contracts/../tools/forge.sh
committed=$contracts/artifacts/ZamaJobsRegistry.json
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "contracts: $1" >&2
  exit 1
}

# A fresh build in a folder of its own, so that no cache can hide a drift.
FOUNDRY_OUT=$scratch/out FOUNDRY_CACHE_PATH=$scratch/cache "$forge" build --skip test --skip script >"$scratch/build.log" 2>&1 ||
  { cat "$scratch/build.log" >&2; fail "the sources do not compile"; }
node "$contracts/../tools/artifact.mjs" "$scratch/out/ZamaJobsRegistry.sol/ZamaJobsRegistry.json" >"$scratch/artifact.json"
if [ "${1:-}" = --update-artifact ]; then
  mkdir -p "$(dirname "$committed")"
  cp "$scratch/artifact.json" "$committed"
  echo "contracts: wrote $committed"
  exit 0
fi
cmp -s "$scratch/artifact.json" "$committed" ||
  fail "the committed artifact differs from a fresh build; run contracts/check.sh --update-artifact"

"$forge" fmt --check || fail "not formatted; run tools/forge.sh fmt"

node "$contracts/natspec.mjs" "$contracts"/src/*.sol || fail "something that is seen from outside is not documented"
# And it sees what is not: the first line documents the contract, nothing its three variables.
printf '/// @title T\n/// @notice N\ncontract C {\n    %s\n    %s\n    %s\n}\n' 'uint256 public constant A = 1;' \
  'address public b;' 'mapping(uint256 word => uint256 mask) public c;' >"$scratch/undocumented.sol"
unseen=$(node "$contracts/natspec.mjs" "$scratch/undocumented.sol" 2>&1 | grep -c 'variable [Abc]: @notice') || true
[ "$unseen" -eq 3 ] || fail "the check of the documentation sees $unseen of 3 variables without any"

FOUNDRY_OUT=$scratch/lint FOUNDRY_CACHE_PATH=$scratch/lint-cache "$forge" lint >"$scratch/lint.log" 2>&1 ||
  { cat "$scratch/lint.log" >&2; fail "lint found something"; }

seed=$(sed -nE 's/^seed = "(0x[0-9a-f]+)"$/\1/p' "$contracts/foundry.toml")
[ -n "$seed" ] || fail "foundry.toml pins no seed: a failure could not be repeated"
echo "contracts: fuzz tests and invariants with the seed ${FOUNDRY_FUZZ_SEED:-$seed}; others, at length: make contracts-at-length"

# A gas figure that differs from contracts/snapshots/gas.json fails its test.
if ! "$forge" test >"$scratch/tests.log" 2>&1; then
  cat "$scratch/tests.log" >&2
  fail "tests failed; if only gas figures moved and should: contracts/gas-table.sh"
fi
# forge answers "No tests found" with success, so what ran is held against what the sources declare.
declared=$(grep -rhoE 'function (test|invariant)[A-Za-z0-9]*_[A-Za-z0-9_]*\(' "$contracts/test" --include='*.t.sol' | wc -l)
closing=$(grep -E '^Ran [0-9]+ test suites? in ' "$scratch/tests.log" | tail -1)
ran=$(sed -nE 's/.*: ([0-9]+) tests passed, 0 failed, 0 skipped.*/\1/p' <<<"$closing")
[ "${ran:-0}" -gt 0 ] || fail "no test ran: ${closing:-forge said nothing}"
[ "$ran" -eq "$declared" ] || fail "$declared tests are declared, but: $closing"

"$contracts/gas-table.sh" --check || fail "README's gas table is stale"
grep -E '^(Ran .* for |Suite result)' "$scratch/tests.log"
echo "$closing"
echo "contracts: artifact, format, documentation, lint, gas figures and README's gas table are clean, $ran tests passed"
