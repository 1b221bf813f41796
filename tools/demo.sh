#!/usr/bin/env bash
# Shows the product on a sample history: apply, project, audit, look back, lose and rebuild, verify.
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TXT'
Examples:
  tools/demo.sh                       installs what is missing, builds, and shows everything
  tools/demo.sh --no-build            with the binary that is already in build/release
  tools/demo.sh --dir /tmp/tenantry   keeps the store and the read model there

Every step says what it shows and why, prints its commands and checks their outcome; the first
outcome that is not as expected ends the demo with exit 1. Asks nothing, and touches nothing outside
the directory, which must be new or empty. Without --dir it is a temporary one, removed at the end.
--binary FILE takes another tenantry. Installing needs root or sudo, all else does not.
TXT
}

history=tools/demo/sample.ndjson
binary=""
build=yes
directory=""
keep=no
step=0
output=""
commands=0  # In the sample history.
events=0    # That they became.

fail() {
  printf '\ndemo: error: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'hint: %s\n' "$2" >&2
  exit 1
}
usage_error() {
  printf 'demo: error: %s\nhint: tools/demo.sh --help\n' "$1" >&2
  exit 2
}

parse_options() {
  while (($# > 0)); do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --no-build) build=no ;;
      --dir | --binary)
        [[ -n ${2:-} ]] || usage_error "$1 needs a value"
        local path
        path=$(cd "$caller" && realpath -m "$2")
        if [[ $1 == --binary ]]; then
          binary=$path
        else
          directory=$path
          keep=yes
        fi
        shift
        ;;
      *) usage_error "unknown option '$1'" ;;
    esac
    shift
  done
  [[ -z $binary ]] || build=no
}

find_binary() {
  if [[ $build == yes ]]; then
    binary=$(tools/build.sh release | tail -n 1)
  fi
  binary=${binary:-build/release/tools/tenantry}
  [[ -x $binary ]] ||
    fail "there is no program $binary" "tools/build.sh, or run without --no-build"
  binary=$(realpath "$binary")
  command -v sqlite3 >/dev/null || fail "there is no sqlite3" "tools/install-deps.sh"
}

# No failure is silent, and a temporary directory does not stay.
finish() {
  local status=$?
  ((status == 0)) || printf 'demo: FAILED in step %d, exit code %d\n' "$step" "$status" >&2
  [[ $keep == yes || -z $directory ]] || rm -rf "$directory"
}

# Where everything happens. The commands that are shown rely on it being the current directory.
enter_directory() {
  if [[ -n $directory ]]; then
    mkdir -p "$directory"
    [[ -z $(ls -A "$directory") ]] || usage_error "$directory is not empty"
  else
    directory=$(mktemp -d "${TMPDIR:-/tmp}/tenantry-demo.XXXXXX")
  fi
  mkdir "$directory/.bin"
  ln -s "$binary" "$directory/.bin/tenantry"
  cp "$history" "$directory/sample.ndjson"
  cd "$directory"
  PATH=$directory/.bin:$PATH
  unset TENANTRY_STORE TENANTRY_READ_MODEL DATABASE_URL
  export LC_ALL=C.UTF-8
}

# Starts a step: a headline, then why it matters.
show() {
  step=$((step + 1))
  printf '%s\n%d. %s\n' "$(printf '─%.0s' {1..100})" "$step" "$1"
  shift
  printf '   %s\n' "$@"
  printf '\n'
}

# Prints a command line and runs it: the exit code must be $1. Keeps what it printed in $output, and
# prints of it the first $lines lines.
lines=40
run() {
  local expected=$1 line=$2 status=0
  printf '$ %s\n' "$line"
  output=$(eval "$line" 2>&1 </dev/null) || status=$?
  if [[ -n $output ]]; then
    head -n "$lines" <<<"$output" | sed 's/^/  /'
    local all
    all=$(wc -l <<<"$output")
    ((all <= lines)) || printf '  … and %d more lines\n' "$((all - lines))"
  fi
  ((status == expected)) || fail "exit code $status, expected $expected, of: $line"
  ((expected == 0)) || printf '  (exit code %d, as it must be)\n' "$status"
  printf '\n'
}

# The last command must have printed this.
expect() {
  grep -qF -- "$1" <<<"$output" || fail "the output above lacks: $1"
}
expect_not() {
  ! grep -qF -- "$1" <<<"$output" || fail "the output above must not have: $1"
}
expect_equal() {
  [[ $1 == "$2" ]] || fail "$3: expected '$2', found '$1'"
}
held() { printf '  ✓ %s\n\n' "$1"; }

# Everything that the read model's tables hold, without the projection's own bookkeeping.
dump_read_model() {
  local table
  for table in auth_user core_protein core_userpreferences tenants_tenant tenants_tenantdomain \
    tenants_tenant_user tenants_invitation; do
    printf '%s\n' "$table"
    sqlite3 tenantry-store/read_model.sqlite3 "SELECT * FROM $table ORDER BY id"
  done
}
tail_position() { tenantry log --reverse --limit 1 -o ndjson --fields position | tr -dc '0-9'; }

apply_history() {
  commands=$(wc -l <sample.ndjson)
  show "Two years of a small company become a log of events" \
    "sample.ndjson holds $commands commands of Brennholt Provisions, an invented group of food" \
    "wholesalers: the story stands in tools/demo/README.md. Each command is decided by the" \
    "rules into events, and answered only when its events are on the disk. --historic lets the" \
    "commands bring their own times."
  run 0 "tenantry init"
  run 0 "head -n 1 sample.ndjson"
  lines=3 run 0 "tenantry apply --historic sample.ndjson"
  expect '"status":"accepted"'
  expect_not '"rejected"'
  expect_not '"invalid"'
  expect "$commands accepted, 0 rejected, 0 invalid"
  events=$(tail_position)
  ((events > commands)) || fail "fewer events than commands: $events"
  held "$commands commands accepted, none rejected: $events events, numbered without a gap"
}

fill_read_model() {
  show "The tables that the application reads" \
    "project applies what is new in the log to SQL tables, rows and checkpoint in one" \
    "transaction. They are laid out as Django makes them: a backend reads them without knowing" \
    "of Tenantry. sqlite3 may too."
  run 0 "tenantry project -o table"
  run 0 "sqlite3 -box tenantry-store/read_model.sqlite3 \"
    SELECT t.slug, t.name, t.is_active, count(m.id) AS members
    FROM tenants_tenant t LEFT JOIN tenants_tenant_user m ON m.tenant_id = t.id AND m.is_active
    GROUP BY t.id ORDER BY t.created_at\""
  expect "Café Dépôt Suisse"
  expect_not "alpine-lamb"
  run 0 "tenantry rows tenants_tenantdomain --names -o table \
    --fields tenant_slug,domain,is_primary,is_active"
  expect "alpinelamb.example"
  dump_read_model >before.txt
  held "5 tenants are left; the sixth was a pilot and is gone, its domain lives on in Zürich"
}

audit() {
  show "Who changed what, when, through which channel, and why" \
    "In May 2024 price lists were copied. Viktor was a manager: how did he become an admin, and" \
    "who took it away? His account was deleted later, at his own request. What he could do, and" \
    "when, still stands."
  run 0 "tenantry history member/brennholt-meats/viktor.hahn -o table"
  expect "temporary, agreed by phone"
  expect "nobody had agreed to the admin role"
  expect "MemberRemoved"
  held "his whole membership, with each field old and new, though no row of it is left"

  run 0 "tenantry log --tenant brennholt-meats --after 2024-05-01 --through 2024-05-14 -p -o table"
  expect "investigation"
  expect_not "AUDIT-2023"
  held "two weeks of one tenant, and of no other"

  run 0 "tenantry blame tenant/saltmarsh -o table --fields field,value,position,actor,reason"
  expect "Saltmarsh sells game as well"
  held "every field of a row names the event that set it, the person and the reason"
}

look_back() {
  show "The tables as they stood on any day" \
    "Who had access to the meat business on 1 May 2024? The question comes a year later, and no" \
    "backup is needed to answer it: the state at any position or time is folded from the log."
  local select="tenantry rows tenants_tenant_user --tenant brennholt-meats --names -o table"
  select+=" --fields user_username,role,is_active"
  run 0 "$select --as-of 2024-05-01"
  expect "viktor.hahn"
  expect "nuria.pujol"
  expect_not "nuria.lindqvist"
  run 0 "$select"
  expect_not "viktor.hahn"
  expect "nuria.lindqvist"
  held "Viktor is there as an admin, Núria still under her former name; today neither is"
}

retry() {
  show "A retry changes nothing" \
    "The network broke and nobody knows whether the commands arrived? Send them again. An id" \
    "that was accepted gets its first answer; no event is written twice."
  run 0 "tenantry apply --historic --quiet-accepted sample.ndjson"
  expect_equal "$(tail_position)" "$events" "the log's last position"
  held "still $events events"
  run 4 "head -n 1 sample.ndjson | sed s/Beef/Bison/ | tenantry apply --historic"
  expect "id_reused"
  held "the same id with other content is refused, not taken for a retry"
}

reset_read_model() {
  show "The read model is lost, and comes back the same" \
    "A database was dropped, restored from an old dump or migrated badly. rebuild brings the" \
    "tables back from the log, ids, times and password hashes included, and certifies each" \
    "table's rows and digest."
  run 0 "rm tenantry-store/read_model.sqlite3*"
  run 0 "tenantry rebuild -o table"
  expect "verdict      equal"
  dump_read_model >after.txt
  cmp -s before.txt after.txt || fail "the tables differ from those before the reset"
  held "all seven tables are, value for value, what they were before"
  local digests
  digests=$(grep -oE '[0-9a-f]{12}…$' <<<"$output")
  run 0 "tenantry rebuild --from-events -o table"
  expect_equal "$(wc -l <<<"$digests")" 7 "the number of digests"
  expect_equal "$(grep -oE '[0-9a-f]{12}…$' <<<"$output")" "$digests" "the tables' digests"
  held "folding the whole history, instead of reading the current state, gives the same digests"
}

tamper() {
  show "Somebody edits the database by hand" \
    "Kasper makes himself an owner, and a domain disappears. Nothing in SQL forbids it; verify" \
    "compares every row with the log, names what differs, and the event that last wrote the" \
    "row. Its exit code is 1."
  local tampered=(
    "UPDATE tenants_tenant_user SET role = 'owner'
    WHERE user_id = (SELECT id FROM auth_user WHERE username = 'kasper.moe')"
    "DELETE FROM tenants_tenantdomain WHERE domain = 'shop.saltmarsh.example'"
  )
  local statement
  for statement in "${tampered[@]}"; do
    run 0 "sqlite3 tenantry-store/read_model.sqlite3 \"$statement\""
  done
  run 1 "tenantry verify -o table"
  expect "role is owner, not manager"
  expect "shop.saltmarsh.example"
  held "both edits are found and named"
  run 0 "tenantry rebuild -o table --fields table,inserted,updated,deleted,unchanged,equal"
  dump_read_model >after.txt
  cmp -s before.txt after.txt || fail "the tables differ from those before the edits"
  held "only what differed was written, and the tables are again what they were"
}

damage() {
  show "Somebody edits the history itself" \
    "In a copy of the store, six bytes of a file are overwritten. Checksums cover every block," \
    "a hash chain every event: verify refuses the copy with exit code 7."
  run 0 "cp -r tenantry-store edited-store"
  local file
  file=$(find edited-store/db -name '*.sst' -printf '%s %p\n' | sort -n | tail -n 1)
  file=${file#* }
  run 0 "printf edited | dd of=$file bs=1 seek=10000 conv=notrunc status=none"
  run 7 "tenantry --store edited-store verify -o table"
  rm -r edited-store
  held "found; the store itself is untouched"
}

prove() {
  show "Proof that all of it is sound" \
    "verify reads everything again: checksums, positions without a gap, the hash chain over all" \
    "events, the current state against the folded history, and the read model against the log."
  run 0 "tenantry verify -o table"
  run 0 "tenantry status -o table --fields tail,last_recorded_at,bytes,read_model"
  expect "up_to_date"
  expect "$events"
}

summarise() {
  printf '%s\n' "$(printf '─%.0s' {1..100})"
  cat <<TXT
Shown, and each outcome checked:
  - $events events from $commands commands, decided by rules, durable before they were answered
  - the application's SQL tables, filled from the log; lost, and rebuilt to the same values
  - who changed what, when and why, also of rows that are gone; the tables of a past day
  - a retry that changes nothing; a hand-edited database, caught row by row and mended
  - an edited history, refused
TXT
  if [[ $keep == yes ]]; then
    printf 'The store: %s/tenantry-store, the read model: read_model.sqlite3 in it.\n' "$directory"
    printf 'Go on with: cd %s && .bin/tenantry log --reverse --limit 5 -p\n' "$directory"
  else
    printf 'It happened in %s, which is removed now: --dir DIR keeps it.\n' "$directory"
    printf 'The program: %s\n' "$binary"
  fi
}

main() {
  parse_options "$@"
  find_binary
  trap finish EXIT
  enter_directory
  apply_history
  fill_read_model
  audit
  look_back
  retry
  reset_read_model
  tamper
  damage
  prove
  summarise
}

main "$@"
