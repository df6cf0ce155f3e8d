#!/usr/bin/env bash
# e2fsprogs 1.47.0 (Debian 12): an ext4 superblock of which one 512-byte sector is old and the other new, as a disk with such sectors
# may leave it after a power cut. Only the mount count differs.
#
# Guess: `e2fsck -p`, the mode for boots that nobody watches, takes the backup superblock, or exits with 4, "errors left uncorrected".
# Seen: it exits with 8, "operational error", the status of a device that holds no file system at all, and changes nothing.
# `e2fsck -y` takes the backup by itself and mends everything. So a boot script has to tell this 8 from the other, or ask for -y then.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version=1.47.0-2+b2
apt-get -qq -o APT::Sandbox::User=root download "e2fsprogs=$version" "logsave=$version" "libext2fs2=$version" "libcom-err2=$version" "libss2=$version"
for package in ./*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/sbin:$work/tools/usr/sbin:$PATH
LD_LIBRARY_PATH=$(dirname "$(find "$work/tools" -name 'libext2fs.so.2')")
export LD_LIBRARY_PATH
e2fsck -V 2>&1 | sed -n 1p

truncate -s 256M old.img # large enough for a backup of the superblock
mkfs.ext4 -q -F -b 4096 -O metadata_csum old.img
cp old.img new.img
debugfs -w -R "set_super_value mnt_count 7" new.img 2>/dev/null

sector() { dd if="$1" of=torn.img bs=512 skip="$2" seek="$2" count=1 conv=notrunc status=none; }
cp old.img torn.img
sector new.img 2 # the superblock is sectors 2 and 3; its checksum is in the second
cp torn.img before.img

preen=0; e2fsck -p torn.img >preen.txt 2>&1 || preen=$?
cmp -s torn.img before.img && untouched=yes || untouched=no
mend=0; e2fsck -y torn.img >mend.txt 2>&1 || mend=$?
again=0; e2fsck -f -n torn.img >/dev/null 2>&1 || again=$?
echo "e2fsck -p: exit $preen, image untouched: $untouched; e2fsck -y: exit $mend; afterwards e2fsck -f -n: exit $again"
[[ $preen == 8 && $untouched == yes && $again == 0 ]] || { echo "this has changed"; exit 1; }
