#!/usr/bin/env bash
# Prints the folder under which tests keep databases, chains and stacks: memory where there is plenty of it, since a
# database a test is thousands of files made and removed, which costs a disk's file system more than the tests
# themselves. ZAMA_TEST_FOLDER names another.
set -euo pipefail

if [ -n "${ZAMA_TEST_FOLDER:-}" ]; then
  echo "$ZAMA_TEST_FOLDER"
  exit
fi

memory=/dev/shm
# What a whole run takes at its highest, twice, in KiB.
wanted=$((8 * 1024 * 1024))

# Of the folder's file system and of the machine: a file in memory takes both.
free=$(df --output=avail -k "$memory" 2>/dev/null | tail -1 || echo 0)
available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
# Containers often mount it so that nothing there may be executed, which some tests do.
if [ -w "$memory" ] && [ "$free" -ge "$wanted" ] && [ "$available" -ge "$((2 * wanted))" ] &&
  ! findmnt --noheadings --output OPTIONS --target "$memory" | grep -qw noexec; then
  echo "$memory"
elif [ "$(id -u)" = 0 ]; then
  # PostgreSQL runs as another user when we are root: a root home would be closed to it.
  echo /var/lib/zama-jobs
else
  echo "${TMPDIR:-/tmp}"
fi
