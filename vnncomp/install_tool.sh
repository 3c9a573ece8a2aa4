#!/bin/sh
# Puts the program into vnncomp/bin: builds it, unless UNMOVED names one that is built already.
#
#   install_tool.sh v1
set -eu

[ "${1-}" = v1 ] || { echo "expected the version of the interface, v1, but got '${1-}'" >&2; exit 1; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$here/bin"

if [ -z "${UNMOVED-}" ]; then
    PATH="$HOME/.cargo/bin:$PATH"
    # What a fresh Debian or Ubuntu lacks: a linker, and Rust.
    if ! command -v cc >/dev/null || ! command -v curl >/dev/null; then
        as_root=$([ "$(id -u)" = 0 ] || echo sudo)
        $as_root apt-get update
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y build-essential ca-certificates curl
    fi
    if ! command -v cargo >/dev/null; then
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
    fi
    target=${CARGO_TARGET_DIR-"$here/../target"}
    # The instructions of this very processor need not be asked for: the program finds them when it runs.
    cargo build --manifest-path "$here/../Cargo.toml" --target-dir "$target" --release --locked --package unmoved
    UNMOVED=$target/release/unmoved
fi

# A program that runs cannot be overwritten, but replaced.
cp "$UNMOVED" "$here/bin/unmoved.new"
mv "$here/bin/unmoved.new" "$here/bin/unmoved"
"$here/bin/unmoved" --version
