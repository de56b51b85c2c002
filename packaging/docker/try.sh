#!/usr/bin/env bash
# Tries the image of the Dockerfile without Docker: builds the program with the command of the Dockerfile, puts it into an empty folder,
# and runs it there as the user of the image. Needs root, for chroot.
set -euo pipefail
cd "$(dirname "$0")/../.."

build="$(sed -n 's/^RUN \(packaging.*\) \\$/\1/p' packaging/docker/Dockerfile)"
program="$($build)/chatd"

image="$(mktemp -d)"
trap 'rm -rf "$image"' EXIT
install -D "$program" "$image/chatd"
install -d -o 65532 -g 65532 "$image/data"
# the folder itself is root's alone, as mktemp makes it
chmod 755 "$image"
# every container has these
install -D /dev/stdin "$image/etc/hosts" <<<"127.0.0.1 localhost"
mkdir "$image/dev"
mknod -m 666 "$image/dev/random" c 1 8
mknod -m 666 "$image/dev/urandom" c 1 9
inside=(chroot --userspec=65532:65532 "$image" /chatd)
"${inside[@]}" --version
"${inside[@]}" doctor --database /data/chatd.sqlite3 --max-connections 100
"${inside[@]}" --listen localhost:8099 --admin-listen off --database /data/chatd.sqlite3 &
server=$!
for _ in $(seq 100); do
    if curl -sSf -o /dev/null http://127.0.0.1:8099/ 2>/dev/null; then break; fi
    sleep 0.1
done
curl -sSf http://127.0.0.1:8099/readyz
kill "$server"
wait "$server"
[ "$(stat -c %u "$image/data/chatd.sqlite3")" = 65532 ]
printf '\nthe image works: %s bytes\n' "$(stat -c %s "$program")"
