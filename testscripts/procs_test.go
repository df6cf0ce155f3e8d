package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"nexus/selftest/kit"
)

// eventually looks again and again until something is so, within waitLimit.
func eventually(ts *testscript.TestScript, what string, so func() bool) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(waitLimit)
	for !so() {
		select {
		case <-look.C:
		case <-deadline:
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

// wantGone waits, with a bound, until none of the processes is there.
func wantGone(ts *testscript.TestScript, family []kit.Proc) {
	for _, p := range family {
		eventually(ts, fmt.Sprintf("the end of process %d (%s)", p.PID, p.Name), func() bool {
			now, there := kit.ProcOf(p.PID)
			return !there || now.Zombie || now.Start != p.Start
		})
	}
}

// gone waits until no process bears the name: `gone NAME`.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: gone name")
	}
	eventually(ts, "the end of "+args[0], func() bool {
		cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range cmdlines {
			raw, _ := os.ReadFile(path)
			if name, _, _ := strings.Cut(string(raw), "\x00"); name == args[0] {
				return false
			}
		}
		return true
	})
}
