#!/usr/bin/env bash
# Builds static programs and prints the folder they are in: for `just dist` and for the image of packaging/docker.
# They are built for musl. A toolchain without that target, or a machine without a C compiler for it, builds for GNU instead, and links
# the C library statically; the name of the folder says which.
#   compile.sh [--target TARGET] PACKAGE...
set -euo pipefail
cd "$(dirname "$0")/../.."

target=""
if [ "${1:-}" = --target ]; then
    target="$2"
    shift 2
fi

have() { command -v "$1" >/dev/null 2>&1; }

# Whether this machine can build for a target, C code included.
can_build_for() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ] || rustup target add "$1" >/dev/null 2>&1 || return 1
    [[ "$1" != *-musl ]] || have musl-gcc || have "${1%%-*}-linux-musl-gcc"
}

machine="$(rustc --print host-tuple | cut -d- -f1)"
if [ -z "$target" ]; then
    target="$machine-unknown-linux-musl"
    can_build_for "$target" || {
        echo "This machine can't build for $target: that needs \`rustup target add $target\` and musl-gcc (Debian: musl-tools)." >&2
        target="$machine-unknown-linux-gnu"
        echo "Building for $target instead, with the C library linked statically." >&2
    }
fi

target_folder="${CARGO_TARGET_DIR:-$PWD/target}"
cargo_home="${CARGO_HOME:-$HOME/.cargo}"
# the paths of this machine are nobody's business, and the same sources give the same program elsewhere
export RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$PWD=/chatd --remap-path-prefix=$cargo_home=/cargo"
export CFLAGS="-ffile-prefix-map=$PWD=/chatd -ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$target_folder=/target"
# with --target the flags are not for build scripts and macros, which can't be linked statically
cargo build --locked --release --target "$target" "${@/#/--package=}" >&2
echo "$target_folder/$target/release"
