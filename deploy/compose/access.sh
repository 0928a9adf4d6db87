#!/bin/sh
# Makes the development tenant and a token of its admin, where `docker compose run --rm cli` finds them: the file has the
# form of the one that `zama-jobs dev` writes. DEVELOPMENT ONLY: production gives out no tokens here.
set -eu

folder=${ACCESS:-/var/lib/zama-jobs/access}
if ! token=$(zama-jobs token --role admin --ttl 30d); then
  # The other tenants' API has to start without it.
  zama-jobs tenants show dev | grep -q '^closed since ' || exit 1
  echo "tenant dev is closed: it gets no token any more"
  exit 0
fi
umask 077
mkdir -p "$folder/.zama"
cat >"$folder/.zama/dev.env.new" <<END
ZAMA_API=$ZAMA_API
ZAMA_TOKEN=$token
ZAMA_RPC=$ZAMA__CHAIN__RPC_URL
ZAMA_REGISTRY=$ZAMA__CHAIN__REGISTRY
END
mv "$folder/.zama/dev.env.new" "$folder/.zama/dev.env"
echo "the token of tenant dev is good for 30 days"
