# Sourced by ./demo and ./test, with $root naming the project's folder: what both need before they can begin.
#   install_packages   the Debian packages are there afterwards, or the script ends with 1 and says what to type
#   build_release      [TARGET...] of the release build (none = all) are up to date afterwards, in $SCREENING_BUILD or build/release
# Made for Debian 12 and 13, where the packages have the same names.

PACKAGES=(
  gcc libc6-dev cmake ninja-build pkg-config
  libnng-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev
  libsqlite3-dev libpq-dev libjansson-dev libmd-dev libcmocka-dev
  python3 python3-protobuf sqlite3 tzdata util-linux
)
CREATECLUSTER_CONF=/etc/postgresql-common/createcluster.conf

# An interrupted step leaves no compiler behind: each runs in a process group of its own, which is ended as a whole.
group=
end_group() { # end_group SIGNAL-NUMBER
  trap '' INT TERM HUP
  if [ -n "$group" ]; then
    kill -TERM -- "-$group" 2>/dev/null || true
    wait "$group" || true
  fi
  exit $((128 + $1))
}

# Runs a command that Ctrl-C stops at once, however it arrives; returns what the command does.
in_group() {
  trap 'end_group 2' INT
  trap 'end_group 15' TERM
  trap 'end_group 1' HUP
  set -m
  "$@" </dev/null &
  group=$!
  set +m
  local result=0
  wait "$group" || result=$?
  group=
  trap - INT TERM HUP
  return "$result"
}

missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${PACKAGES[@]}" 2>/dev/null || true)
  for package in "${PACKAGES[@]}"; do
    grep -qx "installed $package" <<<"$installed" || echo "$package"
  done
  # Any version's server will do, also one from another archive.
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
}

# What has to run as root, as one script: the packages to install are its arguments.
# A new PostgreSQL neither makes nor starts a cluster of its own; one that is there already is left alone.
root_script() {
  cat <<SCRIPT
set -e
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
if ! ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 && [ ! -e $CREATECLUSTER_CONF ]; then
  mkdir -p ${CREATECLUSTER_CONF%/*}
  echo 'create_main_cluster = false' >$CREATECLUSTER_CONF
fi
apt-get update -q
apt-get install -q -y --no-install-recommends "\$@"
SCRIPT
}

print_root_commands() { # for people who have to type them
  if ! compgen -G '/usr/lib/postgresql/*/bin' >/dev/null && [ ! -e "$CREATECLUSTER_CONF" ]; then
    echo "  mkdir -p ${CREATECLUSTER_CONF%/*} && echo 'create_main_cluster = false' >$CREATECLUSTER_CONF"
  fi
  echo "  apt-get update && apt-get install -y --no-install-recommends $*"
}

install_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This needs Debian 12 or 13 (dpkg-query and apt-get were not found)." >&2
    exit 1
  fi
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  local script
  script=$(root_script)
  if [ "$(id -u)" = 0 ]; then
    sh -c "$script" sh "${missing[@]}" </dev/null
  elif sudo -n true 2>/dev/null; then
    sudo -n sh -c "$script" sh "${missing[@]}" </dev/null
  elif command -v sudo >/dev/null && [ -t 0 ]; then
    sudo sh -c "$script" sh "${missing[@]}"
  else
    echo "These packages are missing and can't be installed from here. As root, run:" >&2
    print_root_commands "${missing[@]}" >&2
    exit 1
  fi || { echo "Installing the packages failed; as root, try:" >&2; print_root_commands "${missing[@]}" >&2; exit 1; }
}

build_release() {
  local build=${SCREENING_BUILD:-$root/build/release} log
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
