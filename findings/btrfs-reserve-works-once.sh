#!/usr/bin/env bash
# Linux 6.18 (btrfs), btrfs-progs 6.2 (Debian 12): a file of 1 MiB is preallocated (fallocate) as the place for a state that must be written
# even when the disk is full. Then the disk is full, and the state is written over itself, several times.
#
# Guess: what was preallocated can be written as often as one likes, as on ext4; or never, because btrfs copies on write.
# Seen: once. The first write goes into the preallocated space, each later one wants new space and fails with ENOSPC, though not a byte more is
# stored, and the file keeps the first content. So a test that fills the disk and writes once is passed. With copy on write off for the file
# (`chattr +C` while it is empty) it works again and again, like on ext4. Needs root and a loop device.
set -euo pipefail

work=$(mktemp -d)
trap 'mountpoint -q "$work/disk" && umount "$work/disk"; rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial tools disk
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$work/archives" install \
	btrfs-progs=6.2-1+deb12u2 e2fsprogs=1.47.0-2+b2 >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/sbin:$work/tools/usr/sbin:$work/tools/bin:$work/tools/usr/bin:$PATH
export LD_LIBRARY_PATH=$work/tools/lib/x86_64-linux-gnu:$work/tools/usr/lib/x86_64-linux-gnu
uname -r
mkfs.btrfs --version

# writes prints how three writes over a preallocated file went on a full disk.
writes() {
	rm -f image
	truncate -s 256M image
	"$@" image >/dev/null 2>&1
	mount -o loop image disk
	touch disk/state
	[[ -z $attribute ]] || chattr "$attribute" disk/state
	fallocate -l 1M disk/state
	sync -f disk
	dd if=/dev/zero of=disk/filler bs=1M 2>/dev/null || true
	dd if=/dev/zero of=disk/rest bs=4k 2>/dev/null || true
	sync -f disk
	local number
	for number in 1 2 3; do
		head -c 1M /dev/zero | tr '\0' "$number" >content
		dd if=content of=disk/state bs=64k conv=notrunc,fsync 2>/dev/null && printf 'written ' || printf 'refused '
	done
	echo "and holds the content of write $(head -c 1 disk/state)"
	umount disk
}
attribute=
ext4=$(writes mkfs.ext4 -q -F)
btrfs=$(writes mkfs.btrfs -q -f)
attribute=+C
nocow=$(writes mkfs.btrfs -q -f)
echo "ext4: $ext4"
echo "btrfs: $btrfs"
echo "btrfs with chattr +C: $nocow"
[[ $ext4 == "written written written "* && $btrfs == "written refused refused and "*"write 1" && $nocow == "$ext4" ]] ||
	{ echo "this has changed"; exit 1; }
