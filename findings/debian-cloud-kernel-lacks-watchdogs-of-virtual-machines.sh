#!/usr/bin/env bash
# Debian 12, linux-image-cloud-amd64 (6.1.192-3), the kernel for virtual machines, beside the one for all machines.
#
# Guess: a kernel that is made for virtual machines drives the watchdogs that QEMU gives them: the i6300esb, which it has as a device of its
# own, and the iTCO of its q35 machines.
# Seen: it has neither driver; only the kernel for all machines does. What is left is softdog, which is a timer of the kernel that it should
# watch, and drivers of hardware that QEMU does not have. Neither kernel takes a network from its command line: `ip=` (CONFIG_IP_PNP) is left
# to the first process.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
version=6.1.192-3
release=6.1.0-57
for flavour in cloud-amd64 amd64; do
	apt-get -qq download "linux-image-$release-$flavour=$version" 2>/dev/null
	dpkg-deb --fsys-tarfile linux-image-"$release-$flavour"_*.deb | tar x --wildcards "./boot/config-$release-$flavour" '*/drivers/watchdog/*'
done

# options prints what a kernel says of the options.
options() {
	for option in I6300ESB_WDT ITCO_WDT SOFT_WATCHDOG FS_VERITY SECURITY_LANDLOCK IP_PNP; do
		value=$(sed -n "s/^CONFIG_$option=//p" "boot/config-$release-$1")
		printf '%s=%s ' "$option" "${value:-n}"
	done
}
cloud=$(options cloud-amd64) all=$(options amd64)
modules=$(find . -path "*$release-cloud-amd64*watchdog*" -name '*.ko*' -printf '%f ' | sort)
echo "cloud-amd64: $cloud"
echo "amd64:       $all"
echo "watchdogs of cloud-amd64: $modules"
[[ $cloud == "I6300ESB_WDT=n ITCO_WDT=n SOFT_WATCHDOG=m FS_VERITY=y SECURITY_LANDLOCK=y IP_PNP=n " &&
	$all == "I6300ESB_WDT=m ITCO_WDT=m SOFT_WATCHDOG=m FS_VERITY=y SECURITY_LANDLOCK=y IP_PNP=n " ]] || { echo "this has changed"; exit 1; }
