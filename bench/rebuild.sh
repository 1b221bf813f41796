#!/usr/bin/env bash
# Measures rebuilds beside their rivals in the same rounds, and prints the ratios as Markdown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  bench/rebuild.sh                       a million rows, 5 rounds; takes some 6 minutes
  bench/rebuild.sh --rows 10000000 --rounds 1
  bench/rebuild.sh --only fresh          one of fresh, events, live, sqlite
  bench/rebuild.sh --directory /data     the store and the files lie there; the server's in TMPDIR

Builds the release preset. Starts a PostgreSQL server of its own, with the stock settings, fills a
database, imports it, and removes all of it at the end. Progress goes to standard error, the tables
to standard output.
TXT
}

main() {
  case ${1:-} in
    -h | --help)
      usage
      return
      ;;
  esac
  cmake --preset release >/dev/null
  cmake --build --preset release --target tenantry tenantry_replay_bench >&2
  printf '%s, %s cores, commit %s\n\n' "$(date -u +%F)" "$(nproc)" \
    "$(git rev-parse --short HEAD 2>/dev/null || printf unknown)"
  tools/postgres.sh run --durable -- python3 bench/rebuild.py --build build/release "$@"
}

main "$@"
