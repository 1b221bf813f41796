#!/usr/bin/env bash
# A private PostgreSQL server for tests and measurements, which leaves nothing behind.
set -euo pipefail

usage() {
  cat <<'TXT'
Examples:
  tools/postgres.sh run build/release/tests/projections/tenantry_postgres_test
                                            a server for the length of one command
  tools/postgres.sh run --durable -- pgbench --version
                                            with the stock settings, for measurements
  tools/postgres.sh start /tmp/my-postgres  prints the URL; --tcp: also on a free port of 127.0.0.1
  tools/postgres.sh stop /tmp/my-postgres   ends it and removes all that it wrote, if there is one

`run` gives the command TENANTRY_TEST_POSTGRES=<url> and exits as it does; with --tcp also
TENANTRY_TEST_POSTGRES_TCP=<url>, with a password. DIR is new or empty, or has a server of an
earlier `start`: one that answers is used again as it is, one that crashed is replaced.
The server never runs as root: root has the user `postgres` run it. It listens on a Unix socket in
DIR, which only that user and root may enter, and asks members of a role `asks_password`, should a
test make one, for their password. Without --durable nothing waits for the disk: a crash of the
machine may destroy the data.
TXT
}

directory=""
durable=no
tcp=no
command_line=()
binaries=""

fail() {
  printf 'postgres: error: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'hint: %s\n' "$2" >&2
  exit 1
}
usage_error() {
  printf 'postgres: error: %s\nhint: tools/postgres.sh --help\n' "$1" >&2
  exit 2
}

parse_options() {
  while (($# > 0)); do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --durable) durable=yes ;;
      --tcp) tcp=yes ;;
      --)
        shift
        command_line=("$@")
        return
        ;;
      -*) usage_error "unknown option '$1'" ;;
      *)
        command_line=("$@")
        return
        ;;
    esac
    shift
  done
}

# The newest of the versions that Debian keeps side by side, else what the path has.
find_binaries() {
  local found
  found=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
  [[ -x $found ]] || found=$(command -v postgres || true)
  [[ -x $found ]] || fail "this machine has no PostgreSQL server" "tools/install-deps.sh"
  binaries=$(dirname "$(realpath "$found")")
}

# PostgreSQL refuses to run as root.
as_server_user() {
  if ((EUID == 0)); then
    (cd "$directory" && runuser -u postgres -- "$@")
  else
    "$@"
  fi
}

url() { printf 'postgresql:///postgres?host=%s&port=%s&user=postgres\n' "$directory" "$1"; }
tcp_url() { printf 'postgresql://postgres:%s@127.0.0.1:%s/postgres\n' "$2" "$1"; }

answers() {
  [[ -s $directory/url ]] &&
    "$binaries/psql" -X -q -d "$(head -n 1 "$directory/url")" -c 'SELECT 1' >/dev/null 2>&1
}

prepare_directory() {
  local path=$directory/.s.PGSQL.65535
  ((${#path} <= 107)) ||
    fail "the path is too long for a socket: $directory" "take a shorter one, such as /tmp/pg"
  # What these would need to be quoted in a connection string.
  [[ $directory =~ ^[A-Za-z0-9/._-]+$ ]] ||
    fail "a character of this path cannot stand in the server's URL: $directory" \
      "take a path of letters, digits, '.', '_' and '-'"
  [[ ! -e $directory || -e $directory/made-by-tenantry ]] ||
    rmdir "$directory" 2>/dev/null ||
    fail "$directory is not empty, and was not made by this script" "name a new directory"
  remove_server
  mkdir -p "$directory"
  chmod 700 "$directory"
  touch "$directory/made-by-tenantry"
  if ((EUID == 0)); then
    id postgres >/dev/null 2>&1 ||
      fail "there is no user 'postgres', and root may not run the server" "tools/install-deps.sh"
    chown postgres: "$directory" "$directory/made-by-tenantry"
  fi
  as_server_user test -w "$directory" ||
    fail "the user 'postgres' cannot enter $directory" "take a directory below /tmp"
}

write_settings() {
  local rules=$directory/data/pg_hba.conf
  as_server_user sed -i '1i local all +asks_password scram-sha-256' "$rules"
  {
    printf "unix_socket_directories = '%s'\n" "$directory"
    printf "listen_addresses = ''\n"
    # The /dev/shm of a container may be small.
    printf 'dynamic_shared_memory_type = mmap\n'
    [[ $durable == yes ]] || printf 'fsync = off\nfull_page_writes = off\n'
  } | as_server_user tee -a "$directory/data/postgresql.conf" >/dev/null
}

make_cluster() {
  local password=$1
  printf '%s\n' "$password" | as_server_user tee "$directory/password" >/dev/null
  as_server_user "$binaries/initdb" -D "$directory/data" --no-sync --username=postgres \
    --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 \
    --pwfile="$directory/password" >"$directory/initdb.log" 2>&1 ||
    fail "initdb failed: $(tail -n 5 "$directory/initdb.log")" "the directory: $directory"
  write_settings
}

# Starts the server on one port; false when it does not come up.
start_on_port() {
  local options="-p $1"
  [[ $tcp == no ]] || options+=" -c listen_addresses=127.0.0.1"
  as_server_user "$binaries/pg_ctl" -D "$directory/data" -l "$directory/log" -w -t 60 -s \
    -o "$options" start >/dev/null 2>&1 </dev/null
}

start_server() {
  local password port=5432 attempt
  if answers; then
    return
  fi
  prepare_directory
  password=$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')
  make_cluster "$password"
  for attempt in 1 2 3 4 5 6 7 8; do
    # Below the ports that the kernel gives to outgoing connections.
    [[ $tcp == no ]] || port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
    if start_on_port "$port"; then
      url "$port" >"$directory/url"
      [[ $tcp == no ]] || tcp_url "$port" "$password" >>"$directory/url"
      return
    fi
    grep -q 'could not bind' "$directory/log" 2>/dev/null || break
  done
  fail "the server did not start (attempt $attempt): $(tail -n 5 "$directory/log" 2>/dev/null)"
}

# Ends what runs in the directory, crashed or not, and removes what this script wrote.
remove_server() {
  [[ -e $directory/made-by-tenantry ]] || return 0
  if [[ -e $directory/data/postmaster.pid ]]; then
    as_server_user "$binaries/pg_ctl" -D "$directory/data" -m immediate -w -t 60 -s stop \
      >/dev/null 2>&1 || true
    as_server_user "$binaries/pg_ctl" -D "$directory/data" status >/dev/null 2>&1 &&
      fail "the server in $directory does not stop" "its log: $directory/log"
  fi
  rm -rf -- "$directory"
}

run_command() {
  local code=0 urls
  directory=$(mktemp -d "${TMPDIR:-/tmp}/tenantry-pg-XXXXXX")
  trap remove_server EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  start_server
  mapfile -t urls <"$directory/url"
  export TENANTRY_TEST_POSTGRES=${urls[0]}
  [[ $tcp == no ]] || export TENANTRY_TEST_POSTGRES_TCP=${urls[1]}
  "${command_line[@]}" || code=$?
  return "$code"
}

main() {
  local action=${1:-}
  (($# == 0)) || shift
  case $action in
    start | stop | run) ;;
    -h | --help)
      usage
      return
      ;;
    *) usage_error "'$action' is none of start, stop, run" ;;
  esac
  parse_options "$@"
  ((${#command_line[@]} > 0)) ||
    usage_error "$action needs $([[ $action == run ]] && echo 'a command' || echo 'a directory')"
  find_binaries
  if [[ $action == run ]]; then
    run_command
    return
  fi
  ((${#command_line[@]} == 1)) || usage_error "$action takes one directory, options before it"
  directory=$(realpath -m -- "${command_line[0]}")
  if [[ $action == start ]]; then
    start_server
    cat "$directory/url"
  else
    remove_server
  fi
}

main "$@"
