#!/usr/bin/env bash
# Makes a bare Debian of the release of this machine, unless it is there: systemd, and the C compiler that the README names. Prints its
# folder. Needs root and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${CARGO_TARGET_DIR:-$PWD/target}/bare"
# programs that are built on this machine run there
release="$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")"
base="$folder/$release"
if [ ! -e "$folder/$release.complete" ]; then
    rm -rf "$base"
    mkdir -p "$base"
    debootstrap --variant=minbase --include=gcc,libc6-dev,systemd "$release" "$base" > "$folder/log" 2>&1 \
        || { cat "$folder/log" >&2; exit 1; }
    touch "$folder/$release.complete"
fi
echo "$base"
