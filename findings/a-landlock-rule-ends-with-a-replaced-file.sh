#!/usr/bin/env bash
# Linux 6.18 (Landlock), go-landlock v0.9.0 by its command landlock-restrict: a service may read a file, and a folder by the symbolic link that
# names the present version. Then an updater replaces the file, and the link, by renames.
#
# Guess: the rules were given as paths, so the service reads the new file and the new version, as it would under AppArmor.
# Seen: a rule holds for the inode to which its path led when the service was confined. Both are refused with EACCES from now on, for as long
# as the service lives, and the old version can still be read by its own path. A file beside it whose folder has the rule is not affected. So
# what is replaced atomically gets its rule on the folder around it, and what follows a link is started anew with each version.
set -euo pipefail

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
export GOBIN=$work/bin GOPATH=$work/go GOTOOLCHAIN=local CGO_ENABLED=0
go install github.com/landlock-lsm/go-landlock/cmd/landlock-restrict@v0.9.0 2>/dev/null
uname -r

mkdir version-1 version-2 around signals
echo one | tee version-1/content settings >around/settings
echo two >version-2/content
ln -s version-1 current
mkfifo signals/ready signals/replaced
cat >signals/service.sh <<'SERVICE'
look() {
	local said=
	for name in settings around/settings current/content version-1/content; do
		said+="; $name: $(cat "$name" 2>/dev/null || echo refused)"
	done
	echo "${said#; }"
}
look
echo >signals/ready
read -rt 60 <>signals/replaced
look
SERVICE
bin/landlock-restrict -ro /usr /lib /lib64 around current -rofiles settings -rw signals -rwfiles /dev/null -- /bin/bash signals/service.sh >seen &
read -rt 60 <>signals/ready
for name in settings around/settings; do
	echo two >"$name.new"
	mv "$name.new" "$name"
done
ln -s version-2 next
mv -T next current
echo >signals/replaced
wait
sed '1s/^/before: /; 2s/^/after:  /' seen
[[ $(cat seen) == "settings: one; around/settings: one; current/content: one; version-1/content: one
settings: refused; around/settings: two; current/content: refused; version-1/content: one" ]] || { echo "this has changed"; exit 1; }
