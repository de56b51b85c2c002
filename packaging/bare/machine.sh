#!/usr/bin/env bash
# Becomes the bare machine of try.sh, and runs a command there. In namespaces of its own (mount, pid, ipc, uts); as root.
#   machine.sh EMPTY_FOLDER BASE WORKSPACE TARGET TOOLCHAIN CARGO_HOME COMMAND
set -euo pipefail
new="$1" base="$2" workspace="$3" target="$4" toolchain="$5" cargo_home="$6" command="$7"
mount --make-rprivate /
mount -t tmpfs tmpfs "$new"
mkdir "$new/upper" "$new/work" "$new/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$new/upper,workdir=$new/work" "$new/root"
cd "$new/root"
mkdir -p old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
chmod 1777 tmp

# the sources may only be read; what is built may be written
place() { mkdir -p ".$1" && mount --bind "$1" ".$1"; }
place "$workspace"
mount -o remount,bind,ro ".$workspace"
place "$target"
place "$toolchain"
place "$cargo_home/registry"
cp /etc/resolv.conf etc/resolv.conf
[ ! -d /etc/ssl/certs ] || place /etc/ssl/certs
echo "127.0.0.1 localhost" > etc/hosts

pivot_root . old
umount -l /old
cd "$workspace"
export HOME=/root CARGO_HOME="$cargo_home" CARGO_TERM_COLOR=never CARGO_TARGET_DIR="$target"
export PATH="$toolchain/bin:$cargo_home/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
exec bash -euo pipefail -c "$command"
