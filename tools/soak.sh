#!/usr/bin/env bash
# A long run of one stage of tests/reliability/stages.conf, or one of its cases again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  tools/soak.sh                     lists the stages
  tools/soak.sh kill                a long run of the stage `kill`, with a seed of the commit
  tools/soak.sh kill 7              the same with the seed 7
  tools/soak.sh kill 7 1            one case: what a failure names to repeat it
  TENANTRY_PRESET=asan-ubsan tools/soak.sh sim

Builds first. The last line says how many cases passed, against the target, and how to repeat it.
TXT
}

list_stages() {
  printf '%-14s %10s  %s\n' stage cases 'a case'
  grep -v '^#' tests/reliability/stages.conf |
    while IFS='|' read -r name _ long _ cases _; do
      printf '%-14s %10s  %s\n' "${name// /}" "${long// /}" "${cases# }"
    done
}

main() {
  local preset=${TENANTRY_PRESET:-release} arguments=()
  case ${1:-} in
    -h | --help)
      usage
      return
      ;;
    '')
      list_stages
      return
      ;;
  esac
  if ! grep -q "^$1 " tests/reliability/stages.conf; then
    printf "soak: error: there is no stage '%s'\nhint: tools/soak.sh lists them\n" "$1" >&2
    return 2
  fi
  arguments=("$1" --long)
  [[ -z ${2:-} ]] || arguments+=(--seed "$2")
  [[ -z ${3:-} ]] || arguments+=(--count "$3")
  tools/build.sh "$preset" >/dev/null
  exec python3 tests/reliability/run_stage.py --build "build/$preset" "${arguments[@]}"
}

main "$@"
