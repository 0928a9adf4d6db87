#!/bin/sh
# Deploys the registry if it is not there, with the confirmer's role and the key manager that it pins. Its address follows
# from its code and its first admin, so that the other processes can know it before: if it is not the one that they were
# told, nothing may start.
set -eu

folder=${HANDOVER:-/var/lib/zama-jobs/handover}
registry=$(zama-jobs chain deploy --yes --key-manager "$(cat "$folder/key-manager")")
if [ "$registry" != "$ZAMA__CHAIN__REGISTRY" ]; then
  echo "the registry stands at $registry, and the stack was told $ZAMA__CHAIN__REGISTRY: set ZAMA_REGISTRY in .env" >&2
  exit 1
fi
echo "the registry stands at $registry"
