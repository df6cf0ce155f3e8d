#!/usr/bin/env bash
# zstd 1.5.4 (Debian 12): `zstd --patch-from=old new` makes a delta of an image of 130 MiB, and `zstd -d --patch-from=old` applies it. The
# option is said to choose the window by itself ("long mode automatically triggered").
#
# Guess: what one call made, the other takes; and if there is a limit, then it is one on the old file, which both have.
# Seen: it works while the new image is no larger than the old one. One byte more, and the patch is refused: "Frame requires too much memory
# for decoding". The maker's window follows the new file, the limit of who applies it is 128 MiB or the size of the old file, whichever is more.
# So updates go well from version to version until the first in which an image above 128 MiB grows. `-d --long=31` lifts that limit; a
# device has to have it before it needs it.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version=1.5.4+dfsg2-5+deb12u1
apt-get -qq -o APT::Sandbox::User=root download "zstd=$version" "libzstd1=$version"
for package in ./*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/usr/bin:$PATH LD_LIBRARY_PATH=$work/tools/usr/lib/x86_64-linux-gnu
zstd --version

# patched makes a patch to a file that is larger than the old one by some bytes, and prints how it went to apply it with an option.
patched() {
	local exit=0
	truncate -s "$1" old
	truncate -s "$(($(stat -c %s old) + $2))" new
	echo end | dd of=new bs=1 seek=1000000 conv=notrunc status=none
	zstd -q -f --patch-from=old new -o patch 2>/dev/null
	zstd -q -f -d "${@:3}" --patch-from=old patch -o made 2>said || exit=$?
	if ((exit == 0)) && cmp -s new made; then echo "the new file"; else grep -o 'Frame requires .*decoding' said || echo "exit $exit"; fi
}
same=$(patched 130M 0) small=$(patched 100M 1) grown=$(patched 130M 1) told=$(patched 130M 1 --long=31)
echo "130 MiB to as much: $same; 100 MiB to a byte more: $small; 130 MiB to a byte more: $grown; that with --long=31: $told"
[[ $same == "the new file" && $small == "$same" && $told == "$same" && $grown == Frame* ]] || { echo "this has changed"; exit 1; }
