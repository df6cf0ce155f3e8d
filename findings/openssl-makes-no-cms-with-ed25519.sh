#!/usr/bin/env bash
# OpenSSL 3.0.22, RAUC 1.8 (Debian 12): updates are to be signed with Ed25519, by a certificate, in the form that RAUC and SWUpdate take: CMS.
#
# Guess: that works. OpenSSL has Ed25519 since 1.1.1, makes certificates with it, and how CMS has it is written down (RFC 8419, of 2018).
# Seen: the certificate is made and verifies, and no CMS can be signed with it: "no default digest"; with SHA-512 named, which the RFC asks for,
# "invalid digest"; without signed attributes the first again. RAUC makes no bundle for the same reason. With P-256 all of it works. So whoever
# signs such updates has an RSA or an ECDSA key, even below a CA of Ed25519.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial tools folder
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$work/archives" install \
	rauc=1.8-2 squashfs-tools=1:4.5.1-1 openssl=3.0.22-1~deb12u2 libssl3=3.0.22-1~deb12u2 >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/usr/bin:$PATH LD_LIBRARY_PATH=$work/tools/lib/x86_64-linux-gnu:$work/tools/usr/lib/x86_64-linux-gnu
openssl version
rauc --version

seq 1 100000 >folder/root.img
cat >folder/manifest.raucm <<'MANIFEST'
[update]
compatible=device
version=1
[bundle]
format=verity
[image.rootfs]
filename=root.img
MANIFEST

# attempt prints whether a command works, or the reason that OpenSSL gives.
attempt() {
	"$@" >said 2>&1 && echo works || grep -oE 'no default digest|invalid digest|failed to create signature' said | sed -n 1p
}
# signed prints how an algorithm fares.
signed() {
	openssl req -x509 -newkey "$@" -nodes -keyout key -out cert -subj /CN=publisher -days 3650 2>/dev/null
	local cms=(openssl cms -sign -binary -in folder/root.img -signer cert -inkey key -outform DER -out signature)
	rm -f bundle.raucb
	echo "certificate $(attempt openssl verify -CAfile cert cert), cms $(attempt "${cms[@]}"), -md sha512 $(attempt "${cms[@]}" -md sha512)," \
		"-noattr $(attempt "${cms[@]}" -noattr), rauc $(attempt rauc --cert=cert --key=key bundle folder bundle.raucb)"
}
edwards=$(signed ed25519)
nist=$(signed ec -pkeyopt ec_paramgen_curve:P-256)
echo "Ed25519: $edwards"
echo "P-256:   $nist"
[[ $edwards == "certificate works, cms no default digest, -md sha512 invalid digest, -noattr no default digest, rauc failed to create signature" &&
	$nist == "certificate works, cms works, -md sha512 works, -noattr works, rauc works" ]] || { echo "this has changed"; exit 1; }
