#!/usr/bin/env bash
# Linux 6.18, util-linux 2.38.1 (Debian 12): a process is stopped by SIGSTOP, in a process group of its own, and its parent is killed.
#
# Guess: it is continued, as POSIX has it for a process group that becomes orphaned: SIGHUP, then SIGCONT, so that nothing that was stopped is
# left for ever. In a container as anywhere.
# Seen: that depends on where its session began. A group is orphaned when no member has a parent in the same session and another group, and
# the first process of a PID namespace, which adopts it, counts as such a parent. Most are of a session of their own. But in a namespace that
# was entered without setsid, as `unshare -pf` and some runtimes do it, everybody has the session of whoever entered (getsid(2) says 0), the
# first process too: the group is not orphaned, and stays stopped for ever. A supervisor that counts on its children to end by themselves when
# it has died gives them a signal for that (PR_SET_PDEATHSIG; SIGCONT is enough).
set -euo pipefail

unshare --version
uname -r

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/parent.sh" <<'PARENT'
mkfifo "$1/never"
set -m # a process group for each child
bash -c 'kill -STOP $BASHPID; echo continued >"$0"' "$1/$2" & # SIGHUP would end it before that
echo $! >"$1/child"
while :; do read -rt 600 <>"$1/never" ; done
PARENT
cat >"$work/first.sh" <<'FIRST'
work=$1 name=$2
shift 2
"$@" bash "$work/parent.sh" "$work" "$name" &
parent=$!
state() { sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null || echo none; }
await() { for _ in $(seq 300); do [[ $(state "$(cat "$work/child" 2>/dev/null || echo 0)") == "$1" ]] && return; sleep 0.02; done; return 1; }
await T || { echo "$name: the child does not stop" >&2; exit 2; }
child=$(cat "$work/child")
kill -KILL "$(sed 's/.*) [A-Z] //; s/ .*//' "/proc/$child/stat")"
wait "$parent" 2>/dev/null
for _ in $(seq 100); do [[ $(state "$child") == none ]] && break; sleep 0.02; done
echo "$name: session $(sed 's/.*) [A-Z] [0-9]* [0-9]* //; s/ .*//' "/proc/self/stat") of the first process; after its parent's death the child is $(state "$child" | sed 's/none/gone/; s/T/still stopped/')"
kill -KILL "$child" 2>/dev/null
true
FIRST
enter=(unshare -pf --mount-proc --kill-child)
((UID)) && enter+=(-Ur)
entered=$("${enter[@]}" bash "$work/first.sh" "$work" "in the session of whoever entered" env)
rm -f "$work/child" "$work/never"
own=$("${enter[@]}" bash "$work/first.sh" "$work" "in a session of its own" setsid --wait)
echo "$entered"
echo "$own"
[[ $entered == *"still stopped" && $own == *gone ]] || { echo "this has changed"; exit 1; }
