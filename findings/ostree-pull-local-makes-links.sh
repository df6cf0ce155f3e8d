#!/usr/bin/env bash
# OSTree 2022.7 (Debian 12): an update is carried from one repository to another of the same mode and file system with `ostree pull-local`, and
# by `ostree pull` from a remote at file://.
#
# Guess: the objects are copied, and compared with the checksums that are their names, as a pull over the network does it.
# Seen: neither. Each content object becomes a hard link to the file in the source, and its bytes are not read: a source with a damaged object
# is pulled from with exit 0, and what is checked out has the damage. `pull-local --untrusted` reads and refuses it, but makes links as well:
# what is damaged in the source later is damaged in the target. `ostree fsck` finds it there. So a copy that is to stand on its own is checked
# by fsck, and lies on another file system.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p archives/partial tools
apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$work/archives" install \
	ostree=2022.7-2+deb12u1 >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" tools; done
export PATH=$work/tools/usr/bin:$PATH LD_LIBRARY_PATH=$work/tools/lib/x86_64-linux-gnu:$work/tools/usr/lib/x86_64-linux-gnu
ostree --version | sed -n 2p

mkdir tree
echo 'a file of the system' >tree/file
new() { rm -rf "$1" && ostree --repo="$1" init --mode=bare; }
object() { find "$1/objects" -name '*.file'; }
new source
ostree --repo=source commit -b main --tree=dir=tree -s 'a version' >/dev/null

# pulled prints how a pull into a new repository went, and whether what it has is a link into the source.
pulled() {
	local exit=0
	new target
	if [[ $1 == file ]]; then
		ostree --repo=target remote add --no-sign-verify --no-gpg-verify origin "file://$work/source"
		ostree --repo=target pull origin main >/dev/null 2>&1 || exit=$?
	else
		ostree --repo=target pull-local "$@" source main >/dev/null 2>&1 || exit=$?
	fi
	local has
	has=$(object target)
	if [[ -z $has ]]; then echo "exit $exit, nothing"
	elif [[ $has -ef $(object source) ]]; then echo "exit $exit, a link"
	else echo "exit $exit, a copy"; fi
}
whole=$(pulled --depth=0) whole_file=$(pulled file) whole_untrusted=$(pulled --untrusted)
printf X | dd of="$(object source)" bs=1 seek=3 conv=notrunc status=none
after=0
ostree --repo=target fsck >/dev/null 2>&1 || after=$?
untrusted=$(pulled --untrusted) file=$(pulled file) damaged=$(pulled --depth=0)
ostree --repo=target checkout -U main out
echo "whole source: pull-local: $whole; file://: $whole_file; --untrusted: $whole_untrusted; damaged afterwards, fsck of the target: exit $after"
echo "damaged source: pull-local: $damaged; file://: $file; --untrusted: $untrusted; checked out: $(cat out/file)"
link="exit 0, a link"
[[ $whole$whole_file$whole_untrusted == "$link$link$link" && $after != 0 && $damaged$file == "$link$link" &&
	$untrusted == "exit 1, nothing" && $(cat out/file) == 'a fXle of the system' ]] || { echo "this has changed"; exit 1; }
