#!/usr/bin/env bash
# QEMU 7.2 (Debian 12), amd64 under emulation (TCG), `-cpu max`, which is said to be everything that the emulator can do.
#
# Guess: it has the SHA extensions (SHA-NI, of 2013), or it has no instructions for cryptography at all.
# Seen: it has AES-NI and PCLMULQDQ, and no SHA-NI: asked for it QEMU warns and goes on without. A guest that verifies by SHA-256 takes the
# generic code there, so that what a digest costs in an emulated guest says nothing about a machine with the instructions.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version='1:7.2+dfsg-7+deb12u18+b3'
if [[ $(dpkg-query -W -f '${Version}' qemu-system-x86 2>/dev/null) != "$version" ]]; then
	apt-get -qq install -y --no-install-recommends "qemu-system-x86=$version" >/dev/null
fi
qemu-system-x86_64 --version | sed -n 1p

# lacks prints QEMU's warning when the emulator does not have a feature.
lacks() {
	echo quit | timeout 60 qemu-system-x86_64 -M pc -accel tcg -S -cpu "max,+$1" -display none -monitor stdio 2>&1 | tr -d '\r' |
		grep -o "TCG doesn't support requested feature: .*" || true
}
aes=$(lacks aes) clmul=$(lacks pclmulqdq) sha=$(lacks sha-ni)
echo "aes: ${aes:-there}; pclmulqdq: ${clmul:-there}; sha-ni: ${sha:-there}"
[[ -z $aes && -z $clmul && $sha == *sha-ni* ]] || { echo "this has changed"; exit 1; }
