#!/usr/bin/env bash
# Brings the pinned Keycloak into the tools folder and prints its folder: what `tests/keycloak` logs in through.
# Ends with 3, and one line that says why, where Java or Maven is missing: then there is nothing to run it with.
#
# ZAMA_TOOLS_DIR is the tools folder; default /var/lib/zama-jobs/tools for root, else ~/.cache/zama-jobs/tools
set -euo pipefail

VERSION=26.4.0
MAVEN_PLUGIN=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
if [ -z "${ZAMA_TOOLS_DIR:-}" ]; then
  if [ "$(id -u)" = 0 ]; then ZAMA_TOOLS_DIR=/var/lib/zama-jobs/tools; else ZAMA_TOOLS_DIR=$HOME/.cache/zama-jobs/tools; fi
fi
home=$ZAMA_TOOLS_DIR/keycloak/keycloak-$VERSION

missing() { echo "$*"; exit 3; }

command -v java >/dev/null || missing "Java is missing: install 17 or newer (Debian: apt install openjdk-17-jre-headless)"
# openjdk version "17.0.15" 2025-04-15
java=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
[ "${java:-0}" -ge 17 ] || missing "Java 17 or newer is needed, found ${java:-none that tells its version}"
if [ -e "$home/.complete" ]; then echo "$home"; exit 0; fi
command -v mvn >/dev/null || missing "Maven is missing: install it (Debian: apt install maven)"

mkdir -p "$ZAMA_TOOLS_DIR/keycloak"
# Two of these at once take turns.
exec 9>"$ZAMA_TOOLS_DIR/keycloak/.lock"
if command -v flock >/dev/null; then flock 9; fi
if [ -e "$home/.complete" ]; then echo "$home"; exit 0; fi
rm -rf "$home"
scratch=$(mktemp -d "$ZAMA_TOOLS_DIR/keycloak/half.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# A repository of its own, which goes with the archive in it.
# It leaves marks where it is started.
(cd "$scratch" && mvn --batch-mode --quiet "$MAVEN_PLUGIN:unpack" -Dartifact="org.keycloak:keycloak-quarkus-dist:$VERSION:zip" \
  -DoutputDirectory="$scratch/unpacked" -Dmaven.repo.local="$scratch/repository" >&2)
mv "$scratch/unpacked/keycloak-$VERSION" "$home"
touch "$home/.complete"
echo "$home"
