#!/usr/bin/env bash
# Clippy as cargo's RUSTC_WORKSPACE_WRAPPER: it lints our crates and reuses the dependencies that build and test made.
# -Zno-codegen spares it the code that nobody runs; the switch is rustc's own, and counts for this pass alone.
set -euo pipefail
RUSTC_BOOTSTRAP=1 exec clippy-driver "$@" -Zno-codegen
