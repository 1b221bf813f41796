#!/usr/bin/env bash
# Measures squashes, backups and archives beside their rivals, and prints the ratios as Markdown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  bench/squash.sh                        a million events, 5 rounds; takes some 15 minutes
  bench/squash.sh --events 5000000 --rounds 3 --only squash --only append
  bench/squash.sh --only memory --larger 10000000
  bench/squash.sh --directory /data      the stores lie there, not in TMPDIR

The parts are squash, append, backup, open and memory. Builds the release preset. Makes stores of
made-up histories and removes them at the end. Progress goes to standard error, the tables to
standard output.
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
  cmake --build --preset release --target tenantry tenantry_squash_parts >&2
  printf '%s, %s cores, commit %s\n\n' "$(date -u +%F)" "$(nproc)" \
    "$(git rev-parse --short HEAD 2>/dev/null || printf unknown)"
  python3 bench/squash.py --build build/release "$@"
}

main "$@"
