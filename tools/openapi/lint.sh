#!/usr/bin/env bash
# Lints an OpenAPI document: tools/openapi/lint.sh [FILE], openapi.yml when no file is given. A warning is a failure.
#
# ZAMA_TOOLS_DIR is where the pinned linter goes; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
document=$(realpath "${1:-$here/../../openapi.yml}")
packages=$("$here/../node-env.sh" "$here")
# The linter would ask for news of itself and tell about its use.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true CI=true
if ! said=$(node "$packages/node_modules/@redocly/cli/bin/cli.js" lint "$document" --config "$here/redocly.yaml" --format stylish --max-problems 1000 2>&1) || grep -Eq '[0-9]+ warning' <<<"$said"; then
  echo "$said" >&2
  exit 1
fi
echo "openapi.yml: the linter finds nothing"
