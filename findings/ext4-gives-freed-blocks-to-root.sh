#!/usr/bin/env bash
# Linux 6.18 (ext4), e2fsprogs 1.47.0 (Debian 12): an ordinary user keeps a file of 256 KiB as a reserve, to be removed once the disk is full.
# Then root fills the disk.
#
# Guess: the user removes the reserve and has 256 KiB to write.
# Seen: not one block. Root had also used up the blocks that ext4 keeps for it, 5 % by default, and what anybody frees fills those up first.
# A file with space behind its end (fallocate --keep-size) can still be written to, and grows into that space. So a reserve that has to work
# on a full disk is one that is written over, not one that is removed. Needs root and a loop device.
set -euo pipefail

work=$(mktemp -d)
trap 'mountpoint -q "$work/disk" && umount "$work/disk"; rm -rf "$work"' EXIT
cd "$work"
version=1.47.0-2+b2
apt-get -qq -o APT::Sandbox::User=root download "e2fsprogs=$version" "logsave=$version" "libext2fs2=$version" "libcom-err2=$version" "libss2=$version"
for package in ./*.deb; do dpkg-deb -x "$package" tools; done
LD_LIBRARY_PATH=$(dirname "$(find "$work/tools" -name 'libext2fs.so.2')")
uname -r
LD_LIBRARY_PATH=$LD_LIBRARY_PATH tools/sbin/mke2fs -V 2>&1 | sed -n 1p

truncate -s 32M image
LD_LIBRARY_PATH=$LD_LIBRARY_PATH tools/sbin/mke2fs -q -F -t ext4 -b 4096 image
mkdir disk
mount -o loop image disk
mkdir disk/user
chown nobody disk/user
chmod a+x "$work"
user() { setpriv --reuid=nobody --clear-groups "$@"; }

user fallocate -l 256K disk/user/reserve
user touch disk/user/kept
user fallocate --keep-size -l 256K disk/user/kept
dd if=/dev/zero of=disk/filler bs=4k 2>/dev/null || true

user rm disk/user/reserve
sync -f disk
freed=0; user dd if=/dev/zero of=disk/user/new bs=4k count=1 conv=fsync 2>/dev/null || freed=$?
kept=0; user dd if=/dev/zero of=disk/user/kept bs=4k count=64 conv=notrunc,fsync 2>/dev/null || kept=$?
echo "a block of what was removed: exit $freed; 64 blocks of what was kept: exit $kept"
[[ $freed != 0 && $kept == 0 ]] || { echo "this has changed"; exit 1; }
