package plat

import (
	"fmt"
	"math"
	"os"
	"slices"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// What Landlock can restrict, by the version of its interface (landlock(7)).
const (
	abiRefer    = 2 // moving files between directories; before it, that is always refused
	abiTruncate = 3
	abiNetwork  = 4
	abiIoctl    = 5
	abiScopes   = 6
	abiResolve  = 9
)

// landlockABI is the version of the kernel's Landlock, 0 when it has none.
func landlockABI() int {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return abi
}

// readRights, writeRights and executeRights are the kinds of access in Landlock's terms. What is in none of them
// (device files, sockets, ioctl, connecting to sockets by path) is never allowed.
const (
	readRights    = ll.AccessFSReadFile | ll.AccessFSReadDir
	executeRights = ll.AccessFSExecute
	writeRights   = ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRemoveDir | ll.AccessFSRemoveFile |
		ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSym | ll.AccessFSRefer
	// all that a rule on a file may hold
	fileRights = ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSExecute
)

// rights translates an access for a kernel with that interface.
func (a Access) rights(abi int) uint64 {
	var rights uint64
	if a&Read != 0 {
		rights |= readRights
	}
	if a&Write != 0 {
		rights |= writeRights
	}
	if a&Execute != 0 {
		rights |= executeRights
	}
	return rights & handledRights(abi)
}

// handledRights are all rights on files that a kernel knows: what is not allowed is refused.
func handledRights(abi int) uint64 {
	all := uint64(ll.AccessFSMakeSym<<1) - 1 // those of the first version
	for _, later := range []struct {
		abi   int
		right uint64
	}{
		{abiRefer, ll.AccessFSRefer}, {abiTruncate, ll.AccessFSTruncate}, {abiIoctl, ll.AccessFSIoctlDev},
		{abiResolve, ll.AccessFSResolveUnix},
	} {
		if abi >= later.abi {
			all |= later.right
		}
	}
	return all
}

// restrictThread puts a Landlock domain on the calling thread alone: the library's own Restrict puts it on every thread
// of the process, and the process here is the starter. The kernel must be at least at abiRefer.
func restrictThread(c Confinement, abi int) error {
	attr := ll.RulesetAttr{HandledAccessFS: handledRights(abi)}
	if abi >= abiNetwork {
		attr.HandledAccessNet = ll.AccessNetBindTCP | ll.AccessNetConnectTCP
	}
	anywhere := slices.Contains(c.Connect, PortRange{1, math.MaxUint16})
	if anywhere {
		attr.HandledAccessNet &^= ll.AccessNetConnectTCP
	}
	if abi >= abiScopes {
		attr.Scoped = ll.ScopeAbstractUnixSocket | ll.ScopeSignal
	}
	ruleset, err := ll.LandlockCreateRuleset(&attr, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	for _, rule := range c.Paths {
		if err := allow(ruleset, rule, abi); err != nil {
			return fmt.Errorf("%s: %w", rule.Path, err)
		}
	}
	for _, ports := range c.Connect {
		if err := ports.allow(ruleset, anywhere); err != nil {
			return fmt.Errorf("%v: %w", ports, err)
		}
	}
	return ll.LandlockRestrictSelf(ruleset, 0)
}

// allow lets each port of a range be connected to, if not all may be anyway.
func (r PortRange) allow(ruleset int, anywhere bool) error {
	for port := uint64(r.First); port <= uint64(r.Last) && !anywhere; port++ {
		rule := ll.NetPortAttr{AllowedAccess: ll.AccessNetConnectTCP, Port: port}
		if err := ll.LandlockAddNetPortRule(ruleset, &rule, 0); err != nil {
			return err
		}
	}
	return nil
}

// allow adds one rule to a ruleset.
func allow(ruleset int, rule PathRule, abi int) error {
	fd, err := unix.Open(rule.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	rights, err := rightsOn(rule, abi)
	if err != nil {
		return err
	}
	return ll.LandlockAddPathBeneathRule(ruleset, &ll.PathBeneathAttr{AllowedAccess: rights, ParentFd: fd}, 0)
}

// rightsOn are the rights of a rule on what is at its path: a file can be given fewer than a directory.
func rightsOn(rule PathRule, abi int) (uint64, error) {
	info, err := os.Stat(rule.Path)
	if err != nil {
		return 0, err
	}
	rights := rule.Access.rights(abi)
	if !info.IsDir() {
		rights &= fileRights
	}
	return rights, nil
}
