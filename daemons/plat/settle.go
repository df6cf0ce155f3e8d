package plat

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// Settle completes the confinement of a daemon from within. It is the first thing a daemon does, before it takes anything from its birth
// channel: what cannot be taken before the program was executed (executing itself, the numbers of the process) is given up here. A daemon that
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
	if starter {
		if err := narrowProc(StarterRules()); err != nil {
			return fmt.Errorf("cannot settle: %w", err)
		}
	}
	if !seccompWorks() {
		return nil
	}
	rules := []rule{ownLimits()}
	if !starter {
		rules = append(rules, startingRules(uint32(os.Getpid()))...)
	}
	if err := compile(rules, unix.SECCOMP_RET_ALLOW).install(unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return fmt.Errorf("cannot settle: %w", err)
	}
	return nil
}

// startingRules take all that it takes to start a process, and leave a daemon threads and signals to itself.
func startingRules(pid uint32) []rule {
	rules := []rule{
		{number: unix.SYS_CLONE, when: []condition{{0, unix.CLONE_THREAD, []uint32{unix.CLONE_THREAD}}}},
		{number: unix.SYS_TGKILL, when: []condition{{0, whole, []uint32{pid}}}},
	}
	for _, number := range []uint32{unix.SYS_EXECVE, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_SETPGID, unix.SYS_CHDIR, unix.SYS_SECCOMP} {
		rules = append(rules, rule{number: number, refuse: unix.EPERM})
	}
	return rules
}

// narrowProc leaves the whole process, on all its threads, its own part of /proc of what its rules let it read of that, and the other paths. A
// rule on its own part could not be made before it was there.
func narrowProc(paths []PathRule) error {
	if landlockABI() < abiRefer {
		return nil // no rules were put on either
	}
	// A part of /proc is made anew when nobody has it open, and the rule is on this one: it stays open.
	own, err := unix.Open("/proc/self", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	rules := []landlock.Rule{landlock.PathAccess(readRights, fmt.Sprintf("/proc/self/fd/%d", own))}
	for _, rule := range paths {
		rights, err := rightsOn(rule, abiRefer)
		if err != nil {
			return err
		}
		rules = append(rules, landlock.PathAccess(landlock.AccessFSSet(rights), rule.Path))
	}
	return landlock.V2.RestrictPaths(rules...)
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
