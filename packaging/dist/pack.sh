#!/usr/bin/env bash
# Packs the program that is built: writes an archive, a Debian package (cargo-deb) and SHA256SUMS of all files into a folder.
#   pack.sh TARGET FOLDER THIRD_PARTY_LICENSES CHATD
# FAST=1 compresses less. CHATD runs on this machine: it prints its manual, completions and configuration.
set -euo pipefail
target="$1" folder="$(realpath "$2")" licenses="$(realpath "$3")" chatd="$(realpath "$4")"
cd "$(dirname "$0")/../.."
# the same sources give the same bytes: files have the time of the last change
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.lock)}"
level="$([ -n "${FAST:-}" ] && echo -1 || echo -9)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# modes of files do not depend on who packs
umask 022

version="$("$chatd" --version | cut -d' ' -f2)"
name="chatd-$version-$target"

# the archive. docs/operations.md uses these files by the names that they have in a checkout
archive="$work/$name"
mkdir -p "$archive"/{docs,man,completions}
install -m 755 "$chatd" "$archive/chatd"
cp -r packaging "$archive"
rm -r "$archive/packaging"/{bare,debian,dist,docker}
cp -r docs/monitoring docs/operations.md docs/configuration.md "$archive/docs"
cp README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$archive"
cp "$licenses" "$archive/THIRD-PARTY-LICENSES.txt"
"$chatd" man > "$archive/man/chatd.1"
"$chatd" completions bash > "$archive/completions/chatd.bash"
"$chatd" completions zsh > "$archive/completions/_chatd"
"$chatd" completions fish > "$archive/completions/chatd.fish"
chmod -R u=rwX,go=rX "$archive"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work" -cf - "$name" \
    | gzip "$level" -n > "$folder/$name.tar.gz"

# the package. cargo-deb takes the program, and the folder "package" beside it, from where cargo would have put the program
built="$work/$target/release"
package="$built/package"
mkdir -p "$package"
cp "$chatd" "$built/chatd"
"$chatd" config defaults > "$package/chatd.toml"
mkdir "$package/units"
# /usr/local is for what an administrator installs
for unit in packaging/systemd/*; do
    sed 's,/usr/local/bin/chatd,/usr/bin/chatd,g' "$unit" > "$package/units/$(basename "$unit")"
done
cp -r "$archive/completions" "$package"
gzip -9nc "$archive/man/chatd.1" > "$package/chatd.1.gz"
gzip -9nc CHANGELOG.md > "$package/changelog.gz"
gzip -9nc "$licenses" > "$package/THIRD-PARTY-LICENSES.txt.gz"
gzip -9n > "$package/changelog.Debian.gz" <<END
chatd ($version-1) stable; urgency=medium

  * chatd $version. /usr/share/doc/chatd/changelog.gz lists the changes.

 -- chatd maintainers <maintainers@chatd.example.org>  $(date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")
END
CARGO_TARGET_DIR="$work" cargo deb --quiet --offline --locked ${FAST:+--fast} --package chatd --target "$target" --no-build --no-strip \
    --output "$folder"

cd "$folder"
rm -f SHA256SUMS
sha256sum -- chatd[-_]*.* > SHA256SUMS
