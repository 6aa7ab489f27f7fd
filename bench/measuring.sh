# Sourced by the programs that measure for minutes: bench/compare and bench/scenarios/run.
#   begin_measuring "$@"    first thing: Ctrl-C works, $caller is where the caller is, $root is the source and the current folder,
#                           deploy/packages.sh is there, and no second measurement runs until this one ends

begin_measuring() {
  # A shell starts its background jobs with SIGINT ignored, and bash cannot undo that by itself.
  local ignored
  ignored=$(sed -n 's/^SigIgn:\s*//p' /proc/self/status)
  if ((0x$ignored & 2)); then exec env --default-signal=INT "$0" "$@"; fi
  caller=$PWD
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
  cd "$root"
  . deploy/packages.sh
  watch_signals
  # Held until the end: two measurements at once would measure each other.
  exec 9<"$root/bench"
  flock --nonblock 9 || { echo "$(basename "$0"): another bench/compare or bench/run is running in $root" >&2; exit 1; }
}
