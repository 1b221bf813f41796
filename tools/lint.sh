#!/usr/bin/env bash
# The checks that read the source: clang-format, clang-tidy (clean files are cached), shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  tools/lint.sh                            all checks; the last line counts them
  tools/lint.sh clang-format shellcheck    only these (also: clang-tidy)
  tools/lint.sh --fix                      lets clang-format rewrite the files instead
  tools/lint.sh clang-tidy core/clock.cc   clang-tidy over the named files only
                                           (without names: events, core, projections)

clang-tidy reads build/release/compile_commands.json: run tools/build.sh before. A file is not read
again while its own text, the headers of ours that it includes, its compile command and .clang-tidy
stay the same. The cache: ${XDG_CACHE_HOME:-~/.cache}/tenantry-tidy, safe to delete.
TXT
}

export build_directory=build/release
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

# Lines "file<TAB>object<TAB>command" for each translation unit of ours, once per file.
translation_units() {
  local wanted=$1
  jq -r '.[] | [.file, (.output // ""), .command] | @tsv' "$build_directory/compile_commands.json" |
    sed "s|^$PWD/||" | sort -t $'\t' -u -k 1,1 |
    awk -F '\t' 'NR == FNR { ours[$1] = 1; next } $1 in ours' "$wanted" -
}

# Lines "object<TAB>header of ours" from what ninja recorded when it compiled: with ccache's base
# directory set, relative to where it ran.
recorded_headers() {
  ninja -C "$build_directory" -t deps 2>/dev/null | grep -v '^ninja:' |
    awk -v root="$PWD/" -v build="$build_directory/" -v up="${build_directory//[^\/]/}" '
      BEGIN { gsub("/", "../", up); up = up "../" }
      /^[^ ]/ { object = $1; sub(/:$/, "", object); next }
      index($1, root) == 1 { print object "\t" substr($1, length(root) + 1); next }
      index($1, up) == 1 { print object "\t" substr($1, length(up) + 1); next }
      NF && substr($1, 1, 1) != "/" { print object "\t" build $1 }' || true
}

# Prints what decides the verdict on one translation unit: texts, flags, rules, program.
tidy_key() {
  local file=$1 object=$2 command=$3 headers
  headers=$(awk -F '\t' -v object="$object" '$1 == object { print $2 }' "$work/headers")
  # Not compiled yet: any header may be included.
  [[ -n $headers ]] || headers=$(cat "$work/all_headers")
  {
    cat "$work/rules"
    printf '%s\n' "${command//$PWD/.}"
    # A header that went away since the last build simply is no part of the key.
    printf '%s\n%s\n' "$file" "$headers" | sort -u | xargs -r -d '\n' sha256sum 2>/dev/null || true
  } | sha256sum | cut -d ' ' -f 1
}

# Exits 0 for a clean file; leaves a line in $work/linted if clang-tidy had to look.
tidy_one() {
  local file object command key output started=$SECONDS
  IFS=$'\t' read -r file object command <<<"$1"
  key=$(tidy_key "$file" "$object" "$command")
  [[ ! -e $cache/$key ]] || {
    touch "$cache/$key"
    return 0
  }
  printf '%s\n' "$file" >>"$work/linted"
  if output=$(clang-tidy --quiet -p "$build_directory" --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-error "$file" 2>&1 </dev/null); then
    : >"$cache/$key"
    printf 'clang-tidy: %s clean (%d s)\n' "$file" "$((SECONDS - started))"
  else
    printf '%s\n' "$file" >>"$work/bad"
    # The count of warnings in foreign headers tells nobody anything.
    printf '%s\nclang-tidy: %s has findings\n' \
      "$(grep -vE '^[0-9]+ warnings? generated\.$' <<<"$output" || true)" "$file"
  fi
}

check_clang_tidy() {
  [[ -f $build_directory/compile_commands.json ]] ||
    fail "no $build_directory/compile_commands.json" "tools/build.sh configures and builds it"
  work=$(mktemp -d)
  export work
  # shellcheck disable=SC2064  # The directory's name is wanted as it is now.
  trap "rm -rf '$work'" EXIT
  mkdir -p "$cache"
  find "$cache" -type f -mtime +30 -delete
  touch "$work/linted" "$work/bad"

  if (($# > 0)); then
    printf '%s\n' "$@" | sort -u >"$work/wanted"
  else
    our_files 'events/*.cc' 'core/*.cc' 'projections/*.cc' >"$work/wanted"
  fi
  translation_units "$work/wanted" >"$work/units"
  recorded_headers >"$work/headers"
  our_files '*.h' '*.capnp' >"$work/all_headers"
  {
    clang-tidy --version
    our_files '.clang-tidy' '*/.clang-tidy' | xargs -r -d '\n' cat
  } >"$work/rules"
  local total linted bad
  total=$(wc -l <"$work/units")
  ((total > 0)) || fail "no file of ours stands in the compile database" "tools/build.sh"
  if (($# > 0 && total < $#)); then
    fail "not all of the named files are compiled" "name .cc files relative to the project's root"
  fi

  export -f tidy_one tidy_key
  # shellcheck disable=SC2016  # The inner shell expands it.
  tr '\n' '\0' <"$work/units" | xargs -0 -P "$jobs" -I '{}' bash -c 'tidy_one "$1"' _ '{}' || true
  linted=$(wc -l <"$work/linted")
  bad=$(wc -l <"$work/bad")
  say "clang-tidy: $total files: $((total - linted)) cached, $linted read, $bad with findings"
  ((bad == 0))
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
      clang-format | clang-tidy | shellcheck) checks+=("check_${argument//-/_}") ;;
      *.cc) files+=("$argument") ;;
      *) fail "unknown check or option '$argument'" "tools/lint.sh --help" ;;
    esac
  done
  ((${#checks[@]} > 0)) || checks=(check_clang_format check_shellcheck check_clang_tidy)
  local check
  for check in "${checks[@]}"; do
    if [[ $check == check_clang_tidy ]]; then
      run_check "$check" "${files[@]}"
    else
      run_check "$check"
    fi
  done
  say "$passed passed, $failed failed"
  ((failed == 0))
}

main "$@"
