# Sourced by ./demo, ./test and bench/measuring.sh. Installs and builds what they need before they can start.
#   require_packages [tests] [node] [fuzz] [ha] [k8s] [outward]
#                                     Installs the missing Debian packages: a few more for tests; Node and npm unless they are
#                                     already installed from any source; a compiler for fuzzers on Debian 12; Patroni and etcd for
#                                     deploy/ha; kubectl unless it is already installed from any source; NATS and its library for
#                                     jetstream-bridge. If it cannot, prints the commands to type and exits with 1.
#   build_release [TARGET...]         Builds these targets of the release build (all if none is named), in $SCREENING_BUILD or
#                                     build/release.
# For Debian 12 and 13, where the packages have the same names.

PACKAGES=(
  gcc libc6-dev cmake ninja-build pkg-config
  libnng-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev
  libsqlite3-dev libpq-dev libjansson-dev libjose-dev libssl-dev libcurl4-openssl-dev libmd-dev libmicrohttpd-dev libnghttp2-dev libutf8proc-dev libcmocka-dev
  gettext python3 python3-protobuf sqlite3 tzdata util-linux
  haproxy openssl
)
TEST_PACKAGES=(git curl pgbouncer valgrind python3-yaml python3-h2 python3-grpcio python3-cryptography python3-seccomp systemd spin clang-tidy)
# Version 14 of clang-format decides the layout. Debian 13 has only later versions.
! grep -qs '^VERSION_ID="12"' /etc/os-release || TEST_PACKAGES=(git curl pgbouncer valgrind python3-yaml python3-h2 python3-grpcio python3-cryptography python3-seccomp systemd spin clang-tidy-14 clang-format-14)
NODE_PACKAGES=(nodejs npm)
FUZZ_PACKAGES=()
! grep -qs '^VERSION_ID="12"' /etc/os-release || FUZZ_PACKAGES=(clang-14 libclang-rt-14-dev)
# On Debian 13, patroni does not install python3-etcd by itself.
HA_PACKAGES=(patroni python3-etcd etcd-server etcd-client)
K8S_PACKAGES=(kubernetes-client)
OUTWARD_PACKAGES=(libnats-dev nats-server)
CREATECLUSTER_CONF=/etc/postgresql-common/createcluster.conf
UNITS=/etc/systemd/system

# A step runs in its own process group, which a signal ends as a whole, so that no compiler is left running.
group=
end_by_signal() { # end_by_signal NUMBER
  trap '' INT TERM HUP
  if [ -n "$group" ]; then
    kill -TERM -- "-$group" 2>/dev/null || true
    wait "$group" || true
  fi
  exit $((128 + $1))
}

# Makes Ctrl-C and similar signals stop the command that in_group runs, and then this script.
watch_signals() {
  trap 'end_by_signal 2' INT
  trap 'end_by_signal 15' TERM
  trap 'end_by_signal 1' HUP
}

in_group() { # in_group COMMAND...: runs the command in its own process group; returns its exit code
  set -m
  "$@" </dev/null &
  group=$!
  set +m
  local result=0
  wait "$group" || result=$?
  group=
  return "$result"
}

missing_packages() { # missing_packages WANTED...: prints the packages that are not installed
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qx "installed $package" <<<"$installed" || echo "$package"
  done
  # Any version of the server is sufficient, even from another archive.
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
}

# Prints the script that must run as root. Its arguments are the packages to install.
# A new PostgreSQL neither creates nor starts its own cluster, and a new etcd or NATS server does not start (`systemctl unmask etcd`
# undoes that).
# Debian's Patroni does not start without /etc/patroni/config.yml. Existing installations are not changed.
root_script() {
  cat <<SCRIPT
set -e
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
if ! ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 && [ ! -e $CREATECLUSTER_CONF ]; then
  mkdir -p ${CREATECLUSTER_CONF%/*}
  echo 'create_main_cluster = false' >$CREATECLUSTER_CONF
fi
mask() { # mask UNIT
  [ -e "$UNITS/\$1" ] || { mkdir -p $UNITS && ln -sf /dev/null "$UNITS/\$1"; }
}
case " \$* " in *' etcd-server '*) mask etcd.service ;; esac
case " \$* " in *' nats-server '*) mask nats-server.service ;; esac
apt-get update -q
# Another installation may be running, for example after the machine has started.
apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "\$@"
SCRIPT
}

print_root_commands() { # print_root_commands PACKAGE...: prints commands for a user to type
  if ! compgen -G '/usr/lib/postgresql/*/bin' >/dev/null && [ ! -e "$CREATECLUSTER_CONF" ]; then
    echo "  mkdir -p ${CREATECLUSTER_CONF%/*} && echo 'create_main_cluster = false' >$CREATECLUSTER_CONF"
  fi
  local unit
  for unit in etcd nats-server; do
    case " $* " in
      *" $unit "* | *" $unit-server "*)
        [ -e "$UNITS/$unit.service" ] || echo "  mkdir -p $UNITS && ln -sf /dev/null $UNITS/$unit.service" ;;
    esac
  done
  echo "  apt-get update && apt-get install -y --no-install-recommends $*"
}

require_packages() {
  local wanted=("${PACKAGES[@]}") missing more
  for more in "$@"; do
    case $more in
      tests) wanted+=("${TEST_PACKAGES[@]}") ;;
      fuzz) wanted+=("${FUZZ_PACKAGES[@]}") ;;
      ha) wanted+=("${HA_PACKAGES[@]}") ;;
      k8s) command -v kubectl >/dev/null || wanted+=("${K8S_PACKAGES[@]}") ;;
      outward) wanted+=("${OUTWARD_PACKAGES[@]}") ;;
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
