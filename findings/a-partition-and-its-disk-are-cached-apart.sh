#!/usr/bin/env bash
# Linux 6.18, coreutils 9.1, util-linux 2.38.1 (Debian 12): an image is written to a partition by `dd conv=fsync`, and read back through the
# disk, at the partition's offset. Some other partition of the disk is open, as the mounted root is on any machine.
#
# Guess: the disk and its partitions are the same blocks, so what was written and synced by one is read by the other.
# Seen: each of them has a page cache of its own. Who had read the place through the disk before reads the old content there, also after fsync
# and sync, until BLKFLSBUF (`blockdev --flushbufs`) on the disk; the cache goes at the disk's last close, which an open partition puts off.
# So a digest that is taken through the disk may be one of what is not there any more. And a write through the disk, of one byte somewhere
# else in the same 4 KiB, brings the old page back to the medium: what had been written to the partition and synced is lost. Write and read
# by the same node, or with O_DIRECT. Needs root and a loop device.
set -euo pipefail

work=$(mktemp -d)
disk=
trap '[[ -z $disk ]] || { delpart "$disk" 1; delpart "$disk" 2; losetup -d "$disk"; } 2>/dev/null; rm -rf "$work"' EXIT
uname -r
dd --version | sed -n 1p

truncate -s 16M "$work/image"
disk=$(losetup -f --show "$work/image")
addpart "$disk" 1 2048 8192
addpart "$disk" 2 10240 8192
for number in 1 2; do
	name=${disk#/dev/}p$number
	[[ -b /dev/$name ]] || mknod "/dev/$name" b $(tr : ' ' <"/sys/class/block/$name/dev")
done
slot=${disk}p1
exec 9<"${disk}p2" # as a mounted file system has it

write() { printf %s "$2" | dd of="$1" bs=1 seek="$3" conv=notrunc,fsync status=none; }
read3() { dd if="$1" bs=4096 skip="$2" count=1 status=none "${@:3}" | head -c 3; }
first=$((2048 * 512)) # where the partition begins
write "$slot" old 0
read3 "$disk" 256 >/dev/null # the cache of the disk has it now
write "$slot" new 0
sync
cached=$(read3 "$disk" 256)
medium=$(read3 "$disk" 256 iflag=direct)
write "$disk" x $((first + 100))
lost=$(read3 "$slot" 0 iflag=direct)
write "$slot" new 0
blockdev --flushbufs "$disk"
flushed=$(read3 "$disk" 256)
exec 9<&-
echo "written to the partition: new; read through the disk: $cached; with O_DIRECT: $medium; after BLKFLSBUF: $flushed"
echo "the partition after a write through the disk beside it: $lost"
[[ $cached == old && $medium == new && $lost == old && $flushed == new ]] || { echo "this has changed"; exit 1; }
