# shellcheck shell=bash
# To be sourced, with ZAMA_BIN set: a stack of a script's own.
#
#   start_stack FOLDER PARTS  starts it with its state in FOLDER, waits until it serves, goes there, where the program
#                             finds its environment, and reads that; FOLDER/dev.log is its log
#   stop_stack                ends it
stack=

stop_stack() {
  [ -n "$stack" ] || return 0
  kill -INT "$stack" 2>/dev/null || true
  wait "$stack" 2>/dev/null || true
  stack=
}

start_stack() {
  local folder=$1 parts=$2 _
  # PostgreSQL runs as another user when we are root.
  chmod 755 "$folder"
  cd "$folder"
  # Somebody may have the ports.
  for _ in 1 2 3; do
    "$ZAMA_BIN" dev --only "$parts" --no-fsync --port-base "$((20000 + RANDOM % 900 * 12))" \
      --data-dir "$folder/data" --ready-file "$folder/ready" >"$folder/dev.log" 2>&1 &
    stack=$!
    until [ -e "$folder/ready" ] || ! kill -0 "$stack" 2>/dev/null; do sleep 0.2; done
    if [ -e "$folder/ready" ]; then
      # shellcheck disable=SC1091
      . "$folder/.zama/dev.env"
      return
    fi
    stop_stack
    rm -rf "$folder/data"
  done
  cat "$folder/dev.log" >&2
  return 1
}
