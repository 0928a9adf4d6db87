#!/bin/sh
# Makes the key manager's keys if there are none, and leaves the address that the registry is to pin. Standard output of
# `kms init` is that address alone.
set -eu

folder=${HANDOVER:-/var/lib/zama-jobs/handover}
zama-jobs kms init >"$folder/key-manager.new"
mv "$folder/key-manager.new" "$folder/key-manager"
echo "the key manager signs as $(cat "$folder/key-manager")"
