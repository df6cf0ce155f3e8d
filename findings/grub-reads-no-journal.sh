#!/usr/bin/env bash
# GRUB 2.06 by its grub-fstest, Linux 6.18 (Debian 12): a boot configuration is replaced as one does it, a new file that is synced and renamed
# over the old one, and the folder synced. Then the power fails: a copy of the disk is taken.
#
# Guess: the new configuration is booted. fsync of the file and of its folder is all that a rename needs to last.
# Seen: so it is for the kernel, which replays the journal of ext4 and XFS, and the log tree of btrfs. GRUB replays nothing: it reads the old
# configuration, from all three. After a syncfs as well it reads the new one from ext4 and btrfs; from XFS only after the file system was
# frozen (fsfreeze) or unmounted. So loader and kernel disagree on what is active, unless each change is followed by a freeze, or what the
# loader reads lies on a file system without a journal. Needs root and loop devices.
set -euo pipefail

work=$(mktemp -d)
trap 'for name in disk cut; do mountpoint -q "$work/$name" && umount "$work/$name"; done; rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial tools disk cut
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$work/archives" install \
	grub-common=2.06-13+deb12u2 xfsprogs=6.1.0-1 btrfs-progs=6.2-1+deb12u2 e2fsprogs=1.47.0-2+b2 >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/sbin:$work/tools/usr/sbin:$work/tools/bin:$work/tools/usr/bin:$PATH
export LD_LIBRARY_PATH=$work/tools/lib/x86_64-linux-gnu:$work/tools/usr/lib/x86_64-linux-gnu
uname -r
grub-fstest --version

declare -A make=([ext4]='mkfs.ext4 -q -F' [xfs]='mkfs.xfs -q -f' [btrfs]='mkfs.btrfs -q -f')

# replaced prints what GRUB and the kernel find on a copy of the disk that is taken when the configuration was replaced and synced in a way.
replaced() {
	local sync=$2
	rm -f image
	truncate -s 320M image
	${make[$1]} image >/dev/null 2>&1
	mount -o loop image disk
	echo old >disk/conf
	umount disk
	mount -o loop image disk
	echo new >disk/conf.new
	sync disk/conf.new
	mv disk/conf.new disk/conf
	sync disk
	"$sync" disk
	cp image copy
	umount disk
	local grub
	grub=$(grub-fstest "$work/copy" cat '(loop0)/conf' 2>&1)
	mount -o loop copy cut
	echo "grub $grub, kernel $(cat cut/conf)"
	umount cut
}
only() { :; }
syncfs() { sync -f "$1"; }
freeze() { fsfreeze -f "$1" && fsfreeze -u "$1"; }

changed=
for expected in 'ext4 only old' 'ext4 syncfs new' 'ext4 freeze new' 'xfs only old' 'xfs syncfs old' 'xfs freeze new' \
	'btrfs only old' 'btrfs syncfs new' 'btrfs freeze new'; do
	read -r fs sync grub <<<"$expected"
	seen=$(replaced "$fs" "$sync")
	echo "$fs, fsync and ${sync/only/no more}: $seen"
	[[ $seen == "grub $grub, kernel new" ]] || changed=yes
done
[[ -z $changed ]] || { echo "this has changed"; exit 1; }
