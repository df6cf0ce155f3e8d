#!/usr/bin/env bash
# QEMU 7.2 (Debian 12), block driver blklogwrites: a log of a disk's writes in the format of the kernel's dm-log-writes, used to see what a
# disk looks like after a cut at any write.
#
# Guess: each write is in the log once it was acknowledged, so the log of a QEMU that was killed ends with the last write.
# Seen: the number of entries stands in the log's superblock, and that is written at a flush only. A QEMU that is killed before the first
# flush of its guest leaves a log whose entries are there and whose superblock is zeros: tools that read the format find no log at all.
# After a flush the entries up to it count, whatever was written later.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download 'qemu-utils=1:7.2+dfsg-7+deb12u18+b3'
dpkg-deb -x ./*.deb tools
qemu_io=tools/usr/bin/qemu-io
"$qemu_io" --version | sed -n 1p

# entries prints the number of entries that the log's superblock names (64 bits, little endian, at byte 16), or "no log" without its magic.
entries() {
	[[ $(od -An -tx8 -N8 log | tr -d ' ') == 006a736677736872 ]] || { echo "no log"; return; }
	od -An -tu8 -j16 -N8 log | tr -d ' '
}

# drive has qemu-io do the commands, and kills it once it has answered what stands behind them.
drive() {
	rm -f disk log
	truncate -s 8M disk log
	local commands=() line
	for command in "$@" length 'sleep 60000'; do commands+=(-c "$command"); done
	coproc io {
		exec stdbuf -oL "$qemu_io" -t writeback "${commands[@]}" --image-opts \
			driver=blklogwrites,file.driver=file,file.filename=disk,log.driver=file,log.filename=log 2>&1
	}
	local pid=$io_PID
	while read -r -t 20 line <&"${io[0]}"; do
		[[ $line == *'8 MiB'* ]] && break
	done
	kill -9 "$pid"
	wait "$pid" 2>/dev/null || true
}

drive 'write -P 1 0 4k' 'write -P 2 4k 4k'
unflushed=$(entries)
written=$(od -An -tu8 -j520 -N8 log | tr -d ' ') # sectors of the first entry, which is behind the superblock's sector
drive 'write -P 1 0 4k' 'flush' 'write -P 2 4k 4k'
flushed=$(entries)
echo "killed after two writes: superblock says $unflushed, first entry has $written sectors; killed after write, flush, write: $flushed entries"
[[ $unflushed == 'no log' && $written == 8 && $flushed == 2 ]] || { echo "this has changed"; exit 1; }
