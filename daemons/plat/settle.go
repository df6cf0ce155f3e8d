package plat

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Settle completes the confinement of a daemon from within. A daemon calls it first, before it reads its endowment
// channel, to give up what it needed until its program ran. One that starts other processes keeps what that takes.
// Settle fails in a process that its starter has not confined.
func Settle(starter bool) error {
	confined, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil || confined != 1 {
		return fmt.Errorf("cannot settle: not confined by who started it")
	}
	// No core dump, and no process of the same user may read its memory or its descriptors.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot settle: %w", err)
	}
	if !seccompWorks() || starter {
		return nil
	}
	if err := compile(startingRules(), unix.SECCOMP_RET_ALLOW).installOnAll(); err != nil {
		return fmt.Errorf("cannot settle: %w", err)
	}
	return nil
}

// startingRules refuse all that starts a process or a program.
func startingRules() []rule {
	return []rule{
		{number: unix.SYS_CLONE, when: []condition{{0, unix.CLONE_THREAD, []uint32{unix.CLONE_THREAD}}}},
		{number: unix.SYS_EXECVE, refuse: unix.EPERM},
		{number: unix.SYS_SECCOMP, refuse: unix.EPERM},
	}
}
