#!/usr/bin/env bash
# The checks that read the source: clang-format, clang-tidy (clean files are cached), shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  tools/lint.sh                            clang-format, shellcheck, clang-tidy; the last line
                                           counts them
  tools/lint.sh clang-format shellcheck    only these
  tools/lint.sh --fix                      lets clang-format rewrite the files instead
  tools/lint.sh clang-tidy                 all but clang's analyzer, over events, core and
                                           projections as they are compiled: several files as one
  tools/lint.sh analyzer                   each of these files by itself, with every check (takes
                                           five times as long)
  tools/lint.sh analyzer core/clock.cc     the named files only

clang-tidy needs what tools/build.sh makes: run that before. What is clean is not read again while
its text, the headers of ours that it includes, its compile command and .clang-tidy stay the same.
The cache: ${XDG_CACHE_HOME:-~/.cache}/tenantry-tidy, safe to delete.
TXT
}

readonly build_directory=build/release
export cache=${XDG_CACHE_HOME:-$HOME/.cache}/tenantry-tidy
jobs=${TENANTRY_JOBS:-$(nproc)}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'lint: error: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# Files of ours, committed or not, that match the pathspecs and are still there.
our_files() {
  git ls-files --cached --others --exclude-standard -- "$@" | sort -u |
    while IFS= read -r file; do
      [[ ! -f $file ]] || printf '%s\n' "$file"
    done
}

format_files() { our_files '*.h' '*.cc'; }

check_clang_format() {
  local files
  mapfile -t files < <(format_files)
  ((${#files[@]} > 0)) || return 0
  say "clang-format: ${#files[@]} files"
  if ! clang-format --dry-run -Werror --ferror-limit=3 "${files[@]}" </dev/null; then
    say "hint: tools/lint.sh --fix"
    return 1
  fi
}

check_shellcheck() {
  local files
  mapfile -t files < <({
    our_files '*.sh'
    our_files | while IFS= read -r file; do
      [[ $file == *.* && $file != .ci/* ]] ||
        ! head -c 32 "$file" | head -n 1 | grep -qaE '^#!.*\bbash$' || printf '%s\n' "$file"
    done
  } | sort -u)
  ((${#files[@]} > 0)) || return 0
  say "shellcheck: ${#files[@]} files"
  shellcheck "${files[@]}" </dev/null
}

# Prints what decides the verdict on one unit, which is compiled by that command: texts, flags,
# rules, program. Fails if it cannot be preprocessed.
tidy_key() {
  local command=$1 headers
  # Without what is to be written; the units that are made for a build differ in their paths only.
  headers=$(eval "${command%% -o *} -M ${command##* -c }" 2>/dev/null |
    tr -s ' \\\n' '\n' | grep -F "$PWD/" | grep -vF "/Unity/") || return 1
  {
    cat "$work/rules"
    printf '%s\n' "${command//$PWD/.}" "$options"
    printf '%s\n' "$headers" | sort -u | xargs -r -d '\n' sha256sum | sed "s|$PWD|.|"
  } | sha256sum | cut -d ' ' -f 1
}

# Leaves a line in $work/linted if clang-tidy had to look, one in $work/bad if it found something.
tidy_one() {
  local file command key output started=$SECONDS
  IFS=$'\t' read -r file command <<<"$1"
  key=$(tidy_key "$command") || key=unknown
  [[ ! -e $cache/$key ]] || {
    touch "$cache/$key"
    return 0
  }
  printf '%s\n' "$file" >>"$work/linted"
  # shellcheck disable=SC2086  # The options are several words.
  if output=$(clang-tidy --quiet -p "$work" --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-error $options "$file" 2>&1 </dev/null); then
    [[ $key == unknown ]] || : >"$cache/$key"
    printf 'clang-tidy: %s clean (%d s)\n' "${file#"$PWD/"}" "$((SECONDS - started))"
  else
    printf '%s\n' "$file" >>"$work/bad"
    # The count of warnings in foreign headers tells nobody anything.
    printf '%s\nclang-tidy: %s has findings\n' \
      "$(grep -vE '^[0-9]+ warnings? generated\.$' <<<"$output" || true)" "${file#"$PWD/"}"
  fi
}

# clang-tidy over the units of $work/compile_commands.json whose lines stand in $work/units, as
# "file<TAB>command"; more options are in $options.
run_clang_tidy() {
  mkdir -p "$cache"
  find "$cache" -type f -mtime +30 -delete
  touch "$work/linted" "$work/bad"
  {
    clang-tidy --version
    our_files '.clang-tidy' '*/.clang-tidy' | xargs -r -d '\n' cat
  } >"$work/rules"
  local total linted bad
  total=$(wc -l <"$work/units")
  ((total > 0)) || fail "nothing of ours stands in the compile database" "tools/build.sh"
  export -f tidy_one tidy_key
  export work options
  # shellcheck disable=SC2016  # The inner shell expands it.
  tr '\n' '\0' <"$work/units" | xargs -0 -P "$jobs" -I '{}' bash -c 'tidy_one "$1"' _ '{}' || true
  linted=$(wc -l <"$work/linted")
  bad=$(wc -l <"$work/bad")
  say "clang-tidy: $total units: $((total - linted)) cached, $linted read, $bad with findings"
  ((bad == 0))
}

# A directory of the check's own, in $work.
make_work() {
  [[ -f $build_directory/compile_commands.json ]] ||
    fail "no $build_directory/compile_commands.json" "tools/build.sh configures and builds it"
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # The directory's name is wanted as it is now.
  trap "rm -rf '$work'" EXIT
}

# What a build compiles as one, at once: reading the headers is what takes the time. The analyzer
# would look at nothing there, for to it these are headers.
check_clang_tidy() {
  make_work
  cp "$build_directory/compile_commands.json" "$work"
  jq -r '.[] | [.file, .command] | @tsv' "$work/compile_commands.json" | sort -u -t $'\t' -k 1,1 |
    grep -E "^$PWD/($build_directory/)?(events|core|projections)/.*\.(cc|cxx)"$'\t' >"$work/units"
  options="--checks=-clang-analyzer-*,-bugprone-suspicious-include"
  options+=" --header-filter=/(events|core|projections|tools|tests|bench)/[^.]*\.(h|cc)$"
  run_clang_tidy
}

# Each file by itself, which also shows that it includes what it needs.
check_analyzer() {
  make_work
  cmake --preset release -B "$work/each" -DCMAKE_UNITY_BUILD=OFF >"$work/log" 2>&1 ||
    fail "cmake failed" "$(tail -n 5 "$work/log")"
  # Generated headers are those of the build.
  sed "s|$work/each|$PWD/$build_directory|g" "$work/each/compile_commands.json" \
    >"$work/compile_commands.json"
  if (($# > 0)); then
    printf "$PWD/%s\n" "$@"
  else
    our_files 'events/*.cc' 'core/*.cc' 'projections/*.cc' | sed "s|^|$PWD/|"
  fi | sort -u >"$work/wanted"
  jq -r '.[] | [.file, .command] | @tsv' "$work/compile_commands.json" | sort -u -t $'\t' -k 1,1 |
    awk -F '\t' 'NR == FNR { ours[$1] = 1; next } $1 in ours' "$work/wanted" - >"$work/units"
  if (($(wc -l <"$work/units") < $#)); then
    fail "not all of the named files are compiled" "name .cc files relative to the project's root"
  fi
  options=""
  run_clang_tidy
}

# Counts one check. In a condition `set -e` would be off inside the check: it runs in its own shell.
passed=0
failed=0
run_check() {
  local name=$1 status=0
  shift
  set +e
  (
    set -e
    "$name" "$@"
  )
  status=$?
  set -e
  if ((status == 0)); then
    passed=$((passed + 1))
    say "PASS ${name#check_}"
  else
    failed=$((failed + 1))
    say "FAIL ${name#check_}"
  fi
}

main() {
  local checks=() files=() argument
  for argument in "$@"; do
    case $argument in
      -h | --help)
        usage
        return
        ;;
      --fix)
        format_files | xargs -r -d '\n' clang-format -i
        say "clang-format: rewrote what differed"
        return
        ;;
      clang-format | clang-tidy | shellcheck | analyzer) checks+=("check_${argument//-/_}") ;;
      *.cc) files+=("$argument") ;;
      *) fail "unknown check or option '$argument'" "tools/lint.sh --help" ;;
    esac
  done
  ((${#checks[@]} > 0)) || checks=(check_clang_format check_shellcheck check_clang_tidy)
  [[ ${#files[@]} == 0 || ${checks[*]} == check_analyzer ]] ||
    fail "files are named for the analyzer only" "tools/lint.sh analyzer ${files[*]}"
  local check
  for check in "${checks[@]}"; do
    if [[ $check == check_analyzer ]]; then
      run_check "$check" "${files[@]}"
    else
      run_check "$check"
    fi
  done
  say "$passed passed, $failed failed"
  ((failed == 0))
}

main "$@"
