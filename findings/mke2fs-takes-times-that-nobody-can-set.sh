#!/usr/bin/env bash
# e2fsprogs 1.47.0 (Debian 12), `mke2fs -t ext4 -d folder`: an image is to be the same to the byte whenever it is built. The UUID and the hash
# seed are given, all files have the same time by touch, and E2FSPROGS_FAKE_TIME stands still (SOURCE_DATE_EPOCH is not read by this version).
#
# Guess: it is. Or, if something is left, it is the order of the folder's entries.
# Seen: the order is fixed, yet not even two images of one folder are the same. Each file's times of access and of change (ctime) are copied
# from the source. To read the source for the first image sets the one, where the file system has relatime, Linux's default; and the other
# cannot be set at all, so a copy of the folder, or the next checkout, gives another image. Nothing else differs: with the two overwritten by
# debugfs afterwards all three images are the same.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version=1.47.0-2+b2
apt-get -qq -o APT::Sandbox::User=root download "e2fsprogs=$version" "logsave=$version" "libext2fs2=$version" "libcom-err2=$version" "libss2=$version"
for package in ./*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/sbin:$work/tools/usr/sbin:$PATH
LD_LIBRARY_PATH=$(dirname "$(find "$work/tools" -name 'libext2fs.so.2')")
export LD_LIBRARY_PATH SOURCE_DATE_EPOCH=1000 E2FSPROGS_FAKE_TIME=1000
mke2fs -V 2>&1 | sed -n 1p

# image makes an image of a folder.
image() {
	truncate -s 8M "$2"
	mke2fs -q -F -t ext4 -U 00000000-0000-0000-0000-000000000001 -d "$1" \
		-E hash_seed=00000000-0000-0000-0000-000000000002,root_owner=0:0 "$2"
}

mkdir folder copy
for name in a b c; do echo "$name" >"folder/$name"; done
touch -d @1000 folder/* folder
image folder first
image folder again
sleep 1.1 # the copy is of another second
for name in c b a; do cp -p "folder/$name" copy/; done
touch -d @1000 copy
image copy copied

compare() { cmp -s "$1" "$2" && echo "the same" || echo "$(cmp -l "$1" "$2" | wc -l) bytes differ"; }
again=$(compare first again) copied=$(compare first copied)
for image in first again copied; do
	for name in a b c; do
		for time in atime ctime; do echo "set_inode_field /$name $time @1000"; done
	done | debugfs -w -f - "$image" >/dev/null 2>&1
done
mended=$(compare first again) both=$(compare first copied)
echo "the same folder again: $again; a copy of it: $copied; after debugfs: $mended, $both"
[[ $again != "the same" && $copied != "the same" && $mended == "the same" && $both == "the same" ]] || { echo "this has changed"; exit 1; }
