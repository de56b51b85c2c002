#!/usr/bin/env bash
# Runs the README's two commands for the tests on a bare Debian, as root: it has systemd, a Rust toolchain, and the C compiler that
# the README names, and nothing else. What the tests lack there they have to skip.
#   try.sh [COMMAND]
# The machine is a root file system of debootstrap in namespaces of its own; the toolchain, the registry's cache and the target folder
# are this machine's, at the same paths, so that nothing is built twice. Needs root and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/../.."
workspace="$PWD"
target="${CARGO_TARGET_DIR:-$workspace/target}"
toolchain="$(rustc --print sysroot)"
cargo_home="${CARGO_HOME:-$HOME/.cargo}"
command="${1:-cargo install just && just test}"

base="$(packaging/bare/debian.sh)"
cargo fetch --locked --quiet

# a way into the network, as an installer or a container gives it; and how cargo builds, or it would build all of it again
kept=()
for variable in $(compgen -e | grep -iE '^(https?|all|no)_proxy$|^SSL_CERT_(FILE|DIR)$|^CARGO_(HTTP|PROFILE)_|^CARGO_INCREMENTAL$' || true); do
    kept+=("$variable=${!variable}")
done
machine="$(mktemp -d)"
trap 'rmdir "$machine"' EXIT
unshare --mount --pid --ipc --uts --fork --kill-child env -i "${kept[@]}" PATH="$PATH" \
    bash packaging/bare/machine.sh "$machine" "$base" "$workspace" "$target" "$toolchain" "$cargo_home" "$command"
