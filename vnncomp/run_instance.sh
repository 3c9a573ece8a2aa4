#!/bin/sh
# Decides an instance and writes RESULTS: unsat, sat with the counterexample, unknown, timeout or error.
#
#   run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT
set -eu

[ "${1-}" = v1 ] || { echo "expected the version of the interface, v1, but got '${1-}'" >&2; exit 1; }
[ $# -eq 6 ] || { echo "expected v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT, but got $# arguments" >&2; exit 1; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# Nine tenths of the machine's memory: better unknown than killed.
limit=$(awk '/^MemTotal:/ { printf "%dKiB", $2 * 9 / 10 }' /proc/meminfo 2>/dev/null || true)
echo $$ >"$here/bin/running"
exec "$here/bin/unmoved" vnncomp ${limit:+--mem-limit "$limit"} "$@"
