# Sourced by the programs that measure for minutes: bench/compare and bench/scenarios/run.
#   begin_measuring "$@"    Call it first. It makes Ctrl-C work, sets $caller to the caller's folder and $root to the source folder,
#                           changes to $root, sources deploy/packages.sh, and keeps other measurements from running until this one
#                           ends.

begin_measuring() {
  # A shell starts background jobs with SIGINT ignored, and bash cannot undo that by itself.
  local ignored
  ignored=$(sed -n 's/^SigIgn:\s*//p' /proc/self/status)
  if ((0x$ignored & 2)); then exec env --default-signal=INT "$0" "$@"; fi
  caller=$PWD
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
  cd "$root"
  . deploy/packages.sh
  watch_signals
  # This lock is held until the end, because two concurrent measurements would disturb each other.
  exec 9<"$root/bench"
  flock --nonblock 9 || { echo "$(basename "$0"): another bench/compare or bench/run is running in $root" >&2; exit 1; }
}
