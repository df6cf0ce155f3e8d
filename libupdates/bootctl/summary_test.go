package bootctl_test

import (
	"fmt"
	"slices"

	"nexus/libupdates/bootctl"
)

// summary words the state of a record for the truth table.
func summary(r bootctl.Record) string {
	s := r.Active.String()
	if r.Pending != bootctl.None {
		s += fmt.Sprintf(" pending %s %d", r.Pending, r.TriesLeft)
	}
	if !r.Staged.IsEmpty() {
		s += fmt.Sprint(" staged ", r.Staged.Digest[0])
	}
	if r.HealthOK {
		s += " ok"
	}
	if r.WatchLeft > 0 {
		s += fmt.Sprintf(" watched %d", r.WatchLeft)
	}
	if r.EndOrdered {
		s += " ends"
	}
	if n := len(r.Quarantine); n > 0 {
		s += fmt.Sprintf(" q%d", n)
	}
	return s
}

// key words what decides about a record's future.
func key(r bootctl.Record) string {
	var quarantined []byte
	for _, q := range r.Quarantine {
		quarantined = append(quarantined, q.Digest[0])
	}
	slices.Sort(quarantined)
	content := func(c bootctl.Content) string { return fmt.Sprint(c.Digest[0], c.Good, c.Floor, c.Damage) }
	return fmt.Sprint(summary(r), r.Begun(), content(r.Slots[0]), content(r.Slots[1]), quarantined, r.Floor)
}
