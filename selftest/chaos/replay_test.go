package chaos_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/selftest/kit"
)

// TestReplay runs one course of a device, as printed by a failure, and reports what it finds. With the same seed and
// bound the result is the same, down to the bytes on the disk.
func TestReplay(t *testing.T) {
	if *replay == "" || strings.Contains(*replay, "edge=") {
		t.Skip("no course of a device is given")
	}
	c, err := parseCourse(*replay)
	kit.Must(t, err)
	d := replayed(t, c)
	t.Logf("%s\ndisk %x\n%s", d, d.disk.Sum(), strings.Join(d.disk.Ops(), "\n"))
	for _, v := range d.broken {
		t.Error(v)
	}
}

// replayed returns the device at the end of a course.
func replayed(t *testing.T, c course) *device {
	t.Helper()
	i := slices.IndexFunc(flows(), func(f flow) bool { return f.name == c.flow })
	if i < 0 || !slices.Contains(kinds(), c.kind) {
		t.Fatalf("there is no flow %q on a device %q", c.flow, c.kind)
	}
	states, second := bounds()
	a := newArena(t, states, second, *seed)
	b := newBench(a.library)
	after := func(i int) int {
		if i < len(c.cuts) {
			return c.cuts[i].after
		}
		return -1
	}
	d := a.begin(b, c.kind, c.fault, after(0))
	d.perform(flows()[i])
	if len(c.cuts) == 0 {
		d.goesOn()
		a.rest(d, false)
	}
	for i, cut := range c.cuts {
		if cut.state == unseen {
			return d
		}
		w, err := a.wreckNamed(d, c, cut)
		kit.Must(t, err)
		broken := d.broken
		d = w.recover(b, after(i+1))
		d.broken = append(broken, d.broken...)
		if i == len(c.cuts)-1 {
			a.rest(d, true)
		}
	}
	return d
}

// wreckNamed returns the disk state after the cut that the course names.
func (a *arena) wreckNamed(d *device, c course, cut cut) (wreck, error) {
	if cut.state == killed {
		return d.killedWreck(c, cut.after), nil
	}
	for _, bound := range []int{a.bound, a.second, a.few()} { // the bounds with which it may have been found
		for state, disk := range statesOf(d, bound, a.seed) {
			if state == cut.state {
				return d.wreckOf(c, cut.after, state, disk), nil
			}
		}
	}
	return wreck{},
		fmt.Errorf("cannot replay: no state %q after %d operations; are -seed, -bound and -whole as they were?",
			cut.state, cut.after)
}

func statesOf(d *device, bound int, seed uint64) func(func(string, *durabletest.Disk) bool) {
	return d.disk.States(max(bound, 1), seed)
}
