#!/usr/bin/env bash
# Clippy as cargo's RUSTC_WORKSPACE_WRAPPER: it lints our crates and reuses the dependencies that build and test made.
# -Zno-codegen spares it the code that nobody runs (build scripts are run); the switch is rustc's own, allowed for this
# pass alone.
set -euo pipefail
case " $* " in
  *" --crate-name build_script_"* | *" -vV "* | *" --print="*) exec clippy-driver "$@" ;;
esac
RUSTC_BOOTSTRAP=1 exec clippy-driver "$@" -Zno-codegen
