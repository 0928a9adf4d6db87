#!/usr/bin/env bash
# Starts docker-compose.yml's own services directly and runs jobs through them: tests/compose/run.sh [plain|encrypted|all]
#
#   ZAMA_BIN=target/debug/zama-jobs tests/compose/run.sh
#
# ZAMA_BIN       the program
# ZAMA_TOOLS_DIR folder of the engines (make setup); default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
# ZAMA_KMS_SEED  key manager's folder to copy keys from, made when it is not there; without it new keys are made
# KEEP           keeps the folder with the logs
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
if [ -z "${ZAMA_TOOLS_DIR:-}" ]; then
  if [ "$(id -u)" = 0 ]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=$HOME/.cache/zama-jobs/tools; fi
fi
ZAMA_BIN=$(realpath "$ZAMA_BIN")
COMPOSE_PACKAGES=$("$here/../../tools/node-env.sh" "$here")
export ZAMA_BIN ZAMA_TOOLS_DIR COMPOSE_PACKAGES
exec node "$here/run.mjs" "$@"
