#!/usr/bin/env bash
# Measures the store beside its rivals in the same rounds, and prints the ratios as Markdown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  bench/run.sh                     everything, 5 rounds; takes some minutes
  bench/run.sh --rounds 9 --goal 2 the runs of one goal only
  bench/run.sh --tiny              one round of next to nothing: only shows that it runs
  bench/run.sh --directory /data   the databases of embedded contenders lie there, not in /tmp

Builds the release preset. Progress goes to standard error, the tables to standard output. Starts
a PostgreSQL and a Redis server of its own, with durable settings, and removes them at the end; what
is not installed is named as left out: tools/install-deps.sh --bench brings it.
TXT
}

say() { printf 'bench: %s\n' "$*" >&2; }

redis_directory=""
redis_pid=""
postgres_directory=""

stop_servers() {
  [[ -z $redis_pid ]] || kill "$redis_pid" 2>/dev/null || true
  [[ -z $redis_pid ]] || wait "$redis_pid" 2>/dev/null || true
  [[ -z $redis_directory ]] || rm -rf -- "$redis_directory"
  [[ -z $postgres_directory ]] || tools/postgres.sh stop "$postgres_directory" >&2 || true
}

# Acknowledges nothing before it is on the disk, and writes no snapshots meanwhile.
start_redis() {
  redis_directory=$(mktemp -d "${TMPDIR:-/tmp}/tenantry-redis-XXXXXX")
  redis-server --port 0 --unixsocket "$redis_directory/socket" --unixsocketperm 700 \
    --dir "$redis_directory" --save '' --appendonly yes --appendfsync always \
    --auto-aof-rewrite-percentage 0 --daemonize no >"$redis_directory/log" 2>&1 </dev/null &
  redis_pid=$!
  local attempt
  for attempt in {1..100}; do
    [[ ! -S $redis_directory/socket ]] || return 0
    kill -0 "$redis_pid" 2>/dev/null || break
    sleep 0.1
  done
  say "Redis did not start after $attempt attempts: $(tail -n 3 "$redis_directory/log")"
  return 1
}

main() {
  local options=()
  case ${1:-} in
    -h | --help)
      usage
      return
      ;;
  esac
  cmake --preset release >/dev/null
  cmake --build --preset release --target tenantry_compare_bench >&2

  trap stop_servers EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if command -v redis-server >/dev/null; then
    start_redis && options+=(--redis "$redis_directory/socket")
  fi
  postgres_directory=$(mktemp -u -d "${TMPDIR:-/tmp}/tenantry-pg-XXXXXX")
  local url
  if url=$(tools/postgres.sh start --durable "$postgres_directory"); then
    options+=(--postgres "$url")
  else
    postgres_directory=""
  fi
  printf '%s, %s cores, commit %s\n\n' "$(date -u +%F)" "$(nproc)" \
    "$(git rev-parse --short HEAD 2>/dev/null || printf unknown)"
  build/release/bench/tenantry_compare_bench "${options[@]}" "$@"
}

main "$@"
