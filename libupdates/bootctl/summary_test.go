package bootctl_test

import (
	"fmt"

	"nexus/libupdates/bootctl"
)

// summary words the state of a record for the truth table.
func summary(r bootctl.Record) string {
	s := r.Active.String()
	if r.Pending != bootctl.None {
		s += fmt.Sprintf(" pending %s %d", r.Pending, r.TriesLeft)
	}
	if r.Staged != bootctl.None {
		s += " staged " + r.Staged.String()
	}
	if r.HealthOK {
		s += " ok"
	}
	if n := len(r.Quarantine); n > 0 {
		s += fmt.Sprintf(" q%d", n)
	}
	return s
}
