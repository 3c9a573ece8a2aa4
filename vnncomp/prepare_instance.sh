#!/bin/sh
# Before each instance: ends what an earlier one may have left running. There is nothing to convert or to warm up.
#
#   prepare_instance.sh v1 CATEGORY ONNX VNNLIB
set -eu

[ "${1-}" = v1 ] || { echo "expected the version of the interface, v1, but got '${1-}'" >&2; exit 1; }
[ $# -eq 4 ] || { echo "expected v1 CATEGORY ONNX VNNLIB, but got $# arguments" >&2; exit 1; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
[ -x "$here/bin/unmoved" ] || { echo "$here/bin/unmoved is missing: run install_tool.sh v1" >&2; exit 1; }

# The number may belong to another process by now; ours has this name.
if [ -f "$here/bin/running" ]; then
    old=$(cat "$here/bin/running")
    if [ "$(cat "/proc/$old/comm" 2>/dev/null)" = unmoved ]; then
        kill -9 "$old" 2>/dev/null || true
    fi
    rm -f "$here/bin/running"
fi
