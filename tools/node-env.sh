#!/usr/bin/env bash
# Installs pinned npm packages and prints their folder: tools/node-env.sh FOLDER, with package.json and package-lock.json
# A folder a set of pins: changed pins are a new folder, and a half-made one is never used.
#
# ZAMA_TOOLS_DIR is the tools folder; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
set -euo pipefail

pins=$1
if [[ -z "${ZAMA_TOOLS_DIR:-}" ]]; then
  if [[ $(id -u) -eq 0 ]]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/zama-jobs/tools; fi
fi
packages=$ZAMA_TOOLS_DIR/node/$(cat "$pins/package.json" "$pins/package-lock.json" | sha256sum | cut -c1-16)
if [[ ! -e $packages/complete ]]; then
  rm -rf "$packages"
  mkdir -p "$packages"
  cp "$pins/package.json" "$pins/package-lock.json" "$packages/"
  (cd "$packages" && npm ci --ignore-scripts --no-audit --no-fund --silent >&2)
  touch "$packages/complete"
fi
echo "$packages"
