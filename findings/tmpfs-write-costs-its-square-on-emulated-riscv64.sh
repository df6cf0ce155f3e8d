#!/usr/bin/env bash
# Linux 6.12.107 (Debian 13, riscv64) under QEMU 7.2 (Debian 12), emulated (TCG): writes of 8 MiB into tmpfs, in pieces of several sizes.
#
# Guess: the larger the pieces, the fewer system calls, and the sooner it is done; from some 64 KiB on it makes no difference.
# Seen: it takes 0.13 s in pieces of 64 KiB, 0.9 s in pieces of 1 MiB and 1.7 s in pieces of 4 MiB. Before each page that it copies into tmpfs,
# this kernel touches all pages of the caller that are left of the write, up to the file's next 2 MiB, so that the touches grow with the square
# of a piece. On a processor a touch is a load. Here each is between two changes of sstatus.SUM, at which this QEMU drops all translations of
# addresses. The emulated amd64 takes 0.03 s for all sizes.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
version='1:7.2+dfsg-7+deb12u18+b3'
if [[ $(dpkg-query -W -f '${Version}' qemu-system-misc 2>/dev/null) != "$version" ]]; then
	apt-get -qq install -y --no-install-recommends "qemu-system-misc=$version" opensbi >/dev/null
fi
qemu-system-riscv64 --version | sed -n 1p
kernel=linux-image-6.12.107+deb13-riscv64_6.12.107-1_riscv64.deb
/usr/lib/apt/apt-helper -o APT::Sandbox::User= download-file "http://deb.debian.org/debian/pool/main/l/linux/$kernel" kernel.deb \
	SHA256:abe9f65d74b434692149482b031db7a2aaf832921e09f69f775293c0e0c5799c >/dev/null
dpkg-deb --fsys-tarfile kernel.deb | tar x --wildcards './boot/vmlinu*'

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

func main() {
	bytes := make([]byte, 4<<20)
	for i := range bytes {
		bytes[i] = 1
	}
	err := syscall.Mount("tmpfs", "/tmp", "tmpfs", 0, "")
	for round := range 2 { // the first one warms up
		for _, piece := range []int{64 << 10, 1 << 20, 4 << 20} {
			file, openErr := os.Create("/tmp/file")
			begin := time.Now()
			for at := 0; at < 8<<20 && err == nil; at += piece {
				_, err = file.Write(bytes[:piece])
			}
			if round == 1 {
				fmt.Println("took", piece>>10, time.Since(begin).Milliseconds(), err, openErr)
			}
			file.Close()
			os.Remove("/tmp/file")
		}
	}
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}
GO
GO111MODULE=off CGO_ENABLED=0 GOARCH=riscv64 go build -o init main.go

# record prints an entry of an initramfs (newc): name, mode, device 0 or the console's 5:1, file.
record() {
	local size=0 major=0
	[[ ${3:-} ]] && size=$(stat -c %s "$3")
	[[ $1 == dev/console ]] && major=5
	printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' "$((n += 1))" "0x$2" 0 0 1 0 "$size" 0 0 "$major" "$((major > 0))" \
		"$((${#1} + 1))" 0
	printf '%s\0' "$1"
	head -c "$(((4 - (110 + ${#1} + 1) % 4) % 4))" /dev/zero
	[[ ! ${3:-} ]] || cat "$3"
	head -c "$(((4 - size % 4) % 4))" /dev/zero
}
n=0
{
	record dev 41ed
	record tmp 41ed
	record dev/console 2180
	record init 81ed init
	record 'TRAILER!!!' 0
} >initramfs

timeout 300 qemu-system-riscv64 -machine virt -m 256M -smp 2 -accel tcg,thread=multi -nodefaults -display none -serial stdio -no-reboot \
	-kernel boot/vmlinu* -initrd initramfs -append 'console=ttyS0 quiet panic=-1' </dev/null | tr -d '\r' | grep '^took' >took
awk '{ print $2 " KiB: " $3 " ms" }' took
awk '$4 != "<nil>" || $5 != "<nil>" { exit 1 } { took[$2] = $3 } END { exit !(took[1024] > 3 * took[64] && took[4096] > 6 * took[64]) }' took ||
	{ echo "this has changed"; exit 1; }
