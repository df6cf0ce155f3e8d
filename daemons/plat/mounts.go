package plat

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// MaySetUsers reports whether programs get users of their own.
func MaySetUsers() bool { return look().canSetUser() }

// CanMount reports whether this process may mount file systems.
func CanMount() bool { return ownPowers().has(unix.CAP_SYS_ADMIN) }

// DetachBelow unmounts all that is mounted below a folder.
func DetachBelow(path string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var targets []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		const target = 4 // proc_pid_mountinfo(5)
		if len(fields) > target && strings.HasPrefix(fields[target], filepath.Clean(path)+"/") {
			targets = append(targets, fields[target])
		}
	}
	slices.Reverse(targets) // what was mounted last comes first
	for _, target := range targets {
		if err := Detach(target); err != nil {
			return err
		}
	}
	return nil
}
