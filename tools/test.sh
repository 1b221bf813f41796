#!/usr/bin/env bash
# Builds, runs every test and every check. The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  tools/test.sh                          release: tests, stages, the checks of tools/lint.sh; then
                                         the tests and planted bugs under the address and
                                         undefined-behaviour sanitizers (under an hour on 2 cores)
  tools/test.sh --quick                  release: the tests only
  tools/test.sh --stages                 release: the stages of tests/reliability only
  tools/test.sh --all                    everything; clang's analyzer; the tests under the thread
                                         sanitizer
  tools/test.sh --filter EventLog        release: tests whose name matches the regular expression
  tools/test.sh --preset asan-ubsan      build and test under one preset (also: tsan, debug)

A stage tries many cases (tests/reliability/stages.conf); tools/soak.sh runs one for longer.

The last line is "N passed, N failed": tests and checks together; exit 0 if none failed.
TENANTRY_JOBS limits parallel compilations (default: one per core); tests run two at a time.
TXT
}

preset=release
lint=yes
checks=(clang-format shellcheck clang-tidy)
sanitizers=(asan-ubsan)
filter=""
labels=()
passed=0
failed=0

say() { printf 'test: %s\n' "$*"; }
usage_error() {
  printf 'test: error: %s\nhint: tools/test.sh --help\n' "$1" >&2
  exit 2
}

value_of() {
  [[ -n ${2:-} ]] || usage_error "$1 needs a value"
  printf '%s\n' "$2"
}

# One build and no checks; `$@` selects tests by their labels.
tests_only() {
  lint=no
  sanitizers=()
  labels=("$@")
}

parse_options() {
  while (($# > 0)); do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --quick) tests_only --label-exclude '^reliability$' ;;
      --stages) tests_only --label-regex '^reliability$' ;;
      --all)
        checks+=(analyzer)
        sanitizers=(asan-ubsan tsan)
        ;;
      --preset)
        preset=$(value_of "$@")
        tests_only --label-exclude '^reliability$'
        shift
        ;;
      --filter)
        filter=$(value_of "$@")
        tests_only
        shift
        ;;
      *) usage_error "unknown option '$1'" ;;
    esac
    shift
  done
}

# Prints the count that the attribute $1 of a JUnit file's first element holds.
junit_count() {
  sed -nE "s/.*[[:space:]]$1=\"([0-9]+)\".*/\1/p" "$2" | head -n 1
}

set_sanitizer_options() {
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
  local leaks=$PWD/tests/support/leaks.supp
  export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$leaks:print_suppressions=0}
  # The packaged libraries are not instrumented: what happens inside them cannot be judged.
  export TSAN_OPTIONS=${TSAN_OPTIONS:-ignore_noninstrumented_modules=1 second_deadlock_stack=1}
}

run_tests() {
  local results=build/$preset/test-results.xml arguments=()
  arguments=(--test-dir "build/$preset" --parallel 2 --output-on-failure --no-tests=error
    --timeout 1500 --output-junit "$PWD/$results" "${labels[@]}")
  [[ -z $filter ]] || arguments+=(--tests-regex "$filter")
  rm -f "$results"
  say "running the tests of the preset $preset"
  # An interrupted ctest leaves the server of its tests behind.
  trap 'ctest --test-dir "build/$preset" -R "^postgres\.stop$" >/dev/null 2>&1' EXIT
  ctest "${arguments[@]}" >"build/$preset/ctest.log" 2>&1 </dev/null || true
  # Passed tests are as good as silent; all else is printed, and what each stage came to.
  grep -vE '^( *[0-9]+/[0-9]+ Test .* Passed| *Start +[0-9]+:)' "build/$preset/ctest.log" || true
  grep -hE '^[a-z-]+: [0-9]+ of [0-9]+ ' "build/$preset/Testing/Temporary/LastTest.log" || true
  count_tests "$results"
}

count_tests() {
  local total bad idle
  total=$(junit_count tests "$1" 2>/dev/null || true)
  if [[ -z $total || $total == 0 ]]; then
    say "ctest ran no test"
    failed=$((failed + 1))
    return
  fi
  bad=$(junit_count failures "$1")
  idle=$(($(junit_count skipped "$1") + $(junit_count disabled "$1")))
  ((idle == 0)) || say "$idle tests were skipped; they count as neither passed nor failed"
  passed=$((passed + total - bad - idle))
  failed=$((failed + bad))
}

run_lint() {
  local log=build/$preset/lint.log counts
  tools/lint.sh "${checks[@]}" 2>&1 </dev/null | tee "$log" | sed '$d' || true
  counts=$(tail -n 1 "$log")
  if [[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
  else
    printf '%s\n' "$counts"
    failed=$((failed + 1))
  fi
}

# g++ 12's thread sanitizer cannot lay out its memory where the kernel randomises addresses by more
# than 28 bits: there the whole run, which starts tests while it builds, goes without.
without_address_randomisation() {
  local bits
  bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
  if [[ $preset == tsan && $bits -gt 28 && -z ${TENANTRY_FIXED_ADDRESSES:-} ]] &&
    setarch "$(uname -m)" -R true 2>/dev/null; then
    TENANTRY_FIXED_ADDRESSES=yes exec setarch "$(uname -m)" -R tools/test.sh "$@"
  fi
}

build_and_run() {
  if tools/build.sh "$preset" >/dev/null; then
    run_tests
  else
    failed=$((failed + 1))
  fi
  say "preset $preset: done after $((SECONDS / 60)) min $((SECONDS % 60)) s"
}

# A whole run counts as one.
count_run() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

main() {
  parse_options "$@"
  without_address_randomisation "$@"
  local sanitizer=""
  set_sanitizer_options
  if [[ $lint == yes ]]; then
    tools/install-deps.sh --checks || failed=1
  fi
  if ((failed == 0)); then
    build_and_run
    [[ $lint == no ]] || run_lint
    # Runs of their own: the thread sanitizer may need another layout of memory.
    for sanitizer in "${sanitizers[@]}"; do
      count_run tools/test.sh --preset "$sanitizer"
    done
  fi
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}

main "$@"
