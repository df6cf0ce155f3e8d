package plat

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Settle completes the confinement of a daemon from within. It is the first thing a daemon does, before it takes
// anything from its birth channel: what cannot be taken before the program was executed is given up here. A daemon that
// starts others keeps what that takes. A process that was not confined by its starter is refused.
func Settle(starter bool) error {
	confined, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil || confined != 1 {
		return fmt.Errorf("cannot settle: not confined by who started it")
	}
	// No core dump, and nobody of the same user may look into its memory or its descriptors.
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

// startingRules take all that it takes to start a process or a program.
func startingRules() []rule {
	return []rule{
		{number: unix.SYS_CLONE, when: []condition{{0, unix.CLONE_THREAD, []uint32{unix.CLONE_THREAD}}}},
		{number: unix.SYS_EXECVE, refuse: unix.EPERM},
		{number: unix.SYS_SECCOMP, refuse: unix.EPERM},
	}
}
