#!/bin/sh
# Runs a plain job and an encrypted one from submit to receipt and usage: demo.sh [plain|encrypted], both when nothing is
# given. Runs where .zama/dev.env of access.sh lies, in a container (`docker compose run --rm demo`) or beside one.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# follow_up JOB: what a client does with a finished job.
follow_up() {
  zama-jobs receipt "$1" --output "$work/receipt.json"
  zama-jobs verify "$work/receipt.json"
  zama-jobs usage --job "$1"
}

job_of() {
  sed -n 's/^ *"job_id": "\([^"]*\)".*/\1/p' "$1" | head -n 1
}

plain() {
  echo "== a plain job"
  zama-jobs submit prime_factorization --number 1329227995784915642319506138910959327 --wait --json >"$work/plain.json"
  follow_up "$(job_of "$work/plain.json")"
}

encrypted() {
  echo "== an encrypted job: only the owner of this key can read its result"
  printf '0x%s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >"$work/submitter.key"
  chmod 600 "$work/submitter.key"
  zama-jobs keys register --submitter-key "$work/submitter.key"
  zama-jobs submit --fhe encrypted_statistical_analysis --type u8 --values 3,5,7,9 \
    --submitter-key "$work/submitter.key" --wait --json >"$work/encrypted.json"
  job=$(job_of "$work/encrypted.json")
  zama-jobs decrypt "$job" --wait --submitter-key "$work/submitter.key"
  follow_up "$job"
}

case ${1:-all} in
  plain) plain ;;
  encrypted) encrypted ;;
  all) plain; encrypted ;;
  *) echo "demo.sh [plain|encrypted]" >&2; exit 2 ;;
esac
