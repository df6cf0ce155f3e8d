#!/usr/bin/env bash
# Linux 6.18 (Landlock), go-landlock v0.9.0 by its command landlock-restrict, coreutils 9.1 (Debian 12): a program may read and write two
# folders of one file system, and moves a file from one to the other.
#
# Guess: it is renamed, as both folders may be written; or it is refused with EACCES, as everything is that Landlock does not allow.
# Seen: rename(2) fails with EXDEV, as between two file systems, and mv does what it does there: it copies, and removes the original. The file
# has another inode, the move is not atomic any more, costs the time and the room of a copy, and loses what a copy loses. Within one folder it
# is a rename as before. The right to move between folders (LANDLOCK_ACCESS_FS_REFER) is one that has to be given to both, and `rw` does not
# include it.
set -euo pipefail

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
export GOBIN=$work/bin GOPATH=$work/go GOTOOLCHAIN=local CGO_ENABLED=0
go install github.com/landlock-lsm/go-landlock/cmd/landlock-restrict@v0.9.0 2>/dev/null
uname -r
mv --version | sed -n 1p

mkdir one two
# moved prints whether mv kept the inode: it was a rename.
moved() {
	echo content >one/file
	local before after
	before=$(stat -c %i one/file)
	"$@"
	after=$(stat -c %i "$target")
	rm -f "$target"
	[[ $before == "$after" ]] && echo renamed || echo copied
}
within() { bin/landlock-restrict -ro /usr /lib /lib64 /etc -rw one two -- /bin/mv one/file "$target"; }
target=two/file
free=$(moved /bin/mv one/file "$target")
between=$(moved within)
target=one/other
same=$(moved within)
echo "free, to the other folder: $free; under Landlock: $between; within one folder: $same"
[[ $free == renamed && $between == copied && $same == renamed ]] || { echo "this has changed"; exit 1; }
