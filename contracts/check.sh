#!/usr/bin/env bash
# Checks the contracts: format, lint, tests (at least one must run), and that the committed artifact is what the sources
# compile to. `contracts/check.sh --update-artifact` writes the artifact instead.
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

FOUNDRY_OUT=$scratch/lint FOUNDRY_CACHE_PATH=$scratch/lint-cache "$forge" lint >"$scratch/lint.log" 2>&1 ||
  { cat "$scratch/lint.log" >&2; fail "lint found something"; }

"$forge" test --json >"$scratch/tests.json" || { "$forge" test >&2 || true; fail "tests failed"; }
# forge answers "No tests found" with success.
ran=$(node -e '
  const suites = Object.values(JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")));
  console.log(suites.flatMap((suite) => Object.values(suite.test_results)).filter((test) => test.status === "Success").length);
' "$scratch/tests.json")
[ "$ran" -gt 0 ] || fail "no test ran"
echo "contracts: artifact, format and lint are clean, $ran tests passed"
