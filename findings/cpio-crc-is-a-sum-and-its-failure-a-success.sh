#!/usr/bin/env bash
# GNU cpio 2.13, libarchive's bsdcpio 3.6.2, busybox 1.35.0 (Debian 12): an archive of the form "crc" (070702), in which SWUpdate takes
# updates and Linux an initramfs. A byte of a file in it is changed, and in another copy two bytes change places.
#
# Guess: a CRC-32 finds both, and a reader that finds it fails.
# Seen: GNU cpio says "checksum error" of the changed byte, extracts the file all the same and exits with 0; so does --only-verify-crc, which is
# there for nothing else. bsdcpio and busybox say nothing. And nobody can find two bytes that changed places: the check is no CRC, it is the
# sum of all bytes. What an archive of this form holds is compared with a digest.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial tools folder
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$work/archives" install \
	cpio=2.13+dfsg-7.1 libarchive-tools=3.6.2-1+deb12u5 busybox-static=1:1.35.0-4+deb12u1+b1 >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/bin:$work/tools/usr/bin:$PATH
export LD_LIBRARY_PATH=$work/tools/lib/x86_64-linux-gnu:$work/tools/usr/lib/x86_64-linux-gnu
cpio --version | sed -n 1p
bsdcpio --version
busybox | sed -n 1p

echo 'AB is how it begins' >folder/file
(cd folder && echo file | cpio -o -H crc --quiet) >whole
sed 's/AB is/AC is/' whole >changed
sed 's/AB is/BA is/' whole >swapped

# extracted prints how a reader went, what it said of a checksum, and how the file begins that it left.
extracted() {
	local exit=0
	rm -rf out
	mkdir out
	(cd out && "${@:2}" <"../$1") >said 2>&1 || exit=$?
	grep -q 'checksum error' said && exit+=", checksum error"
	echo "exit $exit, $(head -c 2 out/file 2>/dev/null || echo nothing)"
}
failed=
for expected in 'whole|0, AB|0, AB|0, AB' 'changed|0, checksum error, AC|0, AC|0, AC' 'swapped|0, BA|0, BA|0, BA'; do
	IFS='|' read -r archive gnu bsd box <<<"$expected"
	seen="$(extracted "$archive" cpio -i --quiet)|$(extracted "$archive" bsdcpio -i --quiet)|$(extracted "$archive" busybox cpio -i)"
	echo "$archive (GNU|libarchive|busybox): $seen"
	[[ $seen == "exit $gnu|exit $bsd|exit $box" ]] || failed=yes
done
only=$(extracted changed cpio -i --quiet --only-verify-crc)
echo "changed, GNU cpio --only-verify-crc: $only"
[[ -z $failed && $only == "exit 0, checksum error, nothing" ]] || { echo "this has changed"; exit 1; }
