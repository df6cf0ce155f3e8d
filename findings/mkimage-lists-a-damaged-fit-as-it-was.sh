#!/usr/bin/env bash
# U-Boot's tools 2023.01 (Debian 12): a FIT image (the form in which U-Boot takes kernel, device tree and RAM disk) has a SHA-256 for its
# kernel. One byte of the kernel is changed, and `mkimage -l`, `dumpimage -l` and `dumpimage -p` look at it.
#
# Guess: the hash is compared, if not when the image is listed, then when the kernel is taken out: so it is with the older form (uImage), whose
# kernel dumpimage does not take out when the CRC over it is wrong.
# Seen: both list the image and the hash in it exactly as before the damage, and dumpimage takes the damaged kernel out, exit 0 each time. No
# tool of this package compares a FIT's hash with its data; U-Boot does, when it boots. Whoever wants to know before that takes the data out
# and computes the hash: it is over the bytes of the property `data` alone.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial tools
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$work/archives" install \
	u-boot-tools=2023.01+dfsg-2+deb12u3 device-tree-compiler=1.6.1-4+b1 >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/usr/bin:$PATH LD_LIBRARY_PATH=$work/tools/lib/x86_64-linux-gnu:$work/tools/usr/lib/x86_64-linux-gnu
mkimage -V

seq 1 20000 >kernel
cat >image.its <<'ITS'
/dts-v1/;
/ {
	description = "a kernel";
	#address-cells = <1>;
	images {
		kernel {
			data = /incbin/("kernel");
			type = "kernel"; arch = "arm64"; os = "linux"; compression = "none"; load = <0>; entry = <0>;
			hash { algo = "sha256"; };
		};
	};
	configurations { default = "only"; only { kernel = "kernel"; }; };
};
ITS
mkimage -f image.its fit >/dev/null
mkimage -A arm64 -O linux -T kernel -C none -d kernel uimage >/dev/null
mkimage -l fit >listed.before
dumpimage -T flat_dt -p 0 -o whole fit >/dev/null
for image in fit uimage; do printf X | dd of="$image" bs=1 seek=50000 conv=notrunc status=none; done

status() { local exit=0; "$@" >/dev/null 2>&1 || exit=$?; echo "$exit"; }
listed=$(status mkimage -l fit) dumped=$(status dumpimage -l fit) taken=$(status dumpimage -T flat_dt -p 0 -o damaged fit)
older=$(status dumpimage -T kernel -p 0 -o older uimage)
mkimage -l fit >listed.after
cmp -s listed.before listed.after && listing="the same" || listing=another
hash=$(sed -n 's/.*Hash value: *//p' listed.after)
[[ $(sha256sum <whole) == "$hash "* ]] && whole=fits || whole="does not fit"
[[ $(sha256sum <damaged) == "$hash "* ]] && damaged=fits || damaged="does not fit"
echo "FIT: mkimage -l $listed, dumpimage -l $dumped, listing $listing; kernel taken out: $taken, and the hash $damaged (before the damage: $whole)"
echo "uImage: kernel taken out: $older"
[[ $listed$dumped$taken == 000 && $listing == "the same" && $whole == fits && $damaged != fits && $older != 0 ]] ||
	{ echo "this has changed"; exit 1; }
