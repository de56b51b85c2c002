#!/usr/bin/env bash
# Builds the files of a release into target/dist: an archive with a static program, a Debian package, an SBOM, and checksums. `just dist`
# runs it. TARGET is chosen by compile.sh unless it is named.
#   build.sh [TARGET]
# Needs cargo-deb and cargo-cyclonedx: `cargo install --locked cargo-deb cargo-cyclonedx`.
set -euo pipefail
cd "$(dirname "$0")/../.."
dist="${CARGO_TARGET_DIR:-$PWD/target}/dist"

for tool in cargo-deb cargo-cyclonedx; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: run \`cargo install --locked $tool\`" >&2; exit 1; }
done
command -v strip >/dev/null || { echo "strip is missing: install binutils" >&2; exit 1; }

built="$(packaging/dist/compile.sh ${1:+--target "$1"} chatd)"
target="$(basename "$(dirname "$built")")"

rm -rf "$dist"
mkdir -p "$dist"
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.lock)}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
licenses="$work/licenses"
packaging/dist/licenses.sh "$target" > "$licenses"
# Debian wants no symbols in a package
strip -o "$work/chatd" "$built/chatd"
packaging/dist/sbom.sh "$target" "$dist/chatd-$("$built/chatd" --version | cut -d' ' -f2)-$target.cdx.json"
packaging/dist/pack.sh "$target" "$dist" "$licenses" "$work/chatd"
echo "$dist:"
ls -l "$dist"
