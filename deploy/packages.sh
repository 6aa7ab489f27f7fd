# Sourced by ./demo and ./test: what both need before they can start.
#   require_packages   [tests] [node]: afterwards the Debian packages are installed (a few more for tests; Node and npm from any
#                      source), or the script has ended with 1 and said what to type
#   build_release      [TARGET...] of the release build (none = all) are up to date afterwards, in $SCREENING_BUILD or build/release
# For Debian 12 and 13, where the packages have the same names.

PACKAGES=(
  gcc libc6-dev cmake ninja-build pkg-config
  libnng-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev
  libsqlite3-dev libpq-dev libjansson-dev libmd-dev libmicrohttpd-dev libutf8proc-dev libcmocka-dev
  gettext python3 python3-protobuf sqlite3 tzdata util-linux
)
TEST_PACKAGES=(git curl pgbouncer valgrind python3-yaml clang-tidy)
# Version 14 decides the layout; Debian 13 has only later versions.
! grep -qs '^VERSION_ID="12"' /etc/os-release || TEST_PACKAGES=(git curl pgbouncer valgrind python3-yaml clang-tidy-14 clang-format-14)
NODE_PACKAGES=(nodejs npm)
CREATECLUSTER_CONF=/etc/postgresql-common/createcluster.conf

# An interrupted step leaves no compiler behind: it runs in a separate process group, which is ended as a whole.
group=
end_by_signal() { # end_by_signal NUMBER
  trap '' INT TERM HUP
  if [ -n "$group" ]; then
    kill -TERM -- "-$group" 2>/dev/null || true
    wait "$group" || true
  fi
  exit $((128 + $1))
}

# From here on Ctrl-C and similar signals stop what in_group runs, and then this script.
watch_signals() {
  trap 'end_by_signal 2' INT
  trap 'end_by_signal 15' TERM
  trap 'end_by_signal 1' HUP
}

in_group() { # in_group COMMAND...: returns the command's exit code
  set -m
  "$@" </dev/null &
  group=$!
  set +m
  local result=0
  wait "$group" || result=$?
  group=
  return "$result"
}

missing_packages() { # missing_packages WANTED...
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qx "installed $package" <<<"$installed" || echo "$package"
  done
  # A server of any version will do, even from another archive.
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
}

# The part that must run as root, as one script: the packages to install are its arguments.
# A new PostgreSQL neither creates nor starts its own cluster; an existing one is left alone.
root_script() {
  cat <<SCRIPT
set -e
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
if ! ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 && [ ! -e $CREATECLUSTER_CONF ]; then
  mkdir -p ${CREATECLUSTER_CONF%/*}
  echo 'create_main_cluster = false' >$CREATECLUSTER_CONF
fi
apt-get update -q
# Another installation may be running, as after the start of a machine.
apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "\$@"
SCRIPT
}

print_root_commands() { # for people who must type them
  if ! compgen -G '/usr/lib/postgresql/*/bin' >/dev/null && [ ! -e "$CREATECLUSTER_CONF" ]; then
    echo "  mkdir -p ${CREATECLUSTER_CONF%/*} && echo 'create_main_cluster = false' >$CREATECLUSTER_CONF"
  fi
  echo "  apt-get update && apt-get install -y --no-install-recommends $*"
}

require_packages() {
  local wanted=("${PACKAGES[@]}") missing more
  for more in "$@"; do
    case $more in
      tests) wanted+=("${TEST_PACKAGES[@]}") ;;
      node) command -v node >/dev/null && command -v npm >/dev/null || wanted+=("${NODE_PACKAGES[@]}") ;;
    esac
  done
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This needs Debian 12 or 13 (dpkg-query and apt-get were not found)." >&2
    exit 1
  fi
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Missing Debian packages: ${missing[*]}"
  local script
  script=$(root_script)
  if [ "$(id -u)" = 0 ]; then
    sh -c "$script" sh "${missing[@]}" </dev/null
  elif sudo -n true 2>/dev/null; then
    sudo -n sh -c "$script" sh "${missing[@]}" </dev/null
  elif command -v sudo >/dev/null && [ -t 0 ]; then
    sudo sh -c "$script" sh "${missing[@]}"
  else
    echo "They can't be installed from here. As root, run:" >&2
    print_root_commands "${missing[@]}" >&2
    exit 1
  fi || { echo "Installing the packages failed; as root, try:" >&2; print_root_commands "${missing[@]}" >&2; exit 1; }
}

build_release() {
  local root build log
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
  build=${SCREENING_BUILD:-$root/build/release}
  mkdir -p "$build"
  log=$build/configure.log
  echo "Building in $build"
  if ! in_group cmake -S "$root" --preset release -B "$build" >"$log" 2>&1; then
    cat "$log" >&2
    echo "cmake failed (the above is $log)" >&2
    return 1
  fi
  NINJA_STATUS='[%f/%t, %e s] ' in_group ninja -C "$build" -j "$(nproc)" "$@"
}
