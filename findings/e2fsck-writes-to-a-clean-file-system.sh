#!/usr/bin/env bash
# e2fsprogs 1.47.0 (Debian 12), Linux 6.18: a slot holds an ext4 image that was never mounted for writing. At each boot `e2fsck -p` looks at it,
# says "clean" and exits with 0. Then the slot is compared with the image's digest.
#
# Guess: a check that finds nothing to mend leaves the slot as it is. If anything changes it, then the mount.
# Seen: the other way round. Mounted read-only and unmounted it is the same to the byte, but each `e2fsck -p` writes the superblock: the time of
# the last write, how much was ever written, and the checksum. So the digest is another one after every boot. On a read-only device it exits
# with 8, "operational error", and checks nothing. `e2fsck -n` writes nothing: a slot that is verified by its digest is checked with that, or
# not at all. Needs root and a loop device.
set -euo pipefail

work=$(mktemp -d)

trap 'mountpoint -q "$work/disk" && umount "$work/disk"; rm -rf "$work"' EXIT
cd "$work"
version=1.47.0-2+b2
apt-get -qq -o APT::Sandbox::User=root download "e2fsprogs=$version" "logsave=$version" "libext2fs2=$version" "libcom-err2=$version" "libss2=$version"
for package in ./*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/sbin:$work/tools/usr/sbin:$PATH
LD_LIBRARY_PATH=$(dirname "$(find "$work/tools" -name 'libext2fs.so.2')")
export LD_LIBRARY_PATH
uname -r
e2fsck -V 2>&1 | sed -n 1p

truncate -s 32M image
E2FSPROGS_FAKE_TIME=1700000000 mkfs.ext4 -q -F image # made earlier than it is checked
mkdir disk

# after prints how the image is after a command.
after() {
	cp image slot
	local exit=0
	"$@" >/dev/null 2>&1 || exit=$?
	cmp -s image slot && echo "exit $exit, the same bytes" || echo "exit $exit, $(cmp -l image slot | wc -l) bytes written"
}
mounted() { mount -o loop,ro slot disk && umount disk; }
protected() {
	local device exit=0
	device=$(losetup -r -f --show slot)
	e2fsck -p "$device" || exit=$?
	losetup -d "$device"
	return "$exit"
}
mount=$(after mounted) preen=$(after e2fsck -p slot) no=$(after e2fsck -n slot) protected=$(after protected)
echo "mounted read-only: $mount; e2fsck -p: $preen; e2fsck -n: $no; e2fsck -p on a read-only device: $protected"
[[ $mount == "exit 0, the same bytes" && $preen == "exit 0, "*written && $no == "exit 0, the same bytes" &&
	$protected == "exit 8, the same bytes" ]] || { echo "this has changed"; exit 1; }
