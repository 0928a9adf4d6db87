#!/usr/bin/env bash
# Runs the pinned forge in contracts/, with the pinned solc and libraries of the tools folder (outside the checkout).
# Usage: tools/forge.sh test -vv
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${ZAMA_TOOLS_DIR:-}" ]; then
  if [ "$(id -u)" = 0 ]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=$HOME/.cache/zama-jobs/tools; fi
fi
export ZAMA_TOOLS_DIR
modules=$ZAMA_TOOLS_DIR/node_modules
forge=$modules/@foundry-rs/forge-linux-amd64/bin/forge
if [ ! -x "$forge" ]; then
  echo "forge is missing in $modules: copy tools/package.json and tools/package-lock.json to $ZAMA_TOOLS_DIR and run 'npm ci --ignore-scripts' there" >&2
  exit 1
fi

export FOUNDRY_SOLC=$repository/tools/solc
export FOUNDRY_ALLOW_PATHS="[\"$modules\"]"
export FOUNDRY_IGNORED_WARNINGS_FROM="[\"$modules\"]"
export FOUNDRY_REMAPPINGS="@openzeppelin/contracts/=$modules/@openzeppelin/contracts/
forge-std/=$modules/@layerzerolabs/toolbox-foundry/lib/forge-std/"
cd "$repository/contracts"
exec "$forge" "$@"
