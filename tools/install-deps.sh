#!/usr/bin/env bash
# Installs the Debian packages that build, tests and running need; --checks adds those of lint,
# --bench the rivals of the benchmarks, --fuzz what builds the fuzzers.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build ccache pkg-config git
  libjemalloc-dev librocksdb-dev libcapnp-dev capnproto libssl-dev libspdlog-dev libfmt-dev
  libcli11-dev rapidjson-dev libsimdjson-dev libicu-dev libxxhash-dev libbenchmark-dev libisal-dev
  libzstd-dev libsqlite3-dev libsqlitecpp-dev libpqxx-dev libpq-dev
  libgtest-dev libgmock-dev sqlite3 python3 postgresql-15 python3-django python3-psycopg2
)
check_packages=(clang-format clang-tidy shellcheck jq)
bench_packages=(redis-server libhiredis-dev)
fuzz_packages=(clang-14 libclang-rt-14-dev)

usage() {
  cat <<'TXT'
Examples:
  tools/install-deps.sh            what building, the tests and running need
  tools/install-deps.sh --checks   the same and what tools/lint.sh needs
  tools/install-deps.sh --bench    the same as without, and the rivals of bench/run.sh
  tools/install-deps.sh --fuzz     the same as without, and what builds the fuzzers of tests/fuzz

Does nothing, and needs no network, when all packages are there. Needs root or sudo otherwise.
TXT
}

say() { printf 'install-deps: %s\n' "$*"; }
fail() {
  printf 'install-deps: error: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

warn_unless_debian_12() {
  local system
  system=$(sed -n 's/^\(ID\|VERSION_ID\)=//p' /etc/os-release 2>/dev/null | tr -d '"' | sort -r |
    tr '\n' ' ' || true)
  [[ $system == "debian 12 " ]] ||
    printf 'install-deps: warning: made for Debian 12, this is %s; going on with apt\n' \
      "${system:-unknown }" >&2
}

# Prints those of the given packages that are not installed, one a line.
missing_of() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      printf '%s\n' "$package"
  done
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "$@" </dev/null
}

# The tests make servers of their own: the one that Debian's package makes when it is installed is
# not wanted.
without_main_cluster() {
  local setting=/etc/postgresql-common/createcluster.d/tenantry-install.conf code=0
  as_root mkdir -p "${setting%/*}"
  echo 'create_main_cluster = false' | as_root tee "$setting" >/dev/null
  ("$@") || code=$?  # Whatever ends it, the setting goes.
  as_root rm -f "$setting"
  return "$code"
}

# The lists of a fresh machine are empty, those of an old one name versions that are gone.
apt_install_with_retry() {
  if apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]' && apt_install "$@"; then
    return
  fi
  say "updating the package lists, then trying again"
  as_root apt-get update -q </dev/null || say "apt-get update failed; trying the old lists"
  apt_install "$@" || fail "apt-get could not install: $*" \
    "look at apt's message above; is there a network, and is 'main' of Debian 12 among the sources?"
}

main() {
  local packages=("${build_packages[@]}")
  case ${1:-} in
    "") ;;
    --checks) packages+=("${check_packages[@]}") ;;
    --bench) packages+=("${bench_packages[@]}") ;;
    --fuzz) packages+=("${fuzz_packages[@]}") ;;
    -h | --help)
      usage
      return
      ;;
    *) fail "unknown option '$1'" "tools/install-deps.sh --help" ;;
  esac

  command -v apt-get >/dev/null ||
    fail "this machine has no apt" "install the counterparts of: ${packages[*]}"

  local missing
  mapfile -t missing < <(missing_of "${packages[@]}")
  if ((${#missing[@]} == 0)); then
    say "all ${#packages[@]} packages are installed"
    return
  fi
  warn_unless_debian_12
  ((EUID == 0)) || command -v sudo >/dev/null ||
    fail "missing packages, and neither root nor sudo here: ${missing[*]}" \
      "as root: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  without_main_cluster apt_install_with_retry "${missing[@]}"
  say "done"
}

main "$@"
