#!/usr/bin/env bash
# Becomes systemd, on a machine of its own as far as that goes without another kernel: its files are those of this one, and what is
# written to them goes with it. In namespaces of its own (mount, pid, ipc, uts, cgroup, net); as root.
#   machine.sh EMPTY_FOLDER FOLDER_FOR_SRV WORKSPACE [--try]
# With --try it makes everything that systemd is to find, and ends.
set -euo pipefail
new="$1" srv="$2" workspace="$3"
mount --make-rprivate /
mount -t tmpfs tmpfs "$new"
mkdir "$new/upper" "$new/work" "$new/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$new/upper,workdir=$new/work" "$new/root"
cd "$new/root"
mkdir -p srv/chatd old
mount --bind "$srv" srv/chatd
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
# what is built for tests reads the page's files where they are, which may be in /tmp, or in a folder that only root may enter
page=".$workspace/crates/chat-page"
mkdir -p "$page"
cp -r "$workspace/crates/chat-page/page" "$page"
chmod -R a+rX "$page"
while [ "$page" != . ]; do
    chmod a+rx "$page"
    page="$(dirname "$page")"
done
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup cgroup -o none,name=systemd sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
# /tmp is not emptied while it boots
ln -sf /dev/null etc/tmpfiles.d/tmp.conf
# nothing of this machine's own is started
rm -rf etc/systemd/system/*.wants etc/chatd var/lib/chatd var/lib/private/chatd
[ "${4:-}" != --try ] || exit 0
# not chroot: in one the kernel gives no user namespace, which the unit asks for
pivot_root . old
cd /
umount -l /old
# as systemd has it where it is not told that it is in a container: mounts made for a unit are seen by the unit
mount --make-rshared /
exec /lib/systemd/systemd --system --unit=multi-user.target
