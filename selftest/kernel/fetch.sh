# Fetches what guests need from Debian, with its own tools: `tools`, `kernel` or `busybox`, with the variables that
# get.go sets. Standard output gets one line per action. The last lines on standard error say what failed, and after
# `hint: ` what to do about it. The host's own package lists, sources and packages of its architecture stay as they are,
# but for the tools.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	printf '%s\n' "$1" ${2:+"hint: $2"} >&2
	exit 1
}

# quiet shows the end of a command's output if it fails; the first word is the advice for that case.
quiet() {
	local hint=$1 out
	shift
	command -v "$1" >/dev/null ||
		fail "cannot run ${1##*/}: not installed" 'a Debian system has it; elsewhere `make run GUEST=host` needs only Go'
	out=$("$@" 2>&1) || fail "cannot run ${1##*/}: exit status $?: $(tail -n 3 <<<"$out" | paste -sd ';')" "$hint"
}

tools() {
	local missing=()
	quiet '' dpkg-query --version
	for name in $PACKAGES; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	((EUID == 0)) || fail "cannot install ${missing[*]}: not root" \
		"as root: apt-get install -y --no-install-recommends ${missing[*]}"
	echo "installing ${missing[*]}"
	quiet "is the network there? apt's own sources must be reachable" apt-get -q update
	quiet '' apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# pinned fetches a package file that the source names with its digest, or fails.
pinned() {
	quiet "is the network there? and does $MIRROR still have that version?" \
		/usr/lib/apt/apt-helper -o Acquire::Retries=3 download-file "$MIRROR/$PIN" "$dir/package.deb" "SHA256:$SHA256"
}

# newest fetches the newest kernel of the suite, by Debian's signed lists, as if this machine had another architecture
# and no packages installed. Of the host's settings it uses only those for proxies and the like.
newest() {
	[[ -e $keyring ]] ||
		fail "cannot verify packages: $keyring is missing" 'install the package debian-archive-keyring'
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	printf '%s\n' 'Types: deb' "URIs: $MIRROR" "Suites: $SUITE" 'Components: main' "Architectures: $DEBIAN" \
		"Signed-By: $keyring" >"$dir/debian.sources"
	cat >"$dir/apt.conf" <<-END
		Dir::Etc::sourcelist "$dir/debian.sources";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State "$dir";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir";
		Dir::Cache::archives "$dir/archives";
		APT::Architecture "$DEBIAN";
		APT::Architectures "$DEBIAN";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		Acquire::Retries "3";
	END
	export APT_CONFIG=$dir/apt.conf
	echo "looking up $IMAGE in Debian $SUITE"
	local network="is the network there? $MIRROR must be reachable, by a proxy in apt's settings where there is one"
	quiet "$network" apt-get -q --error-on=any update
	local name
	name=$(apt-cache depends "$IMAGE" | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	[[ $name ]] || fail "cannot find kernel: $IMAGE depends on no linux-image package"
	echo "fetching $name"
	cd "$dir/archives"
	quiet "$network; and is there room for 200 MB?" apt-get -q download "$name"
	mv ./*.deb "$dir/package.deb"
	PIN=$(dpkg-deb -f "$dir/package.deb" Package)_$(dpkg-deb -f "$dir/package.deb" Version)_$DEBIAN.deb
}

# one prints the only file of that name.
one() {
	[[ $# == 1 && -e $1 ]] || fail "cannot unpack ${PIN##*/}: $# files match $1"
	echo "$1"
}

unpack() {
	quiet '' dpkg-deb -x "$dir/package.deb" "$dir/all"
}

# kernel keeps the kernel and the modules that a guest needs, each after those that it depends on.
kernel() {
	local name version found said
	[[ ${REFRESH:-} ]] || echo "fetching ${PIN##*/}"
	if [[ ${REFRESH:-} ]]; then
		newest
	elif ! said=$(pinned 2>&1); then
		echo "cannot fetch pinned package: $said"
		newest
	fi
	name=${PIN##*/}
	name=${name%.deb}
	echo "unpacking $name"
	unpack
	[[ -e $dir/all/lib ]] || ln -s usr/lib "$dir/all/lib"
	mkdir -p "$dir/keep/modules/disk"
	found=$(one "$dir"/all/boot/vmlinu[xz]-*)
	mv "$found" "$dir/keep/kernel"
	found=$(one "$dir"/all/lib/modules/*)
	version=${found##*/}
	quiet '' depmod -b "$dir/all" "$version"
	: >"$dir/needed"
	modules "$dir/keep/modules" $MODULES
	modules "$dir/keep/modules/disk" $DISK_MODULES
	printf '%s\n' $MODULES "$DISK_MODULES" >"$dir/keep/wanted"
	printf '%s' "$name" >"$dir/keep/package"
	rm -rf "$INTO"
	mv "$dir/keep" "$INTO"
}

# modules keeps modules in a folder, each after those that it depends on, and none that was kept before.
modules() {
	local into=$1 module found file n=0
	shift
	for module; do
		found=$(modprobe -C /dev/null -d "$dir/all" -S "$version" --show-depends "$module" 2>&1) ||
			fail "cannot unpack $name: the kernel has no module $module: $found"
		for file in $(sed -n 's/^insmod \([^ ]*\).*/\1/p' <<<"$found"); do
			! grep -qxF "$file" "$dir/needed" || continue
			echo "$file" >>"$dir/needed"
			found=$(basename "${file%%.ko*}" | tr - _)
			xz -dc -f "$file" >"$into/$(printf '%03d' "$n")-$found.ko"
			n=$((n + 1))
		done
	done
}

busybox() {
	echo "fetching ${PIN##*/}"
	pinned
	unpack
	mkdir -p "${INTO%/*}"
	mv "$dir/all/usr/bin/busybox" "$INTO"
}

if [[ $1 != tools ]]; then
	mkdir -p "$CACHE"
	dir=$(mktemp -d "$CACHE/fetch-XXXXXX") # in the same file system as the destination
	trap 'rm -rf "$dir"' EXIT
fi
"$1"
