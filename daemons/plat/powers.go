package plat

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Power is one of the kernel's capabilities (capabilities(7)).
type Power int

// The capabilities that the table may leave to a daemon.
const (
	PowerKill    Power = unix.CAP_KILL    // signal processes of other users
	PowerSetUser Power = unix.CAP_SETUID  // become another user
	PowerSetGrp  Power = unix.CAP_SETGID  // become another group
	PowerSetCap  Power = unix.CAP_SETPCAP // give up powers for good
)

// String returns the name in capabilities(7).
func (p Power) String() string {
	switch p {
	case PowerKill:
		return "CAP_KILL"
	case PowerSetUser:
		return "CAP_SETUID"
	case PowerSetGrp:
		return "CAP_SETGID"
	case PowerSetCap:
		return "CAP_SETPCAP"
	default:
		return fmt.Sprintf("capability %d", int(p))
	}
}

// A powerSet has one bit for each power.
type powerSet uint64

func powersOf(list ...Power) powerSet {
	var s powerSet
	for _, p := range list {
		s |= 1 << p
	}
	return s
}

func (s powerSet) has(list ...Power) bool { return s&powersOf(list...) == powersOf(list...) }

// ownPowers are the effective capabilities of the calling thread.
func ownPowers() powerSet {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return powerSet(data[0].Effective) | powerSet(data[1].Effective)<<32
}

// The functions below change the calling thread only; those with the same names in package syscall change all threads.

// setThreadUser changes the user and group of the thread, drops all other groups, and keeps its permitted capabilities.
func setThreadUser(id uint32) error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(id), uintptr(id), uintptr(id)); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(id), uintptr(id), uintptr(id)); errno != 0 {
		return errno
	}
	return nil
}

// boundThread drops every power but those kept from the bounding set: no program that is executed can regain them.
func boundThread(keep powerSet) error {
	for p := Power(0); p <= unix.CAP_LAST_CAP; p++ {
		if keep.has(p) || !inBounds(p) {
			continue
		}
		// EINVAL: a kernel without this capability
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(p), 0, 0, 0); err != nil && err != unix.EINVAL {
			return err
		}
	}
	return nil
}

// inBounds reports whether a program that this thread executes can gain a power.
func inBounds(p Power) bool {
	in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(p), 0, 0, 0)
	return err == nil && in == 1
}

// boundedToNothing reports whether such a program can gain no power at all.
func boundedToNothing() bool {
	for p := Power(0); p <= unix.CAP_LAST_CAP; p++ {
		if inBounds(p) {
			return false
		}
	}
	return true
}

// setThreadPowers leaves the thread two sets: keep, which the programs that it executes have too, and now, which ends
// at the next execve(2).
func setThreadPowers(keep, now powerSet) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	all := keep | now
	data := [2]unix.CapUserData{
		{Effective: uint32(all), Permitted: uint32(all), Inheritable: uint32(keep)},
		{Effective: uint32(all >> 32), Permitted: uint32(all >> 32), Inheritable: uint32(keep >> 32)},
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)),
		uintptr(unsafe.Pointer(&data[0])), 0); errno != 0 {
		return errno
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	for p := Power(0); p <= unix.CAP_LAST_CAP; p++ {
		if !keep.has(p) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(p), 0, 0); err != nil {
			return err
		}
	}
	return nil
}
