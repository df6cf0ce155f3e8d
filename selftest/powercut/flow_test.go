package powercut

import (
	"fmt"
	"maps"
	"strings"

	"nexus/daemons/initd/machine"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// A stand is a point in a flow at which something was acknowledged, and what must hold from then on.
type stand struct {
	Name       string
	Requests   uint64 // upper bound on the requests that the disk had received by then
	Made       bool   // the disk has our file system
	Recorded   bool   // the boot record exists
	Active     string // version of the confirmed set; empty: none yet
	Staged     string // version of the staged set, until the next stand
	Drops      bool   // this step discards the staged set
	Quarantine bool   // the broken set is in quarantine
	Floor      string // the version floor
	// what was acknowledged of the state that each version has to find: the versions that were started
	Kept map[string][]string
}

// A flow makes a recording as it runs.
type flow struct {
	*session
	stands []stand
}

// reach records that something was acknowledged, as a change of the previous stand.
func (f *flow) reach(s step) error {
	next := stand{}
	if n := len(f.stands); n > 0 {
		next = f.stands[n-1]
	}
	requests, err := logged(f.device.machine.Disk.Log)
	next.Name, next.Requests = s.name, requests
	s.change(&next)
	f.stands = append(f.stands, next)
	return err
}

// A step is something that an operator, or the passing of time, causes, and the stand that it leads to.
type step struct {
	name   string
	do     func(f *flow) error
	change func(*stand)
}

// steps returns the flow: a first start on a blank disk, an update, one that fails, two refusals, an update with a
// version floor, a reset, a set that is staged and discarded, and a shutdown. All but the first set have a program that
// keeps its starts.
func steps() []step {
	same := func(*stand) {}
	return []step{
		{"the disk is made", says(machine.LineNewDisk, 1), func(s *stand) { s.Made = true }},
		{"the factory set is there", says("updated: ready (statefs)", 1),
			func(s *stand) { s.Recorded, s.Active = true, factory }},
		{"the factory set is healthy", says("init: health ok (slot a)", 1), same},
		{"programs may keep state", permits, same},
		{"an update is staged", types(0, "stage", second), func(s *stand) { s.Staged = second }},
		{"the update is switched to", types(0, "switch"), func(s *stand) { s.Staged = "" }},
		{"the update is confirmed", says("init: health ok (slot b)", 1), func(s *stand) { s.Active = second }},
		{"its program has kept its start", started(1, second), keeps(second, second)},
		{"a bad update has failed", types(1, "update", broken), func(s *stand) { s.Quarantine = true }},
		{"the update is back", says("init: health ok (slot b)", 2), same},
		{"its program has its state back", started(2, second), keeps(second, second, second)},
		{"the bad update is refused", types(1, "stage", broken), same},
		{"a forged update is refused", types(1, "stage", forged), same},
		{"another update is confirmed", types(0, "update", third), func(s *stand) {
			s.Active = third
			keeps(third, s.Kept[second]...)(s)
		}},
		{"its watch is over", raises(second), func(s *stand) { s.Floor = second }},
		{"its program has kept its start", started(3, third), keeps(third, second, second, third)},
		{"the machine was reset and is healthy", resets("init: health ok (slot a)", 3), same},
		{"its program has found its state", started(4, third), keeps(third, second, second, third, third)},
		{"an update is staged and left", types(0, "stage", second), func(s *stand) { s.Staged = second }},
		{"the staged update is dropped", types(0, "discard"), func(s *stand) { s.Staged, s.Drops = "", true }},
		{"the system is down", types(0, "shutdown"), func(s *stand) { s.Drops = false }},
	}
}

// says waits for the nth line of the console that starts with the text.
func says(text string, nth int) func(*flow) error {
	return func(f *flow) error { return f.awaitLine(text, nth) }
}

// resets presses the reset button and then waits for such a line.
func resets(text string, nth int) func(*flow) error {
	return func(f *flow) error {
		f.Reset()
		return f.awaitLine(text, nth)
	}
}

// types runs an nx verb, with the named set as its argument if there is one, and expects this exit status.
func types(want int, verb string, name ...string) func(*flow) error {
	return func(f *flow) error {
		args := []string{verb}
		for _, n := range name {
			args = append(args, f.device.sets.Named(n).File)
		}
		v, err := f.Run(args...)
		if v == nil {
			return err
		}
		if v.Exit() != want {
			return fmt.Errorf("%s; want exit %d", v, want)
		}
		return nil
	}
}

// permits sets the policy that the programs need.
func permits(f *flow) error {
	_, err := f.Run("policy", "set", f.device.policy)
	return err
}

// started waits until the program that keeps state says that this start of it, of all that it knows of, is durable.
func started(nth int, version string) func(*flow) error {
	text := fmt.Sprintf("start %d, version %s", nth, version)
	return func(f *flow) error {
		return kit.Within(patience, text, func() bool {
			v, err := f.Run("log")
			return err == nil && strings.Contains(v.Stdout.String(), text)
		})
	}
}

// keeps notes what was acknowledged of the state of a version.
func keeps(version string, starts ...string) func(*stand) {
	return func(s *stand) {
		s.Kept = maps.Clone(s.Kept)
		if s.Kept == nil {
			s.Kept = map[string][]string{}
		}
		s.Kept[version] = starts
	}
}

// raises waits until the version floor has this value.
func raises(floor string) func(*flow) error {
	return func(f *flow) error {
		_, err := f.Quiet(patience, askPause, f.device.sets, func(now oracle.State, asking error) (bool, error) {
			return oracle.Text(now.VersionFloor) == floor, asking
		})
		return err
	}
}
