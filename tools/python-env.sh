#!/usr/bin/env bash
# Makes a Python environment from pins and prints its folder: tools/python-env.sh REQUIREMENTS
# A folder a set of pins: changed pins are a new folder, and a half-made one is never used.
#
# ZAMA_TOOLS_DIR is the tools folder; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
set -euo pipefail

requirements=$1
if [[ -z "${ZAMA_TOOLS_DIR:-}" ]]; then
  if [[ $(id -u) -eq 0 ]]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/zama-jobs/tools; fi
fi
venv=$ZAMA_TOOLS_DIR/python/$(sha256sum "$requirements" | cut -c1-16)
if [[ ! -e $venv/complete ]]; then
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
  touch "$venv/complete"
fi
echo "$venv"
