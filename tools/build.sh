#!/usr/bin/env bash
# Installs what is missing, configures one preset and builds it. Prints the path of the binary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  tools/build.sh               release, into build/release
  tools/build.sh debug         another preset of CMakePresets.json: debug, asan-ubsan, tsan

The path of the binary is the last line on standard output; all else is on standard error.
TENANTRY_JOBS limits the parallel compilations (default: one per core).
TXT
}

say() { printf 'build: %s\n' "$*" >&2; }
fail() {
  printf 'build: error: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# Runs a command with its output in a file, which is shown only if the command fails.
quietly() {
  local log=$1
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    fail "'$*' failed" "the whole output is in $log"
  fi
}

# A line of ninja's progress every 15 seconds, until the process $1 is gone.
report_progress() {
  local pid=$1 log=$2 waited=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    waited=$((waited + 1))
    if ((waited % 75 == 0)); then
      say "$(tail -n 50 "$log" | grep -oE '^\[[0-9]+/[0-9]+\]' | tail -n 1 || true) still building"
    fi
  done
}

build() {
  local directory=$1 log=$2 started=$SECONDS
  local jobs=${TENANTRY_JOBS:-$(nproc)}
  ninja -C "$directory" -j "$jobs" >"$log" 2>&1 </dev/null &
  local pid=$!
  trap 'kill "$pid" 2>/dev/null || true' INT TERM
  report_progress "$pid" "$log"
  if ! wait "$pid"; then
    # Ninja prints a failed command's output at once after its name: the end of the log has it.
    grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 200 >&2 || true
    fail "the build failed" "the whole output is in $directory/build.log"
  fi
  trap - INT TERM
  grep -hE '(warning|Warning):' "$log" >&2 || true
  say "built in $((SECONDS - started)) s"
}

main() {
  local preset=${1:-release}
  case $preset in
    -h | --help)
      usage
      return
      ;;
    -*) fail "unknown option '$preset'" "tools/build.sh --help" ;;
  esac
  (($# <= 1)) || fail "one preset at a time" "tools/build.sh --help"

  tools/install-deps.sh >&2
  cmake --list-presets 2>/dev/null | grep -qF "\"$preset\"" ||
    fail "there is no preset '$preset'" "cmake --list-presets names them"

  local directory=build/$preset
  mkdir -p "$directory"
  say "configuring $preset"
  quietly "$directory/configure.log" cmake --preset "$preset"
  say "building $preset in $directory"
  build "$directory" "$directory/build.log"
  printf '%s\n' "$directory/tools/tenantry"
}

main "$@"
