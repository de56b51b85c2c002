#!/usr/bin/env bash
# Tries the files that `just dist` has made: the checksums; the programs of the archive in a folder with nothing else; the package in a
# bare Debian, installed, run and purged there; lintian. Needs root, and the Debian of packaging/bare/try.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
dist="$target/dist"
work="$(mktemp -d)"
server=""
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    umount -R "$work/debian/root" "$work/debian" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

# starts chatd in a root file system, asks whether it is ready, and ends it
serves() {
    local root="$1" program="$2" port="$3"
    chroot "$root" "$program" --listen "127.0.0.1:$port" --admin-listen off --database /tmp/chatd.sqlite3 >/dev/null &
    server=$!
    for _ in $(seq 100); do
        if curl -sSf "http://127.0.0.1:$port/readyz" 2>/dev/null; then break; fi
        sleep 0.1
    done
    curl -sSf "http://127.0.0.1:$port/readyz" >/dev/null
    curl -sSf "http://127.0.0.1:$port/" | grep -q "<title>"
    kill "$server"
    wait "$server"
    server=""
}

(cd "$dist" && sha256sum --check --strict SHA256SUMS)
grep -q '"bomFormat": "CycloneDX"' "$dist"/*.cdx.json

# the archive
mkdir -p "$work/empty/tmp" "$work/empty/dev"
mknod -m 666 "$work/empty/dev/urandom" c 1 9
mknod -m 666 "$work/empty/dev/random" c 1 8
tar -xzf "$dist"/chatd-*.tar.gz -C "$work"
archive="$(echo "$work"/chatd-*)"
cp "$archive/chatd" "$work/empty"
serves "$work/empty" /chatd 8098
for file in README.md LICENSE-MIT LICENSE-APACHE THIRD-PARTY-LICENSES.txt man/chatd.1 completions/chatd.bash packaging/systemd/chatd.service; do
    [ -s "$archive/$file" ] || { echo "the archive has no $file" >&2; exit 1; }
done

# the package. Nothing is written to the Debian itself
base="$(packaging/bare/debian.sh)"
mkdir "$work/debian"
mount -t tmpfs tmpfs "$work/debian"
mkdir "$work/debian"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/debian/upper,workdir=$work/debian/work" "$work/debian/root"
root="$work/debian/root"
mount --rbind /dev "$root/dev"
cp "$dist"/chatd_*.deb "$root/tmp/chatd.deb"
chroot "$root" dpkg --install /tmp/chatd.deb
[ "$(stat -c %a "$root/etc/chatd/admin-token")" = 600 ]
serves "$root" /usr/bin/chatd 8098
chroot "$root" chatd config check --config /etc/chatd/chatd.toml
chroot "$root" dpkg --purge chatd
[ ! -e "$root/etc/chatd" ] && [ ! -e "$root/usr/bin/chatd" ]

if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error "$dist"/chatd_*.deb
fi
printf '\nthe files of the release work\n'
