#!/usr/bin/env bash
# squashfs-tools 4.5.1 (Debian 12), Linux 6.18: one bit of a squashfs image is flipped, within the data of a file, and the file is read.
#
# Guess: a block that is damaged cannot be decompressed, so the read fails with EIO; the more so with zstd, whose files usually end with a
# checksum. Only an image without compression gives back what it got.
# Seen: with gzip and xz each read fails, because both formats carry a checksum that squashfs leaves on. With zstd one in sixteen fails, with
# lz4 and lzo none: the others read the file to its end, with wrong bytes and exit status 0. An image that goes from gzip to zstd for its
# speed loses the only check it had, unless dm-verity or a digest stands below it. Needs root and a loop device.
set -euo pipefail

work=$(mktemp -d)
trap 'mountpoint -q "$work/mounted" && umount "$work/mounted"; rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial tools folder mounted
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$work/archives" install \
	squashfs-tools=1:4.5.1-1 >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/usr/bin:$PATH LD_LIBRARY_PATH=$work/tools/lib/x86_64-linux-gnu:$work/tools/usr/lib/x86_64-linux-gnu
uname -r
mksquashfs -version | sed -n 1p

seq 1 20000 >folder/file # its blocks follow the image's superblock of 96 bytes

# damaged prints how the reads of sixteen images went, each with one bit flipped.
damaged() {
	local failed=0 wrong=0 right=0 number place byte
	mksquashfs folder image -comp "$1" -no-fragments -quiet -no-progress >/dev/null
	for number in $(seq 1 16); do
		cp image copy
		place=$((96 + number * 250))
		byte=$(od -An -tu1 -j$place -N1 copy)
		printf "\\$(printf %o $((byte ^ 4)))" | dd of=copy bs=1 seek=$place conv=notrunc status=none
		mount -t squashfs -o loop,ro copy mounted
		if ! cat mounted/file >read 2>/dev/null; then failed=$((failed + 1))
		elif cmp -s read folder/file; then right=$((right + 1))
		else wrong=$((wrong + 1)); fi
		umount mounted
	done
	rm image
	echo "$failed failed, $wrong gave wrong bytes, $right the right ones"
}

changed=
for compressor in gzip xz zstd lz4 lzo; do
	seen=$(damaged "$compressor")
	echo "$compressor: of 16 reads $seen"
	read -r failed _ wrong _ <<<"$seen"
	case $compressor in
	gzip | xz) ((failed == 16)) || changed=yes ;;
	*) ((wrong >= 12)) || changed=yes ;;
	esac
done
[[ -z $changed ]] || { echo "this has changed"; exit 1; }
