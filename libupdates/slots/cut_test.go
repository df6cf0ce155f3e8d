package slots_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// A change replaces one version in slot b by another (empty for an empty slot), while slot a holds 1.0.0.
type change struct {
	name     string
	from, to string
	do       func(*slots.Store) error
	builds   bool // on payloads in the slots

	clean map[string]*durabletest.Disk // by version of slot b: the disk as it is when nothing has gone wrong
	looks map[string][]string          // snapshots of these disks
	held  durabletest.Checked
}

// changes are on a disk without fs-verity. Those that write payloads in other ways are on one with it, too.
func changes(t *testing.T) []change {
	all := changesOn(t, durabletest.New)
	for _, c := range changesOn(t, durabletest.NewWithVerity) {
		if c.name == "replace a set" || c.builds {
			c.name += ", fs-verity"
			all = append(all, c)
		}
	}
	return all
}

func changesOn(t *testing.T, empty func() *durabletest.Disk) []change {
	staging := func(version string) func(*slots.Store) error {
		raw := archive(t, version)
		return func(s *slots.Store) error { _, err := stage(s, bootctl.B, raw); return err }
	}
	stagingFile := func(version string) func(*slots.Store) error {
		raw := archive(t, version)
		return func(s *slots.Store) error { _, err := stageFile(s, bootctl.B, raw); return err }
	}
	making := func(from, version string) func(*slots.Store) error {
		raw := delta(t, from, version)
		return func(s *slots.Store) error { _, err := stage(s, bootctl.B, raw); return err }
	}
	emptying := func(s *slots.Store) error { return s.Empty(bootctl.B) }
	list := []change{
		{name: "first stage", from: "", to: "1.1.0", do: staging("1.1.0")},
		{name: "replace a set", from: "0.9.0", to: "1.1.0", do: staging("1.1.0")},
		{name: "take the other slot's set", from: "0.9.0", to: "1.0.0", do: staging("1.0.0")},
		{name: "leave the other slot's set", from: "1.0.0", to: "1.1.0", do: staging("1.1.0")},
		{name: "stage the same set again", from: "1.1.0", to: "1.1.0", do: staging("1.1.0")},
		{name: "replace a set by one in a file", from: "0.9.0", to: "1.1.0", do: stagingFile("1.1.0")},
		{name: "make a set from the other slot's", from: "0.9.0", to: "1.1.0", do: making("1.0.0", "1.1.0"), builds: true},
		{name: "make a set from the slot's own", from: "0.9.0", to: "1.1.0", do: making("0.9.0", "1.1.0"), builds: true},
		{name: "empty", from: "1.1.0", to: "", do: emptying},
		{name: "empty what the other slot holds too", from: "1.0.0", to: "", do: emptying},
	}
	for i, c := range list {
		list[i].clean = map[string]*durabletest.Disk{c.from: diskHolding(t, empty(), c.from),
			c.to: diskHolding(t, empty(), c.to)}
		list[i].looks, list[i].held = map[string][]string{}, durabletest.Checked{}
		for version, disk := range list[i].clean {
			list[i].looks[version] = disk.Snapshot()
		}
	}
	return list
}

// diskHolding fills an empty disk with 1.0.0 in slot a and that version in slot b.
func diskHolding(t *testing.T, d *durabletest.Disk, version string) *durabletest.Disk {
	t.Helper()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	if version != "" {
		mustStage(t, s, bootctl.B, archive(t, version))
	}
	return d.Clone()
}

// begin returns a disk before the change.
func (c change) begin(t *testing.T) (*durabletest.Disk, *slots.Store) {
	t.Helper()
	d := c.clean[c.from].Clone()
	return d, open(t, d)
}

// operations returns the number of operations of the change without a fault.
func (c change) operations(t *testing.T) int {
	t.Helper()
	d, s := c.begin(t)
	before := len(d.Ops())
	if err := c.do(s); err != nil {
		t.Fatal(err)
	}
	return len(d.Ops()) - before
}

// holds checks the promise on a disk after a cut: slot b holds the old set or the complete new one, and the new one if
// the change was reported complete; slot a is unchanged; once the store is open, nothing else is left.
func (c change) holds(d *durabletest.Disk, done bool) error {
	s, err := slots.Open(d)
	if err != nil {
		return err
	}
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		if err := s.Verify(slot, held(s, slot), verify); err != nil {
			return err
		}
	}
	content, err := s.Content(bootctl.B)
	switch {
	case err != nil:
		return err
	case content.Version != c.to && (done || content.Version != c.from):
		return fmt.Errorf("slot b holds %q", content.Version)
	}
	if diff := difference(d.Snapshot(), c.looks[content.Version]); len(diff) > 0 {
		return fmt.Errorf("the disk with %q in slot b differs from a clean one: %q", content.Version, diff)
	}
	return nil
}

// survives checks the promise on every disk that a power cut may leave.
func (c change) survives(d *durabletest.Disk, done bool) error {
	return c.held.EveryOutcome(d, done, func(left *durabletest.Disk) error { return c.holds(left, done) })
}

// difference returns the lines that are in only one of the snapshots, each with a sign.
func difference(got, want []string) []string {
	var diff []string
	for _, line := range got {
		if !slices.Contains(want, line) {
			diff = append(diff, "+"+line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			diff = append(diff, "-"+line)
		}
	}
	return diff
}

func TestCutEverywhere(t *testing.T) {
	for _, c := range changes(t) {
		t.Run(c.name, func(t *testing.T) {
			for n := range c.operations(t) + 1 {
				d, s := c.begin(t)
				d.CutAfter(n)
				done := c.do(s) == nil
				if err := c.survives(d, done); err != nil {
					t.Fatalf("cut after operation %d, %v", n, err)
				}
			}
		})
	}
}

// The writer dies while the power stays on. The next writer begins to clean up, and then the power fails as well.
func TestCutAfterTheWriterDied(t *testing.T) {
	for _, c := range changes(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for died := range updatestest.Sweep(c.operations(t) + 1) {
				for opened, n := false, 0; !opened; n++ {
					d, s := c.begin(t)
					d.CutAfter(died)
					done := c.do(s) == nil
					d.Resume()
					d.CutAfter(n)
					_, err := slots.Open(d)
					opened = err == nil
					if err := c.survives(d, done); err != nil {
						t.Fatalf("died after operation %d, cut %d later, %v", died, n, err)
					}
				}
			}
		})
	}
}

// If an operation fails, the change ends with that reason and leaves everything as it was, or it completes
// nevertheless.
func TestFailureEverywhere(t *testing.T) {
	for cause, reason := range map[error]refusal.Reason{syscall.ENOSPC: refusal.NoSpace, syscall.EIO: refusal.IO} {
		for _, c := range changes(t) {
			t.Run(fmt.Sprint(c.name, ", ", cause), func(t *testing.T) {
				for n := range c.operations(t) {
					d, s := c.begin(t)
					before, ops := d.Snapshot(), len(d.Ops())
					d.FailAt(n+1, cause)
					err := c.do(s)
					if err == nil {
						if err := c.holds(d, true); err != nil {
							t.Fatalf("operation %d failed, the change did not: %v", n+1, err)
						}
						continue
					}
					want := reason
					verb, _, _ := strings.Cut(d.Ops()[ops+n], " ")
					if c.builds && (verb == "open" || verb == "read") && refusal.Of(err) == refusal.MissingBase {
						want = refusal.MissingBase // what cannot be read cannot be built on
					}
					wantReason(t, err, want)
					if diff := difference(d.Snapshot(), before); len(diff) > 0 {
						t.Fatalf("operation %d failed: the disk changed: %q", n+1, diff)
					}
				}
			})
		}
	}
}

// After a failure the power fails too, during the clean-up or later. The promise holds, however much has been cleaned
// up.
func TestCutAfterAFailure(t *testing.T) {
	for _, c := range changes(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for n := range updatestest.Sweep(c.operations(t)) {
				for ended, cut := false, 0; !ended; cut++ {
					d, s := c.begin(t)
					d.FailAt(n+1, syscall.EIO)
					d.CutAfter(n + 1 + cut)
					done := c.do(s) == nil
					ended = !d.MetCut()
					if err := c.survives(d, done); err != nil {
						t.Fatalf("operation %d failed, cut after %d more, %v", n+1, cut, err)
					}
				}
			}
		})
	}
}
