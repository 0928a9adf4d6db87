#!/usr/bin/env bash
# Holds the API to its own document: a stack of its own, and schemathesis with all its checks against it, stateful ones too,
# for so many seconds. No 5xx, no answer that is not documented.
#
#   ZAMA_BIN=target/debug/zama-jobs tests/schemathesis/run.sh 60 [arguments of `st run`]
#
# ZAMA_TOOLS_DIR is where the pinned packages go; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
# ZAMA_TEST_SEED says which requests are drawn, and is printed; by default those of `make test`
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
ZAMA_BIN=$(realpath "$ZAMA_BIN")
seconds=${1:?how many seconds}
shift
seed=${ZAMA_TEST_SEED:-2026}
venv=$("$here/../../tools/python-env.sh" "$here/requirements.txt")

# shellcheck source=../../tools/stack.sh
. "$here/../../tools/stack.sh"
work=$(mktemp -d -p "$("$here/../../tools/test-folder.sh")" zama-schemathesis.XXXXXX)
trap 'stop_stack; rm -rf "$work"' EXIT
start_stack "$work" postgres,temporal,anvil,lago,worker,api
# An admin, who may do everything; of a tenant of its own.
ZAMA_TOKEN=$("$ZAMA_BIN" token --tenant contract --role admin --ttl 12h 2>>"$work/dev.log")
# It may come upon the setting that jobs are paid before.
"$ZAMA_BIN" credits top-up contract --granted --amount 1000000 --key contract >>"$work/dev.log" 2>&1
export ZAMA_API ZAMA_TOKEN

echo "schemathesis, $seconds s, seed $seed"
"$venv/bin/st" --config-file "$here/schemathesis.toml" run "$ZAMA_API/openapi.json" \
  --max-time "$seconds" --seed "$seed" --no-color "$@"
