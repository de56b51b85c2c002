#!/usr/bin/env bash
# Writes the SBOM of chatd for a target: the libraries that are linked into it, with versions, licences and checksums (CycloneDX).
#   sbom.sh TARGET FILE
set -euo pipefail
target="$1" file="$2"
cd "$(dirname "$0")/../.."

# the tool writes beside every Cargo.toml of a workspace: it works on a copy of these
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT
find . -name target -prune -o -name node_modules -prune -o \
    \( -name Cargo.toml -o -name Cargo.lock -o -path '*/src/*.rs' -o -path '*/examples/*.rs' -o -path '*/benches/*.rs' -o -path '*/tests/*.rs' \) \
    -print0 | tar --null -T - -cf - | tar -xf - -C "$copy"
(
    cd "$copy"
    cargo cyclonedx -q --manifest-path bins/chatd/Cargo.toml --format json --spec-version 1.5 --target "$target" --no-build-deps \
        --override-filename sbom
)
# where it was made is nobody's business, and a random number makes each build another
sed -e "s,path+file://$copy,path+file:///chatd,g" -e '/"serialNumber":/d' "$copy/bins/chatd/sbom.json" > "$file"
