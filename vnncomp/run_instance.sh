#!/bin/sh
# Decides an instance and writes RESULTS: unsat, sat with the counterexample, unknown, timeout or error.
#
#   run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT
set -eu

[ "${1-}" = v1 ] || { echo "expected the version of the interface, v1, but got '${1-}'" >&2; exit 1; }
[ $# -eq 6 ] || { echo "expected v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT, but got $# arguments" >&2; exit 1; }
# No other program is started from here on: each would cost as much time as a small instance.
case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac

# Nine tenths of the machine's memory, which is what the first line tells: better unknown than killed.
name='' kib=''
[ ! -r /proc/meminfo ] || read -r name kib _ </proc/meminfo
limit=''
[ "$name" != MemTotal: ] || limit=$((kib * 9 / 10))KiB
# For prepare_instance.sh; where the folder cannot be written to, the instance counts all the same.
{ echo $$ >"$here/bin/running"; } 2>/dev/null || :
exec "$here/bin/unmoved" vnncomp ${limit:+--mem-limit "$limit"} -- "$@"
