#!/usr/bin/env bash
# Makes the certificates of the tests anew, valid for a hundred years: an authority, a server (blobs.example.test,
# kms.example.test) and a client that it signs; and another authority with a server and a client of its own. Their keys
# are public; nothing outside of tests trusts them. Needs openssl 3.
set -euo pipefail
cd "$(dirname "$0")"
days=36500
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

authority() { # NAME
  key "$scratch/$1.key"
  openssl req -x509 -new -key "$scratch/$1.key" -subj "/CN=tests: $1" -days $days -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

certificate() { # AUTHORITY NAME USAGE
  key "$2.key"
  cat >"$scratch/$2.ext" <<END
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = $3
subjectAltName = DNS:blobs.example.test, DNS:kms.example.test, IP:127.0.0.1
END
  openssl req -new -key "$2.key" -subj "/CN=tests: $2" -out "$scratch/$2.csr"
  openssl x509 -req -in "$scratch/$2.csr" -CA "$1.pem" -CAkey "$scratch/$1.key" -days $days \
    -extfile "$scratch/$2.ext" -out "$2.pem"
}

authority authority
certificate authority server serverAuth
certificate authority client clientAuth
authority other-authority
certificate other-authority other-server serverAuth
certificate other-authority other-client clientAuth
