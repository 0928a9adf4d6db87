#!/usr/bin/env bash
# Checks docker-compose.yml and the Dockerfile where there is no Docker: the Compose specification's schema, the loader of
# Docker Compose itself, the linters dclint, hadolint and shellcheck, and that every command, flag, variable, port and
# address exists: in our program, anvil, cast and PostgreSQL, which are asked, and in images.json for all others.
#
#   ZAMA_BIN=target/debug/zama-jobs tests/compose/check.sh
#
# ZAMA_BIN       the program, which is asked for its commands and settings
# ZAMA_TOOLS_DIR folder for the linters and of the engines (make setup); default /var/lib/zama-jobs/tools for root, else
#                ~/.cache/zama-jobs/tools
# The last line is "N passed, N failed"; the exit code is 0 only when nothing failed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
: "${ZAMA_BIN:?set ZAMA_BIN to the zama-jobs program}"
if [ -z "${ZAMA_TOOLS_DIR:-}" ]; then
  if [ "$(id -u)" = 0 ]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=$HOME/.cache/zama-jobs/tools; fi
fi
ZAMA_BIN=$(realpath "$ZAMA_BIN")
COMPOSE_PACKAGES=$("$root/tools/node-env.sh" "$here")
linters=$("$root/tools/python-env.sh" "$here/requirements.txt")
export ZAMA_BIN ZAMA_TOOLS_DIR COMPOSE_PACKAGES

"$linters/bin/hadolint" --config "$here/hadolint.yaml" "$root/Dockerfile"
node "$COMPOSE_PACKAGES/node_modules/dclint/bin/dclint.cjs" --config "$here/dclint.yaml" --max-warnings 0 "$root/docker-compose.yml"
"$linters/bin/shellcheck" "$root"/deploy/compose/*.sh "$here"/*.sh
go run -C "$here/loader" . "$(realpath "$root/docker-compose.yml")"
node "$here/check.mjs"
